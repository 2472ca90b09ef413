import { createHash, timingSafeEqual } from 'node:crypto'

/** One of the secrets of a client: two may be good while a new one takes the place of the old. */
export interface ClientSecret {
  /** Names it to operators; says nothing of the secret. */
  readonly id: string
  /** SHA-256, base64url. */
  readonly hash: string
  /** NumericDate; undefined: as old as the client. */
  readonly createdAt: number | undefined
}

const ID_LENGTH = 10

/** SHA-256, base64url: enough for a secret of 256 bits, which nobody guesses. */
export function hashClientSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url')
}

/** The secrets in the column of a client: `hash` or `hash.createdAt`, parted by spaces. */
export function secretsOf(kept: string | undefined): readonly ClientSecret[] {
  const entries = (kept ?? '').split(' ').filter((entry) => entry !== '')
  return entries.map((entry) => {
    const [hash = '', at] = entry.split('.')
    return { id: hash.slice(0, ID_LENGTH), hash, createdAt: at === undefined ? undefined : Number(at) }
  })
}

/** What {@link secretsOf} reads. */
export function keptSecrets(secrets: readonly ClientSecret[]): string {
  return secrets.map(({ hash, createdAt }) => (createdAt === undefined ? hash : `${hash}.${createdAt}`)).join(' ')
}

/** The id of the one of those that were hashed that `secret` is; undefined: it is none. Takes the same time for every secret. */
export function matchingSecret(kept: string, secret: string): string | undefined {
  const actual = Buffer.from(hashClientSecret(secret))
  return secretsOf(kept).reduce<string | undefined>((found, { id, hash }) => {
    const expected = Buffer.from(hash)
    return expected.length === actual.length && timingSafeEqual(expected, actual) ? id : found
  }, undefined)
}
