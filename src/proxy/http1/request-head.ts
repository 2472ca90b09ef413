import { renderFieldLines } from '../../core/fields.ts'

/** How a request's body is framed: a length in bytes (0: there is none), or chunked. */
export type RequestFraming = number | 'chunked'

const REQUEST_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~]+ HTTP\/1\.1\r\n$/

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
 * grammar.
 * @param headers Raw pairs, final but for framing: a `Content-Length` among them stays only where it is the framing. Or lines that
 * `renderFieldLines` made, without any framing.
 */
export function renderRequestHead(
  method: string,
  target: string,
  headers: readonly string[] | string,
  framing: RequestFraming,
): string | undefined {
  const line = `${method} ${target} HTTP/1.1\r\n`
  if (!REQUEST_LINE.test(line)) return undefined
  const lines = typeof headers === 'string' ? headers : renderFieldLines(withFraming(headers, framing))
  if (lines === undefined) return undefined
  return framing === 'chunked' ? `${line}${lines}Transfer-Encoding: chunked\r\n\r\n` : `${line}${lines}\r\n`
}

function withFraming(headers: readonly string[], framing: RequestFraming): readonly string[] {
  const length = String(framing)
  const isStray = (i: number): boolean =>
    headers[i]?.length === 14 && headers[i]?.toLowerCase() === 'content-length' && headers[i + 1] !== length
  let kept: string[] | undefined
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (isStray(i)) kept ??= headers.slice(0, i)
    else kept?.push(headers[i] ?? '', headers[i + 1] ?? '')
  }
  return kept ?? headers
}
