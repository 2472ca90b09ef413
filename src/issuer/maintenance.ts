import { faultOf, type IssuerContext, seconds } from './context.ts'
import { expireLinks } from './people/links.ts'

const LOOK_MS = 30_000
const SWEEP_MS = 60_000
const REAP_MS = 3_600_000
/** Self-registered clients that nobody has given anything within this time are forgotten. */
const UNUSED_SECONDS = 86_400
/** Those that were used once are kept this long after it. */
const LEFT_SECONDS = 30 * 86_400

interface Maintenance {
  close(): Promise<void>
}

/**
 * What has to be done from time to time: keys that come and go, clients that registered themselves
 * and were never used. @param tickKeys looks at the keys; also called when the store says that something has changed.
 */
export function startMaintenance(context: IssuerContext, tickKeys: () => Promise<void>): Maintenance {
  const underWay = new Set<Promise<void>>()
  let looking = false
  const run = (work: () => Promise<unknown>): void => {
    const done: Promise<void> = work()
      .catch((error: unknown) => context.tell('issuer.fault', faultOf(error), 'error'))
      .then(() => {
        underWay.delete(done)
      })
    underWay.add(done)
  }
  const look = (): void => {
    if (looking) return
    looking = true
    run(() => tickKeys().finally(() => (looking = false)))
  }
  const unsubscribe = context.store.subscribe(look)
  const timers = [
    setInterval(look, LOOK_MS),
    setInterval(() => run(() => context.trail.flush()), SWEEP_MS),
    setInterval(() => run(() => context.secretUses.flush()), SWEEP_MS),
    setInterval(() => run(() => expireLinks(context.store, seconds(context))), SWEEP_MS),
    setInterval(() => run(() => reapUnused(context)), REAP_MS),
  ]
  for (const timer of timers) timer.unref()
  return {
    close: async () => {
      unsubscribe()
      for (const timer of timers) clearInterval(timer)
      run(() => context.trail.flush())
      run(() => context.secretUses.flush())
      await Promise.all(underWay)
    },
  }
}

/**
 * Forgets clients that registered themselves a day ago or more and to which nobody has given anything, and those that nobody has used for a
 * month: an app that its only person disconnects may be connected again.
 */
async function reapUnused(context: IssuerContext): Promise<number> {
  const now = seconds(context)
  const reaped = await context.store.reapClients(now, now - UNUSED_SECONDS, now - LEFT_SECONDS)
  if (reaped > 0) await context.record('clients.reaped', { reaped })
  return reaped
}
