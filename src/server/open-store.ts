import { existsSync } from 'node:fs'
import type { Config } from '../config/config.ts'
import { loadMasterKey, readKeyFile } from '../issuer/keys/sealing.ts'
import type { SqliteOptions } from '../store/sqlite.ts'
import { openSqliteStore } from '../store/sqlite.ts'
import { type Store, StoreError } from '../store/store.ts'

/**
 * The store that the file names. Rejects with StoreError when it can't be had.
 * @param options `create` and `checked` are for files.
 */
export async function openStore(
  { store, secrets, instance }: Pick<Config, 'store' | 'secrets' | 'instance'>,
  options: SqliteOptions = {},
): Promise<Store> {
  if (store.kind === 'sqlite') return openSqliteStore(store.path, options)
  // Loaded where it is asked for: most need no database.
  const { openPostgresStore } = await import('../store/postgres.ts')
  const { now = Date.now, origin = 'server', meter } = options
  return openPostgresStore({ ...store, password: secrets.storePassword, instance, now, origin, meter })
}

/** Whether there may be something in the store: a file that nobody has made holds nothing. */
export function mayHoldAnything({ store }: Pick<Config, 'store'>): boolean {
  return store.kind === 'postgres' || existsSync(store.path)
}

/** The key that everything sealed in the store is sealed under. Rejects with StoreError. */
export async function masterKeyOf({ store, secrets }: Pick<Config, 'store' | 'secrets'>): Promise<Buffer> {
  if (secrets.secret === undefined && secrets.keyFile !== undefined) return readKeyFile(secrets.keyFile)
  if (store.kind === 'sqlite' || secrets.secret !== undefined) {
    return loadMasterKey(secrets.secret, store.kind === 'sqlite' ? store.path : '')
  }
  throw new StoreError('no key for what is sealed in the store', 'set AUDGATE_SECRET, the same at every instance')
}
