import { readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import pg from 'pg'
import { StoreError } from '../store.ts'
import { asStoreError, isLost } from './errors.ts'

export interface PostgresHost {
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
/** A connection is not kept for ever: behind a name other servers may stand by now. */
const LONGEST_LIFE_SECONDS = 1_800
const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|::1|\/.*)$/

/** Connections to the first of several servers that can be written to. */
export interface Pool {
  /** Rejects with StoreError when none can be had. `release` must be called once; with an error the connection is not used again. */
  take(): Promise<{ readonly client: pg.ClientBase; release(error?: unknown): void }>
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
export interface Reach {
  /** One was lost just now. */
  lost(): void
  opened(client: pg.ClientBase): void
  /** Whether the connection is older than the last loss. */
  isDoubtful(client: pg.ClientBase): boolean
  socket(): Socket
}

/** Longer than anything that uses a connection: those in doubt are closed then, whether or not the other side answers. */
const LAST_USE_MS = 15_000

export function createReach(): Reach {
  const born = new WeakMap<pg.ClientBase, number>()
  const sockets = new Map<Socket, number>()
  let lostAt = Number.NEGATIVE_INFINITY
  const closeOlder = (than: number): void => {
    for (const [socket, at] of sockets) if (at <= than) socket.destroy()
  }
  return {
    lost: () => {
      const at = performance.now()
      lostAt = at
      setTimeout(() => closeOlder(at), LAST_USE_MS).unref()
    },
    opened: (client) => void born.set(client, performance.now()),
    isDoubtful: (client) => (born.get(client) ?? 0) <= lostAt,
    socket: () => {
      const socket = new Socket()
      sockets.set(socket, performance.now())
      socket.once('close', () => sockets.delete(socket))
      return socket
    },
  }
}

interface Current {
  readonly pool: pg.Pool
  readonly host: PostgresHost
}

/** @param reach shared by the pools of one store. */
export function createPool(options: PostgresOptions, place: string, reach: Reach): Pool {
  let current: Current = { pool: openPool(options, 0, reach), host: hostAt(options, 0) }
  let turn = 0
  const renew = (): void => {
    turn = (turn + 1) % options.hosts.length
    const before = current.pool
    current = { pool: openPool(options, turn, reach), host: hostAt(options, turn) }
    before.end().catch(() => undefined)
  }
  const once = async () => {
    const { pool } = current
    if (pool.waitingCount >= MOST_QUEUED) throw new StoreError(`store ${place}: too many wait for it`, 'try again')
    try {
      const client = await connect(pool, reach)
      const release = (error?: unknown): void => {
        const lost = error !== undefined && isLost(error)
        client.release(lost)
        if (lost) reach.lost()
        if (lost && pool === current.pool && options.hosts.length > 1) renew()
      }
      return { client, release }
    } catch (error) {
      if (pool === current.pool && options.hosts.length > 1 && pool.totalCount === 0) renew()
      throw error
    }
  }
  return {
    renew,
    take: async () => {
      let fault: unknown
      for (let tries = 0; tries < options.hosts.length + 1; tries += 1) {
        try {
          return await once()
        } catch (error) {
          fault = error
        }
      }
      throw asStoreError(fault, place)
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
    stream: reach.socket,
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
  pool.on('connect', reach.opened)
  // An idle connection that ends is not missed; without a listener it would end the process.
  pool.on('error', () => undefined)
  return pool
}

function readOnly(): Error {
  return Object.assign(new Error('a standby answers'), { code: '25006' })
}

function authorities(ca: string | undefined): { readonly ca?: string } {
  if (ca === undefined) return {}
  try {
    return { ca: readFileSync(ca, 'utf8') }
  } catch (error) {
    throw new StoreError(`store.ca ${ca}: can't be read`, 'name a PEM file that audgate may read', { cause: error })
  }
}
