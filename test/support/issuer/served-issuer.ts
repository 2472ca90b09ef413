import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '../programs/free-ports.ts'
import { type AuthorizeOptions, askToken, claimsOf, Person, redeem, type TokenAnswer } from './browser-less-person.ts'
import { PASSWORD } from './issuer-under-test.ts'

const AUDGATE = join(import.meta.dirname, '../../../src/cli/audgate.js')
/** Where the native clients of a {@link BlackBox} are sent back to; nobody listens there. */
export const CALLBACK = 'http://127.0.0.1:7001/cb'

interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Called {
  readonly status: number
  readonly headers: Headers
  /** What the upstream saw, or the gateway's answer. */
  readonly body: Readonly<Record<string, unknown>>
  /** `reason` of a refusal. */
  readonly reason: unknown
}

export interface Tokens {
  readonly access: string
  readonly refresh: string
}

/** `audgate serve` as a process of its own, an upstream that tells what it saw, and the commands beside it. */
export interface BlackBox {
  readonly url: string
  readonly photos: string
  readonly files: string
  readonly folder: string
  /** Runs a command in the folder of routes.yaml, as an operator does. */
  audgate(args: readonly string[], input?: string, env?: Readonly<Record<string, string>>): Promise<Finished>
  /** Runs a command that has to succeed; its stdout. */
  done(...args: string[]): Promise<string>
  addUser(name: string, groups: string, ...more: string[]): Promise<void>
  /** A native first-party client that comes back to {@link CALLBACK}, unless the further arguments say otherwise. */
  addApp(id: string, ...more: string[]): Promise<void>
  /** A `web` or `service` client; its secret. */
  addSecretClient(id: string, type: 'web' | 'service', ...more: string[]): Promise<string>
  /** Signs a person in for a client and redeems the code. */
  signIn(name: string, asked?: Partial<AuthorizeOptions>, person?: Person): Promise<Tokens & { answer: TokenAnswer }>
  refresh(token: string, more?: Readonly<Record<string, string>>): Promise<TokenAnswer>
  /** Asks the gateway, by default for the photos. */
  call(token: string | undefined, path?: string, method?: string): Promise<Called>
  /** stdout and stderr of the server so far. */
  output(): { readonly stdout: string; readonly stderr: string }
  log(): readonly Readonly<Record<string, unknown>>[]
  /** Ends the server by SIGTERM and starts it on the same folder; `between` is done while nothing serves. */
  restart(between?: () => Promise<unknown>): Promise<void>
  close(): Promise<void>
}

interface BlackBoxOptions {
  /** Lines under `issuer:`. */
  readonly issuer?: string
  /** Further lines at the top. */
  readonly settings?: string
  readonly env?: Readonly<Record<string, string>>
}

/** The file that a {@link BlackBox} serves: photos and files at one upstream, and the origin itself without a path. */
function blackBoxYaml(url: string, upstream: string, { issuer = '', settings = '' }: BlackBoxOptions): string {
  const resource = (path: string): string => `
  - id: ${url}/${path}
    name: The ${path}
    scopes: { "${path}:read": See ${path}, "${path}:write": Change ${path} }
    grants:
      - { groups: [${path}], scopes: ["${path}:read"] }
      - { groups: [${path}-editors], scopes: ["${path}:read", "${path}:write"] }
    claims: [email, name]`
  const route = (path: string): string => `
  - id: ${path}
    path: /${path}
    resource: ${url}/${path}
    upstream: ${upstream}
    rules:
      - { methods: [read], scopes: ["${path}:read"] }
      - { methods: [write], scopes: ["${path}:write"] }`
  return `
public_url: ${url}
listen: ${new URL(url).host}
management: 127.0.0.1:0
${settings}
issuer:
  access_token_ttl: 5m
${issuer}
resources:${resource('photos')}${resource('files')}
  - id: https://music.example.com
    name: Music
    scopes: { "music:hear": Hear music }
    grants: [{ groups: [photos], scopes: ["music:hear"] }]
routes:${route('photos')}${route('files')}
`
}

export async function startBlackBox(options: BlackBoxOptions = {}): Promise<BlackBox> {
  const upstream = await startUpstream()
  const [port = 0] = await freePorts(1)
  const url = `http://127.0.0.1:${port}`
  const folder = mkdtempSync(join(tmpdir(), 'audgate-box-'))
  writeFileSync(join(folder, 'routes.yaml'), blackBoxYaml(url, upstream.url, options))
  let running = await serve(folder, url, options.env ?? {})
  const box: BlackBox = {
    url,
    photos: `${url}/photos`,
    files: `${url}/files`,
    folder,
    audgate: (args, input = '', env = {}) => finished(start(folder, args, { ...options.env, ...env }), input),
    done: async (...args) => {
      const ended = await box.audgate(args)
      assert.deepEqual([ended.code, ended.stderr], [0, ''], args.join(' '))
      return ended.stdout
    },
    addUser: async (name, groups, ...more) => {
      const args = ['user', 'add', name, '--groups', groups, '--password-stdin', ...more]
      const ended = await box.audgate(args, `${PASSWORD}\n`)
      assert.deepEqual([ended.code, ended.stderr], [0, ''])
    },
    addApp: async (id, ...more) => {
      await box.done('client', 'add', id, '--type', 'native', '--redirect-uri', CALLBACK, ...more)
    },
    addSecretClient: async (id, type, ...more) =>
      JSON.parse(await box.done('client', 'add', id, '--type', type, '--json', ...more)).client_secret,
    signIn: async (name, asked = {}, person = new Person(url, name)) => {
      const wanted = { clientId: 'cli', redirectUri: CALLBACK, scope: 'photos:read', ...asked }
      const attempt = await person.authorize(wanted)
      assert.notEqual(attempt.code, '', `${attempt.url}\n${attempt.text}`)
      const answer = await redeem(url, attempt, { clientId: wanted.clientId, redirectUri: wanted.redirectUri })
      assert.equal(answer.status, 200, JSON.stringify(answer.body))
      const { access_token: access = '', refresh_token: refresh = '' } = answer.body
      return { access, refresh, answer }
    },
    refresh: (token, more = {}) =>
      askToken(url, { grant_type: 'refresh_token', refresh_token: token, client_id: 'cli', ...more }),
    call: (token, path = '/photos/a', method = 'GET') =>
      callUrl(`${url}${path}`, token === undefined ? {} : { authorization: `Bearer ${token}` }, method),
    output: () => running.output,
    log: () =>
      running.output.stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line)),
    restart: async (between) => {
      await stop(running.child)
      await between?.()
      running = await serve(folder, url, options.env ?? {})
    },
    close: async () => {
      await stop(running.child)
      await upstream.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
  return box
}

/** Asks once and reads the answer as JSON where it is JSON. */
export async function callUrl(
  url: string,
  headers: Readonly<Record<string, string>>,
  method = 'GET',
  body?: string | Buffer<ArrayBuffer>,
): Promise<Called> {
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }), redirect: 'manual' })
  const text = await response.text()
  const json = /json/.test(response.headers.get('content-type') ?? '')
  const parsed: Record<string, unknown> = json && text !== '' ? JSON.parse(text) : { text }
  return { status: response.status, headers: response.headers, body: parsed, reason: parsed.reason }
}

/** Asks for the photos until the answer is `reason`; fails after `withinMs`. */
export async function refusedWithin(box: BlackBox, token: string, reason: string, withinMs: number): Promise<void> {
  await within(withinMs, async () => {
    const answer = await box.call(token)
    return answer.reason === reason ? undefined : `${answer.status} ${JSON.stringify(answer.body)}`
  })
}

/** Tries until `wrong` has nothing to say; fails with what it says after `ms`. */
export async function within(ms: number, wrong: () => Promise<string | undefined>): Promise<void> {
  for (const begin = performance.now(); ; ) {
    const said = await wrong()
    if (said === undefined) return
    assert.ok(performance.now() - begin < ms, `still wrong after ${ms} ms: ${said}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** An upgraded connection through the gateway; `closed` settles when it ends. */
export async function openTunnel(box: BlackBox, token: string): Promise<{ readonly closed: Promise<void> }> {
  const asked = request(`${box.url}/photos/socket`, {
    headers: { authorization: `Bearer ${token}`, connection: 'Upgrade', upgrade: 'websocket' },
  })
  asked.end()
  const [response, socket] = await Promise.race([
    once(asked, 'upgrade'),
    once(asked, 'response').then(([answer]) => Promise.reject(new Error(`no upgrade: ${answer.statusCode}`))),
  ])
  assert.equal(response.statusCode, 101)
  socket.on('error', () => {})
  socket.resume()
  return { closed: once(socket, 'close').then(() => undefined) }
}

export { claimsOf, PASSWORD, Person }

async function startUpstream(): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server: Server = createServer((incoming, response) => {
    incoming.resume().on('end', () => {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ method: incoming.method, url: incoming.url, headers: incoming.headers }))
    })
  })
  server.on('upgrade', (_incoming, socket) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function start(folder: string, args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  return spawn(process.execPath, [AUDGATE, ...args], { cwd: folder, env: { ...process.env, ...env } })
}

async function serve(
  folder: string,
  url: string,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly child: ChildProcess; readonly output: { stdout: string; stderr: string } }> {
  const child = start(folder, ['serve'], env)
  const output = collected(child)
  for (const deadline = Date.now() + 60_000; ; ) {
    const answer = await fetch(`${url}/oauth/jwks`).catch(() => undefined)
    if (answer?.status === 200) return { child, output }
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`does not serve: ${JSON.stringify(output)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const ended = once(child, 'close')
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await ended
  clearTimeout(late)
}

async function finished(child: ChildProcess, input: string): Promise<Finished> {
  const output = collected(child)
  child.stdin?.on('error', () => {})
  child.stdin?.end(input)
  await once(child, 'close')
  return { code: child.exitCode, ...output }
}

function collected(child: ChildProcess): { stdout: string; stderr: string } {
  const output = { stdout: '', stderr: '' }
  child.stdout?.on('data', (chunk: Buffer) => {
    output.stdout += chunk
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    output.stderr += chunk
  })
  return output
}
