import { type ChangeListeners, createChangeListeners } from '../sql/change-listeners.ts'
import { integer } from '../sql/row.ts'
import type { SqliteEngine } from './engine.ts'

/** How often other processes' commits are looked for. */
const POLL_MS = 100

interface Changes extends Pick<ChangeListeners, 'subscribe' | 'close'> {
  /** Tells the listeners when keys or revocations have changed since the last look. */
  look(): void
}

/** Watches the count that the database's triggers keep. */
export function watchChanges(engine: Pick<SqliteEngine, 'glance'>): Changes {
  const seen = { number: 0, version: 0 }
  const look = (): void => {
    const number = count(engine)
    if (number === seen.number) return
    seen.number = number
    listeners.tell()
  }
  const poll = (): void => {
    const version = dataVersion(engine)
    if (version !== seen.version) look()
    seen.version = version
  }
  const begin = (): void => {
    seen.version = dataVersion(engine)
    seen.number = count(engine)
  }
  const listeners = createChangeListeners({ everyMs: POLL_MS, begin, look: () => quietly(poll) })
  return {
    look: () => {
      if (listeners.some) quietly(look)
    },
    subscribe: listeners.subscribe,
    close: listeners.close,
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
