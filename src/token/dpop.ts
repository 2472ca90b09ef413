import { createHash } from 'node:crypto'
import { DPOP_ALGS } from '../core/denial.ts'
import { createBoundedCache } from './bounded-cache.ts'
import { type CompactJws, isMediaType, parseCompactJws } from './compact-jws.ts'
import { type Rejection, rejected, type Unavailable, unavailable } from './rejection.ts'
import { isObject, type JsonObject, member } from './strict-json.ts'
import { importJwk, thumbprint, type VerificationKey } from './verification-key.ts'

/** A DPoP proof and what it has to prove. */
export interface ProofCheck {
  readonly proof: string
  /** The access token that came with it. */
  readonly token: string
  /** `cnf.jkt` of that token. */
  readonly jkt: string
  readonly method: string
  /** The URL as the client sent it to; its query and fragment don't count. */
  readonly url: string
  readonly now: number
}

/**
 * Whether a proof is used for the first time; false for a second time, undefined when it can't be told. `key` is opaque, at most 32
 * characters; it may be forgotten when `expiresAt` (NumericDate, seconds) has passed.
 */
export type UseJti = (key: string, expiresAt: number, now: number) => UseAnswer | Promise<UseAnswer>
export type UseAnswer = boolean | undefined

/** Undefined when the proof is good. */
export type ProofFault = Rejection | Unavailable | undefined

/** Finds what is wrong with a proof. */
export type ProofChecker = (check: ProofCheck) => ProofFault | Promise<ProofFault>

/** How far `iat` may lie from our clock either way: clients have clocks of their own. */
export const PROOF_SECONDS = 60
const MAX_KEYS = 10_000
const MAX_KEY_BYTES = 64 * 1024 * 1024

/**
 * A checker of DPoP proofs (RFC 9449 §4.3): type, algorithm, key, signature, `htm`, `htu`, `iat` within a minute, `ath`, and `jti` used
 * once per key. The key is the one that the token is bound to, found out before anything is computed with it. Server nonces are NOT asked
 * for. Answers at once unless `useJti` doesn't.
 */
export function createProofChecker(useJti: UseJti): ProofChecker {
  // Importing a key costs about as much as using it, and a client signs all its proofs with one.
  const known = createBoundedCache<VerificationKey>(MAX_KEYS, MAX_KEY_BYTES)
  const keyOf = (jwk: JsonObject, jkt: string): VerificationKey | undefined => {
    const before = known.get(jkt)
    if (before !== undefined) return before
    const key = importJwk(bareKey(jwk))
    if (key !== undefined) known.set(jkt, key)
    return key
  }
  return (check) => {
    const parsed = parseCompactJws(check.proof)
    if (!parsed.ok) return bad(`the DPoP proof ${parsed.detail}`)
    const { jws } = parsed
    const fault = headerFault(jws, check.jkt) ?? claimFault(jws.payload, check)
    if (fault !== undefined) return bad(fault)
    const jwk = member(jws.header, 'jwk')
    const isGood = isObject(jwk) ? keyOf(jwk, check.jkt)?.checks.get(jws.alg) : undefined
    if (isGood === undefined) return bad('the DPoP proof has a key that does not fit its algorithm')
    if (!isGood(jws.signingInput, jws.signature)) return bad("the DPoP proof's signature is not by its key")
    return firstUse(useJti, jws.payload, check)
  }
}

function headerFault({ header, typ, alg }: CompactJws, jkt: string): string | undefined {
  const jwk = member(header, 'jwk')
  if (!isMediaType(typ, 'dpop+jwt')) return "the DPoP proof's typ is not dpop+jwt"
  if (!DPOP_ALGS.includes(alg)) return `the DPoP proof's alg is none of ${DPOP_ALGS.join(' ')}`
  if (!isObject(jwk)) return 'the DPoP proof has no key (jwk) in its header'
  if (SECRET_MEMBERS.some((name) => Object.hasOwn(jwk, name))) return 'the DPoP proof gives away a private key'
  if (thumbprint(jwk) !== jkt) return 'the DPoP proof is by another key than the one the token is bound to'
  return undefined
}

const SECRET_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/** Only what the thumbprint covers: whoever sends the key first must not decide how it is read from then on. */
function bareKey(jwk: JsonObject): JsonObject {
  const bare = ['crv', 'e', 'kty', 'n', 'x', 'y'].filter((name) => Object.hasOwn(jwk, name))
  return Object.fromEntries(bare.map((name) => [name, jwk[name]]))
}

function claimFault(claims: JsonObject, { token, method, url, now }: ProofCheck): string | undefined {
  const [htm, htu, iat, ath, jti] = ['htm', 'htu', 'iat', 'ath', 'jti'].map((name) => member(claims, name))
  if (htm !== method) return `the DPoP proof's htm is not ${method}`
  const wanted = comparableUrl(url)
  if (wanted === undefined || typeof htu !== 'string' || comparableUrl(htu) !== wanted) {
    return "the DPoP proof's htu is not the URL of this request"
  }
  if (typeof iat !== 'number' || !(Math.abs(now - iat) <= PROOF_SECONDS)) {
    return `the DPoP proof's iat is not within ${PROOF_SECONDS} s of this server's time`
  }
  if (typeof jti !== 'string' || jti === '') return 'the DPoP proof has no jti'
  if (ath !== sha256(token)) return "the DPoP proof's ath is not the hash of this token"
  return undefined
}

function firstUse(useJti: UseJti, claims: JsonObject, { jkt, now }: ProofCheck): ProofFault | Promise<ProofFault> {
  // By key as well, so that nobody can use up another client's identifiers; hashed, so that its length doesn't matter.
  const key = sha256(`${jkt} ${member(claims, 'jti')}`).slice(0, 32)
  const answer = useJti(key, Number(member(claims, 'iat')) + PROOF_SECONDS, now)
  return typeof answer === 'object' ? answer.then(useFault, () => useFault(undefined)) : useFault(answer)
}

function useFault(isFirst: UseAnswer): ProofFault {
  if (isFirst === undefined) return unavailable('nobody can tell now whether the DPoP proof was used before', 1)
  return isFirst ? undefined : bad('the DPoP proof was used before; make a new one for each request')
}

/** Scheme, host and path in one spelling (RFC 3986 §6.2.2 and §6.2.3); undefined for what is no http URL. */
function comparableUrl(text: string): string | undefined {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') return undefined
  return `${url.origin}${url.pathname.replace(/%[0-9a-f]{2}/gi, canonicalEscape)}`
}

function canonicalEscape(escaped: string): string {
  const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
  return /[A-Za-z0-9._~-]/.test(character) ? character : escaped.toUpperCase()
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

function bad(detail: string): Rejection {
  return rejected('not_bound', detail)
}
