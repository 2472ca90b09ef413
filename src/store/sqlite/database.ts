import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import type * as Sqlite from 'node:sqlite'
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { StoreError } from '../store.ts'
import type { Row } from './row.ts'
import { MIGRATIONS } from './schema.ts'

/**
 * `node:sqlite` without the notice about its stability that Node releases before 24.15 print when it is first loaded.
 * Only that one notice is held back, and only for the length of this synchronous call.
 */
export function loadSqlite(): typeof Sqlite {
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

interface Explanation {
  readonly message: string
  readonly hint: string
}

/** Primary result codes of SQLite (the low byte of an extended one). */
const BY_RESULT_CODE: ReadonlyMap<number, Explanation> = new Map([
  [3, { message: 'no permission', hint: 'give the user that runs audgate read and write access to it' }],
  [
    5,
    {
      message: 'locked by another process',
      hint: 'find what holds it open (a backup, a stopped process) and end that',
    },
  ],
  [6, { message: 'locked', hint: 'try again' }],
  [8, { message: 'read-only', hint: 'give the user that runs audgate write access to the file and its folder' }],
  [10, { message: 'the disk reports an error', hint: 'check the disk and the file system below it' }],
  [11, { message: 'damaged', hint: 'stop audgate and restore the file from a backup' }],
  [13, { message: 'the disk is full', hint: 'free space on the disk that holds it' }],
  [
    14,
    {
      message: 'cannot be opened',
      hint: 'check that its folder exists and may be written by the user that runs audgate',
    },
  ],
  [26, { message: 'not a database of audgate', hint: 'name another file under `store:`, or move this one away' }],
])

const BY_SYSTEM_CODE: ReadonlyMap<string, Explanation> = new Map([
  [
    'EACCES',
    { message: 'no permission', hint: 'give the user that runs audgate write access to the file and its folder' },
  ],
  [
    'EPERM',
    { message: 'no permission', hint: 'give the user that runs audgate write access to the file and its folder' },
  ],
  ['EROFS', { message: 'on a read-only file system', hint: 'name a file on a writable disk under `store:`' }],
  ['ENOSPC', { message: 'the disk is full', hint: 'free space on the disk that holds it' }],
  ['EDQUOT', { message: 'the disk quota is used up', hint: 'free space or raise the quota' }],
  ['ENOTDIR', { message: 'a part of its path is no folder', hint: 'correct the path under `store:`' }],
  ['EEXIST', { message: 'a part of its path is no folder', hint: 'correct the path under `store:`' }],
  ['EISDIR', { message: 'a folder', hint: 'name a file under `store:`' }],
  ['ENOENT', { message: 'not there', hint: 'correct the path under `store:`, or run `audgate serve` once' }],
])

/** Whether another connection holds the lock (SQLITE_BUSY): worth another try. */
export function busy(error: unknown): boolean {
  return resultCode(error) === 5
}

/** The store's own error for one of SQLite's or of the file system's; whatever else it is comes back as it was. */
export function asStoreError(error: unknown, path: string): unknown {
  const explanation = explain(error)
  if (explanation === undefined) return error
  return new StoreError(`store ${path}: ${explanation.message}`, explanation.hint, { cause: error })
}

function explain(error: unknown): Explanation | undefined {
  const code = resultCode(error)
  if (code !== undefined) {
    return BY_RESULT_CODE.get(code) ?? { message: `the database reports fault ${code}`, hint: 'see the log' }
  }
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return undefined
  return BY_SYSTEM_CODE.get(String(error.code))
}

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined
  return typeof error.errcode === 'number' ? error.errcode & 0xff : undefined
}

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
  /** The same, on the disk before it resolves: a power cut can't take it back. */
  writeDurably<T>(step: () => T): Promise<T>
  close(): void
}

/**
 * Opens (and makes, mode 0600) the file, and brings its tables up to date. Throws StoreError.
 * @param create false: a file that isn't there is an error.
 * @param checked whether the whole file is looked over first; a damaged one is an error then.
 */
export async function openDatabase(path: string, create: boolean, checked = false): Promise<Database> {
  const connection = await untilFree(path, () => connect(path, create, checked))
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
    writeDurably: (step) => untilFree(path, () => durably(connection, step)),
    close: () => connection.close(),
  }
}

/** Finds pages that don't fit together before anything is built on them. About 0.2 s for 100 MiB. */
function quickCheck(connection: DatabaseSync, path: string): void {
  const [found] = Object.values(connection.prepare('PRAGMA quick_check(1)').get() ?? {})
  if (found === 'ok') return
  throw new StoreError(`store ${path}: damaged (${String(found)})`, 'stop audgate and restore the file from a backup')
}

function connect(path: string, create: boolean, checked: boolean): DatabaseSync {
  if (path !== ':memory:') makeFile(path, create)
  const connection = new (loadSqlite().DatabaseSync)(path, {
    timeout: BUSY_TIMEOUT_MS,
    enableForeignKeyConstraints: true,
  })
  try {
    connection.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 67108864')
    transaction(connection, () => migrate(connection, path))
    if (checked) quickCheck(connection, path)
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

/** In WAL mode NORMAL does not wait for the disk at a commit; FULL does. It can't be changed within a transaction. */
function durably<T>(connection: DatabaseSync, step: () => T): T {
  connection.exec('PRAGMA synchronous = FULL')
  try {
    return transaction(connection, step)
  } finally {
    connection.exec('PRAGMA synchronous = NORMAL')
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
