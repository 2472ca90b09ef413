import type { Revocation } from '../../core/revocation.ts'
import { usernameKey } from '../records.ts'
import type { AuditRecord, AuthorizationRecord, ClientRecord, Store } from '../store.ts'
import { auditOf } from './audits.ts'
import { authorizationOf } from './authorizations.ts'
import { clientOf } from './clients.ts'
import type { Database } from './database.ts'
import { revocationOf } from './revocation-entries.ts'
import { integer, text, whereAll } from './row.ts'
import { userOf } from './users.ts'

type Lists = Pick<
  Store,
  | 'counts'
  | 'usersAfter'
  | 'clientsAfter'
  | 'authorizationsAfter'
  | 'revocationsAfter'
  | 'auditsBy'
  | 'auditIdAt'
  | 'countAuthorizations'
  | 'noteSecretUses'
  | 'secretUses'
>

const AUDIT_COLUMNS = { event: 'event', sub: 'sub', by: 'actor', client: 'client' } as const

type Refusals = Pick<Store, 'keepRefusals' | 'refusal' | 'refusalsBefore'>

const MOST_ROWS = 20_000

/** Stretches of the tables in the order of a key, each short enough that nobody waits for it. */
export function listQueries(database: Database): Lists {
  return {
    counts: async () => {
      const sql = 'SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM clients) AS clients'
      const row = await database.get(sql)
      return row === undefined
        ? { users: 0, clients: 0 }
        : { users: integer(row, 'users'), clients: integer(row, 'clients') }
    },
    usersAfter: async (username, limit) => {
      const sql = 'SELECT * FROM users WHERE username_key > ? ORDER BY username_key LIMIT ?'
      return (await database.all(sql, usernameKey(username), limit)).map(userOf)
    },
    clientsAfter: async (id, limit): Promise<readonly ClientRecord[]> => {
      const sql = 'SELECT * FROM clients WHERE id > ? ORDER BY id LIMIT ?'
      return (await database.all(sql, id, limit)).map(clientOf)
    },
    authorizationsAfter: async (of, gid, limit): Promise<readonly AuthorizationRecord[]> => {
      const where = whereAll({ sub: of.sub, client_id: of.clientId })
      const sql = `SELECT * FROM authorizations WHERE ${where.sql} AND gid > ? ORDER BY gid LIMIT ?`
      return (await database.all(sql, ...where.values, gid, limit)).map(authorizationOf)
    },
    revocationsAfter: async (id, now, limit): Promise<readonly Revocation[]> => {
      const sql = 'SELECT * FROM revocations WHERE id > ? AND expires_at > ? ORDER BY id LIMIT ?'
      return (await database.all(sql, id, now, limit)).map(revocationOf)
    },
    auditsBy: async (key, value, beforeId, limit): Promise<readonly AuditRecord[]> => {
      const sql = `SELECT * FROM audits WHERE ${AUDIT_COLUMNS[key]} = ? AND id < ? ORDER BY id DESC LIMIT ?`
      return (await database.all(sql, value, beforeId, limit)).map(auditOf)
    },
    auditIdAt: async (at) => {
      const row = await database.get('SELECT id FROM audits WHERE at <= ? ORDER BY at DESC LIMIT 1', at)
      return row === undefined ? undefined : integer(row, 'id')
    },
    countAuthorizations: async ({ sub, clientId }, most) => {
      const where = whereAll({ sub, client_id: clientId })
      const some = `SELECT 1 FROM authorizations WHERE ${where.sql} AND ended = 0 LIMIT ?`
      const row = await database.get(`SELECT count(*) AS number FROM (${some}) AS counted`, ...where.values, most)
      return row === undefined ? 0 : integer(row, 'number')
    },
    noteSecretUses: async (uses) => {
      const sql = `INSERT INTO secret_uses (client_id, id, at) VALUES (?, ?, ?)
        ON CONFLICT (client_id, id) DO UPDATE SET at = excluded.at WHERE secret_uses.at < excluded.at`
      await database.write(async (queries) => {
        for (const { clientId, id, at } of uses) await queries.run(sql, clientId, id, at)
      })
    },
    secretUses: async (clientId) => {
      const rows = await database.all('SELECT id, at FROM secret_uses WHERE client_id = ?', clientId)
      return new Map(rows.map((row) => [text(row, 'id'), integer(row, 'at')]))
    },
  }
}

/** Refusals that are kept for the operator. */
export function refusalQueries(database: Database): Refusals {
  return {
    keepRefusals: (rows, expiresAt) =>
      database.write(async (queries) => {
        const insert = 'INSERT INTO refusals (request_id, facts, expires_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING'
        for (const { requestId, facts } of rows) await queries.run(insert, requestId, facts, expiresAt)
        const surplus = await queries.get('SELECT id FROM refusals ORDER BY id DESC LIMIT 1 OFFSET ?', MOST_ROWS)
        if (surplus !== undefined) await queries.run('DELETE FROM refusals WHERE id <= ?', integer(surplus, 'id'))
      }),
    refusal: async (requestId) => {
      const row = await database.get('SELECT facts FROM refusals WHERE request_id = ?', requestId)
      return row === undefined ? undefined : text(row, 'facts')
    },
    refusalsBefore: async (id, limit) => {
      const rows = await database.all('SELECT * FROM refusals WHERE id < ? ORDER BY id DESC LIMIT ?', id, limit)
      return rows.map((row) => ({ id: integer(row, 'id'), facts: text(row, 'facts') }))
    },
  }
}
