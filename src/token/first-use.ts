import { safeText } from '../core/denial.ts'
import type { SignatureCheck } from './algorithms.ts'
import { readClaims, type SignedToken } from './claims.ts'
import { type CompactJws, isMediaType, parseCompactJws } from './compact-jws.ts'
import { type Rejection, rejected } from './rejection.ts'
import { member } from './strict-json.ts'
import type { Trust, TrustedSlot } from './trust.ts'

/** A token taken apart, and the issuer that it claims to be of, which is a trusted one. NOT verified. */
export interface ClaimedToken {
  readonly jws: CompactJws
  readonly slot: TrustedSlot
}

/** Everything that can be said of a token before its key is needed: form, issuer, type, algorithm. */
export function claimedToken(token: string, trust: Trust): ClaimedToken | Rejection {
  const parsed = parseCompactJws(token)
  if (!parsed.ok) return rejected('malformed_token', `the token ${parsed.detail}`)
  const { jws } = parsed
  const iss = member(jws.payload, 'iss')
  if (typeof iss !== 'string') return rejected('missing_claim', 'the token must have the claim iss, a string')
  const slot = trust.get(iss)
  if (slot === undefined) return rejected('untrusted_issuer', `the issuer ${safeText(iss, 120)} is not trusted here`)
  const { tokenType, algorithms } = slot.settings
  if (!isMediaType(jws.typ, tokenType)) return rejected('wrong_type', wrongType(jws.typ, tokenType))
  if (!algorithms.includes(jws.alg)) {
    const accepted = algorithms.join(', ')
    return rejected('bad_signature', `the token is signed with ${safeText(jws.alg, 20)}; accepted is ${accepted}`)
  }
  return { jws, slot }
}

/**
 * Verifies the signature with a key of the token's own issuer and reads the claims. `unknown_key` when the issuer's set has no key of this
 * `kid` that fits the algorithm; without `kid`, when not exactly one key fits. Does NOT judge time or revocation.
 */
export function verifySigned({ jws, slot }: ClaimedToken): SignedToken | Rejection {
  const checks = checksFor(jws, slot)
  if (checks.length === 0) return rejected('unknown_key', unknownKey(jws, slot))
  // One `kid` may stand at several keys when an issuer's set is careless; the signature tells which one was meant.
  if (!checks.some((isGood) => isGood(jws.signingInput, jws.signature))) {
    return rejected('bad_signature', "the token's signature is not by its issuer's key")
  }
  return readClaims(jws.payload, slot.settings)
}

/** Bounds what one token can cost. */
const MAX_KEYS_TRIED = 3

function checksFor({ alg, kid }: CompactJws, { keys }: TrustedSlot): readonly SignatureCheck[] {
  const fitting = keys.keys.filter((key) => (kid === undefined || key.kid === kid) && key.checks.has(alg))
  if (kid === undefined && fitting.length !== 1) return []
  return fitting
    .slice(0, MAX_KEYS_TRIED)
    .map((key) => key.checks.get(alg))
    .filter((check) => check !== undefined)
}

function unknownKey({ alg, kid }: CompactJws, { settings }: TrustedSlot): string {
  const issuer = safeText(settings.issuer, 120)
  if (kid === undefined) return `the token names no key (kid), and ${issuer} has not exactly one for ${alg}`
  return `${issuer} has no key ${safeText(kid, 80)} for ${alg}`
}

function wrongType(typ: string | undefined, wanted: string): string {
  const came = typ === undefined ? 'the token has no typ' : `the token's typ is ${safeText(typ, 40)}`
  return `${came}; an access token has ${wanted}. An ID token is no access token`
}
