import { html } from '../../issuer/pages/html.ts'
import { apiPath } from '../api.ts'
import { code, filters, linkTo, moment, pager, said, stateOf, table } from '../parts.ts'
import { ACCESS, AUDIT, AUTHORIZATIONS } from '../shapes.ts'
import type { PageContent } from '../shell.ts'
import type { Visit } from '../visit.ts'

function sentOf(query: URLSearchParams, names: readonly string[]): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(names.map((name) => [name, query.get(name) ?? undefined]))
}

/** Which apps are signed in, for whom. */
export async function authorizationsPage(visit: Visit): Promise<PageContent> {
  const { query } = visit
  const sent = sentOf(query, ['person', 'client', 'resource', 'unused_since', 'cursor'])
  const found = await visit.get(apiPath('/authorizations', sent), AUTHORIZATIONS)
  return {
    title: 'Authorizations',
    lead: 'Each is one sign-in of one app on one device. Ending it ends its tokens at once.',
    content: html`${filters(
      '/admin/authorizations',
      [
        { name: 'person', label: 'Person' },
        { name: 'client', label: 'Client' },
        { name: 'resource', label: 'Resource' },
      ],
      query,
    )}
${table(
  'Authorizations',
  [
    { label: 'Person', kind: 'name', cell: ({ sub, username }) => linkTo('people', sub, username ?? sub) },
    { label: 'Client', cell: ({ client }) => linkTo('clients', client, client) },
    { label: 'Device', cell: ({ label }) => said(label) },
    { label: 'May', cell: ({ resources }) => said(Object.values(resources).flat().join(', '), 300) },
    { label: 'Last used', cell: ({ last_used_at: used }) => moment(used) },
    {
      label: 'Act',
      cell: ({ gid }) => visit.button(`/admin/authorizations/${encodeURIComponent(gid)}/end`, 'End', true),
    },
  ],
  found.items,
  html`No app is signed in. One shows up here when somebody signs in to it.`,
)}
${pager('/admin/authorizations', query, found.next)}`,
  }
}

/** Who may have what, by which group. */
export async function accessPage(visit: Visit): Promise<PageContent> {
  const { query } = visit
  const found = await visit.get(
    apiPath('/access', sentOf(query, ['person', 'group', 'client', 'resource', 'cursor'])),
    ACCESS,
  )
  return {
    title: 'Who may what',
    lead: 'What people may be given, and by which of their groups.',
    content: html`${filters(
      '/admin/access',
      [
        { name: 'person', label: 'Person' },
        { name: 'group', label: 'Group' },
        { name: 'client', label: 'Client' },
        { name: 'resource', label: 'Resource' },
      ],
      query,
    )}
${table(
  'Who may what',
  [
    { label: 'Who', kind: 'name', cell: ({ who }) => said(who) },
    { label: 'Resource', kind: 'long', cell: ({ resource }) => code(resource) },
    { label: 'Scope', cell: ({ scope }) => code(scope) },
    {
      label: 'Given',
      cell: ({ given, by, client_limits: limits }) =>
        given ? stateOf('ok', by.length === 0 ? '' : `by ${by.join(', ')}`) : stateOf('no', limits ?? ''),
    },
  ],
  found.items,
  html`Nobody fits. <a href="/admin/access">Show everybody</a>.`,
)}
${pager('/admin/access', query, found.next)}`,
  }
}

/** Who did what. */
export async function auditPage(visit: Visit): Promise<PageContent> {
  const { query } = visit
  const sent = sentOf(query, ['event', 'by', 'person', 'client', 'since', 'until', 'q', 'cursor'])
  const found = await visit.get(apiPath('/audit', sent), AUDIT)
  return {
    title: 'Audit',
    lead: 'What was done, by whom, the newest first. Kept for 90 days.',
    content: html`${filters(
      '/admin/audit',
      [
        { name: 'event', label: 'Event' },
        { name: 'by', label: 'By' },
        { name: 'person', label: 'Person' },
        { name: 'client', label: 'Client' },
        { name: 'q', label: 'Contains' },
      ],
      query,
    )}
${table(
  'Audit',
  [
    { label: 'Event', kind: 'name', cell: ({ event }) => code(event) },
    { label: 'By', cell: ({ detail }) => said(typeof detail.by === 'string' ? detail.by : '', 100) },
    { label: 'Details', kind: 'long', cell: ({ detail }) => said(words(detail), 600) },
    { label: 'When', cell: ({ at }) => moment(at) },
  ],
  found.items,
  html`Nothing fits. <a href="/admin/audit">Show all</a>.`,
)}
${pager('/admin/audit', query, found.next)}`,
  }
}

function words(detail: Readonly<Record<string, unknown>>): string {
  return Object.entries(detail)
    .filter(([name]) => name !== 'by')
    .map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' · ')
}
