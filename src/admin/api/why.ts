import { actorOf, type Caller } from '../caller.ts'
import type { Why } from '../dependencies.ts'

/** Who acts, from where, by which request: for audit lines. */
export function whyOf(caller: Caller): Why {
  return { by: actorOf(caller), requestId: caller.requestId, address: caller.address }
}
