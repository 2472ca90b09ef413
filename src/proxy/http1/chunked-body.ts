import { parseFieldLines } from './response-head.ts'

const CR = 0x0d
const LF = 0x0a
const SEMICOLON = 0x3b
/** Sizes stay exact integers: 13 hex digits are 2^52 bytes. */
const MAX_SIZE_DIGITS = 13
/** Over the whole body: extensions cost work and carry nothing. */
const MAX_EXTENSION_BYTES = 16_384
const MAX_TRAILER_BYTES = 16_384
const MAX_TRAILER_FIELDS = 100

type State = 'size' | 'size_blank' | 'extension' | 'size_lf' | 'data' | 'data_cr' | 'data_lf' | 'trailers' | 'done'

/** Takes chunked framing off as bytes arrive (RFC 9112 §7.1), strictly: CRLF only, white space behind sizes at most. */
export class ChunkedBody {
  #state: State = 'size'
  #size = 0
  #digits = 0
  #extensionBytes = 0
  #trailerText = ''
  /** Raw pairs; complete once {@link done}. */
  trailers: readonly string[] = []
  /** Where the last {@link decode} left the data, in its buffer. */
  dataStart = 0
  dataEnd = 0

  get done(): boolean {
    return this.#state === 'done'
  }

  /**
   * Decodes `buffer[start, end)`, moving the data of several chunks together inside the buffer: `[dataStart, dataEnd)`.
   * Answers where the next byte that isn't part of the body stands (`end` unless {@link done}), or -1 when the framing is broken.
   */
  decode(buffer: Buffer, start: number, end: number): number {
    this.dataStart = start
    this.dataEnd = start
    let at = start
    while (at < end && this.#state !== 'done') {
      if (this.#state === 'data') at = this.#takeData(buffer, at, end)
      else if (this.#state === 'trailers') at = this.#takeTrailers(buffer, at, end)
      else if (this.#step(buffer[at] ?? 0)) at += 1
      else return -1
      if (at === -1) return -1
    }
    return at
  }

  #step(byte: number): boolean {
    switch (this.#state) {
      case 'size':
        return this.#inSize(byte)
      case 'size_blank':
        return this.#inBlank(byte)
      case 'extension':
        return this.#inExtension(byte)
      case 'size_lf':
        return byte === LF && this.#enterChunk()
      case 'data_cr':
        this.#state = 'data_lf'
        return byte === CR
      case 'data_lf':
        this.#state = 'size'
        this.#size = 0
        this.#digits = 0
        return byte === LF
      case 'data':
      case 'trailers':
      case 'done':
        return false
    }
  }

  #inSize(byte: number): boolean {
    const digit = hexDigit(byte)
    if (digit !== -1) {
      this.#size = this.#size * 16 + digit
      this.#digits += 1
      return this.#digits <= MAX_SIZE_DIGITS
    }
    this.#state = byte === CR ? 'size_lf' : isBlank(byte) ? 'size_blank' : 'extension'
    return this.#digits > 0 && (byte === CR || byte === SEMICOLON || isBlank(byte))
  }

  /** Old servers pad sizes, and white space may stand before an extension (RFC 9112 §7.1.1). */
  #inBlank(byte: number): boolean {
    this.#extensionBytes += 1
    if (!isBlank(byte)) this.#state = byte === CR ? 'size_lf' : 'extension'
    return (byte === CR || byte === SEMICOLON || isBlank(byte)) && this.#extensionBytes <= MAX_EXTENSION_BYTES
  }

  #inExtension(byte: number): boolean {
    this.#extensionBytes += 1
    if (byte === CR) this.#state = 'size_lf'
    else if ((byte < 0x20 && byte !== 0x09) || byte === 0x7f) return false
    return this.#extensionBytes <= MAX_EXTENSION_BYTES
  }

  #enterChunk(): boolean {
    this.#state = this.#size === 0 ? 'trailers' : 'data'
    return true
  }

  #takeData(buffer: Buffer, at: number, end: number): number {
    const taken = Math.min(this.#size, end - at)
    if (this.dataEnd === this.dataStart) {
      this.dataStart = at
      this.dataEnd = at
    } else buffer.copyWithin(this.dataEnd, at, at + taken)
    this.dataEnd += taken
    this.#size -= taken
    if (this.#size === 0) this.#state = 'data_cr'
    return at + taken
  }

  /** Trailers are collected until the empty line that ends them. */
  #takeTrailers(buffer: Buffer, at: number, end: number): number {
    const before = this.#trailerText.length
    const text = this.#trailerText + buffer.toString('latin1', at, Math.min(end, at + MAX_TRAILER_BYTES + 4 - before))
    this.#trailerText = text
    const finish = text.startsWith('\r\n') ? 0 : text.indexOf('\r\n\r\n') + 2
    if (finish === 1) return text.length > MAX_TRAILER_BYTES || !mayBecomeFields(text) ? -1 : at + text.length - before
    const trailers = parseFieldLines(text.slice(0, finish))
    if (trailers === undefined || trailers.length > 2 * MAX_TRAILER_FIELDS) return -1
    this.trailers = trailers
    this.#state = 'done'
    return at + finish + 2 - before
  }
}

/** A line feed alone never ends a line; saying so now beats waiting for an end that will not come. */
function mayBecomeFields(text: string): boolean {
  return !/(^|[^\r])\n/.test(text)
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}
