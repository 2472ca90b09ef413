import {
  allowInsecureRequests,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  clockSkew,
  clockTolerance,
  customFetch,
} from 'openid-client'
import type { IdentityProvider } from '../../../core/identity-provider.ts'
import type { Answer, CallKind, ProviderCalls } from './provider-calls.ts'
import { ProviderError } from './provider-fault.ts'
import type { ProviderKeys } from './provider-keys.ts'
import { encryptedText, hmacText, type ProviderMetadata, TENANT } from './provider-metadata.ts'

/** How far clocks may differ. */
export const TOLERANCE_SECONDS = 30

/** Told of a new refresh token before anything of an answer is judged. */
export type Keep = ((next: string) => Promise<void>) | undefined

/** What a question to a provider takes. */
export interface ClientParts {
  readonly provider: IdentityProvider
  readonly calls: ProviderCalls
  readonly keys: ProviderKeys
  readonly metadata: () => Promise<ProviderMetadata>
  readonly now: () => number
  readonly keep?: Keep
}

/** Entra's issuer for every tenant has the tenant's place left open: the answer that came is judged by the tenant that it names. */
export async function forTenant<T>(
  parts: ClientParts,
  read: ProviderMetadata,
  method: 'basic' | 'post',
  kind: CallKind,
  work: (configuration: Configuration) => Promise<T>,
): Promise<T> {
  const { issuer } = read.server
  if (kind !== 'token' || !issuer.includes(TENANT)) return work(configure(parts, read, method, kind))
  const heard: { answer: Answer | undefined } = { answer: undefined }
  const calls: ProviderCalls = {
    ...parts.calls,
    call: async (...asked) => {
      heard.answer ??= await parts.calls.call(...asked)
      return heard.answer
    },
  }
  try {
    return await work(configure({ ...parts, calls }, read, method, kind))
  } catch (error) {
    const tenant = heard.answer && tenantIn(heard.answer.text)
    if (tenant === undefined) throw error
    const server = { ...read.server, issuer: issuer.replace(TENANT, tenant) }
    return work(configure({ ...parts, calls }, { ...read, server }, method, kind))
  }
}

/** The tenant that an answer's ID token names; it is believed only once the signature was checked. */
function tenantIn(body: string): string | undefined {
  const payload = idTokenIn(body).split('.')[1] ?? ''
  return /"tid"\s*:\s*"([0-9a-f-]{36})"/i.exec(Buffer.from(payload, 'base64url').toString('utf8'))?.[1]
}

function idTokenIn(body: string): string {
  return /"id_token"\s*:\s*"([^"]+)"/.exec(body)?.[1] ?? ''
}

/** The library's configuration for one question; answers come by the bounded calls. */
export function configure(
  { provider, calls, now, keep }: ClientParts,
  { server }: ProviderMetadata,
  method: 'basic' | 'post',
  kind: CallKind,
): Configuration {
  const { clientId, clientSecret } = provider
  const auth = method === 'basic' ? ClientSecretBasic(clientSecret) : ClientSecretPost(clientSecret)
  const skew = Math.round((now() - Date.now()) / 1000)
  const configuration = new Configuration(
    server,
    clientId,
    { [clockSkew]: skew, [clockTolerance]: TOLERANCE_SECONDS },
    auth,
  )
  // The metadata's endpoints are https, or on this machine; that is checked where it is read.
  allowInsecureRequests(configuration)
  configuration[customFetch] = async (url, options) => {
    const body = options.body === null || options.body === undefined ? undefined : String(options.body)
    const asked = { method: options.method === 'POST' ? 'POST' : 'GET', headers: options.headers } as const
    const heard = await calls.call(kind, url, body === undefined ? asked : { ...asked, body })
    const { status, contentType } = heard
    const answered = (text: string): Response =>
      new Response(text, { status, headers: { 'content-type': contentType } })
    if (status >= 400) return answered(withoutSecrets(heard.text, clientSecret, body))
    if (kind !== 'token' || status !== 200) return answered(heard.text)
    const tokens = tokensIn(heard.text)
    const { refresh_token: next } = tokens
    if (typeof next === 'string' && next !== '') await keep?.(next)
    refuseUnfitToken(provider, heard.text)
    return answered(JSON.stringify(tokens))
  }
  return configuration
}

/** What was sent, and what the provider may say again in the words of its error. */
const SECRETS = ['code', 'refresh_token', 'token', 'code_verifier', 'client_secret'] as const

/** The words of a refusal go to the log: what was sent does not. */
function withoutSecrets(text: string, clientSecret: string, body = ''): string {
  const sent = new URLSearchParams(body)
  const secrets = [clientSecret, ...SECRETS.map((name) => sent.get(name) ?? '')].filter((each) => each !== '')
  const answer = objectIn(text)
  if (typeof answer?.error_description !== 'string') return text
  const words = secrets.reduce((left, secret) => left.replaceAll(secret, '(secret)'), answer.error_description)
  return JSON.stringify({ ...answer, error_description: words })
}

/** The library would call what is no answer at all a bad token, and the `null` of a serializer for what isn't there, too. */
function tokensIn(body: string): Readonly<Record<string, unknown>> {
  const answer = objectIn(body)
  if (typeof answer?.access_token !== 'string') {
    throw new ProviderError({ kind: 'silent', detail: 'the token endpoint answers 200 without an access token' })
  }
  return Object.fromEntries(Object.entries(answer).filter(([, value]) => value !== null))
}

function objectIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

/** Names the setting at the provider that makes its tokens unfit, where the library would only say that they are. */
function refuseUnfitToken(provider: IdentityProvider, body: string): void {
  const token = idTokenIn(body)
  if (token.split('.').length === 5) {
    throw new ProviderError({ kind: 'misconfigured', what: 'token_encrypted', detail: encryptedText(provider) })
  }
  const header = Buffer.from(token.split('.')[0] ?? '', 'base64url').toString('utf8')
  if (/"alg"\s*:\s*"HS/.test(header)) {
    throw new ProviderError({ kind: 'misconfigured', what: 'alg_hs256', detail: hmacText(provider) })
  }
}
