/** Why a token is not a live access token of a trusted issuer (product, section 3, "token bad"). */
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
