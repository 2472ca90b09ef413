import type { ResolvedClient } from '../headers/forwarded.ts'
import type { Route } from '../route.ts'
import { clientReference } from './client-reference.ts'

/** Turns a body into another as it streams. */
interface BodyRewriter {
  push(chunk: Uint8Array): Uint8Array
  /** What was held back; called once, at the end of the body. */
  end(): Uint8Array
}

/**
 * Gives the stripped prefix back to the `href` elements of a WebDAV body (RFC 4918 §14.7), of any namespace prefix, wherever chunks are
 * cut. Everything else passes byte for byte: comments, CDATA, attributes, and a body that is no ASCII-compatible XML. Holds at
 * most one href of 16 KiB; a longer one passes as it is.
 */
export function createHrefRewriter(route: Route, client: ResolvedClient): BodyRewriter {
  return new HrefRewriter((reference) => clientReference(route, client, reference))
}

const LONGEST_HREF = 16_384
const LONGEST_NAME = 128
const LT = 0x3c
const GT = 0x3e
const SLASH = 0x2f

type State = 'text' | 'name' | 'tag' | 'markup' | 'href' | 'foreign'

class HrefRewriter implements BodyRewriter {
  readonly #map: (reference: string) => string
  #state: State = 'text'
  #started = false
  /** Of the tag being read; '' once it can't be an href's. */
  #name = ''
  #quote = 0
  #selfClosing = false
  /** Comments, CDATA and instructions end at `>` after `#need` bytes `#mark` in a row. */
  #mark = 0
  #need = 0
  #run = 0
  #held = ''

  constructor(map: (reference: string) => string) {
    this.#map = map
  }

  push(chunk: Uint8Array): Uint8Array {
    const out: Uint8Array[] = []
    let from = 0
    if (!this.#started && chunk.length > 0) this.#begin(chunk[0] ?? 0)
    for (let i = 0; i < chunk.length; i++) {
      const before = this.#state
      if (before === 'foreign') break
      if (before === 'text') {
        i = chunk.indexOf(LT, i)
        if (i === -1) break
      }
      const byte = chunk[i] ?? 0
      if (before !== 'href') {
        this.#step(byte)
        if (this.#state === 'href') from = this.#flush(out, chunk, from, i + 1)
        continue
      }
      if (this.#hold(byte)) continue
      out.push(this.#release(byte === LT))
      from = i
      if (byte === LT) this.#step(byte)
    }
    if (this.#state !== 'href') this.#flush(out, chunk, from, chunk.length)
    return joined(out)
  }

  end(): Uint8Array {
    return this.#state === 'href' ? this.#release(false) : new Uint8Array(0)
  }

  /** UTF-16 and UTF-32 begin with a byte order mark or a zero byte; what would be a tag in them is none in ASCII. */
  #begin(first: number): void {
    this.#started = true
    if (first === 0 || first >= 0xfe) this.#state = 'foreign'
  }

  #flush(out: Uint8Array[], chunk: Uint8Array, from: number, to: number): number {
    if (to > from) out.push(chunk.subarray(from, to))
    return to
  }

  #step(byte: number): void {
    switch (this.#state) {
      case 'text':
        this.#state = 'name'
        this.#name = ''
        this.#selfClosing = false
        this.#quote = 0
        return
      case 'name':
        this.#inName(byte)
        return
      case 'tag':
        this.#inTag(byte)
        return
      case 'markup':
        this.#inMarkup(byte)
        return
      case 'href':
      case 'foreign':
        return
    }
  }

  #inName(byte: number): void {
    if (byte === 0) this.#state = 'foreign'
    else if (byte <= 0x20 || byte === SLASH || byte === GT) {
      this.#state = 'tag'
      if (byte === SLASH && this.#name === '') this.#name = '/'
      this.#inTag(byte)
    } else this.#extendName(String.fromCharCode(byte))
  }

  #extendName(char: string): void {
    this.#name += char
    if (this.#name === '!--') this.#enterMarkup('-', 2)
    else if (this.#name === '![CDATA[') this.#enterMarkup(']', 2)
    else if (this.#name === '?') this.#enterMarkup('?', 1)
    else if (this.#name.length > LONGEST_NAME) {
      this.#name = ''
      this.#state = 'tag'
    }
  }

  #enterMarkup(mark: string, need: number): void {
    this.#state = 'markup'
    this.#mark = mark.charCodeAt(0)
    this.#need = need
    this.#run = 0
  }

  #inTag(byte: number): void {
    if (this.#quote !== 0) {
      if (byte === this.#quote) this.#quote = 0
    } else if (byte === GT) {
      const href = !this.#selfClosing && (this.#name === 'href' || this.#name.endsWith(':href'))
      this.#state = href ? 'href' : 'text'
      this.#held = ''
    } else {
      this.#selfClosing = byte === SLASH
      if (byte === 0x22 || byte === 0x27) this.#quote = byte
    }
  }

  #inMarkup(byte: number): void {
    if (byte === GT && this.#run >= this.#need) this.#state = 'text'
    this.#run = byte === this.#mark ? this.#run + 1 : 0
  }

  #hold(byte: number): boolean {
    if (byte === LT || this.#held.length >= LONGEST_HREF) return false
    this.#held += String.fromCharCode(byte)
    return true
  }

  /** Leaves the href. Only a whole one is rewritten: half of one may be anything. */
  #release(whole: boolean): Uint8Array {
    const text = this.#held
    this.#held = ''
    this.#state = 'text'
    const reference = text.trim()
    const at = text.indexOf(reference)
    const written = whole ? this.#map(reference).replace(/&(?!#?\w+;)/g, '&amp;') : reference
    return bytesOf(text.slice(0, at) + written + text.slice(at + reference.length))
  }
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0))
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts
  if (only !== undefined && parts.length === 1) return only
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
