import { faulty, type Parsed, parsed } from './leaf.ts'

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

const UNIT_BYTES: Readonly<Record<string, number>> = {
  ...{ '': 1, B: 1, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 },
  ...{ KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 },
}

const DURATION = /^(?:\d{1,9}(?:ms|[smhd]))+$/
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
  const units = [...text.matchAll(/(\d+)(ms|[smhd])/g)]
  // `5m5m` is a slip of the hand, and so is `30s1h`.
  const sizes = units.map(([, , unit]) => UNIT_MS[unit ?? ''] ?? 0)
  if (sizes.some((size, index) => index > 0 && size >= (sizes[index - 1] ?? 0))) return undefined
  return units.reduce((sum, [, count], index) => sum + Number(count) * (sizes[index] ?? 0), 0)
}

function lifetimeText(seconds: number): string {
  return seconds % 86_400 === 0 ? `${seconds / 86_400}d` : `${seconds}s`
}
