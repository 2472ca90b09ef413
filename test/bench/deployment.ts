import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { openSqlite } from '../../src/store/sqlite/engine.ts'
import { PASSWORD } from '../support/issuer/issuer-under-test.ts'
import { runAudgate } from '../support/programs/command-line.ts'
import { freePorts } from '../support/programs/free-ports.ts'
import { startPostgres } from '../support/programs/postgres.ts'
import { type Serving, serve } from '../support/serving.ts'
import { photosFile } from '../support/split-audgate.ts'
import type { StatementCounts } from './count-statements.ts'
import { type Footprint, footprintOf } from './processes.ts'

export const REDIRECT = 'http://127.0.0.1/callback'
const PHOTOS_NOWHERE = 'http://127.0.0.1:9'
const ENV = { AUDGATE_SECRET: 'a secret of the bench', AUDGATE_FEED_TOKEN: 'a-feed-token-that-is-long-enough' }

/** A store with alice, a native client `app` and a service client `machine`, without instances yet. */
export interface Deployment {
  readonly name: 'SQLite' | 'PostgreSQL'
  readonly publicUrl: string
  /** Of the client `machine`. */
  readonly secret: string
  /** The database's own processes; undefined where it is a file. */
  readonly database: Footprint | undefined
  /** An instance; the first one that still runs answers at `publicUrl`. Counts what it asks the store. */
  start(name: string): Promise<Instance>
  /** A gateway that follows the instances at these origins, current. */
  follow(origins: readonly string[]): Promise<Serving>
  /** Puts that many entries in force, of tokens that nobody has. */
  putInForce(entries: number): Promise<void>
  close(): Promise<void>
}

export interface Instance extends Footprint {
  readonly serving: Serving
  counts(): Promise<StatementCounts>
}

interface Engine {
  readonly store: string
  readonly database: Footprint | undefined
  /** Carries SQL out in the database. */
  script(text: string): Promise<void>
  /** SQL for the numbers `n` from 1 to `most`. */
  series(most: number): string
  close(): Promise<void>
}

/** PostgreSQL waits for the disk at each commit, as an installation would have it. */
async function postgresEngine(): Promise<Engine> {
  const postgres = await startPostgres(['fsync=on', 'synchronous_commit=on'])
  const options = await postgres.database()
  return {
    store: postgres.url(options),
    database: footprintOf(postgres.pid),
    script: async (text) => {
      await postgres.query(options.database, text)
    },
    series: (most) => `SELECT n FROM generate_series(1, ${most}) AS n`,
    close: () => postgres.close(),
  }
}

async function sqliteEngine(folder: string): Promise<Engine> {
  const path = join(folder, 'audgate.db')
  return {
    store: `sqlite:${path}`,
    database: undefined,
    script: async (text) => {
      const engine = await openSqlite(path, false)
      const transaction = await engine.begin()
      for (const statement of text.split(';')) await transaction.run(statement)
      await transaction.commit('disk')
      await engine.close()
    },
    series: (most) =>
      `WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < ${most}) SELECT n FROM s`,
    close: async () => undefined,
  }
}

/** Makes the store and whoever is in it. */
export async function deploy(name: Deployment['name']): Promise<Deployment> {
  const folder = mkdtempSync(join(tmpdir(), 'audgate-bench-'))
  const engine = name === 'SQLite' ? await sqliteEngine(folder) : await postgresEngine()
  const running: Serving[] = []
  const door = await openDoor(() => running.find(({ child }) => child.exitCode === null)?.url ?? '')
  const { publicUrl } = door
  const fileOf = (more: string): string =>
    photosFile(
      publicUrl,
      PHOTOS_NOWHERE,
      `listen: 127.0.0.1:0\nmanagement: 127.0.0.1:0\nworkers: 1\naccess_log: off\n${more}`,
    )
  const begin = async (file: string, env: Readonly<Record<string, string>>): Promise<Serving> => {
    const serving = await serve(file, env)
    running.push(serving)
    if (serving.url === '') throw new Error(`it does not serve: ${(await serving.ended()).stderr}`)
    return serving
  }
  const start = async (instance: string): Promise<Instance> => {
    const socket = join(folder, `counts-${running.length}`)
    const preload = `--import ${join(import.meta.dirname, 'count-statements.ts')}`
    const file = fileOf(`store: ${engine.store}\ninstance: ${instance}`)
    const serving = await begin(file, { ...ENV, NODE_OPTIONS: preload, COUNTS_SOCKET: socket })
    return {
      serving,
      ...footprintOf(serving.child.pid ?? 0),
      counts: async () => JSON.parse(await text(connect(socket))),
    }
  }
  const close = async (): Promise<void> => {
    await Promise.all(running.map((each) => each.remove()))
    door.close()
    await engine.close()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const secret = await populate(await start('first'), publicUrl)
    return {
      name,
      publicUrl,
      secret,
      database: engine.database,
      start,
      follow: async (origins) => {
        const upstream = `issuer: { upstream: [${origins.join(', ')}] }`
        const gateway = await begin(fileOf(upstream), { AUDGATE_FEED_TOKEN: ENV.AUDGATE_FEED_TOKEN })
        while (!(await isReady(gateway))) await delay(5)
        return gateway
      },
      putInForce: (entries) =>
        engine.script(`INSERT INTO revocations (id, kind, key, not_before_ms, expires_at)
          SELECT (SELECT position FROM feed) + n, 'jti', 'nobody-has-a-token-with-the-identifier-' || n, 0, ${Math.floor(Date.now() / 1_000) + 3_600}
          FROM (${engine.series(entries)}) AS numbers; UPDATE feed SET position = position + ${entries}, nonce = 'many'`),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Adds people and clients by an instance that ends afterwards; answers the secret of `machine`. */
async function populate({ serving }: Instance, publicUrl: string): Promise<string> {
  const command = async (input: string, ...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runAudgate(serving.folder, args, input, ENV)
    if (code !== 0) throw new Error(`audgate ${args.join(' ')}: ${stderr}`)
    return stdout
  }
  await command(`${PASSWORD}\n`, 'user', 'add', 'alice', '--groups', 'photos', '--password-stdin')
  await command('', 'client', 'add', 'app', '--type', 'native', '--redirect-uri', REDIRECT)
  const allow = ['--allow', `${publicUrl}/photos=photos:read`]
  const added = await command('', 'client', 'add', 'machine', '--type', 'service', ...allow, '--json')
  serving.signal('SIGTERM')
  await serving.ended()
  return JSON.parse(added).client_secret
}

/** A port that leads on, byte by byte: an address that stays while instances come and go, and that followers don't share. */
async function openDoor(target: () => string): Promise<{ readonly publicUrl: string; close(): void }> {
  const server = createServer({ noDelay: true }, (client) => {
    const { port, hostname } = new URL(target())
    const onward = connect({ port: Number(port), host: hostname, noDelay: true })
    client
      .on('error', () => onward.destroy())
      .on('close', () => onward.destroy())
      .pipe(onward)
    onward
      .on('error', () => client.destroy())
      .on('close', () => client.destroy())
      .pipe(client)
  })
  const [port = 0] = await freePorts(1)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return { publicUrl: `http://127.0.0.1:${port}`, close: () => void server.close() }
}

async function isReady({ managementUrl }: Serving): Promise<boolean> {
  const answer = await fetch(`${managementUrl}/readyz`)
  await answer.text()
  return answer.status === 200
}
