import type { ServerMetadata } from 'openid-client'
import type { IdentityProvider } from '../../../core/identity-provider.ts'
import type { ProviderCalls } from './provider-calls.ts'
import { type Misconfiguration, ProviderError, plain } from './provider-fault.ts'

const FRESH_MS = 3_600_000
const STALE_MS = 24 * 3_600_000
/** While it is silent and the old ones serve, it is asked no more often than this. */
const PAUSE_MS = 30_000

/** What a provider says of itself (OpenID Connect Discovery), as far as it can be gone by. */
export interface ProviderMetadata {
  readonly server: ServerMetadata
  /** What its ID tokens may be signed with: no `none`, no HMAC. */
  readonly algorithms: readonly string[]
}

/** Reads the metadata, and keeps it for an hour; while the provider is silent, for a day. Throws {@link ProviderError}. */
export function createMetadata(
  provider: IdentityProvider,
  calls: ProviderCalls,
  now: () => number,
): () => Promise<ProviderMetadata> {
  const state: {
    kept: { value: ProviderMetadata; atMs: number } | undefined
    under: Promise<ProviderMetadata> | undefined
    silentAtMs: number
  } = { kept: undefined, under: undefined, silentAtMs: Number.NEGATIVE_INFINITY }
  const serves = (ms: number): boolean => state.kept !== undefined && now() - state.kept.atMs < ms
  const load = async (): Promise<ProviderMetadata> => {
    try {
      const answer = await calls.call('discovery', discoveryUrl(provider))
      // An error may well be an object that names no issuer.
      if (answer.status !== 200) throw silence(`discovery answers with ${answer.status}: is the address right?`)
      const value = readMetadata(provider, answer.text)
      state.kept = { value, atMs: now() }
      return value
    } catch (error) {
      const silent = error instanceof ProviderError && error.fault.kind === 'silent'
      if (!silent || state.kept === undefined || !serves(STALE_MS)) throw error
      state.silentAtMs = now()
      return state.kept.value
    }
  }
  return async () => {
    const pausing = now() - state.silentAtMs < PAUSE_MS
    if (state.kept !== undefined && serves(pausing ? STALE_MS : FRESH_MS)) return state.kept.value
    state.under ??= load().finally(() => {
      state.under = undefined
    })
    return state.under
  }
}

/** Where the metadata stands: behind the issuer, whose trailing slash is not doubled (OpenID Connect Discovery §4). */
export function discoveryUrl({ issuer, discovery }: IdentityProvider): string {
  return discovery ?? `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
}

const ENDPOINTS = ['authorization_endpoint', 'token_endpoint', 'jwks_uri'] as const
const OPTIONAL = ['userinfo_endpoint', 'end_session_endpoint', 'revocation_endpoint'] as const
/** Where the metadata says nothing (OpenID Connect Core §2). */
const DEFAULT_ALGORITHMS = ['RS256']

/** Checks a metadata document against the file. Exported for the tests. */
export function readMetadata(provider: IdentityProvider, text: string): ProviderMetadata {
  const document = parseObject(text)
  if (document === undefined) throw silence('discovery does not answer with metadata')
  checkIssuer(provider, document)
  for (const name of ENDPOINTS) checkEndpoint(name, document[name])
  for (const name of OPTIONAL) if (document[name] !== undefined) checkEndpoint(name, document[name])
  const listed = strings(document.id_token_signing_alg_values_supported) ?? DEFAULT_ALGORITHMS
  const algorithms = listed.filter((name) => name !== 'none' && !/^HS/i.test(name))
  if (algorithms.length === 0) throw misconfigured('alg_hs256', hmacText(provider))
  const server = { ...document, issuer: String(document.issuer), id_token_signing_alg_values_supported: algorithms }
  return { server, algorithms }
}

/** What to change where tokens are signed with the client secret. */
export function hmacText({ preset }: IdentityProvider): string {
  return preset === 'authentik'
    ? 'signs ID tokens with HS256 only: choose a "Signing Key" in the provider in authentik'
    : 'signs ID tokens with HMAC only: choose an asymmetric algorithm (RS256, ES256 or EdDSA) for this client there'
}

/** What to change where tokens are encrypted. */
export function encryptedText({ preset }: IdentityProvider): string {
  return preset === 'authentik'
    ? 'encrypts ID tokens: leave "Encryption Key" empty in the provider in authentik'
    : 'encrypts ID tokens: turn encryption of ID tokens off for this client there'
}

function checkIssuer({ issuer, preset }: IdentityProvider, document: Readonly<Record<string, unknown>>): void {
  const named = document.issuer
  if (named === issuer) return
  if (preset === 'entra' && typeof named === 'string' && TEMPLATE_NAMES.test(partAt(named, issuer) ?? '')) return
  const shown = typeof named === 'string' ? plain(named) : 'none'
  throw misconfigured(
    'issuer_mismatch',
    `the file has ${issuer}, its metadata says ${shown}: they must be the same to the letter`,
  )
}

/** Stands in Entra's metadata where its tokens name the tenant, at an issuer for every tenant. */
export const TENANT = '{tenantid}'
const TENANT_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
/** What the file's issuer has in that place. */
const TEMPLATE_NAMES = /^(?:common|organizations|consumers)$/

/** Whether a response or token is of the issuer that the metadata name: the same, or one that names a tenant in the place left open. */
export function isIssuer(named: string, iss: string): boolean {
  return named.includes(TENANT) ? TENANT_ID.test(partAt(named, iss) ?? '') : iss === named
}

/** What stands where a template leaves the tenant's place open; undefined where the rest differs, or nothing is left open. */
function partAt(template: string, issuer: string): string | undefined {
  const [before, after, ...more] = template.split(TENANT)
  if (before === undefined || after === undefined || more.length > 0) return undefined
  const fits = issuer.startsWith(before) && issuer.endsWith(after) && issuer.length >= before.length + after.length
  return fits ? issuer.slice(before.length, issuer.length - after.length) : undefined
}

function checkEndpoint(name: string, value: unknown): void {
  const url = typeof value === 'string' ? URL.parse(value) : null
  const loopback = url !== null && /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && loopback)) return
  const shown = typeof value === 'string' ? plain(value) : 'none'
  throw misconfigured('metadata', `${name} in its metadata must be an https URL, and is ${shown}`)
}

function silence(detail: string): ProviderError {
  return new ProviderError({ kind: 'silent', detail })
}

function misconfigured(what: Misconfiguration, detail: string): ProviderError {
  return new ProviderError({ kind: 'misconfigured', what, detail })
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

/** The texts of a list; undefined for what is no list. */
export function strings(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : undefined
}
