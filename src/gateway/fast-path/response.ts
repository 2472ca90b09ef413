import { EventEmitter } from 'node:events'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { ClientResponse, TextResponse } from '../../proxy/client.ts'
import { sendSoon, type Unsent } from '../../proxy/write-batch.ts'
import type { FastPathRequest } from './request.ts'

/** Bodies up to this length leave in one segment with their head; copying more costs more than a second write. */
const ONE_WRITE_BYTES = 16_384

const NOTHING = new Uint8Array(0)

const KEPT_ALIVE = 'Connection: keep-alive\r\n\r\n'
const CLOSED = 'Connection: close\r\n\r\n'

/** What the connection is told: `keep` says whether it may carry another request. */
type Finished = (keep: boolean) => void

/**
 * An answer on a socket of ours, in the shape that the data path uses of `http.ServerResponse`: one head, then bytes framed by
 * the `Content-Length` that was given, else chunked (RFC 9112 §6). Field lines are written as given: who calls vouches for them.
 */
export class FastPathResponse extends EventEmitter implements ClientResponse, TextResponse, Unsent {
  readonly req: FastPathRequest
  readonly socket: Socket
  /** Set to false: the connection ends with this answer. */
  shouldKeepAlive = true
  statusCode = 200
  statusMessage = ''
  sendDate = true
  headersSent = false
  writableEnded = false
  writableFinished = false
  destroyed = false
  readonly #finished: Finished
  #head = ''
  #chunked = false
  #bodiless = false
  #trailers: readonly string[] = []
  readonly #fields: string[] = []
  /** All of a small answer, or its last bytes. */
  #unsent: Buffer | undefined

  constructor(request: FastPathRequest, finished: Finished) {
    super()
    this.req = request
    this.socket = request.socket
    this.#finished = finished
  }

  get writable(): boolean {
    return !this.writableEnded && !this.destroyed
  }

  get writableNeedDrain(): boolean {
    return this.socket.writableNeedDrain
  }

  get writableLength(): number {
    return this.socket.writableLength
  }

  get errored(): Error | null {
    return this.socket.errored
  }

  setHeader(name: string, value: string | number | readonly string[]): this {
    for (const each of Array.isArray(value) ? value : [value]) this.#fields.push(name, String(each))
    return this
  }

  /** The head is kept until the first bytes of the body come, so that both leave at once; see {@link flushHeaders}. */
  writeHead(status: number, reasonOrHeaders?: string | readonly string[], rawHeaders?: readonly string[]): this {
    if (this.headersSent) throw new TypeError('the head of this answer was written already')
    const reason = typeof reasonOrHeaders === 'string' ? reasonOrHeaders : (STATUS_CODES[status] ?? 'unknown')
    const fields = rawHeaders ?? (typeof reasonOrHeaders === 'string' ? [] : (reasonOrHeaders ?? []))
    this.statusCode = status
    this.statusMessage = reason
    this.headersSent = true
    this.#head = this.#render(status, reason, this.#fields.length === 0 ? fields : [...this.#fields, ...fields])
    return this
  }

  writeLines(status: number, reason: string, lines: string, measured: boolean, dated: boolean): void {
    this.statusCode = status
    this.statusMessage = reason
    this.headersSent = true
    this.sendDate = !dated
    this.#head = `HTTP/1.1 ${status} ${reason}\r\n${lines}${this.#closing(status, measured)}`
  }

  flushHeaders(): void {
    if (!this.headersSent) this.writeHead(this.statusCode)
    this.#flush()
  }

  writeContinue(): void {}

  addTrailers(trailers: readonly (readonly [string, string])[]): void {
    this.#trailers = trailers.flat()
  }

  /** False when the socket wants its `drain` awaited; the same is emitted here. */
  write(chunk: Uint8Array | string): boolean {
    if (!this.headersSent) this.writeHead(this.statusCode)
    if (this.destroyed || this.#bodiless || chunk.length === 0) return true
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    return this.#chunked ? this.#writeChunk(bytes) : this.#writeBytes(bytes)
  }

  /** A small answer leaves at the end of this turn, and finishes then. */
  end(chunk?: Uint8Array | string): this {
    if (this.writableEnded) return this
    if (!this.headersSent) this.writeHead(this.statusCode)
    const body =
      chunk === undefined || this.#bodiless ? NOTHING : typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    const isSmall = this.#head !== '' && body.length <= ONE_WRITE_BYTES
    if (!isSmall) this.write(body)
    this.writableEnded = true
    if (this.destroyed) return this
    this.#unsent = this.#rest(isSmall ? body : NOTHING)
    if (this.#unsent.length > 0) sendSoon(this)
    else this.#finishWhenTaken()
    return this
  }

  /** What leaves in one piece with its head is copied here anyway. */
  endWith(view: Uint8Array): void {
    this.end(this.#head !== '' && view.length <= ONE_WRITE_BYTES ? view : Buffer.from(view))
  }

  send(): void {
    const bytes = this.#unsent
    if (bytes === undefined || this.destroyed) return
    this.#unsent = undefined
    this.socket.write(bytes)
    this.#finishWhenTaken()
  }

  destroy(): this {
    this.socket.destroy()
    return this
  }

  /** The connection has gone. Called by its owner. */
  gone(): void {
    if (this.destroyed || this.writableFinished) return
    this.destroyed = true
    this.emit('close')
  }

  /** Mostly the system has taken everything by now; a slow reader's answer ends when it has. */
  #finishWhenTaken(): void {
    if (this.socket.writableLength === 0) this.#finish()
    else this.socket.write(NOTHING, () => this.#finish())
  }

  #finish(): void {
    if (this.destroyed) return
    this.writableFinished = true
    this.emit('finish')
    this.emit('close')
    this.#finished(this.shouldKeepAlive)
  }

  #render(status: number, reason: string, fields: readonly string[]): string {
    let head = `HTTP/1.1 ${status} ${reason}\r\n`
    let framed = false
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const name = fields[i] ?? ''
      const value = fields[i + 1] ?? ''
      if (name.length === 14 && name.toLowerCase() === 'content-length') framed = true
      else if (name.length === 10 && name.toLowerCase() === 'connection') {
        this.shouldKeepAlive &&= value.toLowerCase() !== 'close'
        continue
      } else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') continue
      else if (name.length === 4 && name.toLowerCase() === 'date') this.sendDate = false
      head += `${name}: ${value}\r\n`
    }
    return head + this.#closing(status, framed)
  }

  /** The lines that this connection adds, and the end of the head; from here on it is known how the body is framed. */
  #closing(status: number, framed: boolean): string {
    this.#bodiless = this.req.method === 'HEAD' || status === 204 || status === 304
    this.#chunked = !framed && status !== 204 && status !== 304
    const date = this.sendDate ? `Date: ${dateText()}\r\n` : ''
    const end = this.shouldKeepAlive ? KEPT_ALIVE : CLOSED
    return this.#chunked ? `${date}Transfer-Encoding: chunked\r\n${end}` : date + end
  }

  #writeBytes(bytes: Uint8Array): boolean {
    if (this.#head === '') return this.socket.write(bytes)
    return this.#writeFramed(bytes, '')
  }

  #writeChunk(bytes: Uint8Array): boolean {
    this.#head += `${bytes.length.toString(16)}\r\n`
    return this.#writeFramed(bytes, '\r\n')
  }

  /** What is kept of the head, the bytes and `tail`: in one segment while that is cheaper than several. */
  #writeFramed(bytes: Uint8Array, tail: string): boolean {
    const head = this.#head
    this.#head = ''
    if (bytes.length <= ONE_WRITE_BYTES) return this.socket.write(joined(head, bytes, tail))
    this.socket.cork()
    this.socket.write(head, 'latin1')
    this.socket.write(bytes)
    if (tail !== '') this.socket.write(tail, 'latin1')
    this.socket.uncork()
    return !this.socket.writableNeedDrain
  }

  /** What is kept of the head, `body` and the end of the framing. */
  #rest(body: Uint8Array): Buffer {
    let before = this.#head
    this.#head = ''
    if (!this.#chunked || this.#bodiless) return joined(before, body, '')
    if (body.length > 0) before += `${body.length.toString(16)}\r\n`
    return joined(before, body, `${body.length > 0 ? '\r\n' : ''}0\r\n${fieldLines(this.#trailers)}\r\n`)
  }

  #flush(): void {
    if (this.#head === '') return
    this.socket.write(this.#head, 'latin1')
    this.#head = ''
  }
}

function joined(before: string, bytes: Uint8Array, after: string): Buffer {
  const all = Buffer.allocUnsafe(before.length + bytes.length + after.length)
  all.write(before, 0, 'latin1')
  all.set(bytes, before.length)
  if (after !== '') all.write(after, before.length + bytes.length, 'latin1')
  return all
}

function fieldLines(raw: readonly string[]): string {
  let lines = ''
  for (let i = 0; i + 1 < raw.length; i += 2) lines += `${raw[i]}: ${raw[i + 1]}\r\n`
  return lines
}

const date = { second: 0, text: '' }

/** RFC 9110 §5.6.7, made once a second. */
function dateText(): string {
  const second = Math.floor(Date.now() / 1_000)
  if (second !== date.second) {
    date.second = second
    date.text = new Date(second * 1_000).toUTCString()
  }
  return date.text
}
