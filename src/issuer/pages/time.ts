import { type Html, html } from './html.ts'

const DAY_SECONDS = 86_400
const STEPS: readonly (readonly [number, Intl.RelativeTimeFormatUnit])[] = [
  [60, 'second'],
  [3600, 'minute'],
  [DAY_SECONDS, 'hour'],
  [30 * DAY_SECONDS, 'day'],
]

/** A past moment as people say it: `5 minutes ago`, and a date beyond 30 days. Both arguments NumericDate, seconds. */
export function ago(at: number, now: number): Html {
  const iso = new Date(at * 1000).toISOString()
  return html`<time datetime="${iso}" title="${clock(at * 1000)}">${inWords(at, now)}</time>`
}

/** `2 March 2026, 12:03:04 UTC`. */
export function clock(atMs: number): string {
  const moment = new Date(atMs)
  return `${moment.toLocaleDateString('en-GB', { dateStyle: 'long', timeZone: 'UTC' })}, ${clockTime(atMs)}`
}

/** `12:03:04 UTC`: the second in which something took effect. */
export function clockTime(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(11, 19)} UTC`
}

function inWords(at: number, now: number): string {
  const seconds = Math.max(0, Math.floor(now - at))
  if (seconds < 10) return 'just now'
  let divisor = 1
  for (const [below, unit] of STEPS) {
    if (seconds < below) return relative(Math.floor(seconds / divisor), unit)
    divisor = below
  }
  return new Date(at * 1000).toLocaleDateString('en-GB', { dateStyle: 'long', timeZone: 'UTC' })
}

function relative(count: number, unit: Intl.RelativeTimeFormatUnit): string {
  return new Intl.RelativeTimeFormat('en', { numeric: 'always' }).format(-count, unit)
}
