import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, type Stream } from 'node:stream'
import { createProxyServer } from 'http-proxy'
import { denial } from '../core/denial.ts'
import { cgiName } from '../core/headers/fields.ts'
import { parseTarget } from '../core/paths/target.ts'
import { sealVerifiedToken, type VerifiedToken } from '../core/token.ts'
import type { ReservedRequest } from '../gateway/call.ts'
import { MAX_HEADER_BYTES } from '../gateway/framing.ts'
import type { AdminMount } from '../server/admin/mount-admin.ts'
import type { Closing } from '../server/closing.ts'
import type { IssuerLink } from '../server/issuer-link.ts'
import { answererOf } from '../server/reserved.ts'
import {
  createMetadataEndpoint,
  type MetadataEndpoint,
  type MetadataEndpointOptions,
} from '../server/resource-metadata.ts'

/** Answers a request for a reserved path by passing it on to the primary. */
export type PassOn = (reserved: ReservedRequest) => void

/** Carries the client's address and the request id from a worker to the primary; a client's own never gets through. */
const INNER_FIELD = 'x-audgate-inner'

/** What is between this process and its client, in CGI form. Framing is the proxy's. */
const KEPT_HERE: ReadonlySet<string> = new Set(
  ['Connection', 'Keep-Alive', 'Proxy-Connection', 'Upgrade', 'TE', 'Trailer', 'Expect', INNER_FIELD].map(cgiName),
)
const SILENT = denial('upstream_refused', 'the process that holds the issuer does not answer')

/** @param innerPath The socket that the primary listens on. */
export function createPassOn(innerPath: string): PassOn {
  const target = { socketPath: innerPath, host: 'localhost', port: 80 }
  // A connection each: one that is kept may be closed by the other end just when a sign-in is sent on it.
  const proxy = createProxyServer({ target, agent: false, toProxy: true })
  proxy.on('proxyRes', (answer, _request, response) => {
    answer.headers.connection = response.shouldKeepAlive ? 'keep-alive' : 'close'
    // One that breaks off must not pass for the whole.
    answer.once('error', () => response.destroy())
    // Events must not wait for the first of them.
    process.nextTick(() => response.flushHeaders())
  })
  return (reserved) => {
    const { request, response, refuse } = reserved
    prepare(reserved)
    proxy.web(request, response, bodyOf(request), () => {
      // What fails once there is an answer shows in the answer.
      if (!response.headersSent && !response.destroyed) refuse(SILENT)
    })
  }
}

/** Puts a request in the terms of the primary: the library sends what it finds in `headers` and `url`. */
function prepare({ request, routing, record, token }: ReservedRequest): void {
  const { client, target } = routing
  for (const name of Object.keys(request.headers)) if (KEPT_HERE.has(cgiName(name))) delete request.headers[name]
  const permitted = token === undefined ? '' : ` ${writtenToken(token)}`
  request.headers[INNER_FIELD] = `${client.address} ${record.id}${permitted}`
  // The proxy takes origin-form only.
  request.url = target.path + target.query
}

/** The library sends DELETE and OPTIONS with a length of 0 when they bring none: what comes in chunks must not follow that as a request. */
function bodyOf(request: IncomingMessage): { readonly buffer?: Stream } {
  const isEmptied = request.method === 'DELETE' || request.method === 'OPTIONS'
  if (!isEmptied || request.headers['content-length'] !== undefined) return {}
  request.resume()
  return { buffer: Readable.from([]) }
}

/** What a worker has verified, for the primary alone: the socket stands in a folder that no other user can enter. */
function writtenToken({ memo: _, scope, ...token }: VerifiedToken): string {
  return Buffer.from(JSON.stringify({ ...token, scope: [...scope] })).toString('base64url')
}

function readToken(written: string): VerifiedToken {
  const { scope, ...token }: Omit<VerifiedToken, 'memo' | 'scope'> & { readonly scope: readonly string[] } = JSON.parse(
    Buffer.from(written, 'base64url').toString(),
  )
  return sealVerifiedToken({ ...token, scope: new Set(scope) })
}

/**
 * Answers the reserved paths that workers pass on, on a socket in a folder of its own that no other user can enter. Answers the
 * socket's path.
 */
export async function openInner(
  backing: IssuerLink,
  options: MetadataEndpointOptions,
  admin: AdminMount | undefined,
  closing: Closing,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'audgate-'))
  closing.add(() => rm(folder, { recursive: true, force: true }))
  const site = await createMetadataEndpoint(options)
  closing.add(() => site.close())
  const path = join(folder, 'primary.sock')
  // A worker has held the client to its limits, and adds a field of its own.
  const limits = { maxHeaderSize: 2 * MAX_HEADER_BYTES, requestTimeout: 0, requireHostHeader: false }
  const server = createServer(limits, (request, response) => serve(request, response, backing, { site, admin }))
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

function serve(
  request: IncomingMessage,
  response: ServerResponse,
  { feed, issuer }: IssuerLink,
  { site, admin }: { readonly site: MetadataEndpoint; readonly admin: AdminMount | undefined },
) {
  const [address = '', requestId = '', permitted] = String(request.headers[INNER_FIELD] ?? '').split(' ')
  delete request.headers[INNER_FIELD]
  const token = permitted === undefined ? undefined : readToken(permitted)
  if (token !== undefined && admin !== undefined) return admin.handle(request, response, { token, address, requestId })
  // Judged by the worker already; read again only to tell whose it is.
  const parsed = parseTarget(request.url ?? '')
  const [path = '/'] = parsed.ok ? parsed.target.readings : []
  const answerer = answererOf(path, feed)
  if (answerer === 'pages' && admin !== undefined) return admin.pages(request, response, address, requestId)
  // What browsers need of the gateway itself is answered by the worker.
  if (['site', 'api', 'pages', 'browser'].includes(answerer) || issuer.answer === undefined)
    return site.handle(request, response, requestId)
  if (answerer === 'feed') return feed?.handle(request, response)
  return issuer.answer(request, response, address)
}
