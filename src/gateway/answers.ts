import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { type Answer, renderAnswer, wantsHtml } from '../core/answer.ts'
import { corsHeaders } from '../core/cors.ts'
import { tokenScheme } from '../core/credential.ts'
import { type Denial, denial } from '../core/denial.ts'
import type { Route } from '../core/route.ts'
import type { UpstreamFault } from '../proxy/outcome.ts'
import { type AnyRequest, type AnyResponse, hasBody } from './call.ts'
import { HEADERS_TOO_LARGE } from './framing.ts'

/** Why node's parser, or the clock, ended a request before it was one. */
export type ClientFault =
  | 'malformed'
  | 'headers_too_large'
  | 'headers_timeout'
  | 'connect'
  /** The client is gone; nobody is there to answer. */
  | 'gone'

const BY_CODE: Readonly<Record<string, ClientFault>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'headers_timeout',
  ECONNRESET: 'gone',
  EPIPE: 'gone',
  ETIMEDOUT: 'gone',
  // The client closed in the middle of a request.
  HPE_INVALID_EOF_STATE: 'gone',
}

/** The fault behind a `clientError` of node's HTTP server; what isn't known is a malformed request. */
export function clientFault(error: NodeJS.ErrnoException): ClientFault {
  return BY_CODE[error.code ?? ''] ?? 'malformed'
}

const REASONS = {
  refused: 'upstream_refused',
  reset: 'upstream_reset',
  protocol: 'upstream_protocol',
  timeout: 'upstream_timeout',
} as const

const TEXTS: Readonly<Record<UpstreamFault, string>> = {
  refused: 'the service behind this route takes no connections',
  reset: 'the service behind this route ended the connection',
  protocol: 'the service behind this route answered with what is no HTTP/1.1',
  timeout: 'the service behind this route took too long',
}

/** The answer for an upstream that failed before its answer began. Says what, never where: addresses are the operator's. */
export function upstreamDenial({ fault }: { readonly fault: UpstreamFault }): Denial {
  return denial(REASONS[fault], TEXTS[fault])
}

/** Whether the request announces a body over `maxBody` bytes. One that announces none is counted as it comes, by the forwarder. */
export function announcesTooMuch(request: AnyRequest, maxBody: number | undefined): boolean {
  return maxBody !== undefined && Number(request.headers['content-length'] ?? 0) > maxBody
}

/** 413 that names the limit, so that whoever sends can tell whose it is. */
export function bodyTooLarge(maxBody: number | undefined): Denial {
  return denial('body_too_large', `this route takes bodies of at most ${maxBody ?? 0} bytes (max_body)`)
}

/** Of a body that nobody wants, so much is read before the connection is cut: clients that still send don't see a mere reset. */
const MOST_DISCARDED_BYTES = 1_048_576
const DISCARD_MS = 2_000
// A body of this size is read to its end, so that the connection can go on.
const SMALL_BODY_BYTES = 65_536

const CLOSE = ['Connection', 'close'] as const

interface AnswerTo {
  readonly method: string
  readonly rawHeaders: readonly string[]
  readonly requestId: string
  /** The route, for its CORS headers; undefined before one was found. */
  readonly route: Route | undefined
  /** Where operators look the request up. */
  readonly lookUp?: string | undefined
}

/** The whole answer to a refused request: problem document or page, challenge, CORS headers of the route. */
export function answerFor(denied: Denial, to: AnswerTo): Answer {
  return renderAnswer(denied, {
    requestId: to.requestId,
    wantsHtml: wantsHtml(to.method, to.rawHeaders),
    isHead: to.method === 'HEAD',
    corsHeaders: to.route === undefined ? [] : corsHeaders(to.route, to.rawHeaders),
    scheme: usedScheme(to.rawHeaders),
    lookUp: to.lookUp,
  })
}

interface Sending {
  /** The client hasn't begun to send its body, and won't after this answer. */
  readonly awaitsContinue: boolean
  /** The connection ends with this answer, whatever is left of the body. */
  readonly close: boolean
}

/**
 * Sends an answer of the gateway's own. A body that is still to come is discarded in bounds: a small one so that the connection can go on,
 * else the answer says `Connection: close` and the connection ends soon after.
 */
export function sendAnswer(
  request: AnyRequest,
  response: AnyResponse,
  answer: { readonly status: number; readonly headers: readonly string[]; readonly body: string },
  { awaitsContinue, close }: Sending,
): void {
  const unread = !request.complete && hasBody(request)
  if (!close && (!unread || (!awaitsContinue && isSmall(request)))) {
    response.writeHead(answer.status, [...answer.headers])
    response.end(answer.body)
    if (unread) request.resume()
    return
  }
  response.writeHead(answer.status, [...answer.headers, ...CLOSE])
  response.flushHeaders()
  if (answer.body !== '') response.write(answer.body)
  if (unread) discard(request, () => response.end())
  else response.end()
}

/** The answer to what nobody foresaw; where another has begun it breaks. */
export function sendFault(
  request: AnyRequest,
  response: AnyResponse,
  requestId: string,
  awaitsContinue: boolean,
): void {
  if (response.headersSent) return void response.destroy()
  const headers = ['Content-Length', '0', 'Cache-Control', 'no-store', 'X-Request-Id', requestId]
  sendAnswer(request, response, { status: 500, headers, body: '' }, { awaitsContinue, close: true })
}

/** An answer on a bare socket: no parsed request stands behind it, or it was an upgrade. The connection ends with it. */
export function sendRawAnswer(
  socket: Duplex,
  answer: { readonly status: number; readonly headers: readonly string[]; readonly body: string },
): void {
  const lines = [`HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ''}`]
  for (let i = 0; i + 1 < answer.headers.length; i += 2) lines.push(`${answer.headers[i]}: ${answer.headers[i + 1]}`)
  lines.push('Connection: close', '', answer.body)
  socket.on('error', () => undefined)
  socket.write(lines.join('\r\n'), 'latin1')
  endSoon(socket)
}

/** Ends our side and reads on in bounds: a connection that closes on unread bytes may take the answer with it (RFC 9112 §9.6). */
export function endSoon(socket: Duplex): void {
  socket.end()
  const timer = setTimeout(() => socket.destroy(), DISCARD_MS)
  let discarded = 0
  socket.on('data', (chunk: Buffer) => {
    discarded += chunk.length
    if (discarded > MOST_DISCARDED_BYTES) socket.destroy()
  })
  socket.once('close', () => clearTimeout(timer))
}

const FAULTS: Readonly<Record<Exclude<ClientFault, 'gone'>, Denial>> = {
  malformed: denial('malformed_request', 'this is no HTTP/1.1 request'),
  connect: denial('malformed_request', 'CONNECT and authority-form targets are not for a reverse proxy'),
  headers_too_large: HEADERS_TOO_LARGE,
  headers_timeout: denial('headers_timeout', 'the headers of a request must come within 10 seconds'),
}

/** What is said to a client whose request never became one. */
export function denialForFault(fault: Exclude<ClientFault, 'gone'>): Denial {
  return FAULTS[fault]
}

/** Reads and forgets what still comes, up to a number of bytes and a time. */
function discard(request: AnyRequest, done: () => void): void {
  let left = MOST_DISCARDED_BYTES
  const timer = setTimeout(end, DISCARD_MS)
  function end(): void {
    clearTimeout(timer)
    request.off('data', count).off('end', end).off('close', end)
    done()
  }
  function count(chunk: Buffer): void {
    left -= chunk.length
    if (left < 0) end()
  }
  request.on('error', () => undefined)
  request.on('data', count).on('end', end).on('close', end)
  request.resume()
}

function isSmall(request: AnyRequest): boolean {
  return Number(request.headers['content-length']) <= SMALL_BODY_BYTES
}

/** The scheme that the request used, so that it is challenged for the same. */
export function usedScheme(rawHeaders: readonly string[]): 'Bearer' | 'DPoP' {
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() !== 'authorization') continue
    if (tokenScheme(rawHeaders[i + 1] ?? '') === 'dpop') return 'DPoP'
  }
  return 'Bearer'
}
