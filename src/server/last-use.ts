import type { Store } from '../store/store.ts'

const FLUSH_MS = 5_000
// More authorizations than are used within one interval; beyond it some uses are not noted.
const MOST_NOTED = 10_000

/** When each authorization was last used, gathered in memory and written down now and then. */
export interface LastUse {
  /** @param now NumericDate; fractions of a second are dropped. */
  note(gid: string, now: number): void
  /** Writes down what was gathered; a store that fails loses it. */
  flush(): Promise<void>
  close(): void
}

export function createLastUse(store: Pick<Store, 'touchAuthorizations'>, onFault: (error: unknown) => void): LastUse {
  const noted = new Map<string, number>()
  const flush = async (): Promise<void> => {
    if (noted.size === 0) return
    const batch = new Map(noted)
    noted.clear()
    try {
      await store.touchAuthorizations(batch)
    } catch (error) {
      onFault(error)
    }
  }
  const timer = setInterval(() => void flush(), FLUSH_MS)
  timer.unref()
  return {
    note: (gid, now) => {
      if (noted.size < MOST_NOTED || noted.has(gid)) noted.set(gid, Math.floor(now))
    },
    flush,
    close: () => clearInterval(timer),
  }
}
