import type { Access, Route } from '../core/route.ts'
import type { Config, IssuerConfig, ListenAddress, TrustedIssuer } from './config.ts'
import { describeResourceChanges } from './diff-resource.ts'
import { changedNames, isSame, listed, matchById } from './difference.ts'

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
}

const TRUSTED_KEYS: Readonly<Record<Exclude<keyof TrustedIssuer, 'issuer'>, string>> = {
  keys: 'jwks_uri or jwks_file',
  algorithms: 'algorithms',
  tokenType: 'token_type',
  claims: 'claims',
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
    store: config.store.path,
    access_log: config.accessLog,
    max_connections: String(config.maxConnections),
    workers: String(config.workers),
  })
  return valueChanges(settings(before), settings(after))
}

function issuerChanges(before: IssuerConfig, after: IssuerConfig): string[] {
  if (before.kind !== after.kind) return [`issuer: ${issuerText(before)} before, ${issuerText(after)} now`]
  return valueChanges(issuerSettings(before), issuerSettings(after), 'issuer.')
}

function issuerSettings(issuer: IssuerConfig): Record<string, string> {
  switch (issuer.kind) {
    case 'off':
      return {}
    case 'upstream':
      return { upstream: issuer.upstream, on_stale_revocations: issuer.onStaleRevocations }
    case 'embedded':
      return {
        signing_alg: issuer.signingAlg,
        access_token_ttl: `${issuer.accessTokenTtlSeconds}s`,
        refresh_token_ttl: `${issuer.refreshTokenTtlSeconds}s`,
        refresh_token_max: `${issuer.refreshTokenMaxSeconds}s`,
        registration: issuer.registration,
        client_metadata_documents: issuer.clientMetadataDocuments ? 'on' : 'off',
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
  if (!isSame(before.publicPaths, after.publicPaths)) names.push('public')
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

function listenText({ host, port }: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
