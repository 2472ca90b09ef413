import type { IssuerSettings } from './issuer.ts'
import { OPENID_SCOPES } from './people.ts'
import type { Middleware } from './token-endpoint.ts'

/** How long keys and metadata may be kept; a new key is published longer than that before it signs. */
const MAX_AGE_SECONDS = 60

const CACHED = /^\/(?:oauth\/jwks|\.well-known\/(?:oauth-authorization-server|openid-configuration))$/

/** Completes what the library says of itself (RFC 8414, OpenID Connect Discovery), and lets it be kept for a minute. */
export function metadataDocument(settings: () => IssuerSettings): Middleware {
  return async (ctx, next) => {
    await next()
    if (!CACHED.test(ctx.path) || ctx.status !== 200 || ctx.method === 'OPTIONS') return
    ctx.set('cache-control', `public, max-age=${MAX_AGE_SECONDS}`)
    if (ctx.path.startsWith('/.well-known/')) ctx.body = complete(ctx.body as Record<string, unknown>, settings())
  }
}

function complete(document: Record<string, unknown>, { resources }: IssuerSettings): Record<string, unknown> {
  const methods = document.token_endpoint_auth_methods_supported
  const grants = document.grant_types_supported
  return {
    ...document,
    scopes_supported: [...OPENID_SCOPES.keys(), ...resources.flatMap((resource) => [...resource.scopes.keys()])],
    grant_types_supported: Array.isArray(grants) ? grants.filter((grant) => grant !== 'implicit') : grants,
    revocation_endpoint_auth_methods_supported: methods,
    introspection_endpoint_auth_methods_supported: methods,
    // RFC 9728 §4.
    protected_resources: resources.map((resource) => resource.identifier),
  }
}
