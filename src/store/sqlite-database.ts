import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { asStoreError, busy } from './sqlite-errors.ts'
import { loadSqlite } from './sqlite-module.ts'
import type { Row } from './sqlite-row.ts'
import { MIGRATIONS } from './sqlite-schema.ts'
import { StoreError } from './store.ts'

/** How long a lock of another process is waited for in all; between tries the event loop is free. */
const PATIENCE_MS = 5000
/** The longest that one try may hold up the event loop. */
const BUSY_TIMEOUT_MS = 15
/** `audg` as SQLite's application_id: tells our files from those of other programs. */
const APPLICATION_ID = 0x61756467

/** One connection. Statements are prepared once; every method of it is one atomic step. */
export interface Database {
  readonly path: string
  get(sql: string, ...values: SQLInputValue[]): Row | undefined
  all(sql: string, ...values: SQLInputValue[]): readonly Row[]
  /** Answers how many rows were changed. */
  run(sql: string, ...values: SQLInputValue[]): number
  read<T>(step: () => T): Promise<T>
  /** One transaction: what `step` throws leaves nothing behind. */
  write<T>(step: () => T): Promise<T>
  close(): void
}

/**
 * Opens (and makes, mode 0600) the file, and brings its tables up to date. Throws StoreError.
 * @param create false: a file that isn't there is an error.
 */
export async function openDatabase(path: string, create: boolean): Promise<Database> {
  const connection = await untilFree(path, () => connect(path, create))
  const statements = new Map<string, StatementSync>()
  const statement = (sql: string): StatementSync => {
    const known = statements.get(sql)
    if (known !== undefined) return known
    const prepared = connection.prepare(sql)
    statements.set(sql, prepared)
    return prepared
  }
  return {
    path,
    get: (sql, ...values) => statement(sql).get(...values),
    all: (sql, ...values) => statement(sql).all(...values),
    run: (sql, ...values) => Number(statement(sql).run(...values).changes),
    read: (step) => untilFree(path, step),
    write: (step) => untilFree(path, () => transaction(connection, step)),
    close: () => connection.close(),
  }
}

function connect(path: string, create: boolean): DatabaseSync {
  if (path !== ':memory:') makeFile(path, create)
  const connection = new (loadSqlite().DatabaseSync)(path, {
    timeout: BUSY_TIMEOUT_MS,
    enableForeignKeyConstraints: true,
  })
  try {
    connection.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 67108864')
    transaction(connection, () => migrate(connection, path))
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
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

function transaction<T>(connection: DatabaseSync, step: () => T): T {
  // IMMEDIATE: two writers meet here, where waiting is possible, and never in the middle.
  connection.exec('BEGIN IMMEDIATE')
  try {
    const result = step()
    connection.exec('COMMIT')
    return result
  } catch (error) {
    // A full disk rolls back by itself.
    if (connection.isTransaction) connection.exec('ROLLBACK')
    throw error
  }
}

async function untilFree<T>(path: string, step: () => T): Promise<T> {
  for (const deadline = performance.now() + PATIENCE_MS; ; ) {
    try {
      return step()
    } catch (error) {
      if (!busy(error) || performance.now() > deadline) throw asStoreError(error, path)
    }
    await delay(5 + Math.random() * 20)
  }
}
