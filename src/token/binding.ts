import type { SignedToken } from './claims.ts'
import type { ProofChecker, ProofFault } from './dpop.ts'
import { rejected } from './rejection.ts'

/** What came with a request. `url` is where the client sent it to; `proof` is undefined when no `DPoP` field came. */
export type PresentedToken =
  | { readonly scheme: 'bearer'; readonly token: string }
  | {
      readonly scheme: 'dpop'
      readonly token: string
      readonly proof: string | undefined
      readonly method: string
      readonly url: string
    }

const BOUND = rejected('not_bound', 'the token is bound to a key; send it as DPoP with a proof')
const UNBOUND = rejected('not_bound', 'the token is not bound to a key; send it as Bearer')
const OTHERWISE_BOUND = rejected('not_bound', 'the token is bound in another way than to a DPoP key (cnf.jkt) alone')
const UNPROVEN = rejected('not_bound', 'there is no DPoP field with a proof')

/**
 * Whether the token may be used the way it was presented (RFC 9449 §7.1): a bound one with a proof by its key, a plain one as a bearer
 * token. A good proof is used up.
 */
export function judgeBinding(
  { token, bound }: SignedToken,
  presented: PresentedToken,
  now: number,
  checkProof: ProofChecker,
): ProofFault | Promise<ProofFault> {
  if (presented.scheme === 'bearer') return bound ? BOUND : undefined
  if (!bound) return UNBOUND
  if (token.jkt === undefined) return OTHERWISE_BOUND
  if (presented.proof === undefined) return UNPROVEN
  const { proof, method, url } = presented
  return checkProof({ proof, token: presented.token, jkt: token.jkt, method, url, now })
}
