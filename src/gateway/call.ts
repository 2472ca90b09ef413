import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Denial, Reason } from '../core/denial.ts'
import type { VerifiedToken } from '../core/token.ts'
import type { Log } from '../observe/log.ts'
import type { ForwardOutcome } from '../proxy/outcome.ts'
import type { ActiveConfig } from './active-config.ts'
import type { BackChannel } from './credentials/back-channel.ts'
import type { Credentials } from './credentials/credentials.ts'
import type { RouteMatch, Routing } from './judge.ts'
import type { Policy } from './policy.ts'
import type { RequestHead } from './request-head.ts'
import type { Recorder, RequestNotes, RequestRecord } from './request-log.ts'
import type { Tunnels } from './tunnels.ts'

/** One request as its reader hands it on when its turn has come: what it asks, where its body is read and its answer written. */
export interface Incoming {
  readonly head: RequestHead
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** The client sends its body only after `100 Continue` (RFC 9110 §10.1.1). */
  readonly awaitsContinue: boolean
  /** It may leave HTTP for a tunnel: the protocol that it asks for, and what came beyond the head. Node has let go of its socket. */
  readonly upgrade: { readonly protocol: string; readonly early: Buffer } | undefined
}

/** One request on its way through. */
export interface Call {
  readonly incoming: Incoming
  active: ActiveConfig
  readonly record: RequestRecord
  /** What its credential was judged for; undefined where none was needed. */
  match: RouteMatch | undefined
  /** An answer has been given that ends the connection. */
  ending: boolean
}

/** A request for a path of the gateway's own, as who answers it gets it. */
export interface ReservedRequest {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly record: RequestRecord
  readonly routing: Extract<Routing, { kind: 'reserved' }>
  readonly head: RequestHead
  readonly policy: Policy
  /** What permitted it; undefined where nobody was asked for one. */
  readonly token?: VerifiedToken | undefined
  /** Ends the request with an answer of the gateway's own. */
  readonly refuse: (denial: Denial) => void
}

/** What every request goes through with. */
export interface GatewayOptions extends RequestNotes {
  /** The file in force. */
  readonly active: () => ActiveConfig
  readonly credentials: Credentials
  readonly backChannel: BackChannel
  readonly recorder: Recorder
  readonly tunnels: Tunnels
  readonly log: Log
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Answers a request for a reserved path. */
  readonly serveReserved: (reserved: ReservedRequest) => void
}

/** Body bytes from and to a client. */
export type Bytes = Pick<ForwardOutcome, 'bytesIn' | 'bytesOut'>

export const NO_BYTES: Bytes = { bytesIn: 0, bytesOut: 0 }

/** After these it isn't sure where the next request would begin, or a body is coming that nobody wants. */
export const ENDS_CONNECTION: ReadonlySet<Reason> = new Set<Reason>([
  'malformed_request',
  'headers_too_large',
  'body_too_large',
])

/** Whether nobody waits for an answer any more. */
export function hasLeft({ incoming: { response } }: Call): boolean {
  return response.destroyed
}

/** Whether a body follows the head. */
export function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length']
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) > 0)
}
