import { actorOf, type Caller } from '../caller.ts'
import { Problem } from '../problem.ts'

const WINDOW_MS = 60_000
const MOST = { r: 600, w: 60 } as const
const MOST_SUBJECTS = 10_000

interface Window {
  readonly from: number
  count: number
}

/** Calls of a minute by subject: reads and writes apart. @param now Milliseconds. */
export function createRates(now: () => number): { spend(caller: Caller, kind: 'r' | 'w'): void } {
  const windows = new Map<string, Window>()
  const windowOf = (key: string, at: number): Window => {
    const known = windows.get(key)
    if (known !== undefined && at - known.from < WINDOW_MS && at >= known.from) return known
    if (windows.size >= MOST_SUBJECTS) windows.clear()
    const window = { from: at, count: 0 }
    windows.set(key, window)
    return window
  }
  return {
    spend: (caller, kind) => {
      const at = now()
      const window = windowOf(`${kind} ${actorOf(caller)}`, at)
      window.count += 1
      if (window.count <= MOST[kind]) return
      const seconds = Math.max(1, Math.ceil((window.from + WINDOW_MS - at) / 1_000))
      throw new Problem(429, 'too_many', `more than ${MOST[kind]} calls in a minute; try again in ${seconds} s`, {
        headers: { 'Retry-After': String(seconds) },
      })
    },
  }
}
