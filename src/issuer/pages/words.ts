import { type Html, html } from './html.ts'

// Characters that change how their neighbours read or that nobody sees: control, bidirectional and other format characters,
// fillers, private use. Joiners and variation selectors stay: scripts and emoji need them.
const UNSEEN = /(?!\u200c|\u200d|\ufe0e|\ufe0f)[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}\u2800]/gu
const SPACES = /[\s\p{Z}]+/gu
// No script stacks more than three marks on a letter; more of them climb over the lines around.
const STACKED_MARKS = /(\p{M}{3})\p{M}+/gu
// A name of joiners alone is no name.
const SOMETHING = /[\p{L}\p{N}\p{P}\p{S}]/u

/**
 * A string from outside as one line of plain words: nothing invisible, nothing that turns the reading direction, at most `max`
 * characters with an ellipsis for the rest; `fallback` where nothing readable is left. Does NOT escape; the template does.
 */
export function plainWords(text: string, max: number, fallback = ''): string {
  const line = text
    .slice(0, 16 * max)
    .toWellFormed()
    .replace(SPACES, ' ')
    .replace(UNSEEN, '')
    .replace(SPACES, ' ')
    .replace(STACKED_MARKS, '$1')
    .trim()
  if (!SOMETHING.test(line)) return fallback
  const characters = Array.from(new Intl.Segmenter('en').segment(line), ({ segment }) => segment)
  const bounded = characters.length <= max ? line : `${characters.slice(0, max - 1).join('')}…`
  return bounded
}

// Browsers break lines behind a hyphen, too. Longer ones may have to.
const HYPHENATED = /(?<![^\s(“])([\p{L}\p{N}]+(?:-[\p{L}\p{N}]+)+)(?![^\s.,:;?!)”])/u
const LONGEST_WHOLE = 16

/** Words for a heading: a short one with a hyphen, as `sign-in`, is never broken over two lines. */
export function headingWords(text: string): Html {
  const parts = text.split(HYPHENATED)
  return html`${parts.map((part, index) =>
    index % 2 === 1 && part.length <= LONGEST_WHOLE ? html`<span class="whole">${part}</span>` : html`${part}`,
  )}`
}

/** A client's name as people see it, 64 characters at most. */
export function clientName(name: string): string {
  return plainWords(name, 64, 'An app without a name')
}

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
function clock(atMs: number): string {
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
