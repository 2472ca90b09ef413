import type { Store, UserRecord } from '../store.ts'
import type { Database } from './database.ts'
import { fact, integer, optionalText, type Row, strings, text } from './row.ts'

type Users = Pick<Store, 'addUser' | 'userByName' | 'userBySub' | 'users' | 'updateUser'>

/** What an update may touch. */
export type UserChange = Parameters<Store['updateUser']>[1]

/** People in SQLite. */
export function sqliteUsers(database: Database): Users {
  return {
    addUser: (user) => database.write(() => (insertUser(database, user) ? 'added' : 'exists')),
    userByName: (username) =>
      database.read(() => first(database.all('SELECT * FROM users WHERE username_key = ?', usernameKey(username)))),
    userBySub: (sub) => database.read(() => first(database.all('SELECT * FROM users WHERE sub = ?', sub))),
    users: () => database.read(() => database.all('SELECT * FROM users ORDER BY username_key').map(userOf)),
    updateUser: (sub, change, ifPasswordHash) =>
      database.write(() => {
        const stale = 'SELECT 1 FROM users WHERE sub = ? AND password_hash IS NOT ?'
        if (ifPasswordHash !== undefined && database.get(stale, sub, ifPasswordHash) !== undefined) return false
        return updateUser(database, sub, change)
      }),
  }
}

/** Within a transaction: sets the members that `change` has; false when there is no such person. */
export function updateUser(database: Database, sub: string, change: UserChange): boolean {
  const columns: [string, string | number | null][] = []
  if ('displayName' in change) columns.push(['display_name', change.displayName ?? null])
  if ('email' in change) columns.push(['email', change.email ?? null])
  if (change.groups !== undefined) columns.push(['groups', JSON.stringify(change.groups)])
  if ('passwordHash' in change) columns.push(['password_hash', change.passwordHash ?? null])
  if (change.disabled !== undefined) columns.push(['disabled', Number(change.disabled)])
  if (columns.length === 0) return database.get('SELECT 1 FROM users WHERE sub = ?', sub) !== undefined
  const assignments = columns.map(([name]) => `${name} = ?`).join(', ')
  return database.run(`UPDATE users SET ${assignments} WHERE sub = ?`, ...columns.map(([, value]) => value), sub) === 1
}

function insertUser(database: Database, user: UserRecord): boolean {
  const changed = database.run(
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

/** NFKC on both sides of the lower case, because some letters decompose only after it. */
function usernameKey(username: string): string {
  return username.normalize('NFKC').toLowerCase().normalize('NFKC')
}

function first(rows: readonly Row[]): UserRecord | undefined {
  const row = rows[0]
  return row === undefined ? undefined : userOf(row)
}

function userOf(row: Row): UserRecord {
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
