import type { IncomingMessage } from 'node:http'
import type { UserRecord } from '../store/store.ts'
import type { TokenJudgment } from './policy.ts'

/** What a token request came to, noted before anything is spent. */
export type Redemption =
  | {
      readonly kind: 'person'
      readonly judgment: Exclude<TokenJudgment, { kind: 'refused' }>
      /** As the judgment saw the person; what is stamped with its time has to say what it saw. */
      readonly user: UserRecord
      /** All that was granted: resource → scopes. */
      readonly granted: Readonly<Record<string, readonly string[]>>
      readonly grantId: string
      readonly gid: string
    }
  | { readonly kind: 'service'; readonly judgment: Extract<TokenJudgment, { kind: 'token' }> }
  /** The client did not hear the answer and asks the same again. */
  | { readonly kind: 'repeat'; readonly answer: Record<string, unknown> }

const noted = new WeakMap<IncomingMessage, Redemption>()

/** Notes what the request in hand may have; the steps after it go by that. */
export function noteRedemption(request: IncomingMessage, redemption: Redemption): void {
  noted.set(request, redemption)
}

/** What was noted; undefined when nothing may be had. */
export function redemptionOf(request: IncomingMessage): Redemption | undefined {
  return noted.get(request)
}
