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
