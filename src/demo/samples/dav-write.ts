import type { IncomingMessage } from 'node:http'
import { type DavCall, MAX_XML_BYTES, present } from './dav-call.ts'
import { destinationOf, isWithin } from './dav-path.ts'
import { bytesIn, copyOf, MAX_TREE_BYTES, newFile, newFolder, nodeAt, placeOf } from './dav-tree.ts'
import { Refusal, readBody } from './sample-server.ts'

/** PUT: a new file or new content (RFC 4918 §9.7). */
export async function put({ root, locks, path, request, response }: DavCall): Promise<void> {
  locks.mayWrite(path, request, false)
  placeOf(root, path)
  const bytes = await readBody(request, MAX_TREE_BYTES)
  // The tree may have changed while the body came in.
  locks.mayWrite(path, request, false)
  const { folder, name } = placeOf(root, path)
  const before = folder.children.get(name)
  if (before?.kind === 'folder') throw new Refusal(405, 'a folder has this name')
  holdConditions(request, before)
  const replaced = before?.bytes.length ?? 0
  if (bytesIn(root) - replaced + bytes.length > MAX_TREE_BYTES) throw new Refusal(507, 'the sample server is full')
  const saidMs = Number(request.headers['x-oc-mtime'] ?? Number.NaN) * 1000
  const known = Number.isSafeInteger(Math.round(saidMs)) && saidMs > 0 && saidMs < 8.64e15
  const file = newFile(name, bytes, known ? saidMs : undefined)
  folder.children.set(name, file)
  const headers = { etag: file.etag, ...(known ? { 'x-oc-mtime': 'accepted' } : {}) }
  response.writeHead(before === undefined ? 201 : 204, headers).end()
}

/** DELETE: a file, or a folder with all in it. */
export function remove({ root, locks, path, request, response }: DavCall): void {
  present(root, path)
  locks.mayWrite(path, request, true)
  const { folder, name } = placeOf(root, path)
  folder.children.delete(name)
  locks.drop(path)
  response.writeHead(204).end()
}

/** MKCOL. */
export async function makeFolder({ root, locks, path, request, response }: DavCall): Promise<void> {
  if ((await readBody(request, MAX_XML_BYTES)).length > 0) throw new Refusal(415, 'a new folder takes no body')
  locks.mayWrite(path, request, false)
  if (nodeAt(root, path) !== undefined) throw new Refusal(405, 'something has this name already')
  const { folder, name } = placeOf(root, path)
  folder.children.set(name, newFolder())
  response.writeHead(201).end()
}

/** COPY and MOVE (RFC 4918 §9.8, §9.9). */
export function copy({ root, locks, path, request, response }: DavCall): void {
  const moves = request.method === 'MOVE'
  const source = present(root, path)
  const destination = destinationOf(request)
  if (isWithin(path, destination) || isWithin(destination, path)) {
    throw new Refusal(403, 'source and destination lie in one another')
  }
  const place = placeOf(root, destination)
  const exists = place.folder.children.has(place.name)
  if (exists && request.headers.overwrite === 'F') throw new Refusal(412, 'something is there already')
  if (moves) locks.mayWrite(path, request, true)
  locks.mayWrite(destination, request, true)
  const made = moves ? source : copyOf(source, request.headers.depth !== '0')
  if (!moves && bytesIn(root) + bytesIn(made) > MAX_TREE_BYTES) throw new Refusal(507, 'the sample server is full')
  if (moves) {
    const from = placeOf(root, path)
    from.folder.children.delete(from.name)
    locks.drop(path)
  }
  place.folder.children.set(place.name, made)
  response.writeHead(exists ? 204 : 201).end()
}

function holdConditions({ headers }: IncomingMessage, before: { readonly etag: string } | undefined): void {
  const match = headers['if-match']
  const noneMatch = headers['if-none-match']
  const holds = match === undefined || (before !== undefined && (match === '*' || match.includes(before.etag)))
  const differs =
    noneMatch === undefined || before === undefined || !(noneMatch === '*' || noneMatch.includes(before.etag))
  if (!holds || !differs) throw new Refusal(412, 'it has changed meanwhile')
}
