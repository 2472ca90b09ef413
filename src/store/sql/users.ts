import { usernameKey } from '../records.ts'
import type { Store, UserRecord } from '../store.ts'
import type { Database, Queries } from './database.ts'
import { fact, integer, optionalText, type Row, strings, text } from './row.ts'

type Users = Pick<Store, 'addUser' | 'userByName' | 'userBySub' | 'users' | 'updateUser'>

/** What an update may touch. */
type UserChange = Parameters<Store['updateUser']>[1]

/** People. */
export function userQueries(database: Database): Users {
  return {
    addUser: async (user) => ((await insertUser(database, user)) ? 'added' : 'exists'),
    userByName: async (username) =>
      first(await database.all('SELECT * FROM users WHERE username_key = ?', usernameKey(username))),
    userBySub: async (sub) => first(await database.all('SELECT * FROM users WHERE sub = ?', sub)),
    users: async () => (await database.all('SELECT * FROM users ORDER BY username_key')).map(userOf),
    updateUser: (sub, change, ifPasswordHash) =>
      database.write((queries) => updateUser(queries, sub, change, ifPasswordHash)),
  }
}

/**
 * Within a transaction: sets the members that `change` has; false when there is no such person, or when `ifPasswordHash` is
 * given and isn't the hash any more.
 */
export async function updateUser(
  queries: Queries,
  sub: string,
  change: UserChange,
  ifPasswordHash?: string,
): Promise<boolean> {
  const columns: [string, string | number | null][] = []
  if ('displayName' in change) columns.push(['display_name', change.displayName ?? null])
  if ('email' in change) columns.push(['email', change.email ?? null])
  if (change.groups !== undefined) columns.push(['groups', JSON.stringify(change.groups)])
  if ('passwordHash' in change) columns.push(['password_hash', change.passwordHash ?? null])
  if (change.disabled !== undefined) columns.push(['disabled', Number(change.disabled)])
  if (columns.length === 0) columns.push(['sub', sub])
  const assignments = columns.map(([name]) => `${name} = ?`).join(', ')
  const unless = ifPasswordHash === undefined ? [] : [ifPasswordHash]
  // A new one was asked for; a better hash of the same is none.
  if (change.passwordHash !== undefined && ifPasswordHash === undefined)
    await queries.run('DELETE FROM passwords_due WHERE sub = ?', sub)
  const sql = `UPDATE users SET ${assignments} WHERE sub = ?${unless.map(() => ' AND password_hash = ?').join('')}`
  return (await queries.run(sql, ...columns.map(([, value]) => value), sub, ...unless)) === 1
}

/** Within a transaction: false when the name is taken. */
export async function insertUser(queries: Queries, user: UserRecord): Promise<boolean> {
  const changed = await queries.run(
    'INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
    user.sub,
    user.username,
    usernameKey(user.username),
    user.displayName ?? null,
    user.email ?? null,
    JSON.stringify(user.groups),
    user.passwordHash ?? null,
    Number(user.disabled),
    user.createdAt,
  )
  return changed === 1
}

function first(rows: readonly Row[]): UserRecord | undefined {
  const row = rows[0]
  return row === undefined ? undefined : userOf(row)
}

export function userOf(row: Row): UserRecord {
  return {
    sub: text(row, 'sub'),
    username: text(row, 'username'),
    displayName: optionalText(row, 'display_name'),
    email: optionalText(row, 'email'),
    groups: strings(row, 'groups'),
    passwordHash: optionalText(row, 'password_hash'),
    disabled: fact(row, 'disabled'),
    createdAt: integer(row, 'created_at'),
  }
}
