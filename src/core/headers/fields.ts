/**
 * A field name as CGI programs see it (RFC 3875 §4.1.18): every byte other than a letter or digit is `_`, in lower case.
 * `x_auth_user`, `X.Auth.User` and `X-Auth-User` are one name.
 */
export function cgiName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '_')
}

// The last look at what leaves: whoever put it together, a line that ends early would be a field, or a request, of somebody else's.
const NAMES = /^[!#$%&'*+.^_`|~0-9A-Za-z-]*$/
const VALUES = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * Raw pairs as field lines (RFC 9112 §5), a CRLF after each; undefined when a name or value is not of the grammar, line ends within and
 * characters beyond latin1 above all.
 */
export function renderFieldLines(pairs: readonly string[]): string | undefined {
  let lines = ''
  let names = ''
  let values = ''
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const name = pairs[i] ?? ''
    const value = pairs[i + 1] ?? ''
    if (name === '') return undefined
    names += name
    values += value
    lines += `${name}: ${value}\r\n`
  }
  // Both grammars are of characters alone, so that all names, and all values, are of theirs when their concatenation is.
  return NAMES.test(names) && VALUES.test(values) ? inOnePiece(lines) : undefined
}

/**
 * The same text in memory of its own. A part of a larger text keeps all of it alive, so that whatever is kept longer than a request is put through
 * this first.
 */
export function ownText(text: string): string {
  // The text of the two is made anew, and the part of it that is answered keeps one character more.
  return ` ${text}`.slice(1)
}

/** Text put together from many pieces stays a tree of them until somebody looks into it: larger, and walked at each use. */
function inOnePiece(text: string): string {
  return text.charCodeAt(0) === 0 ? '' : text
}

/** The part of a field line from `from` to `to`, without the white space around it (RFC 9112 §5.1). */
export function trimmed(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isBlank(text.charCodeAt(start))) start += 1
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}
