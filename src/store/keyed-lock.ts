/** One after another for the same key; different keys don't wait for each other. Holds keys only while work is under way. */
interface KeyedLock {
  take<T>(key: string, work: () => Promise<T>): Promise<T>
}

/** A lock within this process. */
export function createKeyedLock(): KeyedLock {
  const last = new Map<string, Promise<unknown>>()
  return {
    take: async (key, work) => {
      const before = last.get(key)
      const mine = (async () => {
        await before?.catch(() => undefined)
        return work()
      })()
      last.set(key, mine)
      try {
        return await mine
      } finally {
        if (last.get(key) === mine) last.delete(key)
      }
    },
  }
}
