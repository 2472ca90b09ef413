import type { Revocation } from '../../core/revocation.ts'
import type { AuditRecord, AuthorizationRecord, ClientRecord, SessionRecord, Store } from '../store.ts'
import { auditOf } from './audits.ts'
import { authorizationOf } from './authorizations.ts'
import { clientOf } from './clients.ts'
import type { Database } from './database.ts'
import { revocationOf } from './revocation-entries.ts'
import { integer, text, whereAll } from './row.ts'
import { usernameKey, userOf } from './users.ts'

type Lists = Pick<
  Store,
  'usersAfter' | 'clientsAfter' | 'authorizationsAfter' | 'revocationsAfter' | 'auditsOf' | 'sessions' | 'endSession'
>

/** Stretches of the tables in the order of a key, each short enough that nobody waits for it. */
export function listQueries(database: Database): Lists {
  return {
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
    auditsOf: async (event, beforeId, limit): Promise<readonly AuditRecord[]> => {
      const sql = 'SELECT * FROM audits WHERE event = ? AND id < ? ORDER BY id DESC LIMIT ?'
      return (await database.all(sql, event, beforeId, limit)).map(auditOf)
    },
    sessions: async (sub): Promise<readonly SessionRecord[]> => {
      const sql = `SELECT key, expires_at FROM models WHERE model = 'Session' AND account_id = ? ORDER BY key LIMIT 500`
      const rows = await database.all(sql, sub)
      return rows.map((row) => ({ id: text(row, 'key'), expiresAt: integer(row, 'expires_at') }))
    },
    endSession: async (sub, id) =>
      (await database.run("DELETE FROM models WHERE model = 'Session' AND account_id = ? AND key = ?", sub, id)) === 1,
  }
}
