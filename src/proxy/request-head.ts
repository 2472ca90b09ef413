/** How a request's body is framed: a length in bytes (0: there is none), or chunked. */
export type RequestFraming = number | 'chunked'

// The last look at what leaves: whoever put it together, a line that ends early would be a field, or a request, of somebody else's.
const REQUEST_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~]+ HTTP\/1\.1\r\n$/
const NAMES = /^[!#$%&'*+.^_`|~0-9A-Za-z-]*$/
const VALUES = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * The framing that the client chose. Its parser has judged both fields already, so that one of them counts at most (RFC 9112 §6.3).
 * @param rawHeaders As received from the client.
 */
export function requestFraming(rawHeaders: readonly string[]): RequestFraming {
  let length = 0
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') return 'chunked'
    if (name.length === 14 && name.toLowerCase() === 'content-length') length = Number(rawHeaders[i + 1])
  }
  return length
}

/**
 * The head as it goes upstream (RFC 9112 §3, §5) with the framing added; undefined when method, target or a field is not of the
 * grammar, line ends within and characters beyond latin1 above all.
 * @param headers Raw pairs, final but for framing: a `Content-Length` among them stays only where it is the framing.
 */
export function renderRequestHead(
  method: string,
  target: string,
  headers: readonly string[],
  framing: RequestFraming,
): string | undefined {
  const length = String(framing)
  let head = `${method} ${target} HTTP/1.1\r\n`
  if (!REQUEST_LINE.test(head)) return undefined
  let names = ''
  let values = ''
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? ''
    if (name.length === 14 && name.toLowerCase() === 'content-length' && headers[i + 1] !== length) continue
    const value = headers[i + 1] ?? ''
    if (name === '') return undefined
    names += name
    values += value
    head += `${name}: ${value}\r\n`
  }
  // Both grammars are of characters alone, so that all names, and all values, are of theirs when their concatenation is.
  if (!NAMES.test(names) || !VALUES.test(values)) return undefined
  return framing === 'chunked' ? `${head}Transfer-Encoding: chunked\r\n\r\n` : `${head}\r\n`
}
