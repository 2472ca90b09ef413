import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net'
import type { ListenAddress } from '../config/config.ts'
import { UNIX_PEER } from '../core/headers/forwarded.ts'
import { RESERVED_ROOTS } from '../core/paths/router.ts'
import { TICKET_PARAMETER } from '../core/paths/ticket-url.ts'
import { attachFastPath } from './fast-path/fast-path.ts'
import { MAX_HEADER_BYTES } from './framing.ts'
import { FullParser, type HttpServer, type ParserHandlers, type Underway } from './full-parser.ts'

/** PEM texts. */
export interface TlsMaterial {
  readonly cert: string
  readonly key: string
}

interface ListenerOptions {
  readonly address: ListenAddress
  /** Undefined: plain HTTP. */
  readonly tls: TlsMaterial | undefined
  readonly maxConnections: number
  /** Milliseconds from the first byte of a request (or from connecting) to the end of its headers. */
  readonly headersTimeoutMs?: number
}

export interface Listener {
  /** What is bound: one address, two for `localhost`, none for a unix socket. */
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

const HEADERS_TIMEOUT_MS = 10_000
const KEEP_ALIVE_MS = 75_000
const HANDSHAKE_MS = 10_000

/** Suites that authenticate what they encrypt, under keys that nobody can work out later (RFC 9325 §4.2). */
const STRONG = {
  minVersion: 'TLSv1.2',
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
  ].join(':'),
} as const

/**
 * Listens for HTTP/1.1. Everything that node's strict parser refuses goes to `refused`; what it lets through although no proxy may
 * (two Host fields, absolute-form, odd Transfer-Encoding) is for the judge. Rejects with the system's error when it can't bind.
 */
export async function openListener<Call extends Underway>(
  options: ListenerOptions,
  handlers: ParserHandlers<Call>,
): Promise<Listener> {
  const parser = new FullParser(handlers)
  const server = createServer(options, (request) => parser.releases(request))
  const sockets = new Set<Socket>()
  const limit = { connections: options.maxConnections }
  parser.attach(server)
  const lane = attachFastPath(server, {
    takes: isPlainTarget,
    onRequest: (request, response) => {
      handlers.request({
        head: request.head,
        request,
        response,
        awaitsContinue: false,
        upgrade: undefined,
      })
    },
    keepAliveMs: KEEP_ALIVE_MS,
    firstRequestMs: 0,
  })
  server.prependListener('connection', (socket: Socket) => {
    if (sockets.size >= limit.connections) return void socket.destroy()
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const bound = await bind(server, options.address)
  const addresses = bound.flatMap(addressOf)
  if (addresses.length === 0)
    server.prependListener(options.tls === undefined ? 'connection' : 'secureConnection', nameUnixPeer)
  return {
    addresses,
    get connections() {
      return sockets.size
    },
    setTls: (tls) => {
      if ('setSecureContext' in server) server.setSecureContext({ ...tls, ...STRONG })
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
  if (first.includes('%') || first.includes(';')) return false
  return !RESERVED_ROOTS.some((path) => first.startsWith(path)) && !url.includes(TICKET_PARAMETER)
}

function createServer(
  { tls, headersTimeoutMs = HEADERS_TIMEOUT_MS }: ListenerOptions,
  releases: (request: IncomingMessage) => boolean,
): HttpServer {
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
    shouldUpgradeCallback: releases,
  }
  const server =
    tls === undefined
      ? createHttpServer(strict)
      : createHttpsServer({ ...strict, ...tls, ...STRONG, handshakeTimeout: HANDSHAKE_MS })
  // They are counted by us.
  server.maxHeadersCount = 0
  server.timeout = 0
  return server
}

/** `localhost` is one server behind two sockets, so that a name that resolves to either finds it. */
async function bind(server: HttpServer, address: ListenAddress): Promise<TcpServer[]> {
  if (!('host' in address) || address.host !== 'localhost') return [await listen(server, address)]
  const four = await listen(server, { host: '127.0.0.1', port: address.port })
  const six = createTcpServer({ noDelay: true }, (socket) => server.emit('connection', socket))
  try {
    const [{ port } = address] = addressOf(four)
    return [four, await listen(six, { host: '::1', port })]
  } catch (error) {
    if (isWithoutIpv6(error)) return [four]
    four.close()
    throw error
  }
}

function listen<T extends TcpServer>(server: T, address: ListenAddress): Promise<T> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    // Not exclusive: worker processes listen on one port together.
    server.listen({ ...address }, () => {
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

/** None for a unix socket. */
function addressOf(server: TcpServer): AddressInfo[] {
  const address = server.address()
  return address === null || typeof address === 'string' ? [] : [address]
}

/** A peer without an address must not look like one that has left. */
function nameUnixPeer(socket: Socket): void {
  Object.defineProperty(socket, 'remoteAddress', { value: UNIX_PEER })
}
