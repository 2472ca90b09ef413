import { createHash } from 'node:crypto'
import type { DavPath } from './dav-path.ts'
import type { StoredBytes } from './partial.ts'
import { Refusal } from './sample-server.ts'

/** What files and folders of the sample file server have in common. */
interface NodeTimes {
  readonly createdMs: number
  /** Properties that clients set, by `{namespace}name`, as text. */
  readonly dead: Map<string, string>
}

interface DavFile extends NodeTimes, StoredBytes {
  readonly kind: 'file'
}

export interface DavFolder extends NodeTimes {
  readonly kind: 'folder'
  readonly modifiedMs: number
  readonly children: Map<string, DavNode>
}

export type DavNode = DavFile | DavFolder

/** All that the sample file server holds, at most. */
export const MAX_TREE_BYTES = 256 * 1024 * 1024

const TYPES: Readonly<Record<string, string>> = {
  csv: 'text/csv; charset=utf-8',
  jpg: 'image/jpeg',
  json: 'application/json',
  md: 'text/markdown; charset=utf-8',
  pdf: 'application/pdf',
  png: 'image/png',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
}

export function newFolder(): DavFolder {
  return { kind: 'folder', children: new Map(), createdMs: Date.now(), modifiedMs: Date.now(), dead: new Map() }
}

/** `modifiedMs`: what the client says of the file's own time; the clock's where it says nothing. */
export function newFile(name: string, bytes: Buffer, modifiedMs = Date.now()): DavFile {
  const extension = /\.([^.]+)$/.exec(name)?.[1]?.toLowerCase() ?? ''
  const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 20)}"`
  const type = TYPES[extension] ?? 'application/octet-stream'
  return { kind: 'file', bytes, etag, type, createdMs: Date.now(), modifiedMs, dead: new Map() }
}

/** Undefined when nothing is there. */
export function nodeAt(root: DavFolder, path: DavPath): DavNode | undefined {
  let node: DavNode | undefined = root
  for (const name of path) node = node?.kind === 'folder' ? node.children.get(name) : undefined
  return node
}

/** The folder that holds `path`, and its last name. Throws a Refusal: 409 when the folder is missing, 403 for the root. */
export function placeOf(root: DavFolder, path: DavPath): { readonly folder: DavFolder; readonly name: string } {
  const name = path.at(-1)
  if (name === undefined) throw new Refusal(403, 'not the root itself')
  const folder = nodeAt(root, path.slice(0, -1))
  if (folder?.kind !== 'folder') throw new Refusal(409, 'the folder for it is missing; make that first')
  return { folder, name }
}

/** The bytes of all files at and below. */
export function bytesIn(node: DavNode): number {
  if (node.kind === 'file') return node.bytes.length
  return [...node.children.values()].reduce((sum, child) => sum + bytesIn(child), 0)
}

/** A copy that shares file contents, which never change. `deep` false: a folder without what is in it. */
export function copyOf(node: DavNode, deep: boolean): DavNode {
  const dead = new Map(node.dead)
  if (node.kind === 'file') return { ...node, dead, createdMs: Date.now() }
  const children = deep ? [...node.children].map(([name, child]) => [name, copyOf(child, true)] as const) : []
  return { ...node, dead, createdMs: Date.now(), children: new Map(children) }
}
