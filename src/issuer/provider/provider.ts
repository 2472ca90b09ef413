import type { Adapter, Configuration } from 'oidc-provider'
import Provider from 'oidc-provider'
import { LEVELS } from '../../core/levels.ts'
import { matchingSecret } from '../clients/client-secrets.ts'
import { documentFeature } from '../clients/metadata-documents.ts'
import { keepRegistered, registrationFeature } from '../clients/registration.ts'
import { BROWSER_CLIENT, browserMetadata } from '../clients/reserved.ts'
import type { IssuerContext } from '../context.ts'
import { cookieSettings } from '../http/cookies.ts'
import { ROUTES } from '../http/endpoints.ts'
import { createAuthorizing } from '../interaction/authorizing.ts'
import { deviceFlow } from '../interaction/device-flow.ts'
import { renderError } from '../interaction/provider-pages.ts'
import { findSignedIn } from '../interaction/provider-session.ts'
import { wishParameters } from '../interaction/sign-in-need.ts'
import { logout } from '../interaction/sign-out.ts'
import { deriveKey } from '../keys/sealing.ts'
import { OPENID_CLAIMS } from '../people/people.ts'
import { statesCallback } from '../sessions/sign-in-state.ts'
import { mayInspect } from '../tokens/introspection.ts'
import { extraTokenClaims, stampToken } from '../tokens/redemption.ts'
import { resourceHooks } from '../tokens/resource-indicators.ts'
import type { TokenGate } from '../tokens/token-gate.ts'
import { clientAdapter, modelAdapter } from './adapter.ts'
import { budgeted, visitorSessions } from './visitors.ts'

/** Which of the library's features are on. What is not named here is off, or has no setting. */
function engineFeatures(context: IssuerContext, gate: TokenGate): NonNullable<Configuration['features']> {
  return {
    devInteractions: { enabled: false },
    resourceIndicators: resourceHooks(context, gate),
    deviceFlow: deviceFlow(context),
    clientCredentials: { enabled: true },
    pushedAuthorizationRequests: { enabled: true },
    dPoP: { enabled: true, nonceSecret: deriveKey(context.masterKey, 'DPoP nonces'), requireNonce: () => false },
    claimsParameter: { enabled: true },
    revocation: { enabled: true, allowedPolicy: async (_ctx, client, token) => client.clientId === token.clientId },
    introspection: {
      enabled: true,
      allowedPolicy: async (_ctx, client, token) => mayInspect(context, client.clientId, token),
    },
    rpInitiatedLogout: logout(context),
    registration: registrationFeature(context),
    clientIdMetadataDocument: documentFeature(context),
  }
}

const CODE_SECONDS = 60
const ID_TOKEN_SECONDS = 600
const DEVICE_CODE_SECONDS = 600
const INTERACTION_SECONDS = 900
/** A browser stays signed in this long after it was last used here, and at most {@link SESSION_MAX_SECONDS}. */
export const SESSION_IDLE_SECONDS = 12 * 3600
const SESSION_MAX_SECONDS = 14 * 86_400

/** The longest life of anything signed by the issuer. */
export function longestSignedSeconds(accessTokenTtlSeconds: number): number {
  return Math.max(accessTokenTtlSeconds, ID_TOKEN_SECONDS)
}

/**
 * The authorization server library with our rules in its hooks. It can't change its keys or features while it lives: when
 * those change another one takes its place, on the same store.
 * @param privateJwks the one that signs first.
 */
export function createEngine(context: IssuerContext, gate: TokenGate, privateJwks: readonly object[]): Provider {
  const provider = new Provider(context.settings().identifier, configuration(context, gate, privateJwks))
  // Host and protocol are pinned before the library sees a request; without this it would take ours for plain http.
  provider.proxy = true
  // Secrets are kept hashed, and the library compares them as they are kept.
  provider.Client.prototype.compareClientSecret = function (
    this: { readonly clientId: string; readonly clientSecret?: string },
    actual: string,
  ) {
    const matching = matchingSecret(this.clientSecret ?? '', actual)
    if (matching !== undefined) context.secretUses.note(this.clientId, matching)
    return matching !== undefined
  }
  const { redirectUriAllowed } = provider.Client.prototype
  provider.Client.prototype.redirectUriAllowed = function (this: { readonly clientId: string }, uri: string) {
    if (Reflect.apply(redirectUriAllowed, this, [uri])) return true
    return this.clientId === BROWSER_CLIENT && statesCallback(context, Provider.ctx?.oidc.params?.state, uri)
  }
  return provider
}

function configuration(context: IssuerContext, gate: TokenGate, privateJwks: readonly object[]): Configuration {
  const { store, settings } = context
  const authorizing = createAuthorizing(context)
  return {
    adapter: (model: string) =>
      model === 'Client'
        ? clientAdapter(
            store,
            (metadata) => keepRegistered(context, metadata),
            () => browserMetadata(settings().sessionOrigins, settings().origin),
          )
        : kept(context, model, modelAdapter(store, model, gate)),
    jwks: { keys: privateJwks.map((jwk) => ({ ...jwk })) as never },
    findAccount: findSignedIn(context),
    extraParams: { provider: null, ...wishParameters },
    acrValues: [...LEVELS],
    loadExistingGrant: authorizing.loadExistingGrant,
    interactions: { policy: authorizing.policy, url: (_ctx, { uid }) => `/oauth/interaction/${uid}` },
    extraTokenClaims: extraTokenClaims(context),
    formats: { customizers: { jwt: stampToken } },
    rotateRefreshToken: gate.beforeRotating,
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    expiresWithSession: async () => false,
    renderError: renderError(context),
    fetch: (url) => context.documents.fetch(String(url)),
    clientBasedCORS: () => true,
    cookies: cookieSettings(context),
    features: engineFeatures(context, gate),
    routes: { ...ROUTES },
    responseTypes: ['code'],
    subjectTypes: ['public'],
    scopes: ['openid'],
    claims: OPENID_CLAIMS,
    // Apps read who it is from the ID token, and have no other reason to ask.
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post'],
    clientDefaults: {
      id_token_signed_response_alg: settings().signingAlg,
      grant_types: ['authorization_code', 'refresh_token'],
    },
    enabledJWA: { idTokenSigningAlgValues: [settings().signingAlg] },
    clockTolerance: 5,
    ttl: lifetimes(context),
  }
}

function kept(context: IssuerContext, model: string, adapter: Adapter): Adapter {
  return model === 'Session'
    ? visitorSessions(adapter, context, SESSION_IDLE_SECONDS)
    : budgeted(adapter, model, context)
}

function lifetimes({ settings, now }: IssuerContext): NonNullable<Configuration['ttl']> {
  const nowSeconds = (): number => Math.floor(now() / 1000)
  return {
    AccessToken: () => settings().accessTokenTtlSeconds,
    ClientCredentials: () => settings().accessTokenTtlSeconds,
    AuthorizationCode: CODE_SECONDS,
    DeviceCode: DEVICE_CODE_SECONDS,
    IdToken: ID_TOKEN_SECONDS,
    Interaction: INTERACTION_SECONDS,
    Grant: () => settings().refreshTokenMaxSeconds,
    RefreshToken: (_ctx, token) => {
      const left = settings().refreshTokenMaxSeconds - (nowSeconds() - (token.iiat ?? nowSeconds()))
      return Math.max(1, Math.min(settings().refreshTokenTtlSeconds, left))
    },
    Session: (_ctx, session) => {
      const left = SESSION_MAX_SECONDS - (nowSeconds() - (session.loginTs ?? nowSeconds()))
      return Math.max(1, Math.min(SESSION_IDLE_SECONDS, left))
    },
  }
}
