import type { Exchanged } from '../../core/back-channel.ts'
import type { CredentialFault } from '../../core/denial.ts'
import { type Evidence, rejected, unavailable } from '../../core/token.ts'
import { createBoundedCache } from '../../token/token-cache.ts'
import type { Verifier } from '../../token/verifier.ts'

/** What a credential was exchanged for, kept until its end. */
export interface Held<Facts> {
  readonly exchange: Exchanged | { readonly kind: 'none' }
  readonly facts: Facts
  /** NumericDate, seconds: asked anew from then on. */
  readonly goodUntil: number
}

const MOST_HELD = 20_000
const MOST_BYTES = 64 * 1024 * 1024
const RETRY_SECONDS = 5

/**
 * Access tokens that credentials were exchanged for: asked of the issuer once, kept until the token's end, asked again when the token turns out
 * to be revoked. Each request is judged by the token, as if it had come itself.
 */
export class ExchangedTokens<Facts> {
  readonly #verifier: Verifier
  readonly #held = createBoundedCache<Held<Facts>>(MOST_HELD, MOST_BYTES)
  readonly #flights = new Flights<Held<Facts>>()

  constructor(verifier: Verifier) {
    this.#verifier = verifier
  }

  /** What is kept and still good. @param now NumericDate, seconds. */
  known(key: string, now: number): Held<Facts> | undefined {
    const held = this.#held.get(key)
    return held !== undefined && now < held.goodUntil ? held : undefined
  }

  /** Asks, however good what is kept may be; whoever asks meanwhile shares the answer. */
  ask(key: string, ask: () => Promise<Held<Facts>>): Promise<Held<Facts>> {
    return this.#flights.share(key, async () => {
      const held = await ask()
      this.#held.set(key, held)
      return held
    })
  }

  /** What the token proves now; undefined where it has been revoked or is over, and must be asked for anew. */
  verify(token: string, now: number): Evidence | undefined | Promise<Evidence | undefined> {
    const evidence = this.#verifier.verify({ scheme: 'bearer', token }, now)
    return evidence instanceof Promise ? evidence.then(unlessOver) : unlessOver(evidence)
  }

  /** The same for a token that has just been asked for: what is wrong with it stays wrong. */
  verifyFresh(token: string, now: number): Evidence | Promise<Evidence> {
    return this.#verifier.verify({ scheme: 'bearer', token }, now)
  }
}

/** Nobody can be asked now. */
export const NOBODY_ANSWERS: Evidence = unavailable('the issuer cannot be asked now', RETRY_SECONDS)

/** The evidence where there is no token. @param unknown What it is called when there never was one, or it is over. */
export function withoutToken(
  exchange: Exclude<Exchanged, { kind: 'token' }>,
  unknown: CredentialFault,
  text: string,
): Evidence {
  if (exchange.kind === 'refused') return rejected('revoked', exchange.detail)
  return exchange.why === 'revoked' ? rejected('revoked', 'it was revoked') : rejected(unknown, text)
}

function unlessOver(evidence: Evidence): Evidence | undefined {
  const over = evidence.kind === 'rejected' && (evidence.fault === 'revoked' || evidence.fault === 'expired')
  return over ? undefined : evidence
}

/** Work that is under way, by key: whoever asks for the same meanwhile waits for the same. */
class Flights<Value> {
  readonly #underWay = new Map<string, Promise<Value>>()

  share(key: string, start: () => Promise<Value>): Promise<Value> {
    const known = this.#underWay.get(key)
    if (known !== undefined) return known
    const flight = start().finally(() => this.#underWay.delete(key))
    this.#underWay.set(key, flight)
    return flight
  }
}
