import { Readable } from 'node:stream'
import { z } from 'zod'
import type { AuditRecord } from '../../store/store.ts'
import { whyOf } from '../caller.ts'
import type { AdminDependencies } from '../dependencies.ts'
import type { App } from './app.ts'
import { keyOf, listOf, MOST, PAGE, TIME, timeOf, walk } from './page.ts'
import { subOf } from './person.ts'

const LINE = z.object({
  id: z.number(),
  at: TIME,
  event: z.string(),
  origin: z.enum(['server', 'stranger', 'command']),
  detail: z.record(z.string(), z.unknown()),
  names: z
    .record(z.string(), z.string())
    .optional()
    .describe('User names of people in `detail`, by `sub`; not in exports.'),
})

/** The answer of /audit, as JSON. */
export const AUDIT = listOf(LINE)

const { limit: _, ...CURSOR } = PAGE
const QUERY = z.strictObject({
  ...CURSOR,
  limit: z.coerce.number().int().min(1).optional().describe('At most so many; default 50, and all of an export.'),
  event: z.string().max(64).optional(),
  by: z.string().max(256).optional(),
  person: z.string().max(256).optional(),
  client: z.string().max(2_048).optional(),
  since: z.iso.datetime({ offset: true }).optional(),
  until: z.iso.datetime({ offset: true }).optional(),
  q: z.string().max(128).optional().describe('Part of the line.'),
})

type Filter = z.output<typeof QUERY> & { readonly sub: string | undefined; readonly bySub: string | undefined }

const USUAL = 50
const SLICE = 200

/** The audit trail; as JSON, and whole as CSV or one JSON object a line. */
export function addAudit(app: App, { store, issuer }: AdminDependencies): void {
  app.get(
    '/audit',
    { config: { access: { scope: 'r' } }, schema: { querystring: QUERY, response: { 200: AUDIT } } },
    async (request, reply) => {
      const { query } = request
      const filter = { ...query, sub: await subOf(store, query.person), bySub: await subOf(store, query.by) }
      const from = query.cursor === undefined ? await beginning(store, query.until) : keyOf(query.cursor, 'number')
      const format = formatOf(request.headers.accept)
      if (format === 'json') {
        const found = await walkFrom(store, filter, from, Math.min(query.limit ?? USUAL, MOST))
        return { ...found, items: await withNames(store, found.items.map(shownLine)) }
      }
      const { cursor: _cursor, ...asked } = query
      await issuer.record('audit.exported', { format, filter: asked }, whyOf(request.caller))
      reply.type(format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson')
      return reply.send(Readable.from(exported(store, filter, from, format)) as never)
    },
  )
}

function walkFrom(store: AdminDependencies['store'], filter: Filter, from: number, limit: number) {
  return walk<AuditRecord, number>({
    from,
    limit,
    read: (before, most) => linesBefore(store, filter, before, most),
    keyOf: ({ id }) => id,
    fits: (line) => matches(line, filter),
    isPast: ({ at }) => filter.since !== undefined && at < secondsOf(filter.since) - CLOCKS_DIFFER_SECONDS,
  })
}

/** Slice by slice, as fast as it is read: the whole trail is never in memory. */
async function* exported(
  store: AdminDependencies['store'],
  filter: Filter,
  from: number,
  format: Exclude<Format, 'json'>,
): AsyncGenerator<string> {
  if (format === 'csv') yield rowText(['id', 'at', 'event', 'origin', 'detail'])
  let left = filter.limit ?? Number.MAX_SAFE_INTEGER
  for (let at: number | undefined = from; at !== undefined && left > 0; ) {
    const found = await walkFrom(store, filter, at, Math.min(left, SLICE))
    left -= found.items.length
    if (found.items.length > 0) yield found.items.map((line) => lineText(shownLine(line), format)).join('')
    at = found.next === undefined ? undefined : keyOf(found.next, 'number')
  }
}

/** Ids ascend with time, but for clocks that were set back or belong to another machine. */
const CLOCKS_DIFFER_SECONDS = 3_600

/** The id before which the lines up to a time stand. */
async function beginning(store: AdminDependencies['store'], until: string | undefined): Promise<number> {
  if (until === undefined) return Number.MAX_SAFE_INTEGER
  const newest = await store.auditIdAt(secondsOf(until) + CLOCKS_DIFFER_SECONDS)
  return newest === undefined ? 0 : newest + 1
}

/** By the index that leaves the fewest lines. */
function linesBefore(
  store: AdminDependencies['store'],
  { sub, client, bySub, event }: Filter,
  before: number,
  limit: number,
): Promise<readonly AuditRecord[]> {
  if (sub !== undefined) return store.auditsBy('sub', sub, before, limit)
  if (client !== undefined) return store.auditsBy('client', client, before, limit)
  if (bySub !== undefined) return store.auditsBy('by', bySub, before, limit)
  return event === undefined ? store.audits(limit, before) : store.auditsBy('event', event, before, limit)
}

function secondsOf(time: string): number {
  return Date.parse(time) / 1_000
}

type Format = 'json' | 'csv' | 'ndjson'

const FORMATS: Readonly<Record<string, Format>> = {
  'application/json': 'json',
  'text/csv': 'csv',
  'application/x-ndjson': 'ndjson',
}

/** What is liked best of what there is (RFC 9110 §12.5.1), the first of equals; JSON where none is named. */
function formatOf(accept = ''): Format {
  const wishes = accept.split(',').flatMap((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    const format = FORMATS[type]
    const quality = Number(parameters.find((each) => each.startsWith('q='))?.slice(2) ?? 1)
    return format !== undefined && quality > 0 ? [{ format, quality }] : []
  })
  return wishes.sort((a, b) => b.quality - a.quality)[0]?.format ?? 'json'
}

function shownLine({ id, at, event, origin, detail }: AuditRecord): z.output<typeof LINE> {
  return { id, at: timeOf(at), event, origin, detail: { ...detail } }
}

/** Each person is looked for once. */
async function withNames(
  store: AdminDependencies['store'],
  lines: readonly z.output<typeof LINE>[],
): Promise<z.output<typeof LINE>[]> {
  const subs = new Set(
    lines.flatMap(({ detail }) => [detail.sub, detail.by]).filter((each) => typeof each === 'string'),
  )
  const users = await Promise.all([...subs].map((sub) => store.userBySub(sub)))
  const names = new Map(users.flatMap((user) => (user === undefined ? [] : [[user.sub, user.username] as const])))
  return lines.map((line) => {
    const own = [line.detail.sub, line.detail.by].filter((each) => typeof each === 'string')
    const pairs = own.flatMap((sub) => (names.has(sub) ? [[sub, names.get(sub) ?? '']] : []))
    return { ...line, names: Object.fromEntries(pairs) }
  })
}

function matches({ at, event, detail }: AuditRecord, filter: Filter): boolean {
  if (filter.event !== undefined && event !== filter.event) return false
  if (filter.by !== undefined && detail.by !== filter.bySub) return false
  if (filter.sub !== undefined && detail.sub !== filter.sub) return false
  if (filter.client !== undefined && detail.client !== filter.client) return false
  if (filter.since !== undefined && at < secondsOf(filter.since)) return false
  if (filter.until !== undefined && at > secondsOf(filter.until)) return false
  return filter.q === undefined || `${event} ${JSON.stringify(detail)}`.toLowerCase().includes(filter.q.toLowerCase())
}

function lineText(line: z.output<typeof LINE>, format: Exclude<Format, 'json'>): string {
  if (format === 'ndjson') return `${JSON.stringify(line)}\n`
  const { id, at, event, origin, detail } = line
  return rowText([String(id), at, event, origin, JSON.stringify(detail)])
}

function rowText(cells: readonly string[]): string {
  return `${cells.map(cell).join(',')}\r\n`
}

/** RFC 4180; what a spreadsheet would carry out gets an apostrophe before it. */
function cell(text: string): string {
  const plain = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return `"${plain.replaceAll('"', '""')}"`
}
