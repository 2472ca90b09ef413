import { openPostgres, type PostgresEngine } from './postgres/engine.ts'
import { migrate } from './postgres/migrate.ts'
import type { PostgresOptions } from './postgres/pool.ts'
import { placeOf } from './postgres.ts'
import type { OpenTransaction } from './sql/database.ts'
import type { Row, SqlValue } from './sql/row.ts'
import { openSqlite, type SqliteEngine } from './sqlite/engine.ts'
import { StoreError } from './store.ts'

/** A store to copy from, or to. */
export type CopyEnd =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly options: PostgresOptions }

type AnyEngine = SqliteEngine | PostgresEngine

const TABLES: Readonly<Record<AnyEngine['kind'], string>> = {
  sqlite: `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid`,
  postgres: `SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
    ORDER BY oid`,
}
const COLUMNS: Readonly<Record<AnyEngine['kind'], string>> = {
  sqlite: 'SELECT name FROM pragma_table_info(?)',
  postgres:
    'SELECT column_name AS name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = ?',
}
/** What belongs to a database or to a process, not to the store. */
const LEFT_OUT: ReadonlySet<string> = new Set(['changes', 'audgate_schema', 'instances'])
const ROWS_AT_ONCE = 200
/** Their ids are drawn by the database, which has to go on behind the highest. */
const NUMBERED = ['audits', 'provider_attempts']

/**
 * Copies every row as it is (payloads are sealed under their own ids, so nothing is opened) into an empty store; all of it or
 * nothing. Answers how many rows that were. No server may run on either. Throws StoreError.
 */
export async function copyStore(from: CopyEnd, to: CopyEnd): Promise<number> {
  const source = await open(from, false)
  try {
    const target = await open(to, true)
    try {
      return await copyRows(source, target)
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

async function open(end: CopyEnd, create: boolean): Promise<AnyEngine> {
  if (end.kind === 'sqlite') return openSqlite(end.path, create)
  const engine = openPostgres(end.options, placeOf(end.options))
  try {
    await migrate(engine, 'auto', placeOf(end.options))
    return engine
  } catch (error) {
    await engine.close()
    throw error
  }
}

async function copyRows(source: AnyEngine, target: AnyEngine): Promise<number> {
  const names = (await source.reader.all(TABLES[source.kind])).map(({ name }) => String(name))
  const tables = names.filter((name) => !LEFT_OUT.has(name))
  await refuseFilled(target)
  const transaction = await target.begin()
  try {
    for (const table of tables.toReversed()) await transaction.run(`DELETE FROM ${table}`)
    let rows = 0
    for (const table of tables) rows += await copyTable(source, target, transaction, table)
    if (target.kind === 'postgres') for (const table of NUMBERED) await transaction.get(goOnBehind(table))
    await transaction.commit('disk')
    return rows
  } catch (error) {
    await transaction.rollback()
    throw target.asStoreError(error)
  }
}

async function refuseFilled(target: AnyEngine): Promise<void> {
  for (const table of ['users', 'clients', 'authorizations']) {
    if ((await target.reader.get(`SELECT 1 AS one FROM ${table} LIMIT 1`)) === undefined) continue
    throw new StoreError(`the store to copy to has ${table} already`, 'copy into an empty one')
  }
}

/** A column that one engine has and the other does without is passed over. */
async function copyTable(
  source: AnyEngine,
  target: AnyEngine,
  transaction: OpenTransaction,
  table: string,
): Promise<number> {
  const rows = await source.reader.all(`SELECT * FROM ${table}`)
  const there = new Set((await transaction.all(COLUMNS[target.kind], table)).map(({ name }) => String(name)))
  const columns = Object.keys(rows[0] ?? {}).filter((name) => there.has(name))
  await fill(transaction, table, columns, rows)
  return rows.length
}

async function fill(
  transaction: OpenTransaction,
  table: string,
  columns: readonly string[],
  rows: readonly Row[],
): Promise<void> {
  const one = `(${columns.map(() => '?').join(', ')})`
  for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
    const batch = rows.slice(at, at + ROWS_AT_ONCE)
    const sql = `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${batch.map(() => one).join(', ')}`
    await transaction.run(sql, ...batch.flatMap((row) => columns.map((column) => asValue(row[column]))))
  }
}

function asValue(value: unknown): SqlValue {
  if (value === null || typeof value === 'string' || typeof value === 'number') return value
  throw new TypeError('a column holds neither text nor a number')
}

function goOnBehind(table: string): string {
  return `SELECT setval(pg_get_serial_sequence('${table}', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM ${table}), false)`
}
