import { AsyncLocalStorage } from 'node:async_hooks'
import { StoreError } from '../store.ts'
import type { Database, Durability, Engine, OpenTransaction, Queries, Transaction } from './database.ts'

/** A unit that takes longer keeps others out: it is given up. */
const LONGEST_UNIT_MS = 10_000

/** Of a transaction that others got in the way of. */
const MOST_REPEATS = 3

type LastStep = (queries: Queries) => Promise<void>

interface Unit {
  /** Undefined until something is locked or changed. */
  begun: Promise<OpenTransaction> | undefined
  /** Steps go one after another. */
  tail: Promise<unknown>
  readonly last: LastStep[]
  /** What is said of it once it is in force. */
  readonly kept: (() => void)[]
  durability: Durability
  /** Why nothing of it may be kept. */
  fault: unknown
  finished: boolean
  /** Whether whoever asked for it is still at it. */
  working: boolean
}

/** Units of work, and the database that takes part in them. */
interface UnitsOfWork {
  readonly database: Database
  unit<T>(work: () => Promise<T>, keep: (result: T) => boolean): Promise<T>
  /** Carries `step` out in the transaction of the unit in hand, beginning it; outside of a unit nothing happens. */
  inUnit(step: (transaction: Transaction) => Promise<void>): Promise<void>
  /** Does `work` once the unit in hand is in force, and never where it is not; at once outside of a unit. */
  whenKept(work: () => void): void
}

/** Binds units of work to the flow of asynchronous calls, so that whoever uses the store takes part without knowing. */
export function createUnitsOfWork(engine: Engine): UnitsOfWork {
  const storage = new AsyncLocalStorage<Unit>()
  const current = (): Unit | undefined => {
    const unit = storage.getStore()
    // What its request does after it was given up must not be kept by itself: the other half of it is gone.
    // What was begun there and outlives the request, such as a loop that connects anew, is nobody's half.
    const outlived = unit?.finished === true && !(unit.working && unit.fault !== undefined)
    return outlived ? undefined : unit
  }
  const write = <T>(step: (transaction: Transaction) => Promise<T>, durability: Durability = 'usual'): Promise<T> => {
    const unit = current()
    if (unit === undefined) return alone(engine, step, durability)
    if (durability === 'disk') unit.durability = durability
    return join(engine, unit, step)
  }
  const read = <T>(step: (queries: Queries) => Promise<T>): Promise<T> => {
    const unit = current()
    return unit?.begun === undefined ? step(engine.reader) : join(engine, unit, step)
  }
  return {
    database: {
      kind: engine.kind,
      nowMs: engine.nowMs,
      skipLocked: engine.skipLocked,
      timeline: engine.timeline,
      watch: engine.watch,
      get: (sql, ...values) => read((queries) => queries.get(sql, ...values)),
      all: (sql, ...values) => read((queries) => queries.all(sql, ...values)),
      run: (sql, ...values) =>
        engine.single !== undefined && current() === undefined
          ? engine.single.run(sql, ...values)
          : write((queries) => queries.run(sql, ...values)),
      write,
    },
    unit: (work, keep) => (current() === undefined ? carryOut(engine, storage, work, keep) : work()),
    inUnit: async (step) => {
      const unit = current()
      if (unit !== undefined) await join(engine, unit, step)
    },
    whenKept: (work) => {
      const unit = current()
      if (unit === undefined) work()
      else unit.kept.push(work)
    },
  }
}

async function alone<T>(
  engine: Engine,
  step: (transaction: Transaction) => Promise<T>,
  durability: Durability,
  repeats = MOST_REPEATS,
): Promise<T> {
  const open = await engine.begin()
  const last: LastStep[] = []
  try {
    const result = await step(transactionOf(open, last))
    for (const each of last) await each(open)
    await open.commit(durability)
    // Whatever others listen for is numbered at the commit.
    if (last.length > 0) await engine.committed()
    return result
  } catch (error) {
    await open.rollback()
    if (repeats > 0 && engine.mayRepeat(error)) return alone(engine, step, durability, repeats - 1)
    throw engine.asStoreError(error)
  }
}

/** A step that fails may have left something half done: the whole unit is given up with it. */
function join<T>(engine: Engine, unit: Unit, step: (transaction: Transaction) => Promise<T>): Promise<T> {
  const turn = unit.tail.then(async () => {
    if (unit.fault !== undefined || unit.finished) throw givenUp(unit.fault)
    try {
      unit.begun ??= engine.begin()
      return await step(transactionOf(await unit.begun, unit.last))
    } catch (error) {
      unit.fault = engine.asStoreError(error)
      throw unit.fault
    }
  })
  unit.tail = turn.catch(() => undefined)
  return turn
}

function transactionOf(open: OpenTransaction, last: LastStep[]): Transaction {
  return { ...open, atCommit: (step) => void last.push(step) }
}

async function carryOut<T>(
  engine: Engine,
  storage: AsyncLocalStorage<Unit>,
  work: () => Promise<T>,
  keep: (result: T) => boolean,
): Promise<T> {
  const unit: Unit = {
    begun: undefined,
    tail: Promise.resolve(),
    last: [],
    kept: [],
    durability: 'usual',
    fault: undefined,
    finished: false,
    working: true,
  }
  const limit = setTimeout(() => {
    unit.fault ??= new StoreError('store: a request held it for too long', 'look at how busy this machine is')
    void end(engine, unit, false)
  }, LONGEST_UNIT_MS)
  limit.unref()
  try {
    const result = await storage.run(unit, work).finally(() => {
      unit.working = false
    })
    await end(engine, unit, keep(result))
    return result
  } finally {
    clearTimeout(limit)
    await end(engine, unit, false)
  }
}

/** Commits or rolls back once; throws when what was to be kept could not be. */
async function end(engine: Engine, unit: Unit, kept: boolean): Promise<void> {
  if (unit.finished) {
    if (kept && unit.fault !== undefined) throw givenUp(unit.fault)
    return
  }
  await unit.tail
  if (unit.finished) return
  unit.finished = true
  const open = await unit.begun?.catch(() => undefined)
  if (unit.fault !== undefined || !kept) {
    await open?.rollback()
    if (kept) throw givenUp(unit.fault)
    return
  }
  if (open !== undefined) await commit(engine, unit, open)
  for (const say of unit.kept) say()
}

async function commit(engine: Engine, unit: Unit, open: OpenTransaction): Promise<void> {
  try {
    for (const step of unit.last) await step(open)
    await open.commit(unit.durability)
  } catch (error) {
    unit.fault = engine.asStoreError(error)
    await open.rollback()
    throw unit.fault
  }
  if (unit.last.length > 0) await engine.committed()
}

function givenUp(fault: unknown): Error {
  if (fault instanceof Error) return fault
  return new StoreError('store: the step was given up', 'try again')
}
