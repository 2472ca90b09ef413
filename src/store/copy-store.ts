import { openPostgres, type PostgresEngine } from './postgres/engine.ts'
import { migrate } from './postgres/migrate.ts'
import type { PostgresOptions } from './postgres/pool.ts'
import { placeOf } from './postgres.ts'
import type { OpenTransaction, Queries } from './sql/database.ts'
import type { Row, SqlValue } from './sql/row.ts'
import { openSqlite, type SqliteEngine } from './sqlite/engine.ts'
import { StoreError } from './store.ts'

interface Copied {
  readonly rows: number
  /** Instances that may run on either. */
  readonly running: readonly string[]
}

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
/** Memory holds no more at once, whatever a table has. */
const ROWS_AT_ONCE = 500
/** Columns of a table's primary key, in order: tables are read along it. */
const KEYS: Readonly<Record<AnyEngine['kind'], string>> = {
  sqlite: 'SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk',
  postgres: `SELECT attname AS name FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)
    WHERE indisprimary AND indrelid = ?::regclass ORDER BY array_position(indkey::int2[], attnum)`,
}
/** Whose ids are drawn by the database, which has to go on behind the highest. */
const NUMBERED = `SELECT table_name AS name FROM information_schema.columns WHERE table_schema = current_schema()
  AND column_name = 'id' AND (is_identity = 'YES' OR column_default LIKE 'nextval%')`

/**
 * Copies every row as it is (payloads are sealed under their own ids, so nothing is opened) into an empty store; all of it or
 * nothing. No server may run on either: names of those that were heard of just now come with the answer. Throws StoreError.
 */
export async function copyStore(from: CopyEnd, to: CopyEnd): Promise<Copied> {
  const source = await open(from, false)
  try {
    const target = await open(to, true)
    try {
      const running = [...(await runningOn(source)), ...(await runningOn(target))]
      return { rows: await copyRows(source, target), running }
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
    if (target.kind === 'postgres') {
      for (const { name } of await transaction.all(NUMBERED)) await transaction.get(goOnBehind(String(name)))
    }
    await transaction.commit('disk')
    return rows
  } catch (error) {
    await transaction.rollback()
    throw target.asStoreError(error)
  }
}

/** Their signs of life come every five seconds at least; one that ends takes its line away. */
const ALIVE_MS = 7_500

async function runningOn({ reader, nowMs }: AnyEngine): Promise<readonly string[]> {
  const sql = `SELECT name FROM instances WHERE seen_at_ms > ${nowMs} - ${ALIVE_MS} ORDER BY name`
  return (await reader.all(sql)).map(({ name }) => String(name))
}

async function refuseFilled(target: AnyEngine): Promise<void> {
  for (const table of ['users', 'clients', 'authorizations']) {
    if ((await target.reader.get(`SELECT 1 AS one FROM ${table} LIMIT 1`)) === undefined) continue
    throw new StoreError(
      `the store to copy to has ${table} already`,
      'copy into an empty one: name another file, or make another database (`createdb`)',
    )
  }
}

/** A column that one engine has and the other does without is passed over. */
async function copyTable(
  source: AnyEngine,
  target: AnyEngine,
  transaction: OpenTransaction,
  table: string,
): Promise<number> {
  const there = new Set((await transaction.all(COLUMNS[target.kind], table)).map(({ name }) => String(name)))
  const key = (await source.reader.all(KEYS[source.kind], table)).map(({ name }) => String(name))
  let copied = 0
  for (let last: Row | undefined; ; ) {
    const rows: readonly Row[] = await nextRows(source.reader, table, key, last)
    const columns = Object.keys(rows[0] ?? {}).filter((name) => there.has(name))
    if (rows.length > 0) await fill(transaction, table, columns, rows)
    copied += rows.length
    last = rows.at(-1)
    if (rows.length < ROWS_AT_ONCE) return copied
  }
}

/** Behind the last one of before. */
function nextRows(
  reader: Queries,
  table: string,
  key: readonly string[],
  last: Row | undefined,
): Promise<readonly Row[]> {
  const names = key.join(', ')
  const behind = last === undefined ? '' : `WHERE (${names}) > (${key.map(() => '?').join(', ')})`
  const values = last === undefined ? [] : key.map((name) => asValue(last[name]))
  return reader.all(`SELECT * FROM ${table} ${behind} ORDER BY ${names} LIMIT ${ROWS_AT_ONCE}`, ...values)
}

async function fill(
  transaction: OpenTransaction,
  table: string,
  columns: readonly string[],
  rows: readonly Row[],
): Promise<void> {
  const one = `(${columns.map(() => '?').join(', ')})`
  const sql = `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${rows.map(() => one).join(', ')}`
  await transaction.run(sql, ...rows.flatMap((row) => columns.map((column) => asValue(row[column]))))
}

function asValue(value: unknown): SqlValue {
  if (value === null || typeof value === 'string' || typeof value === 'number') return value
  throw new TypeError('a column holds neither text nor a number')
}

function goOnBehind(table: string): string {
  return `SELECT setval(pg_get_serial_sequence('${table}', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM ${table}), false)`
}
