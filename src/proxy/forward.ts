import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Permit } from '../core/decide.ts'
import type { Timeouts, Upstream } from '../core/route.ts'
import type { AnswerRules } from './client-answer.ts'
import { Exchange } from './exchange.ts'
import type { Abort, ForwardOutcome } from './outcome.ts'
import type { UpstreamGroup, UpstreamMember } from './upstreams.ts'

/** A request in one upstream's terms. */
export interface UpstreamRequest {
  /** Origin-form. */
  readonly target: string
  /** Raw pairs, Host included; final but for framing, which is added, and without `Connection`. Or the same as `renderFieldLines` made it. */
  readonly headers: readonly string[] | string
}

export interface ForwardInput extends UpstreamRequest, AnswerRules {
  readonly method: string
  /** Made once per route. */
  readonly upstreams: UpstreamGroup
  /** The one that `target` and `headers` are for, as `upstreams.choose()` gave it. */
  readonly member: UpstreamMember
  /** The same request for another upstream of the group; undefined: it can't go elsewhere. */
  towards(upstream: Upstream): UpstreamRequest | undefined
  readonly timeouts: Timeouts
  /** Bytes of the body; undefined: no limit. */
  readonly maxBody: number | undefined
}

/**
 * Sends a permitted request to its upstream and the answer to the client, both as they stream. Calls `done` exactly once, never before it
 * has returned. When no head was sent, nothing was written to `response`: the caller answers; where the body is still
 * unread it stays so. When a head was sent and the answer can't be finished, the client's connection is broken.
 *
 * A request that no upstream has received (its connection was refused) goes to the next one. Of those that may have been received, only
 * idempotent ones without a body to which no byte was answered are sent again, once (RFC 9110 §9.2.2). Requests that a client
 * sent ahead of earlier answers wait for their turn. Does NOT judge anything: that is what the permit is for.
 */
export function forward(
  _permit: Permit,
  input: ForwardInput,
  request: IncomingMessage,
  response: ServerResponse,
  done: (outcome: ForwardOutcome) => void,
): Abort {
  const exchange = new Exchange(input, request, response, done, undefined)
  exchange.start()
  return () => exchange.abort()
}
