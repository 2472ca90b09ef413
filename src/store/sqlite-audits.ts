import type { Database } from './sqlite-database.ts'
import { integer, object, type Row, text } from './sqlite-row.ts'
import type { AuditRecord, Store } from './store.ts'

type Audits = Pick<Store, 'audit' | 'audits' | 'sweep'>

const AUDIT_SECONDS = 90 * 86_400
const AUDIT_ROWS = 100_000
/** The library looks rows up a little past their expiry, to tell "expired" from "unknown". */
const GRACE_SECONDS = 60
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
  return {
    audit: (event, detail, at) => database.write(() => insertAudit(database, event, detail, at)),
    audits: (limit, beforeId) =>
      database.read(() =>
        database
          .all('SELECT * FROM audits WHERE id < ? ORDER BY id DESC LIMIT ?', beforeId ?? Number.MAX_SAFE_INTEGER, limit)
          .map(auditOf),
      ),
    sweep: (now) => sweep(database, now),
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

async function sweep(database: Database, now: number): Promise<number> {
  const first = `id IN (SELECT id FROM audits WHERE at < ? OR id <= (SELECT max(id) FROM audits) - ${AUDIT_ROWS}
    ORDER BY id LIMIT ?)`
  let rows = await deleteInBatches(database, `DELETE FROM audits WHERE ${first}`, now - AUDIT_SECONDS)
  for (const sql of EXPIRED) rows += await deleteInBatches(database, sql, now - GRACE_SECONDS)
  return rows
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
