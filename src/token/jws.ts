import { ownText } from '../core/fields.ts'

export type JsonObject = Readonly<Record<string, unknown>>

export type JsonResult =
  | { readonly ok: true; readonly value: JsonObject }
  | { readonly ok: false; readonly detail: string }

/** Far deeper than any token, far shallower than what makes a recursive reader fail. */
const MAX_DEPTH = 32

// `ignoreBOM` keeps the mark, which is then no JSON.
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * One JSON object that has a single reading: strict UTF-8 without byte order mark, no member twice in an object, none named
 * `__proto__`, no half of a surrogate pair, at most 32 levels deep. Never throws.
 */
export function parseStrictJson(bytes: Uint8Array): JsonResult {
  let text: string
  let value: unknown
  try {
    text = UTF8.decode(bytes)
    value = JSON.parse(text)
  } catch {
    return { ok: false, detail: 'is not JSON in UTF-8' }
  }
  if (!isObject(value)) return { ok: false, detail: 'is not a JSON object' }
  const detail = isPlainly(value, text) ? undefined : ambiguity(text)
  return detail === undefined ? { ok: true, value } : { ok: false, detail }
}

/** Whether `value` is a JSON object, arrays and null excluded. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The member's value; inherited names such as `constructor` are no members. */
export function member(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

/**
 * Whether a text that is known to be JSON has one reading, told without reading it again: with no escapes in it, it has as many strings as pairs
 * of quotes, and a member that stands twice would be missing among those of `value`, which is what it was parsed to. False: look closer.
 */
function isPlainly(value: JsonObject, text: string): boolean {
  if (text.includes('\\')) return false
  const strings = stringsIn(value, 1)
  let quotes = 0
  for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', at + 1)) quotes += 1
  return 2 * strings === quotes
}

/** Names of members and values that are strings, all the way down; NaN where something is amiss. */
function stringsIn(value: object, depth: number): number {
  if (depth > MAX_DEPTH) return Number.NaN
  let strings = 0
  if (Array.isArray(value)) {
    for (const item of value) strings += stringsOf(item, depth)
    return strings
  }
  for (const name of Object.keys(value)) {
    if (name === '__proto__') return Number.NaN
    strings += 1 + stringsOf((value as JsonObject)[name], depth)
  }
  return strings
}

function stringsOf(item: unknown, depth: number): number {
  if (typeof item === 'string') return 1
  return typeof item === 'object' && item !== null ? stringsIn(item, depth + 1) : 0
}

const QUOTE = 0x22
const COMMA = 0x2c
const OPEN_ARRAY = 0x5b
const BACKSLASH = 0x5c
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** What two readers could understand differently in a text that is known to be JSON. */
function ambiguity(text: string): string | undefined {
  // The names met so far in each object that is open; undefined for an open array.
  const open: (Set<string> | undefined)[] = []
  let names: Set<string> | undefined
  let nameNext = false
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        nameNext = text.charCodeAt(i) === OPEN_OBJECT
        names = nameNext ? new Set() : undefined
        if (open.push(names) > MAX_DEPTH) return 'is nested too deeply'
        break
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        open.pop()
        names = open.at(-1)
        break
      case COMMA:
        nameNext = names !== undefined
        break
      case QUOTE: {
        const end = closingQuote(text, i)
        const fault = stringFault(text.slice(i, end + 1), nameNext ? names : undefined)
        if (fault !== undefined) return fault
        nameNext = false
        i = end
      }
    }
  }
  return undefined
}

function closingQuote(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end
}

function isEscaped(text: string, at: number): boolean {
  let first = at
  while (text.charCodeAt(first - 1) === BACKSLASH) first -= 1
  return (at - first) % 2 === 1
}

/** @param names Of the object that this is a member name of; undefined for a value. */
function stringFault(quoted: string, names: Set<string> | undefined): string | undefined {
  const string: string = quoted.includes('\\') ? JSON.parse(quoted) : quoted.slice(1, -1)
  if (!string.isWellFormed()) return 'has half of a surrogate pair'
  if (names === undefined) return undefined
  if (string === '__proto__') return 'has a member named __proto__'
  if (names.has(string)) return 'has the same member twice'
  names.add(string)
  return undefined
}

/** A JWS in compact serialization (RFC 7515 §7.1), taken apart. NOT verified: nothing in it may be believed yet. */
export interface CompactJws {
  readonly header: JsonObject
  readonly alg: string
  readonly typ: string | undefined
  readonly kid: string | undefined
  readonly payload: JsonObject
  readonly signingInput: Uint8Array
  readonly signature: Uint8Array
}

export type CompactJwsResult =
  | { readonly ok: true; readonly jws: CompactJws }
  /** `detail` has no subject: `is …` or `has …`. */
  | { readonly ok: false; readonly detail: string }

/** Longest token or proof that is looked at, in bytes. */
export const MAX_JWS_BYTES = 16_384

/**
 * Takes a compact JWS apart. Each part is base64url in its one canonical spelling, so that no two strings are one token; header and
 * payload are JSON objects with a single reading. Any `crit` is refused: no extension is understood (RFC 7515 §4.1.11). Never throws.
 */
export function parseCompactJws(text: string): CompactJwsResult {
  if (text.length > MAX_JWS_BYTES) return fault(`is longer than ${MAX_JWS_BYTES} bytes`)
  const parts = text.split('.', 6)
  if (parts.length === 5) return fault('is encrypted, and only signed ones can be read')
  const [head = '', body = '', tail = ''] = parts
  if (parts.length !== 3) return fault('is not a signed JWT, which is three parts with dots between')
  if (!isCanonical(head) || !isCanonical(body) || !isCanonical(tail)) return fault('is not in base64url')
  const header = readHeader(head)
  if (!header.ok) return fault(`has a header that ${header.detail}`)
  const payload = parseStrictJson(Buffer.from(body, 'base64url'))
  if (!payload.ok) return fault(`has a payload that ${payload.detail}`)
  const signingInput = Buffer.from(text.slice(0, head.length + 1 + body.length), 'latin1')
  return withHeader(header.value, { payload: payload.value, signingInput, signature: Buffer.from(tail, 'base64url') })
}

/** As many keys as issuers have, and algorithms: all of an issuer's tokens have one header. */
const MAX_HEADERS = 64
const LONGEST_HEADER = 512

const headers = new Map<string, JsonResult>()

/** Read once: a header says nothing of its token alone. Nothing of it is believed for having been seen. */
function readHeader(part: string): JsonResult {
  const known = headers.get(part)
  if (known !== undefined) return known
  const header = parseStrictJson(Buffer.from(part, 'base64url'))
  if (!header.ok || part.length > LONGEST_HEADER) return header
  if (headers.size >= MAX_HEADERS) headers.clear()
  headers.set(ownText(part), header)
  return header
}

function withHeader(
  header: JsonObject,
  rest: Pick<CompactJws, 'payload' | 'signingInput' | 'signature'>,
): CompactJwsResult {
  const alg = member(header, 'alg')
  const typ = member(header, 'typ')
  const kid = member(header, 'kid')
  if (typeof alg !== 'string') return fault('has a header without alg')
  if (typ !== undefined && typeof typ !== 'string') return fault('has a header whose typ is no string')
  if (kid !== undefined && typeof kid !== 'string') return fault('has a header whose kid is no string')
  if (Object.hasOwn(header, 'crit')) return fault('has a crit header, and no extension is understood here')
  // Without `crit` others ignore it (RFC 7797 §6); a reader that doesn't would see other claims than we do.
  if (Object.hasOwn(header, 'b64')) return fault('has a b64 header, and no extension is understood here')
  return { ok: true, jws: { header, alg, typ, kid, ...rest } }
}

const BASE64URL = /^[A-Za-z0-9_-]+$/
// What a last character may be when it carries two bits, or four, of the last byte: the rest of its six are zero.
const LAST_OF_TWO = 'AQgw'
const LAST_OF_THREE = 'AEIMQUYcgkosw048'

/** Whether `part` is what encoding its bytes gives: padding, other alphabets and stray bits are refused. */
function isCanonical(part: string): boolean {
  if (!BASE64URL.test(part)) return false
  switch (part.length % 4) {
    case 0:
      return true
    case 2:
      return LAST_OF_TWO.includes(part.charAt(part.length - 1))
    case 3:
      return LAST_OF_THREE.includes(part.charAt(part.length - 1))
    default:
      return false
  }
}

/** Whether a `typ` is the media type `application/<subtype>`, whose prefix may be left out (RFC 7515 §4.1.9). */
export function isMediaType(typ: string | undefined, subtype: string): boolean {
  const lower = typ?.toLowerCase()
  return lower === subtype || lower === `application/${subtype}`
}

function fault(detail: string): CompactJwsResult {
  return { ok: false, detail }
}
