import { createHash, timingSafeEqual } from 'node:crypto'
import type { SecretUse } from '../../store/list-store.ts'
import type { Store } from '../../store/store.ts'

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

// More clients than sign in within a minute; beyond it some uses are not noted.
const MOST_NOTED = 10_000

/** When each secret was used last, gathered in memory and written down every minute. */
export interface SecretUses {
  /** @param id Of the secret, as operators see it. */
  note(clientId: string, id: string): void
  /** Writes down what was gathered; a store that fails loses it. */
  flush(): Promise<void>
  /** By the ids of a client's secrets, NumericDate; what was gathered counts. */
  of(clientId: string): Promise<ReadonlyMap<string, number>>
}

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

/** @param now milliseconds. */
export function createSecretUses(store: Pick<Store, 'noteSecretUses' | 'secretUses'>, now: () => number): SecretUses {
  const noted = new Map<string, SecretUse>()
  const flush = async (): Promise<void> => {
    if (noted.size === 0) return
    const uses = [...noted.values()]
    noted.clear()
    await store.noteSecretUses(uses)
  }
  return {
    note: (clientId, id) => {
      const key = JSON.stringify([clientId, id])
      if (noted.size < MOST_NOTED || noted.has(key)) noted.set(key, { clientId, id, at: Math.floor(now() / 1000) })
    },
    flush,
    of: async (clientId) => {
      await flush()
      return store.secretUses(clientId)
    },
  }
}
