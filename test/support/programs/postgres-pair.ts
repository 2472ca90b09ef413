import { until } from '../gateway-under-test.ts'
import { type PostgresUnderTest, startPostgres } from './postgres.ts'
import { type StallProxy, startStallProxy } from './stall-proxy.ts'

/** What both servers of a pair are started with: a standby comes back as soon as there is a primary. */
export const PAIR_SETTINGS: readonly string[] = ['fsync=off', 'wal_retrieve_retry_interval=100ms']

/** A primary and a standby that has what is answered; before each a proxy whose port stays, whoever is behind it. */
export interface PostgresPair {
  readonly primary: PostgresUnderTest
  /** Hosts of a database, one of which can be written to. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[]
  /** Resets every connection. */
  cut(): void
  /** Ends the primary by SIGKILL and starts it again. */
  kill(): Promise<void>
  /** The primary is gone for good, its standby takes over; resolves when that one has a standby of its own. */
  promote(): Promise<void>
  /** All but the first primary. */
  close(): Promise<void>
}

interface Member {
  readonly server: PostgresUnderTest
  readonly proxy: StallProxy
}

/** @param first a server that was started with {@link PAIR_SETTINGS}. */
export async function startPair(first: PostgresUnderTest): Promise<PostgresPair> {
  const servers: PostgresUnderTest[] = []
  const following = async (primary: PostgresUnderTest): Promise<PostgresUnderTest> => {
    const standby = await follow(primary)
    servers.push(standby)
    return standby
  }
  const state = {
    primary: { server: first, proxy: await startStallProxy(first.port) } as Member,
    standby: await following(first).then(async (server): Promise<Member> => {
      return { server, proxy: await startStallProxy(server.port) }
    }),
  }
  const proxies = [state.primary.proxy, state.standby.proxy]
  return {
    get primary() {
      return state.primary.server
    },
    hosts: proxies.map(({ port }) => ({ host: '127.0.0.1', port })),
    cut: () => {
      for (const proxy of proxies) proxy.cut()
    },
    kill: () => state.primary.server.kill(),
    promote: async () => {
      const { primary, standby } = state
      await primary.server.crash(false)
      await standby.server.promote()
      const server = await following(standby.server)
      primary.proxy.target = server.port
      state.primary = standby
      state.standby = { server, proxy: primary.proxy }
      await primary.server.close()
    },
    close: async () => {
      await Promise.all(proxies.map((proxy) => proxy.close()))
      await Promise.all(servers.map((server) => server.close()))
    },
  }
}

/** A standby without which nothing is answered from now on. The setting is the primary's own: a copy has been made before. */
async function follow(primary: PostgresUnderTest): Promise<PostgresUnderTest> {
  const standby = await startPostgres(PAIR_SETTINGS, primary)
  const query = (sql: string) => primary.query('postgres', sql)
  const count = 'SELECT count(*)::int AS count FROM pg_stat_replication WHERE state = '
  await until(async () => (await query(`${count}'streaming'`))[0]?.count === 1, 'the standby follows', 20_000)
  await query("ALTER SYSTEM SET synchronous_standby_names = '*'")
  await query('SELECT pg_reload_conf()')
  const waits = `${count}'streaming' AND sync_state = 'sync'`
  await until(async () => (await query(waits))[0]?.count === 1, 'the standby is waited for', 20_000)
  return standby
}
