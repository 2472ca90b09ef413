import { trimmed } from '../../core/headers/fields.ts'
import { quoted, speechFault } from '../connect-fault.ts'

/** How the end of a body is found (RFC 9112 §6.3). */
type BodyFraming = 'none' | 'length' | 'chunked' | 'close'

/** The head of a final or informational answer, framing decided. */
export interface ResponseHead {
  readonly status: number
  /** May be ''. */
  readonly reason: string
  /** Raw pairs as they came; of several equal Content-Length fields one is left, spelled as its number is. Taken apart when they are first asked for. */
  readonly headers: readonly string[]
  /** The field lines as they came, a CRLF after each. */
  readonly lines: string
  /** There is a Content-Length, whether or not it frames a body. */
  readonly measured: boolean
  /** It was said more than once, or not as its number is spelled: `lines` can't go on as they are. */
  readonly lengthRespelled: boolean
  /** There is a `Trailer`. */
  readonly announcesTrailers: boolean
  readonly framing: BodyFraming
  /** Bytes of the body; 0 unless framing is `length`. */
  readonly length: number
  /** The connection may carry another request once this answer is whole. */
  readonly persistent: boolean
  /** Seconds of `Keep-Alive: timeout`; undefined when there is none. */
  readonly keepAliveSeconds: number | undefined
  readonly dated: boolean
}

interface HeadFault {
  readonly fault: string
}

const MAX_FIELDS = 200

const STATUS_LINE = /^HTTP\/1\.([0-9]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?$/
// Names are tokens, and each class ends where the next begins: no space before the colon, no folding, no bare CR, LF or NUL, linear time.
const FIELD_LINES = /^(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*$/
const LENGTH = /^0{0,15}[0-9]{1,15}$/

/**
 * Reads a whole head (RFC 9112 §4, §5), strictly.
 * @param text latin1, from the status line to the CRLF that ends the last field line; the empty line is not part of it.
 * @param headRequest The answer is to HEAD and has no body whatever its fields say.
 */
export function parseResponseHead(text: string, headRequest: boolean): ResponseHead | HeadFault {
  const lineEnd = text.indexOf('\r\n')
  const line = STATUS_LINE.exec(text.slice(0, lineEnd))
  if (line === null) return { fault: statusFault(text.slice(0, lineEnd)) }
  const lines = text.slice(lineEnd + 2)
  if (!FIELD_LINES.test(lines)) return { fault: fieldFault(lines) }
  const facts = framingFacts(lines)
  if ('fault' in facts) return facts
  const status = Number(line[2])
  const http10 = line[1] === '0'
  if (facts.chunked && http10) return { fault: 'HTTP/1.0 has no Transfer-Encoding' }
  const bodiless = headRequest || status < 200 || status === 204 || status === 304
  const framing = bodiless ? 'none' : facts.chunked ? 'chunked' : facts.length === undefined ? 'close' : 'length'
  return new ParsedHead(status, line[3] ?? '', lines, framing, http10, facts)
}

function statusFault(line: string): string {
  return line.startsWith('HTTP/1.') ? `the status line is malformed: ${quoted(line)}` : speechFault(line)
}

/** Names the first line that is no field line, without its value: that may be a secret. */
function fieldFault(lines: string): string {
  const bad = lines.split('\r\n').find((line) => !FIELD_LINES.test(`${line}\r\n`)) ?? ''
  return `a field line is malformed: ${quoted(bad.slice(0, bad.indexOf(':') + 1) || bad.slice(0, 16))}`
}

class ParsedHead implements ResponseHead {
  readonly status: number
  readonly reason: string
  readonly lines: string
  readonly framing: BodyFraming
  readonly length: number
  readonly measured: boolean
  readonly lengthRespelled: boolean
  readonly persistent: boolean
  readonly keepAliveSeconds: number | undefined
  readonly dated: boolean
  readonly announcesTrailers: boolean
  #headers: readonly string[] | undefined

  constructor(
    status: number,
    reason: string,
    lines: string,
    framing: BodyFraming,
    http10: boolean,
    { length, lengthRespelled, close, keepAliveSeconds, dated, announcesTrailers }: FramingFacts,
  ) {
    this.status = status
    this.reason = reason
    this.lines = lines
    this.framing = framing
    this.length = framing === 'length' ? (length ?? 0) : 0
    this.measured = length !== undefined
    this.lengthRespelled = lengthRespelled
    this.persistent = !http10 && !close && framing !== 'close'
    this.keepAliveSeconds = keepAliveSeconds
    this.dated = dated
    this.announcesTrailers = announcesTrailers
  }

  get headers(): readonly string[] {
    if (this.#headers !== undefined) return this.#headers
    const pairs = pairsOf(this.lines)
    this.#headers = this.lengthRespelled ? withOneLength(pairs) : pairs
    return this.#headers
  }
}

/**
 * Raw pairs of field lines that each end in CRLF, white space around values off; undefined when one is not strictly
 * `field-name ":" OWS field-value OWS` (RFC 9112 §5).
 */
export function parseFieldLines(text: string): string[] | undefined {
  return FIELD_LINES.test(text) ? pairsOf(text) : undefined
}

function pairsOf(lines: string): string[] {
  const pairs: string[] = []
  for (let at = 0; at < lines.length; ) {
    const colon = lines.indexOf(':', at)
    const end = lines.indexOf('\r\n', colon)
    pairs.push(lines.slice(at, colon), trimmed(lines, colon + 1, end))
    at = end + 2
  }
  return pairs
}

interface FramingFacts {
  readonly length: number | undefined
  readonly lengthRespelled: boolean
  readonly chunked: boolean
  readonly close: boolean
  readonly keepAliveSeconds: number | undefined
  readonly dated: boolean
  readonly announcesTrailers: boolean
}

/** What the fields said, so far; of several Content-Length or Transfer-Encoding fields the values stand in a list. */
interface HeaderFacts {
  lengths: string | undefined
  encodings: string | undefined
  close: boolean
  keepAliveSeconds: number | undefined
  dated: boolean
  announcesTrailers: boolean
}

function framingFacts(lines: string): FramingFacts | HeadFault {
  const facts: HeaderFacts = {
    lengths: undefined,
    encodings: undefined,
    close: false,
    keepAliveSeconds: undefined,
    dated: false,
    announcesTrailers: false,
  }
  let fields = 0
  for (let at = 0; at < lines.length; ) {
    const colon = lines.indexOf(':', at)
    const end = lines.indexOf('\r\n', colon)
    if (mayMatter(colon - at)) noteField(facts, lines.slice(at, colon).toLowerCase(), trimmed(lines, colon + 1, end))
    fields += 1
    at = end + 2
  }
  return fields > MAX_FIELDS ? { fault: `there are more than ${MAX_FIELDS} header fields` } : judgeFraming(facts)
}

/** Whether a name of this length may be one of those that {@link noteField} knows, so that most fields cost no copy. */
function mayMatter(nameLength: number): boolean {
  return nameLength === 4 || nameLength === 7 || nameLength === 10 || nameLength === 14 || nameLength === 17
}

function noteField(facts: HeaderFacts, name: string, value: string): void {
  switch (name) {
    case 'content-length':
      facts.lengths = facts.lengths === undefined ? value : `${facts.lengths},${value}`
      break
    case 'transfer-encoding':
      facts.encodings = facts.encodings === undefined ? value : `${facts.encodings},${value}`
      break
    case 'connection':
      facts.close ||= /(^|[\t ,])close([\t ,]|$)/i.test(value)
      break
    case 'keep-alive':
      facts.keepAliveSeconds = keepAliveHint(value) ?? facts.keepAliveSeconds
      break
    case 'trailer':
      facts.announcesTrailers = true
      break
    case 'date':
      facts.dated = true
      break
  }
}

function judgeFraming(facts: HeaderFacts): FramingFacts | HeadFault {
  const { lengths, encodings, close, keepAliveSeconds, dated, announcesTrailers } = facts
  if (encodings !== undefined && lengths !== undefined)
    return { fault: 'Transfer-Encoding and Content-Length together' }
  if (encodings !== undefined && encodings.toLowerCase() !== 'chunked')
    return { fault: `the Transfer-Encoding is not chunked: ${quoted(encodings)}` }
  const length = lengths === undefined ? undefined : agreedLength(lengths)
  if (length === null) return { fault: `the Content-Length is not one number: ${quoted(lengths ?? '')}` }
  const lengthRespelled = lengths !== undefined && lengths !== String(length)
  return {
    length,
    lengthRespelled,
    chunked: encodings !== undefined,
    close,
    keepAliveSeconds,
    dated,
    announcesTrailers,
  }
}

function keepAliveHint(value: string): number | undefined {
  const hint = /(?:^|[\t ,])timeout=([0-9]{1,6})(?:[\t ,]|$)/i.exec(value)
  return hint === null ? undefined : Number(hint[1])
}

/** Several are one when all are equal (RFC 9112 §6.3); null when they are no number. */
function agreedLength(lengths: string): number | null {
  if (LENGTH.test(lengths)) return Number(lengths)
  const each = lengths.split(',').map((length) => length.trim())
  const first = each[0] ?? ''
  return LENGTH.test(first) && each.every((length) => length === first) ? Number(first) : null
}

/** Only for fields that agree: the first stands for all, as the number was read. */
function withOneLength(headers: readonly string[]): string[] {
  const kept: string[] = []
  let seen = false
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    const isLength = name.toLowerCase() === 'content-length'
    if (!isLength) kept.push(name, headers[i + 1] ?? '')
    else if (!seen) kept.push(name, String(agreedLength(headers[i + 1] ?? '') ?? ''))
    seen ||= isLength
  }
  return kept
}
