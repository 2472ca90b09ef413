import { DECISION_DETAIL, DECISIONS, type ShownDecision } from '../../admin/api/decisions.ts'
import { attributes, type Html, html } from '../../issuer/pages/html.ts'
import { apiPath } from '../api.ts'
import { listPage } from '../list-page.ts'
import type { PageContext } from '../page-context.ts'
import {
  type Column,
  checkList,
  code,
  type FilterField,
  facts,
  filters,
  link,
  linkTo,
  moment,
  said,
  sentOf,
  TIMES,
  table,
  verdictOf,
} from '../parts.ts'
import type { PageContent } from '../shell.ts'
import { STREAM_PATH } from '../stream.ts'

/** What the Live page can be narrowed by, too. */
const NAMES = ['outcome', 'reason', 'route', 'person', 'client', 'address'] as const

/** How a decision stands in a list. */
const COLUMNS: readonly Column<ShownDecision>[] = [
  { label: 'What', kind: 'name', cell: (row) => html`${linkTo('decisions', row.request_id, whatOf(row))}` },
  { label: 'Decision', cell: (row) => verdictOf(row.outcome, row.reason) },
  { label: 'Who', cell: (row) => whoOf(row) },
  { label: 'When', kind: 'short', cell: ({ at }) => moment(at) },
  { label: 'Request id', kind: 'short', cell: (row) => code(row.request_id) },
]

const PLACE = '/admin/decisions/live'

/** What decisions can be looked for by. */
function filterFields(): readonly FilterField[] {
  return [
    { name: 'outcome', label: 'Outcome', options: ['refused', 'failed', 'ok'] },
    { name: 'reason', label: 'Reason' },
    { name: 'route', label: 'Route' },
    { name: 'person', label: 'Person' },
    { name: 'client', label: 'Client' },
    { name: 'address', label: 'Address' },
  ]
}

/** What was decided, the newest first. */
export function decisionsPage(context: PageContext): Promise<PageContent> {
  const live = apiPath('/admin/decisions/live', sentOf(context.query, NAMES))
  return listPage(context, {
    place: '/decisions',
    title: 'Decisions',
    lead: ({ kept_since: since }) =>
      html`Refusals and failures, kept since ${moment(since)}. Each has the request id that the client was told.`,
    acts: html`<a class="button" href="${live}">Watch live</a>`,
    fields: [...filterFields(), ...TIMES],
    columns: COLUMNS,
    schema: DECISIONS,
    empty: (filtered) =>
      filtered
        ? html`Nothing that is kept fits this filter. <a href="/admin/decisions">Show all</a>.`
        : html`Nothing was refused since then. Refusals appear here with their request id; <a href="/admin/try">try</a> what somebody could get.`,
  })
}

/** Why one request was refused, and what would help. */
export async function decisionPage(context: PageContext, requestId: string): Promise<PageContent> {
  const one = await context.get(`/decisions/${encodeURIComponent(requestId)}`, DECISION_DETAIL)
  const refused = one.outcome === 'refused'
  const passes = one.now.outcome === 'ok'
  const like = new URLSearchParams({
    ...(one.client === undefined ? {} : { client: one.client }),
    ...(one.reason === undefined ? {} : { reason: one.reason }),
  })
  const again = new URLSearchParams({
    ...(one.username === undefined ? {} : { person: one.username }),
    ...(one.client === undefined ? {} : { client: one.client }),
    ...(one.resource === undefined ? {} : { resource: one.resource }),
    method: one.method,
    url: `${one.host === undefined ? '' : `//${one.host}`}${one.path ?? ''}`,
  })
  return {
    title: refused ? 'Why was this refused?' : one.outcome === 'failed' ? 'Why did this fail?' : 'What was decided?',
    lead: html`${code(whatOf(one))} · ${moment(one.at)} · ${verdictOf(one.outcome, one.reason)}`,
    content: html`<section aria-labelledby="checks"><h2 id="checks">Checks</h2>${checkList(one.checks)}</section>
<section aria-labelledby="help"><h2 id="help">What would help</h2>${
      one.help.length > 0
        ? html`<ul>${one.help.map((text) => html`<li>${said(text, 500)}</li>`)}</ul>`
        : html`<p>Nothing here: it was let through, or the fault is not one of access.</p>`
    }</section>
<section aria-labelledby="now"><h2 id="now">Would it pass now?</h2>
<p>${passes ? html`<span class="state ok">Yes, with a new token of the same person and client.</span>` : html`<span class="state refused">No, it would be refused: ${said(one.now.reason, 100)}.</span>`}</p>
<p class="acts"><a class="button" href="${`/admin/try?${again}`}">Try access with this</a></p></section>
<section aria-labelledby="facts"><h2 id="facts">The request</h2>${facts([
      ['Request id', html`<code data-copy="">${one.request_id}</code>`],
      ['Status', html`${one.status ?? '–'}`],
      ['Told', said(one.detail, 500)],
      [
        'Route',
        one.route === undefined || one.route.startsWith('(') ? code(one.route) : linkTo('routes', one.route, one.route),
      ],
      ['Person', one.sub === undefined ? said('') : linkTo('people', one.sub, one.username ?? one.sub)],
      ['Client', one.client === undefined ? said('') : linkTo('clients', one.client, one.client)],
      ['Address', code(one.address)],
      ['Took', html`${one.total_ms === undefined ? '–' : `${one.total_ms.toFixed(1)} ms`}`],
    ])}
<p>${link(`/admin/decisions?${like}`, `${one.like_this.count} like this`)} since ${moment(one.like_this.since)}.</p></section>`,
  }
}

/** Decisions as they are made: the only page that needs its script. @param ticket opens the stream, once, within a minute. */
export async function livePage(context: PageContext, ticket: string): Promise<PageContent> {
  const sent = sentOf(context.query, NAMES)
  const found = await context.get(apiPath('/decisions', { ...sent, limit: '20' }), DECISIONS)
  const stream = apiPath(STREAM_PATH, { ...sent, ticket })
  const rows = table<ShownDecision>('Decisions as they are made', COLUMNS, found.items, html``, 'live-rows')
  return {
    title: 'Live decisions',
    lead: html`What the gateway decides now, passes too, the newest first; a busy gateway shows a sample of its passes. <a href="${apiPath('/admin/decisions', sent)}">What is kept</a>`,
    content: html`${filters(PLACE, filterFields(), context.query)}
<noscript><p class="notice note">New rows come by a script, and this browser runs none: <a href="${apiPath(PLACE, sent)}">load the page again</a> to see what came since.</p></noscript>
<div id="live" ${attributes({ 'data-stream': stream })}>
<p class="live-bar"><span id="live-state" class="state off" role="status">not connected</span>
<button class="button" type="button" id="live-pause" aria-pressed="false" hidden>Pause</button>
<span id="live-waiting" class="hint"></span></p>
<div role="log" aria-live="off" aria-label="Decisions">${rows}</div>
<div class="empty" id="live-empty" ${attributes({ hidden: found.items.length > 0 })}>Nothing has been decided that fits. Rows appear here as requests come in.</div>
</div>`,
    connects: true,
  }
}

function whatOf({ method, host, path }: ShownDecision): string {
  return `${method} ${host ?? ''}${path ?? ''}`
}

function whoOf({ sub, username, client, address }: ShownDecision): Html {
  if (sub === undefined && client === undefined) return code(address)
  return html`${username !== undefined && said(username)} ${client !== undefined && html`by ${said(client, 100)}`}`
}
