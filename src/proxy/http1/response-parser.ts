import { speechFault } from '../connect-fault.ts'
import { ChunkedBody } from './chunked-body.ts'
import { parseResponseHead, type ResponseHead } from './response-head.ts'

/** Receives an answer as it is read. Buffers are views that hold good during the call only. */
export interface ResponseHandler {
  /** 1xx other than 100, and 101 where no tunnel was asked for. */
  onInformation(head: ResponseHead): void
  onHead(head: ResponseHead): void
  /** Never empty. After {@link onUpgrade}: bytes of the tunnel. */
  onBody(chunk: Buffer): void
  /** The answer is whole; `last` is what was left of its body. */
  onEnd(last: Buffer | undefined, trailers: readonly string[]): void
  /** 101: what follows is no HTTP. */
  onUpgrade(head: ResponseHead): void
}

const MAX_HEAD_BYTES = 65_536
/** Heads are looked for here first, so that a long read isn't turned into text whole. */
const FIRST_LOOK_BYTES = 4_096
const MAX_INFORMATIONAL = 16
const TOO_LARGE = `the header is larger than ${MAX_HEAD_BYTES} bytes`
const HTTP1 = 'HTTP/1.'

type State = 'idle' | 'head' | 'length' | 'chunked' | 'close' | 'tunnel'

/** Reads one answer after the other from a connection (RFC 9112), strictly and with bounds. */
export class ResponseParser {
  #state: State = 'idle'
  #handler: ResponseHandler | undefined
  #headRequest = false
  #protocol: string | undefined
  #informational = 0
  #left = 0
  #chunks: ChunkedBody | undefined
  #held = Buffer.alloc(0)
  #heldLength = 0
  /** Bytes of the answer under way have arrived. */
  begun = false
  /** Bytes came after the last answer's end: nothing that follows on this connection can be trusted. */
  excess = false

  /** @param headRequest See `parseResponseHead`. @param protocol 101 to it opens a tunnel; any other is a fault. */
  begin(handler: ResponseHandler, headRequest: boolean, protocol: string | undefined): void {
    this.#state = 'head'
    this.#handler = handler
    this.#headRequest = headRequest
    this.#protocol = protocol
    this.#informational = 0
    this.#heldLength = 0
    this.begun = false
  }

  /** Somebody else receives what follows. */
  handOver(handler: ResponseHandler): void {
    this.#handler = handler
  }

  /** Calls nobody any more. */
  stop(): void {
    this.#state = 'idle'
    this.#handler = undefined
    this.#chunks = undefined
    this.#held = Buffer.alloc(0)
    this.#heldLength = 0
  }

  /** Reads `buffer[0, end)`, which may be moved about. Answers what is wrong with it, undefined when nothing is. */
  push(buffer: Buffer, end: number): string | undefined {
    this.begun = true
    let at = 0
    while (this.#state === 'head') {
      const next = this.#readHead(buffer, at, end)
      if (typeof next === 'string') return next
      if (next === -1) return undefined
      at = next
    }
    return this.#readBody(buffer, at, end)
  }

  /** The connection has ended: whether that ends the answer as well. Calls `onEnd` when it does. */
  finish(): boolean {
    if (this.#state !== 'close' && this.#state !== 'tunnel') return false
    this.#complete(undefined, [], false)
    return true
  }

  /** Where the head's end is, -1 when it is yet to come, or a fault. */
  #readHead(buffer: Buffer, at: number, end: number): number | string {
    if (this.#heldLength > 0) return this.#readHeldHead(buffer, at, end)
    const look = Math.min(end, at + FIRST_LOOK_BYTES)
    let text = buffer.toString('latin1', at, look)
    let length = text.indexOf('\r\n\r\n')
    if (length === -1 && look < end) {
      text = buffer.toString('latin1', at, Math.min(end, at + MAX_HEAD_BYTES))
      length = text.indexOf('\r\n\r\n')
    }
    if (length === -1) return at === end ? -1 : (this.#hold(buffer, at, end) ?? -1)
    return this.#takeHead(text.slice(0, length + 2)) ?? at + length + 4
  }

  #readHeldHead(buffer: Buffer, at: number, end: number): number | string {
    const before = this.#heldLength
    const fault = this.#hold(buffer, at, end)
    const length = this.#held.subarray(0, this.#heldLength).indexOf('\r\n\r\n', Math.max(0, before - 3))
    if (length === -1) return fault ?? -1
    if (length > MAX_HEAD_BYTES) return TOO_LARGE
    const text = this.#held.toString('latin1', 0, length + 2)
    this.#heldLength = 0
    return this.#takeHead(text) ?? at + length + 4 - before
  }

  /** Keeps part of a head; a fault when it can't become one any more. */
  #hold(buffer: Buffer, at: number, end: number): string | undefined {
    const before = this.#heldLength
    const length = before + end - at
    if (before > MAX_HEAD_BYTES) return TOO_LARGE
    if (length > this.#held.length) {
      const grown = Buffer.allocUnsafe(Math.max(1_024, 2 * length))
      this.#held.copy(grown, 0, 0, before)
      this.#held = grown
    }
    buffer.copy(this.#held, before, at, end)
    this.#heldLength = length
    if (!HTTP1.startsWith(this.#held.toString('latin1', 0, Math.min(length, HTTP1.length))))
      return speechFault(this.#held.toString('latin1', 0, Math.min(length, 64)))
    if (hasBareLineFeed(this.#held, before, length)) return 'a line of the header ends in a bare line feed'
    return length > MAX_HEAD_BYTES ? TOO_LARGE : undefined
  }

  #takeHead(text: string): string | undefined {
    const head = parseResponseHead(text, this.#headRequest)
    if ('fault' in head) return head.fault
    if (head.status >= 200) {
      this.#left = head.length
      this.#chunks = head.framing === 'chunked' ? new ChunkedBody() : undefined
      this.#state = head.framing === 'none' ? 'length' : head.framing
      this.#handler?.onHead(head)
      return undefined
    }
    if (head.status === 101) return this.#takeUpgrade(head)
    this.#informational += 1
    if (this.#informational > MAX_INFORMATIONAL) return `there are more than ${MAX_INFORMATIONAL} informational answers`
    // The client's own Expect was answered before its body was read.
    if (head.status !== 100) this.#handler?.onInformation(head)
    return undefined
  }

  #takeUpgrade(head: ResponseHead): string | undefined {
    if (this.#protocol === undefined) return 'it switched protocols unasked'
    if (!switchesTo(head, this.#protocol)) return 'it switched to another protocol than was asked for'
    this.#state = 'tunnel'
    this.#handler?.onUpgrade(head)
    return undefined
  }

  #readBody(buffer: Buffer, at: number, end: number): string | undefined {
    switch (this.#state) {
      case 'length':
        this.#readLength(buffer, at, end)
        return undefined
      case 'chunked':
        return this.#readChunks(buffer, at, end)
      case 'close':
      case 'tunnel':
        if (at < end) this.#handler?.onBody(buffer.subarray(at, end))
        return undefined
      case 'idle':
      case 'head':
        return undefined
    }
  }

  #readLength(buffer: Buffer, at: number, end: number): void {
    const taken = Math.min(this.#left, end - at)
    this.#left -= taken
    const data = taken === 0 ? undefined : buffer.subarray(at, at + taken)
    if (this.#left === 0) this.#complete(data, [], at + taken < end)
    else if (data !== undefined) this.#handler?.onBody(data)
  }

  #readChunks(buffer: Buffer, at: number, end: number): string | undefined {
    const chunks = this.#chunks
    const next = chunks?.decode(buffer, at, end) ?? -1
    if (chunks === undefined || next === -1) return 'the chunked framing is broken'
    const data = chunks.dataEnd > chunks.dataStart ? buffer.subarray(chunks.dataStart, chunks.dataEnd) : undefined
    if (chunks.done) this.#complete(data, chunks.trailers, next < end)
    else if (data !== undefined) this.#handler?.onBody(data)
    return undefined
  }

  #complete(last: Buffer | undefined, trailers: readonly string[], excess: boolean): void {
    const handler = this.#handler
    this.#state = 'idle'
    this.#handler = undefined
    this.#chunks = undefined
    this.excess = excess
    handler?.onEnd(last, trailers)
  }
}

/** Whether a 101 names this protocol and no other (RFC 9110 §15.2.2). */
function switchesTo({ headers }: ResponseHead, protocol: string): boolean {
  const named = headers.filter((_, i) => i % 2 === 1 && headers[i - 1]?.toLowerCase() === 'upgrade')
  return named.length === 1 && named[0]?.toLowerCase() === protocol.toLowerCase()
}

/** Whether a line of `bytes[from, to)` ends without a carriage return. */
function hasBareLineFeed(bytes: Buffer, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    if (bytes[i] === 0x0a && bytes[i - 1] !== 0x0d) return true
  }
  return false
}
