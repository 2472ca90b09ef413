import type { BrowserSessionRecord, SessionOpening, SessionResource, SessionStore } from '../session-store.ts'
import type { Database, Queries } from './database.ts'
import { integer, object, optionalInteger, optionalText, type Row, strings, text, whereAll } from './row.ts'

type BrowserSessions = Pick<
  SessionStore,
  'openBrowserSession' | 'browserSession' | 'browserSessions' | 'moveBrowserSession' | 'moveIssuerSession'
>

const INSERT = `INSERT INTO browser_sessions (id, generation, id_hash, replaced_at, origin, browser, sub, issuer_session, created_at,
  moved_at, signed_in_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
const RENEW = `UPDATE browser_sessions SET browser = ?, issuer_session = ?, moved_at = ?, signed_in_at = ?, expires_at = ? WHERE id = ?`
const ROTATE =
  'UPDATE browser_sessions SET generation = ?, previous_hash = id_hash, id_hash = ?, replaced_at = ? WHERE id = ?'
const PUT_RESOURCE = `INSERT INTO browser_session_resources (session, resource, gid, auth_time, amr, acr) VALUES (?, ?, ?, ?, ?, ?)
  ON CONFLICT (session, resource) DO UPDATE SET gid = excluded.gid, auth_time = excluded.auth_time, amr = excluded.amr,
  acr = excluded.acr`

/** Sessions of browsers at the gateway's hosts. */
export function browserSessionQueries(database: Database): BrowserSessions {
  return {
    openBrowserSession: (opening) =>
      database.write(async (transaction) => {
        await transaction.lock('exclusive', [`browser session ${opening.origin} ${opening.browser}`])
        return open(transaction, opening)
      }),
    browserSession: async (idHash, since) => {
      const row = await find(database, idHash, since)
      return row === undefined ? undefined : recordOf(database, row)
    },
    browserSessions: async (of) => {
      const where = whereAll({ sub: of.sub, issuer_session: of.issuerSession })
      const sql = `SELECT * FROM browser_sessions WHERE ${where.sql} ORDER BY created_at, id`
      const rows = await database.all(sql, ...where.values)
      return Promise.all(rows.map((row) => recordOf(database, row)))
    },
    moveBrowserSession: async (id, movedAt, expiresAt) => {
      const sql = 'UPDATE browser_sessions SET moved_at = ?, expires_at = ? WHERE id = ? AND moved_at < ?'
      await database.run(sql, movedAt, expiresAt, id, movedAt)
    },
    moveIssuerSession: (from, to) =>
      database.write(async (queries) => {
        for (const table of ['browser_sessions', 'session_authorizations'])
          await queries.run(`UPDATE ${table} SET issuer_session = ? WHERE issuer_session = ?`, to, from)
      }),
  }
}

/** Deletes sessions within a transaction; answers the authorizations that they had. */
export async function dropBrowserSessions(queries: Queries, ids: readonly string[]): Promise<readonly string[]> {
  const gids: string[] = []
  for (const id of ids) {
    const rows = await queries.all('DELETE FROM browser_session_resources WHERE session = ? RETURNING gid', id)
    gids.push(...rows.map((row) => text(row, 'gid')))
    await queries.run('DELETE FROM browser_sessions WHERE id = ?', id)
  }
  return gids
}

async function open(queries: Queries, opening: SessionOpening) {
  const ended: string[] = []
  const { id, old } = await place(queries, opening, ended)
  const before = await queries.get(
    'SELECT gid FROM browser_session_resources WHERE session = ? AND resource = ?',
    ...[id, opening.resource.resource],
  )
  const earlier = before === undefined ? undefined : text(before, 'gid')
  const kept = earlier !== undefined && old !== undefined && (await isAsGood(queries, earlier, old, opening))
  if (old !== undefined) await renew(queries, opening, old)
  const held = kept ? { ...opening.resource, gid: earlier } : opening.resource
  for (const gid of [earlier, opening.resource.gid]) if (gid !== undefined && gid !== held.gid) ended.push(gid)
  await queries.run(PUT_RESOURCE, id, ...resourceColumns(held))
  ended.push(...(await dropOldest(queries, 'sub = ?', [opening.sub], opening.mostOfPerson, id)))
  ended.push(...(await dropOldest(queries, '1 = 1', [], opening.mostInAll, id)))
  const row = await queries.get('SELECT * FROM browser_sessions WHERE id = ?', id)
  if (row === undefined) throw new TypeError('a session that was opened is not there')
  return { session: await recordOf(queries, row), ended }
}

/** Whether the authorization that the session has can stay: pages that are loading go by it, and would be cut off with it. */
async function isAsGood(queries: Queries, gid: string, old: Row, opening: SessionOpening): Promise<boolean> {
  if (text(old, 'issuer_session') !== opening.issuerSession) return false
  const row = await queries.get('SELECT resources FROM authorizations WHERE gid = ? AND ended = 0', gid)
  if (row === undefined) return false
  const granted = object(row, 'resources')[opening.resource.resource]
  return Array.isArray(granted) && opening.scopes.every((scope) => granted.includes(scope))
}

/** The session that the sign-in belongs to; a new one where there is none. One of somebody else ends. */
async function place(queries: Queries, opening: SessionOpening, ended: string[]) {
  const { presented, now, graceSeconds } = opening
  const came = presented === undefined ? undefined : await find(queries, presented, now - graceSeconds)
  const own = came !== undefined && text(came, 'origin') === opening.origin ? came : undefined
  if (own !== undefined && text(own, 'sub') === opening.sub) return { id: text(own, 'id'), old: own }
  if (own !== undefined) ended.push(...(await dropBrowserSessions(queries, [text(own, 'id')])))
  const together = await queries.get(
    'SELECT * FROM browser_sessions WHERE origin = ? AND browser = ? AND sub = ? AND replaced_at >= ?',
    ...[opening.origin, opening.browser, opening.sub, now - graceSeconds],
  )
  if (together !== undefined) return { id: text(together, 'id'), old: together }
  const { newId: id, origin, browser, sub, issuerSession, expiresAt } = opening
  const hash = opening.hashOf(id, 1)
  await queries.run(INSERT, id, 1, hash, now, origin, browser, sub, issuerSession, now, now, now, expiresAt)
  return { id, old: undefined }
}

/** Whoever comes with the id in force gets the next one; who comes with an earlier one was on the way when it was replaced. */
async function renew(queries: Queries, opening: SessionOpening, old: Row): Promise<void> {
  const { presented, browser, issuerSession, now, expiresAt } = opening
  const id = text(old, 'id')
  await queries.run(RENEW, browser, issuerSession, now, now, expiresAt, id)
  if (presented !== text(old, 'id_hash')) return
  const generation = integer(old, 'generation') + 1
  await queries.run(ROTATE, generation, opening.hashOf(id, generation), now, id)
}

async function dropOldest(
  queries: Queries,
  condition: string,
  values: readonly string[],
  most: number,
  spared: string,
): Promise<readonly string[]> {
  const counted = await queries.get(`SELECT count(*) AS number FROM browser_sessions WHERE ${condition}`, ...values)
  const surplus = (counted === undefined ? 0 : integer(counted, 'number')) - most
  if (surplus <= 0) return []
  const sql = `SELECT id FROM browser_sessions WHERE ${condition} AND id <> ? ORDER BY created_at, id LIMIT ?`
  const rows = await queries.all(sql, ...values, spared, surplus)
  return dropBrowserSessions(
    queries,
    rows.map((row) => text(row, 'id')),
  )
}

function find(queries: Queries, idHash: string, since: number): Promise<Row | undefined> {
  const sql = 'SELECT * FROM browser_sessions WHERE id_hash = ? OR (previous_hash = ? AND replaced_at >= ?)'
  return queries.get(sql, idHash, idHash, since)
}

function resourceColumns({ resource, gid, authTime, amr, acr }: SessionResource) {
  return [resource, gid, authTime ?? null, JSON.stringify(amr), acr ?? null]
}

async function recordOf(queries: Queries, row: Row): Promise<BrowserSessionRecord> {
  const id = text(row, 'id')
  const sql = 'SELECT * FROM browser_session_resources WHERE session = ? ORDER BY resource'
  return {
    id,
    generation: integer(row, 'generation'),
    origin: text(row, 'origin'),
    sub: text(row, 'sub'),
    issuerSession: text(row, 'issuer_session'),
    createdAt: integer(row, 'created_at'),
    movedAt: integer(row, 'moved_at'),
    signedInAt: integer(row, 'signed_in_at'),
    resources: (await queries.all(sql, id)).map((held) => ({
      resource: text(held, 'resource'),
      gid: text(held, 'gid'),
      authTime: optionalInteger(held, 'auth_time'),
      amr: strings(held, 'amr'),
      acr: optionalText(held, 'acr'),
    })),
  }
}
