import { meteredEngine, type StoreMeter } from './sql/metered-engine.ts'
import { sqlStore } from './sql/sql-store.ts'
import { watchChanges } from './sqlite/changes.ts'
import { openSqlite, type SqliteEngine } from './sqlite/engine.ts'
import type { Store } from './store.ts'

/** How a store in a file is opened. */
export interface SqliteOptions {
  /** false: a file that isn't there is an error, not a new store. Default true. */
  readonly create?: boolean
  /** Milliseconds since the epoch; for the audit lines of acts. */
  readonly now?: () => number
  /** Whether the whole file is looked over for damage first. Default false: commands don't wait for it. */
  readonly checked?: boolean
  /** Who writes: what a command does is told by the servers that run on the store. Default 'server'. */
  readonly origin?: 'server' | 'command'
  readonly meter?: StoreMeter | undefined
}

/**
 * Opens the store in the SQLite file at `path` (`:memory:` for one that ends with the process), making file and folder
 * where they are missing. Any number of processes may hold it open and write. Throws StoreError.
 */
export async function openSqliteStore(path: string, options: SqliteOptions = {}): Promise<Store> {
  const engine = await openSqlite(path, options.create ?? true, options.checked)
  return sqliteStore(engine, options.now ?? Date.now, options.origin, options.meter)
}

/** A store on an engine, which it closes with itself. */
export function sqliteStore(
  engine: SqliteEngine,
  now: () => number,
  origin: SqliteOptions['origin'] = 'server',
  meter?: StoreMeter,
): Store {
  const changes = watchChanges(engine)
  const own = { ...engine, committed: async () => changes.look() }
  return {
    ...sqlStore(meter === undefined ? own : meteredEngine(own, meter), now, origin),
    subscribe: changes.subscribe,
    close: async () => {
      changes.close()
      await engine.close()
    },
  }
}
