import { IncomingMessage, ServerResponse } from 'node:http'
import type { Denial, Reason } from '../core/denial.ts'
import type { VerifiedToken } from '../core/token.ts'
import type { Log } from '../observe/log.ts'
import type { ForwardOutcome } from '../proxy/outcome.ts'
import type { ActiveConfig } from './active-config.ts'
import type { BackChannel } from './credentials/back-channel.ts'
import type { Credentials } from './credentials/credentials.ts'
import type { FastPathRequest } from './fast-path/request.ts'
import type { FastPathResponse } from './fast-path/response.ts'
import type { RouteMatch, Routing } from './judge.ts'
import type { Policy } from './policy.ts'
import type { RequestHead } from './request-head.ts'
import type { Recorder, RequestNotes, RequestRecord } from './request-log.ts'
import type { Tunnels } from './tunnels.ts'

/** A request as node's parser or the fast path reads it. */
export type AnyRequest = IncomingMessage | FastPathRequest

/** The answer to one. */
export type AnyResponse = ServerResponse | FastPathResponse

/** One request as its reader hands it on when its turn has come: what it asks, where its body is read and its answer written. */
export interface Incoming {
  readonly head: RequestHead
  readonly request: AnyRequest
  readonly response: AnyResponse
  /** The client sends its body only after `100 Continue` (RFC 9110 §10.1.1). */
  readonly awaitsContinue: boolean
  readonly upgrade: UpgradeOffer | undefined
}

/** A request may leave HTTP for a tunnel: the protocol that it asks for, and what came beyond the head. Node has let go of its socket. */
export interface UpgradeOffer {
  readonly protocol: string
  readonly early: Buffer
  readonly response: ServerResponse
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

/** A request for a path of the gateway's own, or that a route leaves to it. */
export interface OwnRequest {
  readonly request: AnyRequest
  readonly response: AnyResponse
  readonly record: RequestRecord
  readonly routing: Extract<Routing, { kind: 'reserved' }>
  readonly head: RequestHead
  readonly policy: Policy
  /** What permitted it; undefined where nobody was asked for one. */
  readonly token?: VerifiedToken | undefined
  /** Ends the request with an answer of the gateway's own. */
  readonly refuse: (denial: Denial) => void
}

/** A request for a reserved path, as fastify, the issuer and the feed take it. */
export interface ReservedRequest extends OwnRequest {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** Throws for what the fast path has read: it leaves reserved paths to node. */
export function readByNode(own: OwnRequest): ReservedRequest {
  const { request, response } = own
  if (request instanceof IncomingMessage && response instanceof ServerResponse) return { ...own, request, response }
  throw new TypeError('a reserved path was read by the fast path')
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
  readonly serveReserved: (own: OwnRequest) => void
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
export function hasBody(request: AnyRequest): boolean {
  const length = request.headers['content-length']
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) > 0)
}
