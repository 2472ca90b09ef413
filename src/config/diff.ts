import type { IdentityProvider } from '../core/identity-provider.ts'
import type { Grant, Resource } from '../core/resource.ts'
import type { Access, Route } from '../core/route.ts'
import { adminSettings, peopleSettings } from './assemble/admin-settings.ts'
import type { Config, IssuerConfig, ListenAddress, TrustedIssuer } from './config.ts'
import { storeText } from './schema/store-schema.ts'

/** Two lists by the ids of their members. */
interface Matched<T> {
  readonly added: readonly T[]
  readonly removed: readonly T[]
  readonly kept: readonly (readonly [before: T, after: T])[]
}

function matchById<T>(before: readonly T[], after: readonly T[], idOf: (member: T) => string): Matched<T> {
  const old = new Map(before.map((member) => [idOf(member), member]))
  const now = new Set(after.map(idOf))
  return {
    added: after.filter((member) => !old.has(idOf(member))),
    removed: before.filter((member) => !now.has(idOf(member))),
    kept: after.flatMap((member) => {
      const earlier = old.get(idOf(member))
      return earlier === undefined ? [] : [[earlier, member] as const]
    }),
  }
}

/** The file's names of those settings that differ. @param names From our keys to the file's. */
function changedNames<T, K extends keyof T & string>(
  before: T,
  after: T,
  names: Readonly<Record<K, string>>,
): string[] {
  const keys = Object.entries<string>(names).map(([key, name]) => ({ key: key as K, name }))
  return keys.filter(({ key }) => !isSame(before[key], after[key])).map(({ name }) => name)
}

/** Whether two values of a config say the same. Maps and lists in another order do not: order is meant. */
function isSame(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a, spread) === JSON.stringify(b, spread)
}

/** `a, b and c`. */
function listed(names: readonly string[]): string {
  const last = names.at(-1) ?? ''
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} and ${last}`
}

function spread(_: string, value: unknown): unknown {
  if (value instanceof Map) return { map: [...value] }
  if (value instanceof Set) return { set: [...value] }
  return value
}

const KEYS: Readonly<Record<'name' | 'claims' | 'grants' | 'scopes', string>> = {
  name: 'name',
  claims: 'claims',
  grants: 'grants',
  scopes: 'scopes',
}

/** What differs between the resources of two files, a sentence each; what is narrowed ends live tokens, so it is told apart. */
function describeResourceChanges(before: readonly Resource[], after: readonly Resource[]): string[] {
  const { added, removed, kept } = matchById(before, after, ({ identifier }) => identifier)
  return [
    ...removed.map(({ identifier }) => `resource ${identifier}: removed`),
    ...added.map(({ identifier }) => `resource ${identifier}: added`),
    ...kept.flatMap(([old, now]) => changesOf(old, now).map((change) => `resource ${now.identifier}: ${change}`)),
  ]
}

function changesOf(before: Resource, after: Resource): string[] {
  const changes = [
    ...memberChanges('scopes', [...before.scopes.keys()], [...after.scopes.keys()]),
    ...memberChanges('grants', before.grants.flatMap(grantPairs), after.grants.flatMap(grantPairs)),
    ...memberChanges('issuers', before.issuers, after.issuers),
    ...sessionScopeChanges(before, after),
    ...memberChanges('accept_audiences', before.acceptAudiences, after.acceptAudiences),
  ]
  // A description or an order differs without anybody having more or less than before.
  const quiet = changedNames(before, after, KEYS).filter((name) => !changes.some((change) => change.startsWith(name)))
  return quiet.length === 0 ? changes : [...changes, `changed ${listed(quiet)}`]
}

/** Without the key sessions get every scope. */
function sessionScopeChanges(before: Resource, after: Resource): string[] {
  if (before.sessionScopes === undefined && after.sessionScopes === undefined) return []
  const named = ({ sessionScopes, scopes }: Resource) => sessionScopes ?? [...scopes.keys()]
  return memberChanges('session_scopes', named(before), named(after))
}

function memberChanges(name: string, before: readonly string[], after: readonly string[]): string[] {
  const gone = [...new Set(before.filter((member) => !after.includes(member)))]
  const come = [...new Set(after.filter((member) => !before.includes(member)))]
  return [
    ...(gone.length === 0 ? [] : [`${name} narrowed, without ${listed(gone)}`]),
    ...(come.length === 0 ? [] : [`${name} widened by ${listed(come)}`]),
  ]
}

function grantPairs(grant: Grant): string[] {
  return grant.groups.flatMap((group) => grant.scopes.map((scope) => `${scope} for ${group}`))
}

/** What the file calls a route's settings; `access` is told in words of its own. */
const ROUTE_KEYS: Readonly<Record<Exclude<keyof Route, 'id' | 'access'>, string>> = {
  host: 'host',
  path: 'path',
  stripPath: 'strip_path',
  upstreams: 'upstream',
  identity: 'identity',
  headers: 'headers',
  stripHeaders: 'strip_headers',
  setHeaders: 'set_headers',
  cors: 'cors',
  preserveHost: 'preserve_host',
  timeouts: 'timeouts',
  maxBody: 'max_body',
  encodedSlash: 'encoded_slash',
  upgrades: 'upgrades',
  case: 'case',
  credentials: 'credentials',
  authorization: 'authorization',
  signOutPaths: 'sign_out_paths',
}

const PROVIDER_KEYS: Readonly<Record<Exclude<keyof IdentityProvider, 'issuer' | 'presetReason'>, string>> = {
  id: 'id',
  name: 'name',
  preset: 'preset',
  clientId: 'client_id',
  clientSecret: 'client_secret',
  discovery: 'discovery',
  clientAuth: 'client_auth',
  scopes: 'scopes',
  listedScopesOnly: 'scopes',
  parameters: 'preset',
  groups: 'groups',
  username: 'username',
  person: 'person',
  email: 'email',
  accounts: 'accounts',
  allow: 'allow',
  recheckSeconds: 'recheck',
  onUnreachableSeconds: 'on_unreachable',
  withoutRecheckSeconds: 'without_recheck',
  signOut: 'sign_out',
  address: 'connect.address',
  ca: 'connect.ca',
}

const TRUSTED_KEYS: Readonly<Record<Exclude<keyof TrustedIssuer, 'issuer'>, string>> = {
  keys: 'jwks_uri, jwks_file or insecure_http',
  algorithms: 'algorithms',
  tokenTypes: 'token_type',
  claims: 'claims',
  acr: 'acr',
}

/**
 * What differs between two files, a sentence each, for the log; empty when nothing does. Names settings and never shows texts of
 * headers: those may be credentials. Secrets of the environment don't change while a process runs.
 */
export function describeChanges(before: Config, after: Config): readonly string[] {
  return [
    ...settingChanges(before, after),
    ...issuerChanges(before.issuer, after.issuer),
    ...trustedIssuerChanges(before, after),
    ...describeResourceChanges(before.resources, after.resources),
    ...routeChanges(before, after),
  ]
}

function settingChanges(before: Config, after: Config): string[] {
  const settings = (config: Config): Record<string, string> => ({
    public_url: config.publicUrl,
    listen: listenText(config.listen),
    management: config.management === undefined ? 'none' : listenText(config.management),
    tls: config.tls === undefined ? 'off' : `${config.tls.cert}, ${config.tls.key}`,
    trusted_proxies: config.trustedProxies.join(', ') || 'none',
    store: storeText(config.store),
    instance: config.instance,
    stale_after: `${config.staleRevocations.afterSeconds}s`,
    on_stale_revocations: config.staleRevocations.action,
    dpop_replay: config.dpopReplay,
    'shutdown.delay': `${config.shutdown.delayMs}ms`,
    'shutdown.grace': `${config.shutdown.graceMs}ms`,
    'audit.keep': `${config.audit.keepSeconds}s`,
    access_log: config.accessLog,
    max_connections: String(config.maxConnections),
    workers: String(config.workers),
    'sessions.idle': `${config.sessions.idleSeconds}s`,
    'sessions.max': `${config.sessions.maxSeconds}s`,
    'sessions.shared_origin': String(config.sessions.sharedOrigin),
    'app_passwords.max': `${config.appPasswords.maxSeconds}s`,
    'app_passwords.unused': `${config.appPasswords.unusedSeconds}s`,
    'tickets.default': `${config.tickets.defaultSeconds}s`,
    'tickets.max': `${config.tickets.maxSeconds}s`,
    ...adminSettings(config),
  })
  return valueChanges(settings(before), settings(after))
}

function issuerChanges(before: IssuerConfig, after: IssuerConfig): string[] {
  if (before.kind !== after.kind) return [`issuer: ${issuerText(before)} before, ${issuerText(after)} now`]
  return [...valueChanges(issuerSettings(before), issuerSettings(after), 'issuer.'), ...providerChanges(before, after)]
}

/** Secrets are told by name only. */
function providerChanges(before: IssuerConfig, after: IssuerConfig): string[] {
  const providersOf = (issuer: IssuerConfig) => (issuer.kind === 'embedded' ? issuer.providers : [])
  const { added, removed, kept } = matchById(providersOf(before), providersOf(after), ({ issuer }) => issuer)
  return [
    ...removed.map(({ id, issuer }) => `provider ${id} (${issuer}): removed; its sign-ins end`),
    ...added.map(({ id, issuer }) => `provider ${id} (${issuer}): added`),
    ...kept.flatMap(([old, now]) => namesChanged(`provider ${now.id}`, changedNames(old, now, PROVIDER_KEYS))),
  ]
}

function issuerSettings(issuer: IssuerConfig): Record<string, string> {
  switch (issuer.kind) {
    case 'off':
      return {}
    case 'upstream':
      return { upstream: issuer.upstreams.join(' ') }
    case 'embedded':
      return {
        signing_alg: issuer.signingAlg,
        access_token_ttl: `${issuer.accessTokenTtlSeconds}s`,
        refresh_token_ttl: `${issuer.refreshTokenTtlSeconds}s`,
        refresh_token_max: `${issuer.refreshTokenMaxSeconds}s`,
        registration: issuer.registration,
        client_metadata_documents: issuer.clientMetadataDocuments ? 'on' : 'off',
        password: issuer.password,
        ...peopleSettings(issuer),
      }
  }
}

function issuerText(issuer: IssuerConfig): string {
  const words = { off: 'none', embedded: 'embedded', upstream: 'another audgate' } as const
  return words[issuer.kind]
}

function trustedIssuerChanges(before: Config, after: Config): string[] {
  const { added, removed, kept } = matchById(before.trustedIssuers, after.trustedIssuers, ({ issuer }) => issuer)
  return [
    ...removed.map(({ issuer }) => `trusted issuer ${issuer}: removed; its tokens are refused from now on`),
    ...added.map(({ issuer }) => `trusted issuer ${issuer}: added`),
    ...kept.flatMap(([old, now]) => namesChanged(`trusted issuer ${now.issuer}`, changedNames(old, now, TRUSTED_KEYS))),
  ]
}

function routeChanges(before: Config, after: Config): string[] {
  const { added, removed, kept } = matchById(before.routes, after.routes, ({ id }) => id)
  return [
    ...removed.map(({ id }) => `route ${id}: removed`),
    ...added.map(
      (route) => `route ${route.id}: added at ${route.host ?? 'every host'}${route.path}, ${accessText(route.access)}`,
    ),
    ...kept.flatMap(([old, now]) =>
      namesChanged(`route ${now.id}`, [
        ...changedNames(old, now, ROUTE_KEYS),
        ...accessChanges(old.access, now.access),
      ]),
    ),
  ]
}

function accessChanges(before: Access, after: Access): string[] {
  if (before.kind === 'public' || after.kind === 'public') {
    return before.kind === after.kind ? [] : [`access (${accessText(before)} before, ${accessText(after)} now)`]
  }
  // What a resource holds is told once, under the resource.
  const names = before.resource.identifier === after.resource.identifier ? [] : ['resource']
  if (!isSame(before.rules, after.rules)) names.push('rules')
  if (!isSame([before.publicPaths, before.publicMethods], [after.publicPaths, after.publicMethods]))
    names.push('public')
  return names
}

function accessText(access: Access): string {
  return access.kind === 'public' ? 'public' : `for ${access.resource.identifier}`
}

function namesChanged(subject: string, names: readonly string[]): string[] {
  return names.length === 0 ? [] : [`${subject}: changed ${listed(names)}`]
}

function valueChanges(before: Record<string, string>, after: Record<string, string>, prefix = ''): string[] {
  const changed = Object.keys(after).filter((key) => before[key] !== after[key])
  return changed.map((key) => `${prefix}${key}: ${before[key]} before, ${after[key]} now`)
}

function listenText(address: ListenAddress): string {
  if ('path' in address) return `unix:${address.path}`
  if ('fd' in address) return `fd:${address.fd}`
  const { host, port } = address
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
