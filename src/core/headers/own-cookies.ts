import { decodeOnce } from '../paths/target.ts'

/** How one cookie of the gateway's own is kept by a browser. */
type CookieHold =
  /** Any origin; for plain http on loopback. */
  | 'plain'
  /** To https: any path and domain. */
  | 'secure'
  /** To https, and to the whole of one host. */
  | 'host'

const PREFIXES: Readonly<Record<CookieHold, string>> = { plain: '', secure: '__Secure-', host: '__Host-' }

/** The name of a cookie of the gateway's own: all of them are made here, so that {@link withoutOwnCookies} knows them all. */
export function ownCookieName(kind: string, hold: CookieHold): string {
  return `${PREFIXES[hold]}audgate_${kind}`
}

/** Whether a cookie's name is the gateway's alone, as a reader might take it that unescapes names or maps ` `, `.` and `[` to `_`. */
export function isOwnCookieName(name: string): boolean {
  return OWN.test(decodeOnce(name).toLowerCase().replace(LEADING, ''))
}

/**
 * A `Cookie` field's value without the gateway's own cookies, all else byte for byte; undefined when nothing is left. A browser never
 * sends `;` within a cookie, so that is where one ends, quotes or not; those that only a reader would find who also splits at white
 * space or commas go with the whole piece.
 */
export function withoutOwnCookies(value: string): string | undefined {
  if (!MAY_HOLD.test(value)) return value
  const pieces = value.split(';')
  const kept = pieces.filter((piece) => !namesOwn(piece))
  if (kept.length === pieces.length) return value
  const rest = kept.join(';').trim()
  return rest === '' ? undefined : rest
}

/** Whether a `Set-Cookie` field sets one of the gateway's own, nameless (RFC 6265bis §5.7) and joined ones too. */
export function setsOwnCookie(value: string): boolean {
  return MAY_HOLD.test(value) && value.split(';').some(namesOwn)
}

/**
 * The value of a `Cookie` field for who reads the gateway's own: a name of ours that is there more than once doesn't count at all, for
 * one of them was planted, and nobody can tell which.
 */
export function withoutDoubledOwnCookies(value: string): string {
  const pieces = value.split(';')
  const own = pieces.map(nameOf).filter((name) => isOwnCookieName(name))
  if (new Set(own).size === own.length) return value
  return pieces
    .filter((piece) => own.indexOf(nameOf(piece)) === own.lastIndexOf(nameOf(piece)))
    .join(';')
    .trim()
}

// What some reader takes off before a name: white space of its charset, quotes, the `=` of a cookie without a name.
const LEADING = /^["'=,\x00-\x20\x7f-\xff]+/
const OWN = /^(?:[_.[ +]{2}(?:host|secure)-)?audgate[_. [+]/
/** Most values are settled by this. */
const MAY_HOLD = /audgate|%/i
/** Each run of what may stand between two cookies, and what follows it. The look behind keeps it linear. */
const FURTHER = /(?<!["'=,\x00-\x20\x7f-\xff])(["'=,\x00-\x20\x7f-\xff]+)([^"'=,\x00-\x20\x7f-\xff]+)/g
const BEGINS_VALUE: ReadonlySet<string> = new Set(['=', '="', "='"])

function namesOwn(piece: string): boolean {
  if (isOwnCookieName(nameOf(piece)) || isOwnCookieName(piece)) return true
  for (const [, between = '', name = ''] of piece.matchAll(FURTHER))
    if (!BEGINS_VALUE.has(between) && isOwnCookieName(name)) return true
  return false
}

function nameOf(piece: string): string {
  const cut = piece.indexOf('=')
  return (cut === -1 ? piece : piece.slice(0, cut)).trim()
}
