import { ownText } from '../core/headers/fields.ts'

/** A JSON object whose members nobody has checked. */
export type JsonObject = Readonly<Record<string, unknown>>

type JsonResult = { readonly ok: true; readonly value: JsonObject } | { readonly ok: false; readonly detail: string }

// `ignoreBOM` keeps the mark, which is then no JSON.
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * One JSON object in strict UTF-8 without byte order mark. Of two members with one name the last counts (RFC 7519 §4): a token stops here, so
 * there is no other reader who could take the first. Never throws.
 */
export function parseJson(bytes: Uint8Array): JsonResult {
  try {
    const value: unknown = JSON.parse(UTF8.decode(bytes))
    return isObject(value) ? { ok: true, value } : { ok: false, detail: 'is not a JSON object' }
  } catch {
    return { ok: false, detail: 'is not JSON in UTF-8' }
  }
}

/** Whether `value` is a JSON object, arrays and null excluded. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The member's value; inherited names such as `constructor` are no members, `__proto__` is one like any other where it was written. */
export function member(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined
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

type CompactJwsResult =
  | { readonly ok: true; readonly jws: CompactJws }
  /** `detail` has no subject: `is …` or `has …`. */
  | { readonly ok: false; readonly detail: string }

/** Longest token or proof that is looked at, in bytes. */
const MAX_JWS_BYTES = 16_384

/**
 * Takes a compact JWS apart. Each part is base64url in its one canonical spelling, so that no two strings are one token; header and
 * payload are JSON objects. Any `crit` is refused: no extension is understood (RFC 7515 §4.1.11). Never throws.
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
  const payload = parseJson(Buffer.from(body, 'base64url'))
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
  const header = parseJson(Buffer.from(part, 'base64url'))
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
