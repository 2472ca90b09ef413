import type { Config } from '../config/config.ts'
import type { Tunnels } from '../gateway/tunnels.ts'
import type { Log } from '../observe/log.ts'
import type { StoreMeter } from '../store/sql/metered-engine.ts'
import type { Store } from '../store/store.ts'
import type { Closing } from './closing.ts'
import { createLastUse, type LastUse } from './last-use.ts'
import { openStore } from './open-store.ts'
import { createRevocations, type Revocations } from './revocations.ts'
import { openStoreClock, type StoreClock } from './store-clock.ts'
import { type StoreHealth, watchStore } from './store-health.ts'

/** What an operator has to do about a store that went back. */
export const RESTORED = 'if the store was restored from a backup, run `audgate store restored`'

const SWEEP_MS = 60_000

/** What the server remembers: the store of an embedded issuer, and what is kept of it in this process. */
export interface IssuerState {
  /** Undefined where this process holds no issuer. */
  readonly store: Store | undefined
  readonly usage: LastUse | undefined
  readonly revocations: Revocations
  /** Undefined where this process holds no store. */
  readonly health: StoreHealth | undefined
  readonly clock: StoreClock | undefined
}

/** What the state of an issuer works on and tells. */
export interface StateSurroundings {
  readonly log: Log
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly tunnels: Tunnels
  readonly storeMeter: StoreMeter
  /** Whether tokens can be judged may have changed. */
  readonly onAvailability: () => void
}

interface IssuerStateOptions extends StateSurroundings {
  /** How old the knowledge of revocations may be. */
  readonly staleAfterMs: () => number
  /** How long audit lines are kept. */
  readonly auditSeconds: () => number
}

/** Opens the store where the file asks for an issuer, and loads what is revoked. Rejects with StoreError. */
export async function openIssuerState(
  config: Config,
  options: IssuerStateOptions,
  closing: Closing,
): Promise<IssuerState> {
  const { log, now, tunnels } = options
  const revocations = createRevocations({
    now,
    staleAfterMs: options.staleAfterMs,
    onRewound: (putBack) =>
      log.warn('revocations.rewound', { put_back: putBack, detail: `the list went back: ${RESTORED}` }),
    onState: (fault) => {
      if (fault === undefined) log.info('revocations.current')
      else log.error('revocations.stale', { fault })
      options.onAvailability()
    },
  })
  revocations.onAdded(() => {
    const closed = tunnels.closeRevoked((token) => revocations.isRevoked(token))
    if (closed > 0) log.info('tunnel.revoked', { closed })
  })
  closing.add(() => revocations.close())
  if (config.issuer.kind !== 'embedded') {
    return { store: undefined, usage: undefined, revocations, health: undefined, clock: undefined }
  }
  const told: { health: StoreHealth | undefined } = { health: undefined }
  const failed = (code: string): void => {
    told.health?.noteFailure(code)
    options.storeMeter.failed(code)
  }
  const store = await openStore(config, { checked: true, now, meter: { ...options.storeMeter, failed } })
  closing.add(() => store.close())
  // Positions of before a restart mean nothing if the file is another one now: a copy from a backup.
  if (config.store.kind === 'sqlite') await store.renewEpoch()
  const clock = await openStoreClock(store, { now, monotonic: () => performance.now(), log })
  closing.add(() => clock.close())
  await revocations.follow(store)
  const usage = createLastUse(store, (error) => log.warn('store.fault', { fault: String(error) }))
  closing.add(async () => {
    usage.close()
    await usage.flush()
  })
  const onFault = (error: unknown): void => log.warn('store.fault', { fault: String(error) })
  closing.add(await followCommands(store, log, onFault))
  const health = watchStore(store, config.store.kind === 'sqlite' ? config.store.path : undefined, log)
  told.health = health
  closing.add(() => health.close())
  const stopSweeping = sweepStore(store, options)
  closing.add(stopSweeping)
  return { store, usage, revocations, health, clock }
}

function sweepStore(store: Store, { log, now, auditSeconds }: IssuerStateOptions): () => void {
  const sweep = (): void => {
    store.sweep(Math.floor(now() / 1_000), auditSeconds()).catch((error: unknown) => {
      log.warn('store.fault', { fault: error instanceof Error ? error.message : String(error) })
    })
  }
  const timer = setInterval(sweep, SWEEP_MS)
  timer.unref()
  return () => clearInterval(timer)
}

const LOOK_MS = 1_000
const MOST_AT_ONCE = 200

/**
 * Tells the log what commands do beside this process, within a second or so: `user add`, `client revoke`, `keys rotate` and the rest.
 * Answers the way to stop. @param onFault the store can't be read, told once until it can; the next look finds what was missed.
 */
async function followCommands(
  store: Pick<Store, 'audits' | 'auditsAfter'>,
  log: Pick<Log, 'audit'>,
  onFault: (error: unknown) => void,
): Promise<() => void> {
  const [newest] = await store.audits(1)
  const state = { after: newest?.id ?? 0, looking: false, failed: false }
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
      .then(
        () => {
          state.failed = false
        },
        (error: unknown) => {
          if (!state.failed) onFault(error)
          state.failed = true
        },
      )
      .finally(() => {
        state.looking = false
      })
  }, LOOK_MS)
  timer.unref()
  return () => clearInterval(timer)
}
