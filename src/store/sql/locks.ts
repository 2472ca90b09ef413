import { lookupKey } from '../sealed-payload.ts'
import type { HeldByUnit, RevocationAct } from '../store.ts'
import type { Transaction } from './database.ts'

/**
 * Names that a token request and an act of revocation both lock, so that one is wholly before the other. Always in this order:
 * all people, tokens, families, clients, people. Nobody waits for somebody who waits for them then.
 */
const token = (id: string): string => `token ${id}`
const family = (gid: string): string => `family ${gid}`
const client = (id: string): string => `client ${id}`
const person = (sub: string): string => `person ${sub}`
/** Of units that judge all people; what changes one person without judging the others never waits for it. */
const ALL_PEOPLE = 'people'

/** The name that a request about a person holds together with others, and what changes the person alone. */
export const personLock = person

/** The name that a request for a client holds together with others, and what changes the client alone. */
export const clientLock = client

/** Locks what a token request is about: token and family for itself, client and person together with other requests. */
export async function lockForUnit(transaction: Transaction, held: HeldByUnit): Promise<void> {
  const named = (make: (id: string) => string, id: string | undefined): string[] => (id === undefined ? [] : [make(id)])
  if (held.people === true) await transaction.lock('exclusive', [ALL_PEOPLE])
  const secret = held.token === undefined ? undefined : lookupKey(held.token)
  const own = [...named(token, secret), ...named(family, held.gid)]
  const common = [...named(client, held.clientId), ...named(person, held.sub)]
  await transaction.lock('exclusive', own, common)
  if (held.wholeSub !== undefined) await transaction.lock('exclusive', [person(held.wholeSub)])
}

/** What an act keeps token requests from meanwhile, a list for each kind of name, in order. */
export function locksOfAct(act: Omit<RevocationAct, 'audit'>): readonly (readonly string[])[] {
  const gids = new Set<string>()
  const clients = new Set<string>()
  const people = new Set<string>()
  for (const { sub, clientId, gid } of act.endAuthorizations) {
    // A request of the pair holds the person, too.
    if (sub !== undefined) people.add(person(sub))
    else if (clientId !== undefined) clients.add(client(clientId))
    else if (gid !== undefined) gids.add(family(gid))
  }
  for (const { sub } of [...act.endSessions, ...(act.endProviderSignIns ?? [])]) people.add(person(sub))
  for (const { sub } of act.endBrowserSessions ?? []) if (sub !== undefined) people.add(person(sub))
  if (act.setUser !== undefined) people.add(person(act.setUser.sub))
  if (act.passwordDue !== undefined) people.add(person(act.passwordDue.sub))
  if (act.setClient !== undefined) clients.add(client(act.setClient.id))
  return [gids, clients, people].map((names) => [...names].sort()).filter((names) => names.length > 0)
}
