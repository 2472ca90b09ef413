import { randomUUID } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import type { Account } from 'oidc-provider'
import type { Store, UserRecord } from '../../store/store.ts'
import { type WaysSettings, waysOf } from './factor-rules.ts'
import { isAdmin } from './links.ts'

/** No client id begins with it, so the `sub` of a person is never that of a service. */
export const SUB_PREFIX = 'usr_'

const LONGEST_NAME = 64
const MOST_GROUPS = 200
/** Control, format (bidirectional, zero-width), unassigned and line-separating characters. */
const UNFIT = /[\p{C}\p{Zl}\p{Zp}]/u

export interface NewUser {
  readonly username: string
  readonly displayName?: string | undefined
  readonly email?: string | undefined
  readonly groups: readonly string[]
  /** PHC string; undefined: cannot sign in by password. */
  readonly passwordHash: string | undefined
}

export type AddedUser =
  | { readonly kind: 'added'; readonly user: UserRecord }
  | { readonly kind: 'exists' }
  /** In words that say what to do. */
  | { readonly kind: 'invalid'; readonly problem: string }

export interface AdministratorRules {
  /** Whose members are administrators. */
  readonly adminGroups: readonly string[]
  readonly ways: WaysSettings
  /** Whether passkeys are. */
  readonly offered: boolean
}

/** People that are looked at in one turn: requests don't wait for thousands of them. */
const SLICE = 50

/**
 * Adds a person under a new, opaque `sub`. The password's quality is NOT checked here.
 * @param now milliseconds.
 */
export async function addUser(store: Store, input: NewUser, now: number): Promise<AddedUser> {
  const problem =
    usernameProblem(input.username) ??
    groupsProblem(input.groups) ??
    emailProblem(input.email) ??
    displayNameProblem(input.displayName)
  if (problem !== undefined) return { kind: 'invalid', problem }
  const user: UserRecord = {
    sub: `${SUB_PREFIX}${randomUUID()}`,
    username: input.username.normalize('NFKC'),
    displayName: input.displayName,
    email: input.email,
    groups: [...new Set(input.groups)],
    passwordHash: input.passwordHash,
    disabled: false,
    createdAt: Math.floor(now / 1000),
  }
  return (await store.addUser(user)) === 'added' ? { kind: 'added', user } : { kind: 'exists' }
}

/** What is wrong with a user name; undefined: nothing. */
export function usernameProblem(username: string): string | undefined {
  const name = username.normalize('NFKC')
  if (name === '') return 'The user name is empty.'
  if (name.length > LONGEST_NAME) return `The user name must have at most ${LONGEST_NAME} characters.`
  if (UNFIT.test(name)) return 'The user name must not contain control or invisible characters.'
  if (name.trim() !== name) return 'The user name must not begin or end with a space.'
  return undefined
}

/** What is wrong with a list of groups; undefined: nothing. Whether routes.yaml grants them anything is NOT checked. */
export function groupsProblem(groups: readonly string[]): string | undefined {
  if (groups.length > MOST_GROUPS) return `A user can be in at most ${MOST_GROUPS} groups.`
  for (const group of groups) {
    const problem = groupProblem(group)
    if (problem !== undefined) return problem
  }
  return undefined
}

/** What is wrong with a mail address; undefined: nothing. Whether mail arrives is NOT checked. */
export function emailProblem(email: string | undefined): string | undefined {
  if (email === undefined) return undefined
  const sane = email.length <= 254 && !UNFIT.test(email) && /^[^\s@]+@[^\s@]+$/.test(email)
  return sane ? undefined : 'The mail address must look like name@example.com.'
}

/** What is wrong with a name that is shown to people; undefined: nothing. */
export function displayNameProblem(name: string | undefined): string | undefined {
  if (name === undefined) return undefined
  if (name.trim() === '') return 'The name is empty.'
  if (name.length > 128) return 'The name must have at most 128 characters.'
  return UNFIT.test(name) ? 'The name must not contain control or invisible characters.' : undefined
}

function groupProblem(group: string): string | undefined {
  if (group === '') return 'A group name is empty.'
  if (group.length > LONGEST_NAME) return `A group name must have at most ${LONGEST_NAME} characters.`
  if (group.includes(',')) return 'A group name must not contain a comma.'
  if (UNFIT.test(group)) return 'A group name must not contain control or invisible characters.'
  return group.trim() === group ? undefined : 'A group name must not begin or end with a space.'
}

/** A person as the library knows one. `user` is what the store said when this request asked. */
export interface Person extends Account {
  readonly user: UserRecord
}

/** Which OpenID scope gives which claims (OpenID Connect Core §5.4). */
export const OPENID_CLAIMS: Readonly<Record<string, readonly string[]>> = {
  openid: ['sub', 'idp', 'acr', 'amr', 'auth_time'],
  profile: ['name', 'preferred_username', 'groups'],
  email: ['email', 'email_verified'],
}

/** OpenID scopes in words, for the pages. */
export const OPENID_SCOPES: ReadonlyMap<string, string> = new Map([
  ['openid', 'Know that it is you'],
  ['profile', 'See your name, user name and groups'],
  ['email', 'See your mail address'],
])

/** The person with this `sub`; undefined when there is none or the account is disabled. */
export async function findPerson(store: Store, sub: string): Promise<Person | undefined> {
  const user = await store.userBySub(sub)
  if (user === undefined || user.disabled) return undefined
  return { accountId: sub, user, claims: () => ({ sub, ...personClaims(user) }) }
}

/**
 * What OpenID Connect calls the facts of an account; facts that are not known are left out. Who keeps the accounts vouches for
 * their mail addresses; people can't change them.
 */
export function personClaims(user: UserRecord): Readonly<Record<string, string | boolean | readonly string[]>> {
  const { displayName, username, email, groups } = user
  return {
    ...(displayName === undefined ? {} : { name: displayName }),
    preferred_username: username,
    ...(email === undefined ? {} : { email, email_verified: true }),
    groups,
  }
}

/** Whether the person could sign in by what routes.yaml says now, were the account enabled. */
export async function canSignIn(
  store: Store,
  user: UserRecord,
  { ways, offered }: Pick<AdministratorRules, 'ways' | 'offered'>,
): Promise<boolean> {
  const { password, passkeys, providers } = await waysOf(store, user, ways, offered)
  return password || passkeys > 0 || providers.length > 0
}

/**
 * Whether nobody could administer any more without this person, who can now. @param left The groups that they would keep; undefined: they
 * would be disabled.
 */
export async function isLastAdministrator(
  store: Store,
  rules: AdministratorRules,
  user: UserRecord,
  left: readonly string[] | undefined,
): Promise<boolean> {
  if (user.disabled || !(await isAdmin(store, user, rules.adminGroups))) return false
  if (left !== undefined && (await isAdmin(store, { ...user, groups: left }, rules.adminGroups))) return false
  return (await canSignIn(store, user, rules)) && !(await hasAdministrator(store, rules, user.sub))
}

/** Whether somebody is an administrator and can sign in. @param except Somebody who doesn't count. */
export async function hasAdministrator(store: Store, rules: AdministratorRules, except?: string): Promise<boolean> {
  for (let after: string | undefined = ''; after !== undefined; ) {
    const users: readonly UserRecord[] = await store.usersAfter(after, SLICE)
    await setImmediate()
    for (const user of users) {
      if (user.disabled || user.sub === except) continue
      if ((await isAdmin(store, user, rules.adminGroups)) && (await canSignIn(store, user, rules))) return true
    }
    after = users.length < SLICE ? undefined : users.at(-1)?.username
  }
  return false
}
