import { createHash } from 'node:crypto'
import type { Config } from '../config/config.ts'
import { parseTrustedPeers, type TrustedPeer } from '../core/forwarded.ts'
import { createHeaderPolicy, type HeaderPolicy } from '../core/header-policy.ts'
import { createOwnAuthorities, type OwnAuthorities } from '../core/own-authorities.ts'
import { createRouter, type Router } from '../core/router.ts'

/** What routes.yaml says of requests, made ready once per reload. */
export interface Policy {
  readonly router: Router
  readonly headers: HeaderPolicy
  /** Host of `public_url`, lower case, without port. */
  readonly publicHost: string
  readonly trustedProxies: readonly TrustedPeer[]
  /** How we are named in `Via`, lower case: all gateways of one `public_url` are one. */
  readonly pseudonym: string
  readonly authorities: OwnAuthorities
}

/** Where nobody else's machine can ask. */
const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '::1']

/** The policy of a checked file; needs no connections. */
export function createPolicy(config: Config): Policy {
  return {
    router: createRouter(config.routes, config.reservedPaths),
    headers: createHeaderPolicy(config.routes),
    publicHost: config.publicHost,
    trustedProxies: parseTrustedPeers(config.trustedProxies),
    pseudonym: `audgate-${createHash('sha256').update(config.publicUrl).digest('hex').slice(0, 12)}`,
    authorities: createOwnAuthorities({
      urls: [config.publicUrl, ...config.resources.map(({ identifier }) => identifier)],
      hosts: config.routes.flatMap(({ host }) => (host === undefined ? [] : [host])),
      loopbackPort: 'host' in config.listen && LOOPBACK.includes(config.listen.host) ? config.listen.port : undefined,
    }),
  }
}
