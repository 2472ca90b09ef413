import Provider, { type Configuration } from 'oidc-provider'
import { modelAdapter } from './adapter.ts'
import { createAuthorizing } from './authorizing.ts'
import { clientAdapter } from './client-adapter.ts'
import { clientSecretMatches } from './client-secrets.ts'
import { cookieSettings } from './cookies.ts'
import { ROUTES } from './endpoints.ts'
import { engineFeatures } from './engine-features.ts'
import { extraTokenClaims, stampToken } from './issued-token.ts'
import type { IssuerContext } from './issuer-context.ts'
import { renderError } from './library-pages.ts'
import { findPerson, OPENID_CLAIMS } from './people.ts'
import { keepRegistered } from './registration.ts'
import type { TokenGate } from './token-gate.ts'

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
  provider.Client.prototype.compareClientSecret = function (this: { clientSecret?: string }, actual: string) {
    return clientSecretMatches(this.clientSecret ?? '', actual)
  }
  return provider
}

function configuration(context: IssuerContext, gate: TokenGate, privateJwks: readonly object[]): Configuration {
  const { store, settings } = context
  const authorizing = createAuthorizing(context)
  return {
    adapter: (model: string) =>
      model === 'Client'
        ? clientAdapter(store, (metadata) => keepRegistered(context, metadata))
        : modelAdapter(store, model, gate),
    jwks: { keys: privateJwks.map((jwk) => ({ ...jwk })) as never },
    findAccount: (_ctx, sub) => findPerson(store, sub),
    loadExistingGrant: authorizing.loadExistingGrant,
    interactions: { policy: authorizing.policy, url: (_ctx, { uid }) => `/oauth/interaction/${uid}` },
    extraTokenClaims: extraTokenClaims(context),
    formats: { customizers: { jwt: stampToken } },
    rotateRefreshToken: gate.beforeRotating,
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    expiresWithSession: async () => false,
    renderError: renderError(context),
    fetch: (url) => context.fetchDocument(String(url)),
    clientBasedCORS: () => true,
    cookies: cookieSettings(context),
    features: engineFeatures(context, gate),
    routes: { ...ROUTES },
    responseTypes: ['code'],
    subjectTypes: ['public'],
    scopes: ['openid'],
    claims: OPENID_CLAIMS,
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
