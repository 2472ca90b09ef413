import type { Store } from '../../store/store.ts'

/** Failures are forgotten this long after the last one. */
const WINDOW_MS = 15 * 60_000

/** How often something failed lately, counted in the store: over restarts, and over all processes that share it. */
export interface Failures {
  count(key: string): Promise<number>
  /** Counts one more; answers how many there are now. */
  add(key: string): Promise<number>
  forget(key: string): Promise<void>
}

/** @param now milliseconds. */
export function createFailures(store: Store, now: () => number): Failures {
  return {
    count: async (key) => {
      const kept = await store.throttle(key)
      return kept === undefined || now() - kept.lastAtMs > WINDOW_MS ? 0 : kept.failures
    },
    add: (key) => {
      const at = Math.floor(now())
      return store.countFailure(key, at, at - WINDOW_MS, Math.ceil((at + WINDOW_MS) / 1000))
    },
    forget: (key) => store.clearThrottle(key),
  }
}

/** How one kind of counter slows tries. */
export interface Bucket {
  readonly delayMs: (failures: number) => number
  /** How many tries may wait or be checked at the same time. */
  readonly places: (failures: number) => number
}

/** One try's place in a bucket; `leave` must be called whatever comes. */
interface Attempt {
  readonly full: boolean
  readonly delayMs: number
  failed(): Promise<void>
  leave(): void
}

export interface Buckets {
  enter(key: string, bucket: Bucket): Promise<Attempt>
}

/** Tries that are slowed, and refused where too many are under way; tries under way are counted as if they had failed. */
export function createBuckets(store: Store, now: () => number): Buckets {
  const failures = createFailures(store, now)
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
      const failed = await failures.count(key).catch((error: unknown) => {
        leave()
        throw error
      })
      return {
        full: others >= bucket.places(failed + others),
        delayMs: bucket.delayMs(failed + others),
        failed: async () => void (await failures.add(key)),
        leave,
      }
    },
  }
}
