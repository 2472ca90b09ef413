import { sqliteAudits } from './sqlite/audits.ts'
import { sqliteAuthorizations } from './sqlite/authorizations.ts'
import { watchChanges } from './sqlite/changes.ts'
import { sqliteClients } from './sqlite/clients.ts'
import { type Database, openDatabase } from './sqlite/database.ts'
import { sqliteKeys } from './sqlite/keys-and-counters.ts'
import { sqliteModels } from './sqlite/models.ts'
import { sqliteActs } from './sqlite/revocations.ts'
import { sqliteUsers } from './sqlite/users.ts'
import type { Store } from './store.ts'

export interface SqliteOptions {
  /** false: a file that isn't there is an error, not a new store. Default true. */
  readonly create?: boolean
  /** Milliseconds since the epoch; for the audit lines of acts. */
  readonly now?: () => number
  /** Whether the whole file is looked over for damage first. Default false: commands don't wait for it. */
  readonly checked?: boolean
}

/**
 * Opens the store in the SQLite file at `path` (`:memory:` for one that ends with the process), making file and folder
 * where they are missing. Any number of processes may hold it open and write. Throws StoreError.
 */
export async function openSqliteStore(path: string, options: SqliteOptions = {}): Promise<Store> {
  return sqliteStore(await openDatabase(path, options.create ?? true, options.checked), options.now ?? Date.now)
}

/** A store on a connection, which it closes with itself. */
export function sqliteStore(connection: Database, now: () => number): Store {
  const changes = watchChanges(connection)
  const told = async <T>(written: Promise<T>): Promise<T> => {
    const result = await written
    changes.look()
    return result
  }
  const database: Database = {
    ...connection,
    write: (step) => told(connection.write(step)),
    writeDurably: (step) => told(connection.writeDurably(step)),
  }
  return {
    ...sqliteUsers(database),
    ...sqliteClients(database),
    ...sqliteAuthorizations(database),
    ...sqliteModels(database),
    ...sqliteKeys(database),
    ...sqliteActs(database, () => Math.floor(now() / 1000)),
    ...sqliteAudits(database),
    subscribe: changes.subscribe,
    close: async () => {
      changes.close()
      connection.close()
    },
  }
}
