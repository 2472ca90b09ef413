import type { Socket } from 'node:net'
import { type FieldBlock, readPlainHead } from './head.ts'
import { FastPathRequest } from './request.ts'
import { FastPathResponse } from './response.ts'

interface FastPathOwner {
  /** Whether a request target may be taken at all; others go to the full parser. */
  readonly takes: (url: string) => boolean
  /** Takes a request that came whole and without a body. */
  readonly onRequest: (request: FastPathRequest, response: FastPathResponse) => void
  /** Gives a connection to the full parser, for good, with the bytes that were read and not answered. */
  readonly handOver: (connection: FastPathConnection, bytes: Buffer | undefined) => void
  /** Nothing may follow the answer under way: the server is closing. */
  readonly closing: () => boolean
  /** Milliseconds, coarse. */
  readonly clock: () => number
  readonly onClosed: (connection: FastPathConnection) => void
}

/** What a client may send ahead of its answer. */
const MAX_HELD_BYTES = 65_536

/**
 * One client's connection for as long as it carries nothing but plain requests, one at a time. The first byte of anything else hands
 * it over. Pipelined bytes wait, unlooked at, until the answer has gone.
 */
export class FastPathConnection {
  readonly socket: Socket
  /** When the last answer ended, or the connection began. */
  idleSince: number
  requests = 0
  readonly #owner: FastPathOwner
  #response: FastPathResponse | undefined
  #held: Buffer | undefined
  #fields: FieldBlock | undefined
  readonly #onData = (chunk: Buffer): void => this.#read(chunk)
  readonly #onDrain = (): void => {
    this.#response?.emit('drain')
  }
  readonly #onEnd = (): void => {
    // Who closes in mid-answer has left (as node:http and nginx see it): what was begun for them ends now.
    this.socket.destroy()
  }
  readonly #onError = (): void => {
    this.socket.destroy()
  }
  readonly #onClose = (): void => {
    this.#owner.onClosed(this)
    this.#response?.gone()
    this.#response = undefined
  }
  readonly #finished = (keep: boolean): void => this.#next(keep)

  constructor(socket: Socket, owner: FastPathOwner) {
    this.socket = socket
    this.#owner = owner
    this.idleSince = owner.clock()
    socket.on('data', this.#onData)
    socket.on('drain', this.#onDrain)
    socket.on('end', this.#onEnd)
    socket.on('error', this.#onError)
    socket.on('close', this.#onClose)
  }

  /** No answer is under way. */
  get idle(): boolean {
    return this.#response === undefined
  }

  /** Takes every listener off, so that the full parser finds the socket as it came. */
  release(): Socket {
    this.socket.off('data', this.#onData)
    this.socket.off('drain', this.#onDrain)
    this.socket.off('end', this.#onEnd)
    this.socket.off('error', this.#onError)
    this.socket.off('close', this.#onClose)
    return this.socket
  }

  #read(chunk: Buffer): void {
    if (this.#response !== undefined) {
      this.#hold(chunk)
      return
    }
    const head = readPlainHead(chunk.toString('latin1'), this.#fields)
    if (head === undefined || !this.#owner.takes(head.url)) {
      this.#owner.handOver(this, chunk)
      return
    }
    this.requests += 1
    this.#fields = head.fields.isSmall ? head.fields : undefined
    const request = new FastPathRequest(head, this.socket)
    this.#response = new FastPathResponse(request, this.#finished)
    this.#response.shouldKeepAlive = !this.#owner.closing()
    this.#owner.onRequest(request, this.#response)
  }

  /** Who sends further ahead is cut off: of a connection that is merely paused nobody sees the end. */
  #hold(chunk: Buffer): void {
    this.#held = this.#held === undefined ? chunk : Buffer.concat([this.#held, chunk])
    if (this.#held.length > MAX_HELD_BYTES) this.socket.destroy()
  }

  #next(keep: boolean): void {
    this.#response = undefined
    this.idleSince = this.#owner.clock()
    if (!keep || this.#owner.closing()) {
      // The answer's last bytes leave first; what the client still sends is nobody's.
      this.socket.end(() => this.socket.destroy())
      return
    }
    const held = this.#held
    if (held === undefined) return
    this.#held = undefined
    this.#read(held)
  }
}
