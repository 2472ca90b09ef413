import type { ProviderSignIn, ProviderStore } from '../provider-store.ts'
import { lookupKey } from '../sealed-payload.ts'
import type { Database } from './database.ts'
import { fact, integer, optionalInteger, optionalText, type Row, type SqlValue, text, whereAll } from './row.ts'

type SignIns = Pick<
  ProviderStore,
  | 'addProviderSignIn'
  | 'providerSignIn'
  | 'providerSignIns'
  | 'foreignProviderSignIns'
  | 'signInOfSession'
  | 'signInOfAuthorization'
  | 'bindSession'
  | 'bindAuthorization'
  | 'authorizationsOfSignIn'
>
type Asking = Pick<
  ProviderStore,
  | 'claimSignIn'
  | 'releaseSignIn'
  | 'keepTokens'
  | 'noteAnswer'
  | 'makeDue'
  | 'clearDue'
  | 'waitingSignIns'
  | 'abandonedSignIns'
  | 'oldestAsked'
>

/** Something that would come back if nobody asked: a browser session, an authorization, or an app password. */
const SESSION = `EXISTS (SELECT 1 FROM models WHERE model = 'Session' AND uid_key = session_key AND expires_at > ?)`
const AUTHORIZATION = `EXISTS (SELECT 1 FROM provider_authorizations p JOIN authorizations a ON a.gid = p.gid
  WHERE p.sign_in = provider_sign_ins.id AND a.ended = 0`
const APP_PASSWORD = `EXISTS (SELECT 1 FROM provider_authorizations p JOIN app_passwords w ON w.gid = p.gid
  WHERE p.sign_in = provider_sign_ins.id`
/** As long as an interaction may wait for its person. */
const UNUSED_SECONDS = 900

/** Sign-ins by a provider, and what came from them. */
export function providerSignInQueries(database: Database): SignIns & Asking {
  return { ...signIns(database), ...asking(database) }
}

function signIns(database: Database): SignIns {
  const one = async (where: string, value: string): Promise<ProviderSignIn | undefined> => {
    const sql = `SELECT * FROM provider_sign_ins WHERE ${where} ORDER BY created_at DESC, id LIMIT 1`
    const row = await database.get(sql, value)
    return row === undefined ? undefined : signInOf(row)
  }
  return {
    addProviderSignIn: (signIn) => insert(database, signIn),
    providerSignIn: (id) => one('id = ?', id),
    providerSignIns: async (of) => {
      const where = whereAll({ issuer: of.issuer, person: of.person, sid: of.sid })
      const sql = `SELECT * FROM provider_sign_ins WHERE ended = 0 AND ${where.sql} ORDER BY created_at, id`
      return (await database.all(sql, ...where.values)).map(signInOf)
    },
    foreignProviderSignIns: async (issuers, limit) => {
      const none = issuers.map(() => ' AND issuer <> ?').join('')
      const sql = `SELECT * FROM provider_sign_ins WHERE ended = 0${none} LIMIT ?`
      return (await database.all(sql, ...issuers, limit)).map(signInOf)
    },
    signInOfSession: (uid) => one('session_key = ?', lookupKey(uid)),
    signInOfAuthorization: (gid) => one('id = (SELECT sign_in FROM provider_authorizations WHERE gid = ?)', gid),
    bindSession: (uid, id) =>
      database.write(async (queries) => {
        const key = lookupKey(uid)
        const others = 'UPDATE provider_sign_ins SET session_key = NULL WHERE session_key = ? AND id <> ?'
        await queries.run(others, key, id ?? '')
        if (id === undefined) return
        await queries.run('UPDATE provider_sign_ins SET session_key = ? WHERE id = ?', key, id)
      }),
    bindAuthorization: async (gid, clientId, id) => {
      const sql =
        'INSERT INTO provider_authorizations (gid, client_id, sign_in) VALUES (?, ?, ?) ON CONFLICT DO NOTHING'
      await database.run(sql, gid, clientId, id)
    },
    authorizationsOfSignIn: async (id) => {
      const sql = `SELECT gid, client_id FROM provider_authorizations p WHERE sign_in = ?
        AND NOT EXISTS (SELECT 1 FROM authorizations a WHERE a.gid = p.gid AND a.ended = 1)
        AND (EXISTS (SELECT 1 FROM models m WHERE m.gid = p.gid)
          OR EXISTS (SELECT 1 FROM authorizations a WHERE a.gid = p.gid)
          OR EXISTS (SELECT 1 FROM app_passwords w WHERE w.gid = p.gid))`
      const rows = await database.all(sql, id)
      return rows.map((row) => ({ gid: text(row, 'gid'), clientId: text(row, 'client_id') }))
    },
  }
}

function asking(database: Database): Asking {
  const set = async (sql: string, ...values: readonly SqlValue[]): Promise<void> => {
    await database.run(sql, ...values)
  }
  const ids = async (sql: string, ...values: readonly SqlValue[]): Promise<readonly string[]> =>
    (await database.all(sql, ...values)).map((row) => text(row, 'id'))
  return {
    claimSignIn: async (id, nowMs, untilMs) => {
      const sql = 'UPDATE provider_sign_ins SET claimed_until_ms = ? WHERE id = ? AND claimed_until_ms <= ?'
      return (await database.run(sql, untilMs, id, nowMs)) === 1
    },
    releaseSignIn: (id) => set('UPDATE provider_sign_ins SET claimed_until_ms = 0 WHERE id = ?', id),
    keepTokens: (id, sealed) => set('UPDATE provider_sign_ins SET sealed = ? WHERE id = ? AND ended = 0', sealed, id),
    noteAnswer: (id, { sealed, askedAtMs, endsAtMs }) =>
      set(
        `UPDATE provider_sign_ins SET sealed = ?, asked_at_ms = ?, ends_at_ms = ?,
          due_at_ms = CASE WHEN due_at_ms > ? THEN due_at_ms ELSE NULL END
          WHERE id = ? AND ended = 0 AND asked_at_ms <= ?`,
        sealed,
        askedAtMs,
        endsAtMs ?? null,
        askedAtMs,
        id,
        askedAtMs,
      ),
    makeDue: (all, atMs) =>
      database.write(async (queries) => {
        const sql = 'UPDATE provider_sign_ins SET due_at_ms = ? WHERE id = ? AND ended = 0'
        for (const id of all) await queries.run(sql, atMs, id)
      }),
    clearDue: (id, dueAtMs) =>
      set('UPDATE provider_sign_ins SET due_at_ms = NULL WHERE id = ? AND due_at_ms = ?', id, dueAtMs),
    waitingSignIns: ({ nowMs, askedBeforeMs, usedSince, issuer, limit }) => {
      const of = whereAll({ issuer })
      const sql = `SELECT id FROM provider_sign_ins WHERE ended = 0 AND ${of.sql} AND (due_at_ms <= ? OR ends_at_ms <= ?
        OR (asked_at_ms < ? AND (${SESSION} OR ${AUTHORIZATION} AND a.last_used_at >= ?)
          OR ${APP_PASSWORD} AND w.last_used_at >= ?))))
        ORDER BY CASE WHEN due_at_ms <= ? THEN 0 ELSE 1 END, asked_at_ms LIMIT ?`
      return ids(sql, ...of.values, nowMs, nowMs, askedBeforeMs, nowMs / 1000, usedSince, usedSince, nowMs, limit)
    },
    abandonedSignIns: (nowMs, limit) => {
      const sql = `SELECT id FROM provider_sign_ins WHERE ended = 0 AND created_at < ? AND NOT ${SESSION}
        AND NOT ${AUTHORIZATION}) AND NOT ${APP_PASSWORD}) AND NOT EXISTS (SELECT 1 FROM provider_authorizations p JOIN models m ON m.gid = p.gid
          WHERE p.sign_in = provider_sign_ins.id) LIMIT ?`
      return ids(sql, nowMs / 1000 - UNUSED_SECONDS, nowMs / 1000, limit)
    },
    oldestAsked: async (nowMs) => {
      const sql = `SELECT provider, min(asked_at_ms) AS oldest FROM provider_sign_ins
        WHERE ended = 0 AND (${SESSION} OR ${AUTHORIZATION}) OR ${APP_PASSWORD})) GROUP BY provider`
      const rows = await database.all(sql, nowMs / 1000)
      return new Map(rows.map((row) => [text(row, 'provider'), integer(row, 'oldest')]))
    },
  }
}

async function insert(database: Database, signIn: ProviderSignIn): Promise<void> {
  await database.run(
    `INSERT INTO provider_sign_ins (id, provider, issuer, person, sub, sid, session_key, sealed, asked_at_ms, ends_at_ms,
      due_at_ms, claimed_until_ms, ended, created_at) VALUES (?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, ?, 0, ?, ?)`,
    signIn.id,
    signIn.provider,
    signIn.issuer,
    signIn.person,
    signIn.sub,
    signIn.sid ?? null,
    signIn.sealed,
    signIn.askedAtMs,
    signIn.endsAtMs ?? null,
    signIn.dueAtMs ?? null,
    Number(signIn.ended),
    signIn.createdAt,
  )
}

function signInOf(row: Row): ProviderSignIn {
  return {
    id: text(row, 'id'),
    provider: text(row, 'provider'),
    issuer: text(row, 'issuer'),
    person: text(row, 'person'),
    sub: text(row, 'sub'),
    sid: optionalText(row, 'sid'),
    sealed: text(row, 'sealed'),
    askedAtMs: integer(row, 'asked_at_ms'),
    endsAtMs: optionalInteger(row, 'ends_at_ms'),
    dueAtMs: optionalInteger(row, 'due_at_ms'),
    ended: fact(row, 'ended'),
    createdAt: integer(row, 'created_at'),
  }
}
