import { type Html, html } from './html.ts'
import { plainWords } from './plain-words.ts'
import { clockTime } from './time.ts'

/** Something to say above the page's content. */
export interface Notice {
  /** `done`: it was carried out · `problem`: it was not · `note`: worth knowing. */
  readonly kind: 'done' | 'problem' | 'note'
  readonly text: string
}

/** Problems are alerts for screen readers; the rest is read in its place. */
export function notices(all: readonly Notice[]): Html {
  return html`${all.map(({ kind, text }) => (kind === 'problem' ? problemNotice(text) : html`<p class="notice ${kind}">${plainWords(text, 500)}</p>`))}`
}

/** What went wrong, as an alert. `text` may hold what came from outside. */
export function problemNotice(text: string): Html {
  return html`<p class="notice problem" role="alert">${plainWords(text, 500)}</p>`
}

/**
 * What a revocation did, with its proof: when it took effect and what the gateway has seen since. `what` starts the sentence:
 * `Gallery app on Firefox`. Times in milliseconds; undefined: nothing was seen.
 */
export function revokedNotice(of: {
  readonly what: string
  readonly effectiveAtMs: number
  readonly lastUsedAtMs: number | undefined
  readonly refusedAtMs: number | undefined
}): Notice {
  const used = of.lastUsedAtMs === undefined ? '' : ` It was last let through at ${clockTime(of.lastUsedAtMs)}.`
  const refused =
    of.refusedAtMs === undefined ? ' Nothing has asked since.' : ` It was refused at ${clockTime(of.refusedAtMs)}.`
  const text = `${of.what} has no access any more. That took effect at ${clockTime(of.effectiveAtMs)}.${used}${refused}`
  return { kind: 'done', text }
}
