import type { Account } from 'oidc-provider'
import type { Store, UserRecord } from '../store/store.ts'

/** A person as the library knows one. `user` is what the store said when this request asked. */
export interface Person extends Account {
  readonly user: UserRecord
}

/** Which OpenID scope gives which claims (OpenID Connect Core §5.4). */
export const OPENID_CLAIMS: Readonly<Record<string, readonly string[]>> = {
  openid: ['sub'],
  profile: ['name', 'preferred_username'],
  email: ['email'],
}

/** OpenID scopes in words, for the pages. */
export const OPENID_SCOPES: ReadonlyMap<string, string> = new Map([
  ['openid', 'Know that it is you'],
  ['profile', 'See your name and user name'],
  ['email', 'See your mail address'],
])

/** The person with this `sub`; undefined when there is none or the account is disabled. */
export async function findPerson(store: Store, sub: string): Promise<Person | undefined> {
  const user = await store.userBySub(sub)
  if (user === undefined || user.disabled) return undefined
  return { accountId: sub, user, claims: () => ({ sub, ...personClaims(user) }) }
}

/** What OpenID Connect calls the facts of an account; facts that are not known are left out. */
export function personClaims(user: UserRecord): Readonly<Record<string, string>> {
  const claims = { name: user.displayName, preferred_username: user.username, email: user.email }
  return Object.fromEntries(
    Object.entries(claims).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}
