import type { SecretUse } from '../../store/list-store.ts'
import type { Store } from '../../store/store.ts'

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
