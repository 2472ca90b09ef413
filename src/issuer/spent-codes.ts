/** Codes live a minute, device codes ten; what came in side by side comes within a fraction of that. */
const KEPT_MS = 60_000
const MOST = 10_000

/**
 * When codes were redeemed. A request that was on its way before the first one was answered is a double, not a theft: it gets
 * nothing, and costs nothing. One that comes later is a replay.
 */
export interface SpentCodes {
  /** @param at monotonic milliseconds, as all times here. */
  spent(code: string, at: number): void
  isDouble(code: string, arrivedAt: number): boolean
}

/** Bounded: the oldest are forgotten, and their replays end the family. */
export function createSpentCodes(): SpentCodes {
  const spentAt = new Map<string, number>()
  return {
    spent: (code, at) => {
      for (const [old, time] of spentAt) {
        if (spentAt.size < MOST && at - time < KEPT_MS) break
        spentAt.delete(old)
      }
      spentAt.set(code, at)
    },
    isDouble: (code, arrivedAt) => {
      const at = spentAt.get(code)
      return at !== undefined && arrivedAt < at
    },
  }
}
