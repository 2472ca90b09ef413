import { TLSSocket } from 'node:tls'
import { copyOf, giveBack } from './buffers.ts'
import type { ClientResponse } from './client.ts'
import type { ResponseHead } from './http1/response-head.ts'
import { mayTrail } from './http1/trailers.ts'

/** Turns a body into another as it streams. */
export interface BodyTransform {
  push(chunk: Uint8Array): Uint8Array
  /** What was held back; called once, at the end. */
  end(): Uint8Array
}

/** What becomes of an upstream's answer on its way to the client. */
export interface AnswerRules {
  /** The upstream's raw headers, hop-by-hop ones still in → the client's. Called for 1xx too. */
  rewriteHead(status: number, headers: readonly string[]): string[]
  /** The same as text where nothing is rewritten; undefined: it takes `rewriteHead`. @param lines A CRLF after each. */
  passHead?(status: number, lines: string): string | undefined
  /** A transformed body loses its Content-Length and its trailers. */
  transformBody(status: number, headers: readonly string[]): BodyTransform | undefined
}

/** A 1xx answer as text. It has no body, so nothing may speak of one (RFC 9110 §8.6, RFC 9112 §6.1). */
export function informationalHead({ status, reason, headers }: ResponseHead, rules: AnswerRules): string {
  let text = `HTTP/1.1 ${status} ${reason}\r\n`
  const lines = rules.rewriteHead(status, headers)
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const name = (lines[i] ?? '').toLowerCase()
    if (name !== 'content-length' && name !== 'transfer-encoding') text += `${lines[i]}: ${lines[i + 1]}\r\n`
  }
  return `${text}\r\n`
}

/** Writes an upstream's answer to the client: the head with the first bytes of the body in one write, framing by node. */
export class ClientAnswer {
  readonly #response: ClientResponse
  readonly #rules: AnswerRules
  /** Taken and not written. */
  #head: ResponseHead | undefined
  #transform: BodyTransform | undefined
  #trailers = false
  #flushed = false
  /** By a length or by chunks. */
  #delimited = true
  /** Undefined until the head was written. */
  status: number | undefined
  bytes = 0

  constructor(response: ClientResponse, rules: AnswerRules) {
    this.#response = response
    this.#rules = rules
  }

  /** 1xx, where the client is able to take it: HTTP/1.1, and this answer's turn has come on the connection. */
  inform(head: ResponseHead): void {
    const { req, socket, headersSent } = this.#response
    if (headersSent || socket === null || socket !== req.socket || req.httpVersionMinor === 0) return
    socket.write(informationalHead(head, this.#rules), 'latin1')
  }

  /** Takes the head. Nothing of it is written before {@link open}: until then an answer of the gateway's own may take its place. */
  begin(head: ResponseHead): void {
    this.#head = head
  }

  /** Writes the head, once; to be called before bytes, flush or end. False: the fields can't be sent, and nothing was. */
  open(): boolean {
    const head = this.#head
    if (head === undefined) return this.status !== undefined
    this.#head = undefined
    return this.#passText(head) || this.#rewrite(head)
  }

  /** Most heads go on as they came but for a few lines: nothing is taken apart. */
  #passText(head: ResponseHead): boolean {
    const { status, framing } = head
    const response = this.#response
    if (response.writeLines === undefined || head.lengthRespelled || head.announcesTrailers) return false
    if ((framing !== 'length' && framing !== 'none') || status === 204) return false
    const lines = this.#rules.passHead?.(status, head.lines)
    if (lines === undefined) return false
    response.writeLines(status, head.reason, lines, head.measured, head.dated)
    this.status = status
    return true
  }

  #rewrite(head: ResponseHead): boolean {
    const { status } = head
    const response = this.#response
    const headers = this.#rules.rewriteHead(status, head.headers)
    if (head.framing !== 'none') this.#transform = this.#rules.transformBody(status, head.headers)
    this.#trailers = this.#takesTrailers(head)
    if (head.dated) response.sendDate = false
    try {
      response.writeHead(status, head.reason, this.#framed(status, headers))
    } catch {
      return false
    }
    this.status = status
    return true
  }

  /** The head has left, or leaves with what was pushed. */
  get flushed(): boolean {
    return this.#flushed
  }

  /** False: wait for the response's `drain`. @param chunk A view that is copied. */
  push(chunk: Buffer): boolean {
    this.#flushed = true
    if (this.#transform === undefined) return this.#pass(chunk)
    const bytes = this.#outgoing(chunk)
    if (bytes.length > 0) return this.#response.write(bytes)
    this.#response.flushHeaders()
    return true
  }

  /** The head goes alone when no body came along with it: events must not wait for the next. */
  flush(): void {
    if (this.#flushed) return
    this.#flushed = true
    this.#response.flushHeaders()
  }

  end(last: Buffer | undefined, trailers: readonly string[]): void {
    this.#flushed = true
    if (last !== undefined && this.#transform === undefined && this.#response.endWith !== undefined) {
      this.bytes += last.length
      this.#addTrailers(trailers)
      this.#response.endWith(last)
      return
    }
    const bytes = this.#last(last)
    this.#addTrailers(trailers)
    if (bytes === undefined) this.#response.end()
    else this.#response.end(bytes)
  }

  /** The client must not take what it has for the whole: its connection breaks. */
  break(): void {
    const { socket } = this.#response
    // Where the end of the connection is the end of the body, a clean one would look whole.
    if (socket === null || socket instanceof TLSSocket || this.#delimited) this.#response.destroy()
    else socket.resetAndDestroy()
  }

  #takesTrailers({ framing }: ResponseHead): boolean {
    return framing === 'chunked' && this.#transform === undefined && this.#response.req.httpVersionMinor > 0
  }

  /** Fields that go with framing: a length that is none any more, announced trailers that can't be sent. */
  #framed(status: number, headers: string[]): string[] {
    const noLength = this.#transform !== undefined || status === 204
    const http10 = this.#response.req.httpVersionMinor === 0
    if (!noLength && !http10 && this.#trailers) return headers
    const kept: string[] = []
    this.#delimited = !http10
    for (let i = 0; i + 1 < headers.length; i += 2) {
      const name = headers[i] ?? ''
      const lower = name.length === 14 || name.length === 7 ? name.toLowerCase() : ''
      if ((lower === 'content-length' && noLength) || (lower === 'trailer' && !this.#trailers)) continue
      if (lower === 'content-length') this.#delimited = true
      kept.push(name, headers[i + 1] ?? '')
    }
    return kept
  }

  #pass(chunk: Buffer): boolean {
    const response = this.#response
    const copy = copyOf(chunk)
    this.bytes += copy.length
    const more = response.write(copy)
    // Nothing waits to be written: the system has taken all of it.
    if (response.writableLength === 0) giveBack(copy)
    return more
  }

  /** A copy: the buffer behind `chunk` is read into again. */
  #outgoing(chunk: Buffer): Uint8Array {
    const copy = Buffer.from(chunk)
    const bytes = this.#transform === undefined ? copy : this.#transform.push(copy)
    this.bytes += bytes.length
    return bytes
  }

  #last(last: Buffer | undefined): Uint8Array | undefined {
    const bytes = last === undefined ? undefined : this.#outgoing(last)
    if (this.#transform === undefined) return bytes
    const held = this.#transform.end()
    this.bytes += held.length
    return bytes === undefined ? held : Buffer.concat([bytes, held])
  }

  #addTrailers(trailers: readonly string[]): void {
    if (!this.#trailers || trailers.length === 0) return
    const pairs: [string, string][] = []
    for (let i = 0; i + 1 < trailers.length; i += 2) {
      const name = trailers[i] ?? ''
      if (mayTrail(name)) pairs.push([name, trailers[i + 1] ?? ''])
    }
    if (pairs.length > 0) this.#response.addTrailers(pairs)
  }
}
