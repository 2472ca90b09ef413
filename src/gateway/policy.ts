import type { Config } from '../config/config.ts'
import { parseTrustedPeers, type TrustedPeer } from '../core/forwarded.ts'
import { createHeaderPolicy, type HeaderPolicy } from '../core/header-policy.ts'
import { createRouter, type Router } from '../core/router.ts'

/** What routes.yaml says of requests, made ready once per reload. */
export interface Policy {
  readonly router: Router
  readonly headers: HeaderPolicy
  /** Host of `public_url`, lower case, without port. */
  readonly publicHost: string
  readonly trustedProxies: readonly TrustedPeer[]
}

/** The policy of a checked file; needs no connections. */
export function createPolicy(config: Config): Policy {
  return {
    router: createRouter(config.routes),
    headers: createHeaderPolicy(config.routes),
    publicHost: config.publicHost,
    trustedProxies: parseTrustedPeers(config.trustedProxies),
  }
}
