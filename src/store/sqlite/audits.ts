import type { AuditRecord, Store } from '../store.ts'
import type { Database } from './database.ts'
import { integer, object, optionalInteger, type Row, text } from './row.ts'

type Audits = Pick<Store, 'audit' | 'audits' | 'sweep'>

const AUDIT_SECONDS = 90 * 86_400
const AUDIT_ROWS = 100_000
/** The library looks rows up a little past their expiry, to tell "expired" from "unknown". */
const GRACE_SECONDS = 60
/** An authorization without refresh token lives as long as its last access token: less than a day. */
const IDLE_SECONDS = 86_400
/** Rows of one transaction: short enough that no request waits for it. */
const BATCH = 500

const EXPIRED: readonly string[] = [
  'DELETE FROM models WHERE rowid IN (SELECT rowid FROM models WHERE expires_at < ? LIMIT ?)',
  'DELETE FROM replays WHERE key IN (SELECT key FROM replays WHERE expires_at < ? LIMIT ?)',
  'DELETE FROM throttles WHERE key IN (SELECT key FROM throttles WHERE expires_at < ? LIMIT ?)',
  'DELETE FROM revocations WHERE id IN (SELECT id FROM revocations WHERE expires_at < ? LIMIT ?)',
]

/** The audit trail, and the sweeping of whatever has expired, in SQLite. */
export function sqliteAudits(database: Database): Audits {
  const sweepAuthorizations = authorizationSweeper(database)
  return {
    audit: (event, detail, at) => database.write(() => insertAudit(database, event, detail, at)),
    audits: (limit, beforeId) =>
      database.read(() =>
        database
          .all('SELECT * FROM audits WHERE id < ? ORDER BY id DESC LIMIT ?', beforeId ?? Number.MAX_SAFE_INTEGER, limit)
          .map(auditOf),
      ),
    sweep: async (now) => (await sweepExpired(database, now)) + (await sweepAuthorizations(now)),
  }
}

/** Within a transaction. */
export function insertAudit(
  database: Database,
  event: string,
  detail: Readonly<Record<string, unknown>>,
  at: number,
): void {
  database.run('INSERT INTO audits (at, event, detail) VALUES (?, ?, ?)', at, event, JSON.stringify(detail))
}

async function sweepExpired(database: Database, now: number): Promise<number> {
  const first = `id IN (SELECT id FROM audits WHERE at < ? OR id <= (SELECT max(id) FROM audits) - ${AUDIT_ROWS}
    ORDER BY id LIMIT ?)`
  let rows = await deleteInBatches(database, `DELETE FROM audits WHERE ${first}`, now - AUDIT_SECONDS)
  for (const sql of EXPIRED) rows += await deleteInBatches(database, sql, now - GRACE_SECONDS)
  return rows
}

/**
 * Forgets authorizations that nothing can renew any more, a stretch of the table at each call: looking at all of them at
 * once would hold up requests.
 */
function authorizationSweeper(database: Database): (now: number) => Promise<number> {
  let after = 0
  const next =
    'SELECT max(rowid) AS last FROM (SELECT rowid FROM authorizations WHERE rowid > ? ORDER BY rowid LIMIT ?)'
  const forget = `DELETE FROM authorizations WHERE rowid > ? AND rowid <= ?
    AND max(created_at, coalesce(last_used_at, 0)) < ?
    AND NOT EXISTS (SELECT 1 FROM models WHERE models.gid = authorizations.gid)`
  return (now) =>
    database.write(() => {
      const row = database.get(next, after, BATCH)
      const last = row === undefined ? undefined : optionalInteger(row, 'last')
      if (last === undefined) {
        after = 0
        return 0
      }
      const deleted = database.run(forget, after, last, now - IDLE_SECONDS)
      after = last
      return deleted
    })
}

async function deleteInBatches(database: Database, sql: string, before: number): Promise<number> {
  for (let rows = 0; ; ) {
    const deleted = await database.write(() => database.run(sql, before, BATCH))
    rows += deleted
    if (deleted < BATCH) return rows
    // Lets requests that wait go first.
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function auditOf(row: Row): AuditRecord {
  return { id: integer(row, 'id'), at: integer(row, 'at'), event: text(row, 'event'), detail: object(row, 'detail') }
}
