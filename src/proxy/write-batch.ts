/** Something that was written and has yet to be given to the system. */
export interface Unsent {
  /** Does nothing when there is nothing (any more). */
  send(): void
}

/** So many at most wait: what they hold is memory. */
const MAX_WAITING = 64

const waiting: Unsent[] = []
const state = { scheduled: false }

/**
 * Calls `send` when this turn of the event loop has read all that has come, or sooner. One write at a time wakes its reader, which sleeps again
 * before the next: on a busy gateway, what many writes cost together is a third less.
 */
export function sendSoon(unsent: Unsent): void {
  waiting.push(unsent)
  if (waiting.length >= MAX_WAITING) {
    sendAll()
    return
  }
  sendAtTurnEnd()
}

function sendAtTurnEnd(): void {
  if (state.scheduled) return
  state.scheduled = true
  setImmediate(onTurnEnd)
}

function onTurnEnd(): void {
  state.scheduled = false
  sendAll()
}

function sendAll(): void {
  // What is written meanwhile waits for the next time.
  const leaving = waiting.splice(0)
  let next = 0
  try {
    while (next < leaving.length) {
      next += 1
      leaving[next - 1]?.send()
    }
  } finally {
    // What nobody foresaw in one of them must not keep the others here.
    if (next < leaving.length) waiting.unshift(...leaving.slice(next))
    if (waiting.length > 0) sendAtTurnEnd()
  }
}
