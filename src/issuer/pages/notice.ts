import { type Attributes, attributes, type Html, html } from './html.ts'
import { clockTime } from './time.ts'

/** Something to say above the page's content. */
export interface Notice {
  /** `done`: it was carried out · `problem`: it was not · `note`: worth knowing. */
  readonly kind: 'done' | 'problem' | 'note'
  readonly text: string
}

/** Problems are alerts for screen readers; the rest is read in its place. */
export function notices(all: readonly Notice[]): Html {
  const shown = all.map(
    ({ kind, text }) => html`<p class="notice ${kind}" ${kind === 'problem' ? problemRole() : undefined}>${text}</p>`,
  )
  return html`${shown}`
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

function problemRole(): Attributes {
  return attributes({ role: 'alert' })
}
