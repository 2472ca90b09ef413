import type { AuditOrigin, AuditRecord, Store } from '../store.ts'
import type { Database, Queries } from './database.ts'
import { MOST_SPENT, PRUNE_FAMILY, SPENT } from './models.ts'
import { integer, object, oneOf, optionalText, type Row, text } from './row.ts'

type Audits = Pick<Store, 'audit' | 'audits' | 'auditsAfter' | 'sweep'>

const AUDIT_SECONDS = 90 * 86_400
/**
 * Lines that are kept of each origin: strangers push out strangers only. In a database, which holds the people of many machines, what is no
 * stranger's goes by its age alone.
 */
const AUDIT_ROWS: Readonly<Record<Database['kind'], Partial<Record<AuditOrigin, number>>>> = {
  sqlite: { server: 100_000, command: 20_000, stranger: 20_000 },
  postgres: { stranger: 20_000 },
}
/** The library looks rows up a little past their expiry, to tell "expired" from "unknown". */
const GRACE_SECONDS = 60
/** An authorization without refresh token lives as long as its last access token: less than a day. */
const IDLE_SECONDS = 86_400
/** As long as a browser session may live: one that a request saves after its sign-in has ended must be found out. */
const SIGN_IN_SECONDS = 15 * 86_400
/** Rows of one transaction: short enough that no request waits for it. */
const BATCH = 500
/** Stretches of the authorizations that one sweep looks at: ten million in a day and a half. */
const STRETCHES = 10

/** Tables whose rows expire, and the columns that name a row. */
const EXPIRING: readonly (readonly [table: string, key: string])[] = [
  ['models', 'model, key'],
  ['replays', 'key'],
  ['throttles', 'key'],
  ['provider_attempts', 'id'],
  ['revocations', 'id'],
  ['browser_sessions', 'id'],
  ['app_passwords', 'id'],
  ['refusals', 'id'],
  ['remembered_browsers', 'hash'],
  ['weak_sign_ins', 'sub, client_id'],
  ['session_facts', 'issuer_session'],
]

const LARGE_FAMILIES = `SELECT gid FROM models WHERE gid > ? AND gid <= ? AND ${SPENT} GROUP BY gid HAVING count(*) > ${MOST_SPENT}`

/** Sign-ins by a provider that have ended, and those that nothing came from or is left of; so too what sessions have authorized. */
const OVER: readonly string[] = [
  `DELETE FROM provider_authorizations WHERE gid IN (SELECT p.gid FROM provider_authorizations p
    JOIN provider_sign_ins s ON s.id = p.sign_in WHERE s.created_at < ?
    AND NOT EXISTS (SELECT 1 FROM authorizations a WHERE a.gid = p.gid)
    AND NOT EXISTS (SELECT 1 FROM app_passwords w WHERE w.gid = p.gid)
    AND NOT EXISTS (SELECT 1 FROM models m WHERE m.gid = p.gid) LIMIT ?)`,
  `DELETE FROM provider_sign_ins WHERE id IN (SELECT id FROM provider_sign_ins s WHERE created_at < ?
    AND NOT EXISTS (SELECT 1 FROM provider_authorizations p WHERE p.sign_in = s.id)
    AND NOT EXISTS (SELECT 1 FROM models m WHERE m.model = 'Session' AND m.uid_key = s.session_key) LIMIT ?)`,
  `DELETE FROM session_authorizations WHERE gid IN (SELECT gid FROM session_authorizations h WHERE created_at < ?
    AND NOT EXISTS (SELECT 1 FROM authorizations a WHERE a.gid = h.gid)
    AND NOT EXISTS (SELECT 1 FROM models m WHERE m.gid = h.gid) LIMIT ?)`,
]

/** The audit trail, and the sweeping of whatever has expired. */
export function auditQueries(database: Database, origin: 'server' | 'command'): Audits {
  const sweepAuthorizations = authorizationSweeper(database)
  return {
    audit: (event, detail, at, stranger = false) =>
      insertAudit(database, { event, detail, at, origin: stranger ? 'stranger' : origin }),
    audits: async (limit, beforeId) => {
      const sql = 'SELECT * FROM audits WHERE id < ? ORDER BY id DESC LIMIT ?'
      return (await database.all(sql, beforeId ?? Number.MAX_SAFE_INTEGER, limit)).map(auditOf)
    },
    auditsAfter: async (afterId, limit, only) => {
      const where = only === undefined ? '' : 'origin = ? AND '
      const sql = `SELECT * FROM audits WHERE ${where}id > ? ORDER BY id LIMIT ?`
      return (await database.all(sql, ...(only === undefined ? [] : [only]), afterId, limit)).map(auditOf)
    },
    sweep: async (now, auditSeconds = AUDIT_SECONDS) => {
      // First noted, then done: what may be gone is known, whatever becomes of the clock.
      await database.run('UPDATE feed SET swept_at = ? WHERE swept_at < ?', now, now)
      await database.run(`DELETE FROM instances WHERE seen_at_ms < ${database.nowMs} - ${IDLE_SECONDS * 1_000}`)
      let rows = await sweepExpired(database, now, auditSeconds)
      for (let left = STRETCHES; left > 0; left -= 1) {
        const { deleted, more, from, to } = await sweepAuthorizations(now)
        rows += deleted + (await pruneFamilies(database, from, to))
        if (!more) break
        await othersFirst()
      }
      return rows
    },
  }
}

/** One line, within whatever `queries` belongs to. */
export async function insertAudit(
  queries: Queries,
  { at, event, detail, origin }: Omit<AuditRecord, 'id'>,
): Promise<void> {
  const sql = 'INSERT INTO audits (at, event, detail, origin, sub, actor, client) VALUES (?, ?, ?, ?, ?, ?, ?)'
  const { sub, by, client } = detail
  await queries.run(sql, at, event, JSON.stringify(detail), origin, keyOf(sub), keyOf(by), keyOf(client))
}

/** What lines are found by; a text that databases can't hold is found by nothing. */
function keyOf(value: unknown): string | null {
  return typeof value === 'string' && !value.includes('\0') ? value : null
}

async function sweepExpired(database: Database, now: number, auditSeconds: number): Promise<number> {
  let rows = await sweepAudits(database, now - auditSeconds)
  for (const [table, key] of EXPIRING) {
    const expired = `SELECT ${key} FROM ${table} WHERE expires_at < ? LIMIT ? ${database.skipLocked}`
    const sql = `DELETE FROM ${table} WHERE (${key}) IN (${expired})`
    rows += await deleteInBatches(database, sql, now - GRACE_SECONDS)
  }
  for (const sql of OVER) rows += await deleteInBatches(database, sql, now - SIGN_IN_SECONDS)
  return rows
}

async function sweepAudits(database: Database, before: number): Promise<number> {
  const old = 'DELETE FROM audits WHERE id IN (SELECT id FROM audits WHERE at < ? ORDER BY at LIMIT ?)'
  let rows = await deleteInBatches(database, old, before)
  for (const [origin, most] of Object.entries(AUDIT_ROWS[database.kind])) {
    const newest = 'SELECT id FROM audits WHERE origin = ? ORDER BY id DESC LIMIT 1 OFFSET ?'
    const row = await database.get(newest, origin, most)
    if (row === undefined) continue
    const surplus = `DELETE FROM audits WHERE id IN
      (SELECT id FROM audits WHERE origin = '${origin}' AND id <= ? ORDER BY id LIMIT ?)`
    rows += await deleteInBatches(database, surplus, integer(row, 'id'))
  }
  return rows
}

interface Swept {
  readonly deleted: number
  /** The end of the table was not there yet. */
  readonly more: boolean
  readonly from: string
  readonly to: string
}

/**
 * Forgets authorizations that nothing can renew any more, a stretch of the table at each call: looking at all of them at
 * once would hold up requests.
 */
function authorizationSweeper(database: Database): (now: number) => Promise<Swept> {
  let after = ''
  const next =
    'SELECT max(gid) AS last FROM (SELECT gid FROM authorizations WHERE gid > ? ORDER BY gid LIMIT ?) AS stretch'
  const forget = `DELETE FROM authorizations WHERE gid > ? AND gid <= ?
    AND created_at < ? AND coalesce(last_used_at, 0) < ?
    AND NOT EXISTS (SELECT 1 FROM models WHERE models.gid = authorizations.gid)
    AND NOT EXISTS (SELECT 1 FROM browser_session_resources AS held WHERE held.gid = authorizations.gid)`
  return (now) =>
    database.write(async (queries) => {
      const row = await queries.get(next, after, BATCH)
      const last = row === undefined ? undefined : optionalText(row, 'last')
      if (last === undefined) {
        after = ''
        return { deleted: 0, more: false, from: '', to: '' }
      }
      const before = now - IDLE_SECONDS
      const deleted = await queries.run(forget, after, last, before, before)
      const from = after
      after = last
      return { deleted, more: true, from, to: last }
    })
}

/** Of families from behind `from` up to `to`. Looked for by reading, so that nobody waits for that. */
async function pruneFamilies(database: Database, from: string, to: string): Promise<number> {
  let rows = 0
  for (const row of await database.all(LARGE_FAMILIES, from, to)) {
    for (let deleted = BATCH; deleted === BATCH; rows += deleted) {
      deleted = await database.run(PRUNE_FAMILY, text(row, 'gid'), BATCH)
      await othersFirst()
    }
  }
  return rows
}

async function deleteInBatches(database: Database, sql: string, before: number): Promise<number> {
  for (let rows = 0; ; ) {
    const deleted = await database.run(sql, before, BATCH)
    rows += deleted
    if (deleted < BATCH) return rows
    await othersFirst()
  }
}

/** Lets requests that wait go first. */
function othersFirst(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

export function auditOf(row: Row): AuditRecord {
  return {
    id: integer(row, 'id'),
    at: integer(row, 'at'),
    origin: oneOf(row, 'origin', ['server', 'stranger', 'command']),
    event: text(row, 'event'),
    detail: object(row, 'detail'),
  }
}
