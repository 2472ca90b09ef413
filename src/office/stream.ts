import { queryOf } from '../issuer/http/request.ts'
import { cookieOf, type OfficeParts, type OfficeRequest } from './office-request.ts'

/** Where the Live page's rows come from. */
export const STREAM_PATH = '/admin/decisions/live/stream'

/**
 * Opens the stream of the Live page: for a script of that page alone, which shows the ticket that stands in it. The ticket is of this
 * session, good for a minute, and used up by this. Everybody else gets 403.
 */
export async function openStream(parts: OfficeParts, call: OfficeRequest): Promise<void> {
  const { request } = call
  const site = request.headers['sec-fetch-site']
  const session = await parts.signIn.open(cookieOf(parts, request, 'admin'), parts.idleSeconds())
  const query = queryOf(request)
  const ticket = query.get('ticket') ?? ''
  if (session === undefined || (site !== undefined && site !== 'same-origin')) return refuse(call)
  if (!(await parts.signIn.keepsakes.spendTicket(ticket, session.guard))) return refuse(call)
  query.delete('ticket')
  await parts.passOn(call, session.token, `/decisions/stream?${query}`)
}

function refuse({ response, visitor }: OfficeRequest): void {
  const detail = 'the stream is for the Live page: it wants the ticket that stands in it, once, within a minute'
  const problem = { type: 'about:blank', title: 'Forbidden', status: 403, detail, request_id: visitor.requestId }
  const body = Buffer.from(`${JSON.stringify(problem)}\n`)
  response.writeHead(403, {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    'content-length': body.length,
  })
  response.end(body)
}
