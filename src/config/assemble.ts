import { availableParallelism } from 'node:os'
import { dirname, resolve } from 'node:path'
import { parseHost } from '../core/host.ts'
import { assembleResource } from './assemble-resource.ts'
import { assembleRoute } from './assemble-route.ts'
import type { Config, EmbeddedIssuer, IssuerConfig, Secrets, TrustedIssuer } from './config.ts'
import type { Complete } from './draft.ts'
import type { FILE } from './file-schema.ts'

/** A file that gave no problem, in the file's own words. */
export type CheckedFile = Complete<typeof FILE>

/** Turns the file's words into what the gateway works with, frozen to the ground. @param file Its folder is what paths are relative to. */
export function assembleConfig(checked: CheckedFile, file: string, secrets: Secrets): Config {
  const publicUrl = checked.public_url
  const { origin, hostname } = new URL(publicUrl)
  const beside = (path: string) => resolve(dirname(file), path)
  const resources = checked.resources.map((resource) => assembleResource(resource, publicUrl))
  return deepFreeze({
    file,
    publicUrl,
    publicOrigin: origin,
    // In the form that requests' hosts are compared in: without a final dot.
    publicHost: parseHost(hostname) ?? hostname,
    listen: checked.listen,
    management: checked.management,
    tls: checked.tls === undefined ? undefined : { cert: beside(checked.tls.cert), key: beside(checked.tls.key) },
    trustedProxies: checked.trusted_proxies,
    store: { kind: 'sqlite', path: beside(checked.store) },
    accessLog: checked.access_log,
    maxConnections: checked.max_connections,
    workers: checked.workers === 'auto' ? availableParallelism() : checked.workers,
    issuer: assembleIssuer(checked.issuer),
    trustedIssuers: checked.trusted_issuers.map((issuer) => assembleTrustedIssuer(issuer, beside)),
    resources,
    routes: checked.routes.map((route) => assembleRoute(route, resources)),
    secrets,
  })
}

function assembleIssuer(issuer: CheckedFile['issuer']): IssuerConfig {
  if (issuer === false) return { kind: 'off' }
  if ('upstream' in issuer) {
    return { kind: 'upstream', upstream: issuer.upstream, onStaleRevocations: issuer.on_stale_revocations }
  }
  return {
    kind: 'embedded',
    signingAlg: issuer.signing_alg,
    accessTokenTtlSeconds: issuer.access_token_ttl,
    refreshTokenTtlSeconds: issuer.refresh_token_ttl,
    refreshTokenMaxSeconds: issuer.refresh_token_max,
    registration: issuer.registration,
    clientMetadataDocuments: issuer.client_metadata_documents === 'on',
  } satisfies EmbeddedIssuer
}

function assembleTrustedIssuer(
  trusted: CheckedFile['trusted_issuers'][number],
  beside: (path: string) => string,
): TrustedIssuer {
  const { issuer, jwks_uri: uri, jwks_file: keysFile, algorithms, token_type: tokenType, claims } = trusted
  if (keysFile !== undefined) {
    return { issuer, keys: { kind: 'jwks_file', path: beside(keysFile) }, algorithms, tokenType, claims }
  }
  const keys = uri === undefined ? ({ kind: 'discovery' } as const) : ({ kind: 'jwks_uri', uri } as const)
  return { issuer, keys, algorithms, tokenType, claims }
}

/** Maps and sets can't be frozen; their types are read-only. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  const children = value instanceof Map ? value.values() : Object.values(value)
  for (const child of children) deepFreeze(child)
  return Object.freeze(value)
}
