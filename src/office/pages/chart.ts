import { attributes, type Html, html } from '../../issuer/pages/html.ts'
import { moment, table } from '../parts.ts'

interface Point {
  readonly at: string
  readonly ok: number
  readonly refused: number
  readonly failed: number
}

const KINDS = ['ok', 'refused', 'failed'] as const
const [WIDTH, HEIGHT] = [600, 120]

/** Requests over time, as lines that differ by more than colour, with a caption that says what they show and the numbers in a table. */
export function chart(points: readonly Point[]): Html {
  if (points.length < 2) {
    return html`<div class="empty">The course of requests shows here after a minute of running.</div>`
  }
  const most = Math.max(1, ...points.flatMap(({ ok, refused, failed }) => [ok, refused, failed]))
  const lines = KINDS.map(
    (kind) => html`<polyline ${attributes({ class: `line-${kind}`, points: line(points, kind, most) })}></polyline>`,
  )
  const busy = [...points].sort((a, b) => total(b) - total(a)).slice(0, 120)
  return html`<figure class="chart">
<svg viewBox="0 0 600 120" preserveAspectRatio="none" role="img" aria-label="Requests over time"><title>Requests over time</title>${lines}</svg>
<figcaption>${caption(points, most)} Passed: full line; refused: dashed; failed: dotted.</figcaption>
<details><summary>The numbers</summary>${table(
    'Requests over time',
    [
      { label: 'From', kind: 'name', cell: ({ at }) => moment(at) },
      { label: 'Passed', kind: 'number', cell: ({ ok }) => html`${ok}` },
      { label: 'Refused', kind: 'number', cell: ({ refused }) => html`${refused}` },
      { label: 'Failed', kind: 'number', cell: ({ failed }) => html`${failed}` },
    ],
    busy.sort((a, b) => a.at.localeCompare(b.at)),
    html`Nothing yet.`,
  )}</details></figure>`
}

function line(points: readonly Point[], kind: (typeof KINDS)[number], most: number): string {
  return points
    .map((point, index) => {
      const x = (index / (points.length - 1)) * WIDTH
      const y = HEIGHT - 4 - (point[kind] / most) * (HEIGHT - 8)
      return `${x.toFixed(1)},${y.toFixed(1)}`
    })
    .join(' ')
}

function caption(points: readonly Point[], most: number): string {
  const worst = [...points].sort((a, b) => b.refused + b.failed - (a.refused + a.failed))[0]
  if (worst === undefined || worst.refused + worst.failed === 0) return `At most ${most} at a time; none was refused.`
  return `Most refusals and failures, ${worst.refused + worst.failed}, came at ${worst.at.slice(11, 16)} UTC.`
}

function total({ ok, refused, failed }: Point): number {
  return ok + refused + failed
}
