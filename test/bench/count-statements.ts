/** Loaded before a program by `--import`: counts what it asks its database, and tells whoever connects to COUNTS_SOCKET. */
import { createServer } from 'node:net'
import { DatabaseSync, StatementSync } from 'node:sqlite'
import { isMainThread } from 'node:worker_threads'
import pg from 'pg'

/** Since the start of the process. */
export interface StatementCounts {
  /** Those that begin and end transactions, too. */
  readonly statements: number
  /** Of transactions that may have written. */
  readonly commits: number
}

const counts = { statements: 0, commits: 0 }

function count(sql: string): void {
  counts.statements += 1
  if (sql === 'COMMIT') counts.commits += 1
}

/** Calls `before` with the receiver and the first argument of each call of a method. */
function watch(prototype: object, method: string, before: (receiver: object, first: unknown) => void): void {
  const original: unknown = Reflect.get(prototype, method)
  if (typeof original !== 'function') throw new TypeError(`no method ${method}`)
  Reflect.set(prototype, method, function watched(this: object, ...parts: unknown[]): unknown {
    before(this, parts[0])
    return Reflect.apply(original, this, parts)
  })
}

const within = new WeakSet<object>()

/** Outside of a transaction each statement that changes something is committed by itself. */
function countOfPostgres(client: object, first: unknown): void {
  const sql = typeof first === 'string' ? first : String(Reflect.get(Object(first), 'text'))
  count(sql)
  if (sql.startsWith('BEGIN')) within.add(client)
  else if (sql === 'COMMIT' || sql === 'ROLLBACK') within.delete(client)
  else if (!within.has(client) && /^(?:INSERT|UPDATE|DELETE|WITH)/.test(sql)) counts.commits += 1
}

if (isMainThread && process.env.COUNTS_SOCKET !== undefined) {
  for (const method of ['get', 'all', 'run']) watch(StatementSync.prototype, method, () => count(''))
  watch(DatabaseSync.prototype, 'exec', (_connection, sql) => count(String(sql)))
  watch(pg.Client.prototype, 'query', countOfPostgres)
  createServer((socket) => socket.on('error', () => undefined).end(JSON.stringify(counts)))
    .listen(process.env.COUNTS_SOCKET)
    .unref()
}
