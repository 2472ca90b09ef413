import { integer } from '../sql/row.ts'
import type { SqliteEngine } from './engine.ts'

/** How often other processes' commits are looked for. */
const POLL_MS = 100

interface Changes {
  /** Tells the listeners when keys or revocations have changed since the last look. */
  look(): void
  subscribe(listener: () => void): () => void
  close(): void
}

/** Watches the count that the database's triggers keep. */
export function watchChanges(engine: Pick<SqliteEngine, 'glance'>): Changes {
  const listeners = new Set<{ readonly listener: () => void }>()
  let timer: NodeJS.Timeout | undefined
  let seenNumber = 0
  let seenVersion = 0
  const look = (): void => {
    const number = count(engine)
    if (number === seenNumber) return
    seenNumber = number
    for (const { listener } of [...listeners]) call(listener)
  }
  const poll = (): void => {
    const version = dataVersion(engine)
    if (version !== seenVersion) look()
    seenVersion = version
  }
  const stop = (): void => {
    clearInterval(timer)
    timer = undefined
  }
  return {
    look: () => {
      if (listeners.size > 0) quietly(look)
    },
    subscribe: (listener) => {
      const entry = { listener }
      if (listeners.size === 0) {
        seenVersion = dataVersion(engine)
        seenNumber = count(engine)
        timer = setInterval(() => quietly(poll), POLL_MS).unref()
      }
      listeners.add(entry)
      return () => {
        if (listeners.delete(entry) && listeners.size === 0) stop()
      }
    },
    close: () => {
      listeners.clear()
      stop()
    },
  }
}

/** Locked or broken for the moment: the next look finds the change, and whoever uses the store hears of the fault. */
function quietly(step: () => void): void {
  try {
    step()
  } catch {}
}

/** Changes when another connection has committed anything at all. */
function dataVersion(engine: Pick<SqliteEngine, 'glance'>): number {
  const row = engine.glance('PRAGMA data_version')
  return row === undefined ? 0 : integer(row, 'data_version')
}

function count(engine: Pick<SqliteEngine, 'glance'>): number {
  const row = engine.glance('SELECT number FROM changes')
  return row === undefined ? 0 : integer(row, 'number')
}

/** A listener's fault is not the writer's, whose change stands; it surfaces on its own. */
function call(listener: () => void): void {
  try {
    listener()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
