import type { Level } from '../../core/levels.ts'

/** How somebody signed in here (RFC 8176), and the level of it. */
export const METHODS = {
  password: ['pwd'],
  code: ['pwd', 'otp', 'mfa'],
  recovery: ['pwd', 'mfa'],
  passkey: ['pop', 'user', 'mfa'],
} as const

/** The level of a sign-in of this issuer's own; undefined: none of its own. */
export function levelOfMethods(amr: readonly string[]): Level | undefined {
  if (amr.includes('pop')) return 'phr'
  if (amr.includes('mfa')) return 'mfa'
  return amr.includes('pwd') ? 'pwd' : undefined
}
