import type { Engine, OpenTransaction, Queries } from './database.ts'

/** What was asked: one statement that reads or changes something, a transaction, or a look at what others did. */
type StoreOperation = 'read' | 'write' | 'transaction' | 'watch'

/** How a transaction ended. `unknown`: the connection was lost while it was being committed. */
type TransactionOutcome = 'commit' | 'rollback' | 'retried' | 'unknown'

/** Counts what a store does. */
export interface StoreMeter {
  took(operation: StoreOperation, seconds: number): void
  /** @param code SQLSTATE, SQLite's result code, or a code of the system; 'lost' for a connection that ended. */
  failed(code: string): void
  ended(outcome: TransactionOutcome): void
  /** For the one writer of a file, or for others that hold the same names. */
  waited(seconds: number): void
}

/** The same engine, counted. */
export function meteredEngine(engine: Engine, meter: StoreMeter): Engine {
  const timed = async <T>(operation: StoreOperation, work: () => Promise<T>): Promise<T> => {
    const since = performance.now()
    try {
      return await work()
    } catch (error) {
      meter.failed(codeOfFault(error))
      throw error
    } finally {
      meter.took(operation, (performance.now() - since) / 1_000)
    }
  }
  const { single } = engine
  return {
    ...engine,
    reader: timedQueries(engine.reader, (work) => timed('read', work)),
    watch: timedQueries(engine.watch, (work) => timed('watch', work)),
    single: single && { run: (sql, ...values) => timed('write', () => single.run(sql, ...values)) },
    begin: async () => {
      const since = performance.now()
      const open = await engine.begin().catch((error: unknown) => {
        meter.failed(codeOfFault(error))
        throw error
      })
      return meteredTransaction(open, meter, since)
    },
    mayRepeat: (error) => {
      const may = engine.mayRepeat(error)
      if (may) meter.ended('retried')
      return may
    },
  }
}

type Timed = <T>(work: () => Promise<T>) => Promise<T>

function timedQueries(queries: Queries, timed: Timed): Queries {
  return {
    get: (sql, ...values) => timed(() => queries.get(sql, ...values)),
    all: (sql, ...values) => timed(() => queries.all(sql, ...values)),
    run: (sql, ...values) => timed(() => queries.run(sql, ...values)),
  }
}

function meteredTransaction(open: OpenTransaction, meter: StoreMeter, since: number): OpenTransaction {
  const state = { waitedMs: performance.now() - since, over: false }
  const end = (outcome: TransactionOutcome): void => {
    if (state.over) return
    state.over = true
    meter.ended(outcome)
    meter.waited(state.waitedMs / 1_000)
    meter.took('transaction', (performance.now() - since) / 1_000)
  }
  return {
    ...open,
    lock: async (mode, names, thenShared) => {
      const from = performance.now()
      await open.lock(mode, names, thenShared)
      state.waitedMs += performance.now() - from
    },
    commit: async (durability) => {
      try {
        await open.commit(durability)
      } catch (error) {
        const code = codeOfFault(error)
        meter.failed(code)
        end(wasLost(code) ? 'unknown' : 'rollback')
        throw error
      }
      end('commit')
    },
    rollback: async () => {
      await open.rollback()
      end('rollback')
    },
  }
}

/** A commit that the database answered is known to have failed. */
function wasLost(code: string): boolean {
  return !/^(?:sqlite_\d+|[0-9A-Z]{5})$/.test(code) || /^(?:57P|08)/.test(code)
}

/** A word of a closed vocabulary: codes of databases and systems. */
function codeOfFault(error: unknown): string {
  if (!(error instanceof Error) || error instanceof TypeError) return 'unknown'
  if ('errcode' in error && typeof error.errcode === 'number') return `sqlite_${error.errcode & 0xff}`
  if ('code' in error && /^[A-Z0-9_]{2,40}$/.test(String(error.code))) return String(error.code)
  // Our own errors carry the database's; the client library has no codes for a connection that ended or a time that ran out.
  return error.cause === undefined ? 'lost' : codeOfFault(error.cause)
}
