import { createServer, type Server as HttpServer, request } from 'node:http'
import { runAudgate } from './command-line.ts'
import { freePorts } from './free-ports.ts'
import { PASSWORD } from './issuer-under-test.ts'
import { type PostgresUnderTest, startPostgres } from './postgres.ts'
import { type Serving, serve } from './serving.ts'
import { photosFile } from './split-audgate.ts'
import { listenOnLoopback } from './upstreams.ts'

export const SECRETS = {
  AUDGATE_SECRET: 'a secret of several instances',
  AUDGATE_FEED_TOKEN: 'a-feed-token-that-is-long-enough',
} as const
export const REDIRECT = 'http://127.0.0.1/callback'

/** Two instances on one database, without affinity: `publicUrl` leads every request to the next of those that are in the list. */
export interface TwoInstances {
  readonly postgres: PostgresUnderTest
  readonly publicUrl: string
  readonly a: Serving
  readonly b: Serving
  /** Where the balancer leads. */
  targets: readonly string[]
  readonly storeUrl: string
  /** routes.yaml of one more instance. */
  fileOf(settings: string): string
  command(args: readonly string[], input?: string): Promise<string>
  close(): Promise<void>
}

/**
 * @param storeOf what stands behind `store:` of the second instance; default: the database itself.
 * @param environmentOf further variables of an instance.
 */
export async function startTwoInstances(
  settings = '',
  storeOf: (url: string, postgres: PostgresUnderTest) => Promise<string> = async (url) => url,
  environmentOf: (name: 'a' | 'b') => Readonly<Record<string, string>> = () => ({}),
): Promise<TwoInstances> {
  const postgres = await startPostgres()
  const storeUrl = postgres.url(await postgres.database())
  const upstream = createServer((_request, response) => response.end('photo'))
  const photos = `http://127.0.0.1:${await listenOnLoopback(upstream)}`
  const [port = 0] = await freePorts(1)
  const publicUrl = `http://127.0.0.1:${port}`
  const fileOf = (more: string): string =>
    photosFile(publicUrl, photos, `listen: 127.0.0.1:0\nmanagement: 127.0.0.1:0\n${settings}\n${more}`)
  const a = await serve(fileOf(`store: ${storeUrl}\ninstance: a`), { ...SECRETS, ...environmentOf('a') })
  const secondUrl = await storeOf(storeUrl, postgres)
  const b = await serve(fileOf(`store: ${secondUrl}\ninstance: b`), { ...SECRETS, ...environmentOf('b') })
  const state = { targets: [a.url, b.url] as readonly string[] }
  const balancer = await startBalancer(port, () => state.targets)
  const command = async (args: readonly string[], input = ''): Promise<string> => {
    const { code, stdout, stderr } = await runAudgate(a.folder, args, input, SECRETS)
    if (code !== 0) throw new Error(`audgate ${args.join(' ')}: ${stderr}`)
    return stdout
  }
  await command(['user', 'add', 'alice', '--groups', 'photos', '--password-stdin'], `${PASSWORD}\n`)
  await command(['client', 'add', 'app', '--type', 'native', '--redirect-uri', REDIRECT])
  return {
    postgres,
    publicUrl,
    a,
    b,
    storeUrl,
    get targets() {
      return state.targets
    },
    set targets(next) {
      state.targets = next
    },
    fileOf,
    command,
    close: async () => {
      for (const server of [balancer, upstream]) {
        server.closeAllConnections()
        server.close()
      }
      await Promise.all([a.remove(), b.remove()])
      await postgres.close()
    },
  }
}

/** Leads each request to another one of the targets; one that can't be reached is passed over. */
async function startBalancer(port: number, targets: () => readonly string[]): Promise<HttpServer> {
  let turn = 0
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const attempt = (left: number): void => {
        turn += 1
        const list = targets()
        const url = new URL(incoming.url ?? '/', list[turn % list.length])
        const onward = request(url, { method: incoming.method, headers: incoming.headers, agent: false }, (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
          answer.pipe(response)
        })
        onward.on('error', () => {
          if (left > 0) attempt(left - 1)
          else response.writeHead(502).end()
        })
        onward.end(Buffer.concat(chunks))
      }
      attempt(targets().length)
    })
  })
  server.keepAliveTimeout = 120_000
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return server
}
