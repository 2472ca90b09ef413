import { corsHeaders } from '../cors.ts'
import { clientCookie, clientLink, clientReference, clientRefresh, mapsPaths } from '../paths/client-reference.ts'
import type { Route } from '../route.ts'
import { withoutBoundChallenges } from './connection-auth.ts'
import type { ResolvedClient } from './forwarded.ts'
import { setsOwnCookie } from './own-cookies.ts'

/** What the field lines of an answer to a client are made from. */
export interface ClientHeadersInput {
  readonly route: Route
  readonly client: ResolvedClient
  /** The client's request headers, for CORS. */
  readonly requestHeaders: readonly string[]
  /** The upstream's, hop-by-hop ones still in. */
  readonly rawHeaders: readonly string[]
  /** The path of the request, as the client sent it. */
  readonly path: string
  /** The request went to the host of `public_url`, where the issuer's pages are. */
  readonly onPublicHost: boolean
  /** The answer opens a tunnel (101): `Upgrade` stays. */
  readonly upgrade: boolean
}

/** What becomes of a field on its way to the client; any other passes. */
type Treatment = 'hop' | 'drop' | 'reference' | 'link' | 'refresh' | 'cookie' | 'challenge' | 'site' | 'scope'

const TREATMENTS: ReadonlyMap<string, Treatment> = new Map<string, Treatment>([
  ...each('hop', 'connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authentication-info'),
  ...each('hop', 'te', 'transfer-encoding', 'upgrade'),
  // Ports and keys of the upstream's own: at the gateway's name they lead nowhere, or lock people out of it (RFC 7838, RFC 7469).
  ...each('drop', 'alt-svc', 'public-key-pins', 'public-key-pins-report-only', 'expect-ct'),
  // Says that the connection is logged in now; see connection-auth.
  ...each('drop', 'persistent-auth'),
  ...each('reference', 'location', 'content-location', 'sourcemap', 'x-sourcemap'),
  ...each('link', 'link'),
  ...each('refresh', 'refresh'),
  ...each('cookie', 'set-cookie', 'set-cookie2'),
  ...each('challenge', 'www-authenticate'),
  // They speak of everything on the host: on that of the issuer's pages no upstream may.
  ...each('site', 'clear-site-data'),
  ...each('scope', 'service-worker-allowed'),
])

function each(treatment: Treatment, ...names: readonly string[]): [string, Treatment][] {
  return names.map((name) => [name, treatment])
}

/** Lengths of the names above: most names are settled by their length alone. */
const LENGTHS: ReadonlySet<number> = new Set([...TREATMENTS.keys()].map((name) => name.length))

/**
 * The field lines for the client, as raw pairs: order, case and duplicates as they came. Hop-by-hop fields and those that `Connection` names
 * (never Content-Length) go, and so does what an upstream has no say in; references and cookies' paths are put in the client's terms; a
 * `Set-Cookie` of a name of the gateway's own goes; CORS fields are replaced where the route has `cors`.
 */
export function clientResponseHeaders(input: ClientHeadersInput): string[] {
  const { route, rawHeaders } = input
  const named = namedByConnection(rawHeaders)
  const out: string[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    const value = rawHeaders[i + 1] ?? ''
    if (named === undefined && route.cors === undefined && !LENGTHS.has(name.length)) {
      out.push(name, value)
      continue
    }
    const lower = name.toLowerCase()
    if (named?.has(lower) && lower !== 'content-length' && !(input.upgrade && lower === 'upgrade')) continue
    if (route.cors !== undefined && lower.startsWith('access-control-')) continue
    const treated = inClientTerms(input, lower, value)
    if (treated !== undefined) out.push(name, treated)
  }
  if (input.upgrade) out.push('Connection', 'Upgrade')
  if (route.cors !== undefined) out.push(...corsHeaders(route, input.requestHeaders, rawHeaders))
  return out
}

/** The value that goes on, undefined when the field stays here. @param name In lower case. */
function inClientTerms(input: ClientHeadersInput, name: string, value: string): string | undefined {
  const { route, client } = input
  switch (TREATMENTS.get(name)) {
    case undefined:
      return value
    case 'hop':
      return input.upgrade && name === 'upgrade' ? value : undefined
    case 'drop':
      return undefined
    case 'reference':
      return clientReference(route, client, value)
    case 'link':
      return clientLink(route, client, value)
    case 'refresh':
      return clientRefresh(route, client, value)
    case 'cookie':
      if (setsOwnCookie(value)) return undefined
      return mapsPaths(route) ? clientCookie(route, input.path, value) : value
    case 'challenge':
      return withoutBoundChallenges(value)
    case 'site':
      return input.onPublicHost ? undefined : value
    case 'scope':
      return input.onPublicHost ? undefined : clientReference(route, client, value)
  }
}

/**
 * What {@link clientResponseHeaders} would give, as text, where fields only have to go and nothing is rewritten; undefined where that takes more.
 * @param lines Field lines of strict grammar, a CRLF after each (RFC 9112 §5).
 */
export function clientFieldLines(route: Route, lines: string, onPublicHost: boolean): string | undefined {
  if (route.cors !== undefined) return undefined
  let kept = ''
  let from = 0
  for (let at = 0; at < lines.length; ) {
    const colon = lines.indexOf(':', at)
    const next = lines.indexOf('\r\n', colon) + 2
    const fate = LENGTHS.has(colon - at)
      ? fateOf(route, lines.slice(at, colon).toLowerCase(), lines.slice(colon + 1, next), onPublicHost)
      : 'stays'
    if (fate === 'changes') return undefined
    if (fate === 'goes') {
      kept += lines.slice(from, at)
      from = next
    }
    at = next
  }
  return from === 0 ? lines : kept + lines.slice(from)
}

/** What {@link inClientTerms} may do to a field; `changes` where it has to be asked. */
function fateOf(route: Route, name: string, value: string, onPublicHost: boolean): 'stays' | 'goes' | 'changes' {
  switch (TREATMENTS.get(name)) {
    case undefined:
      return 'stays'
    case 'hop':
      return name === 'connection' && namesFields(value) ? 'changes' : 'goes'
    case 'drop':
      return 'goes'
    case 'cookie':
      if (setsOwnCookie(value)) return 'goes'
      return mapsPaths(route) ? 'changes' : 'stays'
    case 'challenge':
      return withoutBoundChallenges(value) === value ? 'stays' : 'changes'
    case 'site':
      return onPublicHost ? 'goes' : 'stays'
    case 'scope':
      return onPublicHost ? 'goes' : 'changes'
    case 'reference':
    case 'link':
    case 'refresh':
      return 'changes'
  }
}

function namesFields(connection: string): boolean {
  const value = connection.trim().toLowerCase()
  return value !== 'keep-alive' && value !== 'close'
}

function namedByConnection(rawHeaders: readonly string[]): ReadonlySet<string> | undefined {
  let named: Set<string> | undefined
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.length !== 10 || rawHeaders[i]?.toLowerCase() !== 'connection') continue
    const value = (rawHeaders[i + 1] ?? '').toLowerCase()
    // Hop-by-hop without being named.
    if (value === 'keep-alive') continue
    named ??= new Set()
    for (const option of value.split(',')) named.add(option.trim())
  }
  return named
}
