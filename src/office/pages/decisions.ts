import { type Html, html } from '../../issuer/pages/html.ts'
import { apiPath } from '../api.ts'
import { checkList, code, facts, filters, link, linkTo, moment, pager, said, stateOf, table } from '../parts.ts'
import { DECISIONS, type Decision, ONE_DECISION } from '../shapes.ts'
import type { PageContent } from '../shell.ts'
import type { Visit } from '../visit.ts'

const FIELDS = ['outcome', 'reason', 'route', 'person', 'client', 'address', 'since', 'until', 'cursor'] as const

/** What was decided, the newest first. */
export async function decisionsPage(visit: Visit): Promise<PageContent> {
  const { query } = visit
  const sent = Object.fromEntries(FIELDS.map((name) => [name, query.get(name) ?? undefined]))
  const found = await visit.get(apiPath('/decisions', sent), DECISIONS)
  const filtered = FIELDS.some((name) => query.get(name))
  return {
    title: 'Decisions',
    lead: html`Refusals of known callers and failures, kept since ${moment(found.kept_since)}. Each has the request id that the client was told.`,
    content: html`${filters(
      '/admin/decisions',
      [
        { name: 'outcome', label: 'Outcome', options: ['refused', 'failed', 'ok'] },
        { name: 'reason', label: 'Reason' },
        { name: 'route', label: 'Route' },
        { name: 'person', label: 'Person' },
        { name: 'client', label: 'Client' },
        { name: 'address', label: 'Address' },
      ],
      query,
    )}
${table<Decision>(
  'Decisions',
  [
    { label: 'What', kind: 'name', cell: (row) => html`${linkTo('decisions', row.request_id, whatOf(row))}` },
    { label: 'Decision', cell: (row) => stateOf(row.outcome, row.reason) },
    { label: 'Who', cell: (row) => whoOf(row) },
    { label: 'When', cell: ({ at }) => moment(at) },
    { label: 'Request id', kind: 'long', cell: (row) => code(row.request_id) },
  ],
  found.items,
  filtered
    ? html`Nothing that is kept fits this filter. <a href="/admin/decisions">Show all</a>.`
    : html`Nothing was refused since then. Refusals appear here with their request id; <a href="/admin/try">try</a> what somebody could get.`,
)}
${pager('/admin/decisions', query, found.next)}`,
  }
}

/** Why one request was refused, and what would help. */
export async function decisionPage(visit: Visit, requestId: string): Promise<PageContent> {
  const one = await visit.get(`/decisions/${encodeURIComponent(requestId)}`, ONE_DECISION)
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
    lead: html`${code(whatOf(one))} · ${moment(one.at)} · ${stateOf(one.outcome, one.reason)}`,
    content: html`<section aria-labelledby="checks"><h2 id="checks">Checks</h2>${checkList(one.checks)}</section>
<section aria-labelledby="help"><h2 id="help">What would help</h2>${
      one.help.length > 0
        ? html`<ul>${one.help.map((text) => html`<li>${said(text, 500)}</li>`)}</ul>`
        : html`<p>Nothing here: it was let through, or the fault is not one of access.</p>`
    }</section>
<section aria-labelledby="now"><h2 id="now">Would it pass now?</h2>
<p>${passes ? html`<span class="state ok">Yes, with a new token of the same person and client.</span>` : html`<span class="state refused">No: ${said(one.now.reason, 100)}.</span>`}</p>
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
      ['Took', html`${one.total_ms === undefined ? '–' : `${one.total_ms} ms`}`],
    ])}
<p>${link(`/admin/decisions?${like}`, `${one.like_this.count} like this`)} since ${moment(one.like_this.since)}.</p></section>`,
  }
}

function whatOf({ method, host, path }: Decision): string {
  return `${method} ${host ?? ''}${path ?? ''}`
}

function whoOf({ sub, username, client, address }: Decision): Html {
  if (sub === undefined && client === undefined) return code(address)
  return html`${username !== undefined && said(username)} ${client !== undefined && html`by ${said(client, 100)}`}`
}
