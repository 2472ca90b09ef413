import type { Exchanged, MadeTicket, NewTicket, TicketAnswer, TicketPlace } from '../../core/back-channel.ts'
import { MAX_TICKET_CHARACTERS } from '../../core/paths/ticket-url.ts'
import { APP_PASSWORD_CLIENT } from '../clients/reserved.ts'
import { seconds } from '../context.ts'
import { seal, unseal } from '../keys/sealing.ts'
import { endOfAppPassword } from '../people/app-passwords.ts'
import { type ExchangeParts, exchange } from './exchange.ts'

const PURPOSE = 'ticket'

/** Authorization, scopes, resource, hash of the place, folder depth, end; short names, for it stands in URLs. */
interface Sealed {
  readonly g: string
  readonly s: string
  readonly r: string
  readonly h: string
  readonly d?: number | undefined
  readonly e: number
}

/** Seals what a ticket opens and until when. Whether who asks may give it away is for the gateway to judge. */
export function makeTicket({ context }: ExchangeParts, { gid, scope, place, expiresAt }: NewTicket): MadeTicket {
  const sealed: Sealed = { g: gid, s: scope.join(' '), r: place.resource, h: place.hash, d: place.depth, e: expiresAt }
  const ticket = seal(context.masterKey, PURPOSE, JSON.stringify(sealed))
  return ticket.length > MAX_TICKET_CHARACTERS ? { kind: 'too_long' } : { kind: 'made', ticket }
}

/** What a ticket opens, and the token of the authorization that it hangs on: gone when that has ended. Where it is used is NOT checked. */
export async function readTicket(parts: ExchangeParts, ticket: string): Promise<TicketAnswer> {
  const { context } = parts
  const stampMs = context.now()
  const text = ticket.length > MAX_TICKET_CHARACTERS ? undefined : unseal(context.masterKey, PURPOSE, ticket)
  if (text === undefined) return { kind: 'bad' }
  const sealed: Sealed = JSON.parse(text)
  if (sealed.e <= seconds(context)) return { kind: 'expired' }
  const place: TicketPlace = { resource: sealed.r, hash: sealed.h, depth: sealed.d }
  return { kind: 'ticket', place, expiresAt: sealed.e, exchange: await parentToken(parts, sealed, stampMs) }
}

async function parentToken(
  parts: ExchangeParts,
  { g: gid, s, r: resource, e: endsAt }: Sealed,
  stampMs: number,
): Promise<Exchanged> {
  const { store, settings } = parts.context
  const question = s.split(' ')
  const common = { gid, resource, authTime: undefined, amr: undefined, acr: undefined }
  const [authorization] = await store.authorizations({ gid })
  if (authorization !== undefined && !authorization.ended) {
    const { sub, clientId, resources } = authorization
    const scopes = (resources[resource] ?? []).filter((scope) => question.includes(scope))
    return exchange(parts, { ...common, sub, clientId, scopes, endsAt }, stampMs)
  }
  const [password] = await store.appPasswords({ gid })
  if (password === undefined || password.resource !== resource) return { kind: 'gone', why: 'revoked' }
  const ends = Math.min(endsAt, endOfAppPassword(password, settings().appPasswords))
  const scopes = password.scopes.filter((scope) => question.includes(scope))
  return exchange(parts, { ...common, sub: password.sub, clientId: APP_PASSWORD_CLIENT, scopes, endsAt: ends }, stampMs)
}
