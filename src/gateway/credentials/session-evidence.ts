import type { SessionAnswer } from '../../core/back-channel.ts'
import { type Evidence, rejected } from '../../core/token.ts'
import type { Verifier } from '../../token/verifier.ts'
import type { BackChannel } from './back-channel.ts'
import { ExchangedTokens, type Held, NOBODY_ANSWERS, withoutToken } from './exchanged-tokens.ts'

/** A browser's cookie at a host, and the resource that it is used for. */
interface PresentedSession {
  /** SHA-256 of the cookie's id, base64url. */
  readonly idHash: string
  readonly origin: string
  readonly resource: string
}

interface SessionFacts {
  /** NumericDate, seconds; all zero for a session that is gone. */
  readonly idleExpiresAt: number
  readonly expiresAt: number
  readonly movesAt: number
  readonly signedInAt: number
  readonly isGone: boolean
}

export interface SessionEvidence {
  readonly evidence: Evidence
  readonly facts: SessionFacts | undefined
}

/** A refusal is kept so long: what ends a session is heard of by revocation, what opens one has a new id. */
const REFUSAL_SECONDS = 2

const GONE: SessionFacts = { idleExpiresAt: 0, expiresAt: 0, movesAt: 0, signedInAt: 0, isGone: true }

type HeldSession = Held<SessionFacts>

/** What a session proves: the access token that it has for the resource, judged like any other. */
export class SessionSource {
  readonly #backChannel: BackChannel
  readonly #tokens: ExchangedTokens<SessionFacts>

  constructor(verifier: Verifier, backChannel: BackChannel) {
    this.#backChannel = backChannel
    this.#tokens = new ExchangedTokens(verifier)
  }

  /** A use of the session: its idle end moves. @param now NumericDate, seconds. */
  evidence(session: PresentedSession, now: number): SessionEvidence | Promise<SessionEvidence> {
    const key = keyOf(session)
    const held = this.#tokens.known(key, now)
    // Another process may have moved the idle end.
    if (held === undefined || (held.exchange.kind === 'token' && now >= held.facts.idleExpiresAt)) {
      return this.#askAnew(key, session, now)
    }
    const { exchange, facts } = held
    if (exchange.kind !== 'token') return { evidence: refusalOf(held), facts }
    if (now >= facts.movesAt) void this.#ask(key, session, now).catch(() => undefined)
    const evidence = this.#tokens.verify(exchange.token, now)
    if (!(evidence instanceof Promise)) return this.#unlessOver(evidence, held, session, now)
    return evidence.then((late) => this.#unlessOver(late, held, session, now))
  }

  /** What the issuer knows of it now, without a use. Rejects when nobody answers. */
  look(session: PresentedSession): Promise<SessionAnswer> {
    return this.#backChannel.ask('session', { ...session, used: false })
  }

  #unlessOver(evidence: Evidence | undefined, { facts }: HeldSession, session: PresentedSession, now: number) {
    return evidence === undefined ? this.#askAnew(keyOf(session), session, now) : { evidence, facts }
  }

  async #askAnew(key: string, session: PresentedSession, now: number): Promise<SessionEvidence> {
    try {
      const held = await this.#ask(key, session, now)
      const { exchange, facts } = held
      if (exchange.kind !== 'token') return { evidence: refusalOf(held), facts }
      return { evidence: await this.#tokens.verifyFresh(exchange.token, now), facts }
    } catch {
      return { evidence: NOBODY_ANSWERS, facts: undefined }
    }
  }

  #ask(key: string, session: PresentedSession, now: number): Promise<HeldSession> {
    return this.#tokens.ask(key, async () => {
      const answer = await this.#backChannel.ask('session', { ...session, used: true })
      return heldOf(answer, now + REFUSAL_SECONDS)
    })
  }
}

function heldOf(answer: SessionAnswer, refusedUntil: number): HeldSession {
  if (answer.kind === 'gone') return { exchange: answer, facts: GONE, goodUntil: refusedUntil }
  const { exchange, idleExpiresAt, expiresAt, movesAt, signedInAt } = answer
  const facts = { idleExpiresAt, expiresAt, movesAt, signedInAt, isGone: false }
  return { exchange, facts, goodUntil: exchange.kind === 'token' ? exchange.goodUntil : refusedUntil }
}

function refusalOf({ exchange }: HeldSession): Evidence {
  switch (exchange.kind) {
    case 'none':
      return rejected('no_session_for_resource', 'this browser has not signed in for this resource')
    case 'token':
      throw new TypeError('a token is no refusal')
    default:
      return withoutToken(exchange, 'session_expired', 'the session has ended; sign in again')
  }
}

/** Ends with what tells sessions apart. */
function keyOf({ idHash, origin, resource }: PresentedSession): string {
  return `${resource} ${origin} ${idHash}`
}
