import { setTimeout as delay } from 'node:timers/promises'
import { codeOf, isAway } from './errors.ts'
import type { PoolFault } from './pool.ts'

/** How long one step waits for a database that is away, in all: shorter restarts are not noticed. */
const PATIENCE_MS = 5_000
const FIRST_WAIT_MS = 50
const LAST_WAIT_MS = 500
/** More than that many need not wait to hear the same. */
const MOST_WAITING = 2_000

/** Who waited for one of our own connections has waited for two seconds already. */
const FULL: ReadonlySet<string> = new Set<PoolFault>(['POOL_FULL', 'QUEUE_FULL'])

/** Lets steps that leave nothing behind when they fail be tried again while the database is away. */
export interface Patience {
  /** @param step told until when it may take, by the monotonic clock. Its last failure is the answer. */
  during<T>(step: (deadline: number) => Promise<T>): Promise<T>
  readonly waiting: number
}

export function createPatience(): Patience {
  const state = { waiting: 0 }
  return {
    during: async (step) => {
      const deadline = performance.now() + PATIENCE_MS
      for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LAST_WAIT_MS)) {
        try {
          return await step(deadline)
        } catch (error) {
          const leftMs = deadline - performance.now()
          if (!isPassing(error) || leftMs < FIRST_WAIT_MS || state.waiting >= MOST_WAITING) throw error
          state.waiting += 1
          await delay(Math.min(waitMs, leftMs / 2)).finally(() => {
            state.waiting -= 1
          })
        }
      }
    },
    get waiting() {
      return state.waiting
    },
  }
}

/** A server that starts or ends, a standby that is not promoted yet, or too many that come back at once. */
function isPassing(error: unknown): boolean {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  const code = codeOf(cause)
  return isAway(cause) ? !FULL.has(code) : ['25006', '53300'].includes(code)
}
