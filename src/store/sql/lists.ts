import type { Revocation } from '../../core/revocation.ts'
import type { AuditRecord, AuthorizationRecord, ClientRecord, Store } from '../store.ts'
import { auditOf } from './audits.ts'
import { authorizationOf } from './authorizations.ts'
import { clientOf } from './clients.ts'
import type { Database } from './database.ts'
import { revocationOf } from './revocation-entries.ts'
import { whereAll } from './row.ts'
import { usernameKey, userOf } from './users.ts'

type Lists = Pick<
  Store,
  'usersAfter' | 'clientsAfter' | 'authorizationsAfter' | 'revocationsAfter' | 'auditsOf' | 'auditsOfPerson'
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
    auditsOfPerson: async (sub, beforeId, limit): Promise<readonly AuditRecord[]> => {
      const sql = 'SELECT * FROM audits WHERE sub = ? AND id < ? ORDER BY id DESC LIMIT ?'
      return (await database.all(sql, sub, beforeId, limit)).map(auditOf)
    },
  }
}
