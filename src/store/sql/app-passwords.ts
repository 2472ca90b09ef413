import type { AppPasswordRecord, SessionStore } from '../session-store.ts'
import type { Database, Queries } from './database.ts'
import { integer, optionalInteger, type Row, strings, text, whereAll } from './row.ts'

type AppPasswords = Pick<SessionStore, 'addAppPassword' | 'appPasswords'>

const INSERT = `INSERT INTO app_passwords (id, hash, gid, sub, resource, scopes, name, created_at, expires_at, last_used_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

/** How often last use is written down, seconds. */
const LAST_USE_SECONDS = 60

/** App passwords. */
export function appPasswordQueries(database: Database): AppPasswords {
  return {
    addAppPassword: (password, most) =>
      database.write(async (transaction) => {
        await transaction.lock('exclusive', [`app passwords ${password.sub}`])
        const sql = 'SELECT count(*) AS number FROM app_passwords WHERE sub = ? AND expires_at > ?'
        const row = await transaction.get(sql, password.sub, password.createdAt)
        if (row !== undefined && integer(row, 'number') >= most) return 'too_many'
        await transaction.run(INSERT, ...columnsOf(password))
        return 'added'
      }, 'disk'),
    appPasswords: async (of) => {
      const where = whereAll({ sub: of.sub, id: of.id, gid: of.gid, hash: of.hash })
      const sql = `SELECT * FROM app_passwords WHERE ${where.sql} ORDER BY created_at, id`
      return (await database.all(sql, ...where.values)).map(passwordOf)
    },
  }
}

/** Notes that the password of an authorization was used; at most once a minute. */
export async function touchAppPassword(queries: Queries, gid: string, at: number): Promise<void> {
  const sql = 'UPDATE app_passwords SET last_used_at = ? WHERE gid = ? AND coalesce(last_used_at, 0) <= ?'
  await queries.run(sql, at, gid, at - LAST_USE_SECONDS)
}

function columnsOf(password: AppPasswordRecord): readonly (string | number | null)[] {
  const { id, hash, gid, sub, resource, scopes, name, createdAt, expiresAt, lastUsedAt } = password
  return [id, hash, gid, sub, resource, JSON.stringify(scopes), name, createdAt, expiresAt, lastUsedAt ?? null]
}

function passwordOf(row: Row): AppPasswordRecord {
  return {
    id: text(row, 'id'),
    hash: text(row, 'hash'),
    gid: text(row, 'gid'),
    sub: text(row, 'sub'),
    resource: text(row, 'resource'),
    scopes: strings(row, 'scopes'),
    name: text(row, 'name'),
    createdAt: integer(row, 'created_at'),
    expiresAt: integer(row, 'expires_at'),
    lastUsedAt: optionalInteger(row, 'last_used_at'),
  }
}
