import { safeText } from './denial.ts'
import type { Resource } from './resource.ts'
import type { VerifiedToken } from './token.ts'

/**
 * Whether the token was made for the resource: its `aud` has the identifier or one of `acceptAudiences`, byte for byte.
 * Tokens of the embedded issuer name exactly one audience (RFC 9068 §3).
 */
export function hasAudience(resource: Resource, token: VerifiedToken): boolean {
  if (token.embedded && token.audience.length !== 1) return false
  for (const audience of token.audience) {
    if (audience === resource.identifier || resource.acceptAudiences.includes(audience)) return true
  }
  return false
}

/** Which audience was expected and which came; names a difference that is a trailing slash only. */
export function audienceDifference(resource: Resource, token: VerifiedToken): string {
  const { identifier } = resource
  const expected = safeText(identifier, 120)
  if (token.audience.length === 0) return `the token names no audience; expected ${expected}`
  const came = token.audience.slice(0, 3).map((audience) => safeText(audience, 80))
  const more = token.audience.length > 3 ? ` and ${token.audience.length - 3} more` : ''
  const slash = token.audience.some((audience) => `${audience}/` === identifier || audience === `${identifier}/`)
  const hint = slash ? '; they differ in a trailing slash only, and identifiers are compared byte for byte' : ''
  return `the token is for ${came.join(' ')}${more}; expected ${expected}${hint}`
}
