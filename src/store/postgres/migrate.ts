import { integer } from '../sql/row.ts'
import { StoreError } from '../store.ts'
import type { PostgresEngine } from './engine.ts'
import { MIGRATIONS } from './schema.ts'

/** Which migrations a database has had, and the oldest release that still understands it. */
interface SchemaVersion {
  /** 0: there are no tables of ours. */
  readonly schema: number
  /** Releases that know fewer migrations than this must not use the database. */
  readonly oldest: number
}

/** The oldest number of migrations that works with the tables as this release makes them. */
const OLDEST_THAT_WORKS = 1

const ONE_AT_A_TIME = 'SELECT pg_advisory_xact_lock(1635083367)'

/** What stands in the database. Throws StoreError when it can't be asked. */
export async function schemaVersion(engine: PostgresEngine): Promise<SchemaVersion> {
  const there = await engine.reader.get("SELECT to_regclass('audgate_schema') IS NOT NULL AS there")
  if (there?.there !== true) return { schema: 0, oldest: 0 }
  const row = await engine.reader.get('SELECT version, oldest FROM audgate_schema')
  return row === undefined
    ? { schema: 0, oldest: 0 }
    : { schema: integer(row, 'version'), oldest: integer(row, 'oldest') }
}

/**
 * Brings the tables up to date; of several instances that start together one does it and the others wait. Newer tables are
 * taken as they are if their makers said that this release may. Throws StoreError.
 */
export async function migrate(
  engine: PostgresEngine,
  when: 'auto' | 'never',
  place: string,
  migrations: readonly string[] = MIGRATIONS,
): Promise<void> {
  const newest = migrations.length
  const before = await schemaVersion(engine)
  if (before.oldest > newest) throw tooNew(place, before, newest)
  if (before.schema >= newest) return
  if (when === 'never') {
    const problem =
      before.schema === 0 ? 'has no tables yet' : `has tables of version ${before.schema}, ${newest} is needed`
    throw new StoreError(`store ${place}: ${problem}`, 'run `audgate store migrate`')
  }
  await engine.script(
    `BEGIN; ${ONE_AT_A_TIME}; CREATE TABLE IF NOT EXISTS audgate_schema (one bigint PRIMARY KEY, version bigint NOT NULL, oldest bigint NOT NULL); INSERT INTO audgate_schema VALUES (1, 0, 0) ON CONFLICT DO NOTHING; COMMIT`,
  )
  for (const [next, migration] of migrations.entries()) await carryOut(engine, next, migration)
}

/** Within one transaction the version is looked at again: another instance may have been here first. */
async function carryOut(engine: PostgresEngine, next: number, migration: string): Promise<void> {
  const transaction = await engine.begin()
  try {
    await transaction.get(ONE_AT_A_TIME)
    const row = await transaction.get('SELECT version FROM audgate_schema')
    if (row !== undefined && integer(row, 'version') === next) {
      for (const statement of statementsOf(migration)) await transaction.run(statement)
      await transaction.run('UPDATE audgate_schema SET version = ?, oldest = ?', next + 1, OLDEST_THAT_WORKS)
    }
    await transaction.commit('usual')
  } catch (error) {
    await transaction.rollback()
    throw engine.asStoreError(error)
  }
}

function statementsOf(migration: string): readonly string[] {
  return migration.split(/;\s*\n/).filter((statement) => statement.trim() !== '')
}

function tooNew(place: string, { schema, oldest }: SchemaVersion, newest: number): StoreError {
  return new StoreError(
    `store ${place}: its tables have version ${schema}, which this audgate does not understand (it knows ${newest}, ${oldest} is needed)`,
    'run a newer audgate',
  )
}
