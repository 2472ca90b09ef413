import { createHash } from 'node:crypto'
import type { Config, TicketSettings } from '../config/config.ts'
import { isTrustedPeer, parseTrustedPeers, type TrustedPeer } from '../core/headers/forwarded.ts'
import { createHeaderPolicy } from '../core/headers/header-policy.ts'
import { LEVELS, type Level } from '../core/levels.ts'
import { createOwnAuthorities, type OwnAuthorities } from '../core/paths/own-authorities.ts'
import { createRouter, type Router } from '../core/paths/router.ts'
import type { Route } from '../core/route.ts'
import { type RememberedHeaders, rememberHeaders } from './remembered.ts'

/** What routes.yaml says of requests, made ready once per reload. */
export interface Policy {
  readonly router: Router
  readonly headers: RememberedHeaders
  /** Host of `public_url`, lower case, without port. */
  readonly publicHost: string
  readonly trustedProxies: readonly TrustedPeer[]
  /** How we are named in `Via`, lower case: all gateways of one `public_url` are one. */
  readonly pseudonym: string
  readonly authorities: OwnAuthorities
  /** Scheme and port that every host has in browsers: those of `public_url`. */
  readonly publicOrigin: { readonly protocol: string; readonly port: string }
  readonly tickets: TicketSettings
  /** Who may come to the operator's page; empty: everybody. */
  readonly adminFrom: readonly TrustedPeer[]
  /** Undefined: there is no operator's page here, though one may be passed on. */
  readonly admin: AdminPlace | undefined
}

/** What of the reserved paths is the operator's. */
interface AdminPlace {
  /** Of the API: judged like any other. */
  readonly route: Route
  /** Where a request is looked up: a URL that its id is added to. */
  readonly lookUp: string
}

/** Where operators look a request up, for whoever may come there. */
export function lookUpFor(policy: Policy, address: string | undefined): string | undefined {
  return address !== undefined && mayOperate(policy, address) ? policy.admin?.lookUp : undefined
}

/** Whether the operator's page is there for this address. */
export function mayOperate({ adminFrom }: Policy, address: string): boolean {
  return adminFrom.length === 0 || isTrustedPeer(address, adminFrom)
}

/** A host (lower case, without port) as an origin, as browsers know it. */
export function originOf({ publicOrigin: { protocol, port } }: Policy, host: string): string {
  return `${protocol}//${host}${port === '' ? '' : `:${port}`}`
}

/** Origins of the hosts whose routes accept sessions. */
export function sessionOrigins(config: Config): readonly string[] {
  const policy = createPolicy(config)
  const hosts = config.routes.flatMap(({ host, credentials }) =>
    host !== undefined && credentials.includes('session') ? [host] : [],
  )
  return [...new Set(hosts)].map((host) => originOf(policy, host))
}

/** Where resources are that take app passwords: URLs of their first routes. */
export function appPasswordPlaces(config: Config): ReadonlyMap<string, string> {
  const policy = createPolicy(config)
  const places = new Map<string, string>()
  for (const { access, credentials, host, path } of config.routes) {
    if (access.kind === 'public' || !credentials.includes('app_password')) continue
    const { identifier } = access.resource
    if (!places.has(identifier)) places.set(identifier, originOf(policy, host ?? config.publicHost) + path)
  }
  return places
}

/** Scopes that are worth nothing without a level of sign-in: each rule that takes them asks for one. By resource, the least that does. */
export function scopeLevels(config: Config): ReadonlyMap<string, ReadonlyMap<string, Level>> {
  const all = new Map<string, Map<string, Level | undefined>>()
  for (const { access } of config.routes) {
    if (access.kind === 'public') continue
    const { identifier } = access.resource
    const levels = all.get(identifier) ?? new Map<string, Level | undefined>()
    all.set(identifier, levels)
    for (const { scopes, acr } of access.rules)
      for (const scope of scopes) levels.set(scope, levels.has(scope) ? lesser(levels.get(scope), acr) : acr)
  }
  return new Map([...all].map(([identifier, levels]) => [identifier, new Map([...levels].filter(isAsked))]))
}

function lesser(one: Level | undefined, other: Level | undefined): Level | undefined {
  if (one === undefined || other === undefined) return undefined
  return LEVELS.find((level) => level === one || level === other)
}

function isAsked(entry: [string, Level | undefined]): entry is [string, Level] {
  return entry[1] !== undefined
}

/** What of a service client's scopes some rule with `acr` or `max_age` takes: it refuses them, for nobody signed in behind its tokens. */
export function refusedToServices(
  { routes }: Pick<Config, 'routes'>,
  allow: readonly { readonly resource: string; readonly scopes: readonly string[] }[],
): readonly { readonly resource: string; readonly scopes: readonly string[] }[] {
  const rules = routes.flatMap(({ access }) =>
    access.kind === 'public' ? [] : access.rules.map((rule) => ({ ...rule, resource: access.resource.identifier })),
  )
  const strict = rules.filter(({ acr, maxAge }) => acr !== undefined || maxAge !== undefined)
  return allow.flatMap(({ resource, scopes }) => {
    const refused = scopes.filter((scope) =>
      strict.some((rule) => rule.resource === resource && rule.scopes.some((each) => each === scope)),
    )
    return refused.length === 0 ? [] : [{ resource, scopes: refused }]
  })
}

/** Whether browsers keep cookies of these hosts to https. */
export function isSecure({ publicOrigin: { protocol } }: Policy): boolean {
  return protocol === 'https:'
}

/** Where nobody else's machine can ask. */
const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '::1']

/** The policy of a checked file; needs no connections. */
export function createPolicy(config: Config): Policy {
  const publicUrl = new URL(config.publicUrl)
  const { admin } = config
  return {
    adminFrom: parseTrustedPeers(config.adminFrom),
    admin: admin && { route: admin.route, lookUp: `${config.publicOrigin}/admin/decisions/` },
    router: createRouter(config.routes, config.reservedPaths),
    headers: rememberHeaders(createHeaderPolicy(config.routes)),
    publicHost: config.publicHost,
    trustedProxies: parseTrustedPeers(config.trustedProxies),
    pseudonym: `audgate-${createHash('sha256').update(config.publicUrl).digest('hex').slice(0, 12)}`,
    authorities: createOwnAuthorities({
      urls: [config.publicUrl, ...config.resources.map(({ identifier }) => identifier)],
      hosts: config.routes.flatMap(({ host }) => (host === undefined ? [] : [host])),
      loopbackPort: 'host' in config.listen && LOOPBACK.includes(config.listen.host) ? config.listen.port : undefined,
    }),
    publicOrigin: { protocol: publicUrl.protocol, port: publicUrl.port },
    tickets: config.tickets,
  }
}
