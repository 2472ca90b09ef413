import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** Lets scanners of source code and logs recognise a secret that has leaked. */
const PREFIX = 'agcs_'

/** A new client secret: 256 bits of chance behind a prefix that scanners can look for. */
export function makeClientSecret(): string {
  return `${PREFIX}${randomBytes(32).toString('base64url')}`
}

/** SHA-256, base64url: enough for a secret of 256 bits, which nobody guesses. */
export function hashClientSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url')
}

/** Whether `secret` is the one that was hashed; takes the same time for every secret. */
export function clientSecretMatches(hash: string, secret: string): boolean {
  const [expected, actual] = [Buffer.from(hash), Buffer.from(hashClientSecret(secret))]
  return expected.length === actual.length && timingSafeEqual(expected, actual)
}
