import { hash } from 'node:crypto'
import type { TicketAnswer, TicketPlace } from '../../core/back-channel.ts'
import { comparable } from '../../core/paths/target.ts'
import { MAX_TICKET_CHARACTERS, type TicketTarget } from '../../core/paths/ticket-url.ts'
import { type Evidence, rejected } from '../../core/token.ts'
import type { Verifier } from '../../token/verifier.ts'
import type { BackChannel } from './back-channel.ts'
import { ExchangedTokens, type Held, NOBODY_ANSWERS, withoutToken } from './exchanged-tokens.ts'

/** Where a ticket is used. */
interface TicketUse {
  readonly ticket: TicketTarget
  readonly method: string
  readonly host: string
  /** Without the ticket. */
  readonly path: string
  readonly resource: string
}

interface TicketFacts {
  readonly place: TicketPlace
  /** NumericDate, seconds. */
  readonly expiresAt: number
}

const EXPIRED = rejected('ticket_expired', 'the ticket has expired; ask for a new one')
const BAD = rejected('bad_ticket', 'this is no ticket of this gateway; ask for a new one')
const ELSEWHERE = rejected('ticket_mismatch', 'the ticket opens GET and HEAD of another path')

/** What a ticket proves: the access token of the authorization that it hangs on, for the path that it was made for. */
export class TicketSource {
  readonly #backChannel: BackChannel
  readonly #tokens: ExchangedTokens<TicketFacts | Evidence>

  constructor(verifier: Verifier, backChannel: BackChannel) {
    this.#backChannel = backChannel
    this.#tokens = new ExchangedTokens(verifier)
  }

  /** @param now NumericDate, seconds. */
  evidence(use: TicketUse, now: number): Evidence | Promise<Evidence> {
    const { ticket } = use.ticket
    if (ticket.length > MAX_TICKET_CHARACTERS) return BAD
    const held = this.#tokens.known(ticket, now)
    if (held === undefined) return this.#askAnew(use, now)
    const fault = faultOf(held, use, now)
    if (fault !== undefined) return fault
    const { exchange } = held
    if (exchange.kind !== 'token') return this.#askAnew(use, now)
    const evidence = this.#tokens.verify(exchange.token, now)
    if (evidence instanceof Promise) return evidence.then((late) => late ?? this.#askAnew(use, now))
    return evidence ?? this.#askAnew(use, now)
  }

  async #askAnew(use: TicketUse, now: number): Promise<Evidence> {
    const { ticket } = use.ticket
    try {
      const held = await this.#tokens.ask(ticket, async () => heldOf(await this.#backChannel.ask('ticket', { ticket })))
      const fault = faultOf(held, use, now)
      if (fault !== undefined) return fault
      const { exchange } = held
      if (exchange.kind === 'token') return await this.#tokens.verifyFresh(exchange.token, now)
      return exchange.kind === 'none' ? BAD : withoutToken(exchange, 'bad_ticket', 'the ticket has ended')
    } catch {
      return NOBODY_ANSWERS
    }
  }
}

/**
 * What a ticket for this path, or for a folder of `depth` segments above it, is bound to; undefined: the path has no such folder. Players escape
 * anew: how what can't stand plain is written says nothing.
 */
export function placeHash(host: string, path: string, depth: number | undefined): string | undefined {
  const written = comparable(path)
  const place = depth === undefined ? written : folderOf(written, depth)
  return place === undefined ? undefined : hash('sha256', `${host}\n${place}`, 'base64url')
}

/** The first `depth` segments, with the slash that ends them: `/a/` does not begin `/ab/`. */
function folderOf(path: string, depth: number): string | undefined {
  let end = 0
  for (let i = 0; i < depth; i++) {
    end = path.indexOf('/', end + 1)
    if (end === -1) return undefined
  }
  return path.slice(0, end + 1)
}

function heldOf(answer: TicketAnswer): Held<TicketFacts | Evidence> {
  const nothing = { kind: 'none' } as const
  if (answer.kind === 'bad') return { exchange: nothing, facts: BAD, goodUntil: 0 }
  if (answer.kind === 'expired') return { exchange: nothing, facts: EXPIRED, goodUntil: 0 }
  const { place, expiresAt, exchange } = answer
  return { exchange, facts: { place, expiresAt }, goodUntil: exchange.kind === 'token' ? exchange.goodUntil : 0 }
}

function faultOf({ facts }: Held<TicketFacts | Evidence>, use: TicketUse, now: number): Evidence | undefined {
  if ('kind' in facts) return facts
  const { place, expiresAt } = facts
  if (now >= expiresAt) return EXPIRED
  const reads = use.method === 'GET' || use.method === 'HEAD'
  if (!reads || place.resource !== use.resource) return ELSEWHERE
  // In a query it opens the folder alone: references from it would not carry it on.
  const within = place.depth !== undefined && use.ticket.form === 'query' ? undefined : place.depth
  return placeHash(use.host, use.path, within) === place.hash ? undefined : ELSEWHERE
}
