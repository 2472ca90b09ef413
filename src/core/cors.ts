import { type Denial, denial } from './denial.ts'
import { allowedMethods, matchRule } from './paths/rule-match.ts'
import type { Target } from './paths/target.ts'
import type { Route } from './route.ts'

type Preflight =
  | { readonly kind: 'none' }
  /** Answered here, without a body; `headers` are raw pairs. */
  | { readonly kind: 'answer'; readonly status: 204; readonly headers: string[] }
  | { readonly kind: 'deny'; readonly denial: Denial }

// How long a browser may go by a preflight: a narrower file should show soon.
const MAX_AGE_SECONDS = 600

// Names that scripts may always read (Fetch, CORS-safelisted response-header name), and those that they never can.
const NOT_EXPOSED = new Set([
  ...['cache-control', 'content-language', 'content-length', 'content-type', 'expires', 'last-modified', 'pragma'],
  ...['set-cookie', 'set-cookie2', 'vary', 'date', 'connection', 'keep-alive', 'transfer-encoding', 'www-authenticate'],
])

/**
 * Judges a CORS preflight (Fetch §3.2.2) on a route that has `cors`: `OPTIONS` with one `Origin` and `Access-Control-Request-Method`. A
 * listed origin learns the methods that have a rule for the path. Asks for no token: browsers send none.
 */
export function judgePreflight(route: Route, method: string, target: Target, rawHeaders: readonly string[]): Preflight {
  if (route.cors === undefined || method !== 'OPTIONS') return { kind: 'none' }
  const origin = fieldOf(rawHeaders, 'origin')
  const wanted = fieldOf(rawHeaders, 'access-control-request-method')
  if (origin === undefined || wanted === undefined) return { kind: 'none' }
  if (!route.cors.origins.includes(origin)) {
    return { kind: 'deny', denial: denial('origin_not_allowed', `the origin ${origin} is not listed for this route`) }
  }
  return { kind: 'answer', status: 204, headers: preflightHeaders(route, target, origin, wanted, rawHeaders) }
}

/**
 * CORS headers for an answer on this route, as raw pairs; none where it has no `cors`. The upstream's own `Access-Control-*` are left out by
 * `clientResponseHeaders`, and its field names are exposed besides `WWW-Authenticate`.
 * @param upstreamHeaders Raw headers of the upstream's answer; empty for the gateway's own.
 */
export function corsHeaders(
  route: Route,
  rawHeaders: readonly string[],
  upstreamHeaders: readonly string[] = [],
): string[] {
  if (route.cors === undefined) return []
  const origin = fieldOf(rawHeaders, 'origin')
  if (origin === undefined || !route.cors.origins.includes(origin)) return ['Vary', 'Origin']
  return [
    ...['Access-Control-Allow-Origin', origin],
    ...allowCredentials(route),
    ...['Access-Control-Expose-Headers', ['WWW-Authenticate', ...exposable(upstreamHeaders)].join(', ')],
    ...['Vary', 'Origin'],
  ]
}

function preflightHeaders(
  route: Route,
  target: Target,
  origin: string,
  wanted: string,
  rawHeaders: readonly string[],
): string[] {
  const methods = allowedMethods(route, target)
  if (!methods.includes(wanted) && isToken(wanted) && isReachable(route, wanted, target)) methods.push(wanted)
  return [
    ...['Access-Control-Allow-Origin', origin],
    ...allowCredentials(route),
    ...['Access-Control-Allow-Methods', methods.join(', ')],
    ...['Access-Control-Allow-Headers', allowedHeaders(rawHeaders)],
    ...['Access-Control-Max-Age', String(MAX_AGE_SECONDS)],
    ...['Vary', 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers'],
    ...['Cache-Control', 'no-store'],
  ]
}

/** Whether cookies count is judged when the request comes; here browsers learn that they may send them. */
function allowCredentials({ cors }: Route): readonly string[] {
  return cors?.credentials === true ? ['Access-Control-Allow-Credentials', 'true'] : []
}

function isReachable(route: Route, method: string, target: Target): boolean {
  const { kind } = matchRule(route, method, target)
  return kind === 'public' || kind === 'rule'
}

function allowedHeaders(rawHeaders: readonly string[]): string {
  const requested = (fieldOf(rawHeaders, 'access-control-request-headers') ?? '').split(',').map((name) => name.trim())
  const names = new Map(
    ['Authorization', 'DPoP', ...requested.filter(isToken)].map((name) => [name.toLowerCase(), name]),
  )
  return [...names.values()].join(', ')
}

function exposable(upstreamHeaders: readonly string[]): string[] {
  const names = new Map<string, string>()
  for (let i = 0; i + 1 < upstreamHeaders.length; i += 2) {
    const name = upstreamHeaders[i] ?? ''
    const lower = name.toLowerCase()
    if (!NOT_EXPOSED.has(lower) && !lower.startsWith('access-control-')) names.set(lower, name)
  }
  return [...names.values()]
}

function isToken(text: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text)
}

/** The value of a field that stands exactly once. */
function fieldOf(rawHeaders: readonly string[], name: string): string | undefined {
  let value: string | undefined
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() !== name) continue
    if (value !== undefined) return undefined
    value = rawHeaders[i + 1] ?? ''
  }
  return value
}
