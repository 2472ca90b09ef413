import type { Store } from '../store/store.ts'

/** Failures are forgotten this long after the last one. */
const WINDOW_MS = 15 * 60_000

/** How one kind of counter slows tries. */
export interface Bucket {
  readonly delayMs: (failures: number) => number
  /** How many tries may wait or be checked at the same time. */
  readonly places: (failures: number) => number
}

/** One try's place in a bucket; `leave` must be called whatever comes. */
export interface Turn {
  readonly full: boolean
  readonly delayMs: number
  failed(): Promise<void>
  succeeded(): Promise<void>
  leave(): void
}

export interface Buckets {
  enter(key: string, bucket: Bucket): Promise<Turn>
}

/** Counters of failed tries in the store; tries under way are counted here as if they had failed. */
export function createBuckets(store: Store, now: () => number): Buckets {
  const underWay = new Map<string, number>()
  return {
    enter: async (key, bucket) => {
      // Counted before the store is asked, so that tries sent side by side see each other.
      const others = underWay.get(key) ?? 0
      underWay.set(key, others + 1)
      const leave = (): void => {
        const left = (underWay.get(key) ?? 1) - 1
        if (left > 0) underWay.set(key, left)
        else underWay.delete(key)
      }
      const failures = await count(store, key, now()).catch((error: unknown) => {
        leave()
        throw error
      })
      const full = others >= bucket.places(failures + others)
      return {
        full,
        delayMs: bucket.delayMs(failures + others),
        failed: async () => {
          const at = now()
          const expiresAt = Math.ceil((at + WINDOW_MS) / 1000)
          await store.putThrottle(key, (await count(store, key, at)) + 1, at, expiresAt)
        },
        succeeded: () => store.clearThrottle(key),
        leave,
      }
    },
  }
}

async function count(store: Store, key: string, nowMs: number): Promise<number> {
  const kept = await store.throttle(key)
  return kept === undefined || nowMs - kept.lastAtMs > WINDOW_MS ? 0 : kept.failures
}
