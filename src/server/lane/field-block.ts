import { FieldsMemo } from '../asked.ts'

/** Larger ones, tokens included, are not kept: ten thousand connections may each have one. */
const MAX_KEPT_CHARACTERS = 4_096

/** `Bearer` and one space, then what may be a token: it begins and ends with a visible character, so that no parser takes anything off. */
const BEARER = /^authorization:[\t ]*bearer (?=[!-~])/i

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
    const masked = rawHeaders.map((text, i) => (isAuthorization(rawHeaders, i) ? 'Bearer -' : text))
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
