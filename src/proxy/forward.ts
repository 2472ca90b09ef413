import type { Permit } from '../core/decide.ts'
import type { ClientRequest, ClientResponse } from './client.ts'
import { Exchange } from './exchange.ts'
import type { ForwardInput } from './forward-input.ts'
import type { Abort, ForwardOutcome } from './outcome.ts'

/**
 * Sends a permitted request to its upstream and the answer to the client, both as they stream. Calls `done` exactly once, never before it
 * has returned. When no head was sent, nothing was written to `response`: the caller answers; where the body is still
 * unread it stays so. When a head was sent and the answer can't be finished, the client's connection is broken.
 *
 * A request that no upstream has received (its connection was refused) goes to the next one. Of those that may have been received, only
 * idempotent ones without a body to which no byte was answered are sent again, once (RFC 9110 §9.2.2). Does NOT judge
 * anything: that is what the permit is for; nor does it wait: the turn of `response` on its connection has come.
 */
export function forward(
  permit: Permit,
  input: ForwardInput,
  request: ClientRequest,
  response: ClientResponse,
  done: (outcome: ForwardOutcome) => void,
): Abort {
  const exchange = new Exchange(permit, input, request, response, done, undefined)
  exchange.start()
  return () => exchange.abort()
}
