import { availableParallelism, hostname } from 'node:os'
import { dirname, resolve } from 'node:path'
import { parseHost } from '../../core/address.ts'
import type { PathPattern } from '../../core/paths/pattern.ts'
import { METADATA_PATH, reservedPaths } from '../../core/paths/router.ts'
import type { Resource, ResourceIdentifier, Scope } from '../../core/resource.ts'
import type { Access, Route, Rule, Upstream, UpstreamTls } from '../../core/route.ts'
import type { Authorities } from '../authorities.ts'
import type {
  Config,
  ConfigProblem,
  EmbeddedIssuer,
  IssuerConfig,
  Secrets,
  StoreConfig,
  TrustedIssuer,
} from '../config.ts'
import type { Complete } from '../draft.ts'
import { headerSource } from '../header-rules.ts'
import type { FILE } from '../schema/file-schema.ts'
import type { RESOURCE } from '../schema/resource-schema.ts'
import { methodSet, type ROUTE } from '../schema/route-schema.ts'
import { assembleAdmin } from './assemble-admin.ts'
import { assembleProvider } from './assemble-provider.ts'

/** @param publicUrl Stands in for `embedded`: it is what tokens of the embedded issuer carry as `iss`. */
function assembleResource(checked: Complete<typeof RESOURCE>, publicUrl: string): Resource {
  const issuers = (checked.issuers ?? ['embedded']).map((issuer) => (issuer === 'embedded' ? publicUrl : issuer))
  return {
    // The file's texts are checked by now: this is where the brands of resources and scopes are sealed.
    identifier: checked.id as ResourceIdentifier,
    name: checked.name,
    scopes: new Map([...checked.scopes].map(([scope, words]) => [sealScope(scope), words])),
    grants: checked.grants.map(({ groups, scopes }) => ({ groups, scopes: scopes.map(sealScope) })),
    issuers: [...new Set(issuers)],
    acceptAudiences: checked.accept_audiences,
    claims: checked.claims,
    sessionScopes: checked.session_scopes?.map(sealScope),
    metadataUrl: metadataUrl(checked.id),
  }
}

function sealScope(text: string): Scope {
  return text as Scope
}

/** RFC 9728 §3.1: the well-known path goes between the host and the path of the identifier; a lone `/` is left out. */
function metadataUrl(identifier: string): string {
  const { origin, pathname, search } = new URL(identifier)
  return `${origin}${METADATA_PATH}${pathname === '/' ? '' : pathname}${search}`
}

type CheckedRoute = Complete<typeof ROUTE>

/** @param resources The values that the issuer works with too: the route holds the very same object. */
function assembleRoute(checked: CheckedRoute, resources: readonly Resource[], authorities: Authorities): Route {
  const { timeouts } = checked
  return {
    id: checked.id,
    host: checked.host,
    path: checked.path,
    stripPath: checked.strip_path,
    access: assembleAccess(checked, resources),
    upstreams: assembleUpstreams(checked, authorities),
    identity: checked.identity,
    headers: [...checked.headers].map(([name, source]) => headerSource(name, source)),
    stripHeaders: checked.strip_headers,
    setHeaders: [...checked.set_headers].map(([name, value]) => ({ name, value })),
    cors: checked.cors,
    preserveHost: checked.preserve_host,
    timeouts: {
      connectMs: timeouts.connect,
      responseHeadersMs: timeouts.response_headers,
      idleMs: timeouts.idle,
    },
    maxBody: checked.max_body,
    encodedSlash: checked.encoded_slash,
    upgrades: checked.upgrades,
    case: checked.case,
    credentials: checked.credentials,
    authorization: checked.authorization,
    signOutPaths: checked.sign_out_paths,
  }
}

function assembleUpstreams(
  { upstream, upstream_tls: tls }: CheckedRoute,
  authorities: Authorities,
): readonly Upstream[] {
  const upstreams = 'authority' in upstream ? [upstream] : upstream
  if (tls === undefined) return upstreams
  const ca = tls.ca === undefined ? undefined : authorities.get(tls.ca)
  const believed: UpstreamTls = { ca, serverName: tls.server_name, verify: tls.verify }
  return upstreams.map((each) => (each.protocol === 'https:' ? { ...each, tls: believed } : each))
}

/** Public only where the file says `public: true`; everything else needs a resource, or is a bug in the checks. */
function assembleAccess(checked: CheckedRoute, resources: readonly Resource[]): Access {
  if (checked.resource === undefined && checked.public === true) return { kind: 'public' }
  const resource = resources.find(({ identifier }) => identifier === checked.resource)
  if (resource === undefined) throw new Error(`route ${checked.id} has no resource and is not public`)
  const { paths, methods } = publicPart(checked.public)
  const rules = (checked.rules ?? []).map(assembleRule)
  return { kind: 'protected', resource, rules, publicPaths: paths, publicMethods: methodSet(methods) }
}

/** What needs no token: `read` methods, unless the file says more. */
function publicPart(open: CheckedRoute['public']): {
  readonly paths: readonly PathPattern[]
  readonly methods: readonly string[]
} {
  if (open === undefined || open === true) return { paths: [], methods: ['read'] }
  return 'paths' in open ? open : { paths: open, methods: ['read'] }
}

function assembleRule(rule: NonNullable<CheckedRoute['rules']>[number]): Rule {
  return {
    methods: methodSet(rule.methods),
    paths: rule.paths,
    scopes: rule.scopes.map(sealScope),
    ...(rule.acr !== undefined && { acr: rule.acr }),
    ...(rule.max_age !== undefined && { maxAge: rule.max_age }),
  }
}

/** A file that gave no problem, in the file's own words. */
type CheckedFile = Complete<typeof FILE>

/** What belongs to a file and does not stand in it. */
interface Surroundings {
  /** Its folder is what paths are relative to. */
  readonly file: string
  /** Those that values of it came from. */
  readonly files: readonly string[]
  readonly secrets: Secrets
  readonly authorities: Authorities
  readonly warnings: readonly ConfigProblem[]
  /** Of the routes, in their order. */
  readonly routeLines: readonly number[]
}

/** Turns the file's words into what the gateway works with, frozen to the ground. */
export function assembleConfig(checked: CheckedFile, surroundings: Surroundings): Config {
  const { file, files, secrets, authorities, warnings, routeLines } = surroundings
  const publicUrl = checked.public_url
  const { origin, hostname: publicName } = new URL(publicUrl)
  const beside = (path: string) => resolve(dirname(file), path)
  const resources = checked.resources.map((resource) => assembleResource(resource, publicUrl))
  return deepFreeze({
    file,
    files,
    warnings,
    publicUrl,
    publicOrigin: origin,
    // In the form that requests' hosts are compared in: without a final dot.
    publicHost: parseHost(publicName) ?? publicName,
    reservedPaths: reservedPaths({ issuer: checked.issuer !== false, admin: hasAdmin(checked) }),
    listen: 'path' in checked.listen ? { path: beside(checked.listen.path) } : checked.listen,
    management: checked.management,
    tls: checked.tls === undefined ? undefined : { cert: beside(checked.tls.cert), key: beside(checked.tls.key) },
    trustedProxies: checked.trusted_proxies,
    store: assembleStore(checked.store, beside),
    instance: checked.instance ?? machineName(),
    staleRevocations: { afterSeconds: checked.stale_after ?? usualStaleAfter(checked), action: onStale(checked) },
    dpopReplay: checked.dpop_replay,
    shutdown: { delayMs: checked.shutdown.delay, graceMs: checked.shutdown.grace },
    audit: { keepSeconds: checked.audit.keep },
    accessLog: checked.access_log,
    maxConnections: checked.max_connections,
    workers: checked.workers === 'auto' ? availableParallelism() : checked.workers,
    sessions: {
      idleSeconds: checked.sessions.idle,
      maxSeconds: checked.sessions.max,
      sharedOrigin: checked.sessions.shared_origin,
    },
    appPasswords: { maxSeconds: checked.app_passwords.max, unusedSeconds: checked.app_passwords.unused },
    tickets: { defaultSeconds: checked.tickets.default, maxSeconds: checked.tickets.max },
    issuer: assembleIssuer(checked, beside, authorities),
    admin: assembleAdmin(checked, publicUrl, origin),
    adminFrom: checked.admin === false ? [] : checked.admin.from,
    mail: checked.mail,
    trustedIssuers: checked.trusted_issuers.map((issuer) => assembleTrustedIssuer(issuer, beside)),
    resources,
    routes: checked.routes.map((route) => assembleRoute(route, resources, authorities)),
    routeLines,
    secrets,
  })
}

const USUAL_STALE_SECONDS = 15
/** As {@link parseStaleAfter} has it: signs of life come every second. */
const FEWEST_STALE_SECONDS = 5

/** Tokens that live for less are not to be waited for so long. */
function usualStaleAfter({ issuer }: CheckedFile): number {
  const tokenSeconds = issuer !== false && 'access_token_ttl' in issuer ? issuer.access_token_ttl : USUAL_STALE_SECONDS
  return Math.max(FEWEST_STALE_SECONDS, Math.min(USUAL_STALE_SECONDS, tokenSeconds))
}

/** The key may stand at the top or, as in earlier files, at the issuer that is followed. */
function onStale({ issuer, on_stale_revocations: top }: CheckedFile): 'refuse' | 'allow' {
  const nested = issuer !== false && 'upstream' in issuer ? issuer.on_stale_revocations : undefined
  return top ?? nested ?? 'refuse'
}

/** A machine may have a name that is none for us. */
function machineName(): string {
  return (
    hostname()
      .replace(/[^A-Za-z0-9._-]/g, '-')
      .replace(/^[^A-Za-z0-9]+/, '')
      .slice(0, 63) || 'audgate'
  )
}

function assembleStore(store: CheckedFile['store'], beside: (path: string) => string): StoreConfig {
  const address = 'url' in store ? store.url : store
  if (address.kind === 'sqlite') return { kind: 'sqlite', path: beside(address.path) }
  const defaults = { pool: 10, pooler: 'none', ca: undefined, timeout: 5_000, migrate: 'auto' } as const
  const { pool, pooler, ca, timeout, migrate } = 'url' in store ? store : defaults
  return { ...address, pool, pooler, ca: ca === undefined ? undefined : beside(ca), timeoutMs: timeout, migrate }
}

/** A gateway on its own keeps the path, too: the pages are those of the audgate that it follows. */
function hasAdmin({ issuer, admin }: CheckedFile): boolean {
  return issuer !== false && admin !== false
}

function assembleIssuer(
  { issuer, admin }: CheckedFile,
  beside: (path: string) => string,
  authorities: Authorities,
): IssuerConfig {
  if (issuer === false) return { kind: 'off' }
  if ('upstream' in issuer) {
    return { kind: 'upstream', upstreams: [issuer.upstream].flat() }
  }
  const surroundings = { beside, administrators: admin === false ? [] : admin.groups, authorities }
  return {
    kind: 'embedded',
    signingAlg: issuer.signing_alg,
    accessTokenTtlSeconds: issuer.access_token_ttl,
    refreshTokenTtlSeconds: issuer.refresh_token_ttl,
    refreshTokenMaxSeconds: issuer.refresh_token_max,
    registration: issuer.registration,
    clientMetadataDocuments: issuer.client_metadata_documents === 'on',
    password: issuer.password,
    authenticator: issuer.sign_in.authenticator === 'on',
    passkeys: issuer.sign_in.passkeys === 'on',
    secondFactor: issuer.sign_in.second_factor,
    passwordMin: issuer.sign_in.password_min,
    rememberBrowserSeconds: issuer.sign_in.remember_browser,
    providers: issuer.providers.map((provider) => assembleProvider(provider, surroundings)),
    links: { inviteSeconds: issuer.links.invite, recoverSeconds: issuer.links.recover },
  } satisfies EmbeddedIssuer
}

function assembleTrustedIssuer(
  trusted: CheckedFile['trusted_issuers'][number],
  beside: (path: string) => string,
): TrustedIssuer {
  const { issuer, jwks_uri: uri, jwks_file: keysFile, algorithms, claims, insecure_http: insecureHttp } = trusted
  const { token_type: types, acr } = trusted
  const shared = {
    issuer,
    algorithms,
    tokenTypes: typeof types === 'string' ? [types] : types,
    claims,
    ...(acr !== undefined && { acr }),
  }
  if (keysFile !== undefined) return { ...shared, keys: { kind: 'jwks_file', path: beside(keysFile) } }
  if (uri !== undefined) return { ...shared, keys: { kind: 'jwks_uri', uri, insecureHttp } }
  return { ...shared, keys: { kind: 'discovery', insecureHttp } }
}

/** Maps and sets can't be frozen; their types are read-only. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  const children = value instanceof Map ? value.values() : Object.values(value)
  for (const child of children) deepFreeze(child)
  return Object.freeze(value)
}
