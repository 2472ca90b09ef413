import { parseHost } from '../core/address.ts'
import { judgePreflight } from '../core/cors.ts'
import { decide, denyIdentity, type Permit } from '../core/decide.ts'
import { type Denial, denial } from '../core/denial.ts'
import { type ResolvedClient, resolveClient } from '../core/headers/forwarded.ts'
import { hasPassed, upstreamRequestHeaders } from '../core/headers/request-headers.ts'
import { judgeDestination } from '../core/paths/dav.ts'
import { matchesPattern } from '../core/paths/pattern.ts'
import { ADMIN_PATH, BROWSER_PATH, isWithin, relativeTo, reservation } from '../core/paths/router.ts'
import { allowedMethods, isPublic } from '../core/paths/rule-match.ts'
import { parseTarget, type Target } from '../core/paths/target.ts'
import {
  isPlausible,
  mayHoldTicket,
  readTicket,
  type TicketTarget,
  withoutTicket,
  withoutTicketInQuery,
} from '../core/paths/ticket-url.ts'
import { upstreamTarget } from '../core/paths/upstream-target.ts'
import type { Route, Upstream } from '../core/route.ts'
import type { Evidence } from '../core/token.ts'
import { originForm, pathFault, readFraming, sizeFault } from './framing.ts'
import { mayOperate, type Policy } from './policy.ts'
import type { Origin } from './remembered.ts'
import type { RequestHead } from './request-head.ts'

/** Where a request leads, before anybody is asked who they are. */
export type Routing =
  | { readonly kind: 'deny'; readonly denial: Denial; readonly client: ResolvedClient; readonly target?: Target }
  /** Belongs to the issuer, or is resource metadata. */
  | { readonly kind: 'reserved'; readonly host: string; readonly target: Target; readonly client: ResolvedClient }
  | RouteMatch
  /** `OPTIONS *` asks the gateway itself whether it lives (RFC 9110 §9.3.7). */
  | { readonly kind: 'self'; readonly client: ResolvedClient; readonly target?: undefined }

export interface RouteMatch {
  readonly kind: 'route'
  readonly route: Route
  readonly host: string
  /** Without the ticket, where it had one. */
  readonly target: Target
  readonly client: ResolvedClient
  readonly ticket: TicketTarget | 'several' | undefined
}

const LOOP = denial('loop', 'this request has come through this gateway before: a route leads back to it')

const NO_HOST = denial('malformed_request', 'the Host field is not a host with an optional port')

export type Judgment =
  | { readonly kind: 'permit'; readonly permit: Permit }
  | { readonly kind: 'deny'; readonly denial: Denial }
  /** Answered here, without a body (a CORS preflight). */
  | { readonly kind: 'answer'; readonly status: number; readonly headers: string[] }

/** What goes upstream, or why it can't. */
export type Prepared =
  | { readonly kind: 'ready'; readonly headers: readonly string[]; readonly target: string }
  | { readonly kind: 'deny'; readonly denial: Denial }

/** Reads a request and finds whose it is: malformed → reserved → route (in this order). */
export function routeRequest(policy: Policy, head: RequestHead): Routing {
  const { client, host, hostHeader, denial: refused = NO_HOST } = originOf(policy, head)
  if (host === undefined) return { kind: 'deny', denial: refused, client }
  if (head.target === '*' && head.method === 'OPTIONS') return { kind: 'self', client }
  const target = originForm(head.target, hostHeader)
  const long = pathFault(target)
  if (long !== undefined) return { kind: 'deny', denial: long, client }
  const ticket = mayHoldTicket(target) ? ticketAt(policy, host, target) : undefined
  const parsed = parseTarget(ticket === undefined ? withoutTicketInQuery(target) : withoutTicket(target))
  if (!parsed.ok) return { kind: 'deny', denial: denial(parsed.reason, parsed.detail), client }
  return place(policy, host, parsed.target, client, ticket)
}

function originOf(policy: Policy, head: RequestHead): Origin {
  const known = head.memo?.origin(policy)
  if (known !== undefined) return known
  const origin = readOrigin(policy, head)
  head.memo?.keepOrigin(origin)
  return origin
}

function readOrigin(policy: Policy, head: RequestHead): Origin {
  const { peerAddress, tls } = head
  const large = sizeFault(head)
  // Nothing is read from a head that may not be whole.
  const rawHeaders = large === undefined ? head.rawHeaders : []
  const { hostHeader, fault } = readFraming({ ...head, rawHeaders })
  const resolved = resolveClient({ peerAddress, rawHeaders, trusted: policy.trustedProxies, tls, hostHeader })
  const { main, owns } = policy.authorities
  const own = owns(resolved.protocol, resolved.host)
  const client = { ...resolved, own, authority: own || resolved.trusted ? resolved.host : main }
  const host = fault === undefined ? parseHost(client.host) : undefined
  const denied = large ?? (fault === undefined ? loopFault(policy, rawHeaders) : denial('malformed_request', fault))
  return { policy, peerAddress, tls, client, hostHeader, host: denied === undefined ? host : undefined, denial: denied }
}

function loopFault({ pseudonym }: Policy, rawHeaders: readonly string[]): Denial | undefined {
  return hasPassed(rawHeaders, pseudonym) ? LOOP : undefined
}

/** What our `Via` says of a request. */
export function viaOf({ pseudonym }: Policy, { httpVersion }: RequestHead): string {
  return `${httpVersion} ${pseudonym}`
}

/**
 * A preflight's answer, or the permit for what needs no token; undefined when a token has to be judged. Only for the route that
 * {@link routeRequest} found.
 * @param now NumericDate, seconds.
 */
export function judgeWithoutToken(match: RouteMatch, head: RequestHead, now: number): Judgment | undefined {
  const { route, target } = match
  const openness = isPublic(route, head.method, target)
  if (openness === 'ambiguous') return judgeEvidence(match, head, { kind: 'none' }, now)
  const preflight = judgePreflight(route, head.method, target, head.rawHeaders)
  if (preflight.kind !== 'none') return preflight
  return openness === 'public' ? judgeEvidence(match, head, { kind: 'none' }, now) : undefined
}

/** The decision, once it is known what the credential proved. */
export function judgeEvidence(match: RouteMatch, head: RequestHead, evidence: Evidence, now: number): Judgment {
  const decision = decide(match.route, head.method, match.target, evidence, now)
  if (decision.kind === 'deny') return decision
  // An upstream that answers TRACE sends back what we added: credentials of `set_headers` among it (RFC 9110 §9.3.8).
  if (head.method === 'TRACE') return { kind: 'deny', denial: traceDenial(match) }
  return { kind: 'permit', permit: decision.permit }
}

/** What the upstream gets: URLs of WebDAV fields are judged and everything is put in the upstream's terms. */
export function prepare(
  policy: Policy,
  match: RouteMatch,
  head: RequestHead,
  permit: Permit,
  to: { readonly upstream: Upstream; readonly requestId: string; readonly upgrade: boolean; readonly now: number },
): Prepared {
  const { method, rawHeaders } = head
  const { target, client } = match
  const { router, publicHost } = policy
  const { upstream, now } = to
  const judged = judgeDestination({ rawHeaders, method, permit, client, router, publicHost, upstream, now })
  if (judged.kind === 'deny') return judged
  const { requestId, upgrade } = to
  const { dav } = judged
  const headers = upstreamRequestHeaders({
    rawHeaders,
    method,
    permit,
    policy: policy.headers,
    client,
    upstream,
    requestId,
    upgrade,
    via: viaOf(policy, head),
    dav,
  })
  if ('fault' in headers) {
    return { kind: 'deny', denial: denyIdentity(permit, method, target, headers) }
  }
  return { kind: 'ready', headers, target: upstreamTarget(match.route, upstream, target) }
}

/**
 * A ticket counts wherever it comes, so that no server ever sees it. Where the prefix is none of the gateway's, only what is as long as a ticket
 * is one: other paths below it are a route's.
 */
function ticketAt({ router }: Policy, host: string, target: string): RouteMatch['ticket'] {
  const found = readTicket(target)
  if (found === undefined || found === 'several' || found.form === 'query') return found
  return router.browserRoutes(host).length > 0 || isPlausible(found.ticket) ? found : undefined
}

/** The target had a prefix before it, or may have had one. */
function isBelowTicket(ticket: RouteMatch['ticket']): boolean {
  return ticket === 'several' || ticket?.form === 'folder'
}

function place(
  policy: Policy,
  host: string,
  target: Target,
  client: ResolvedClient,
  ticket: RouteMatch['ticket'],
): Routing {
  const { router, publicHost } = policy
  const reserved = reservation(router, publicHost, host, target)
  if (reserved === 'ambiguous') {
    const text = 'the path leads to a reserved path when it is decoded once more'
    return { kind: 'deny', denial: denial('ambiguous_path', text), client, target }
  }
  // By its own path alone: who guards a reserved path in front of us looks for that.
  if (reserved === 'reserved' && isBelowTicket(ticket))
    return { kind: 'deny', denial: denial('no_route', 'a ticket leads to no reserved path'), client, target }
  if (reserved === 'reserved') return placeReserved(policy, host, target, client)
  const selection = router.select(host, target)
  switch (selection.kind) {
    case 'none':
      return { kind: 'deny', denial: denial('no_route', 'no route covers this host and path'), client, target }
    case 'ambiguous':
      return { kind: 'deny', denial: denial('ambiguous_path', selection.detail), client, target }
    case 'route':
      return { kind: 'route', route: selection.route, host, target, client, ticket }
  }
}

/** Whether the path is the server's own sign-out link: ending its session alone would end nothing. */
export function isSignOut({ route, target }: RouteMatch): boolean {
  if (route.signOutPaths.length === 0) return false
  const path = relativeTo(route.path, target.readings[0] ?? '/')
  return route.signOutPaths.some((pattern) => matchesPattern(pattern, path))
}

/** The gateway's own sign-out in its place. */
export function signOutRouting({ host, client }: RouteMatch): Extract<Routing, { kind: 'reserved' }> {
  const path = `${BROWSER_PATH}/sign-out`
  return { kind: 'reserved', host, client, target: { path, query: '', readings: [path], encodedSlash: false } }
}

/** The operator's API is a route among the reserved paths; its place is nowhere for who comes from elsewhere. */
function placeReserved(policy: Policy, host: string, target: Target, client: ResolvedClient): Routing {
  const [path = '/', ...others] = target.readings
  if (!isWithin(ADMIN_PATH, path)) return { kind: 'reserved', host, target, client }
  if (!mayOperate(policy, client.address))
    return { kind: 'deny', denial: denial('no_route', 'there is nothing at this reserved path'), client, target }
  const { admin } = policy
  if (admin === undefined) return { kind: 'reserved', host, target, client }
  const isApi = isWithin(admin.route.path, path)
  if (others.some((other) => isWithin(admin.route.path, other) !== isApi)) {
    const text = 'the path leads to another reserved path when it is decoded once more'
    return { kind: 'deny', denial: denial('ambiguous_path', text), client, target }
  }
  if (!isApi) return { kind: 'reserved', host, target, client }
  return { kind: 'route', route: admin.route, host, target, client, ticket: undefined }
}

/** What is permitted and has no upstream is answered here. Throws for what should have one. */
export function ownRouting({ admin }: Policy, match: RouteMatch): Extract<Routing, { kind: 'reserved' }> {
  const { route, host, target, client } = match
  if (route !== admin?.route) throw new Error('a route without upstreams was selected')
  return { kind: 'reserved', host, target, client }
}

function traceDenial({ route, target }: RouteMatch): Denial {
  const allow = allowedMethods(route, target)
  return denial('method_not_allowed', 'TRACE is never passed on', { allow })
}
