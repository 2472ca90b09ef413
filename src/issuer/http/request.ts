import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { withoutDoubledOwnCookies } from '../../core/headers/own-cookies.ts'
import { ROUTES } from './endpoints.ts'

/** What is known of a request besides the message itself. Notes are left by one step for a later one. */
export interface IssuerRequest {
  /** The person's or program's, trusted proxies taken into account. */
  readonly address: string
  /** When the request may have been sent, by the monotonic clock, milliseconds. See {@link openIssuerRequest}. */
  readonly arrivedAt: number
  /** Milliseconds. When all of it was here and nothing had been read from the store: tokens carry it as time of issue. */
  stampMs: number
  /** The form that was posted; empty for other requests. */
  form: URLSearchParams
  /** `user_code` of `verification_uri_complete`, to be shown in the form. */
  userCode: string
  /** The last act of revocation before the request; undefined where nothing goes by cookie. */
  lastActId: number | undefined
  /** Work that the answer waits for; see {@link answerAfter}. */
  readonly pending: Promise<unknown>[]
}

const CONNECTING_MS = 500

const known = new WeakMap<IncomingMessage, IssuerRequest>()
const connections = new WeakSet<Socket>()

/** Paths whose answers depend on the browser's cookies. The device authorization endpoint is for programs. */
const BY_COOKIE = /^\/(?:account|admin|oauth\/(?:authorize|device|interaction|logout|providers))(?:\/|$)/

/**
 * Opens the record of a request. One that is the first on its connection may have been sent a while ago: requests sent side
 * by side need connections, and the first can be answered before the last has one.
 */
export function openIssuerRequest(request: IncomingMessage, address: string, nowMs: number): IssuerRequest {
  const incoming = {
    address,
    arrivedAt: performance.now() - (connections.has(request.socket) ? 0 : CONNECTING_MS),
    stampMs: nowMs,
    form: new URLSearchParams(),
    userCode: '',
    lastActId: undefined,
    pending: [],
  }
  connections.add(request.socket)
  known.set(request, incoming)
  return incoming
}

/** The record of a request that {@link openIssuerRequest} has opened. */
export function issuerRequestOf(request: IncomingMessage): IssuerRequest {
  const incoming = known.get(request)
  if (incoming === undefined) throw new TypeError('a request came in past the front door')
  return incoming
}

/** Lets the answer wait for `work`, whose failure is the request's. */
export function answerAfter(request: IncomingMessage, work: Promise<unknown>): void {
  // It may fail before anybody waits for it: that is no fault of the process.
  work.catch(() => undefined)
  issuerRequestOf(request).pending.push(work)
}

/**
 * Makes the library see the issuer's own origin and the true client, whatever the client wrote: it builds URLs from Host and,
 * behind a proxy, from X-Forwarded-*. Of two cookies of one name of ours it would take the first, which may be a planted one: neither stays.
 */
export function pinOrigin(request: IncomingMessage, origin: string, address: string): void {
  const { host, protocol } = new URL(origin)
  for (const name of Object.keys(request.headers)) {
    if (name.startsWith('x-forwarded-') || name === 'forwarded') delete request.headers[name]
  }
  const { cookie } = request.headers
  if (cookie !== undefined) request.headers.cookie = withoutDoubledOwnCookies(cookie)
  request.headers.host = host
  request.headers['x-forwarded-proto'] = protocol.slice(0, -1)
  request.headers['x-forwarded-for'] = address
}

/** The path of the request, without query. */
export function pathOf(request: IncomingMessage): string {
  const target = request.url ?? '/'
  const cut = target.indexOf('?')
  return cut === -1 ? target : target.slice(0, cut)
}

/** The query's parameters. */
export function queryOf(request: IncomingMessage): URLSearchParams {
  const target = request.url ?? '/'
  const cut = target.indexOf('?')
  return new URLSearchParams(cut === -1 ? '' : target.slice(cut + 1))
}

/** Larger ones are refused: no form of ours comes near. */
export const LARGEST_BODY = 56 * 1024

/** Read and thrown away, so that a client that is still sending reads the refusal instead of a broken connection. */
const MOST_DISCARDED = 1024 * 1024

/** The body in whole. 'too_large': more than {@link LARGEST_BODY}. 'broken': the client left. */
export async function readBody(request: IncomingMessage): Promise<Buffer | 'too_large' | 'broken'> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      length += chunk.length
      if (length <= LARGEST_BODY) chunks.push(chunk)
      else if (length > MOST_DISCARDED) return 'too_large'
    }
  } catch {
    return 'broken'
  }
  return length > LARGEST_BODY ? 'too_large' : Buffer.concat(chunks, length)
}

/** Lets the library read `body` as if it had just come: it finds fault with bodies that somebody else has parsed. */
export function feedBody(request: IncomingMessage, body: Buffer): void {
  delete request.headers['transfer-encoding']
  request.headers['content-length'] = String(body.length)
  const iterator = async function* () {
    yield body
  }
  Object.defineProperties(request, { readable: { value: true }, iterator: { value: iterator } })
}

/** Whether the body is a form, by its Content-Type. */
export function isForm(request: IncomingMessage): boolean {
  return mediaType(request) === 'application/x-www-form-urlencoded'
}

/** Whether the body is JSON, by its Content-Type. */
export function isJson(request: IncomingMessage): boolean {
  return mediaType(request) === 'application/json'
}

/** Whether what `path` answers depends on who the browser is signed in as. */
export function goesByCookie(path: string): boolean {
  return BY_COOKIE.test(path)
}

/**
 * Whether a browser says that the answer is not to become a document of its own (Fetch Metadata): it would be read by another
 * page's script, of this origin as well, where an upstream may serve anybody's files. Only a silent authorization may happen in
 * a frame; its answer is a redirect. Who names no destination is no browser that says such things, and passes: programs' `fetch`
 * sends a mode alone.
 */
export function isEmbedded(request: IncomingMessage): boolean {
  const { 'sec-fetch-dest': destination, 'sec-fetch-mode': mode } = request.headers
  // A service worker gets to read what is loaded ahead for it.
  if (request.headers['service-worker-navigation-preload'] !== undefined) return true
  if (destination === undefined) return false
  if (mode !== undefined && mode !== 'navigate') return true
  return destination !== 'document' && !(destination === 'iframe' && isSilent(request))
}

function mediaType(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

/** What was pushed can't be seen from here; where it needs a page, that page is refused in its turn. */
function isSilent(request: IncomingMessage): boolean {
  if (request.method !== 'GET' || pathOf(request) !== ROUTES.authorization) return false
  const query = queryOf(request)
  return query.getAll('prompt').join() === 'none' || query.has('request_uri')
}
