import { personKey } from '../../core/revocation.ts'
import type { GroupStatement, Linked, ProviderLink, ProviderStore, StatedGroups } from '../provider-store.ts'
import type { UserRecord } from '../records.ts'
import { lookupKey } from '../sealed-payload.ts'
import type { NewRevocation } from '../store.ts'
import type { Database, Queries, Transaction } from './database.ts'
import { personLock } from './locks.ts'
import { type Moment, momentOf, putInForce, stampMover } from './revocation-entries.ts'
import { integer, optionalText, type Row, strings, text } from './row.ts'
import { insertUser } from './users.ts'

type Links = Pick<
  ProviderStore,
  | 'addAttempt'
  | 'attempt'
  | 'takeAttempt'
  | 'providerLink'
  | 'providerLinks'
  | 'linkProvider'
  | 'setProviderProfile'
  | 'stateGroups'
>

/** Who reads links to change them holds this name. */
const LINKS = ['provider links']

/**
 * Attempts to sign in by a provider, whose accounts its people have here, and what it says of their groups.
 * @param now milliseconds; see {@link momentOf}.
 */
export function providerLinkQueries(database: Database, now: () => number): Links {
  const moment = momentOf(database, now)
  return {
    ...attempts(database),
    providerLink: (issuer, person) => find(database, issuer, person),
    providerLinks: async (sub) =>
      (await database.all('SELECT * FROM provider_links WHERE sub = ? ORDER BY linked_at, issuer', sub)).map(linkOf),
    linkProvider: (link, user) =>
      database.write(async (transaction) => {
        await transaction.lock('exclusive', LINKS)
        return insertLink(transaction, link, user)
      }),
    setProviderProfile: ({ issuer, person }, profile) =>
      database.write(async (transaction) => {
        await transaction.lock('exclusive', LINKS)
        const link = await find(transaction, issuer, person)
        if (link !== undefined) await setProfile(transaction, link, profile)
      }),
    stateGroups: async (statement) => {
      const stated: { value: StatedGroups } = { value: { kind: 'passed_over' } }
      await database.write(async (transaction) => {
        stated.value = await stateGroups(transaction, statement, moment)
      }, 'disk')
      return stated.value
    },
  }
}

function attempts(database: Database): Pick<ProviderStore, 'addAttempt' | 'attempt' | 'takeAttempt'> {
  return {
    addAttempt: (key, sealed, expiresAt, most) =>
      database.write(async (queries) => {
        const insert = 'INSERT INTO provider_attempts (key, sealed, expires_at) VALUES (?, ?, ?)'
        await queries.run(insert, lookupKey(key), sealed, expiresAt)
        const oldest = 'DELETE FROM provider_attempts WHERE id <= (SELECT max(id) FROM provider_attempts) - ?'
        await queries.run(oldest, most)
      }),
    attempt: async (key, now) => {
      const sql = 'SELECT sealed FROM provider_attempts WHERE key = ? AND expires_at > ?'
      const row = await database.get(sql, lookupKey(key), now)
      return row === undefined ? undefined : text(row, 'sealed')
    },
    takeAttempt: async (key) =>
      (await database.run('DELETE FROM provider_attempts WHERE key = ?', lookupKey(key))) === 1,
  }
}

async function insertLink(queries: Queries, link: ProviderLink, user: UserRecord | undefined): Promise<Linked> {
  const known = await find(queries, link.issuer, link.person)
  if (known !== undefined) return { kind: 'known', sub: known.sub }
  const other = await queries.get('SELECT 1 FROM provider_links WHERE sub = ? AND issuer = ?', link.sub, link.issuer)
  if (other !== undefined) return { kind: 'account_linked' }
  if (user !== undefined && !(await insertUser(queries, user))) return { kind: 'name_taken' }
  await queries.run(
    `INSERT INTO provider_links (issuer, person, sub, email, linked_at, groups, stated_at_ms)
      VALUES (?, ?, ?, ?, ?, ?, ?)`,
    link.issuer,
    link.person,
    link.sub,
    link.email ?? null,
    link.linkedAt,
    JSON.stringify(link.groups),
    link.statedAtMs,
  )
  return { kind: 'linked' }
}

/** An address that the account has from elsewhere stays; one that came from here goes when it isn't said any more. */
async function setProfile(
  queries: Queries,
  link: ProviderLink,
  profile: Parameters<ProviderStore['setProviderProfile']>[1],
): Promise<void> {
  const user = await queries.get('SELECT display_name, email FROM users WHERE sub = ?', link.sub)
  if (user === undefined) return
  const current = optionalText(user, 'email')
  const wanted = (await isTaken(queries, profile.email, link.sub)) ? undefined : profile.email
  const next = current === undefined || current === link.email ? wanted : current
  const name = profile.displayName ?? optionalText(user, 'display_name')
  const update = 'UPDATE users SET display_name = ?, email = ? WHERE sub = ?'
  await queries.run(update, name ?? null, next ?? null, link.sub)
  const own = next === wanted ? wanted : undefined
  const sql = 'UPDATE provider_links SET email = ? WHERE issuer = ? AND person = ?'
  await queries.run(sql, own ?? null, link.issuer, link.person)
}

async function isTaken(queries: Queries, email: string | undefined, sub: string): Promise<boolean> {
  if (email === undefined) return false
  return (await queries.get('SELECT 1 FROM users WHERE lower(email) = lower(?) AND sub <> ?', email, sub)) !== undefined
}

/** Tokens that carry a group which was lost, and which the account doesn't have of its own, are refused from this moment on. */
async function stateGroups(transaction: Transaction, statement: GroupStatement, moment: Moment): Promise<StatedGroups> {
  const { issuer, person, groups, statedAtMs, refused, asOfMs } = statement
  const before = await find(transaction, issuer, person)
  if (before === undefined) return { kind: 'passed_over' }
  await transaction.lock('exclusive', [personLock(before.sub)])
  const link = await find(transaction, issuer, person)
  if (link === undefined || link.statedAtMs > statedAtMs) return { kind: 'passed_over' }
  const removed = link.groups.filter((group) => !groups.includes(group))
  const added = groups.filter((group) => !link.groups.includes(group))
  const user = await transaction.get('SELECT groups FROM users WHERE sub = ?', link.sub)
  const own = user === undefined ? [] : strings(user, 'groups')
  const sql = 'UPDATE provider_links SET groups = ?, stated_at_ms = ? WHERE issuer = ? AND person = ?'
  await transaction.run(sql, JSON.stringify(groups), statedAtMs, issuer, person)
  const stamp = asOfMs === undefined ? refused : stampMover(await moment(transaction), asOfMs)(refused)
  const entries = removed
    .filter((group) => !own.includes(group))
    .map((group): NewRevocation => ({ kind: 'sub_group', key: personKey(link.sub, group), ...stamp }))
  transaction.atCommit(async (queries) => {
    await putInForce(queries, entries)
  })
  return { kind: 'stated', added, removed }
}

async function find(queries: Queries, issuer: string, person: string): Promise<ProviderLink | undefined> {
  const row = await queries.get('SELECT * FROM provider_links WHERE issuer = ? AND person = ?', issuer, person)
  return row === undefined ? undefined : linkOf(row)
}

function linkOf(row: Row): ProviderLink {
  return {
    issuer: text(row, 'issuer'),
    person: text(row, 'person'),
    sub: text(row, 'sub'),
    email: optionalText(row, 'email'),
    linkedAt: integer(row, 'linked_at'),
    groups: strings(row, 'groups'),
    statedAtMs: integer(row, 'stated_at_ms'),
  }
}
