import { type ChangeListeners, createChangeListeners } from '../sql/change-listeners.ts'
import type { Queries } from '../sql/database.ts'
import { integer } from '../sql/row.ts'

/** How often other instances' commits are looked for. */
const POLL_MS = 250

/** Tells listeners when keys or revocations have changed: by looking at the counter row, nothing else is relied on. */
interface Changes extends Pick<ChangeListeners, 'subscribe' | 'close'> {
  /** Looks now: something was committed here. Listeners have been told when this resolves. */
  look(): Promise<void>
}

/** Changes from now on. Rejects when the database can't be asked. */
export async function watchChanges(watch: Queries): Promise<Changes> {
  let seen = ''
  let looking: Promise<void> | undefined
  const ask = async (): Promise<void> => {
    const row = await watch.get('SELECT position, keys_version, epoch FROM feed')
    if (row === undefined) return
    const found = `${integer(row, 'position')} ${integer(row, 'keys_version')} ${String(row.epoch)}`
    if (found === seen) return
    seen = found
    listeners.tell()
  }
  // A database that is away: the next look finds the change, and whoever uses the store hears of the fault.
  const look = async (): Promise<void> => {
    if (!listeners.some) return
    await looking
    looking = ask().catch(() => undefined)
    await looking
  }
  const listeners = createChangeListeners({ everyMs: POLL_MS, begin: () => undefined, look: () => void look() })
  await ask()
  return { look, subscribe: listeners.subscribe, close: listeners.close }
}
