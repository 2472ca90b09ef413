import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse, request as sendRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream'
import { denial } from '../core/denial.ts'
import { cgiName } from '../core/fields.ts'
import { parseTarget } from '../core/target.ts'
import type { ReservedRequest } from '../gateway/gateway.ts'
import { MAX_HEADER_BYTES } from '../gateway/listener.ts'
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
export const INNER_FIELD = 'X-Audgate-Inner'

const HOP_BY_HOP: ReadonlySet<string> = new Set(
  ['Connection', 'Keep-Alive', 'Proxy-Connection', 'Upgrade', 'TE', 'Trailer', 'Expect', INNER_FIELD].map(cgiName),
)
const TRANSFER_ENCODING = cgiName('Transfer-Encoding')
const SILENT = denial('upstream_refused', 'the process that holds the issuer does not answer')

/** @param innerPath The socket that the primary listens on. */
export function createPassOn(innerPath: string): PassOn {
  return (reserved) => {
    const { request, response, refuse } = reserved
    // A connection each: one that is kept may be closed by the other end just when a sign-in is sent on it.
    const inner = sendRequest({
      socketPath: innerPath,
      method: request.method,
      path: request.url,
      headers: innerFields(reserved) as unknown as Record<string, string>,
      setHost: false,
      agent: false,
    })
    const state = { answered: false }
    inner.on('response', (answer) => {
      state.answered = true
      passBack(request, response, answer)
    })
    inner.on('error', () => {
      // What fails once there is an answer shows in the answer.
      if (!state.answered && !response.destroyed) refuse(SILENT)
    })
    response.once('close', () => inner.destroy())
    request.pipe(inner)
  }
}

function passBack(request: IncomingMessage, response: ServerResponse, answer: IncomingMessage): void {
  // How its body is framed is between this process and the client.
  const fields = endToEnd(answer.rawHeaders, TRANSFER_ENCODING)
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage, [...fields])
  response.flushHeaders()
  pipeline(answer, response, () => request.resume())
}

function innerFields({ request, routing, record }: ReservedRequest): readonly string[] {
  const { address } = routing.client
  return [...endToEnd(request.rawHeaders), INNER_FIELD, `${address} ${record.id}`]
}

function endToEnd(rawHeaders: readonly string[], besides?: string): readonly string[] {
  const kept: string[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = [rawHeaders[i], rawHeaders[i + 1]]
    const known = cgiName(name)
    if (!HOP_BY_HOP.has(known) && known !== besides) kept.push(name, value)
  }
  return kept
}

const INNER_HEADER = INNER_FIELD.toLowerCase()

/**
 * Answers the reserved paths that workers pass on, on a socket in a folder of its own that no other user can enter. Answers the
 * socket's path.
 */
export async function openInner(
  backing: IssuerLink,
  options: MetadataEndpointOptions,
  closing: Closing,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'audgate-'))
  closing.add(() => rm(folder, { recursive: true, force: true }))
  const site = await createMetadataEndpoint(options)
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

function serve(
  request: IncomingMessage,
  response: ServerResponse,
  { feed, issuer }: IssuerLink,
  site: MetadataEndpoint,
) {
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
