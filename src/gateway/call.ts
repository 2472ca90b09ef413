import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Denial } from '../core/denial.ts'
import type { ActiveConfig } from './active-config.ts'
import type { Incoming } from './incoming.ts'
import type { Routing } from './judge.ts'
import type { RequestRecord } from './request-log.ts'

/** One request on its way through. */
export interface Call {
  readonly incoming: Incoming
  active: ActiveConfig
  readonly record: RequestRecord
  /** An answer has been given that ends the connection. */
  ending: boolean
}

/** A request for a path of the gateway's own, as who answers it gets it. */
export interface ReservedRequest {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly record: RequestRecord
  readonly routing: Extract<Routing, { kind: 'reserved' }>
  /** Ends the request with an answer of the gateway's own. */
  readonly refuse: (denial: Denial) => void
}
