import type { ClientRecord, Store } from '../store.ts'
import type { Database, Queries } from './database.ts'
import { fact, integer, object, oneOf, optionalText, type Row, strings, text } from './row.ts'

type Clients = Pick<Store, 'addClient' | 'client' | 'clients' | 'putClient' | 'deleteClient'>

const INSERT = 'INSERT INTO clients VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'
const UPSERT = `${INSERT} ON CONFLICT (id) DO UPDATE SET type = excluded.type, name = excluded.name,
  redirect_uris = excluded.redirect_uris, post_logout_redirect_uris = excluded.post_logout_redirect_uris,
  third_party = excluded.third_party, origin = excluded.origin, secret_hash = excluded.secret_hash,
  allow = excluded.allow, revoked = excluded.revoked, created_at = excluded.created_at, metadata = excluded.metadata`

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
    deleteClient: (id) =>
      database.write(async (queries) => {
        await queries.run('DELETE FROM consents WHERE client_id = ?', id)
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
  ]
}

function clientOf(row: Row): ClientRecord {
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
    createdAt: integer(row, 'created_at'),
    metadata: object(row, 'metadata'),
  }
}
