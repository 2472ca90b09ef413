import { open } from 'node:fs/promises'
import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite'
import type { Engine, OpenTransaction, Queries } from '../sql/database.ts'
import { type SqlValue, storable, whole } from '../sql/row.ts'
import { openReader, openWriter } from './connection.ts'
import { asStoreError } from './errors.ts'
import { createWriterQueue, untilFree, type WriterQueue } from './writer-queue.ts'

/** SQLite as the engine of a store: one connection that writes, in turns, and one that reads at any time. */
export interface SqliteEngine extends Omit<Engine, 'committed'> {
  readonly path: string
  /** A row of one PRAGMA, asked of both connections in turn; answers the writer's. */
  pragma(name: string): Readonly<Record<string, SQLOutputValue>> | undefined
  /** At once, from the reading connection: for what is looked at all the time. */
  glance(sql: string): Readonly<Record<string, SQLOutputValue>> | undefined
  /** Waits for the transaction under way. */
  close(): Promise<void>
}

/**
 * Opens (and makes, mode 0600) the file, and brings its tables up to date. Throws StoreError.
 * @param create false: a file that isn't there is an error.
 * @param checked whether the whole file is looked over first; a damaged one is an error then.
 */
export async function openSqlite(path: string, create: boolean, checked = false): Promise<SqliteEngine> {
  const writer = await untilFree(path, () => openWriter(path, create, checked))
  // A database in memory belongs to one connection: there reading waits for its turn, too.
  const reader = path === ':memory:' ? undefined : await untilFree(path, () => openReader(path))
  const queue = createWriterQueue(path)
  const write = createStatements(writer)
  const read = reader === undefined ? write : createStatements(reader)
  return {
    kind: 'sqlite',
    nowMs: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
    path,
    reader: reader === undefined ? inTurn(queue, write) : patient(path, read),
    begin: () => begin(path, writer, queue, write),
    skipLocked: '',
    timeline: "''",
    single: undefined,
    watch: reader === undefined ? inTurn(queue, write) : patient(path, read),
    mayRepeat: () => false,
    asStoreError: (error) => asStoreError(error, path),
    pragma: (name) => {
      reader?.prepare(`PRAGMA ${name}`).get()
      return writer.prepare(`PRAGMA ${name}`).get()
    },
    glance: (sql) => read(sql).get(),
    close: async () => {
      const leave = await queue.enter()
      reader?.close()
      writer.close()
      leave()
    },
  }
}

type Statements = (sql: string) => StatementSync

/** Statements are prepared once. */
function createStatements(connection: DatabaseSync): Statements {
  const statements = new Map<string, StatementSync>()
  return (sql) => {
    const known = statements.get(sql)
    if (known !== undefined) return known
    const prepared = connection.prepare(sql)
    statements.set(sql, prepared)
    return prepared
  }
}

/** Readers of a write-ahead log are kept waiting by nothing but its recovery after a crash. */
function patient(path: string, statement: Statements): Queries {
  return {
    get: (sql, ...values) => untilFree(path, () => statement(sql).get(...values.map(whole))),
    all: (sql, ...values) => untilFree(path, () => statement(sql).all(...values.map(whole))),
    run: (sql, ...values) => untilFree(path, () => Number(statement(sql).run(...storable(values)).changes)),
  }
}

function direct(statement: Statements): Queries {
  return {
    get: async (sql, ...values: readonly SqlValue[]) => statement(sql).get(...values.map(whole)),
    all: async (sql, ...values) => statement(sql).all(...values.map(whole)),
    run: async (sql, ...values) => Number(statement(sql).run(...storable(values)).changes),
  }
}

function inTurn(queue: WriterQueue, statement: Statements): Queries {
  const queries = direct(statement)
  const waiting = async <T>(step: () => Promise<T>): Promise<T> => {
    const leave = await queue.enter()
    return step().finally(leave)
  }
  return {
    get: (sql, ...values) => waiting(() => queries.get(sql, ...values)),
    all: (sql, ...values) => waiting(() => queries.all(sql, ...values)),
    run: (sql, ...values) => waiting(() => queries.run(sql, ...values)),
  }
}

async function begin(
  path: string,
  writer: DatabaseSync,
  queue: WriterQueue,
  statement: Statements,
): Promise<OpenTransaction> {
  const since = performance.now()
  const leave = await queue.enter()
  try {
    // IMMEDIATE: two writers meet here, where waiting is possible, and never in the middle.
    await untilFree(path, () => writer.exec('BEGIN IMMEDIATE'), since)
  } catch (error) {
    leave()
    throw error
  }
  let under = true
  const end = (): void => {
    under = false
    leave()
  }
  return {
    ...direct(statement),
    // Whoever writes is alone.
    lock: async () => undefined,
    commit: async (durability) => {
      writer.exec('COMMIT')
      end()
      if (durability === 'disk' && path !== ':memory:') await flush(`${path}-wal`)
    },
    rollback: async () => {
      if (!under) return
      try {
        // A full disk rolls back by itself.
        if (writer.isTransaction) writer.exec('ROLLBACK')
      } finally {
        end()
      }
    },
  }
}

/** A commit leaves the write-ahead log with the operating system; this waits until the disk has it. */
async function flush(log: string): Promise<void> {
  const file = await open(log, 'r+')
  try {
    await file.datasync()
  } finally {
    await file.close()
  }
}
