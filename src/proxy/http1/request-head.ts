import { renderFieldLines } from '../../core/headers/fields.ts'
import type { FramingFault, RequestFraming } from '../../core/headers/framing.ts'

const REQUEST_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~]+ HTTP\/1\.1\r\n$/

/**
 * The head as it goes upstream (RFC 9112 §3, §5); undefined when method, target, framing or a field is not of the grammar. The framing is written from
 * `framing` alone: what `headers` say of it goes nowhere, so that the upstream can't read another end of the body than the one that is sent.
 * @param headers Raw pairs, final but for framing; or lines that `renderFieldLines` made, without any framing: not looked at again.
 */
export function renderRequestHead(
  method: string,
  target: string,
  headers: readonly string[] | string,
  framing: RequestFraming | FramingFault,
): string | undefined {
  const line = `${method} ${target} HTTP/1.1\r\n`
  if (typeof framing === 'object' || !REQUEST_LINE.test(line)) return undefined
  const lines = typeof headers === 'string' ? headers : renderFieldLines(withoutFraming(headers))
  return lines === undefined ? undefined : `${line}${lines}${framingLine(framing)}\r\n`
}

function framingLine(framing: RequestFraming): string {
  if (framing === 'none') return ''
  return framing === 'chunked' ? 'Transfer-Encoding: chunked\r\n' : `Content-Length: ${framing}\r\n`
}

function withoutFraming(headers: readonly string[]): readonly string[] {
  let kept: string[] | undefined
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (isFraming(headers[i] ?? '')) kept ??= headers.slice(0, i)
    else kept?.push(headers[i] ?? '', headers[i + 1] ?? '')
  }
  return kept ?? headers
}

function isFraming(name: string): boolean {
  if (name.length !== 14 && name.length !== 17) return false
  const lower = name.toLowerCase()
  return lower === 'content-length' || lower === 'transfer-encoding'
}
