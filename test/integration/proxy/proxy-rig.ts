import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { after } from 'node:test'
import type { Permit } from '../../../src/core/decide.ts'
import { decide } from '../../../src/core/decide.ts'
import type { Route, Upstream } from '../../../src/core/route.ts'
import { forward } from '../../../src/proxy/forward.ts'
import type { ForwardInput } from '../../../src/proxy/forward-input.ts'
import type { Abort, ForwardOutcome } from '../../../src/proxy/outcome.ts'
import { createUpstreamGroup, type UpstreamGroup } from '../../../src/proxy/upstreams.ts'

export const clock = (): number => performance.now()

const TIMEOUTS = { connectMs: 5_000, responseHeadersMs: 5_000, idleMs: 5_000 }

const ROUTE: Route = {
  ...{ id: 'test', host: undefined, path: '/', stripPath: false, access: { kind: 'public' }, upstreams: [] },
  ...{ identity: 'none', headers: [], stripHeaders: [], setHeaders: [], cors: undefined, preserveHost: false },
  ...{ timeouts: TIMEOUTS, maxBody: undefined, encodedSlash: 'opaque', upgrades: [], case: 'insensitive' },
  ...{ credentials: ['token'], authorization: 'gateway', signOutPaths: [] },
}

export function permit(): Permit {
  const target = { path: '/', query: '', readings: ['/'], encodedSlash: false }
  const decision = decide(ROUTE, 'GET', target, { kind: 'none' }, 0)
  return decision.kind === 'forward' ? decision.permit : assert.fail('a public route lets everything through')
}

export function upstreamAt(port: number, protocol: 'http:' | 'https:' = 'http:', hostname = '127.0.0.1'): Upstream {
  return { protocol, hostname, port, authority: `${hostname}:${port}`, basePath: '' }
}

/** A server of any kind on a port of its own; `sockets` are those that are open. */
export interface Listening {
  readonly port: number
  readonly sockets: ReadonlySet<Socket>
  /** Connections so far. */
  readonly accepted: number
  close(): Promise<void>
}

export async function listening(server: Server): Promise<Listening> {
  const sockets = new Set<Socket>()
  const count = { accepted: 0 }
  server.on('connection', (socket: Socket) => {
    count.accepted += 1
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    sockets,
    get accepted() {
      return count.accepted
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

/** An upstream made of node's own server. */
export function httpUpstream(handler: RequestListener): Promise<Listening> {
  return listening(createServer({ keepAliveTimeout: 60_000 }, handler))
}

/** An upstream that writes whatever it likes to each connection, once something has come on it. */
export function rawUpstream(onRequest: (socket: Socket, data: Buffer, nth: number) => void): Promise<Listening> {
  return listening(
    createTcpServer((socket) => {
      let nth = 0
      socket.on('data', (data) => onRequest(socket, data, nth++))
    }),
  )
}

export interface ProxyUnderTest extends Listening {
  readonly outcomes: ForwardOutcome[]
  readonly aborts: Abort[]
  readonly group: UpstreamGroup
  /** Status, reason, raw headers, body and raw trailers of an answer, over a connection of its own. */
  exchange(request: string | Buffer): Promise<string>
}

export type Overrides = Partial<Omit<ForwardInput, 'member' | 'upstreams'>> & {
  readonly before?: (request: IncomingMessage, response: ServerResponse) => void
}

const HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'host', 'expect', 'te', 'trailer'])

/** A gateway that lets everything through, and answers `502 fault` and the like for itself. */
export async function proxyTo(
  ports: readonly number[] | UpstreamGroup,
  overrides: Overrides = {},
): Promise<ProxyUnderTest> {
  const group =
    'choose' in ports
      ? ports
      : createUpstreamGroup(
          ports.map((port) => upstreamAt(port)),
          clock,
        )
  const outcomes: ForwardOutcome[] = []
  const aborts: Abort[] = []
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    overrides.before?.(request, response)
    const member = group.choose()
    const input: ForwardInput = {
      ...{ method: request.method ?? '', target: request.url ?? '', headers: headersFor(request, member.upstream) },
      ...{ upstreams: group, member, timeouts: TIMEOUTS, maxBody: undefined },
      ...{ stands: () => true, onBodyWanted: () => undefined },
      towards: (upstream) => ({ target: request.url ?? '', headers: headersFor(request, upstream) }),
      rewriteHead: (_status, headers) => withoutHop(headers),
      transformBody: () => undefined,
      ...overrides,
    }
    const abort = forward(permit(), input, request, response, (outcome) => {
      outcomes.push(outcome)
      answerFor(outcome, response)
    })
    aborts.push(abort)
  }
  const server = createServer({ requestTimeout: 0 }, onRequest)
  server.on('checkContinue', (request, response) => {
    response.writeContinue()
    onRequest(request, response)
  })
  const listener = await listening(server)
  return Object.assign(listener, {
    outcomes,
    aborts,
    group,
    exchange: (request: string | Buffer) => rawExchange(listener.port, request),
    close: ((closeListener) => () => {
      group.close()
      return closeListener()
    })(listener.close),
  })
}

function answerFor(outcome: ForwardOutcome, response: ServerResponse): void {
  if (outcome.kind === 'failed' && !outcome.headSent) {
    response.writeHead(outcome.fault === 'timeout' ? 504 : 502, { Connection: 'close' }).end(outcome.fault)
  }
  if (outcome.kind === 'body_too_large' && !outcome.headSent) response.writeHead(413, { Connection: 'close' }).end()
}

function headersFor(request: IncomingMessage, upstream: Upstream): string[] {
  return ['Host', upstream.authority, ...withoutHop(request.rawHeaders)]
}

export function withoutHop(headers: readonly string[]): string[] {
  return headers.flatMap((name, i) => (i % 2 === 0 && !HOP.has(name.toLowerCase()) ? [name, headers[i + 1] ?? ''] : []))
}

/** Sends bytes over a new connection and answers what came until it ended, as latin1; `|RESET` is put to it if it broke. */
export function rawExchange(port: number, request: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let text = ''
    socket.on('data', (data) => {
      text += data.toString('latin1')
    })
    socket.on('error', () => {
      text += '|RESET'
    })
    socket.on('close', () => resolve(text))
    socket.write(typeof request === 'string' ? Buffer.from(request, 'latin1') : request)
  })
}

/** Waits until `condition` holds, 5 s at most. */
export async function until(condition: () => boolean, what: string, withinMs = 5_000): Promise<void> {
  const deadline = clock() + withinMs
  while (!condition()) {
    if (clock() > deadline) assert.fail(`not within ${withinMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** What a file's tests open; closed after the last of them, the latest first. */
export function openings(): { close(): Promise<void> }[] {
  const opened: { close(): Promise<void> }[] = []
  after(async () => {
    for (const each of opened.reverse()) await each.close()
  })
  return opened
}

/** A proxy before an upstream; both are `opened`. */
export async function proxyBefore(
  opened: { close(): Promise<void> }[],
  upstream: Promise<Listening>,
  overrides: Overrides = {},
): Promise<ProxyUnderTest & { upstream: Listening }> {
  const listening = await upstream
  const proxy = await proxyTo([listening.port], overrides)
  opened.push(listening, proxy)
  return Object.assign(proxy, { upstream: listening })
}
