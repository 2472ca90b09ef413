import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { type HttpServer, parserOf } from '../full-parser.ts'
import { FastPathConnection } from './connection.ts'
import type { FastPathRequest } from './request.ts'
import type { FastPathResponse } from './response.ts'

/** What a lane for plain requests leaves to its owner. */
interface FastPathOptions {
  /** Whether a request target may be taken: what is answered by others than the data path may not. */
  readonly takes: (url: string) => boolean
  readonly onRequest: (request: FastPathRequest, response: FastPathResponse) => void
  /** How long a connection may be idle between requests. */
  readonly keepAliveMs: number
  /** How long a new connection may stay silent before the full parser is given it, which has its own limit. */
  readonly firstRequestMs: number
}

export interface FastPath {
  /** Connections that the lane holds now. */
  readonly connections: number
  /** Ends idle connections; the others end with their answer. */
  close(): void
}

/**
 * Puts a lane for plain requests before a server's own parser: GET and HEAD without a body, whole in one segment, are recognized
 * by a strict grammar and handed on without `http.IncomingMessage` and `http.ServerResponse`, which cost more than all of the
 * checking. A connection that sends anything else goes to the server's parser at that byte and stays there.
 */
export function attachFastPath(server: HttpServer, options: FastPathOptions): FastPath {
  const { event, read } = parserOf(server)
  server.removeAllListeners(event)
  const held = new Set<FastPathConnection>()
  const state = { closing: false, now: performance.now() }
  const handOver = (connection: FastPathConnection, bytes: Buffer | undefined): void => {
    held.delete(connection)
    read(connection.release(), bytes)
  }
  const owner = {
    takes: options.takes,
    onRequest: options.onRequest,
    handOver,
    closing: () => state.closing,
    clock: () => state.now,
    onClosed: (connection: FastPathConnection) => held.delete(connection),
  }
  server.on(event, (socket: Socket) => {
    socket.setNoDelay(true)
    // ALPN may have chosen another protocol; only HTTP/1.1 is spoken here.
    if (socket instanceof TLSSocket && socket.alpnProtocol !== false && socket.alpnProtocol !== 'http/1.1') {
      read(socket, undefined)
      return
    }
    held.add(new FastPathConnection(socket, owner))
  })
  const sweep = setInterval(() => {
    state.now = performance.now()
    for (const connection of held) endIfIdle(connection, state.now, options, handOver)
  }, 1_000)
  sweep.unref()
  server.once('close', () => clearInterval(sweep))
  return {
    get connections() {
      return held.size
    },
    close: () => {
      state.closing = true
      for (const connection of held) if (connection.idle) connection.socket.destroySoon()
    },
  }
}

function endIfIdle(
  connection: FastPathConnection,
  now: number,
  options: FastPathOptions,
  handOver: (connection: FastPathConnection, bytes: undefined) => void,
): void {
  if (!connection.idle) return
  const idleMs = now - connection.idleSince
  if (connection.requests > 0 && idleMs > options.keepAliveMs) connection.socket.destroy()
  if (connection.requests === 0 && idleMs > options.firstRequestMs) handOver(connection, undefined)
}
