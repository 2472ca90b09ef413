/** A request without a body, read from one segment. */
export interface PlainHead {
  readonly method: string
  readonly url: string
  /** Names and values in turn, as received, without white space around values. */
  readonly rawHeaders: readonly string[]
}

/**
 * One whole request head and nothing else: GET or HEAD in origin-form, field lines of plain grammar (RFC 9112 §3, §5). Each class of
 * characters ends where the next begins, so the expression reads the text once. Whatever it doesn't match is left to
 * the full parser: this recognizes a subset that every HTTP parser reads alike, and decides nothing.
 */
const PLAIN_HEAD =
  /^(GET|HEAD) (\/[!-~]*) HTTP\/1\.1\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)+)\r\n$/

/** The full parser answers 431 beyond these. */
const MAX_HEAD_CHARACTERS = 16_384
const MAX_FIELDS = 64

/** Fields that change framing, the connection or the order of things: the full parser's business. */
const NOT_PLAIN: ReadonlySet<string> = new Set([
  'content-length',
  'transfer-encoding',
  'upgrade',
  'expect',
  'http2-settings',
  'proxy-connection',
])

/** Lengths of the names above, of `host` and of `connection`: most names are settled by their length alone. */
const LENGTHS: ReadonlySet<number> = new Set([...NOT_PLAIN, 'host', 'connection'].map((name) => name.length))

/** Reads `text` (latin1) when it is one plain head; undefined when the full parser has to look. Does NOT judge host or target. */
export function readPlainHead(text: string): PlainHead | undefined {
  if (text.length > MAX_HEAD_CHARACTERS) return undefined
  const match = PLAIN_HEAD.exec(text)
  if (match === null) return undefined
  const rawHeaders = readFields(match[3] ?? '')
  return rawHeaders === undefined ? undefined : { method: match[1] ?? '', url: match[2] ?? '', rawHeaders }
}

function readFields(lines: string): string[] | undefined {
  const raw: string[] = []
  let hosts = 0
  for (let at = 0; at < lines.length; ) {
    const end = lines.indexOf('\r\n', at)
    const colon = lines.indexOf(':', at)
    const name = lines.slice(at, colon)
    const value = trimmed(lines, colon + 1, end)
    if (LENGTHS.has(name.length)) {
      const lower = name.toLowerCase()
      if (NOT_PLAIN.has(lower)) return undefined
      if (lower === 'connection' && value.toLowerCase() !== 'keep-alive') return undefined
      if (lower === 'host') hosts += 1
    }
    raw.push(name, value)
    at = end + 2
  }
  return hosts === 1 && raw.length <= 2 * MAX_FIELDS ? raw : undefined
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
