// Bytes that can't stand plain in a path (RFC 3986 §3.3), apart from those above 0x7e.
const NEVER_PLAIN = new Set([...' "<>^`{|}'].map((char) => char.charCodeAt(0)))

/** The byte that the escape at `text[at]` stands for, or -1 when no `%` and two hex digits stand there. */
function escapedByte(text: string, at: number): number {
  if (text.charCodeAt(at) !== 0x25) return -1
  const high = hexDigit(text.charCodeAt(at + 1))
  const low = hexDigit(text.charCodeAt(at + 2))
  return high === -1 || low === -1 ? -1 : high * 16 + low
}

/** Percent-decodes every escape once, bytes as U+0000 to U+00FF. Broken escapes stay: a name may hold a `%`. */
export function decodeOnce(text: string): string {
  return decodeWhere(text, () => true)
}

/**
 * The form in which paths, route paths and patterns are compared: bytes, where escapes of what can't stand plain in a path
 * are decoded. All readers agree about those; `%20` is the only way to write a space.
 */
export function comparable(text: string): string {
  return decodeWhere(utf8(text), (byte) => byte > 0x7e || NEVER_PLAIN.has(byte))
}

/**
 * A path as readers take it that ignore letter case, for comparison with others of this form only: Windows and macOS fold what is beyond
 * ASCII, too, and compose accents. Bytes that are no UTF-8 are all one: they keep no other letter from being folded.
 * @param path In comparable form, or part of such.
 */
export function foldCase(path: string): string {
  if (!/[A-Z\x80-\xff]/.test(path)) return path
  if (!/[\x80-\xff]/.test(path)) return path.toLowerCase()
  const bytes = new Uint8Array(path.length)
  for (let i = 0; i < path.length; i++) bytes[i] = path.charCodeAt(i)
  // There and back and there again: ẞ is ß in lower case only, ſ is S in upper case only.
  const folded = UTF8.decode(bytes).normalize('NFC').toLowerCase().toUpperCase().toLowerCase()
  // The dot that İ leaves on its i, and the sigma whose form depends on what stands beside it.
  return folded.replace(/i\u0307/g, 'i').replace(/ς/g, 'σ')
}

const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** A route's path as it is written in URLs: what can't stand plain is percent-encoded, escapes stay. */
export function urlPath(path: string): string {
  return path.toWellFormed().replace(/[^!-~]+|["<>^`{|}]/g, encodeURIComponent)
}

function decodeWhere(text: string, wanted: (byte: number) => boolean): string {
  let at = text.indexOf('%')
  if (at === -1) return text
  let out = ''
  let from = 0
  for (; at !== -1; at = text.indexOf('%', at + 1)) {
    const byte = escapedByte(text, at)
    if (byte === -1 || !wanted(byte)) continue
    out += text.slice(from, at) + String.fromCharCode(byte)
    from = at + 3
    at += 2
  }
  return out + text.slice(from)
}

function utf8(text: string): string {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7f)
      return Array.from(new TextEncoder().encode(text), (b) => String.fromCharCode(b)).join('')
  }
  return text
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

// `%25252541` has four readings. Nobody nests deeper by accident, and each level costs a pass over the path.
const MAX_DECODES = 3

/** Bytes. Bounds what the readings of one path can cost. */
const MAX_PATH = 8_192

/** A request target in origin-form (RFC 9112 §3.2.1) whose path every reader understands alike. */
export interface Target {
  /** As received. This is what goes upstream, byte for byte. */
  readonly path: string
  /** '' or from `?` on, as received; never judged. */
  readonly query: string
  /**
   * What readers may take the path for, in comparable form (see `comparable`): as received; percent-decoded again and
   * again; those without `;parameters`, cut at a decoded `?` or `#`, with slashes merged. Never empty. All must lead to one route, rule and publicness.
   */
  readonly readings: readonly string[]
  /** Some reading has `%2F`. */
  readonly encodedSlash: boolean
}

type TargetResult =
  | { readonly ok: true; readonly target: Target }
  | { readonly ok: false; readonly reason: 'ambiguous_path' | 'malformed_request'; readonly detail: string }

/**
 * Reads a request target. Dot segments in any reading, `\`, `//`, control bytes and broken escapes are `ambiguous_path`;
 * what is no origin-form is `malformed_request`. Does NOT judge routes or rules.
 */
export function parseTarget(requestTarget: string): TargetResult {
  if (requestTarget.charCodeAt(0) !== 0x2f) return malformed('the request target must be a path that begins with /')
  const cut = requestTarget.indexOf('?')
  if ((cut === -1 ? requestTarget.length : cut) > MAX_PATH)
    return malformed(`the path is longer than ${MAX_PATH} bytes`)
  const path = cut === -1 ? requestTarget : requestTarget.slice(0, cut)
  const query = cut === -1 ? '' : requestTarget.slice(cut)
  const fault =
    charactersFault(path, query) ?? (path.includes('//') ? ambiguous('the path has //') : readingFault(path))
  if (fault !== undefined) return fault
  if (!path.includes('%') && !path.includes(';')) {
    return { ok: true, target: { path, query, readings: [path], encodedSlash: false } }
  }
  return readAgain(path, query)
}

/** Whether a path, in any reading, has no dot segment, `\`, `//`, control byte or overlong UTF-8. */
export function isUnambiguous(reading: string): boolean {
  return !reading.includes('//') && readingFault(reading) === undefined
}

function malformed(detail: string): TargetResult {
  return { ok: false, reason: 'malformed_request', detail }
}

function ambiguous(detail: string): TargetResult {
  return { ok: false, reason: 'ambiguous_path', detail }
}

function charactersFault(path: string, query: string): TargetResult | undefined {
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i)
    if (code === 0x23) return malformed('the request target has a #; encode it as %23')
    if (code > 0x7e && code !== 0x7f) return malformed('the path has bytes that must be percent-encoded')
    if (code === 0x20) return malformed('the path has a space; encode it as %20')
    if (code === 0x25 && escapedByte(path, i) === -1) return ambiguous('the path has a broken percent escape; % is %25')
  }
  for (let i = 0; i < query.length; i++) {
    const code = query.charCodeAt(i)
    if (code <= 0x20 || code > 0x7e || code === 0x23) {
      return malformed('the query has a character that must be percent-encoded')
    }
  }
  return undefined
}

/** What no reading may hold, plain or decoded. */
function readingFault(reading: string): TargetResult | undefined {
  if (hasDotSegment(reading)) return ambiguous('the path has a dot segment (. or ..), plain or encoded')
  for (let i = 0; i < reading.length; i++) {
    const code = reading.charCodeAt(i)
    if (code < 0x20 || code === 0x7f) return ambiguous('the path has a control byte, plain or encoded')
    if (code === 0x5c) return ambiguous('the path has a backslash, plain or encoded')
    if (code >= 0xc0 && isOverlong(code, reading.charCodeAt(i + 1))) {
      return ambiguous('the path has an overlong UTF-8 sequence')
    }
  }
  return undefined
}

function hasDotSegment(path: string): boolean {
  for (let at = path.indexOf('/.'); at !== -1; at = path.indexOf('/.', at + 1)) {
    const next = path[at + 2] === '.' ? path[at + 3] : path[at + 2]
    // Servers of the servlet kind drop `;…` before they resolve dot segments; others stop at a decoded `?` or `#`. Where that leaves the
    // same folder it is no other path: files are called `.#x`.
    if (next === undefined || (path[at + 2] === '.' ? '/;?#' : '/;').includes(next)) return true
  }
  return false
}

/** Old decoders take `%c0%ae` for a dot (RFC 3629 §10). */
function isOverlong(lead: number, next: number): boolean {
  if (!(next >= 0x80 && next <= 0xbf)) return false
  return lead === 0xc0 || lead === 0xc1 || (lead === 0xe0 && next < 0xa0) || (lead === 0xf0 && next < 0x90)
}

function readAgain(path: string, query: string): TargetResult {
  const readings = new Set<string>([comparable(path)])
  let encodedSlash = hasEncodedSlash(path)
  let reading = path
  for (let decodes = 0; ; decodes++) {
    const next = decodeOnce(reading)
    if (next === reading) break
    if (decodes === MAX_DECODES) return ambiguous('the path is percent-encoded too many times over')
    const fault = readingFault(next)
    if (fault !== undefined) return fault
    readings.add(next)
    encodedSlash ||= hasEncodedSlash(next)
    reading = next
  }
  for (const each of [...readings]) {
    const bare = withoutParameters(withoutTail(each))
    readings.add(bare).add(withSlashesMerged(bare)).add(withSlashesMerged(each))
  }
  return { ok: true, target: { path, query, readings: [...readings], encodedSlash } }
}

function hasEncodedSlash(path: string): boolean {
  return path.includes('%2F') || path.includes('%2f')
}

/** Up to a decoded `?` or `#`, where a server that parses what it has decoded would stop; what is left of `.#x` is the folder. */
function withoutTail(path: string): string {
  const end = path.search(/[?#]/)
  return end === -1 ? path : path.slice(0, end).replace(/\/\.$/, '/')
}

function withoutParameters(path: string): string {
  if (!path.includes(';')) return path
  return path
    .split('/')
    .map((segment) => segment.split(';', 1)[0])
    .join('/')
}

function withSlashesMerged(path: string): string {
  return path.includes('//') ? path.replace(/\/{2,}/g, '/') : path
}
