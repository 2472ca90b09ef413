import type { VerifiedToken } from './token.ts'

/** A `jti` of the embedded issuer: the time of issue in milliseconds, base 36, then `-` and at least 128 bits of chance. */
export function makeJti(nowMs: number, random: string): string {
  return `${Math.floor(nowMs).toString(36)}-${random}`
}

/**
 * When a token of the embedded issuer was made, in milliseconds: from its `jti`, so that a token made after an act in the same second is told
 * from one made before. Without a `jti` that agrees with `iat`, the beginning of that second: earlier is the closed side.
 */
export function issuedMs(token: VerifiedToken): number {
  const second = token.issuedAt * 1000
  const [, time = ''] = /^([0-9a-z]{1,10})-/.exec(token.jti ?? '') ?? []
  const written = time === '' ? second : Number.parseInt(time, 36)
  return Math.abs(written - second) < 2000 ? written : second
}
