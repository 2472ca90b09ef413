import { decodeJwt } from 'jose'
import {
  authorizationCodeGrant,
  buildAuthorizationUrl,
  buildEndSessionUrl,
  type Configuration,
  calculatePKCECodeChallenge,
  refreshTokenGrant,
  type TokenEndpointResponse,
  tokenRevocation,
} from 'openid-client'
import type { IdentityProvider } from '../../../core/identity-provider.ts'
import { type ClientParts, configure, forTenant, type Keep, TOLERANCE_SECONDS } from './client-configuration.ts'
import { type CallKind, createProviderCalls, type ProviderCalls } from './provider-calls.ts'
import { ProviderError } from './provider-fault.ts'
import { createProviderKeys, type ProviderKeys } from './provider-keys.ts'
import { createMetadata, isIssuer, type ProviderMetadata, strings, TENANT } from './provider-metadata.ts'

/** Claims of an ID token or of userinfo, as the provider gave them. */
export type Claims = Readonly<Record<string, unknown>>

/** What the token endpoint gave. `idToken` holds its claims, checked, signature included. */
export interface ProviderTokens {
  readonly idToken: Claims | undefined
  readonly rawIdToken: string | undefined
  readonly accessToken: string
  /** Seconds; undefined: not said. */
  readonly expiresIn: number | undefined
  readonly refreshToken: string | undefined
}

interface AuthorizationAsk {
  readonly redirectUri: string
  readonly state: string
  readonly nonce: string
  readonly verifier: string
  /** Ask for no more than `openid profile email`, as far as they are listed. */
  readonly leastScopes: boolean
  readonly more: Readonly<Record<string, string>>
}

/** This issuer as a client of one provider. Methods throw {@link ProviderError}, or errors that `faultFrom` knows. */
export interface RelyingParty {
  readonly provider: IdentityProvider
  readonly calls: ProviderCalls
  readonly keys: ProviderKeys
  /** The provider has found fault with the scopes of the file, and taken the least ones: those are asked for from then on. */
  readonly scopes: { least: boolean }
  metadata(): Promise<ProviderMetadata>
  authorizationUrl(ask: AuthorizationAsk): Promise<string>
  redeem(callback: URL, ask: Pick<AuthorizationAsk, 'state' | 'nonce' | 'verifier'>): Promise<ProviderTokens>
  /** @param keep Told of a new refresh token before anything of the answer is judged: the old one may be spent. */
  refresh(refreshToken: string, keep: (next: string) => Promise<void>): Promise<ProviderTokens>
  /** Undefined: it has no userinfo endpoint. 401 is answered as such; everything else that is no answer is thrown. */
  userinfo(accessToken: string): Promise<Claims | 401 | undefined>
  /** Gives the refresh token up there; true when it could be said. */
  revoke(refreshToken: string): Promise<boolean>
  /** Where people sign out there; undefined: nowhere. */
  endSessionUrl(idTokenHint: string | undefined, next: string, state?: string): Promise<string | undefined>
}

/** @param now milliseconds. @param onCall Told of every call, for the metrics. */
export function createRelyingParty(
  provider: IdentityProvider,
  now: () => number,
  onCall: Parameters<typeof createProviderCalls>[1],
): RelyingParty {
  const calls = createProviderCalls(provider, onCall)
  const keys = createProviderKeys(calls, now)
  const metadata = createMetadata(provider, calls, now)
  // The way that worked last; until then what the metadata makes likely.
  const state: { method: 'basic' | 'post' | undefined } = { method: undefined }
  const parts = { provider, calls, keys, metadata, now }

  const withAuth = async <T>(
    kind: CallKind,
    work: (configuration: Configuration) => Promise<T>,
    keep?: Keep,
    iss: string | null = null,
  ): Promise<T> => {
    const read = namedBy(iss, await metadata())
    const run = async (method: 'basic' | 'post'): Promise<T> => {
      const result = await forTenant({ ...parts, keep }, read, method, kind, work)
      state.method = method
      return result
    }
    const first = state.method ?? likelyMethod(provider, read)
    try {
      return await run(first)
    } catch (error) {
      if (provider.clientAuth !== 'auto' || !isInvalidClient(error)) throw error
      return run(first === 'basic' ? 'post' : 'basic')
    }
  }
  const checked = async (answer: TokenAnswer): Promise<ProviderTokens> => ({
    idToken: answer.id_token === undefined ? undefined : await checkedIdToken(parts, answer.id_token),
    rawIdToken: answer.id_token,
    accessToken: answer.access_token,
    expiresIn: answer.expires_in,
    refreshToken: answer.refresh_token,
  })
  return {
    provider,
    calls,
    keys,
    scopes: { least: false },
    metadata,
    authorizationUrl: async (ask) => {
      const read = await metadata()
      const parameters = await authorizationParameters(provider, read, ask)
      return buildAuthorizationUrl(configure(parts, read, 'basic', 'token'), parameters).href
    },
    redeem: (callback, { state: expectedState, nonce: expectedNonce, verifier: pkceCodeVerifier }) =>
      withAuth(
        'token',
        async (configuration) => {
          const checks = { expectedState, expectedNonce, pkceCodeVerifier, idTokenExpected: true }
          return checked(await authorizationCodeGrant(configuration, callback, checks))
        },
        undefined,
        callback.searchParams.get('iss'),
      ),
    refresh: (refreshToken, keep) =>
      withAuth('token', async (configuration) => checked(await refreshTokenGrant(configuration, refreshToken)), keep),
    userinfo: (accessToken) => askUserinfo(parts, accessToken),
    revoke: async (refreshToken) => {
      const { server } = await metadata()
      if (server.revocation_endpoint === undefined) return false
      await withAuth('revocation', (configuration) =>
        tokenRevocation(configuration, refreshToken, { token_type_hint: 'refresh_token' }),
      )
      return true
    },
    endSessionUrl: async (idTokenHint, next, state) => {
      const read = await metadata()
      if (read.server.end_session_endpoint === undefined) return undefined
      const hint = idTokenHint === undefined ? {} : { id_token_hint: idTokenHint }
      const parameters = { ...hint, post_logout_redirect_uri: next, ...(state === undefined ? {} : { state }) }
      return buildEndSessionUrl(configure(parts, read, 'basic', 'token'), parameters).href
    },
  }
}

/** Where the metadata leave the tenant's place open and the response names the tenant, the ID token must name the same. */
function namedBy(iss: string | null, read: ProviderMetadata): ProviderMetadata {
  const { server } = read
  if (iss === null || !server.issuer.includes(TENANT) || !isIssuer(server.issuer, iss)) return read
  return { ...read, server: { ...server, issuer: iss } }
}

type TokenAnswer = Pick<TokenEndpointResponse, 'id_token' | 'access_token' | 'expires_in' | 'refresh_token'>

function likelyMethod({ clientAuth }: IdentityProvider, { server }: ProviderMetadata): 'basic' | 'post' {
  if (clientAuth !== 'auto') return clientAuth
  const listed = strings(server.token_endpoint_auth_methods_supported) ?? []
  return listed.includes('client_secret_post') && !listed.includes('client_secret_basic') ? 'post' : 'basic'
}

function isInvalidClient(error: unknown): boolean {
  return error instanceof Error && 'error' in error && error.error === 'invalid_client'
}

async function authorizationParameters(
  provider: IdentityProvider,
  { server }: ProviderMetadata,
  ask: AuthorizationAsk,
): Promise<Record<string, string>> {
  return {
    ...provider.parameters,
    ...ask.more,
    redirect_uri: ask.redirectUri,
    response_type: 'code',
    response_mode: 'query',
    scope: scopesFor(provider, strings(server.scopes_supported), ask.leastScopes).join(' '),
    state: ask.state,
    nonce: ask.nonce,
    code_challenge: await calculatePKCECodeChallenge(ask.verifier),
    code_challenge_method: 'S256',
  }
}

/** @param listed `scopes_supported`; undefined: not said. */
function scopesFor(
  { scopes, listedScopesOnly }: IdentityProvider,
  listed: readonly string[] | undefined,
  least: boolean,
): readonly string[] {
  if (least) return ['openid', ...['profile', 'email'].filter((scope) => listed?.includes(scope) === true)]
  if (!listedScopesOnly) return scopes
  return scopes.filter((scope) => scope === 'openid' || listed?.includes(scope) === true)
}

/** The library leaves the signature to TLS, and takes any `iat`. */
async function checkedIdToken({ keys, metadata, now }: ClientParts, jwt: string): Promise<Claims> {
  const read = await metadata()
  const { server } = read
  await keys.verify(jwt, read)
  const claims = decodeJwt(jwt)
  if (!isIssuer(server.issuer, String(claims.iss))) {
    throw new ProviderError({ kind: 'invalid_token', detail: 'iss names no tenant' })
  }
  if (Number(claims.iat) > now() / 1000 + TOLERANCE_SECONDS) {
    throw new ProviderError({ kind: 'invalid_token', detail: 'iat lies ahead' })
  }
  return claims
}

async function askUserinfo(parts: ClientParts, accessToken: string): Promise<Claims | 401 | undefined> {
  const metadata = await parts.metadata()
  const { userinfo_endpoint: url } = metadata.server
  if (url === undefined) return undefined
  const headers = { authorization: `Bearer ${accessToken}`, accept: 'application/json, application/jwt' }
  const answer = await parts.calls.call('userinfo', url, { headers })
  if (answer.status === 401) return 401
  if (answer.status !== 200)
    throw new ProviderError({ kind: 'silent', detail: `userinfo answered with ${answer.status}` })
  if (answer.contentType !== 'application/jwt') return parseClaims(answer.text)
  await parts.keys.verify(answer.text, metadata)
  return decodeJwt(answer.text)
}

function parseClaims(text: string): Claims {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  } catch {}
  throw new ProviderError({ kind: 'silent', detail: 'userinfo does not answer with claims' })
}
