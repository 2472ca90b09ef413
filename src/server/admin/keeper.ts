import { type Decision, isKnown } from '../../admin/decisions/decision.ts'
import type { Store } from '../../store/store.ts'

const BATCH_MS = 1_000
const MOST = 200
const MOST_WAITING = 2_000

/** Puts refusals of known callers in the store, a batch a second. */
interface RefusalKeeper {
  add(decisions: readonly Decision[]): void
  close(): Promise<void>
}

interface KeeperOptions {
  readonly store: Pick<Store, 'keepRefusals'>
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** 0: nothing is kept. */
  readonly seconds: () => number
  readonly onFault: (error: unknown) => void
}

/** What comes faster than it may be written is not kept. */
export function createKeeper({ store, now, seconds, onFault }: KeeperOptions): RefusalKeeper {
  const waiting: Decision[] = []
  const write = async (): Promise<void> => {
    const batch = waiting.splice(0, MOST)
    if (batch.length === 0) return
    const rows = batch.map((decision) => ({ requestId: decision.requestId, facts: JSON.stringify(decision) }))
    await store.keepRefusals(rows, Math.ceil(now() / 1_000) + seconds()).catch(onFault)
  }
  const timer = setInterval(() => void write(), BATCH_MS)
  timer.unref()
  return {
    add: (decisions) => {
      if (seconds() === 0) return
      const refused = decisions.filter((decision) => decision.outcome === 'refused' || decision.outcome === 'failed')
      waiting.push(...refused.filter(isKnown).slice(0, MOST_WAITING - waiting.length))
    },
    close: async () => {
      clearInterval(timer)
      await write()
    },
  }
}
