import type { Config } from '../config/config.ts'
import { openSqliteStore } from '../store/sqlite.ts'
import type { Store } from '../store/store.ts'
import type { BackingOptions } from './backing.ts'
import type { Closing } from './closing.ts'
import { createRevocations, type Revocations } from './revocations.ts'
import { createUsage, type Usage } from './usage.ts'

const SWEEP_MS = 60_000

/** What the server remembers: the store of an embedded issuer, and what is kept of it in this process. */
export interface Memory {
  /** Undefined where this process holds no issuer. */
  readonly store: Store | undefined
  readonly usage: Usage | undefined
  readonly revocations: Revocations
}

export type MemoryOptions = Pick<BackingOptions, 'log' | 'now' | 'tunnels' | 'onRevocations' | 'onAvailability'>

/** Opens the store where the file asks for an issuer, and loads what is revoked. Rejects with StoreError. */
export async function openMemory(config: Config, options: MemoryOptions, closing: Closing): Promise<Memory> {
  const { log, now, tunnels } = options
  const revocations = createRevocations({
    now,
    onAdded: (entries) => {
      options.onRevocations?.(entries)
      const closed = tunnels.closeRevoked((token) => revocations.isRevoked(token))
      if (closed > 0) log.info('tunnel.revoked', { closed })
    },
    onState: (fault) => {
      if (fault === undefined) log.info('revocations.current')
      else log.error('revocations.stale', { fault })
      options.onAvailability?.()
    },
  })
  closing.add(() => revocations.close())
  if (config.issuer.kind !== 'embedded') return { store: undefined, usage: undefined, revocations }
  const store = await openSqliteStore(config.store.path)
  closing.add(() => store.close())
  await revocations.follow(store)
  const usage = createUsage(store, (error) => log.warn('store.fault', { fault: String(error) }))
  closing.add(async () => {
    usage.close()
    await usage.flush()
  })
  const stopSweeping = sweepStore(store, options)
  closing.add(stopSweeping)
  return { store, usage, revocations }
}

function sweepStore(store: Store, { log, now }: MemoryOptions): () => void {
  const sweep = (): void => {
    store.sweep(Math.floor(now() / 1_000)).catch((error: unknown) => {
      log.warn('store.fault', { fault: error instanceof Error ? error.message : String(error) })
    })
  }
  const timer = setInterval(sweep, SWEEP_MS)
  timer.unref()
  return () => clearInterval(timer)
}
