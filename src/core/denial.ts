import type { SignInWish } from './levels.ts'

/** Why a token is not a live access token of a trusted issuer. */
export type TokenFault =
  | 'malformed_token'
  | 'untrusted_issuer'
  | 'unknown_key'
  | 'bad_signature'
  | 'wrong_type'
  | 'expired'
  | 'not_yet_valid'
  | 'missing_claim'
  | 'not_bound'
  | 'revoked'
  | CredentialFault

/** Why a session, an app password or a ticket opens nothing here. */
export type CredentialFault =
  | 'session_expired'
  | 'no_session_for_resource'
  | 'bad_app_password'
  | 'bad_ticket'
  | 'ticket_expired'
  | 'credential_not_accepted'
  | 'cross_origin_request'
  | 'ticket_mismatch'

/**
 * One vocabulary: log field, metric label, `explain`'s output, problem document and the README's table.
 * `ok` and `client_closed` are outcomes of the log only.
 */
export type Reason =
  | TokenFault
  | 'no_route'
  | 'ambiguous_path'
  | 'malformed_request'
  | 'method_not_allowed'
  | 'path_not_allowed'
  | 'no_token'
  | 'malformed_credential'
  | 'issuer_mismatch'
  | 'audience_mismatch'
  | 'malformed_claim'
  | 'identity_too_large'
  | 'insufficient_scope'
  | 'insufficient_authentication'
  | 'verifier_unavailable'
  | 'upstream_refused'
  | 'upstream_reset'
  | 'upstream_protocol'
  | 'upstream_timeout'
  | 'body_too_large'
  | 'origin_not_allowed'
  | 'destination_elsewhere'
  | 'destination_not_allowed'
  | 'headers_too_large'
  | 'headers_timeout'
  | 'loop'
  | 'sign_in_required'
  | 'sign_in_failed'
  | 'sign_in_unavailable'
  | 'too_many_attempts'

/** Codes of RFC 6750 §3.1 and RFC 9470 §3. */
type OAuthError = 'invalid_request' | 'invalid_token' | 'insufficient_scope' | 'insufficient_user_authentication'

/** What a client needs to get a token that would do: RFC 6750 §3, RFC 9728 §5.1, RFC 9470 §3. */
export interface Challenge {
  readonly resourceMetadata: string
  /** Empty where no rule fits. */
  readonly scope: readonly string[]
  /** Where the sign-in was not enough: what to ask for. */
  readonly signIn?: SignInWish
}

/** An answer of the gateway's own. */
export interface Denial {
  readonly status: number
  readonly reason: Reason
  readonly error: OAuthError | undefined
  /** Printable ASCII without `"` and `\`, at most 600 characters: fit for a header as it is. */
  readonly description: string
  readonly challenge?: Challenge
  readonly allow?: readonly string[]
  readonly retryAfterSeconds?: number
}

/** Status and OAuth code by reason. Only answers of the gateway's own have a row; that of `sign_in_required` has no body. */
export const ANSWERS: Readonly<Record<Reason, { readonly status: number; readonly error?: OAuthError }>> = {
  no_route: { status: 404 },
  ambiguous_path: { status: 400 },
  malformed_request: { status: 400 },
  method_not_allowed: { status: 405 },
  path_not_allowed: { status: 403 },
  no_token: { status: 401 },
  malformed_credential: { status: 400, error: 'invalid_request' },
  malformed_token: { status: 401, error: 'invalid_token' },
  untrusted_issuer: { status: 401, error: 'invalid_token' },
  unknown_key: { status: 401, error: 'invalid_token' },
  bad_signature: { status: 401, error: 'invalid_token' },
  wrong_type: { status: 401, error: 'invalid_token' },
  expired: { status: 401, error: 'invalid_token' },
  not_yet_valid: { status: 401, error: 'invalid_token' },
  missing_claim: { status: 401, error: 'invalid_token' },
  issuer_mismatch: { status: 401, error: 'invalid_token' },
  audience_mismatch: { status: 401, error: 'invalid_token' },
  not_bound: { status: 401, error: 'invalid_token' },
  revoked: { status: 401, error: 'invalid_token' },
  malformed_claim: { status: 401, error: 'invalid_token' },
  identity_too_large: { status: 403 },
  insufficient_scope: { status: 403, error: 'insufficient_scope' },
  insufficient_authentication: { status: 401, error: 'insufficient_user_authentication' },
  verifier_unavailable: { status: 503 },
  upstream_refused: { status: 502 },
  upstream_reset: { status: 502 },
  upstream_protocol: { status: 502 },
  upstream_timeout: { status: 504 },
  body_too_large: { status: 413 },
  origin_not_allowed: { status: 403 },
  destination_elsewhere: { status: 502 },
  destination_not_allowed: { status: 403 },
  headers_too_large: { status: 431 },
  headers_timeout: { status: 408 },
  loop: { status: 508 },
  session_expired: { status: 401 },
  no_session_for_resource: { status: 401 },
  bad_app_password: { status: 401, error: 'invalid_token' },
  bad_ticket: { status: 401, error: 'invalid_token' },
  ticket_expired: { status: 401, error: 'invalid_token' },
  credential_not_accepted: { status: 401, error: 'invalid_token' },
  cross_origin_request: { status: 403 },
  ticket_mismatch: { status: 403 },
  sign_in_required: { status: 302 },
  sign_in_failed: { status: 400 },
  sign_in_unavailable: { status: 503 },
  too_many_attempts: { status: 429 },
}

/** What the client is told besides the reason. */
export interface DenialExtras {
  readonly challenge?: Challenge
  readonly allow?: readonly string[]
  readonly retryAfterSeconds?: number
}

/** The answer for `reason`; `description` is made safe for headers. */
export function denial(reason: Reason, description: string, extras: DenialExtras = {}): Denial {
  const { status, error } = ANSWERS[reason]
  return { status, reason, error, description: safeText(description, 600), ...extras }
}

/** JWS algorithms that a DPoP proof may be signed with (RFC 9449 §5.1). */
export const DPOP_ALGS: readonly string[] = ['ES256', 'ES384', 'ES512', 'PS256', 'RS256', 'EdDSA', 'Ed25519']

const NO_WISH: SignInWish = { acrValues: [], maxAge: undefined }

/**
 * The value of `WWW-Authenticate`, undefined for a denial without challenge. A request that used DPoP is answered with a
 * `DPoP` challenge (RFC 9449 §7.1). `error` is left out when no credential came (RFC 6750 §3.1).
 */
export function challengeHeader(denied: Denial, scheme: 'Bearer' | 'DPoP' = 'Bearer'): string | undefined {
  const { challenge, error, description } = denied
  if (challenge === undefined) return undefined
  const parameters = [`resource_metadata=${quoted(challenge.resourceMetadata)}`]
  if (challenge.scope.length > 0) parameters.push(`scope=${quoted(challenge.scope.join(' '))}`)
  const { acrValues, maxAge } = challenge.signIn ?? NO_WISH
  if (acrValues.length > 0) parameters.push(`acr_values=${quoted(acrValues.join(' '))}`)
  if (maxAge !== undefined) parameters.push(`max_age=${quoted(String(maxAge))}`)
  if (error !== undefined) parameters.push(`error=${quoted(error)}`, `error_description=${quoted(description)}`)
  if (scheme === 'DPoP') parameters.push(`algs=${quoted(DPOP_ALGS.join(' '))}`)
  return `${scheme} ${parameters.join(', ')}`
}

/** Text made fit for a header, a log line and `error_description` (RFC 6750 §3): quotes become `'`, other bytes `?`. */
export function safeText(text: string, limit: number): string {
  const cut = text.length > limit ? `${text.slice(0, limit - 3)}...` : text
  return cut
    .replaceAll(/["‘’“”]/g, "'")
    .replaceAll('\\', '/')
    .replace(/[^ -~]/g, '?')
}

function quoted(text: string): string {
  return `"${text.replace(/[^ -~]/g, '?').replace(/["\\]/g, '\\$&')}"`
}
