import { z } from 'zod'
import type { AuthorizationRecord } from '../../store/store.ts'
import type { AdminDependencies } from '../dependencies.ts'
import type { App } from './app.ts'
import { ALLOW } from './clients.ts'
import { cursorOf, keyOf, listOf, PAGE, TIME, timeOf, walk } from './page.ts'
import { subOf } from './person.ts'

/** A sign-in of one client for one person. */
const AUTHORIZATION = z.object({
  gid: z.string(),
  sub: z.string(),
  username: z.string().optional(),
  client: z.string(),
  resources: ALLOW,
  label: z.string(),
  since: TIME,
  last_used_at: TIME.optional(),
})

/** The answer of /authorizations. */
export const AUTHORIZATIONS = listOf(AUTHORIZATION)

const QUERY = z.strictObject({
  ...PAGE,
  person: z.string().max(256).optional(),
  client: z.string().max(2_048).optional(),
  resource: z.string().max(2_048).optional(),
  unused_since: z.iso.datetime({ offset: true }).optional(),
})

const REVOCATION = z.object({ id: z.number(), kind: z.string(), key: z.string(), since: TIME, until: TIME })

/** Operations that read authorizations and revocations. */
export function addAuthorizationReads(app: App, { store, now }: AdminDependencies): void {
  const access = { scope: 'r' } as const
  app.get(
    '/authorizations',
    { config: { access }, schema: { querystring: QUERY, response: { 200: AUTHORIZATIONS } } },
    async ({ query }) => {
      const of = { sub: await subOf(store, query.person), clientId: query.client }
      const { items, ...rest } = await walk<AuthorizationRecord, string>({
        from: query.cursor === undefined ? '' : keyOf(query.cursor, 'string'),
        limit: query.limit,
        read: (after, limit) => store.authorizationsAfter(of, after, limit),
        keyOf: ({ gid }) => gid,
        fits: (authorization) => !authorization.ended && matches(authorization, query),
      })
      return { items: await Promise.all(items.map((each) => shown(store, each))), ...rest }
    },
  )
  app.get(
    '/revocations',
    {
      config: { access },
      schema: { querystring: z.strictObject(PAGE), response: { 200: listOf(REVOCATION) } },
    },
    async ({ query }) => {
      const after = query.cursor === undefined ? 0 : keyOf(query.cursor, 'number')
      const entries = await store.revocationsAfter(after, now() / 1_000, query.limit + 1)
      const items = entries.slice(0, query.limit)
      const last = items.at(-1)
      const next = entries.length > items.length && last !== undefined ? { next: cursorOf(last.id) } : {}
      return { items: items.map(shownRevocation), ...next }
    },
  )
}

function shownRevocation({
  id,
  kind,
  key,
  notBeforeMs,
  expiresAt,
}: {
  readonly id: number
  readonly kind: string
  readonly key: string
  readonly notBeforeMs: number
  readonly expiresAt: number
}): z.output<typeof REVOCATION> {
  return { id, kind, key, since: timeOf(notBeforeMs / 1_000), until: timeOf(expiresAt) }
}

async function shown(
  store: AdminDependencies['store'],
  record: AuthorizationRecord,
): Promise<z.output<typeof AUTHORIZATION>> {
  const user = await store.userBySub(record.sub)
  return {
    gid: record.gid,
    sub: record.sub,
    ...(user === undefined ? {} : { username: user.username }),
    client: record.clientId,
    resources: Object.fromEntries(Object.entries(record.resources).map(([name, scopes]) => [name, [...scopes]])),
    label: record.label,
    since: timeOf(record.createdAt),
    ...(record.lastUsedAt === undefined ? {} : { last_used_at: timeOf(record.lastUsedAt) }),
  }
}

function matches(
  { resources, createdAt, lastUsedAt }: AuthorizationRecord,
  { resource, unused_since: since }: z.output<typeof QUERY>,
): boolean {
  if (resource !== undefined && !Object.hasOwn(resources, resource)) return false
  return since === undefined || (lastUsedAt ?? createdAt) < Date.parse(since) / 1_000
}
