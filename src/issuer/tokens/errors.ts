import { errors } from 'oidc-provider'
import type { Refusal } from './policy.ts'

/** The library's error for a refusal of the policy, with the description for the client. */
export function toLibraryError(refusal: Pick<Refusal, 'error' | 'description'>): errors.OIDCProviderError {
  const error = libraryError(refusal.error)
  error.error_description = refusal.description
  return error
}

/** `invalid_grant` with a description for the client. */
export function invalidGrant(description: string): errors.OIDCProviderError {
  return toLibraryError({ error: 'invalid_grant', description })
}

/** `temporarily_unavailable` with 503: nothing was spent, and the same request may do later. */
export function unavailable(description: string, retryAfterSeconds: number): errors.OIDCProviderError {
  const error = new errors.CustomOIDCProviderError('temporarily_unavailable', description)
  return Object.assign(error, { status: 503, statusCode: 503, expose: true, retryAfterSeconds })
}

function libraryError(code: Refusal['error']): errors.OIDCProviderError {
  switch (code) {
    case 'invalid_target':
      return new errors.InvalidTarget()
    case 'invalid_grant':
      return new errors.InvalidGrant('refused by the policy')
    case 'invalid_scope': {
      const error = new errors.InvalidScope('', '')
      // The library would answer with the scope that is wrong, and here is none in particular.
      Object.assign(error, { scope: undefined })
      return error
    }
  }
}
