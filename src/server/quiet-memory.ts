import { performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'

/** How the process was started where this may be done: what V8 compiled is cached for the next start under the flags of this one. */
const STARTED_WITH = '--no-memory-saver-mode'
const SAVING = '--memory-saver-mode'

const LOOK_EVERY_MS = 1_000
/** Share of the time in which the event loop had something to do; a server that is asked nothing has half a percent of its own. */
const QUIET = 0.02
const QUIET_LOOKS = 3

/**
 * Gives back what a busy time has left. V8 keeps the pages that it has emptied, and looks for more only while something is being allocated; told to
 * save memory it collects step by step and lets go. That would cost a busy process up to half as much again for each request, so it is told
 * while there is nothing to do. Does nothing in a process that was started with other flags. Keeps no process alive.
 */
export function saveMemoryWhenQuiet(execArgv: readonly string[] = process.execArgv): void {
  if (!execArgv.includes(STARTED_WITH)) return
  let before = performance.eventLoopUtilization()
  const state = { saving: false, quietLooks: 0 }
  const save = (saving: boolean): void => {
    if (saving !== state.saving) setFlagsFromString(saving ? SAVING : STARTED_WITH)
    state.saving = saving
  }
  const look = (): void => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, before)
    before = now
    state.quietLooks = utilization < QUIET ? state.quietLooks + 1 : 0
    save(state.quietLooks >= QUIET_LOOKS)
  }
  setInterval(look, LOOK_EVERY_MS).unref()
  process.once('exit', () => save(false))
}
