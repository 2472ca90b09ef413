import { tokenScheme } from '../credential.ts'
import type { Permit } from '../decide.ts'
import { strippedPrefix } from '../paths/client-reference.ts'
import { withoutTicket } from '../paths/ticket-url.ts'
import { mayAnswerHrefs, upstreamHost } from '../paths/upstream-target.ts'
import { isOurs } from '../presented.ts'
import type { Route, Upstream } from '../route.ts'
import { isConnectionBound } from './connection-auth.ts'
import { cgiName } from './fields.ts'
import type { ResolvedClient } from './forwarded.ts'
import type { Disposition, HeaderPolicy } from './header-policy.ts'
import type { IdentityFault } from './identity.ts'
import { withoutOwnCookies } from './own-cookies.ts'

/** What the field lines of a request to an upstream are made from. */
export interface UpstreamHeadersInput {
  readonly rawHeaders: readonly string[]
  readonly method: string
  readonly permit: Permit
  readonly policy: HeaderPolicy
  readonly client: ResolvedClient
  readonly upstream: Upstream
  readonly requestId: string
  /** Keep `Upgrade`: the request goes into a tunnel. See {@link tunnelProtocol}. */
  readonly upgrade: boolean
  /** What our `Via` says: the protocol that the request came by, and who we are (RFC 9110 §7.6.3). */
  readonly via: string
  /** `Destination` and `If` in the upstream's terms, as `judgeDestination` answers them; undefined ones are dropped. */
  readonly dav: DavHeaders
}

/** WebDAV's fields that hold URLs (RFC 4918 §10.3, §10.4). */
export interface DavHeaders {
  readonly destination: string | undefined
  readonly if: string | undefined
}

/**
 * The exact field lines for the upstream, as raw pairs: everything hop-by-hop, whatever any `Connection` field names and every
 * protected name (CGI form) goes first, then ours are added. The caller's token stops here, and so does what the client
 * said of framing; the forwarder adds its own. `Expect` is dropped: whoever reads the body has answered it.
 */
export function upstreamRequestHeaders(input: UpstreamHeadersInput): string[] | IdentityFault {
  const added = input.policy.addedBy(input.permit.route, input.permit.token)
  if ('fault' in added) return added
  const out = lastingRequestHeaders(input)
  if (addsRequestId(input.permit.route)) out.push('X-Request-Id', input.requestId)
  for (const text of added) out.push(text)
  return out
}

/**
 * Those of {@link upstreamRequestHeaders} that are the same for the next request with the same fields by the same client, whatever its token
 * and request id. They come first.
 */
export function lastingRequestHeaders(input: Omit<UpstreamHeadersInput, 'requestId'>): string[] {
  const { permit, policy, client, rawHeaders } = input
  const out = ['Host', upstreamHost(permit.route, input.upstream, client)]
  const named = namedByConnection(rawHeaders)
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    const disposition = policy.dispositionOf(name)
    if (named !== undefined && !UNNAMEABLE.has(disposition) && named.has(name.toLowerCase())) continue
    const value = passing(input, disposition, rawHeaders[i + 1] ?? '')
    if (value !== undefined) out.push(name, value)
  }
  if (input.upgrade) out.push('Connection', 'Upgrade')
  if (mayAnswerHrefs(permit.route, input.method)) out.push('Accept-Encoding', 'identity')
  addFacts(out, permit.route, client)
  addUnlessSet(out, permit.route, 'Via', input.via)
  return out
}

/** Whether the request's id is told: a route's own header of that name replaces it. */
export function addsRequestId(route: Route): boolean {
  return !setsItself(route, 'X-Request-Id')
}

/**
 * The one protocol that an upgrade asks for (RFC 9110 §7.8), in lower case. Undefined for none, for several, and for those whose bytes would be
 * further HTTP requests. Does NOT judge whether a route lets it through.
 */
export function tunnelProtocol(rawHeaders: readonly string[]): string | undefined {
  let protocol: string | undefined
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() !== 'upgrade') continue
    if (protocol !== undefined) return undefined
    protocol = (rawHeaders[i + 1] ?? '').toLowerCase()
  }
  if (protocol === undefined || !/^[!#$%&'*+.^_`|~0-9a-z-]+(\/[0-9a-z.]+)?$/.test(protocol)) return undefined
  return carriesRequests(protocol) ? undefined : protocol
}

/** Whether what is spoken after an upgrade would be requests that nobody judges. @param protocol Lower case. */
export function carriesRequests(protocol: string): boolean {
  return /^(h2c?|h3|http|https|shttp|tls|ssl|spdy|icap|sip|rtsp|rtsps)([-/.0-9]|$)/.test(protocol)
}

/**
 * Whether a request has come through us before: some `Via` names our pseudonym (RFC 9110 §7.6.3). Names are compared without case.
 * @param pseudonym Lower case.
 */
export function hasPassed(rawHeaders: readonly string[], pseudonym: string): boolean {
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (name.length !== 3 || name.toLowerCase() !== 'via') continue
    const members = (rawHeaders[i + 1] ?? '').toLowerCase().split(',')
    if (members.some((member) => member.trim().split(/[ \t]+/)[1] === pseudonym)) return true
  }
  return false
}

// `Connection` has to name these, which are judged by themselves.
const UNNAMEABLE: ReadonlySet<Disposition> = new Set(['te', 'upgrade'])

/** The value that goes on, undefined when the field stays here. */
function passing(
  input: Omit<UpstreamHeadersInput, 'requestId'>,
  disposition: Disposition,
  value: string,
): string | undefined {
  switch (disposition) {
    case 'pass':
      return value
    case 'forwarded':
      return input.client.trusted ? value : undefined
    case 'authorization':
      return passingAuthorization(input.permit, value)
    case 'referer':
      return withoutTicket(value)
    case 'cookie':
      return withoutOwnCookies(value)
    case 'te':
      return /(^|[\s,])trailers([\s,;]|$)/i.test(value) ? 'trailers' : undefined
    case 'upgrade':
      return input.upgrade ? value : undefined
    case 'accept_encoding':
      return mayAnswerHrefs(input.permit.route, input.method) ? undefined : value
    case 'destination':
      return input.dav.destination
    case 'if':
      return input.dav.if
    case 'protected':
    case 'never':
    case 'hop':
    case 'replaced':
    case 'connection':
      return undefined
  }
}

/** A credential of ours stops here, whoever's the field is. */
function passingAuthorization({ route, token }: Permit, value: string): string | undefined {
  if (isOurs(route, value)) return undefined
  if (route.authorization === 'upstream') return isConnectionBound(value) ? undefined : value
  return token === undefined && mayPass(value) ? value : undefined
}

/** Neither a token nor a login of the connection, which is not the client's own on this side. */
function mayPass(authorization: string): boolean {
  return tokenScheme(authorization) === undefined && !isConnectionBound(authorization)
}

/** Lower-case names that `Connection` fields list, other than the usual options; undefined for none. */
function namedByConnection(rawHeaders: readonly string[]): ReadonlySet<string> | undefined {
  let named: Set<string> | undefined
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (name.length !== 10 || name.toLowerCase() !== 'connection') continue
    const value = (rawHeaders[i + 1] ?? '').toLowerCase()
    if (value === 'keep-alive' || value === 'close') continue
    named ??= new Set()
    for (const option of value.split(',')) named.add(option.trim())
  }
  return named
}

function addFacts(out: string[], route: Route, client: ResolvedClient): void {
  addUnlessSet(out, route, 'X-Forwarded-For', client.forwardedFor)
  addUnlessSet(out, route, 'X-Forwarded-Host', client.authority)
  addUnlessSet(out, route, 'X-Forwarded-Proto', client.protocol)
  const prefix = client.forwardedPrefix + strippedPrefix(route)
  if (prefix !== '') addUnlessSet(out, route, 'X-Forwarded-Prefix', prefix)
}

function addUnlessSet(out: string[], route: Route, name: string, value: string): void {
  if (!setsItself(route, name)) out.push(name, value)
}

function setsItself({ setHeaders, headers }: Route, name: string): boolean {
  if (setHeaders.length + headers.length === 0) return false
  const cgi = cgiName(name)
  return [...setHeaders, ...headers].some((header) => cgiName(header.name) === cgi)
}
