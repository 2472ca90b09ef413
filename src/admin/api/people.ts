import { z } from 'zod'
import { grantableScopes, groupsThatGive, type Resource } from '../../core/resource.ts'
import type { AuditRecord, SessionRecord, UserRecord } from '../../store/store.ts'
import type { AdminDependencies } from '../dependencies.ts'
import { nextSlice } from '../pace.ts'
import { tagOf } from '../problem.ts'
import type { App } from './app.ts'
import { MOST_COUNTED } from './clients.ts'
import { FACTOR, factorsOf } from './factors.ts'
import { keyOf, listOf, PAGE, pageOf, TIME, timeOf, walk } from './page.ts'
import { personOf, SUB } from './person.ts'

/** What one resource gives somebody, and by which of their groups. */
export const GIVES = z.object({
  resource: z.string(),
  name: z.string(),
  scopes: z.array(z.object({ scope: z.string(), by: z.array(z.string()) })),
})

/** A person as the API shows one. */
export const PERSON = z.object({
  sub: z.string(),
  username: z.string(),
  name: z.string().optional(),
  email: z.string().optional(),
  groups: z.array(z.string()),
  state: z.enum(['active', 'disabled']),
  created_at: TIME,
})

/** The answer of /people. */
export const PEOPLE = listOf(PERSON)

/** A person with all that the page of one shows. */
export const PERSON_DETAIL = PERSON.extend({
  gives: z.array(GIVES),
  factors: z.array(FACTOR),
  counts: z.object({ authorizations: z.number(), sessions: z.number() }),
  sign_ins: z.array(z.object({ at: TIME, event: z.string(), address: z.string().optional() })),
  links: z
    .array(
      z.object({
        id: z.string(),
        kind: z.enum(['invite', 'recover']),
        by: z.string(),
        maker: z.string().optional(),
        expires_at: TIME,
      }),
    )
    .describe('One-time links that are open.'),
})

export function shownPerson(user: UserRecord): z.output<typeof PERSON> {
  return {
    sub: user.sub,
    username: user.username,
    ...(user.displayName === undefined ? {} : { name: user.displayName }),
    ...(user.email === undefined ? {} : { email: user.email }),
    groups: [...user.groups],
    state: user.disabled ? 'disabled' : 'active',
    created_at: timeOf(user.createdAt),
  }
}

/** What these groups give, resource by resource. */
export function givesOf(resources: readonly Resource[], groups: readonly string[]): z.output<typeof GIVES>[] {
  return resources.flatMap((resource) => {
    const scopes = grantableScopes(resource, groups).map((scope) => ({
      scope,
      by: groupsThatGive(resource, scope).filter((group) => groups.includes(group)),
    }))
    return scopes.length === 0 ? [] : [{ resource: resource.identifier, name: resource.name, scopes }]
  })
}

async function personDetail(
  { store, view, now }: AdminDependencies,
  user: UserRecord,
): Promise<z.output<typeof PERSON_DETAIL>> {
  const [authorizations, sessions, factors, signIns, links] = await Promise.all([
    store.countAuthorizations({ sub: user.sub }, MOST_COUNTED),
    store.sessions(user.sub),
    factorsOf(store, user),
    signInsOf(store, user.sub),
    store.openLinks(user.sub, Math.floor(now() / 1_000)),
  ])
  return {
    ...shownPerson(user),
    gives: givesOf(view().resources, user.groups),
    factors,
    counts: { authorizations, sessions: sessions.length },
    sign_ins: signIns.map(({ at, event, detail }) => ({
      at: timeOf(at),
      event,
      ...(typeof detail.address === 'string' ? { address: detail.address } : {}),
    })),
    links: await Promise.all(
      links.map(async ({ id, kind, madeBy, expiresAt }) => {
        const maker = (await store.userBySub(madeBy))?.username
        return { id, kind, by: madeBy, ...(maker === undefined ? {} : { maker }), expires_at: timeOf(expiresAt) }
      }),
    ),
  }
}

const MOST_SIGN_INS = 20
const LINES = 200
const MOST_PAGES = 5

/** The last sign-ins, however often others have tried meanwhile; the newest first. */
async function signInsOf(store: AdminDependencies['store'], sub: string): Promise<readonly AuditRecord[]> {
  const found: AuditRecord[] = []
  let before = Number.MAX_SAFE_INTEGER
  for (let page = 0; page < MOST_PAGES && found.length < MOST_SIGN_INS; page += 1) {
    await nextSlice()
    const lines = await store.auditsBy('sub', sub, before, LINES)
    found.push(...lines.filter(({ event }) => event === 'login.success'))
    if (lines.length < LINES) break
    before = lines.at(-1)?.id ?? 0
  }
  return found.slice(0, MOST_SIGN_INS)
}

const QUERY = z.strictObject({
  ...PAGE,
  q: z.string().max(128).optional().describe('Part of the user name, name or mail address.'),
  group: z.string().max(64).optional(),
  state: z.enum(['active', 'disabled']).optional(),
})

/** A browser that somebody is signed in with; what was not noted is left out. */
const SESSION = z.object({
  id: z.string(),
  browser: z.string().optional(),
  address: z.string().optional(),
  since: TIME.optional(),
  seen: TIME.optional(),
  until: TIME,
})

/** The answer of a person's sessions. */
export const SESSIONS = listOf(SESSION)

/** Operations that read people and groups. */
export function addPeopleReads(app: App, dependencies: AdminDependencies): void {
  const { store } = dependencies
  const access = { scope: 'r' } as const
  app.get(
    '/people',
    { config: { access }, schema: { querystring: QUERY, response: { 200: PEOPLE } } },
    async ({ query }) => {
      const { items, ...rest } = await walk<UserRecord, string>({
        from: query.cursor === undefined ? '' : keyOf(query.cursor, 'string'),
        limit: query.limit,
        read: (after, limit) => store.usersAfter(after, limit),
        keyOf: ({ username }) => username,
        fits: (user) => matches(user, query),
      })
      return { items: items.map(shownPerson), ...rest }
    },
  )
  app.get(
    '/people/:sub',
    { config: { access }, schema: { params: SUB, response: { 200: PERSON_DETAIL } } },
    async ({ params }, reply) => {
      const user = await personOf(store, params.sub)
      reply.header('ETag', tagOf(user))
      return personDetail(dependencies, user)
    },
  )
  app.get(
    '/people/:sub/sessions',
    {
      config: { access },
      schema: { params: SUB, querystring: z.strictObject(PAGE), response: { 200: SESSIONS } },
    },
    async ({ params, query }) => {
      const user = await personOf(store, params.sub)
      const sessions = (await store.sessions(user.sub)).toSorted((a, b) => (a.id < b.id ? -1 : 1))
      const { items, ...rest } = pageOf(sessions, ({ id }) => id, query)
      return { items: items.map(shownSession), ...rest }
    },
  )
}

function shownSession({ id, browser, address, createdAt, seenAt, expiresAt }: SessionRecord): z.output<typeof SESSION> {
  return {
    id,
    ...(browser === undefined ? {} : { browser }),
    ...(address === undefined ? {} : { address }),
    ...(createdAt === undefined ? {} : { since: timeOf(createdAt) }),
    ...(seenAt === undefined ? {} : { seen: timeOf(seenAt) }),
    until: timeOf(expiresAt),
  }
}

function matches(user: UserRecord, { q, group, state }: z.output<typeof QUERY>): boolean {
  if (group !== undefined && !user.groups.includes(group)) return false
  if (state !== undefined && user.disabled !== (state === 'disabled')) return false
  if (q === undefined) return true
  const text = [user.username, user.displayName, user.email].filter((each) => each !== undefined).join('\n')
  return text.normalize('NFKC').toLowerCase().includes(q.normalize('NFKC').toLowerCase())
}
