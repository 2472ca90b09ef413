import { createHrefRewriter } from '../core/href-rewriter.ts'
import { rewritesBody } from '../core/multistatus.ts'
import type { Permit } from '../core/permit.ts'
import { clientFieldLines, clientResponseHeaders, upstreamTarget } from '../core/response-headers.ts'
import type { Timeouts, Upstream } from '../core/route.ts'
import type { BodyTransform, ForwardInput, UpstreamRequest } from '../proxy/forward.ts'
import type { UpstreamMember } from '../proxy/upstream-member.ts'
import type { UpstreamGroup } from '../proxy/upstreams.ts'
import type { Asked } from './asked.ts'
import type { Exchange } from './exchange.ts'
import { type Policy, type Prepared, prepare, type RouteMatch } from './judge.ts'
import { upstreamLines } from './upstream-lines.ts'

/** What was found out about a request before it goes on. */
export interface Permitted {
  readonly policy: Policy
  readonly asked: Asked
  readonly match: RouteMatch
  readonly permit: Permit
  readonly exchange: Exchange
  /** NumericDate, seconds. */
  readonly now: number
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
    this.method = permitted.asked.method
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

  rewriteHead(status: number, rawHeaders: readonly string[]): string[] {
    const { asked, exchange, match } = this.#permitted
    exchange.status = status
    const { route, client } = match
    return clientResponseHeaders({ route, client, requestHeaders: asked.rawHeaders, rawHeaders, upgrade: false })
  }

  passHead(status: number, lines: string): string | undefined {
    const { exchange, match } = this.#permitted
    exchange.status = status
    return status === 207 ? undefined : clientFieldLines(match.route, lines)
  }

  transformBody(status: number, headers: readonly string[]): BodyTransform | undefined {
    const { route, client } = this.#permitted.match
    return rewritesBody(route, status, headers) ? createHrefRewriter(route, client) : undefined
  }
}

/** The request in the terms of one upstream, or why it can't go there. */
export function prepareFor(permitted: Permitted, upstream: Upstream): PreparedForward {
  const { policy, match, asked, permit, exchange, now } = permitted
  const lines = upstreamLines(policy, match, asked, permit, upstream, exchange.id)
  if (lines !== undefined)
    return { kind: 'ready', headers: lines, target: upstreamTarget(match.route, upstream, match.target) }
  return prepare(policy, match, asked, permit, { upstream, requestId: exchange.id, upgrade: false, now })
}

type PreparedForward = Prepared | ({ readonly kind: 'ready' } & UpstreamRequest)
