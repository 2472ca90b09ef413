import { createHash } from 'node:crypto'
import { DPOP_ALGS } from '../core/denial.ts'
import { type Rejection, rejected, type Unavailable, unavailable } from '../core/token.ts'
import type { SignedToken } from './access-token.ts'
import { importJwk, thumbprint, type VerificationKey } from './jwk.ts'
import { type CompactJws, isMediaType, isObject, type JsonObject, member, parseCompactJws } from './jws.ts'
import { createBoundedCache } from './token-cache.ts'

/** Remembers what was used once. Bounded; when full, nothing new is taken. */
interface ReplayGuard {
  /**
   * `first` for exactly one caller per key until `expiresAt` has passed; `full` when it can't be remembered, which is no proof of anything.
   * @param expiresAt NumericDate, seconds. Must be the bound of what the caller accepts, so that nothing is forgotten too early.
   */
  use(key: string, expiresAt: number, now: number): 'first' | 'again' | 'full'
  readonly size: number
}

const BUCKET_SECONDS = 10

/** Keeps keys in buckets by the time they expire, so that forgetting costs nothing per key. */
export function createReplayGuard(maxEntries: number): ReplayGuard {
  const buckets = new Map<number, Set<string>>()
  const size = (): number => {
    let sum = 0
    for (const keys of buckets.values()) sum += keys.size
    return sum
  }
  return {
    use: (key, expiresAt, now) => {
      const bucket = Math.floor(expiresAt / BUCKET_SECONDS)
      for (const [time, keys] of buckets) {
        if ((time + 1) * BUCKET_SECONDS < now) buckets.delete(time)
        else if (keys.has(key)) return 'again'
      }
      if (size() >= maxEntries) return 'full'
      const keys = buckets.get(bucket) ?? new Set()
      buckets.set(bucket, keys.add(key))
      return 'first'
    },
    get size() {
      return size()
    },
  }
}

/** A DPoP proof and what it has to prove. */
interface ProofCheck {
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
type ProofFault = Rejection | Unavailable | undefined

/** Finds what is wrong with a proof. */
export type ProofChecker = (check: ProofCheck) => ProofFault | Promise<ProofFault>

/** How far `iat` may lie from our clock either way: clients have clocks of their own. */
const PROOF_SECONDS = 60
const MAX_KEYS = 10_000
const MAX_KEY_BYTES = 64 * 1024 * 1024

/**
 * A checker of DPoP proofs (RFC 9449 §4.3): type, algorithm, key, signature, `htm`, `htu`, `iat` within a minute, `ath`, and `jti` used
 * once per key. The key is the one that the token is bound to, found out before anything is computed with it. Server nonces are NOT asked
 * for. Answers at once unless `useJti` doesn't.
 * @param startedAt NumericDate, seconds: since when uses are remembered. A proof that isn't younger may have been used before.
 */
export function createProofChecker(useJti: UseJti, startedAt: number): ProofChecker {
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
    const fault = headerFault(jws, check.jkt) ?? claimFault(jws.payload, check, startedAt)
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

function claimFault(
  claims: JsonObject,
  { token, method, url, now }: ProofCheck,
  startedAt: number,
): string | undefined {
  const [htm, htu, iat, ath, jti] = ['htm', 'htu', 'iat', 'ath', 'jti'].map((name) => member(claims, name))
  if (htm !== method) return `the DPoP proof's htm is not ${method}`
  const wanted = comparableUrl(url)
  if (wanted === undefined || typeof htu !== 'string' || comparableUrl(htu) !== wanted) {
    return "the DPoP proof's htu is not the URL of this request"
  }
  if (typeof iat !== 'number' || !(Math.abs(now - iat) <= PROOF_SECONDS)) {
    return `the DPoP proof's iat is not within ${PROOF_SECONDS} s of this server's time`
  }
  if (iat <= startedAt) return 'the DPoP proof was made before this server started; make a new one for each request'
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

/** Browsers take `\` for `/` and pass over white space within a URL; to others it is another one, or none. */
const FORGIVEN = /[\\\x00-\x20\x7f]/

/** Scheme, host and path in one spelling (RFC 3986 §6.2.2 and §6.2.3); undefined for what is no http URL. */
function comparableUrl(text: string): string | undefined {
  const url = FORGIVEN.test(text) ? null : URL.parse(text)
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

/** Remembers proofs in this process. @param maxEntries Proofs remembered at a time. */
export function useHere(maxEntries: number): UseJti {
  const guard = createReplayGuard(maxEntries)
  return (key, expiresAt, now) => {
    const use = guard.use(key, expiresAt, now)
    return use === 'full' ? undefined : use === 'first'
  }
}
