import type { ClientRecord, ClientType } from '../store/store.ts'
import { isLoopbackRedirect } from './redirect-uris.ts'

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'

/** Grant types beyond `authorization_code`, which goes with a redirect URI. */
const GRANT_TYPES: Readonly<Record<ClientType, readonly string[]>> = {
  native: ['refresh_token', DEVICE_CODE],
  spa: ['refresh_token'],
  web: ['refresh_token'],
  service: ['client_credentials'],
}

/**
 * A registered client as the authorization server library wants it (RFC 7591 names). What a self-registered client sent
 * stands, except where the columns say otherwise. `client_secret` is the secret's hash: the comparison has to hash too.
 * Whether the client is revoked is NOT looked at.
 */
export function toProviderMetadata(client: ClientRecord): Record<string, unknown> {
  const fixed = {
    client_id: client.id,
    client_name: client.name,
    redirect_uris: client.redirectUris,
    post_logout_redirect_uris: client.postLogoutRedirectUris,
    application_type: applicationType(client),
    ...(client.secretHash === undefined ? {} : { client_secret: client.secretHash }),
  }
  const code = client.redirectUris.length > 0
  return {
    grant_types: [...(code ? ['authorization_code'] : []), ...GRANT_TYPES[client.type]],
    response_types: code ? ['code'] : [],
    token_endpoint_auth_method: client.secretHash === undefined ? 'none' : 'client_secret_basic',
    ...client.metadata,
    ...fixed,
  }
}

/** `native` frees loopback ports: for native clients, and for self-registered ones, which cannot know better. */
function applicationType(client: ClientRecord): 'native' | 'web' {
  if (client.type === 'native') return 'native'
  return client.origin !== 'operator' && client.redirectUris.some(isLoopbackRedirect) ? 'native' : 'web'
}
