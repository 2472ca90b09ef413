import type { Revocation } from '../../core/revocation.ts'
import { lookupKey } from '../sealed-payload.ts'
import { type NewRevocation, type RevocationAct, type Store, StoreError } from '../store.ts'
import { insertAudit } from './audits.ts'
import { setClientRevoked } from './clients.ts'
import type { Database } from './database.ts'
import { integer, oneOf, type Row, text, type Where, whereAll } from './row.ts'
import { updateUser } from './users.ts'

type RevocationQueries = Pick<Store, 'act' | 'revocations' | 'lastRevocationId'>
type EndAuthorizations = RevocationAct['endAuthorizations'][number]

const EXACT: ReadonlySet<string> = new Set(['jti', 'gid'])

/**
 * RevocationQueries of revocation in SQLite.
 * @param nowSeconds the time that audit lines carry.
 */
export function sqliteActs(database: Database, nowSeconds: () => number): RevocationQueries {
  return {
    act: (act) => database.writeDurably(() => carryOut(database, act, nowSeconds())),
    revocations: (afterId, now) =>
      database.read(() =>
        database
          .all('SELECT * FROM revocations WHERE id > ? AND expires_at > ? ORDER BY id', afterId, now)
          .map(revocationOf),
      ),
    lastRevocationId: () =>
      database.read(() => {
        // Not max(id): the last entry may have expired and been swept.
        const row = database.get("SELECT seq FROM sqlite_sequence WHERE name = 'revocations'")
        return row === undefined ? 0 : integer(row, 'seq')
      }),
  }
}

function carryOut(database: Database, act: RevocationAct, now: number): readonly Revocation[] {
  const entries = act.revocations.map((entry) => applyConfig(database, entry))
  for (const ended of act.endAuthorizations) entries.push(...endAuthorizations(database, ended))
  for (const { sub, clientId } of act.deleteConsents) {
    const where = someOf({ sub, client_id: clientId })
    database.run(`DELETE FROM consents WHERE ${where.sql}`, ...where.values)
  }
  for (const { sub, exceptUid } of act.endSessions) {
    const sql = "DELETE FROM models WHERE model = 'Session' AND account_id = ? AND uid_key IS NOT ?"
    database.run(sql, sub, exceptUid === undefined ? null : lookupKey(exceptUid))
  }
  setRecords(database, act)
  insertAudit(database, act.audit.event, act.audit.detail, now)
  return entries
}

function setRecords(database: Database, act: RevocationAct): void {
  if (act.setUser !== undefined) {
    const { sub, ...change } = act.setUser
    if (!updateUser(database, sub, change)) throw gone(`user ${sub}`)
  }
  if (act.setClient !== undefined && !setClientRevoked(database, act.setClient.id, act.setClient.revoked)) {
    throw gone(`client ${act.setClient.id}`)
  }
}

function endAuthorizations(database: Database, ended: EndAuthorizations): readonly Revocation[] {
  const spared = ended.exceptGid ?? ''
  const where = someOf({ sub: ended.sub, client_id: ended.clientId, gid: ended.gid })
  const gids = database
    .all(`SELECT gid FROM authorizations WHERE ended = 0 AND ${where.sql} AND gid <> ?`, ...where.values, spared)
    .map((row) => text(row, 'gid'))
  for (const gid of gids) {
    database.run('UPDATE authorizations SET ended = 1 WHERE gid = ?', gid)
    database.run('DELETE FROM models WHERE gid = ?', gid)
  }
  // Codes and grants of an authorization that was not recorded yet are found by their own columns.
  const own = someOf({ account_id: ended.sub, client_id: ended.clientId, gid: ended.gid })
  database.run(`DELETE FROM models WHERE gid IS NOT NULL AND ${own.sql} AND gid <> ?`, ...own.values, spared)
  const { revokeTokens } = ended
  if (revokeTokens === undefined) return []
  return gids.map((gid) => applyConfig(database, { kind: 'gid', key: gid, ...revokeTokens }))
}

/** An entry that is in force already keeps its id; one that goes further takes the place of earlier ones. */
function applyConfig(database: Database, entry: NewRevocation): Revocation {
  const { kind, key, notBeforeMs, expiresAt } = entry
  if (EXACT.has(kind)) {
    const sql = 'SELECT * FROM revocations WHERE kind = ? AND key = ? AND expires_at >= ?'
    const known = database.get(sql, kind, key, expiresAt)
    if (known !== undefined) return revocationOf(known)
  }
  const superseded = 'DELETE FROM revocations WHERE kind = ? AND key = ? AND not_before_ms <= ? AND expires_at <= ?'
  database.run(superseded, kind, key, notBeforeMs, expiresAt)
  const sql = 'INSERT INTO revocations (kind, key, not_before_ms, expires_at) VALUES (?, ?, ?, ?) RETURNING id'
  const row = database.get(sql, kind, key, notBeforeMs, expiresAt)
  if (row === undefined) throw new TypeError('an inserted entry came back without an id')
  return { id: integer(row, 'id'), kind, key, notBeforeMs, expiresAt }
}

/** Like `whereAll`, but refuses to match everything. */
function someOf(columns: Readonly<Record<string, string | undefined>>): Where {
  const where = whereAll(columns)
  if (where.values.length === 0) throw new TypeError(`an act must name one of ${Object.keys(columns).join(', ')}`)
  return where
}

function gone(what: string): StoreError {
  return new StoreError(`${what} is not there any more`, 'look at `audgate user list` and `audgate client list`')
}

function revocationOf(row: Row): Revocation {
  return {
    id: integer(row, 'id'),
    kind: oneOf(row, 'kind', ['jti', 'gid', 'client', 'sub', 'sub_client', 'sub_group']),
    key: text(row, 'key'),
    notBeforeMs: integer(row, 'not_before_ms'),
    expiresAt: integer(row, 'expires_at'),
  }
}
