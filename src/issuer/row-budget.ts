import { addressGroup } from '../core/address.ts'

const MIB = 1024 * 1024
/** Rows of sign-ins, device codes and pushed requests live this long at most; a budget is whole again after it. */
const WINDOW_MS = 15 * 60_000
/** What a row takes beside what it holds: keys, columns, indices. */
const ROW_BYTES = 512
const MOST_GROUPS = 20_000

interface BudgetOptions {
  /** Milliseconds. */
  readonly now: () => number
  /** Bytes of one address group within a window. Default 16 MiB: some 8,000 sign-ins that are begun. */
  readonly perGroup?: number
  /** Whether there is room at all. Default: there is. */
  readonly hasRoom?: (() => boolean) | undefined
  /** Bytes of all together. Default 256 MiB. */
  readonly inAll?: number
}

/** How much of the store strangers may fill: one address group, and all together. */
export interface RowBudget {
  /** Whether a row of `bytes` may be written for whoever comes from `address`. Counts it. */
  spend(address: string, bytes: number): boolean
}

interface Spent {
  since: number
  bytes: number
}

/** Counted in this process. */
export function createRowBudget({
  now,
  perGroup = 16 * MIB,
  inAll = 256 * MIB,
  hasRoom = () => true,
}: BudgetOptions): RowBudget {
  const groups = new Map<string, Spent>()
  const all: Spent = { since: now(), bytes: 0 }
  return {
    spend: (address, bytes) => {
      if (!hasRoom()) return false
      const at = now()
      const { wide } = addressGroup(address)
      const spent = groups.get(wide) ?? { since: at, bytes: 0 }
      // The oldest goes: it is the first to begin anew anyway.
      if (!groups.has(wide) && groups.size >= MOST_GROUPS)
        for (const old of groups.keys()) if (groups.delete(old)) break
      groups.set(wide, spent)
      for (const each of [spent, all]) if (at - each.since >= WINDOW_MS) Object.assign(each, { since: at, bytes: 0 })
      const cost = bytes + ROW_BYTES
      if (spent.bytes + cost > perGroup || all.bytes + cost > inAll) return false
      spent.bytes += cost
      all.bytes += cost
      return true
    },
  }
}
