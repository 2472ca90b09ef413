import type { Log } from '../observe/log.ts'
import type { Store } from '../store/store.ts'

const LOOK_MS = 1_000
const MOST_AT_ONCE = 200

/**
 * Tells the log what commands do beside this process, within a second or so: `user add`, `client revoke`, `keys rotate` and the rest.
 * Answers the way to stop. @param onFault the store can't be read; the next look finds what was missed.
 */
export async function followCommands(
  store: Pick<Store, 'audits' | 'auditsAfter'>,
  log: Pick<Log, 'audit'>,
  onFault: (error: unknown) => void,
): Promise<() => void> {
  const [newest] = await store.audits(1)
  const state = { after: newest?.id ?? 0, looking: false }
  const look = async (): Promise<void> => {
    for (const { id, event, detail } of await store.auditsAfter(state.after, MOST_AT_ONCE, 'command')) {
      state.after = id
      log.audit(event, detail)
    }
  }
  const timer = setInterval(() => {
    if (state.looking) return
    state.looking = true
    look()
      .catch(onFault)
      .finally(() => {
        state.looking = false
      })
  }, LOOK_MS)
  timer.unref()
  return () => clearInterval(timer)
}
