import { readFileSync } from 'node:fs'
import pg from 'pg'
import { StoreError } from '../store.ts'
import { asStoreError, codeOf, isLost } from './errors.ts'

interface PostgresHost {
  readonly host: string
  readonly port: number
}

/** Where the database is, and how it is spoken to. */
export interface PostgresOptions {
  /** Tried in order; a `host` that begins with `/` is the folder of a socket. */
  readonly hosts: readonly PostgresHost[]
  readonly user: string
  readonly database: string
  readonly password: string | undefined
  /** Connections of this process. */
  readonly pool: number
  readonly pooler: 'none' | 'transaction'
  /** Path of a PEM file; undefined: the system's authorities. */
  readonly ca: string | undefined
  /** For one statement. */
  readonly timeoutMs: number
  readonly migrate: 'auto' | 'never'
  /** Stands in pg_stat_activity. */
  readonly instance: string
  /** Milliseconds since the epoch; for the audit lines of acts. */
  readonly now: () => number
}

/** How long a connection is waited for, one that is in use or one that is being made. */
const WAIT_MS = 2_000
const MOST_QUEUED = 2_000
/** Changes of the host that one who waits goes along with. */
const MOST_REPLACED = 8
/** A connection is not kept for ever: behind a name other servers may stand by now. */
const LONGEST_LIFE_SECONDS = 1_800
/** SQLSTATE read_only_sql_transaction. */
const READ_ONLY = '25006'
const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|::1|\/.*)$/

/** Connections to the first of several servers that can be written to. */
export interface Pool {
  /**
   * Rejects with StoreError when none can be had; after two seconds where all are in use. `release` must be called once; with an error the connection is not used again.
   * @param deadline by the monotonic clock; it rejects then at the latest.
   */
  take(deadline?: number): Promise<{ readonly client: pg.ClientBase; release(error?: unknown): void }>
  /** Connections are closed as they are given back, and new ones look for the server anew. */
  renew(): void
  readonly waiting: number
  readonly open: number
  close(): Promise<void>
}

/**
 * What the connections of one store know of each other: where one was lost, nobody has to tell that older ones lead nowhere
 * either, so none of them is used again.
 */
interface Reach {
  /** One was lost just now. */
  lost(): void
  opened(client: pg.Client): void
  closed(client: pg.Client): void
  /** Whether the connection is older than the last loss. */
  isDoubtful(client: pg.Client): boolean
}

/** Longer than anything that uses a connection: those in doubt are closed then, whether or not the other side answers. */
const LAST_USE_MS = 15_000

export function createReach(): Reach {
  const born = new Map<pg.Client, number>()
  let lostAt = Number.NEGATIVE_INFINITY
  const closeOlder = (than: number): void => {
    for (const [client, at] of born) if (at <= than) client.connection.stream.destroy()
  }
  return {
    lost: () => {
      const at = performance.now()
      lostAt = at
      setTimeout(() => closeOlder(at), LAST_USE_MS).unref()
    },
    opened: (client) => void born.set(client, performance.now()),
    closed: (client) => void born.delete(client),
    isDoubtful: (client) => (born.get(client) ?? 0) <= lostAt,
  }
}

interface Current {
  readonly pool: pg.Pool
  readonly host: PostgresHost
  /** Who waits for a connection; told when another pool takes the place of this one, which serves nobody any more. */
  readonly waiting: Set<() => void>
  /** Connections in use. */
  taken: number
}

type Taken = Awaited<ReturnType<Pool['take']>>

/**
 * @param reach shared by the pools of one store.
 * @param use `one`: whoever takes a connection takes it after another; it is in use when the last question has had no answer.
 */
export function createPool(options: PostgresOptions, place: string, reach: Reach, use: 'one' | 'many'): Pool {
  const open = (turn: number): Current => ({
    pool: openPool(options, turn, reach),
    host: hostAt(options, turn),
    waiting: new Set(),
    taken: 0,
  })
  const severalHosts = options.hosts.length > 1
  /** By host, what came of the last try. */
  const faults = new Map<PostgresHost, unknown>()
  let current = open(0)
  let turn = 0
  const renew = (): void => {
    turn = (turn + 1) % options.hosts.length
    const before = current
    current = open(turn)
    before.pool.end().catch(() => undefined)
    for (const tell of before.waiting) tell()
    before.waiting.clear()
  }
  /** Undefined: another host is tried by now. */
  const once = async (deadline: number): Promise<Taken | undefined> => {
    const own = current
    if (own.pool.waitingCount >= MOST_QUEUED) throw full(place, 'QUEUE_FULL')
    try {
      const client = await connectUnlessReplaced(own, reach, deadline)
      faults.delete(own.host)
      if (client === undefined) return undefined
      own.taken += 1
      return { client, release: (error) => release(own, client, error) }
    } catch (error) {
      // Nobody has given one back in time: that says nothing of the host, and whoever waited has waited long enough.
      if (own.taken >= options.pool) throw use === 'one' ? asStoreError(error, place) : full(place, 'POOL_FULL')
      faults.set(own.host, error)
      if (severalHosts && own === current && own.pool.totalCount === 0) renew()
      throw error
    }
  }
  const release = (own: Current, client: pg.PoolClient, error: unknown): void => {
    const lost = error !== undefined && isLost(error)
    own.taken -= 1
    client.release(lost)
    if (lost) reach.lost()
    if (lost && severalHosts && own === current) renew()
  }
  return {
    renew,
    take: async (deadline = Number.POSITIVE_INFINITY) => {
      let fault: unknown
      for (let failed = 0, replaced = 0; failed <= options.hosts.length && replaced < MOST_REPLACED; ) {
        if (failed > 0 && performance.now() >= deadline) break
        try {
          const taken = await once(deadline)
          if (taken !== undefined) return taken
          replaced += 1
        } catch (error) {
          if (error instanceof StoreError) throw error
          fault = error
          failed += 1
        }
      }
      // That one of them can only be read says more than that another is away.
      const readOnlyFault = [...faults.values()].find((each) => codeOf(each) === READ_ONLY)
      throw asStoreError(readOnlyFault ?? fault, place)
    },
    get waiting() {
      return current.pool.waitingCount
    },
    get open() {
      return current.pool.totalCount
    },
    close: () => current.pool.end(),
  }
}

/** What metrics count it as when no connection is free. */
export type PoolFault = 'POOL_FULL' | 'QUEUE_FULL'

function full(place: string, code: PoolFault): StoreError {
  const hint = 'look at how busy the database is; `store.pool` says how many connections there may be'
  const cause = Object.assign(new Error('all connections are in use'), { code })
  return new StoreError(`store ${place}: no connection was free in time`, hint, { cause })
}

function connectUnlessReplaced(
  { pool, waiting }: Current,
  reach: Reach,
  deadline: number,
): Promise<pg.PoolClient | undefined> {
  return new Promise((resolve, reject) => {
    const replaced = (): void => resolve(undefined)
    waiting.add(replaced)
    const late = (): void => {
      if (waiting.delete(replaced)) reject(new Error('the time for a connection is over'))
    }
    const timer = deadline === Number.POSITIVE_INFINITY ? undefined : setTimeout(late, deadline - performance.now())
    connect(pool, reach)
      .then((client) => {
        // Too late for who has given up waiting: it goes back.
        if (waiting.delete(replaced)) resolve(client)
        else client.release()
      }, reject)
      .finally(() => {
        clearTimeout(timer)
        waiting.delete(replaced)
      })
  })
}

async function connect(pool: pg.Pool, reach: Reach): Promise<pg.PoolClient> {
  for (;;) {
    const client = await pool.connect()
    if (!reach.isDoubtful(client)) return client
    client.release(true)
  }
}

function hostAt({ hosts }: PostgresOptions, turn: number): PostgresHost {
  const host = hosts[turn]
  if (host === undefined) throw new TypeError('a database without a host')
  return host
}

// int8: every number of ours is far below 2^53.
const TYPES = {
  getTypeParser: ((id: number, format?: 'text' | 'binary') =>
    id === 20 ? Number : pg.types.getTypeParser(id, format as 'text')) as typeof pg.types.getTypeParser,
}

function openPool(options: PostgresOptions, turn: number, reach: Reach): pg.Pool {
  const { host, port } = hostAt(options, turn)
  const pool = new pg.Pool({
    host,
    port,
    user: options.user,
    database: options.database,
    ...(options.password === undefined ? {} : { password: options.password }),
    max: options.pool,
    connectionTimeoutMillis: WAIT_MS,
    query_timeout: options.timeoutMs + 1_000,
    keepAlive: true,
    maxLifetimeSeconds: LONGEST_LIFE_SECONDS,
    idleTimeoutMillis: 60_000,
    allowExitOnIdle: true,
    application_name: `audgate/${options.instance}`,
    types: TYPES,
    // A pooler refuses settings that it does not know; there the limit of the client alone counts.
    ...(options.pooler === 'none' ? { statement_timeout: options.timeoutMs } : {}),
    ssl: LOOPBACK.test(host) ? false : { ...authorities(options.ca), rejectUnauthorized: true },
    onConnect: async (client) => {
      const { rows } = await client.query('SELECT pg_is_in_recovery() AS standby')
      if (rows[0]?.standby === true) throw readOnly()
    },
  })
  pool.on('connect', (client) => {
    reach.opened(client)
    // One that is lost while it is in use fails at the next statement; here, too, the process would end without a listener.
    client.on('error', () => undefined)
  })
  pool.on('remove', reach.closed)
  // An idle connection that ends is not missed; without a listener it would end the process.
  pool.on('error', () => undefined)
  return pool
}

function readOnly(): Error {
  return Object.assign(new Error('a standby answers'), { code: READ_ONLY })
}

function authorities(ca: string | undefined): { readonly ca?: string } {
  if (ca === undefined) return {}
  try {
    return { ca: readFileSync(ca, 'utf8') }
  } catch (error) {
    throw new StoreError(`store.ca ${ca}: can't be read`, 'name a PEM file that audgate may read', { cause: error })
  }
}
