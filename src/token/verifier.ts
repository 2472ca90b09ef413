import { claimAt } from '../core/claim-path.ts'
import type { RevocationTable } from '../core/revocation.ts'
import { type Evidence, type Rejection, rejected, unavailable, type VerifiedToken } from '../core/token.ts'
import { type ClaimedToken, claimedToken, type SignedToken, verifySigned } from './access-token.ts'
import { ClockWatch } from './clock.ts'
import {
  createProofChecker,
  judgeBinding,
  type PresentedToken,
  type ProofChecker,
  type UseJti,
  useHere,
} from './dpop.ts'
import type { KeyEvent } from './key-set.ts'
import { createKeyAgent } from './key-source.ts'
import { SignatureBatch } from './signature-batch.ts'
import { createBoundedCache } from './token-cache.ts'
import { retrust, type Trust, type TrustedSlot } from './trust.ts'
import type { VerifierIssuer } from './trusted-issuer.ts'

/** Whom a verifier trusts, and what it asks at each request. */
export interface VerifierOptions {
  readonly issuers: readonly VerifierIssuer[]
  /** Asked on every request, for tokens of every issuer. */
  readonly revocations: Pick<RevocationTable, 'isRevoked' | 'state'>
  /** Why it can't be told which of the embedded issuer's tokens are revoked; undefined: it can. */
  readonly embeddedUnavailable: () => string | undefined
  /** NumericDate, seconds: DPoP proofs that aren't younger are refused, for nobody remembers whether they were used. */
  readonly startedAt: number
  /** For log and metrics. */
  readonly onKeyEvent: (event: KeyEvent) => void
  /** Told once for each claim that the file maps and that no token of its issuer has had so far. */
  readonly onMissingClaim?: (missing: MissingClaim) => void
  /** Verified tokens remembered; default 10,000. */
  readonly cacheEntries?: number
  /** Memory that they may take, about; default 64 MiB. */
  readonly cacheBytes?: number
  /** DPoP proofs remembered in this process; default 1,000,000 (about 100 MB). Each lives for two minutes at most. */
  readonly proofEntries?: number
  /** Remembers DPoP proofs in place of this process, where several share the work. */
  readonly useJti?: UseJti
}

export interface MissingClaim {
  readonly issuer: string
  /** What it is mapped to. */
  readonly what: keyof VerifierIssuer['claims']
  /** Its name, or the path to it. */
  readonly claim: string
}

interface VerifierStats {
  readonly cacheHits: number
  readonly cacheMisses: number
  readonly cacheSize: number
  readonly issuers: readonly {
    readonly issuer: string
    readonly keys: number
    readonly ageSeconds: number | undefined
    readonly failures: number
  }[]
}

/** Whether strings are live access tokens of trusted issuers. */
export interface Verifier {
  /**
   * Whether the token is live and of a trusted issuer (RFC 9068 §4), and good as it was presented: a bound one with its proof, a plain one
   * without. Answers at once when the token is known, or is refused before its signature is asked; else when the signatures of this turn of the
   * event loop are checked, and keys fetched. Never throws or rejects; `unavailable` when keys, or the state of revocations, can't be had. Does
   * NOT judge audience or scope.
   * @param now NumericDate, seconds.
   */
  verify(presented: PresentedToken, now: number): Evidence | Promise<Evidence>
  /** What is narrowed holds for the next call. Throws when two issuers have one name, and changes nothing then. */
  setIssuers(issuers: readonly VerifierIssuer[]): void
  /** The keys of this issuer are others now; unknown issuers are passed over. */
  keysChanged(issuer: string): void
  /** @param now NumericDate, seconds. */
  stats(now: number): VerifierStats
  /** Ends fetches and connections; tokens whose keys are not here yet are `unavailable` from then on. */
  close(): void
}

/** A token whose signature was found good, and under what. */
interface KnownToken extends SignedToken {
  readonly evidence: Evidence
  readonly slot: TrustedSlot
  readonly keysVersion: number
  /** See {@link ClockWatch}. */
  readonly jumps: number
  /** The state of the revocations in which nothing ended it: thousands of entries cost a known token one look. */
  cleared: object | undefined
}

const DEFAULT_CACHE_ENTRIES = 10_000
const DEFAULT_CACHE_BYTES = 64 * 1024 * 1024
const DEFAULT_PROOF_ENTRIES = 1_000_000
const STALE_RETRY_SECONDS = 5

/** The verifier of one process. Reads no clock and starts no timer but what ends a turn. */
export function createVerifier(options: VerifierOptions): Verifier {
  return new CachingVerifier(options)
}

class CachingVerifier implements Verifier {
  readonly #options: VerifierOptions
  readonly #agent = createKeyAgent()
  readonly #checkProof: ProofChecker
  readonly #known
  readonly #batch = new SignatureBatch()
  readonly #clock = new ClockWatch()
  #trust: Trust
  #hits = 0
  #misses = 0

  constructor(options: VerifierOptions) {
    const { cacheEntries = DEFAULT_CACHE_ENTRIES, cacheBytes = DEFAULT_CACHE_BYTES } = options
    this.#options = options
    this.#known = createBoundedCache<KnownToken>(cacheEntries, cacheBytes)
    this.#checkProof = createProofChecker(
      options.useJti ?? useHere(options.proofEntries ?? DEFAULT_PROOF_ENTRIES),
      options.startedAt,
    )
    this.#trust = retrust(new Map(), options.issuers, this.#agent, options.onKeyEvent)
  }

  verify(presented: PresentedToken, now: number): Evidence | Promise<Evidence> {
    this.#clock.see(now)
    const known = this.#recall(presented.token, now)
    if (known === undefined) return this.#verifyFirst(presented, now)
    this.#hits += 1
    return this.#judge(known, presented, now)
  }

  setIssuers(issuers: readonly VerifierIssuer[]): void {
    this.#trust = retrust(this.#trust, issuers, this.#agent, this.#options.onKeyEvent)
  }

  keysChanged(issuer: string): void {
    this.#trust.get(issuer)?.keys.changed()
  }

  stats(now: number): VerifierStats {
    return {
      cacheHits: this.#hits,
      cacheMisses: this.#misses,
      cacheSize: this.#known.size,
      issuers: Array.from(this.#trust, ([issuer, { keys }]) => ({ issuer, ...keys.stats(now) })),
    }
  }

  close(): void {
    for (const { keys } of this.#trust.values()) keys.close()
    this.#agent.destroy().catch(() => undefined)
  }

  /** A token that was verified under settings and keys that are still in force. */
  #recall(token: string, now: number): KnownToken | undefined {
    const known = this.#known.get(token)
    if (known === undefined) return undefined
    const { slot, keysVersion } = known
    if (this.#trust.get(slot.settings.issuer) !== slot || slot.keys.version !== keysVersion) {
      this.#known.delete(token)
      return undefined
    }
    return slot.keys.isReady(now) ? known : undefined
  }

  #verifyFirst(presented: PresentedToken, now: number): Evidence | Promise<Evidence> {
    this.#misses += 1
    const claimed = claimedToken(presented.token, this.#trust)
    if ('kind' in claimed) return claimed
    const { keys } = claimed.slot
    if (keys.isReady(now) || keys.pending === undefined)
      return this.#batch.add(() => this.#verifyInBatch(claimed, presented, now))
    return keys.pending.then(() => this.#verifyAgain(presented, now))
  }

  /** A page's requests come together, with one token that is new to all of them. */
  #verifyInBatch(claimed: ClaimedToken, presented: PresentedToken, now: number): Evidence | Promise<Evidence> {
    const known = this.#recall(presented.token, now)
    if (known !== undefined) return this.#judge(known, presented, now)
    const { slot } = claimed
    if (this.#trust.get(slot.settings.issuer) !== slot) return this.#verifyAgain(presented, now)
    return this.#verifyClaimed(claimed, presented, now, true)
  }

  /** After keys were fetched: settings may be others by now, and another request may have verified the same token. */
  #verifyAgain(presented: PresentedToken, now: number): Evidence | Promise<Evidence> {
    const known = this.#recall(presented.token, now)
    if (known !== undefined) return this.#judge(known, presented, now)
    const claimed = claimedToken(presented.token, this.#trust)
    return 'kind' in claimed ? claimed : this.#verifyClaimed(claimed, presented, now, false)
  }

  #verifyClaimed(
    claimed: ClaimedToken,
    presented: PresentedToken,
    now: number,
    maySeek: boolean,
  ): Evidence | Promise<Evidence> {
    const { keys, settings } = claimed.slot
    const retryAfter = keys.retryAfter(now)
    if (retryAfter !== undefined) return unavailable(`the keys of ${settings.issuer} cannot be had now`, retryAfter)
    const signed = verifySigned(claimed)
    if ('kind' in signed) {
      const sought = maySeek && signed.fault === 'unknown_key' ? keys.seek(now) : undefined
      return sought === undefined ? signed : sought.then(() => this.#verifyAgain(presented, now))
    }
    const evidence: Evidence = { kind: 'verified', token: signed.token }
    const known = {
      ...signed,
      evidence,
      slot: claimed.slot,
      keysVersion: keys.version,
      jumps: this.#clock.jumps,
      cleared: undefined,
    }
    const fault = lifetimeFault(known, now)
    if (fault !== undefined) return fault
    signed.token.memo.standing = this.#standingOf(known)
    this.#known.set(presented.token, known)
    if (claimed.slot.unseen.size > 0) this.#watchClaims(claimed.slot, signed.token)
    return this.#judge(known, presented, now)
  }

  /** A path that is written wrong looks like people without groups. */
  #watchClaims({ settings, unseen }: TrustedSlot, { claims }: VerifiedToken): void {
    for (const what of settings.embedded ? [] : unseen) {
      unseen.delete(what)
      const claim = settings.claims[what]
      if (claimAt(claims, claim) === undefined) this.#options.onMissingClaim?.({ issuer: settings.issuer, what, claim })
    }
  }

  /** All that may be otherwise than at the last request. */
  #judge(known: KnownToken, presented: PresentedToken, now: number): Evidence | Promise<Evidence> {
    const fault = lifetimeFault(known, now) ?? this.#standingFault(known)
    if (fault !== undefined) return fault
    const bindingFault = judgeBinding(known, presented, now, this.#checkProof)
    // While a proof was looked up elsewhere the token may have been revoked.
    if (bindingFault instanceof Promise)
      return bindingFault.then((found) => found ?? this.#standingFault(known) ?? known.evidence)
    return bindingFault ?? known.evidence
  }

  /** Holds nothing of the request that brought the token; its binding was judged with that. */
  #standingOf(known: KnownToken): (now: number) => Evidence {
    return (now) => {
      this.#clock.see(now)
      return lifetimeFault(known, now) ?? this.#standingFault(known) ?? known.evidence
    }
  }

  /** Whether the token is withdrawn, or nobody knows. */
  #standingFault(known: KnownToken): Evidence | undefined {
    const { token, slot, jumps } = known
    if (this.#clock.hadEnded(token.issuedAt, token.expiresAt + slot.settings.toleranceSeconds, jumps))
      return rejected('expired', 'the token had expired before the clock was set back here; get a new one', token)
    if (this.#trust.get(slot.settings.issuer) !== slot) return unavailable('whom to trust changed just now', 1)
    const unknown = token.embedded ? this.#options.embeddedUnavailable() : undefined
    if (unknown !== undefined) return unavailable(unknown, STALE_RETRY_SECONDS)
    return this.#isRevoked(known) ? rejected('revoked', 'the token was revoked; sign in again', token) : undefined
  }

  #isRevoked(known: KnownToken): boolean {
    const { revocations } = this.#options
    const { state } = revocations
    if (known.cleared === state) return false
    if (revocations.isRevoked(known.token)) return true
    known.cleared = state
    return false
  }
}

function lifetimeFault({ token, validFrom, slot }: KnownToken, now: number): Rejection | undefined {
  const { toleranceSeconds } = slot.settings
  if (now >= token.expiresAt + toleranceSeconds) {
    return rejected('expired', `the token expired ${Math.ceil(now - token.expiresAt)} s ago`, token)
  }
  if (now + toleranceSeconds < validFrom) {
    return rejected('not_yet_valid', `the token is not valid before ${Math.ceil(validFrom - now)} s from now`, token)
  }
  return undefined
}
