import { ownText, trimmed } from '../../core/headers/fields.ts'
import { FieldsMemo } from '../remembered.ts'

/** Larger ones, tokens included, are not kept: ten thousand connections may each have one. */
const MAX_KEPT_CHARACTERS = 4_096

/** `Bearer` and one space, then what may be a token: it begins and ends with a visible character, so that no parser takes anything off. */
const BEARER = /^authorization:[\t ]*bearer (?=[!-~])/i

const SCHEME_LENGTH = 'Bearer '.length

const VISIBLE = /^[!-~]+$/

/**
 * The field lines of one head but for the token: who keeps a connection mostly sends the same again. They are compared byte for byte, so that
 * what was read and worked out once holds for all that match.
 */
export class FieldBlock {
  /** Names and values in turn, as received, without white space around values. In place of a token stands a dash, which is none. */
  readonly rawHeaders: readonly string[]
  readonly memo = new FieldsMemo()
  /** Small enough to be kept for the next request. */
  readonly isSmall: boolean
  /** From the line end before the first field to the token, and from the token on; all, and nothing, where there is none. */
  readonly #before: string
  readonly #after: string
  readonly #withToken: boolean

  private constructor(rawHeaders: readonly string[], lines: string, before: string, after: string, withToken: boolean) {
    this.rawHeaders = rawHeaders
    this.isSmall = lines.length <= MAX_KEPT_CHARACTERS
    this.#before = before
    this.#after = after
    this.#withToken = withToken
  }

  /**
   * @param lines What {@link match} is to compare with. @param rawHeaders The same, taken apart.
   * @param authorizationAt Where the line of the only Authorization field begins; -1: there is none, or several.
   */
  static of(
    lines: string,
    rawHeaders: readonly string[],
    authorizationAt: number,
  ): { readonly fields: FieldBlock; readonly bearer: string | undefined } {
    const end = authorizationAt === -1 ? -1 : lines.indexOf('\r\n', authorizationAt)
    const start = BEARER.exec(lines.slice(authorizationAt, end))?.[0].length
    if (end === -1 || start === undefined || !isVisible(lines.charCodeAt(end - 1)))
      return { fields: new FieldBlock(rawHeaders, lines, lines, '', false), bearer: undefined }
    const from = authorizationAt + start
    const masked = rawHeaders.map((text, i) =>
      isAuthorization(rawHeaders, i) ? `${text.slice(0, SCHEME_LENGTH)}-` : text,
    )
    const fields = new FieldBlock(masked, lines, lines.slice(0, from), lines.slice(end), true)
    return { fields, bearer: lines.slice(from, end) }
  }

  /** The token where `text` from `at` on is these lines with a token in its place; '' where they have none; undefined where it is not. */
  match(text: string, at: number): string | undefined {
    const from = at + this.#before.length
    const to = text.length - this.#after.length
    if (this.#withToken ? from >= to : from !== to) return undefined
    if (text.slice(at, from) !== this.#before || text.slice(to) !== this.#after) return undefined
    if (!this.#withToken) return ''
    // No other line begins within, and no parser would take anything off it or refuse it.
    const token = text.slice(from, to)
    return VISIBLE.test(token) ? token : undefined
  }
}

function isAuthorization(rawHeaders: readonly string[], valueAt: number): boolean {
  return valueAt % 2 === 1 && rawHeaders[valueAt - 1]?.toLowerCase() === 'authorization'
}

function isVisible(code: number): boolean {
  return code > 0x20 && code < 0x7f
}

/** A request without a body, read from one segment. */
export interface PlainHead {
  readonly method: string
  readonly url: string
  readonly fields: FieldBlock
  /** The token of the only Authorization field, where that is `Bearer <token>`; NOT judged to be of a token's grammar. */
  readonly bearer: string | undefined
}

const REQUEST_LINE = /^(GET|HEAD) (\/[!-~]*) HTTP\/1\.1$/

/**
 * Field lines of plain grammar, and the end of the head (RFC 9112 §5). Each class of characters ends where the next begins, so the expression
 * reads the text once. Whatever it doesn't match is left to the full parser: this recognizes a subset that every HTTP parser reads alike, and
 * decides nothing.
 */
const PLAIN_FIELDS = /^\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)+\r\n$/

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

/** Lengths of the names above, of `host`, `connection` and `authorization`: most names are settled by their length alone. */
const LENGTHS: ReadonlySet<number> = new Set(
  [...NOT_PLAIN, 'host', 'connection', 'authorization'].map((name) => name.length),
)

/**
 * Reads `text` (latin1) when it is one whole request head and nothing else, GET or HEAD in origin-form; undefined when the full parser has to
 * look. Does NOT judge host or target.
 * @param last The fields that came before on this connection: when these are the same but for the token, they are taken as they were read then.
 */
export function readPlainHead(text: string, last: FieldBlock | undefined): PlainHead | undefined {
  if (text.length > MAX_HEAD_CHARACTERS) return undefined
  const lineEnd = text.indexOf('\r\n')
  const line = REQUEST_LINE.exec(text.slice(0, lineEnd))
  if (line === null) return undefined
  const [, method = '', url = ''] = line
  const bearer = last?.match(text, lineEnd)
  if (last !== undefined && bearer !== undefined) return { method, url, fields: last, bearer: bearer || undefined }
  // The line before may be much longer than what is kept.
  const lines = text.length - lineEnd <= MAX_KEPT_CHARACTERS ? ownText(text.slice(lineEnd)) : text.slice(lineEnd)
  return PLAIN_FIELDS.test(lines) ? readFields(method, url, lines) : undefined
}

/** @param lines Of plain grammar, the line end before them and the empty line after them with them. */
function readFields(method: string, url: string, lines: string): PlainHead | undefined {
  const raw: string[] = []
  let hosts = 0
  let authorizations = 0
  let authorizationAt = -1
  for (let at = 2; at < lines.length - 2; ) {
    const end = lines.indexOf('\r\n', at)
    const colon = lines.indexOf(':', at)
    const name = lines.slice(at, colon)
    const value = trimmed(lines, colon + 1, end)
    if (LENGTHS.has(name.length)) {
      const lower = name.toLowerCase()
      if (NOT_PLAIN.has(lower)) return undefined
      if (lower === 'connection' && value.toLowerCase() !== 'keep-alive') return undefined
      if (lower === 'host') hosts += 1
      if (lower === 'authorization') {
        authorizations += 1
        authorizationAt = at
      }
    }
    raw.push(name, value)
    at = end + 2
  }
  if (hosts !== 1 || raw.length > 2 * MAX_FIELDS) return undefined
  return { method, url, ...FieldBlock.of(lines, raw, authorizations === 1 ? authorizationAt : -1) }
}
