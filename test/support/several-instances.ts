import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server as HttpServer, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRevocationActs, type RevocationActs } from '../../src/issuer/revocation-acts.ts'
import { openPostgresStore } from '../../src/store/postgres.ts'
import type { Store } from '../../src/store/store.ts'
import { until } from './gateway-under-test.ts'
import { askToken, Person, redeem, type TokenAnswer } from './issuer/browser-less-person.ts'
import { PASSWORD } from './issuer/issuer-under-test.ts'
import { makeKey, mintToken, TEST_ISSUER } from './keys.ts'
import { runAudgate } from './programs/command-line.ts'
import { freePorts } from './programs/free-ports.ts'
import { type PostgresUnderTest, startPostgres } from './programs/postgres.ts'
import { type Serving, serve } from './serving.ts'
import { photosFile } from './split-audgate.ts'
import { listenOnLoopback } from './upstreams.ts'

export const SECRETS = {
  AUDGATE_SECRET: 'a secret of several instances',
  AUDGATE_FEED_TOKEN: 'a-feed-token-that-is-long-enough',
} as const
export const REDIRECT = 'http://127.0.0.1/callback'

interface InstanceOptions {
  /** What stands behind `store:`, a text or a map in one line. Default: the database itself. */
  readonly store?: string
  /** Further lines of routes.yaml. */
  readonly settings?: string
  readonly env?: Readonly<Record<string, string>>
  /** Of the loopback address. Default: any that is free. */
  readonly port?: number
}

/** A family of tokens, as its client has it. */
export interface Family {
  readonly access: string
  readonly refresh: string
}

/** One database and as many instances as a test starts; `publicUrl` leads every request to the next of `targets`, without affinity. */
export interface SeveralInstances {
  readonly postgres: PostgresUnderTest
  readonly database: string
  readonly storeUrl: string
  /** A connection to the database as a command has one, with what commands do; closed with the rest. */
  openActs(): Promise<{ readonly store: Store; readonly acts: RevocationActs }>
  readonly publicUrl: string
  /** Another one takes the place of the balancer, on the port of `publicUrl`. */
  stopBalancer(): Promise<void>
  /** Origins that the balancer leads to; every instance that is started comes to them. */
  targets: readonly string[]
  /** A token of another issuer, good at `/files`. */
  foreignToken(): string
  /** routes.yaml of an instance. */
  fileOf(name: string, options?: InstanceOptions): string
  /** Starts an instance, which ends with all of them. */
  start(name: string, options?: InstanceOptions): Promise<Serving>
  /** A gateway without the database, current. */
  startGateway(upstreams: readonly string[], settings?: string): Promise<Serving>
  /** Runs a command that has to succeed beside the database; its stdout. */
  command(args: readonly string[], input?: string, env?: Readonly<Record<string, string>>): Promise<string>
  addPerson(name: string, groups?: string): Promise<void>
  addApp(id: string, ...more: string[]): Promise<void>
  /** By the balancer; alice and `app` are the defaults. A further sign-in of the same person needs no password. */
  code(person?: Person, clientId?: string): Promise<{ readonly code: string; readonly verifier: string }>
  redeem(
    origin: string,
    attempt: { readonly code: string; readonly verifier: string },
    clientId?: string,
  ): Promise<TokenAnswer>
  refresh(origin: string, token: string | undefined, clientId?: string): Promise<TokenAnswer>
  signIn(person?: Person, clientId?: string): Promise<Family>
  close(): Promise<void>
}

const FURTHER_ROUTES = (publicUrl: string, upstream: string): string => `
  - { id: open, path: /open, upstream: "${upstream}", public: true }
  - { id: files, path: /files, resource: "${publicUrl}/files", upstream: "${upstream}", rules: [{ methods: [read], scopes: [files:read] }] }
`

/** An issuer that audgate trusts and that has no part in the database, with the folder that holds its keys. */
function foreignIssuer() {
  const folder = mkdtempSync(join(tmpdir(), 'audgate-foreign-'))
  const key = makeKey()
  writeFileSync(join(folder, 'keys.json'), JSON.stringify({ keys: [key.publicJwk] }))
  return {
    issuer: `trusted_issuers:
  - { issuer: "${TEST_ISSUER}", jwks_file: ${join(folder, 'keys.json')}, algorithms: [ES256], claims: { scope: scope, client: client_id } }`,
    resource: (publicUrl: string) => `
  - id: ${publicUrl}/files
    name: Files
    scopes: { files:read: See files }
    issuers: ["${TEST_ISSUER}"]`,
    token: (publicUrl: string) => mintToken(key, { claims: { aud: `${publicUrl}/files`, scope: 'files:read' } }),
    remove: () => rmSync(folder, { recursive: true }),
  }
}

/** A connection of its own for each: one that has been idle may be closed in the very moment in which it is used. */
const headers = { connection: 'close' }

/** @param settings lines of routes.yaml that all instances and gateways share. */
export async function startSeveralInstances(
  settings = '',
  postgresSettings?: readonly string[],
): Promise<SeveralInstances> {
  const postgres = await startPostgres(postgresSettings)
  const options = await postgres.database()
  const storeUrl = postgres.url(options)
  const upstream = createServer((incoming, response) => incoming.resume().on('end', () => response.end('photo')))
  const photos = `http://127.0.0.1:${await listenOnLoopback(upstream)}`
  const [port = 0] = await freePorts(1)
  const publicUrl = `http://127.0.0.1:${port}`
  const foreign = foreignIssuer()
  const running: Serving[] = []
  const stores: Store[] = []
  const state = { targets: [] as readonly string[], folder: '' }
  const balancer = await startBalancer(port, () => state.targets)
  const common = (more: string): string =>
    photosFile(
      publicUrl,
      photos,
      `${foreign.issuer}\nlisten: 127.0.0.1:0\nmanagement: 127.0.0.1:0\n${settings}\n${more}`,
    )
      .replace('groups: [photos]', 'groups: [photos, editors]')
      .replace('resources:', `resources:${foreign.resource(publicUrl)}`)
      .concat(FURTHER_ROUTES(publicUrl, photos))
  const fileOf = (name: string, options: InstanceOptions = {}): string => {
    const { store = storeUrl, settings: more = '', port: own = 0 } = options
    const text = common(`store: ${store}\ninstance: ${name}\n${more}`)
    return text.replace('listen: 127.0.0.1:0', `listen: 127.0.0.1:${own}`)
  }
  const asked = (clientId: string) => ({
    clientId,
    redirectUri: REDIRECT,
    scope: 'photos:read',
    resource: `${publicUrl}/photos`,
  })
  const several: SeveralInstances = {
    postgres,
    database: options.database,
    storeUrl,
    publicUrl,
    get targets() {
      return state.targets
    },
    set targets(next) {
      state.targets = next
    },
    stopBalancer: async () => {
      balancer.closeAllConnections()
      await new Promise((resolve) => balancer.close(resolve))
    },
    foreignToken: () => foreign.token(publicUrl),
    fileOf,
    openActs: async () => {
      const store = await openPostgresStore({ ...options, origin: 'command' })
      stores.push(store)
      return { store, acts: createRevocationActs({ store, now: Date.now }) }
    },
    start: async (name, more = {}) => {
      const serving = await serve(fileOf(name, more), { ...SECRETS, ...more.env })
      running.push(serving)
      if (serving.url === '') throw new Error(`${name} does not serve: ${(await serving.ended()).stderr}`)
      if (!existsSync(state.folder)) state.folder = serving.folder
      state.targets = [...state.targets, serving.url]
      return serving
    },
    startGateway: async (upstreams, more = '') => {
      const text = common(`issuer: { upstream: [${upstreams.join(', ')}] }\n${more}`)
      const gateway = await serve(text, { AUDGATE_FEED_TOKEN: SECRETS.AUDGATE_FEED_TOKEN })
      running.push(gateway)
      await until(
        async () => (await statusOf(`${gateway.managementUrl}/readyz`)) === 200,
        'the gateway follows',
        20_000,
      )
      return gateway
    },
    command: async (args, input = '', env = {}) => {
      const { code, stdout, stderr } = await runAudgate(state.folder, args, input, { ...SECRETS, ...env })
      if (code !== 0) throw new Error(`audgate ${args.join(' ')}: ${stderr}`)
      return stdout
    },
    addPerson: async (name, groups = 'photos') => {
      await several.command(['user', 'add', name, '--groups', groups, '--password-stdin'], `${PASSWORD}\n`)
    },
    addApp: async (id, ...more) => {
      await several.command(['client', 'add', id, '--type', 'native', '--redirect-uri', REDIRECT, ...more])
    },
    code: async (person = new Person(publicUrl, 'alice'), clientId = 'app') => {
      const attempt = await person.authorize(asked(clientId))
      if (attempt.code === '') throw new Error(`no code: ${attempt.url} ${attempt.text}`)
      return attempt
    },
    redeem: (origin, attempt, clientId = 'app') => redeem(origin, attempt, { ...asked(clientId), headers }),
    refresh: (origin, token, clientId = 'app') =>
      askToken(origin, { grant_type: 'refresh_token', refresh_token: token, client_id: clientId }, headers),
    signIn: async (person, clientId = 'app') => {
      const { status, body } = await several.redeem(publicUrl, await several.code(person, clientId), clientId)
      if (status !== 200) throw new Error(`no tokens: ${status} ${JSON.stringify(body)}`)
      return { access: body.access_token ?? '', refresh: body.refresh_token ?? '' }
    },
    close: async () => {
      for (const server of [balancer, upstream]) {
        server.closeAllConnections()
        server.close()
      }
      await Promise.all(stores.map((each) => each.close()))
      await Promise.all(running.map((each) => each.remove()))
      await postgres.close()
      foreign.remove()
    },
  }
  return several
}

/** Two instances, alice who may have the photos, and a native client `app`. */
export interface TwoInstances extends SeveralInstances {
  readonly a: Serving
  readonly b: Serving
}

/** @param environmentOf further variables of an instance. */
export async function startTwoInstances(
  settings = '',
  environmentOf: (name: 'a' | 'b') => Readonly<Record<string, string>> = () => ({}),
): Promise<TwoInstances> {
  const several = await startSeveralInstances(settings)
  const a = await several.start('a', { env: environmentOf('a') })
  const b = await several.start('b', { env: environmentOf('b') })
  await several.addPerson('alice')
  await several.addApp('app')
  return Object.assign(several, { a, b })
}

/** The status of a GET; 0 where nobody answers. */
export async function statusOf(url: string): Promise<number> {
  try {
    const answer = await fetch(url, { headers })
    await answer.text()
    return answer.status
  } catch {
    return 0
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
