import type { IncomingMessage, ServerResponse } from 'node:http'
import { type DavCall, type DavMethod, MAX_XML_BYTES, present } from './dav-call.ts'
import { activeLock, type DavLock } from './dav-locks.ts'
import { type DavPath, davHref } from './dav-path.ts'
import { type DavFolder, type DavNode, newFile, placeOf } from './dav-tree.ts'
import { copy, makeFolder, put, remove } from './dav-write.ts'
import { multistatus, patchResponse, propChanges, propResponse, wantedProps } from './dav-xml.ts'
import { sendStored } from './partial.ts'
import { clientPrefix, escapeHtml, identitySection, sendSamplePage, uploadForm, whoAmI } from './sample-page.ts'
import { Refusal, readBody, send, sendJson } from './sample-server.ts'

/** What the server knows, by the method's name. */
export const davMethods: ReadonlyMap<string, DavMethod> = new Map<string, DavMethod>([
  ['OPTIONS', options],
  ['GET', get],
  ['HEAD', get],
  ['PUT', put],
  ['DELETE', remove],
  ['MKCOL', makeFolder],
  ['COPY', copy],
  ['MOVE', copy],
  ['PROPFIND', propfind],
  ['PROPPATCH', proppatch],
  ['LOCK', lock],
  ['UNLOCK', unlock],
])

function options({ response }: DavCall): void {
  response.writeHead(204, { dav: '1, 2', allow: [...davMethods.keys()].join(', '), 'ms-author-via': 'DAV' }).end()
}

function get({ root, path, request, response }: DavCall): void {
  const node = present(root, path)
  if (node.kind === 'file') sendStored(request, response, node)
  else sendFolder(request, response, path, node)
}

async function propfind({ root, locks, path, request, response }: DavCall): Promise<void> {
  const { depth } = request.headers
  if (depth !== '0' && depth !== '1') throw new Refusal(403, 'say Depth: 0 or 1; infinity is not offered')
  const wanted = wantedProps((await readBody(request, MAX_XML_BYTES)).toString())
  const node = present(root, path)
  const inside = node.kind === 'folder' && depth === '1' ? [...node.children] : []
  const nodes: readonly (readonly [DavPath, DavNode])[] = [
    [path, node],
    ...inside.map(([name, child]) => [[...path, name], child] as const),
  ]
  sendXml(response, multistatus(nodes.map(([at, each]) => propResponse(at, each, wanted, locks.discovery(at)))), 207)
}

async function proppatch({ root, locks, path, request, response }: DavCall): Promise<void> {
  const changes = propChanges((await readBody(request, MAX_XML_BYTES)).toString())
  const node = present(root, path)
  locks.mayWrite(path, request, false)
  const statuses = new Map<string, '200 OK' | '403 Forbidden'>()
  for (const { name, text } of changes) {
    const own = name.startsWith('{DAV:}') || node.dead.size > 100
    if (!own && text !== undefined) node.dead.set(name, text)
    else if (!own) node.dead.delete(name)
    statuses.set(name, own ? '403 Forbidden' : '200 OK')
  }
  sendXml(response, multistatus([patchResponse(path, node, statuses)]), 207)
}

async function lock({ root, locks, path, request, response }: DavCall): Promise<void> {
  const body = (await readBody(request, MAX_XML_BYTES)).toString()
  if (body.trim() === '') return sendLock(response, locks.refresh(path, request), 200)
  if (/<(?:[\w.-]+:)?shared\b/.test(body)) throw new Refusal(412, 'locks here are exclusive')
  const owner = /<(?:[\w.-]+:)?owner\b[^>]*>([\s\S]*?)<\/(?:[\w.-]+:)?owner\s*>/.exec(body)?.[1] ?? ''
  const { folder, name } = path.length > 0 ? placeOf(root, path) : { folder: root, name: '' }
  const taken = locks.take(
    path,
    request.headers.depth !== '0',
    owner
      .replace(/<[^>]*>/g, '')
      .trim()
      .slice(0, 200),
  )
  const isNew = name !== '' && !folder.children.has(name)
  // Locking a name that is free makes an empty file (RFC 4918 §7.3).
  if (isNew) folder.children.set(name, newFile(name, Buffer.alloc(0)))
  response.setHeader('lock-token', `<${taken.token}>`)
  sendLock(response, taken, isNew ? 201 : 200)
}

function unlock({ locks, path, request, response }: DavCall): void {
  const [, token] = /^<([^>]+)>$/.exec(String(request.headers['lock-token'] ?? '')) ?? []
  if (token === undefined) throw new Refusal(400, 'say the Lock-Token')
  locks.release(path, token)
  response.writeHead(204).end()
}

function sendLock(response: ServerResponse, taken: DavLock, status: number): void {
  const xml = `<?xml version="1.0" encoding="utf-8"?>\n<D:prop xmlns:D="DAV:"><D:lockdiscovery>${activeLock(taken)}</D:lockdiscovery></D:prop>\n`
  sendXml(response, xml, status)
}

function sendXml(response: ServerResponse, xml: string, status: number): void {
  send(response, status, { 'content-type': 'application/xml; charset=utf-8' }, xml)
}

/** Shows what is in a folder: a page for browsers, JSON for everything else. */
function sendFolder(request: IncomingMessage, response: ServerResponse, path: DavPath, folder: DavFolder): void {
  const prefix = clientPrefix(request)
  const entries = [...folder.children].map(([name, node]) => ({
    name,
    kind: node.kind,
    bytes: node.kind === 'file' ? node.bytes.length : undefined,
    url: prefix + davHref([...path, name], node.kind === 'folder'),
  }))
  if (!/\btext\/html\b/.test(request.headers.accept ?? '')) {
    sendJson(response, 200, { entries })
    return
  }
  const up =
    path.length > 0
      ? `<tr><th scope="row"><a href="${prefix}${davHref(path.slice(0, -1), true)}">Up</a></th><td></td></tr>`
      : ''
  const rows = [...folder.children].map(([name, node]) =>
    row(prefix + davHref([...path, name], node.kind === 'folder'), name, node),
  )
  const table = `<table><thead><tr><th scope="col">Name</th><th scope="col">Size</th></tr></thead><tbody>${up}${rows.join('')}</tbody></table>`
  const section = `<section aria-labelledby="files"><h2 id="files">${escapeHtml(path.at(-1) ?? 'Files')}</h2>${table}</section>`
  sendSamplePage(
    response,
    'File store',
    section + uploadForm('Add a file', 'PUT', prefix + davHref(path, true)) + identitySection(whoAmI(request)),
  )
}

function row(url: string, name: string, node: DavNode): string {
  const size = node.kind === 'file' ? `${node.bytes.length.toLocaleString('en')} bytes` : 'folder'
  return `<tr><th scope="row"><a href="${escapeHtml(url)}">${escapeHtml(name)}</a></th><td>${size}</td></tr>`
}
