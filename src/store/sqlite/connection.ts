import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import type * as Sqlite from 'node:sqlite'
import type { DatabaseSync } from 'node:sqlite'
import { StoreError } from '../store.ts'
import { MIGRATIONS } from './schema.ts'

/**
 * `node:sqlite` without the notice about its stability that Node releases before 24.15 print when it is first loaded.
 * Only that one notice is held back, and only for the length of this synchronous call.
 */
function loadSqlite(): typeof Sqlite {
  const emitWarning = process.emitWarning
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    if (String(warning).startsWith('SQLite is an experimental feature')) return
    Reflect.apply(emitWarning, process, [warning, ...rest])
  }) as typeof process.emitWarning
  try {
    return process.getBuiltinModule('node:sqlite')
  } finally {
    process.emitWarning = emitWarning
  }
}

/** `audg` as SQLite's application_id: tells our files from those of other programs. */
const APPLICATION_ID = 0x61756467

/**
 * Opens a file that is there, or makes one, and brings its tables up to date. Throws what SQLite or the file system throws, and
 * StoreError. A lock that another process holds is not waited for: the event loop is not to stand still.
 * @param create false: a file that isn't there is an error.
 * @param checked whether the whole file is looked over first; a damaged one is an error then.
 */
export function openWriter(path: string, create: boolean, checked: boolean): DatabaseSync {
  if (path !== ':memory:') makeFile(path, create)
  const connection = connect(path)
  try {
    connection.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 67108864')
    connection.exec('BEGIN IMMEDIATE')
    migrate(connection, path)
    connection.exec('COMMIT')
    if (checked) quickCheck(connection, path)
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}

/** A second connection to a file that {@link openWriter} has opened: what it reads has been committed. */
export function openReader(path: string): DatabaseSync {
  const connection = connect(path)
  connection.exec('PRAGMA query_only = 1')
  return connection
}

function connect(path: string): DatabaseSync {
  return new (loadSqlite().DatabaseSync)(path, { timeout: 0, enableForeignKeyConstraints: true })
}

/** Finds pages that don't fit together before anything is built on them. About 0.2 s for 100 MiB. */
function quickCheck(connection: DatabaseSync, path: string): void {
  const [found] = Object.values(connection.prepare('PRAGMA quick_check(1)').get() ?? {})
  if (found === 'ok') return
  throw new StoreError(`store ${path}: damaged (${String(found)})`, 'stop audgate and restore the file from a backup')
}

/** SQLite gives its -wal and -shm files the mode of the database file, so the mode is right from the first byte. */
function makeFile(path: string, create: boolean): void {
  if (!create && !existsSync(path)) {
    throw new StoreError(`store ${path}: not there`, 'correct the path under `store:`, or run `audgate serve` once')
  }
  if (create) mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  closeSync(openSync(path, 'a', 0o600))
}

function migrate(connection: DatabaseSync, path: string): void {
  const number = (sql: string): number => Number(Object.values(connection.prepare(sql).get() ?? {})[0])
  const version = number('PRAGMA user_version')
  if (version === 0 && number('SELECT count(*) FROM sqlite_schema') > 0) throw foreign(path)
  if (version > 0 && number('PRAGMA application_id') !== APPLICATION_ID) throw foreign(path)
  if (version > MIGRATIONS.length) {
    throw new StoreError(
      `store ${path}: made by a newer audgate`,
      'run that version, or name another file under `store:`',
    )
  }
  if (version === MIGRATIONS.length) return
  for (const migration of MIGRATIONS.slice(version)) connection.exec(migration)
  connection.exec(`PRAGMA user_version = ${MIGRATIONS.length}; PRAGMA application_id = ${APPLICATION_ID}`)
}

function foreign(path: string): StoreError {
  return new StoreError(
    `store ${path}: a database of another program`,
    'name another file under `store:`, or move this one away',
  )
}
