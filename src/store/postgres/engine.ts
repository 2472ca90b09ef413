import { createHash } from 'node:crypto'
import type pg from 'pg'
import type { Engine, LockMode, OpenTransaction, Queries } from '../sql/database.ts'
import { hasNul, type Row, type SqlValue, storable, whole } from '../sql/row.ts'
import { StoreError } from '../store.ts'
import { asStoreError, isCollision } from './errors.ts'
import { createPatience } from './patience.ts'
import { createPool, createReach, type Pool, type PostgresOptions } from './pool.ts'

/** PostgreSQL as the engine of a store. Nothing of it lasts longer than a transaction, so a pooler may stand between. */
export interface PostgresEngine extends Omit<Engine, 'committed'> {
  /** For what is looked at all the time: a connection of its own, so that no crowd of requests keeps it waiting. */
  readonly watch: Queries
  /** Statements that a migration consists of, in one transaction. */
  script(text: string): Promise<void>
  readonly waiting: number
  readonly open: number
  close(): Promise<void>
}

export function openPostgres(options: PostgresOptions, place: string): PostgresEngine {
  const most = Math.max(1, options.pool - 1)
  const reach = createReach()
  const pool = createPool({ ...options, pool: most }, place, reach, 'many')
  const watching = createPool({ ...options, pool: 1 }, place, reach, 'one')
  const patience = createPatience()
  const asOurs = (error: unknown): unknown => asStoreError(error, place)
  return {
    kind: 'postgres',
    nowMs: '(extract(epoch FROM clock_timestamp()) * 1000)::bigint',
    // What only reads may be asked twice.
    reader: queriesOf((sql, values) => patience.during((until) => askOnce(pool.take(until), sql, values, asOurs))),
    // Who looks all the time looks again soon, and says meanwhile what is wrong.
    watch: queriesOf((sql, values) => askOnce(watching.take(), sql, values, asOurs)),
    // Once it was sent nobody knows whether it was done.
    single: queriesOf((sql, values) => askOnce(patience.during(pool.take), sql, values, asOurs)),
    begin: () => patience.during((until) => begin(pool.take(until), options, asOurs)),
    asStoreError: asOurs,
    mayRepeat: isCollision,
    skipLocked: 'FOR UPDATE SKIP LOCKED',
    timeline: TIMELINE,
    script: async (text) => {
      const { client, release } = await pool.take()
      await client.query(text).then(
        () => release(),
        (error: unknown) => {
          release(error)
          throw asOurs(error)
        },
      )
    },
    get waiting() {
      return pool.waiting + patience.waiting
    },
    get open() {
      return pool.open + watching.open
    },
    close: async () => {
      await Promise.all([pool.close(), watching.close()])
    },
  }
}

// The file's name begins with it. pg_control_checkpoint() shows the one of before for a while after a promotion.
const TIMELINE = 'left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)'

const numbered = new Map<string, string>()

/** `?` becomes `$1`, `$2` …; none stands in a text of ours. */
function numberedText(sql: string): string {
  const known = numbered.get(sql)
  if (known !== undefined) return known
  let count = 0
  const text = sql.replace(/\?/g, () => `$${++count}`)
  numbered.set(sql, text)
  return text
}

type Ask = (sql: string, values: readonly SqlValue[]) => Promise<pg.QueryResult>

function queriesOf(ask: Ask): Queries {
  return {
    // Nothing that is kept has U+0000, so nothing is found by it.
    get: async (sql, ...values) => (hasNul(values) ? undefined : rowsOf(await ask(sql, values.map(whole)))[0]),
    all: async (sql, ...values) => (hasNul(values) ? [] : rowsOf(await ask(sql, values.map(whole)))),
    run: async (sql, ...values) => (await ask(sql, storable(values))).rowCount ?? 0,
  }
}

function rowsOf(result: pg.QueryResult): readonly Row[] {
  return result.rows
}

async function askOnce(
  taking: ReturnType<Pool['take']>,
  sql: string,
  values: readonly SqlValue[],
  asOurs: (error: unknown) => unknown,
): Promise<pg.QueryResult> {
  const { client, release } = await taking
  try {
    const result = await client.query(numberedText(sql), [...values])
    release()
    return result
  } catch (error) {
    release(error)
    throw asOurs(error)
  }
}

async function begin(
  taking: ReturnType<Pool['take']>,
  { pooler, timeoutMs }: PostgresOptions,
  asOurs: (error: unknown) => unknown,
): Promise<OpenTransaction> {
  const { client, release } = await taking
  let fault: unknown
  let over = false
  const ask: Ask = async (sql, values) => {
    try {
      return await client.query(numberedText(sql), [...values])
    } catch (error) {
      fault = error
      throw error
    }
  }
  const end = (error?: unknown): void => {
    if (over) return
    over = true
    release(error)
  }
  try {
    // With a pooler a limit can't be set for the connection.
    await client.query(pooler === 'none' ? 'BEGIN' : `BEGIN; SET LOCAL statement_timeout = ${Math.ceil(timeoutMs)}`)
  } catch (error) {
    end(error)
    throw asOurs(error)
  }
  const queries = queriesOf(ask)
  return {
    ...queries,
    lock: async (mode, names, thenShared = []) => {
      // One statement for all of them, taken from left to right.
      const calls = [...names.map(() => LOCK[mode]), ...thenShared.map(() => LOCK.shared)].join(', ')
      if (calls !== '') await queries.get(`SELECT ${calls}`, ...[...names, ...thenShared].flatMap(lockNumbers))
    },
    commit: async () => {
      // What PostgreSQL answers to the COMMIT of a transaction that has failed is no error.
      const { command } = await ask('COMMIT', [])
      if (command !== 'COMMIT') throw new StoreError('store: nothing was kept', 'try again')
      end()
    },
    rollback: async () => {
      if (over) return
      await client.query('ROLLBACK').then(
        () => end(fault),
        (error: unknown) => end(error),
      )
    },
  }
}

// Two numbers of 32 bits: as one of 64 they would not fit a number of JavaScript.
const LOCK: Readonly<Record<LockMode, string>> = {
  exclusive: 'pg_advisory_xact_lock(?::int, ?::int)',
  shared: 'pg_advisory_xact_lock_shared(?::int, ?::int)',
}

function lockNumbers(name: string): [number, number] {
  const digest = createHash('sha256').update(name).digest()
  return [digest.readInt32BE(0), digest.readInt32BE(4)]
}
