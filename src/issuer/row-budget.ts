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
  readonly perGroup?: number | undefined
  /** Whether there is room at all. Default: there is. */
  readonly hasRoom?: (() => boolean) | undefined
  /** Bytes of all together. Default 256 MiB. */
  readonly inAll?: number
}

/** How much of the store strangers may fill: one address group, and all together. */
export interface RowBudget {
  /**
   * Whether a row of `bytes` may be written for whoever comes from `address`. Counts it. Where the address group has no room left, its oldest rows
   * that have a `drop` make some: whoever begins something now goes on with it, however much was begun there before and left lying. Where all
   * together have none, those of the group that has most do. @param drop takes the row away again, unless it is somebody's by then.
   */
  spend(address: string, bytes: number, drop?: () => Promise<unknown>): Promise<boolean>
}

interface Row {
  readonly atMs: number
  readonly bytes: number
  readonly drop: (() => Promise<unknown>) | undefined
}

interface Group {
  /** The oldest first. */
  readonly rows: Set<Row>
  bytes: number
}

/** Counted in this process. */
export function createRowBudget({
  now,
  perGroup = 16 * MIB,
  inAll = 256 * MIB,
  hasRoom = () => true,
}: BudgetOptions): RowBudget {
  const groups = new Map<string, Group>()
  const all = { bytes: 0 }
  const take = (group: Group, row: Row): void => {
    group.rows.delete(row)
    group.bytes -= row.bytes
    all.bytes -= row.bytes
  }
  /** Rows are gone by themselves then. */
  const forget = (group: Group): void => {
    for (const row of group.rows) {
      if (now() - row.atMs < WINDOW_MS) break
      take(group, row)
    }
  }
  /** Takes droppable rows of a group, the oldest first, as long as there is too little room. */
  const push = (group: Group, isFull: () => boolean, dropped: Row[]): void => {
    for (const row of group.rows) {
      if (!isFull()) return
      if (row.drop === undefined) continue
      take(group, row)
      dropped.push(row)
    }
  }
  const groupOf = (wide: string): Group => {
    const group = groups.get(wide) ?? { rows: new Set(), bytes: 0 }
    // The one that was used longest ago goes: it is the first to begin anew anyway.
    if (!groups.has(wide) && groups.size >= MOST_GROUPS)
      for (const [oldest, { bytes }] of groups) {
        all.bytes -= bytes
        groups.delete(oldest)
        break
      }
    groups.delete(wide)
    groups.set(wide, group)
    return group
  }
  return {
    spend: async (address, bytes, drop) => {
      if (!hasRoom()) return false
      const group = groupOf(addressGroup(address).wide)
      forget(group)
      const cost = bytes + ROW_BYTES
      const dropped: Row[] = []
      const isFull = (): boolean => group.bytes + cost > perGroup
      const areFull = (): boolean => all.bytes + cost > inAll
      if (isFull()) push(group, isFull, dropped)
      if (areFull()) for (const other of groups.values()) forget(other)
      if (areFull()) push(fullest(groups), areFull, dropped)
      const fits = !isFull() && !areFull()
      if (fits) {
        group.rows.add({ atMs: now(), bytes: cost, drop })
        group.bytes += cost
        all.bytes += cost
      }
      for (const row of dropped) await row.drop?.()
      return fits
    },
  }
}

function fullest(groups: ReadonlyMap<string, Group>): Group {
  let most: Group = { rows: new Set(), bytes: -1 }
  for (const group of groups.values()) if (group.bytes > most.bytes) most = group
  return most
}
