import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseTarget } from '../core/target.ts'
import type { Backing } from './backing.ts'
import type { Closing } from './closing.ts'
import { MAX_HEADER_BYTES } from './listener.ts'
import { answererOf } from './reserved.ts'
import { createSite, type Site, type SiteOptions } from './site.ts'
import { INNER_FIELD } from './worker-pass-on.ts'

const INNER_HEADER = INNER_FIELD.toLowerCase()

/**
 * Answers the reserved paths that workers pass on, on a socket in a folder of its own that no other user can enter. Answers the
 * socket's path.
 */
export async function openInner(backing: Backing, options: SiteOptions, closing: Closing): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'audgate-'))
  closing.add(() => rm(folder, { recursive: true, force: true }))
  const site = await createSite(options)
  closing.add(() => site.close())
  const path = join(folder, 'primary.sock')
  // A worker has held the client to its limits, and adds a field of its own.
  const limits = { maxHeaderSize: 2 * MAX_HEADER_BYTES, requestTimeout: 0, requireHostHeader: false }
  const server = createServer(limits, (request, response) => serve(request, response, backing, site))
  server.on('clientError', (_, socket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  closing.add(() => {
    server.close()
    server.closeAllConnections()
  })
  return path
}

function serve(request: IncomingMessage, response: ServerResponse, { feed, issuer }: Backing, site: Site) {
  const [address = '', requestId = ''] = String(request.headers[INNER_HEADER] ?? '').split(' ')
  delete request.headers[INNER_HEADER]
  // Judged by the worker already; read again only to tell whose it is.
  const parsed = parseTarget(request.url ?? '')
  const [path = '/'] = parsed.ok ? parsed.target.readings : []
  const answerer = answererOf(path, feed)
  if (answerer === 'site' || issuer.answer === undefined) return site.handle(request, response, requestId)
  if (answerer === 'feed') return feed?.handle(request, response)
  return issuer.answer(request, response, address)
}
