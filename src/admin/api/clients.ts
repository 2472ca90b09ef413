import { z } from 'zod'
import type { AuthorizationRecord, ClientRecord } from '../../store/store.ts'
import type { AdminDependencies } from '../dependencies.ts'
import { nextSlice } from '../pace.ts'
import { notFound, tagOf } from '../problem.ts'
import type { App } from './app.ts'
import { keyOf, listOf, PAGE, TIME, timeOf, walk } from './page.ts'

/** `{resource: [scopes]}`. */
export const ALLOW = z.record(z.string(), z.array(z.string()))
export const STEP_UP = z
  .enum(['keep', 'reauthorize'])
  .describe('What a refresh gets while a better sign-in is wanted: tokens, or `invalid_grant`.')
export const CLIENT_TYPE = z.enum(['native', 'spa', 'web', 'service'])

/** A client as the API shows one. */
export const CLIENT = z.object({
  id: z.string(),
  type: CLIENT_TYPE,
  name: z.string(),
  redirect_uris: z.array(z.string()),
  third_party: z.boolean(),
  origin: z.enum(['operator', 'registration', 'document', 'built_in']),
  allow: ALLOW,
  step_up: STEP_UP,
  state: z.enum(['active', 'revoked']),
  created_at: TIME,
})

/** The answer of /clients. */
export const CLIENTS = listOf(CLIENT)

/** A client with its secrets, and how much it has. */
export const CLIENT_DETAIL = CLIENT.extend({
  secrets: z.array(z.object({ id: z.string(), created_at: TIME, last_used_at: TIME.optional() })),
  counts: z.object({ authorizations: z.number() }),
})

/** What there is more of is not counted. */
export const MOST_COUNTED = 10_000

/** Clients that the gateway keeps for itself. */
export const BUILT_IN: ReadonlySet<string> = new Set(['audgate-admin'])

export function shownClient(client: ClientRecord): z.output<typeof CLIENT> {
  return {
    id: client.id,
    type: client.type,
    name: client.name,
    redirect_uris: [...client.redirectUris],
    third_party: client.thirdParty,
    origin: BUILT_IN.has(client.id) ? 'built_in' : client.origin,
    allow: Object.fromEntries(client.allow.map(({ resource, scopes }) => [resource, [...scopes]])),
    step_up: client.stepUp ?? 'keep',
    state: client.revoked ? 'revoked' : 'active',
    created_at: timeOf(client.createdAt),
  }
}

async function clientDetail(
  { store, issuer }: Pick<AdminDependencies, 'store' | 'issuer'>,
  client: ClientRecord,
): Promise<z.output<typeof CLIENT_DETAIL>> {
  const authorizations = await store.countAuthorizations({ clientId: client.id }, MOST_COUNTED)
  const secrets = (await issuer.secretsOf(client)).map(({ id, createdAt, lastUsedAt }) => ({
    id,
    created_at: timeOf(createdAt),
    ...(lastUsedAt === undefined ? {} : { last_used_at: timeOf(lastUsedAt) }),
  }))
  return {
    ...shownClient(client),
    secrets,
    counts: { authorizations },
  }
}

export async function clientOf(store: AdminDependencies['store'], id: string): Promise<ClientRecord> {
  const client = await store.client(id)
  if (client === undefined) throw notFound('client')
  return client
}

export const CLIENT_ID = z.strictObject({ id: z.string().max(2_048) })

const QUERY = z.strictObject({
  ...PAGE,
  q: z.string().max(128).optional().describe('Part of the id or the name.'),
  type: CLIENT_TYPE.optional(),
  state: z.enum(['active', 'revoked']).optional(),
  origin: z.enum(['operator', 'registration', 'document', 'built_in']).optional(),
  unused_since: z.iso.datetime({ offset: true }).optional(),
})

/** Operations that read clients. */
export function addClientReads(app: App, dependencies: AdminDependencies): void {
  const { store } = dependencies
  const access = { scope: 'r' } as const
  app.get(
    '/clients',
    { config: { access }, schema: { querystring: QUERY, response: { 200: CLIENTS } } },
    async ({ query }) => {
      const { items, ...rest } = await walk<ClientRecord, string>({
        from: query.cursor === undefined ? '' : keyOf(query.cursor, 'string'),
        limit: query.limit,
        read: (after, limit) => store.clientsAfter(after, limit),
        keyOf: ({ id }) => id,
        fits: (client) => matches(client, query),
      })
      const before = query.unused_since === undefined ? undefined : Date.parse(query.unused_since) / 1_000
      const kept = before === undefined ? items : await unused(dependencies, items, before)
      return { items: kept.map(shownClient), ...rest }
    },
  )
  app.get(
    '/clients/:id',
    { config: { access }, schema: { params: CLIENT_ID, response: { 200: CLIENT_DETAIL } } },
    async ({ params }, reply) => {
      const client = await clientOf(store, params.id)
      reply.header('ETag', tagOf(client))
      return clientDetail(dependencies, client)
    },
  )
}

function matches(client: ClientRecord, { q, type, state, origin }: z.output<typeof QUERY>): boolean {
  const shown = shownClient(client)
  if (type !== undefined && shown.type !== type) return false
  if (state !== undefined && shown.state !== state) return false
  if (origin !== undefined && shown.origin !== origin) return false
  return q === undefined || `${client.id}\n${client.name}`.toLowerCase().includes(q.toLowerCase())
}

async function unused(
  { store }: AdminDependencies,
  clients: readonly ClientRecord[],
  before: number,
): Promise<readonly ClientRecord[]> {
  const kept: ClientRecord[] = []
  for (const client of clients) {
    if (client.createdAt < before && !(await isUsed(store, client.id, before))) kept.push(client)
  }
  return kept
}

const SLICE = 500

/** Whether any of its authorizations was used since then. */
async function isUsed(store: AdminDependencies['store'], clientId: string, since: number): Promise<boolean> {
  for (let after: string | undefined = ''; after !== undefined; ) {
    await nextSlice()
    const rows: readonly AuthorizationRecord[] = await store.authorizationsAfter({ clientId }, after, SLICE)
    if (rows.some(({ createdAt, lastUsedAt }) => (lastUsedAt ?? createdAt) >= since)) return true
    after = rows.length < SLICE ? undefined : rows.at(-1)?.gid
  }
  return false
}
