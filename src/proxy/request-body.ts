import type { FramingFault, RequestFraming } from '../core/headers/framing.ts'
import { hasBody } from './attempts.ts'
import { releaseMemory } from './buffers.ts'
import type { ClientRequest } from './client.ts'
import type { Deadlines, Watched } from './deadlines.ts'
import type { UpstreamConnection } from './upstream-connection.ts'

/** Long enough for a client to notice its answer, short enough that nobody can send for ever. */
const DRAIN_MS = 10_000

/**
 * Reads and forgets what is left of a body whose answer was given early: a connection that closes on unread bytes may take the answer with it
 * (RFC 9112 §9.6). A client that is not done after 10 s is cut off.
 */
export function drainRequest(request: ClientRequest, deadlines: Deadlines, now: number): void {
  const limit: Watched = {
    deadline: now + DRAIN_MS,
    slot: -1,
    onDeadline: () => {
      deadlines.unwatch(limit)
      if (!request.complete) request.socket.destroy()
    },
  }
  deadlines.watch(limit)
  request.resume()
}

export interface RequestBodyOwner {
  /** Bytes came from the client, or were taken by the upstream. */
  onBodyProgress(): void
  onBodySent(): void
  onBodyTooLarge(): void
  /** The body is not as long as the head that was sent says: nothing more may follow on this connection. */
  onBodyBroken(detail: string): void
}

/**
 * Carries a request's body upstream with the framing that the client chose, as fast as the upstream takes it. Reads nothing before
 * {@link start}. Trailers are not passed on (RFC 9110 §6.5): who merges them into the header would take names from the client that are ours.
 */
export class RequestBody {
  readonly #request: ClientRequest
  readonly #framing: RequestFraming | FramingFault
  readonly #maxBody: number
  /** What the head announced; Infinity for chunks. */
  readonly #length: number
  readonly #owner: RequestBodyOwner
  #connection: UpstreamConnection | undefined
  #blocked = false
  /** All of it was written. */
  sent: boolean
  started = false
  bytes = 0

  constructor(
    request: ClientRequest,
    framing: RequestFraming | FramingFault,
    maxBody: number | undefined,
    owner: RequestBodyOwner,
  ) {
    this.#request = request
    this.#framing = framing
    this.#maxBody = maxBody ?? Number.POSITIVE_INFINITY
    this.#owner = owner
    this.sent = !hasBody(framing)
    this.#length = typeof framing === 'number' ? framing : Number.POSITIVE_INFINITY
  }

  /** The upstream has more to take before the client is read on. */
  get blocked(): boolean {
    return this.#blocked
  }

  /** By its Content-Length, before anything is read. */
  get announcedTooLarge(): boolean {
    return typeof this.#framing === 'number' && this.#framing > this.#maxBody
  }

  start(connection: UpstreamConnection): void {
    if (this.sent || this.started) return
    this.started = true
    this.#connection = connection
    this.#request.on('data', this.#onData)
    this.#request.on('end', this.#onEnd)
  }

  onDrain(): void {
    if (!this.#blocked) return
    this.#blocked = false
    this.#owner.onBodyProgress()
    this.#request.resume()
  }

  /** Sends no more. What the client still sends stays unread. */
  stop(): void {
    if (this.#connection === undefined) return
    this.#connection = undefined
    this.#request.off('data', this.#onData)
    this.#request.off('end', this.#onEnd)
    if (!this.sent) this.#request.pause()
  }

  readonly #onData = (chunk: Buffer): void => {
    const connection = this.#connection
    if (connection === undefined) return
    this.bytes += chunk.length
    if (this.bytes > this.#maxBody) {
      this.#owner.onBodyTooLarge()
      return
    }
    if (this.bytes > this.#length) {
      this.#owner.onBodyBroken('the body is longer than its Content-Length')
      return
    }
    this.#owner.onBodyProgress()
    const more = this.#write(connection, chunk)
    if (connection.tookAll) releaseMemory(chunk)
    if (more) return
    this.#blocked = true
    this.#request.pause()
  }

  readonly #onEnd = (): void => {
    const connection = this.#connection
    if (connection === undefined) return
    if (this.#framing !== 'chunked' && this.bytes !== this.#length) {
      this.#owner.onBodyBroken('the body is shorter than its Content-Length')
      return
    }
    if (this.#framing === 'chunked') connection.write('0\r\n\r\n')
    this.sent = true
    this.stop()
    this.#owner.onBodySent()
  }

  #write(connection: UpstreamConnection, chunk: Buffer): boolean {
    if (this.#framing !== 'chunked') return connection.write(chunk)
    connection.cork()
    connection.write(`${chunk.length.toString(16)}\r\n`)
    connection.write(chunk)
    const more = connection.write('\r\n')
    connection.uncork()
    return more
  }
}
