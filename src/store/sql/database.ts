import type { Row, SqlValue } from './row.ts'

/** Statements in SQL that every engine understands, with `?` for each value. */
export interface Queries {
  get(sql: string, ...values: readonly SqlValue[]): Promise<Row | undefined>
  all(sql: string, ...values: readonly SqlValue[]): Promise<readonly Row[]>
  /** Answers how many rows were changed. */
  run(sql: string, ...values: readonly SqlValue[]): Promise<number>
}

/** Whether others may hold the same name at the same time. */
export type LockMode = 'exclusive' | 'shared'

/** A transaction under way. */
export interface Transaction extends Queries {
  /**
   * Waits until nobody holds one of `names`, or of `thenShared`, in a way that excludes this one; held until the transaction
   * ends. @param thenShared names that are held together with others, after the rest.
   */
  lock(mode: LockMode, names: readonly string[], thenShared?: readonly string[]): Promise<void>
  /** What is to be done last, right before the commit: a number that is taken there is taken in the order of commits. */
  atCommit(step: (queries: Queries) => Promise<void>): void
}

/** How much a commit waits for: the operating system, or the disk. */
export type Durability = 'usual' | 'disk'

/** A transaction as an engine gives it. It lasts until `commit` or `rollback`; a commit that failed must be rolled back. */
export interface OpenTransaction extends Queries {
  lock(mode: LockMode, names: readonly string[], thenShared?: readonly string[]): Promise<void>
  commit(durability: Durability): Promise<void>
  /** Never throws; does nothing after `commit`. */
  rollback(): Promise<void>
}

/** What differs between engines. Its methods throw StoreError. */
export interface Engine {
  readonly kind: 'sqlite' | 'postgres'
  /** SQL for the milliseconds since the epoch by the database's clock, as they pass. */
  readonly nowMs: string
  /** SQL for what is another one once the database goes on from an earlier state, as a promoted standby does; `''` where none does. */
  readonly timeline: string
  /** SQL behind a SELECT of rows to be deleted: rows that others hold are passed over. */
  readonly skipLocked: string
  /** For what is looked at all the time. */
  readonly watch: Queries
  /** Whether a transaction that failed so may succeed when it is carried out again. */
  mayRepeat(error: unknown): boolean
  /** Statements outside of any transaction, each of which sees what had been committed when it began. They don't write. */
  readonly reader: Queries
  /** Statements that change something, each a transaction of its own; undefined: only {@link Engine.begin} can. */
  readonly single: Pick<Queries, 'run'> | undefined
  begin(): Promise<OpenTransaction>
  /** Its own error for one of the database's; whatever else it is comes back as it was. */
  asStoreError(error: unknown): unknown
  /** A transaction that changed something has been committed here; listeners have heard of it when this resolves. */
  committed(): Promise<void>
}

/**
 * The database as the modules of this folder use it. Inside a unit of work (see `unit-of-work.ts`) all of it happens in the
 * unit's transaction, once that has begun.
 */
export interface Database extends Queries {
  readonly kind: Engine['kind']
  readonly nowMs: Engine['nowMs']
  readonly skipLocked: Engine['skipLocked']
  readonly timeline: Engine['timeline']
  readonly watch: Queries
  /** One statement that changes something: a transaction of its own, or a part of the unit in hand. */
  run(sql: string, ...values: readonly SqlValue[]): Promise<number>
  /** Several statements in one transaction: what `step` throws leaves nothing behind. It may be carried out again. */
  write<T>(step: (transaction: Transaction) => Promise<T>, durability?: Durability): Promise<T>
}
