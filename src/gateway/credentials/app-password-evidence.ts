import { hash } from 'node:crypto'
import type { BackChannelTerms } from '../../core/back-channel.ts'
import { type Denial, denial } from '../../core/denial.ts'
import { type Evidence, rejected } from '../../core/token.ts'
import type { Verifier } from '../../token/verifier.ts'
import type { BackChannel } from './back-channel.ts'
import { ExchangedTokens, type Held, NOBODY_ANSWERS, withoutToken } from './exchanged-tokens.ts'

const WRONG = 'this app password is unknown here, or is over: make a new one'

/** The evidence, and the answer in its place where too many unknown passwords came from one address. */
interface AppPasswordEvidence {
  readonly evidence: Evidence
  readonly throttled: Denial | undefined
}

/** What an app password proves: the access token of its one resource, judged like any other. */
export class AppPasswordSource {
  readonly #backChannel: BackChannel
  readonly #tokens: ExchangedTokens<Denial | undefined>

  constructor(verifier: Verifier, backChannel: BackChannel) {
    this.#backChannel = backChannel
    this.#tokens = new ExchangedTokens(verifier)
  }

  /**
   * @param from Address or network that it came from: unknown ones are counted.
   * @param now NumericDate, seconds.
   */
  evidence(secret: string, from: string, now: number): AppPasswordEvidence | Promise<AppPasswordEvidence> {
    const key = hashOf(secret)
    const held = this.#tokens.known(key, now)
    if (held?.exchange.kind !== 'token') return this.#askAnew(key, from, now)
    const evidence = this.#tokens.verify(held.exchange.token, now)
    if (evidence instanceof Promise) return evidence.then((late) => this.#unlessOver(late, key, from, now))
    return this.#unlessOver(evidence, key, from, now)
  }

  #unlessOver(evidence: Evidence | undefined, key: string, from: string, now: number) {
    return evidence === undefined ? this.#askAnew(key, from, now) : { evidence, throttled: undefined }
  }

  async #askAnew(key: string, from: string, now: number): Promise<AppPasswordEvidence> {
    try {
      const held = await this.#tokens.ask(key, async () =>
        heldOf(await this.#backChannel.ask('app_password', { hash: key, from })),
      )
      if (held.exchange.kind === 'token') return proven(await this.#tokens.verifyFresh(held.exchange.token, now))
      return { evidence: refusalOf(held), throttled: held.facts }
    } catch {
      return proven(NOBODY_ANSWERS)
    }
  }
}

/** SHA-256, base64url. */
export function hashOf(secret: string): string {
  return hash('sha256', secret, 'base64url')
}

type Answer = BackChannelTerms['app_password']['answer']

/** Refusals are asked anew each time: the issuer counts them. */
function heldOf(answer: Answer): Held<Denial | undefined> {
  if (answer.kind !== 'throttled') {
    return { exchange: answer, facts: undefined, goodUntil: answer.kind === 'token' ? answer.goodUntil : 0 }
  }
  const { retryAfterSeconds } = answer
  const throttled = denial('too_many_attempts', 'too many unknown app passwords came from your address', {
    retryAfterSeconds,
  })
  return { exchange: { kind: 'gone', why: 'unknown' }, facts: throttled, goodUntil: 0 }
}

function refusalOf({ exchange }: Held<unknown>): Evidence {
  if (exchange.kind === 'none' || exchange.kind === 'token') throw new TypeError('no refusal')
  // A revoked one is as unknown as one that never was.
  return exchange.kind === 'gone'
    ? rejected('bad_app_password', WRONG)
    : withoutToken(exchange, 'bad_app_password', WRONG)
}

function proven(evidence: Evidence): AppPasswordEvidence {
  return { evidence, throttled: undefined }
}
