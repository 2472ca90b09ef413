import type { IncomingMessage, ServerResponse } from 'node:http'
import { type DavPath, davHref } from './dav-path.ts'
import type { DavFolder, DavNode } from './dav-tree.ts'
import { clientPrefix, escapeHtml, identitySection, sendSamplePage, uploadForm, whoAmI } from './sample-page.ts'
import { sendJson } from './sample-server.ts'

/** Shows what is in a folder: a page for browsers, JSON for everything else. */
export function sendFolder(request: IncomingMessage, response: ServerResponse, path: DavPath, folder: DavFolder): void {
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
