import type { z } from 'zod'
import { AUDIT } from '../../admin/api/audit.ts'
import { type Html, html } from '../../issuer/pages/html.ts'
import { apiPath } from '../api.ts'
import { listPage } from '../list-page.ts'
import type { PageContext } from '../page-context.ts'
import { code, type FilterField, linkTo, moment, said, sentOf, TIMES } from '../parts.ts'
import type { PageContent } from '../shell.ts'

type Line = z.output<typeof AUDIT>['items'][number]

const FIELDS: readonly FilterField[] = [
  { name: 'event', label: 'Event' },
  { name: 'by', label: 'By' },
  { name: 'person', label: 'Person' },
  { name: 'client', label: 'Client' },
  { name: 'q', label: 'Contains' },
  ...TIMES,
]

/** What the trail can be had as, beside the page. */
export const EXPORTS: Readonly<Record<string, { readonly type: string; readonly name: string }>> = {
  '/audit/csv': { type: 'text/csv', name: 'audit.csv' },
  '/audit/ndjson': { type: 'application/x-ndjson', name: 'audit.ndjson' },
}

/** What the API is asked for an export: the filter of the page. */
export function exportPath(query: URLSearchParams): string {
  return apiPath(
    '/audit',
    sentOf(
      query,
      FIELDS.map(({ name }) => name),
    ),
  )
}

/** Who did what. */
export function auditPage(context: PageContext): Promise<PageContent> {
  const { query } = context
  const to = (place: string): string => (query.size === 0 ? place : `${place}?${query}`)
  return listPage(context, {
    place: '/audit',
    title: 'Audit',
    lead: 'What was done, by whom, the newest first. Kept for 90 days.',
    acts: html`<a class="button" href="${to('/admin/audit/csv')}">CSV</a><a class="button" href="${to('/admin/audit/ndjson')}">NDJSON</a><span class="hint">All that fits the filter</span>`,
    fields: FIELDS,
    columns: [
      { label: 'Event', kind: 'name', cell: ({ event }) => code(event) },
      { label: 'By', kind: 'short', cell: byOf },
      { label: 'About', kind: 'short', cell: aboutOf },
      { label: 'Details', kind: 'long', cell: ({ detail }) => detailOf(detail) },
      { label: 'When', kind: 'short', cell: ({ at }) => moment(at) },
    ],
    schema: AUDIT,
    empty: (filtered) =>
      filtered
        ? html`Nothing fits. <a href="/admin/audit">Show all</a>.`
        : html`Nothing is written down yet. Sign-ins, changes and ends appear here.`,
  })
}

/** Who acted: a person by name, a client, or the command line. */
export function byOf({ detail, names = {} }: Pick<Line, 'detail' | 'names'>): Html {
  const { by } = detail
  if (typeof by !== 'string') return said('')
  const name = names[by]
  if (name !== undefined) return linkTo('people', by, name)
  return by.startsWith('client:') ? linkTo('clients', by.slice(7), shortened(by.slice(7))) : said(by, 100)
}

function aboutOf({ detail, names = {} }: Line): Html {
  const { sub, client } = detail
  const person = typeof sub === 'string' ? [linkTo('people', sub, names[sub] ?? sub)] : []
  const app = typeof client === 'string' ? [linkTo('clients', client, shortened(client))] : []
  return html`${[...person, ...app].map((each, index) => html`${index > 0 && ' · '}${each}`)}`
}

/** Ids may be URLs. */
function shortened(id: string): string {
  return id.length <= 40 ? id : `${id.slice(0, 39)}…`
}

/** What has a column of its own, or says nothing to people. */
const ELSEWHERE: ReadonlySet<string> = new Set(['by', 'sub', 'client', 'username'])

function detailOf(detail: Line['detail']): Html {
  const entries = Object.entries(detail).filter(([name]) => !ELSEWHERE.has(name))
  if (entries.length === 0) return said('')
  const facts = entries.map(
    ([name, value]) => html`<span>${name.replaceAll('_', ' ')} ${said(worded(name, value), 300)}</span>`,
  )
  return html`<div class="detail">${facts}</div>`
}

function worded(name: string, value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map((each) => worded('', each)).join(', ')
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (typeof value === 'number' && /(?:_at|^exp)$/.test(name)) return timeOf(value)
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** A NumericDate in words. */
function timeOf(seconds: number): string {
  const at = new Date(seconds * 1000)
  return Number.isNaN(at.getTime()) ? String(seconds) : `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`
}
