/** How the end of a body is found (RFC 9112 §6.3). */
export type BodyFraming = 'none' | 'length' | 'chunked' | 'close'

/** The head of a final or informational answer, framing decided. */
export interface ResponseHead {
  readonly status: number
  /** May be ''. */
  readonly reason: string
  /** Raw pairs as they came; of several equal Content-Length fields one is left. */
  readonly headers: readonly string[]
  readonly framing: BodyFraming
  /** Bytes of the body; 0 unless framing is `length`. */
  readonly length: number
  /** The connection may carry another request once this answer is whole. */
  readonly persistent: boolean
  /** Seconds of `Keep-Alive: timeout`; undefined when there is none. */
  readonly keepAliveSeconds: number | undefined
  readonly dated: boolean
}

export interface HeadFault {
  readonly fault: string
}

const MAX_FIELDS = 200

const STATUS_LINE = /^HTTP\/1\.([0-9]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?$/
// Names are tokens, and each class ends where the next begins: no space before the colon, no folding, no bare CR, LF or NUL, linear time.
const FIELD_LINES = /^(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*$/
const LENGTH = /^[0-9]{1,15}$/

/**
 * Reads a whole head (RFC 9112 §4, §5), strictly.
 * @param text latin1, from the status line to the CRLF that ends the last field line; the empty line is not part of it.
 * @param headRequest The answer is to HEAD and has no body whatever its fields say.
 */
export function parseResponseHead(text: string, headRequest: boolean): ResponseHead | HeadFault {
  const lineEnd = text.indexOf('\r\n')
  const line = STATUS_LINE.exec(text.slice(0, lineEnd))
  if (line === null) return { fault: 'the status line is malformed' }
  const headers = parseFieldLines(text.slice(lineEnd + 2))
  if (headers === undefined) return { fault: 'a field line is malformed' }
  if (headers.length > 2 * MAX_FIELDS) return { fault: `there are more than ${MAX_FIELDS} header fields` }
  const facts = framingFacts(headers)
  if ('fault' in facts) return facts
  const status = Number(line[2])
  const http10 = line[1] === '0'
  if (facts.chunked && http10) return { fault: 'HTTP/1.0 has no Transfer-Encoding' }
  const bodiless = headRequest || status < 200 || status === 204 || status === 304
  const framing = bodiless ? 'none' : facts.chunked ? 'chunked' : facts.length === undefined ? 'close' : 'length'
  return {
    status,
    reason: line[3] ?? '',
    headers: facts.headers,
    framing,
    length: framing === 'length' ? (facts.length ?? 0) : 0,
    persistent: !http10 && !facts.close && framing !== 'close',
    keepAliveSeconds: facts.keepAliveSeconds,
    dated: facts.dated,
  }
}

/**
 * Raw pairs of field lines that each end in CRLF, white space around values off; undefined when one is not strictly
 * `field-name ":" OWS field-value OWS` (RFC 9112 §5).
 */
export function parseFieldLines(text: string): string[] | undefined {
  if (!FIELD_LINES.test(text)) return undefined
  const pairs: string[] = []
  for (let at = 0; at < text.length; ) {
    const colon = text.indexOf(':', at)
    const end = text.indexOf('\r\n', colon)
    pairs.push(text.slice(at, colon), trimmed(text, colon + 1, end))
    at = end + 2
  }
  return pairs
}

interface FramingFacts {
  readonly headers: readonly string[]
  readonly length: number | undefined
  readonly chunked: boolean
  readonly close: boolean
  readonly keepAliveSeconds: number | undefined
  readonly dated: boolean
}

function framingFacts(headers: readonly string[]): FramingFacts | HeadFault {
  let lengths: string | undefined
  let encodings: string | undefined
  let close = false
  let dated = false
  let keepAliveSeconds: number | undefined
  for (let i = 0; i < headers.length; i += 2) {
    const value = headers[i + 1] ?? ''
    switch (framingName(headers[i] ?? '')) {
      case 'content-length':
        lengths = lengths === undefined ? value : `${lengths},${value}`
        break
      case 'transfer-encoding':
        encodings = encodings === undefined ? value : `${encodings},${value}`
        break
      case 'connection':
        close ||= /(^|[\t ,])close([\t ,]|$)/i.test(value)
        break
      case 'keep-alive':
        keepAliveSeconds = keepAliveHint(value) ?? keepAliveSeconds
        break
      case 'date':
        dated = true
        break
    }
  }
  if (encodings !== undefined && lengths !== undefined)
    return { fault: 'Transfer-Encoding and Content-Length together' }
  if (encodings !== undefined && encodings.toLowerCase() !== 'chunked') return { fault: 'unknown Transfer-Encoding' }
  const length = lengths === undefined ? undefined : agreedLength(lengths)
  if (length === null) return { fault: 'Content-Length is not one number' }
  const doubled = length !== undefined && lengths?.includes(',') === true
  const kept = doubled ? withOneLength(headers, String(length)) : headers
  return { headers: kept, length, chunked: encodings !== undefined, close, keepAliveSeconds, dated }
}

/** The lower-case name where its length is one of those that matter; '' otherwise, so that most names cost no copy. */
function framingName(name: string): string {
  const { length } = name
  return length === 14 || length === 17 || length === 10 || length === 4 ? name.toLowerCase() : ''
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

function withOneLength(headers: readonly string[], length: string): string[] {
  const kept: string[] = []
  let seen = false
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    const isLength = name.toLowerCase() === 'content-length'
    if (!isLength) kept.push(name, headers[i + 1] ?? '')
    else if (!seen) kept.push(name, length)
    seen ||= isLength
  }
  return kept
}

function trimmed(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isBlank(text.charCodeAt(start))) start += 1
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}
