import { watchChanges } from './postgres/changes.ts'
import { openPostgres } from './postgres/engine.ts'
import { migrate } from './postgres/migrate.ts'
import type { PostgresOptions } from './postgres/pool.ts'
import { meteredEngine, type StoreMeter } from './sql/metered-engine.ts'
import { sqlStore } from './sql/sql-store.ts'
import type { Store } from './store.ts'

/** Where the database is, and who writes. */
export interface PostgresStoreOptions extends PostgresOptions {
  /** Who writes audit lines. Default: the server. */
  readonly origin?: 'server' | 'command'
  readonly meter?: StoreMeter | undefined
}

/**
 * Opens the store in a database of PostgreSQL (14 or newer), bringing its tables up to date where `migrate` says so. Any number
 * of processes may hold it open and write. Throws StoreError.
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  const place = placeOf(options)
  const engine = openPostgres(options, place)
  try {
    await migrate(engine, options.migrate, place)
    const changes = await watchChanges(engine.watch)
    // Some services hide their log from users: there the nonce alone tells one history from another.
    const timeline = await engine.watch.get(`SELECT ${engine.timeline}`).then(
      () => engine.timeline,
      () => "''",
    )
    const own = { ...engine, timeline, committed: changes.look }
    const { now, origin = 'server', meter } = options
    return {
      ...sqlStore(meter === undefined ? own : meteredEngine(own, meter), now, origin),
      pool: {
        get open() {
          return engine.open
        },
        get waiting() {
          return engine.waiting
        },
      },
      subscribe: changes.subscribe,
      close: async () => {
        changes.close()
        await engine.close()
      },
    }
  } catch (error) {
    await engine.close()
    throw error
  }
}

/** What errors call it: never with a password. */
export function placeOf({ hosts, database }: Pick<PostgresOptions, 'hosts' | 'database'>): string {
  return `${hosts.map(({ host, port }) => `${host}:${port}`).join(',')}/${database}`
}
