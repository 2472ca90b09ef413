import { z } from 'zod'

/** The name that was probably meant: the one with the fewest edits, when those are few for its length. */
export function nearest(text: string, names: readonly string[]): string | undefined {
  // Nobody mistypes a name into something much longer, and the table below grows with the product of both lengths.
  if (text.length > 64) return undefined
  const folded = fold(text)
  const ranked = names.map((name) => ({ name, edits: editDistance(folded, fold(name)) }))
  const [best] = ranked.sort((a, b) => a.edits - b.edits)
  return best !== undefined && best.edits <= Math.max(1, Math.floor(best.name.length / 3)) ? best.name : undefined
}

/** `stripPath` and `strip-path` are `strip_path` to someone who types from memory. */
function fold(name: string): string {
  return name.toLowerCase().replace(/[-_ .]/g, '')
}

/** Insertions, deletions, replacements and swaps of neighbours. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const next = [row]
    for (let column = 1; column <= b.length; column++) {
      const change = a[row - 1] === b[column - 1] ? 0 : 1
      const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      next[column] = Math.min(
        (next[column - 1] ?? 0) + 1,
        (last[column] ?? 0) + 1,
        (last[column - 1] ?? 0) + change,
        swapped && row > 1 ? (before[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      )
    }
    before = last
    last = next
  }
  return last[b.length] ?? 0
}

/** A text that was read, or what is wrong with it: the end of a sentence that begins with the key's name. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: string }

export function parsed<T>(value: T): Parsed<T> {
  return { ok: true, value }
}

export function faulty(fault: string): { readonly ok: false; readonly fault: string } {
  return { ok: false, fault }
}

/**
 * A text of the file that `parse` turns into what the gateway works with.
 * @param describe What an editor shows for the key.
 * @param mistyped What is said when no text stands there but a number, `true` or `false`.
 */
export function textLeaf<T>(
  describe: string,
  parse: (text: string) => Parsed<T>,
  mistyped = 'must be text; put it in quotes',
) {
  return z
    .string({ error: ({ input }) => faultOfNumber(input, parse) ?? mistyped })
    .transform((text, context) => {
      const result = parse(text)
      if (result.ok) return result.value
      context.addIssue({ code: 'custom', message: result.fault })
      return z.NEVER
    })
    .meta({ description: describe })
}

/** Quotes alone don't make a duration of `15`: what is wrong with it as text is said at once. */
function faultOfNumber<T>(input: unknown, parse: (text: string) => Parsed<T>): string | undefined {
  const result = typeof input === 'number' ? parse(String(input)) : undefined
  return result?.ok === false ? result.fault : undefined
}

/** One of a few words. */
export function wordLeaf<const W extends readonly [string, ...string[]]>(describe: string, words: W) {
  return z.enum(words, { error: `must be one of: ${words.join(', ')}` }).meta({ description: describe })
}

export function booleanLeaf(describe: string) {
  return z.boolean({ error: 'must be true or false' }).meta({ description: describe })
}

/** A text that is neither empty nor holds control bytes; `what` names it in the message. */
export function plainText(text: string): Parsed<string> {
  if (text.trim() === '') return faulty('must not be empty')
  return /\p{Cc}/u.test(text) ? faulty('must not hold line breaks or other control characters') : parsed(text)
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  y: 31_536_000_000,
}

const UNIT_BYTES: Readonly<Record<string, number>> = {
  ...{ '': 1, B: 1, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 },
  ...{ KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 },
}

const DURATION = /^(?:\d{1,9}(?:ms|[smhdy]))+$/
const SIZE = /^(\d{1,15}(?:\.\d{1,6})?) ?([A-Za-z]{0,3})$/

/** Timers of the runtime hold 32 bits; what is longer would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** `5m`, `500ms`, `1h30m` in milliseconds; more than nothing, and no longer than a timer can wait (24 days). */
export function parseTimeout(text: string): Parsed<number> {
  const ms = durationMs(text)
  if (ms === undefined) return faulty('must be a duration such as 5s, 500ms or 1h30m')
  if (ms > LONGEST_TIMER_MS) return faulty('must not be longer than 24d')
  return ms > 0 ? parsed(ms) : faulty('must be longer than nothing')
}

/** `5m`, `30d` in whole seconds, at least one. @param maxSeconds Longer ones are refused. */
export function parseLifetime(text: string, maxSeconds: number): Parsed<number> {
  const ms = durationMs(text)
  if (ms === undefined) return faulty('must be a duration such as 5m, 12h or 30d')
  if (ms < 1000 || ms % 1000 !== 0) return faulty('must be whole seconds, at least 1s')
  return ms / 1000 <= maxSeconds ? parsed(ms / 1000) : faulty(`must not be longer than ${lifetimeText(maxSeconds)}`)
}

/** `10GiB`, `500MB`, `1048576` in bytes; `none` is undefined: no limit. */
export function parseSize(text: string): Parsed<number | undefined> {
  if (text === 'none') return parsed(undefined)
  const [, digits, unit] = SIZE.exec(text) ?? []
  const factor = unit !== undefined && Object.hasOwn(UNIT_BYTES, unit) ? UNIT_BYTES[unit] : undefined
  if (digits === undefined || factor === undefined) return faulty('must be a size such as 500MB or 10GiB, or none')
  const bytes = Math.floor(Number(digits) * factor)
  return Number.isSafeInteger(bytes) ? parsed(bytes) : faulty('is too large; write none for no limit')
}

function durationMs(text: string): number | undefined {
  if (!DURATION.test(text)) return undefined
  const units = [...text.matchAll(/(\d+)(ms|[smhdy])/g)]
  // `5m5m` is a slip of the hand, and so is `30s1h`.
  const sizes = units.map(([, , unit]) => UNIT_MS[unit ?? ''] ?? 0)
  if (sizes.some((size, index) => index > 0 && size >= (sizes[index - 1] ?? 0))) return undefined
  return units.reduce((sum, [, count], index) => sum + Number(count) * (sizes[index] ?? 0), 0)
}

function lifetimeText(seconds: number): string {
  return seconds % 86_400 === 0 ? `${seconds / 86_400}d` : `${seconds}s`
}

/** Whether a URL's host, as the URL standard writes it, can only be this machine: `localhost`, 127.0.0.0/8 or `[::1]`. */
export function isLoopbackHost(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}

/**
 * An absolute http(s) URL in ASCII, without userinfo and fragment. The URL standard forgives a lot (spaces, `\`, one slash);
 * this does not: other readers of the same text would see something else.
 */
export function parseHttpUrl(text: string): Parsed<URL> {
  if (/[^\x21-\x7e]|[\\"<>^`{|}]/.test(text)) {
    return faulty('must be a URL of plain ASCII (percent-encode a path, write a host as xn--…)')
  }
  const url = /^https?:\/\/[^/?#]/i.test(text) && URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) return faulty('must be an absolute http(s) URL such as https://gate.example.com')
  if (/^[^/]*\/\/[^/?#]*@/.test(text)) return faulty('must not carry a user name or password')
  return text.includes('#') ? faulty('must not have a fragment (#…)') : parsed(url)
}

/** A URL that may be http only where nobody can listen in: on loopback hosts. */
export function parseSafeUrl(text: string): Parsed<URL> {
  const result = parseHttpUrl(text)
  if (!result.ok || result.value.protocol === 'https:' || isLoopbackHost(result.value.hostname)) return result
  return faulty('must be https; http is accepted for localhost, 127.0.0.0/8 and [::1] only')
}

/** An origin: scheme, host and port, with at most a `/` behind. */
export function isBareOrigin(text: string): boolean {
  return /^https?:\/\/[^/?#]+\/?$/i.test(text)
}

/** Whether the path and query stand in `text` as the URL standard writes them: no dot segments, nothing left to encode. */
export function isTailNormal(text: string, { pathname, search }: URL): boolean {
  const tail = text.replace(/^[^/]*\/\/[^/?]*/, '')
  return tail === pathname + search || (pathname === '/' && tail === search)
}
