/** Remembers what was used once. Bounded; when full, nothing new is taken. */
export interface ReplayGuard {
  /**
   * `first` for exactly one caller per key until `expiresAt` has passed; `full` when it can't be remembered, which is no proof of anything.
   * @param expiresAt NumericDate, seconds. Must be the bound of what the caller accepts, so that nothing is forgotten too early.
   */
  use(key: string, expiresAt: number, now: number): 'first' | 'again' | 'full'
  readonly size: number
}

const BUCKET_SECONDS = 10

/** Keeps keys in buckets by the time they expire, so that forgetting costs nothing per key. */
export function createReplayGuard(maxEntries: number): ReplayGuard {
  const buckets = new Map<number, Set<string>>()
  const size = (): number => {
    let sum = 0
    for (const keys of buckets.values()) sum += keys.size
    return sum
  }
  return {
    use: (key, expiresAt, now) => {
      const bucket = Math.floor(expiresAt / BUCKET_SECONDS)
      for (const [time, keys] of buckets) {
        if ((time + 1) * BUCKET_SECONDS < now) buckets.delete(time)
        else if (keys.has(key)) return 'again'
      }
      if (size() >= maxEntries) return 'full'
      const keys = buckets.get(bucket) ?? new Set()
      buckets.set(bucket, keys.add(key))
      return 'first'
    },
    get size() {
      return size()
    },
  }
}
