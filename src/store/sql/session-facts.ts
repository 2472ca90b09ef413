import { lookupKey } from '../sealed-payload.ts'
import type { SessionRecord, Store } from '../store.ts'
import type { Database, Queries } from './database.ts'
import { fact, integer, optionalInteger, optionalText, type Row, text } from './row.ts'

type Facts = Pick<Store, 'noteSession' | 'sessions' | 'bindToSession' | 'passwordDue'>

// What is seen again within a minute is not written down again.
const NOTE = `INSERT INTO session_facts (issuer_session, sub, browser, address, created_at, seen_at, expires_at)
  VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (issuer_session) DO UPDATE SET sub = excluded.sub, browser = excluded.browser,
  address = excluded.address, created_at = excluded.created_at, seen_at = excluded.seen_at, expires_at = excluded.expires_at
  WHERE session_facts.ended = 0 AND (session_facts.sub <> excluded.sub OR session_facts.address <> excluded.address
    OR session_facts.created_at <> excluded.created_at OR session_facts.seen_at < excluded.seen_at - 60)`
const SESSIONS = `SELECT models.key, models.uid_key, models.expires_at, facts.browser, facts.address, facts.created_at,
  facts.seen_at FROM models LEFT JOIN session_facts AS facts ON facts.issuer_session = models.uid_key
  WHERE models.model = 'Session' AND models.account_id = ? ORDER BY models.key LIMIT 500`

/** Where browsers are signed in at the issuer, what was authorized there, and who has to choose a new password. */
export function sessionFactQueries(database: Database): Facts {
  return {
    noteSession: async ({ issuerSession, sub, browser, address, createdAt, seenAt, expiresAt }) => {
      const key = lookupKey(issuerSession)
      await database.run(NOTE, key, sub, browser, address, createdAt, seenAt, expiresAt)
      const row = await database.get('SELECT ended FROM session_facts WHERE issuer_session = ?', key)
      return row !== undefined && !fact(row, 'ended')
    },
    sessions: async (sub) => (await database.all(SESSIONS, sub)).map(sessionOf),
    bindToSession: async (gid, issuerSession, at) => {
      const sql = `INSERT INTO session_authorizations (gid, issuer_session, created_at) VALUES (?, ?, ?)
        ON CONFLICT (gid) DO NOTHING`
      await database.run(sql, gid, lookupKey(issuerSession), at)
    },
    passwordDue: async (sub) =>
      (await database.get('SELECT since FROM passwords_due WHERE sub = ?', sub)) !== undefined,
  }
}

/** Within a transaction. */
export async function putPasswordDue(queries: Queries, sub: string, at: number): Promise<void> {
  await queries.run('INSERT INTO passwords_due (sub, since) VALUES (?, ?) ON CONFLICT (sub) DO NOTHING', sub, at)
}

/** What was authorized in a session, that of app passwords too. */
export async function gidsOfSession(queries: Queries, issuerSession: string): Promise<readonly string[]> {
  const sql = 'SELECT gid FROM session_authorizations WHERE issuer_session = ? ORDER BY gid'
  return (await queries.all(sql, issuerSession)).map((row) => text(row, 'gid'))
}

function sessionOf(row: Row): SessionRecord {
  return {
    id: text(row, 'key'),
    issuerSession: text(row, 'uid_key'),
    expiresAt: integer(row, 'expires_at'),
    browser: optionalText(row, 'browser'),
    address: optionalText(row, 'address'),
    createdAt: optionalInteger(row, 'created_at'),
    seenAt: optionalInteger(row, 'seen_at'),
  }
}
