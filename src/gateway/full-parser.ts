import { type createServer, type IncomingMessage, ServerResponse } from 'node:http'
import type { createServer as createTlsServer } from 'node:https'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { tunnelProtocol } from '../core/headers/request-headers.ts'
import { type ClientFault, clientFault, endSoon } from './answers.ts'
import { hasBody, type Incoming } from './call.ts'
import { sizeFault } from './framing.ts'
import type { RequestHead } from './request-head.ts'
import { Turns } from './turns.ts'

/** A request that is being answered, as far as its connection has to know it. */
export interface Underway {
  /** The answer that has been given ends the connection. */
  readonly ending: boolean
}

export interface ParserHandlers<Call extends Underway> {
  /** Called when a request's turn has come. */
  request(incoming: Incoming): Call
  /** Whether a request may leave HTTP for this protocol, where it leads. */
  tunnels(head: RequestHead, protocol: string): boolean
  /** What is no request: answered on the socket, which ends with that. @param call The request that it belongs to, still unanswered. */
  refused(socket: Duplex, fault: Exclude<ClientFault, 'gone'>, call: Call | undefined): void
}

/** A server's own parser, as it takes connections from the event. */
interface ServerParser {
  readonly event: 'connection' | 'secureConnection'
  /** @param bytes What was read of the connection already, and comes first. */
  readonly read: (socket: Socket, bytes: Buffer | undefined) => void
}

export type HttpServer = ReturnType<typeof createServer> | ReturnType<typeof createTlsServer>

/** The last request that a connection has brought. */
interface Latest<Call> {
  /** What comes behind it is no request. */
  final: boolean
  /** Undefined when it has been answered: ten thousand idle connections must not keep a head each. */
  unanswered: Unanswered<Call> | undefined
}

/** `call` undefined: its turn has not come. */
interface Unanswered<Call> {
  readonly incoming: Incoming
  call: Call | undefined
}

/** Reads requests by node's own parser, and hands on one at a time for each connection. What it refuses is answered, or cut. */
export class FullParser<Call extends Underway> {
  readonly #handlers: ParserHandlers<Call>
  readonly #latest = new WeakMap<Duplex, Latest<Call>>()
  /** Offers that node has read and keeps: it throws away what has come along behind, so that nobody knows where the next request begins. */
  readonly #declined = new WeakSet<IncomingMessage>()
  readonly #turns = new Turns()

  constructor(handlers: ParserHandlers<Call>) {
    this.#handlers = handlers
  }

  /** Before anything is put between the server's connections and its own parser. */
  attach(server: HttpServer): void {
    const { read } = parserOf(server)
    server.on('request', (request, response) => this.#take(request, response, false))
    server.on('checkContinue', (request, response) => this.#take(request, response, true))
    // An expectation that nobody knows may be ignored (RFC 9110 §10.1.1).
    server.on('checkExpectation', (request, response) => this.#take(request, response, false))
    server.on('upgrade', (request, socket, early) => {
      if (!(socket instanceof Socket)) socket.destroy()
      // Of a body behind an offer node's parser would report no fault.
      else if (hasBody(request)) this.#readAnew(socket, Buffer.concat([headWithoutOffer(request), early]), read)
      else this.#upgrade(request, socket, early)
    })
    server.on('connect', (_request, socket) => this.#refuse(socket, 'connect'))
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#refuse(socket, clientFault(error)))
  }

  /**
   * Whether node shall let go of a request's socket: it may leave HTTP for a tunnel, or it has a body, and is read anew without its offer. A
   * tunnel is for a GET without a body and a protocol that its route lets through, and nothing before it has yet to be answered. Others are
   * answered as if they had not asked (RFC 9110 §7.8): a body would end up in the tunnel, unjudged, and the tunnel's bytes in an earlier answer.
   */
  releases(request: IncomingMessage): boolean {
    const released = this.#mayGo(request)
    if (!released) this.#declined.add(request)
    return released
  }

  #mayGo(request: IncomingMessage): boolean {
    const latest = this.#latest.get(request.socket)
    if (latest?.final === true) return false
    // Too large is what came, not what is left of it without the offer.
    if (hasBody(request)) return sizeFault(headOf(request)) === undefined
    // Until its answer is closed node takes the socket for that answer's.
    if (latest?.unanswered !== undefined || request.method !== 'GET' || request.httpVersion !== '1.1') return false
    const protocol = tunnelProtocol(request.rawHeaders)
    return protocol !== undefined && this.#handlers.tunnels(headOf(request), protocol)
  }

  #take(request: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): void {
    const { socket } = request
    if (socket.destroyed || this.#latest.get(socket)?.final === true) return
    const incoming = { head: headOf(request), request, response, awaitsContinue, upgrade: undefined }
    const unanswered: Unanswered<Call> = { incoming, call: undefined }
    const latest: Latest<Call> = { final: this.#declined.has(request), unanswered }
    if (latest.final) response.shouldKeepAlive = false
    this.#latest.set(socket, latest)
    response.once('close', () => {
      latest.unanswered = undefined
    })
    this.#turns.await(request, response, () => {
      unanswered.call = this.#handlers.request(incoming)
    })
  }

  #readAnew(socket: Socket, bytes: Buffer, read: ServerParser['read']): void {
    const before = this.#latest.get(socket)?.unanswered?.incoming.response
    if (before === undefined) read(socket, bytes)
    else this.#turns.hold(socket, bytes, before, (held) => read(socket, held))
  }

  #upgrade(request: IncomingMessage, socket: Socket, early: Buffer): void {
    // An error that nobody hears would end the process.
    socket.on('error', () => undefined)
    const response = responseOn(request, socket)
    this.#handlers.request({
      ...{ head: headOf(request), request, response, awaitsContinue: false },
      upgrade: { protocol: tunnelProtocol(request.rawHeaders) ?? '', early, response },
    })
  }

  /** What the parser, or the clock, has ended: answered where its answer can be told from others, else cut. */
  #refuse(socket: Duplex, fault: ClientFault): void {
    const latest = this.#latest.get(socket)
    const unanswered = this.#unanswered(socket)
    if (fault !== 'gone' && unanswered !== undefined && (latest?.final === true || unanswered.call?.ending === true))
      return
    if (fault === 'gone' || !socket.writable) return void socket.destroy()
    if (latest !== undefined && unanswered?.incoming.request.complete === true)
      return void this.#refuseBehind(latest, unanswered, socket, fault)
    if (unanswered !== undefined && hasSpoken(unanswered.incoming)) return void socket.destroy()
    this.#handlers.refused(socket, fault, unanswered?.call)
  }

  /** A whole request keeps its answer, whatever comes behind it: that is answered next, and ends the connection. */
  #refuseBehind(
    latest: Latest<Call>,
    { incoming }: Unanswered<Call>,
    socket: Duplex,
    fault: Exclude<ClientFault, 'gone'>,
  ): void {
    latest.final = true
    incoming.response.once('finish', () => {
      if (socket.writable) this.#handlers.refused(socket, fault, undefined)
    })
  }

  #unanswered(socket: Duplex): Unanswered<Call> | undefined {
    const unanswered = this.#latest.get(socket)?.unanswered
    return unanswered?.incoming.response.writableFinished === true ? undefined : unanswered
  }
}

/** What gives a server its connections, before anything else takes them. */
export function parserOf(server: HttpServer): ServerParser {
  const event = 'setSecureContext' in server ? 'secureConnection' : 'connection'
  const listeners = server.listeners(event)
  return {
    event,
    read: (socket, bytes) => {
      if (bytes !== undefined && bytes.length > 0) socket.unshift(bytes)
      for (const listener of listeners) listener.call(server, socket)
    },
  }
}

/** Its bytes as they came, but for `Upgrade` fields. */
function headWithoutOffer({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() !== 'upgrade') lines.push(`${rawHeaders[i]}:${rawHeaders[i + 1]}`)
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
}

/** Whether bytes of ours would be taken for part of another answer, an earlier pipelined one too. */
function hasSpoken({ response }: Incoming): boolean {
  return response.headersSent || response.socket === null
}

function headOf(request: IncomingMessage): RequestHead {
  return {
    method: request.method ?? '',
    target: request.url ?? '',
    rawHeaders: request.rawHeaders,
    httpVersion: request.httpVersion,
    peerAddress: request.socket.remoteAddress ?? '',
    tls: request.socket instanceof TLSSocket,
  }
}

/** A response on a socket that node has let go of, for an upgrade: the connection ends with it, unless it is detached before. */
export function responseOn(request: IncomingMessage, socket: Socket): ServerResponse {
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket)
  const onDrain = (): void => void response.emit('drain')
  socket.on('drain', onDrain)
  response.once('close', () => socket.off('drain', onDrain))
  response.once('finish', () => {
    response.detachSocket(socket)
    response.emit('close')
    endSoon(socket)
  })
  return response
}
