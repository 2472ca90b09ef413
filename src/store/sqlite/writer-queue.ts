import { setTimeout as delay } from 'node:timers/promises'
import { StoreError } from '../store.ts'
import { asStoreError, busy } from './errors.ts'

/** How long a lock of another process, or the transactions before it in this one, are waited for in all. */
const PATIENCE_MS = 5000
/** More than that many wait for a file that is stuck; whoever comes then hears so at once. */
const MOST_WAITING = 2048

/** The one writer of a file in this process: transactions take turns, first come, first served. */
export interface WriterQueue {
  /** Resolves when it is the caller's turn, with the way to end it. Rejects with StoreError after five seconds. */
  enter(): Promise<() => void>
}

interface Waiting {
  readonly go: () => void
}

export function createWriterQueue(path: string): WriterQueue {
  const waiting = new Set<Waiting>()
  let taken = false
  const leave = (): void => {
    const [next] = waiting
    if (next === undefined) {
      taken = false
      return
    }
    waiting.delete(next)
    next.go()
  }
  const stuck = (): StoreError =>
    new StoreError(`store ${path}: too many wait for it`, 'look at the disk and at what else has the file open')
  return {
    enter: async () => {
      if (taken) {
        if (waiting.size >= MOST_WAITING) throw stuck()
        await new Promise<void>((resolve, reject) => {
          const timer = setTimeout(() => {
            if (waiting.delete(entry)) reject(stuck())
          }, PATIENCE_MS)
          const entry = {
            go: () => {
              clearTimeout(timer)
              resolve()
            },
          }
          waiting.add(entry)
        })
      }
      taken = true
      return leave
    },
  }
}

/**
 * Does `step`, again and again with pauses in between for as long as another process holds the lock: SQLite's own waiting would
 * hold up every request of this process.
 */
export async function untilFree<T>(path: string, step: () => T, since = performance.now()): Promise<T> {
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 50)) {
    try {
      return step()
    } catch (error) {
      if (!busy(error) || performance.now() - since > PATIENCE_MS) throw asStoreError(error, path)
    }
    await delay(pauseMs + Math.random() * pauseMs)
  }
}
