import { z } from 'zod'
import type { AuditRecord } from '../../store/store.ts'
import type { AdminDependencies } from '../dependencies.ts'
import type { App } from './app.ts'
import { keyOf, listOf, PAGE, TIME, timeOf, walk } from './page.ts'
import { subOf } from './person.ts'
import { whyOf } from './why.ts'

const LINE = z.object({
  id: z.number(),
  at: TIME,
  event: z.string(),
  origin: z.enum(['server', 'stranger', 'command']),
  detail: z.record(z.string(), z.unknown()),
})

const QUERY = z.strictObject({
  ...PAGE,
  event: z.string().max(64).optional(),
  by: z.string().max(256).optional(),
  person: z.string().max(256).optional(),
  client: z.string().max(2_048).optional(),
  since: z.iso.datetime({ offset: true }).optional(),
  until: z.iso.datetime({ offset: true }).optional(),
  q: z.string().max(128).optional().describe('Part of the line.'),
})

type Filter = z.output<typeof QUERY> & { readonly sub: string | undefined; readonly bySub: string | undefined }

/** The audit trail; as JSON, as CSV or one JSON object a line. */
export function addAudit(app: App, { store, issuer }: AdminDependencies): void {
  app.get(
    '/audit',
    { config: { access: { scope: 'r' } }, schema: { querystring: QUERY, response: { 200: listOf(LINE) } } },
    async (request, reply) => {
      const { query } = request
      const filter = { ...query, sub: await subOf(store, query.person), bySub: await subOf(store, query.by) }
      const { event } = query
      const found = await walk<AuditRecord, number>({
        from: query.cursor === undefined ? Number.MAX_SAFE_INTEGER : keyOf(query.cursor, 'number'),
        limit: query.limit,
        read: (before, limit) =>
          event === undefined ? store.audits(limit, before) : store.auditsOf(event, before, limit),
        keyOf: ({ id }) => id,
        fits: (line) => matches(line, filter),
      })
      const items = found.items.map(shownLine)
      const format = formatOf(request.headers.accept)
      if (format === 'json') return { ...found, items }
      await issuer.record('audit.exported', { lines: items.length }, whyOf(request.caller))
      if (found.next !== undefined) reply.header('Link', `<?cursor=${found.next}>; rel="next"`)
      const text = format === 'csv' ? csvOf(items) : items.map((item) => `${JSON.stringify(item)}\n`).join('')
      const type = format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson'
      reply.type(type).serializer((payload: unknown) => String(payload))
      return text as never
    },
  )
}

function formatOf(accept = ''): 'json' | 'csv' | 'ndjson' {
  if (accept.includes('text/csv')) return 'csv'
  return accept.includes('application/x-ndjson') ? 'ndjson' : 'json'
}

function shownLine({ id, at, event, origin, detail }: AuditRecord): z.output<typeof LINE> {
  return { id, at: timeOf(at), event, origin, detail: { ...detail } }
}

function matches({ at, event, detail }: AuditRecord, filter: Filter): boolean {
  if (filter.event !== undefined && event !== filter.event) return false
  if (filter.by !== undefined && detail.by !== filter.by && detail.by !== filter.bySub) return false
  if (filter.sub !== undefined && detail.sub !== filter.sub) return false
  if (filter.client !== undefined && detail.client !== filter.client) return false
  if (filter.since !== undefined && at < Date.parse(filter.since) / 1_000) return false
  if (filter.until !== undefined && at > Date.parse(filter.until) / 1_000) return false
  return filter.q === undefined || `${event} ${JSON.stringify(detail)}`.toLowerCase().includes(filter.q.toLowerCase())
}

function csvOf(lines: readonly z.output<typeof LINE>[]): string {
  const rows = lines.map(({ id, at, event, origin, detail }) => [String(id), at, event, origin, JSON.stringify(detail)])
  return [['id', 'at', 'event', 'origin', 'detail'], ...rows].map((row) => `${row.map(cell).join(',')}\r\n`).join('')
}

/** RFC 4180; what a spreadsheet would carry out gets an apostrophe before it. */
function cell(text: string): string {
  const plain = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return `"${plain.replaceAll('"', '""')}"`
}
