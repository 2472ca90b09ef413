import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ListenAddress } from '../config/config.ts'
import { RESERVED_PATHS } from '../core/router.ts'
import { type ClientFault, clientFault } from './answers.ts'
import { attachFastPath } from './fast-path/fast-path.ts'
import { mayUpgrade } from './upgrades.ts'

/** PEM texts. */
export interface TlsMaterial {
  readonly cert: string
  readonly key: string
}

export interface ListenerOptions {
  readonly address: ListenAddress
  /** Undefined: plain HTTP. */
  readonly tls: TlsMaterial | undefined
  readonly maxConnections: number
  /** Milliseconds from the first byte of a request (or from connecting) to the end of its headers. */
  readonly headersTimeoutMs?: number
}

export interface ListenerHandlers {
  /** @param awaitsContinue The client sends its body only after `100 Continue` (RFC 9110 §10.1.1). */
  request(request: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): void
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** What the parser refused. The socket is still open for an answer. */
  refused(socket: Duplex, fault: ClientFault): void
}

export interface Listener {
  /** What is bound: one address, or two for `localhost`. */
  readonly addresses: readonly AddressInfo[]
  readonly connections: number
  /** For connections made from now on; throws when certificate and key don't fit. */
  setTls(tls: TlsMaterial): void
  setMaxConnections(limit: number): void
  /** No new connections from now on; idle ones are closed, running requests go on. */
  stop(): void
  /** Closes connections without a running request; for a stopped listener. */
  closeIdle(): void
  /** Ends every connection at once. */
  destroy(): void
}

/** Bytes of request line and headers together, and the number of fields; more than that: 431. */
export const MAX_HEADER_BYTES = 32_768
export const MAX_HEADER_FIELDS = 100

const HEADERS_TIMEOUT_MS = 10_000
const KEEP_ALIVE_MS = 75_000
const HANDSHAKE_MS = 10_000

/**
 * Listens for HTTP/1.1. Everything that node's strict parser refuses goes to `refused`; what it lets through although no proxy may
 * (two Host fields, absolute-form, odd Transfer-Encoding) is for the judge. Rejects with the system's error when it can't bind.
 */
export async function openListener(options: ListenerOptions, handlers: ListenerHandlers): Promise<Listener> {
  const server = createServer(options)
  const sockets = new Set<Socket>()
  const limit = { connections: options.maxConnections }
  attach(server, handlers)
  const lane = attachFastPath(server, {
    takes: isPlainTarget,
    // The data path uses no more of either than the lane's own classes have.
    onRequest: (request, response) =>
      handlers.request(request as unknown as IncomingMessage, response as unknown as ServerResponse, false),
    keepAliveMs: KEEP_ALIVE_MS,
    firstRequestMs: 0,
  })
  server.prependListener('connection', (socket: Socket) => {
    if (sockets.size >= limit.connections) return void socket.destroy()
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const bound = await bind(server, options.address)
  return {
    addresses: bound.map(addressOf),
    get connections() {
      return sockets.size
    },
    setTls: (tls) => {
      if ('setSecureContext' in server) server.setSecureContext(tls)
    },
    setMaxConnections: (connections) => {
      limit.connections = connections
    },
    stop: () => {
      for (const each of bound) each.close()
    },
    closeIdle: () => {
      lane.close()
      server.closeIdleConnections()
    },
    destroy: () => {
      for (const socket of sockets) socket.destroy()
    },
  }
}

/**
 * Whether the data path answers this target for certain. Reserved paths are answered by Fastify and the issuer, which need node's own
 * request and response; an escape in the first segment may spell one of them.
 */
function isPlainTarget(url: string): boolean {
  const end = url.indexOf('/', 1)
  const first = end === -1 ? url : url.slice(0, end)
  return !first.includes('%') && !first.includes(';') && !RESERVED_PATHS.some((path) => first.startsWith(path))
}

type HttpServer = Server | ReturnType<typeof createHttpsServer>

function createServer({ tls, headersTimeoutMs = HEADERS_TIMEOUT_MS }: ListenerOptions): HttpServer {
  const strict = {
    insecureHTTPParser: false,
    // The judge looks at Host itself, to answer in the same form as every other refusal.
    requireHostHeader: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: headersTimeoutMs,
    // An upload may take as long as it moves; the forwarder watches for idle bodies.
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // How late a timeout may be noticed.
    connectionsCheckingInterval: Math.max(50, Math.min(1_000, headersTimeoutMs / 4)),
    noDelay: true,
    shouldUpgradeCallback: mayUpgrade,
  }
  const server =
    tls === undefined
      ? createHttpServer(strict)
      : createHttpsServer({ ...strict, ...tls, minVersion: 'TLSv1.2', handshakeTimeout: HANDSHAKE_MS })
  server.maxHeadersCount = MAX_HEADER_FIELDS
  server.timeout = 0
  return server
}

function attach(server: HttpServer, handlers: ListenerHandlers): void {
  server.on('request', (request, response) => handlers.request(request, response, false))
  server.on('checkContinue', (request, response) => handlers.request(request, response, true))
  // An expectation that nobody knows may be ignored (RFC 9110 §10.1.1).
  server.on('checkExpectation', (request, response) => handlers.request(request, response, false))
  server.on('upgrade', (request, socket, head) => handlers.upgrade(request, socket, head))
  server.on('connect', (_request, socket) => handlers.refused(socket, 'connect'))
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => handlers.refused(socket, clientFault(error)))
}

/** `localhost` is one server behind two sockets, so that a name that resolves to either finds it. */
async function bind(server: HttpServer, { host, port }: ListenAddress): Promise<TcpServer[]> {
  if (host !== 'localhost') return [await listen(server, host, port)]
  const four = await listen(server, '127.0.0.1', port)
  const six = createTcpServer({ noDelay: true }, (socket) => server.emit('connection', socket))
  try {
    return [four, await listen(six, '::1', addressOf(four).port)]
  } catch (error) {
    if (isWithoutIpv6(error)) return [four]
    four.close()
    throw error
  }
}

function listen<T extends TcpServer>(server: T, host: string, port: number): Promise<T> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    // Not exclusive: worker processes listen on one port together.
    server.listen({ host, port }, () => {
      server.off('error', reject)
      // Out of descriptors, say: the connection is lost, the server is not.
      server.on('error', () => undefined)
      resolve(server)
    })
  })
}

function isWithoutIpv6(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT'
}

function addressOf(server: TcpServer): AddressInfo {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the listener is not bound to a TCP port')
  return address
}
