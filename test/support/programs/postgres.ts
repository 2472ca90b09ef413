import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { PostgresOptions } from '../../../src/store/postgres/pool.ts'
import { freePorts } from './free-ports.ts'

/** A PostgreSQL server of Debian's package in a temporary folder, reached by a socket there and by a port of the loopback address. */
export interface PostgresUnderTest {
  readonly folder: string
  readonly port: number
  /** Of the server's first process. */
  readonly pid: number
  /** Makes an empty database and answers how to reach it. */
  database(over?: Partial<PostgresOptions>): Promise<PostgresOptions>
  /** `store:` of routes.yaml for a database. @param port of something that stands before the server. */
  url(options: PostgresOptions, port?: number): string
  query(database: string, sql: string): Promise<readonly Record<string, unknown>[]>
  /** What the server has logged so far. */
  log(): string
  /** Where a standby hears no more of its primary. */
  stopFollowing(): Promise<void>
  /** Makes a standby the primary. */
  promote(): Promise<void>
  /** Ends it at once, as a power cut would, and starts it again where `again` says so. */
  crash(again?: boolean): Promise<void>
  /** Ends every process of it by SIGKILL and starts it again. */
  kill(): Promise<void>
  /** Stops every process of it, as a machine that hangs; `resume` lets them go on. */
  pause(): void
  resume(): void
  start(): Promise<void>
  close(): Promise<void>
}

const USER = 'audgate'

/** Where Debian keeps the programs, newest release first; undefined where there are none. */
function programs(): string | undefined {
  const root = '/usr/lib/postgresql'
  const releases = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : []
  return releases.map((release) => join(root, release, 'bin')).find((folder) => existsSync(join(folder, 'initdb')))
}

/** The server refuses to run as root: Debian's package has made a user for it. */
export function asServer(command: string, args: readonly string[]): [string, string[]] {
  if (process.getuid?.() !== 0) return [command, [...args]]
  return ['setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', command, ...args]]
}

function initdb(bin: string, inner: string): [string, string[]] {
  const how = ['-U', USER, '-A', 'trust', '-N', '-E', 'UTF8', '--locale=C.UTF-8']
  return [join(bin, 'initdb'), ['-D', inner, ...how]]
}

function basebackup(
  bin: string,
  inner: string,
  { folder, port }: Pick<PostgresUnderTest, 'folder' | 'port'>,
): [string, string[]] {
  const from = ['-h', folder, '-p', `${port}`, '-U', USER]
  return [join(bin, 'pg_basebackup'), [...from, '-D', inner, '-R', '-c', 'fast', '-N']]
}

/** A process and its children. */
function family(first: number | undefined): readonly number[] {
  if (first === undefined) return []
  const children = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && parentOf(name) === first)
  return [first, ...children.map(Number)]
}

function parentOf(pid: string): number | undefined {
  try {
    return Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  } catch {
    return undefined
  }
}

/** One that has ended meanwhile is let be. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended.
  }
}

/**
 * @param settings lines of postgresql.conf, `name=value`.
 * @param primary makes a standby that follows it, instead of an empty server.
 */
export async function startPostgres(
  settings: readonly string[] = ['fsync=off'],
  primary?: Pick<PostgresUnderTest, 'folder' | 'port'>,
): Promise<PostgresUnderTest> {
  const bin = programs()
  if (bin === undefined) throw new Error('PostgreSQL is missing: apt-get install postgresql-15')
  const folder = mkdtempSync(join(tmpdir(), 'audgate-postgres-'))
  chmodSync(folder, 0o755)
  const inner = join(folder, 'server')
  if (process.getuid?.() === 0) {
    const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'postgres'])))
    chownSync(folder, uid ?? 0, gid ?? 0)
  }
  const [make, makeArgs] = asServer(...(primary === undefined ? initdb(bin, inner) : basebackup(bin, inner, primary)))
  execFileSync(make, makeArgs, { stdio: 'ignore', cwd: folder })
  const [port = 0] = await freePorts(1)
  const running: { child: ChildProcess | undefined; log: string } = { child: undefined, log: '' }
  const place = { host: folder, port }
  const start = async (): Promise<void> => {
    const options = [
      ...settings,
      `port=${port}`,
      `unix_socket_directories=${folder}`,
      'listen_addresses=127.0.0.1',
      'max_connections=200',
      'shared_buffers=32MB',
    ]
    const [run, args] = asServer(join(bin, 'postgres'), ['-D', inner, ...options.flatMap((option) => ['-c', option])])
    const deadline = Date.now() + 30_000
    // A child of one that was killed may live for a moment, and as long as it does another one ends at once.
    for (let isUp = false; !isUp; ) {
      const child = spawn(run, args, { stdio: ['ignore', 'ignore', 'pipe'], cwd: folder })
      running.child = child
      child.stderr?.on('data', (chunk: Buffer) => {
        running.log += chunk
      })
      isUp = await untilAnswers(place, () => child.exitCode !== null && Date.now() < deadline)
      if (!isUp) await delay(50)
    }
  }
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    const { child } = running
    running.child = undefined
    if (child === undefined || child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
  await start()
  let made = 0
  const query = async (database: string, sql: string): Promise<readonly Record<string, unknown>[]> => {
    const client = new pg.Client({ ...place, user: USER, database })
    await client.connect()
    try {
      return (await client.query(sql)).rows
    } finally {
      await client.end()
    }
  }
  return {
    folder,
    port,
    get pid() {
      return running.child?.pid ?? 0
    },
    database: async (over = {}) => {
      made += 1
      const database = `test_${made}`
      await query('postgres', `CREATE DATABASE ${database}`)
      return {
        hosts: [place],
        user: USER,
        database,
        password: undefined,
        pool: 10,
        pooler: 'none',
        ca: undefined,
        timeoutMs: 5_000,
        migrate: 'auto',
        instance: 'test',
        now: Date.now,
        ...over,
      }
    },
    url: ({ database }, at = port) => `postgres://${USER}@127.0.0.1:${at}/${database}`,
    query,
    log: () => running.log,
    stopFollowing: async () => {
      await query('postgres', "ALTER SYSTEM SET primary_conninfo = ''")
      await query('postgres', 'SELECT pg_reload_conf()')
      const receivers = 'SELECT count(*)::int AS count FROM pg_stat_wal_receiver'
      while ((await query('postgres', receivers))[0]?.count !== 0) await delay(20)
    },
    promote: async () => {
      await query('postgres', 'SELECT pg_promote(true, 30)')
    },
    crash: async (again = true) => {
      await stop('SIGQUIT')
      if (again) await start()
    },
    kill: async () => {
      const pids = family(running.child?.pid)
      const stopped = stop('SIGKILL')
      for (const pid of pids) signal(pid, 'SIGKILL')
      await stopped
      await start()
    },
    pause: () => {
      // The first process before its children: it would take one that stops for a crash of its own.
      for (const pid of family(running.child?.pid)) signal(pid, 'SIGSTOP')
    },
    resume: () => {
      for (const pid of family(running.child?.pid)) signal(pid, 'SIGCONT')
    },
    start,
    close: async () => {
      for (const pid of family(running.child?.pid)) signal(pid, 'SIGCONT')
      await stop('SIGINT')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** False where the server is over before it answers. */
export async function untilAnswers(
  place: { readonly host: string; readonly port: number },
  isOver: () => boolean = () => false,
): Promise<boolean> {
  for (const deadline = Date.now() + 30_000; ; ) {
    const client = new pg.Client({ ...place, user: USER, database: 'postgres' })
    try {
      await client.connect()
      await client.end()
      return true
    } catch (error) {
      await client.end().catch(() => undefined)
      if (isOver()) return false
      if (Date.now() > deadline) throw error
      await delay(50)
    }
  }
}
