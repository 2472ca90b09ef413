import type { Queries } from '../sql/database.ts'
import { integer } from '../sql/row.ts'

/** How often other instances' commits are looked for. */
const POLL_MS = 250

/** Tells listeners when keys or revocations have changed: by looking at the counter row, nothing else is relied on. */
interface Changes {
  /** Looks now: something was committed here. Listeners have been told when this resolves. */
  look(): Promise<void>
  subscribe(listener: () => void): () => void
  close(): void
}

/** Changes from now on. Rejects when the database can't be asked. */
export async function watchChanges(watch: Queries): Promise<Changes> {
  const listeners = new Set<{ readonly listener: () => void }>()
  let timer: NodeJS.Timeout | undefined
  let seen = ''
  let looking: Promise<void> | undefined
  const ask = async (): Promise<void> => {
    const row = await watch.get('SELECT position, keys_version, epoch FROM feed')
    if (row === undefined) return
    const found = `${integer(row, 'position')} ${integer(row, 'keys_version')} ${String(row.epoch)}`
    if (found === seen) return
    seen = found
    for (const { listener } of [...listeners]) call(listener)
  }
  // A database that is away: the next look finds the change, and whoever uses the store hears of the fault.
  const look = async (): Promise<void> => {
    if (listeners.size === 0) return
    await looking
    looking = ask().catch(() => undefined)
    await looking
  }
  await ask()
  const stop = (): void => {
    clearInterval(timer)
    timer = undefined
  }
  return {
    look,
    subscribe: (listener) => {
      const entry = { listener }
      listeners.add(entry)
      timer ??= setInterval(() => void look(), POLL_MS).unref()
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
