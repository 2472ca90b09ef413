import { isDeepStrictEqual } from 'node:util'
import type { ClientRecord, Store } from '../store.ts'
import type { Database, Queries } from './database.ts'
import { clientLock } from './locks.ts'
import { fact, integer, object, oneOf, optionalText, type Row, strings, text } from './row.ts'

type Clients = Pick<
  Store,
  'addClient' | 'client' | 'clients' | 'putClient' | 'replaceClient' | 'reapClients' | 'deleteClient'
>

const INSERT = `INSERT INTO clients (id, type, name, redirect_uris, post_logout_redirect_uris, third_party, origin, secret_hash,
  allow, revoked, created_at, metadata, step_up) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
const UPSERT = `${INSERT} ON CONFLICT (id) DO UPDATE SET type = excluded.type, name = excluded.name,
  redirect_uris = excluded.redirect_uris, post_logout_redirect_uris = excluded.post_logout_redirect_uris,
  third_party = excluded.third_party, origin = excluded.origin, secret_hash = excluded.secret_hash,
  allow = excluded.allow, revoked = excluded.revoked, created_at = excluded.created_at, metadata = excluded.metadata,
  step_up = excluded.step_up`

// Never an insertion: one that is deleted, or forgotten, meanwhile does not come back.
const REPLACE = `UPDATE clients SET type = ?, name = ?, redirect_uris = ?, post_logout_redirect_uris = ?, third_party = ?, origin = ?,
  secret_hash = ?, allow = ?, revoked = ?, created_at = ?, metadata = ?, step_up = ? WHERE id = ?`

/** Rows of one statement: short enough that no request waits for it. */
const BATCH = 500
const IN_USE = `(EXISTS (SELECT 1 FROM consents WHERE consents.client_id = clients.id)
  OR EXISTS (SELECT 1 FROM authorizations WHERE authorizations.client_id = clients.id))`
const NOTE_USE = `UPDATE clients SET used_at = ? WHERE id IN (SELECT id FROM clients
  WHERE origin = 'registration' AND id > ? AND id <= ? AND ${IN_USE})`
// A revoked one stays: forgotten, it could be registered again.
const REAP = `DELETE FROM clients WHERE origin = 'registration' AND revoked = 0 AND id > ? AND id <= ? AND created_at <= ?
  AND (used_at IS NULL OR used_at <= ?) AND NOT ${IN_USE}`
const STRETCH = 'SELECT max(id) AS last FROM (SELECT id FROM clients WHERE id > ? ORDER BY id LIMIT ?) AS stretch'

/** Stretch by stretch, each a transaction of its own. */
async function reapClients(
  database: Database,
  now: number,
  registeredBefore: number,
  usedBefore: number,
): Promise<number> {
  let reaped = 0
  for (let after = ''; ; ) {
    const row = await database.get(STRETCH, after, BATCH)
    const last = row === undefined ? undefined : optionalText(row, 'last')
    if (last === undefined) return reaped
    const from = after
    reaped += await database.write(async (queries) => {
      await queries.run(NOTE_USE, now, from, last)
      return queries.run(REAP, from, last, registeredBefore, usedBefore)
    })
    after = last
    // Lets requests that wait go first.
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Registered clients. */
export function clientQueries(database: Database): Clients {
  return {
    addClient: async (client) => {
      const added = await database.run(`${INSERT} ON CONFLICT DO NOTHING`, ...columnsOf(client))
      return added === 1 ? 'added' : 'exists'
    },
    client: async (id) => {
      const row = await database.get('SELECT * FROM clients WHERE id = ?', id)
      return row === undefined ? undefined : clientOf(row)
    },
    clients: async () => (await database.all('SELECT * FROM clients ORDER BY id')).map(clientOf),
    putClient: async (client) => {
      await database.run(UPSERT, ...columnsOf(client))
    },
    replaceClient: (before, client) =>
      database.write(async (transaction) => {
        await transaction.lock('exclusive', [clientLock(before.id)])
        const row = await transaction.get('SELECT * FROM clients WHERE id = ?', before.id)
        if (row === undefined || !isDeepStrictEqual(columnsOf(clientOf(row)), columnsOf(before))) return false
        const [, ...columns] = columnsOf(client)
        return (await transaction.run(REPLACE, ...columns, before.id)) === 1
      }),
    reapClients: (now, registeredBefore, usedBefore) => reapClients(database, now, registeredBefore, usedBefore),
    deleteClient: (id) =>
      database.write(async (queries) => {
        await queries.run('DELETE FROM consents WHERE client_id = ?', id)
        await queries.run('DELETE FROM secret_uses WHERE client_id = ?', id)
        return (await queries.run('DELETE FROM clients WHERE id = ?', id)) === 1
      }),
  }
}

/** Within a transaction; false when there is no such client. */
export async function setClientRevoked(queries: Queries, id: string, revoked: boolean): Promise<boolean> {
  return (await queries.run('UPDATE clients SET revoked = ? WHERE id = ?', Number(revoked), id)) === 1
}

function columnsOf(client: ClientRecord): (string | number | null)[] {
  return [
    client.id,
    client.type,
    client.name,
    JSON.stringify(client.redirectUris),
    JSON.stringify(client.postLogoutRedirectUris),
    Number(client.thirdParty),
    client.origin,
    client.secretHash ?? null,
    JSON.stringify(client.allow),
    Number(client.revoked),
    client.createdAt,
    JSON.stringify(client.metadata),
    client.stepUp ?? null,
  ]
}

export function clientOf(row: Row): ClientRecord {
  const allow: ClientRecord['allow'] = JSON.parse(text(row, 'allow'))
  return {
    id: text(row, 'id'),
    type: oneOf(row, 'type', ['native', 'spa', 'web', 'service']),
    name: text(row, 'name'),
    redirectUris: strings(row, 'redirect_uris'),
    postLogoutRedirectUris: strings(row, 'post_logout_redirect_uris'),
    thirdParty: fact(row, 'third_party'),
    origin: oneOf(row, 'origin', ['operator', 'registration', 'document']),
    secretHash: optionalText(row, 'secret_hash'),
    allow,
    revoked: fact(row, 'revoked'),
    ...(optionalText(row, 'step_up') === 'reauthorize' && { stepUp: 'reauthorize' }),
    createdAt: integer(row, 'created_at'),
    metadata: object(row, 'metadata'),
  }
}
