import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, type SecureContext } from 'node:tls'
import type { Upstream } from '../core/route.ts'
import { connectFault } from './connect-fault.ts'
import { type ResponseHandler, ResponseParser } from './http1/response-parser.ts'
import type { UpstreamFault } from './outcome.ts'
import { sendSoon, type Unsent } from './write-batch.ts'

/**
 * All upstream sockets read into this: a read is dealt with before the next begins, so one is enough, and ten thousand
 * connections need no ten thousand buffers. What outlives the call is copied.
 */
const READ_BUFFER = Buffer.allocUnsafeSlow(65_536)

/**
 * Opens a connection; TLS is verified whatever the environment says, unless the upstream's own settings say that any certificate will do. `onRead`
 * gets the bytes, in a buffer that is used again afterwards and may be changed.
 */
function openSocket(
  upstream: Upstream,
  context: SecureContext | undefined,
  onRead: (buffer: Buffer, length: number) => void,
): Socket {
  const { hostname, port, socketPath, tls } = upstream
  const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
  const onread = {
    buffer: READ_BUFFER,
    callback: (length: number): boolean => {
      onRead(READ_BUFFER, length)
      return true
    },
  }
  if (socketPath !== undefined) return outlivingWrites(connectTcp({ path: socketPath, onread }))
  if (context === undefined) return outlivingWrites(connectTcp({ host, port, noDelay: true, onread }))
  const name = tls?.serverName ?? host
  const servername = isIP(name) === 0 ? { servername: name } : {}
  const verified = { secureContext: context, rejectUnauthorized: tls?.verify ?? true, ALPNProtocols: ['http/1.1'] }
  const options = { host, port, noDelay: true, onread, ...verified, ...servername }
  return connectTls(options)
}

type WriteDone = (error?: Error | null) => void

/**
 * A server that refuses an upload answers and closes while bytes are still on their way to it. The write that then fails would destroy
 * the socket with the answer unread; the end of reading, which follows at once, is the end soon enough.
 */
function outlivingWrites(socket: Socket): Socket {
  const write = socket._write
  const writeMany = socket._writev
  // A stream has one callback for all of its writes.
  const last: { done: WriteDone | undefined; wrapped: WriteDone } = { done: undefined, wrapped: () => undefined }
  const wrapped = (done: WriteDone): WriteDone => {
    if (last.done === done) return last.wrapped
    last.done = done
    last.wrapped = unlessClosed(done)
    return last.wrapped
  }
  socket._write = (chunk, encoding, done) => write.call(socket, chunk, encoding, wrapped(done))
  if (writeMany !== undefined) socket._writev = (chunks, done) => writeMany.call(socket, chunks, wrapped(done))
  return socket
}

function unlessClosed(done: WriteDone): WriteDone {
  return (error) => done(error != null && 'code' in error && isClosedByPeer(error.code) ? null : error)
}

function isClosedByPeer(code: unknown): boolean {
  return code === 'EPIPE' || code === 'ECONNRESET'
}

/** Who uses a connection for one request. After {@link ConnectionUser.onLost} or `release` nothing is called any more. */
export interface ConnectionUser extends ResponseHandler {
  onConnected(): void
  /** All of one read has been handed over. */
  onReadDone(): void
  onDrain(): void
  /** It broke, or what came is no answer. The connection is closed already. */
  onLost(fault: UpstreamFault, detail: string): void
}

/** Where connections come from and go back to. */
export interface ConnectionOwner {
  /** Ready for another request. */
  onIdle(connection: UpstreamConnection): void
  /** Of no use any more; called once. */
  onClosed(connection: UpstreamConnection): void
}

/** A connection to an upstream that carries one request at a time. */
export class UpstreamConnection implements Unsent {
  readonly #owner: ConnectionOwner
  readonly #socket: Socket
  /** Of the upstream, for the log. */
  readonly #place: string
  readonly #parser = new ResponseParser()
  #user: ConnectionUser | undefined
  #error: (Error & { code?: string }) | undefined
  /** A head that has yet to be sent. */
  #unsent = ''
  connected = false
  /** It has carried a request before. */
  reused = false
  /** When it fell idle, and how long it may be; milliseconds of the group's clock. */
  idleSince = 0
  idleLimitMs = 0
  /** How long it must have been idle. */
  restMs = 0

  constructor(owner: ConnectionOwner, upstream: Upstream, context: SecureContext | undefined) {
    this.#owner = owner
    this.#place = upstream.socketPath ?? upstream.authority
    this.#socket = openSocket(upstream, context, (buffer, length) => this.#onRead(buffer, length))
    this.#socket.once(context === undefined ? 'connect' : 'secureConnect', () => this.#onConnect())
    this.#socket.on('drain', () => this.#user?.onDrain())
    this.#socket.on('end', () => this.#onEnd())
    this.#socket.on('error', (error) => {
      this.#error = error
    })
    this.#socket.on('close', () => this.#onClose())
  }

  /** Bytes of the answer have come. */
  get answered(): boolean {
    return this.#parser.begun
  }

  /** Takes it for a request. @param protocol 101 to it opens a tunnel. */
  use(user: ConnectionUser, headRequest: boolean, protocol: string | undefined): void {
    this.#user = user
    this.#parser.begin(user, headRequest, protocol)
  }

  /** Gives a tunnel to who carries it on. */
  handOver(user: ConnectionUser): void {
    this.#user = user
    this.#parser.handOver(user)
  }

  /** The head leaves with the next {@link write}, or at the end of this turn; never before `onConnected` was told. */
  writeHead(head: string): void {
    this.#unsent = head
    if (this.connected) sendSoon(this)
  }

  send(): void {
    const head = this.#unsent
    if (head === '') return
    this.#unsent = ''
    this.#socket.write(head, 'latin1')
  }

  /** False: wait for `onDrain`. */
  write(data: string | Uint8Array): boolean {
    if (this.#unsent === '') return this.#give(data)
    this.#socket.cork()
    this.send()
    const more = this.#give(data)
    this.#socket.uncork()
    return more
  }

  /** The system has all that was written; nothing here needs it any more. */
  get tookAll(): boolean {
    return this.#unsent === '' && this.#socket.writableLength === 0
  }

  cork(): void {
    this.#socket.cork()
  }

  uncork(): void {
    this.#socket.uncork()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Ends a tunnel's side once everything is written, or nothing of it was taken for `lingerMs`. */
  endSoon(lingerMs: number): void {
    this.#user = undefined
    this.#parser.stop()
    this.#socket.setTimeout(lingerMs, () => this.#socket.destroy())
    this.#socket.destroySoon()
  }

  /**
   * The request and its answer are whole.
   * @param reusable Whether both sides left it fit for another. @param restMs It may carry one after so many milliseconds of silence.
   */
  release(reusable: boolean, idleLimitMs: number, restMs: number): void {
    this.#user = undefined
    this.#parser.stop()
    if (!reusable || this.#parser.excess || this.#socket.destroyed || idleLimitMs <= 0) {
      this.#socket.destroy()
      return
    }
    this.reused = true
    this.idleLimitMs = idleLimitMs
    this.restMs = restMs
    this.#owner.onIdle(this)
  }

  /** Calls the user no more. */
  destroy(): void {
    this.#user = undefined
    this.#unsent = ''
    this.#parser.stop()
    this.#socket.destroy()
  }

  #give(data: string | Uint8Array): boolean {
    return typeof data === 'string' ? this.#socket.write(data, 'latin1') : this.#socket.write(data)
  }

  #onConnect(): void {
    this.connected = true
    this.#user?.onConnected()
    this.send()
  }

  #onRead(buffer: Buffer, length: number): void {
    const user = this.#user
    // Bytes that nobody asked for: an answer to nothing must not become the answer to the next request.
    if (user === undefined) {
      this.#socket.destroy()
      return
    }
    if (this.#unsent !== '') {
      this.#lose('protocol', 'it answered before it was asked')
      return
    }
    const fault = this.#parser.push(buffer, length)
    if (fault !== undefined) this.#lose('protocol', fault)
    else if (this.#user === user) user.onReadDone()
  }

  #onEnd(): void {
    if (this.#user !== undefined && this.#parser.finish()) return
    this.#lose('reset', this.#parser.begun ? 'it ended in the middle of the answer' : 'it ended without an answer')
  }

  #onClose(): void {
    this.#lose(this.connected ? 'reset' : 'refused', connectFault(this.#error))
    this.#owner.onClosed(this)
  }

  #lose(fault: UpstreamFault, detail: string): void {
    const user = this.#user
    this.destroy()
    user?.onLost(fault, `${this.#place}: ${detail}`)
  }
}
