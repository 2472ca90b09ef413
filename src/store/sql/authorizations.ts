import type { AuthorizationRecord, ConsentRecord, Store } from '../store.ts'
import { touchAppPassword } from './app-passwords.ts'
import type { Database } from './database.ts'
import { fact, integer, optionalInteger, type Row, type SqlValue, strings, text, whereAll } from './row.ts'

type Authorizations = Pick<
  Store,
  'consents' | 'putConsents' | 'putAuthorization' | 'renewAuthorization' | 'authorizations' | 'touchAuthorizations'
>

const PUT_CONSENT = `INSERT INTO consents VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (sub, client_id, resource) DO UPDATE SET
  granted = excluded.granted, rejected = excluded.rejected, since = excluded.since`

// An authorization that has ended stays so: a request that was under way when it ended must not bring it back.
const PUT_AUTHORIZATION = `INSERT INTO authorizations VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (gid) DO UPDATE SET
  resources = excluded.resources, label = excluded.label,
  last_used_at = CASE WHEN coalesce(excluded.last_used_at, 0) > coalesce(authorizations.last_used_at, 0)
    THEN excluded.last_used_at ELSE authorizations.last_used_at END,
  ended = CASE WHEN authorizations.ended = 1 THEN 1 ELSE excluded.ended END`

const TOUCH = 'UPDATE authorizations SET last_used_at = ? WHERE gid = ? AND coalesce(last_used_at, 0) < ?'

/** Consents and authorizations. */
export function authorizationQueries(database: Database): Authorizations {
  return {
    consents: async (of) => {
      const where = whereAll({ sub: of.sub, client_id: of.clientId })
      const sql = `SELECT * FROM consents WHERE ${where.sql} ORDER BY sub, client_id, resource`
      return (await database.all(sql, ...where.values)).map(consentOf)
    },
    putConsents: (consents) =>
      database.write(async (queries) => {
        for (const consent of consents) await queries.run(PUT_CONSENT, ...consentColumns(consent))
      }),
    putAuthorization: async (authorization) => {
      await database.run(PUT_AUTHORIZATION, ...authorizationColumns(authorization))
    },
    renewAuthorization: async (gid, resources, at) => {
      const sql = `UPDATE authorizations SET resources = ?, last_used_at =
        CASE WHEN coalesce(last_used_at, 0) < ? THEN ? ELSE last_used_at END WHERE gid = ?`
      return (await database.run(sql, JSON.stringify(resources), at, at, gid)) === 1
    },
    authorizations: async (of) => {
      const where = whereAll({ sub: of.sub, client_id: of.clientId, gid: of.gid })
      const sql = `SELECT * FROM authorizations WHERE ${where.sql} ORDER BY created_at, gid`
      return (await database.all(sql, ...where.values)).map(authorizationOf)
    },
    touchAuthorizations: (lastUsed) =>
      database.write(async (queries) => {
        // In one order everywhere, so that two processes don't wait for each other.
        for (const [gid, at] of [...lastUsed].sort()) {
          await queries.run(TOUCH, at, gid, at)
          await touchAppPassword(queries, gid, at)
        }
      }),
  }
}

function consentColumns(consent: ConsentRecord): readonly SqlValue[] {
  return [
    consent.sub,
    consent.clientId,
    consent.resource,
    JSON.stringify(consent.granted),
    JSON.stringify(consent.rejected),
    consent.since,
  ]
}

function authorizationColumns(authorization: AuthorizationRecord): readonly SqlValue[] {
  return [
    authorization.gid,
    authorization.sub,
    authorization.clientId,
    JSON.stringify(authorization.resources),
    authorization.label,
    authorization.createdAt,
    authorization.lastUsedAt ?? null,
    Number(authorization.ended),
  ]
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

export function authorizationOf(row: Row): AuthorizationRecord {
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
