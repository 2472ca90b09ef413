import { decodeJwt } from 'jose'
import { type Adapter, type AdapterPayload, errors } from 'oidc-provider'
import { gidOf } from '../../store/sealed-payload.ts'
import type { ClientRecord, ClientType, HeldByUnit, ModelColumns, Store } from '../../store/store.ts'
import { isLoopbackRedirect, isPrivateRedirect } from '../clients/client-uri.ts'
import { BROWSER_CLIENT, reservedClient } from '../clients/reserved.ts'
import type { SpendingRules } from '../tokens/token-gate.ts'

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
  const uris = [...client.redirectUris, ...client.postLogoutRedirectUris]
  const local = uris.some((uri) => isLoopbackRedirect(uri) || isPrivateRedirect(uri))
  return client.origin !== 'operator' && local ? 'native' : 'web'
}

/**
 * The library's view of registered clients, read at each use: one that was revoked is gone at once. Clients with a metadata
 * document are not found here; the library fetches theirs.
 * @param register keeps a client that registered itself. @param browser the client of browsers that sign in at the gateway.
 */
export function clientAdapter(
  store: Store,
  register: (metadata: AdapterPayload) => Promise<void>,
  browser: () => Record<string, unknown>,
): Adapter {
  const nothing = async (): Promise<undefined> => undefined
  return {
    find: async (id) => {
      if (reservedClient(id) !== undefined) return id === BROWSER_CLIENT ? browser() : undefined
      const client = await store.client(id)
      const usable = client !== undefined && !client.revoked && client.origin !== 'document'
      return usable ? toProviderMetadata(client) : undefined
    },
    upsert: (_id, metadata) => register(metadata),
    findByUid: nothing,
    findByUserCode: nothing,
    consume: nothing,
    destroy: nothing,
    revokeByGrantId: nothing,
  }
}

const REDEEMED = new Set(['AuthorizationCode', 'DeviceCode'])
const SPENT = new Set([...REDEEMED, 'RefreshToken'])
/** Models whose rows the library looks up by `uid`; others have the same field for another purpose. */
const WITH_UID = 'Session'

/** The library's storage of one model, on the store. Clients are kept apart. */
export function modelAdapter(store: Store, model: string, rules: SpendingRules): Adapter {
  const shown = async (id: string, payload: Record<string, unknown> | undefined) => {
    if (payload?.consumed === undefined || !(await rules.looksUnspent(model, id))) return payload
    const { consumed: _, ...unspent } = payload
    return unspent
  }
  const found = async (id: string): Promise<Record<string, unknown> | undefined> => {
    if (!SPENT.has(model)) return store.model(model, id)
    // Requests with the same one take turns, and acts of revocation come before or after the whole request.
    await store.hold({ token: id })
    const payload = await store.model(model, id)
    if (payload !== undefined) await store.hold(heldBy(payload))
    return payload
  }
  return {
    upsert: async (id, payload, expiresIn) => {
      const expiresAt = expiresIn === undefined ? undefined : Math.floor(rules.now() / 1000) + expiresIn
      if (model !== 'ReplayDetection') {
        const columns = columnsOf(model, payload)
        await store.putModel(model, id, storedPayload(model, payload), columns, expiresAt)
        if (columns.accountId === undefined || !(await rules.endedMeanwhile(columns))) return
        await store.deleteModel(model, id)
        throw new errors.AccessDenied('the sign-in has ended meanwhile')
      } else if (!(await store.addModel(model, id, { ...payload }, expiresAt ?? 0))) {
        throw new errors.InvalidDpopProof('DPoP proof was used before')
      }
    },
    find: async (id) => shown(id, await found(id)),
    findByUserCode: (userCode) => store.modelByUserCode(model, userCode),
    findByUid: (uid) => store.modelByUid(model, uid),
    consume: async (id) => {
      const payload = REDEEMED.has(model) ? await store.model(model, id) : undefined
      if (payload !== undefined) await rules.beforeRedeeming(model, id, payload)
      if (await store.consumeModel(model, id, Math.floor(rules.now() / 1000))) {
        if (REDEEMED.has(model)) await rules.afterRedeeming(model, id)
        return
      }
      if (model === 'PushedAuthorizationRequest') throw new errors.InvalidRequestUri('request_uri was used before')
      throw new errors.InvalidGrant('was redeemed before')
    },
    destroy: (id) => store.deleteModel(model, id),
    revokeByGrantId: (grantId) => store.deleteModelsByGrant(grantId),
  }
}

/**
 * A device code that somebody began to approve can be typed in again: people close tabs. `consumed` is the store's own to
 * keep.
 */
function storedPayload(model: string, payload: AdapterPayload): Record<string, unknown> {
  const { consumed: _, inFlight, ...kept } = payload
  return model === 'DeviceCode' || inFlight === undefined ? kept : { ...kept, inFlight }
}

function heldBy({ grantId, clientId, accountId }: AdapterPayload): HeldByUnit {
  return { gid: grantId === undefined ? undefined : gidOf(grantId), clientId, sub: accountId }
}

/** What carries a person's authentication says whose, and what a client has begun of which: acts of revocation find it by that. */
function columnsOf(model: string, payload: AdapterPayload): ModelColumns {
  if (model === 'Interaction') return { accountId: signedInAs(payload), clientId: textOf(payload.params?.client_id) }
  return {
    accountId: payload.accountId,
    clientId: model === 'PushedAuthorizationRequest' ? issuerOf(payload.request) : payload.clientId,
    grantId: payload.grantId,
    uid: model === WITH_UID ? payload.uid : undefined,
    userCode: payload.userCode,
  }
}

/** A pushed request is kept as a request object (RFC 9101 §4), whose issuer is its client. */
function issuerOf(request: unknown): string | undefined {
  return typeof request === 'string' ? decodeJwt(request).iss : undefined
}

/** Who an interaction belongs to: who signed in on its pages, else who the browser was signed in as. */
function signedInAs({ result, lastSubmission, session }: AdapterPayload): string | undefined {
  return textOf(result?.login?.accountId ?? lastSubmission?.login?.accountId ?? session?.accountId)
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
