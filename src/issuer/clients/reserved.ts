import type { ClientRecord } from '../../store/store.ts'

/** Browsers that sign in at hosts of the gateway. */
export const BROWSER_CLIENT = 'browser'

/** Programs that come with an app password. */
export const APP_PASSWORD_CLIENT = 'app-password'

/** The operator's pages; its record stands in the store. */
export const ADMIN_CLIENT = 'audgate-admin'

const RESERVED: ReadonlyMap<string, string> = new Map([
  [BROWSER_CLIENT, 'Web browser'],
  [APP_PASSWORD_CLIENT, 'App password'],
])

/** The client of the gateway's own with this id; undefined: the id is anybody's. It has no secret that anybody knows, and stands in no store. */
export function reservedClient(id: string): ClientRecord | undefined {
  const name = RESERVED.get(id)
  if (name === undefined) return undefined
  return {
    id,
    name,
    type: 'web',
    redirectUris: [],
    postLogoutRedirectUris: [],
    thirdParty: false,
    origin: 'operator',
    secretHash: 'none',
    allow: [],
    revoked: false,
    createdAt: 0,
    metadata: {},
  }
}

/** What people call {@link BROWSER_CLIENT}: the host that they open in their browser. @param redirectUri Where it comes back to. */
export function browserName(redirectUri: string | undefined): string {
  return URL.parse(redirectUri ?? '')?.host ?? RESERVED.get(BROWSER_CLIENT) ?? BROWSER_CLIENT
}

/** Where browsers come back to at an origin of the gateway. */
export function callbackUri(origin: string): string {
  return `${origin}/.audgate/callback`
}

/**
 * {@link BROWSER_CLIENT} as the authorization server library wants it. It never authenticates over the network: its codes are redeemed in
 * process, so the secret is one that no hash is equal to.
 */
export function browserMetadata(origins: readonly string[], issuerOrigin: string): Record<string, unknown> {
  const uris = origins.map(callbackUri)
  return {
    client_id: BROWSER_CLIENT,
    client_name: RESERVED.get(BROWSER_CLIENT),
    client_secret: 'no secret has this hash',
    // The library wants one; at the issuer's own origin nothing is there.
    redirect_uris: uris.length === 0 ? [callbackUri(issuerOrigin)] : uris,
    post_logout_redirect_uris: [],
    application_type: 'web',
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'client_secret_basic',
  }
}
