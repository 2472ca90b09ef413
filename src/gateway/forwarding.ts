import type { Permit } from '../core/decide.ts'
import { renderFieldLines } from '../core/headers/fields.ts'
import { privateFields, privateLines, ticketFields } from '../core/headers/private-answer.ts'
import { addsRequestId, lastingRequestHeaders } from '../core/headers/request-headers.ts'
import { clientFieldLines, clientResponseHeaders } from '../core/headers/response-headers.ts'
import { hasDavFields } from '../core/paths/dav.ts'
import { createHrefRewriter } from '../core/paths/href-rewriter.ts'
import { TICKET_PATH } from '../core/paths/ticket-url.ts'
import { mayHoldHrefs, rewritesBody, upstreamTarget } from '../core/paths/upstream-target.ts'
import type { Timeouts, Upstream } from '../core/route.ts'
import { type Evidence, unavailable } from '../core/token.ts'
import type { BodyTransform } from '../proxy/client-answer.ts'
import type { ForwardInput, UpstreamRequest } from '../proxy/forward-input.ts'
import type { UpstreamGroup, UpstreamMember } from '../proxy/upstreams.ts'
import type { Incoming } from './call.ts'
import { type Prepared, prepare, type RouteMatch, viaOf } from './judge.ts'
import type { Policy } from './policy.ts'
import type { UpstreamLines } from './remembered.ts'
import type { RequestHead } from './request-head.ts'
import type { RequestRecord } from './request-log.ts'

/** What was found out about a request before it goes on. */
interface Permitted {
  /** The file in force by which it was judged. */
  readonly policy: Policy
  readonly head: RequestHead
  readonly match: RouteMatch
  readonly permit: Permit
  readonly record: RequestRecord
  /** NumericDate, seconds. */
  readonly now: number
  /** Shared caches would keep the answer for others. */
  readonly isPrivate: boolean
  /** It asks for a tunnel; called when it becomes one. Undefined: it doesn't. */
  readonly onTunnel: (() => void) | undefined
  readonly present: Present
  readonly incoming: Incoming
}

/** What is so now, whatever it was when a request was judged. */
interface Present {
  readonly active: () => { readonly policy: Policy }
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** A permitted request in its upstream's terms, and its answer in the client's. An object, for closures cost every request more. */
export class Forwarding implements ForwardInput {
  readonly #permitted: Permitted
  readonly method: string
  readonly target: string
  readonly headers: readonly string[] | string
  readonly upstreams: UpstreamGroup
  readonly member: UpstreamMember
  readonly timeouts: Timeouts
  readonly maxBody: number | undefined

  /** @param first The request for `member`, as {@link prepareFor} made it. */
  constructor(permitted: Permitted, upstreams: UpstreamGroup, member: UpstreamMember, first: UpstreamRequest) {
    const { route } = permitted.match
    this.#permitted = permitted
    this.method = permitted.head.method
    this.target = first.target
    this.headers = first.headers
    this.upstreams = upstreams
    this.member = member
    this.timeouts = route.timeouts
    this.maxBody = route.maxBody
  }

  towards(upstream: Upstream): UpstreamRequest | undefined {
    const prepared = prepareFor(this.#permitted, upstream)
    return prepared.kind === 'ready' ? prepared : undefined
  }

  /** By the file in force, and by the token's standing. What narrows rules otherwise holds for the next request. */
  stands(): boolean {
    const { policy, permit, present } = this.#permitted
    if (present.active().policy !== policy) return false
    return permit.token === undefined || standingOf(permit, present.now() / 1_000).kind === 'verified'
  }

  onBodyWanted(): void {
    const { awaitsContinue, response } = this.#permitted.incoming
    if (awaitsContinue) response.writeContinue()
  }

  rewriteHead(status: number, rawHeaders: readonly string[]): string[] {
    const { head, record, match, onTunnel } = this.#permitted
    record.status = status
    const { route, client, target } = match
    const upgrade = status === 101 && onTunnel !== undefined
    if (upgrade) onTunnel()
    const onPublicHost = this.#isOnPublicHost()
    const { path } = target
    const requestHeaders = head.rawHeaders
    const fields = clientResponseHeaders({ route, client, requestHeaders, rawHeaders, path, onPublicHost, upgrade })
    return this.#permitted.isPrivate && !upgrade ? privately(fields, match) : fields
  }

  passHead(status: number, lines: string): string | undefined {
    const { record, match } = this.#permitted
    record.status = status
    if (mayHoldHrefs(match.route, this.method, status) || match.ticket !== undefined) return undefined
    const passed = clientFieldLines(match.route, lines, this.#isOnPublicHost())
    return passed === undefined || !this.#permitted.isPrivate ? passed : privateLines(passed)
  }

  transformBody(status: number, headers: readonly string[]): BodyTransform | undefined {
    const { route, client } = this.#permitted.match
    return rewritesBody(route, this.method, status, headers) ? createHrefRewriter(route, client) : undefined
  }

  #isOnPublicHost(): boolean {
    const { match, policy } = this.#permitted
    return match.host === policy.publicHost
  }
}

/** What a permitted request's token proves now, though it was bound to its request before. @param now NumericDate, seconds. */
export function standingOf({ token }: Permit, now: number): Evidence {
  if (token === undefined) return { kind: 'none' }
  return token.memo.standing?.(now) ?? unavailable('whether the token is still good is not known', 1)
}

/** References of a folder's ticket lead on below it. */
function privately(fields: readonly string[], { ticket, client }: RouteMatch): string[] {
  if (ticket === undefined || ticket === 'several') return privateFields(fields)
  const prefix = ticket.form === 'folder' ? TICKET_PATH + ticket.ticket : ''
  return ticketFields(privateFields(fields), prefix, `${client.protocol}://${client.host}`)
}

/** The request in the terms of one upstream, or why it can't go there. */
export function prepareFor(permitted: Permitted, upstream: Upstream): PreparedForward {
  const { policy, match, head, permit, record, now } = permitted
  const upgrade = permitted.onTunnel !== undefined
  const lines = upgrade ? undefined : upstreamLines(policy, match, head, permit, upstream, record.id)
  if (lines !== undefined)
    return { kind: 'ready', headers: lines, target: upstreamTarget(match.route, upstream, match.target) }
  return prepare(policy, match, withToken(head, match), permit, { upstream, requestId: record.id, upgrade, now })
}

/** Where `Authorization` is the upstream's own, it gets the field as it came. */
function withToken(head: RequestHead, { route }: RouteMatch): RequestHead {
  const { bearer, rawHeaders } = head
  if (bearer === undefined || route.authorization !== 'upstream') return head
  const whole = rawHeaders.map((text, i) => {
    const masked = i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === 'authorization'
    return masked ? text.slice(0, -1) + bearer : text
  })
  return { ...head, rawHeaders: whole }
}

type PreparedForward = Prepared | ({ readonly kind: 'ready' } & UpstreamRequest)

/**
 * What the upstream gets of a plain request, as field lines: those of the connection's last request with the same fields, and the token's own.
 * Undefined where more has to be judged or said: WebDAV's fields, claims that can't be sent.
 * @param requestId Of letters, digits and `._-`.
 */
function upstreamLines(
  policy: Policy,
  match: RouteMatch,
  head: RequestHead,
  permit: Permit,
  upstream: Upstream,
  requestId: string,
): string | undefined {
  // The token is not among the lines that are remembered.
  if (head.memo === undefined || (head.bearer !== undefined && match.route.authorization === 'upstream'))
    return undefined
  const added = policy.headers.addedLines(permit.route, permit.token)
  const lasting = lastingLines(policy, match, head, permit, upstream)
  if (added === undefined || lasting === undefined) return undefined
  return lasting.addsRequestId ? `${lasting.lines}X-Request-Id: ${requestId}\r\n${added}` : lasting.lines + added
}

function lastingLines(
  policy: Policy,
  { client }: RouteMatch,
  head: RequestHead,
  permit: Permit,
  upstream: Upstream,
): UpstreamLines | undefined {
  const { memo, method, rawHeaders } = head
  const { route } = permit
  const identified = permit.token !== undefined
  const known = memo?.upstreamLines(policy, route, upstream, identified)
  if (known !== undefined) return known
  if (memo === undefined || hasDavFields(rawHeaders)) return undefined
  const dav = { destination: undefined, if: undefined }
  const input = {
    rawHeaders,
    method,
    permit,
    policy: policy.headers,
    client,
    upstream,
    upgrade: false,
    via: viaOf(policy, head),
    dav,
  }
  const lines = renderFieldLines(lastingRequestHeaders(input))
  if (lines === undefined) return undefined
  const made = { policy, route, upstream, identified, lines, addsRequestId: addsRequestId(route) }
  memo.keepUpstreamLines(made)
  return made
}
