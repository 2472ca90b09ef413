import { OVERVIEW } from '../../admin/api/overview.ts'
import { type Html, html } from '../../issuer/pages/html.ts'
import type { PageContext } from '../page-context.ts'
import { code, link, moment, said, table } from '../parts.ts'
import type { PageContent } from '../shell.ts'
import { chart } from './chart.ts'

/** Whether anything is wrong, at a glance. */
export async function overviewPage(context: PageContext): Promise<PageContent> {
  const window = context.query.get('window') === '24h' ? '24h' : '1h'
  const view = await context.get(`/overview?window=${window}`, OVERVIEW)
  const { ok, refused, failed } = view.totals
  const all = ok + refused + failed
  const other =
    window === '1h' ? html`<a href="/admin?window=24h">Last 24 hours</a>` : html`<a href="/admin">Last hour</a>`
  const attention = view.attention.map(
    ({ text, href }) =>
      html`<li>${said(text, 300)} ${href?.startsWith('/admin') && html`<a href="${href}">Look at it</a>`}</li>`,
  )
  return {
    title: 'Overview',
    lead: html`${window === '1h' ? 'The last hour.' : 'The last 24 hours.'} ${other}. Refusals are kept since ${moment(view.kept_since)}.`,
    content: html`<section aria-labelledby="attention"><h2 id="attention">Needs attention</h2>
${attention.length > 0 ? html`<ul class="attention">${attention}</ul>` : html`<div class="empty">Nothing needs attention now.</div>`}</section>
<dl class="stats">${[
      stat('Requests', all.toLocaleString('en')),
      stat('Refused', percent(refused, all)),
      stat('Failed', percent(failed, all)),
      stat('Half are answered within', ms(view.latency.p50_ms)),
      stat('95 of 100 within', ms(view.latency.p95_ms)),
    ]}</dl>
${chart(view.series)}
<div class="columns">
<section><h2>Refusals by reason</h2>${table(
      'Refusals by reason',
      [
        {
          label: 'Reason',
          kind: 'name',
          cell: ({ reason }) => link(`/admin/decisions?${new URLSearchParams({ reason })}`, reason),
        },
        { label: 'Count', kind: 'number', cell: ({ count }) => html`${count.toLocaleString('en')}` },
      ],
      view.by_reason,
      html`Nothing was refused.`,
    )}</section>
<section><h2>By route</h2>${table(
      'Requests by route',
      [
        {
          label: 'Route',
          kind: 'name',
          cell: ({ route }) =>
            route.startsWith('(') ? code(route) : link(`/admin/decisions?${new URLSearchParams({ route })}`, route),
        },
        { label: 'Passed', kind: 'number', cell: (row) => html`${row.ok.toLocaleString('en')}` },
        { label: 'Refused', kind: 'number', cell: (row) => html`${row.refused.toLocaleString('en')}` },
        { label: 'Failed', kind: 'number', cell: (row) => html`${row.failed.toLocaleString('en')}` },
      ],
      view.by_route,
      html`No request has come in yet. The first ones show up here within a minute.`,
    )}</section></div>`,
  }
}

function stat(name: string, value: string): Html {
  return html`<div><dt>${name}</dt><dd>${value}</dd></div>`
}

function percent(part: number, all: number): string {
  return all === 0 ? '–' : `${((100 * part) / all).toFixed(1)} %`
}

function ms(value: number | undefined): string {
  if (value === undefined) return '–'
  return value < 1000 ? `${Math.round(value * 10) / 10} ms` : `${(value / 1000).toFixed(1)} s`
}
