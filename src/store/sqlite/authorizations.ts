import type { AuthorizationRecord, ConsentRecord, Store } from '../store.ts'
import type { Database } from './database.ts'
import { fact, integer, optionalInteger, type Row, strings, text, whereAll } from './row.ts'

type Authorizations = Pick<
  Store,
  'consents' | 'putConsents' | 'putAuthorization' | 'authorizations' | 'touchAuthorizations'
>

const PUT_CONSENT = `INSERT INTO consents VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
  granted = excluded.granted, rejected = excluded.rejected, since = excluded.since`

// An authorization that has ended stays so: a request that was under way when it ended must not bring it back.
const PUT_AUTHORIZATION = `INSERT INTO authorizations VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
  resources = excluded.resources, label = excluded.label,
  last_used_at = max(coalesce(last_used_at, 0), coalesce(excluded.last_used_at, last_used_at, 0)),
  ended = max(ended, excluded.ended)`

/** Consents and authorizations in SQLite. */
export function sqliteAuthorizations(database: Database): Authorizations {
  return {
    consents: (of) =>
      database.read(() => {
        const where = whereAll({ sub: of.sub, client_id: of.clientId })
        const sql = `SELECT * FROM consents WHERE ${where.sql} ORDER BY sub, client_id, resource`
        return database.all(sql, ...where.values).map(consentOf)
      }),
    putConsents: (consents) =>
      database.write(() => {
        for (const consent of consents) putConsent(database, consent)
      }),
    putAuthorization: (authorization) => database.write(() => putAuthorization(database, authorization)),
    authorizations: (of) =>
      database.read(() => {
        const where = whereAll({ sub: of.sub, client_id: of.clientId, gid: of.gid })
        const sql = `SELECT * FROM authorizations WHERE ${where.sql} ORDER BY created_at, gid`
        return database.all(sql, ...where.values).map(authorizationOf)
      }),
    touchAuthorizations: (lastUsed) =>
      database.write(() => {
        const sql = 'UPDATE authorizations SET last_used_at = max(coalesce(last_used_at, 0), ?) WHERE gid = ?'
        for (const [gid, at] of lastUsed) database.run(sql, at, gid)
      }),
  }
}

function putConsent(database: Database, consent: ConsentRecord): void {
  database.run(
    PUT_CONSENT,
    consent.sub,
    consent.clientId,
    consent.resource,
    JSON.stringify(consent.granted),
    JSON.stringify(consent.rejected),
    consent.since,
  )
}

function putAuthorization(database: Database, authorization: AuthorizationRecord): void {
  database.run(
    PUT_AUTHORIZATION,
    authorization.gid,
    authorization.sub,
    authorization.clientId,
    JSON.stringify(authorization.resources),
    authorization.label,
    authorization.createdAt,
    authorization.lastUsedAt ?? null,
    Number(authorization.ended),
  )
}

function consentOf(row: Row): ConsentRecord {
  return {
    sub: text(row, 'sub'),
    clientId: text(row, 'client_id'),
    resource: text(row, 'resource'),
    granted: strings(row, 'granted'),
    rejected: strings(row, 'rejected'),
    since: integer(row, 'since'),
  }
}

function authorizationOf(row: Row): AuthorizationRecord {
  const resources: AuthorizationRecord['resources'] = JSON.parse(text(row, 'resources'))
  const lastUsedAt = optionalInteger(row, 'last_used_at')
  return {
    gid: text(row, 'gid'),
    sub: text(row, 'sub'),
    clientId: text(row, 'client_id'),
    resources,
    label: text(row, 'label'),
    createdAt: integer(row, 'created_at'),
    lastUsedAt: lastUsedAt === 0 ? undefined : lastUsedAt,
    ended: fact(row, 'ended'),
  }
}
