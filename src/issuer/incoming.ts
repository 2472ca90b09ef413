import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

/** What is known of a request besides the message itself. Notes are left by one step for a later one. */
export interface Incoming {
  /** The person's or program's, trusted proxies taken into account. */
  readonly address: string
  /** When the request may have been sent, by the monotonic clock, milliseconds. See {@link openIncoming}. */
  readonly arrivedAt: number
  /** Milliseconds. When all of it was here and nothing had been read from the store: tokens carry it as time of issue. */
  stampMs: number
  /** The form that was posted; empty for other requests. */
  form: URLSearchParams
  /** `user_code` of `verification_uri_complete`, to be shown in the form. */
  userCode: string
  /** Work that the answer waits for. */
  readonly pending: Promise<unknown>[]
}

const CONNECTING_MS = 500

const known = new WeakMap<IncomingMessage, Incoming>()
const connections = new WeakSet<Socket>()

/**
 * Opens the record of a request. One that is the first on its connection may have been sent a while ago: requests sent side
 * by side need connections, and the first can be answered before the last has one.
 */
export function openIncoming(request: IncomingMessage, address: string, nowMs: number): Incoming {
  const incoming = {
    address,
    arrivedAt: performance.now() - (connections.has(request.socket) ? 0 : CONNECTING_MS),
    stampMs: nowMs,
    form: new URLSearchParams(),
    userCode: '',
    pending: [],
  }
  connections.add(request.socket)
  known.set(request, incoming)
  return incoming
}

/** The record of a request that {@link openIncoming} has opened. */
export function incomingOf(request: IncomingMessage): Incoming {
  const incoming = known.get(request)
  if (incoming === undefined) throw new TypeError('a request came in past the front door')
  return incoming
}

/**
 * Makes the library see the issuer's own origin and the true client, whatever the client wrote: it builds URLs from Host and,
 * behind a proxy, from X-Forwarded-*.
 */
export function pinOrigin(request: IncomingMessage, origin: string, address: string): void {
  const { host, protocol } = new URL(origin)
  for (const name of Object.keys(request.headers)) {
    if (name.startsWith('x-forwarded-') || name === 'forwarded') delete request.headers[name]
  }
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
