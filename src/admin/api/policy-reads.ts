import { z } from 'zod'
import { LEVELS } from '../../core/levels.ts'
import { groupsThatGive, type Resource, type Scope } from '../../core/resource.ts'
import { type MethodSet, methodsIn, type Route, type Rule } from '../../core/route.ts'
import type { AdminDependencies } from '../dependencies.ts'
import { notFound } from '../problem.ts'
import type { App } from './app.ts'
import { listOf, PAGE, pageOf } from './page.ts'

const RULE = z.object({
  methods: z.array(z.string()),
  paths: z.array(z.string()).describe('Relative to the path of the route; empty: all.'),
  scopes: z.array(z.string()),
  groups: z.array(z.object({ scope: z.string(), groups: z.array(z.string()) })).describe('Who may have each scope.'),
  acr: z.enum(LEVELS).optional().describe('How one has to have signed in, at least.'),
  max_age: z.number().optional().describe('How long ago, in seconds.'),
})

/** A route as the API shows one: never a value of `set_headers`. */
export const ROUTE = z.object({
  id: z.string(),
  line: z.number().optional().describe('Where it stands in the file.'),
  host: z.string().optional(),
  path: z.string(),
  access: z.enum(['public', 'protected']),
  resource: z.string().optional(),
  public_paths: z.array(z.string()).describe('Open without a token, to `public_methods`.'),
  public_methods: z.array(z.string()),
  rules: z.array(RULE).describe('In file order; the first that matches decides, and what none matches is refused.'),
  upstreams: z.array(z.object({ url: z.string(), state: z.enum(['up', 'down', 'unknown']) })),
  identity: z.string(),
  credentials: z.array(z.string()),
  set_headers: z.array(z.object({ name: z.string(), value: z.literal('••••') })),
  strip_headers: z.array(z.string()),
  timeouts: z.object({ connect_ms: z.number(), response_headers_ms: z.number(), idle_ms: z.number() }),
  max_body: z.number().optional(),
})

/** The answer of /routes. */
export const ROUTES = listOf(ROUTE)

const RESOURCE = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.object({ scope: z.string(), words: z.string(), groups: z.array(z.string()) })),
  grants: z.array(z.object({ groups: z.array(z.string()), scopes: z.array(z.string()) })),
  issuers: z.array(z.string()),
  accept_audiences: z.array(z.string()),
  routes: z.array(z.string()),
})

/** The answer of /resources. */
export const RESOURCES = listOf(RESOURCE)

/** What the file in force says of routes and resources. */
export function addPolicyReads(app: App, dependencies: AdminDependencies): void {
  const { view } = dependencies
  const access = { scope: 'r' } as const
  const querystring = z.strictObject(PAGE)
  app.get('/routes', { config: { access }, schema: { querystring, response: { 200: ROUTES } } }, async ({ query }) => {
    const { items, ...rest } = pageOf(view().routes, ({ id }) => id, query)
    return { items: items.map((route) => shownRoute(route, dependencies)), ...rest }
  })
  app.get(
    '/routes/:id',
    { config: { access }, schema: { params: z.strictObject({ id: z.string().max(256) }), response: { 200: ROUTE } } },
    async ({ params }) => {
      const route = view().routes.find(({ id }) => id === params.id)
      if (route === undefined) throw notFound('route')
      return shownRoute(route, dependencies)
    },
  )
  app.get(
    '/resources',
    { config: { access }, schema: { querystring, response: { 200: RESOURCES } } },
    async ({ query }) => {
      const { items, ...rest } = pageOf(view().resources, ({ identifier }) => identifier, query)
      return { items: items.map((resource) => shownResource(resource, view().routes)), ...rest }
    },
  )
}

function shownRoute(route: Route, { view, upstreams }: AdminDependencies): z.output<typeof ROUTE> {
  const line = view().lineOf(route.id)
  const { access, timeouts } = route
  const isProtected = access.kind === 'protected'
  return {
    id: route.id,
    ...(line === undefined ? {} : { line }),
    ...(route.host === undefined ? {} : { host: route.host }),
    path: route.path,
    access: access.kind,
    ...(isProtected ? { resource: access.resource.identifier } : {}),
    public_paths: isProtected ? access.publicPaths.map(({ text }) => text) : [],
    public_methods: isProtected && access.publicPaths.length > 0 ? shownMethods(access.publicMethods) : [],
    rules: isProtected ? access.rules.map((rule) => shownRule(rule, access.resource)) : [],
    upstreams: [...upstreams(route.id)],
    identity: route.identity,
    credentials: [...route.credentials],
    set_headers: route.setHeaders.map(({ name }) => ({ name, value: '••••' as const })),
    strip_headers: [...route.stripHeaders],
    timeouts: {
      connect_ms: timeouts.connectMs,
      response_headers_ms: timeouts.responseHeadersMs,
      idle_ms: timeouts.idleMs,
    },
    ...(route.maxBody === undefined ? {} : { max_body: route.maxBody }),
  }
}

function shownRule({ methods, paths = [], scopes, acr, maxAge }: Rule, resource: Resource): z.output<typeof RULE> {
  return {
    methods: shownMethods(methods),
    paths: paths.map(({ text }) => text),
    scopes: [...scopes],
    groups: scopes.map((scope: Scope) => ({ scope, groups: [...groupsThatGive(resource, scope)] })),
    ...(acr === undefined ? {} : { acr }),
    ...(maxAge === undefined ? {} : { max_age: maxAge }),
  }
}

function shownMethods(methods: MethodSet): string[] {
  return methods === 'any' ? ['any'] : methodsIn([methods])
}

function shownResource(resource: Resource, routes: readonly Route[]): z.output<typeof RESOURCE> {
  return {
    id: resource.identifier,
    name: resource.name,
    scopes: [...resource.scopes].map(([scope, words]) => ({
      scope,
      words,
      groups: [...groupsThatGive(resource, scope)],
    })),
    grants: resource.grants.map(({ groups, scopes }) => ({ groups: [...groups], scopes: [...scopes] })),
    issuers: [...resource.issuers],
    accept_audiences: [...resource.acceptAudiences],
    routes: routes
      .filter(({ access }) => access.kind === 'protected' && access.resource.identifier === resource.identifier)
      .map(({ id }) => id),
  }
}
