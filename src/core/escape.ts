// Bytes that can't stand plain in a path (RFC 3986 §3.3), apart from those above 0x7e.
const NEVER_PLAIN = new Set([...' "<>^`{|}'].map((char) => char.charCodeAt(0)))

/** The byte that the escape at `text[at]` stands for, or -1 when no `%` and two hex digits stand there. */
export function escapedByte(text: string, at: number): number {
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
