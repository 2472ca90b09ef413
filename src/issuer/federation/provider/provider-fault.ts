import { AuthorizationResponseError, ClientError, ResponseBodyError } from 'openid-client'

/** What is wrong with how a provider is set up, there or here. */
export type Misconfiguration =
  | 'alg_hs256'
  | 'token_encrypted'
  | 'issuer_mismatch'
  | 'invalid_client'
  | 'invalid_scope'
  | 'groups_form'
  | 'metadata'

/** Why a provider's answer is none that can be gone by. `detail` is for the log; it never holds a token, code or claim set. */
export type ProviderFault =
  /** Nothing that can be believed came: its last word stands. */
  | { readonly kind: 'silent'; readonly detail: string }
  | { readonly kind: 'misconfigured'; readonly what: Misconfiguration; readonly detail: string }
  /** It says that the grant is dead. */
  | { readonly kind: 'ended'; readonly detail: string }
  /** Another person, or another issuer, than before. */
  | { readonly kind: 'subject_changed'; readonly detail: string }
  /** An ID token that breaks a rule. */
  | { readonly kind: 'invalid_token'; readonly detail: string }

/** A {@link ProviderFault} on its way to the edge of this folder. */
export class ProviderError extends Error {
  readonly fault: ProviderFault

  constructor(fault: ProviderFault) {
    super(fault.detail)
    this.name = 'ProviderError'
    this.fault = fault
  }
}

/** The result of `work`, or what was wrong. What is no fault of a provider is thrown on. */
export async function orFault<T>(work: () => Promise<T>): Promise<T | ProviderFault> {
  try {
    return await work()
  } catch (error) {
    const fault = faultFrom(error)
    if (fault === undefined) throw error
    return fault
  }
}

/** Whether a result is a fault. */
export function isFault<T extends object>(result: T | ProviderFault): result is ProviderFault {
  return 'kind' in result && 'detail' in result && FAULTS.has(String(result.kind))
}

const FAULTS: ReadonlySet<string> = new Set(['silent', 'misconfigured', 'ended', 'subject_changed', 'invalid_token'])

/** Codes of the library for a token that breaks a rule; the rest is an answer that is no answer. */
const TOKEN_CODES: ReadonlySet<string> = new Set([
  'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
  'OAUTH_JWT_TIMESTAMP_CHECK_FAILED',
  'OAUTH_INVALID_RESPONSE',
  'OAUTH_PARSE_ERROR',
  'OAUTH_UNSUPPORTED_OPERATION',
])

/** What an error of the library comes to; undefined for a mistake of ours. */
export function faultFrom(error: unknown): ProviderFault | undefined {
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    if (each instanceof ProviderError) return each.fault
  }
  if (error instanceof ResponseBodyError) return fromBody(error)
  if (error instanceof AuthorizationResponseError) return { kind: 'ended', detail: plain(error.error) }
  if (!(error instanceof ClientError)) return undefined
  if (claimOf(error) === 'iss') return { kind: 'subject_changed', detail: 'another issuer than before' }
  if (error.code !== undefined && TOKEN_CODES.has(error.code)) {
    return {
      kind: 'invalid_token',
      detail: [error.code, claimOf(error)].filter((part) => part !== undefined).join(' '),
    }
  }
  return { kind: 'silent', detail: error.code ?? 'an answer that is none' }
}

function fromBody({ error, status, error_description: description }: ResponseBodyError): ProviderFault {
  const detail = plain(description === undefined ? error : `${error}: ${description}`)
  switch (error) {
    case 'invalid_grant':
      return { kind: 'ended', detail }
    case 'invalid_client':
    case 'unauthorized_client':
      return { kind: 'misconfigured', what: 'invalid_client', detail }
    case 'invalid_scope':
      return { kind: 'misconfigured', what: 'invalid_scope', detail }
    case 'invalid_request':
      // Dex says so of a refresh token that it has revoked or let expire. Our requests have one form, so it's the grant that is meant.
      return status === 400 ? { kind: 'ended', detail } : { kind: 'silent', detail: `${status} ${detail}` }
  }
  return { kind: 'silent', detail: `${status} ${detail}` }
}

/** The claim that the library found wrong. */
function claimOf(error: ClientError): string | undefined {
  const { cause } = error
  const inner = cause instanceof Error ? cause.cause : cause
  if (typeof inner !== 'object' || inner === null || !('claim' in inner)) return undefined
  return typeof inner.claim === 'string' ? inner.claim : undefined
}

/** A provider's text for the log: cut, on one line, without mail addresses. */
export function plain(text: string): string {
  return text
    .slice(0, 200)
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, ' ')
    .replace(/\S+@\S+/g, '(address)')
}
