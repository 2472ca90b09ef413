import type { Route } from '../route.ts'
import { comparable, foldCase, type Target } from './target.ts'

/** Which route a request goes to. */
type Selection =
  /** `relativePath`: as received, without the route's path; begins with a slash. */
  | { readonly kind: 'route'; readonly route: Route; readonly relativePath: string }
  | { readonly kind: 'none' }
  | { readonly kind: 'ambiguous'; readonly detail: string }

/** One route's standing at one request, for `explain`. */
interface Candidate {
  readonly route: Route
  readonly standing: 'selected' | 'other_host' | 'other_path' | 'less_specific'
}

export interface Router {
  readonly routes: readonly Route[]
  /** See {@link reservedPaths}. */
  readonly reserved: readonly string[]
  /**
   * The route for a host (lower case, without port): one that names it before one that names none, then the longest path by
   * whole segments. Ambiguous when two readings of the path lead to different routes, another letter case does where the route doesn't
   * tell them apart, or on `%2F` where it is rejected.
   */
  select(host: string, target: Target): Selection
  /** Every route and why it was or wasn't taken for the path as received. */
  candidates(host: string, target: Target): readonly Candidate[]
  namesHost(host: string): boolean
  /** Routes that a host (lower case, without port) has, or shares with every other, and that accept sessions or tickets. */
  browserRoutes(host: string): readonly Route[]
}

/** Routes of one host (or of none), by comparable path. */
interface Branch {
  readonly byPath: Map<string, Route>
  /** By path in one letter case. */
  readonly byFolded: Map<string, Route[]>
  depth: number
}

/** @param reserved Paths of {@link reservedPaths}. */
export function createRouter(routes: readonly Route[], reserved: readonly string[]): Router {
  const branches = new Map<string | undefined, Branch>()
  for (const route of routes) addRoute(branches, route)
  const hasCase = routes.some(({ path }) => foldCase(comparable(path)) !== comparable(path))
  const routeOf = (host: string, reading: string) =>
    exactRoute(branches.get(host), reading) ?? exactRoute(branches.get(undefined), reading)
  const foldedOf = (host: string, reading: string) => {
    const folded = foldCase(reading)
    if (!hasCase && folded === reading) return undefined
    return foldedRoutes(branches.get(host), folded) ?? foldedRoutes(branches.get(undefined), folded) ?? []
  }
  return {
    routes,
    reserved,
    select: (host, target) =>
      select(target, { exactly: (reading) => routeOf(host, reading), folded: (reading) => foldedOf(host, reading) }),
    candidates: (host, target) => standings(routes, host, target, routeOf(host, target.readings[0] ?? '/')),
    namesHost: (host) => branches.has(host),
    browserRoutes: createBrowserRoutes(routes),
  }
}

/**
 * `path` without the route's path, by whole segments; `/` when nothing remains. Only for paths of that route; any reading of
 * them will do, the path as received too.
 */
export function relativeTo(routePath: string, path: string): string {
  if (routePath === '/') return path
  let end = 0
  for (let slash = 0; slash !== -1; slash = routePath.indexOf('/', slash + 1)) {
    end = path.indexOf('/', end + 1)
    if (end === -1) return '/'
  }
  return path.slice(end)
}

/** Whether `path` is `prefix` (a route's path) or lies below it, by whole segments. Both in comparable form. */
export function isWithin(prefix: string, path: string): boolean {
  if (prefix === '/') return true
  return path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 0x2f)
}

function addRoute(branches: Map<string | undefined, Branch>, route: Route): void {
  const empty = { byPath: new Map<string, Route>(), byFolded: new Map<string, Route[]>(), depth: 0 }
  const branch = branches.get(route.host) ?? empty
  branches.set(route.host, branch)
  const path = comparable(route.path)
  branch.byPath.set(path, branch.byPath.get(path) ?? route)
  const folded = foldCase(path)
  branch.byFolded.set(folded, [...(branch.byFolded.get(folded) ?? []), route])
  branch.depth = Math.max(branch.depth, path.split('/').length - 1)
}

/** Ways of one host's paths to routes. */
interface Lookup {
  readonly exactly: (reading: string) => Route | undefined
  /** Where letter case is ignored; undefined where that can make no difference. */
  readonly folded: (reading: string) => readonly Route[] | undefined
}

function select(target: Target, { exactly, folded }: Lookup): Selection {
  const { readings } = target
  const route = exactly(readings[0] ?? '/')
  for (let i = 0; i < readings.length; i++) {
    const reading = readings[i] ?? '/'
    if (i > 0 && exactly(reading) !== route) {
      return { kind: 'ambiguous', detail: 'the path leads to another route when it is decoded once more' }
    }
    if (route?.case === 'insensitive' && folded(reading)?.some((other) => other !== route)) {
      return { kind: 'ambiguous', detail: 'the path leads to another route when letter case is ignored' }
    }
  }
  if (route === undefined) return { kind: 'none' }
  if (target.encodedSlash && route.encodedSlash === 'reject') {
    return { kind: 'ambiguous', detail: 'the path has %2F, which this route does not take' }
  }
  return { kind: 'route', route, relativePath: relativeTo(route.path, target.path) }
}

function longest<Found>(paths: ReadonlyMap<string, Found>, depth: number, reading: string): Found | undefined {
  for (let end = depthEnd(reading, depth); end > 0; end = reading.lastIndexOf('/', end - 1)) {
    const found = paths.get(reading.slice(0, end))
    if (found !== undefined) return found
  }
  return paths.get('/')
}

function exactRoute(branch: Branch | undefined, reading: string): Route | undefined {
  return branch === undefined ? undefined : longest(branch.byPath, branch.depth, reading)
}

function foldedRoutes(branch: Branch | undefined, folded: string): readonly Route[] | undefined {
  return branch === undefined ? undefined : longest(branch.byFolded, branch.depth, folded)
}

/** Where the first `depth` segments end. */
function depthEnd(reading: string, depth: number): number {
  let end = 0
  for (let i = 0; i < depth; i++) {
    end = reading.indexOf('/', end + 1)
    if (end === -1) return reading.length
  }
  return end
}

function standings(routes: readonly Route[], host: string, target: Target, selected: Route | undefined): Candidate[] {
  const path = target.readings[0] ?? '/'
  return routes.map((route) => {
    if (route === selected) return { route, standing: 'selected' }
    if (route.host !== undefined && route.host !== host) return { route, standing: 'other_host' }
    return { route, standing: isWithin(comparable(route.path), path) ? 'less_specific' : 'other_path' }
  })
}

/** What browsers need of the gateway itself, on hosts whose routes accept sessions or tickets. */
export const BROWSER_PATH = '/.audgate'

function createBrowserRoutes(routes: readonly Route[]): Router['browserRoutes'] {
  const accepting = routes.filter(
    ({ credentials }) => credentials.includes('session') || credentials.includes('ticket'),
  )
  const everywhere = accepting.filter(({ host }) => host === undefined)
  const byHost = new Map<string, readonly Route[]>()
  for (const { host } of accepting) {
    if (host !== undefined) byHost.set(host, [...accepting.filter((route) => route.host === host), ...everywhere])
  }
  return (host) => byHost.get(host) ?? everywhere
}

/** Where resource metadata lives (RFC 9728 §3.1), on every host. */
export const METADATA_PATH = '/.well-known/oauth-protected-resource'

/** What is served besides routes, with all below it; only that is kept from them. */
interface Served {
  /** Here, or by the audgate that this one follows. */
  readonly issuer: boolean
  readonly admin: boolean
}

const ISSUER_PATHS: readonly string[] = [
  '/.well-known/oauth-authorization-server',
  '/.well-known/openid-configuration',
  '/oauth',
  '/account',
]
/** The operator's page and, below it, its API. */
export const ADMIN_PATH = '/admin'

/** First segments of all paths that may be reserved, whatever the file says. */
export const RESERVED_ROOTS: readonly string[] = ['/.well-known', '/oauth', '/account', ADMIN_PATH, '/.audgate']

/** Paths that no route gets, each with all below it, on hosts that no route names and on that of `public_url`. */
export function reservedPaths({ issuer, admin }: Served): readonly string[] {
  return [METADATA_PATH, ...(issuer ? ISSUER_PATHS : []), ...(admin ? [ADMIN_PATH] : [])]
}

/**
 * Whether a path is reserved: on hosts that no route names, on `publicHost`, and for resource metadata on every host. Ambiguous
 * when only some readings of it are.
 */
export function reservation(
  router: Router,
  publicHost: string,
  host: string,
  target: Target,
): 'reserved' | 'free' | 'ambiguous' {
  const paths = host === publicHost || !router.namesHost(host) ? router.reserved : METADATA
  const browsers = router.browserRoutes(host).length > 0
  const isOurs = (reading: string): boolean =>
    isReserved(paths, reading) || (browsers && isWithin(BROWSER_PATH, reading))
  const [first = '/', ...others] = target.readings
  const reserved = isOurs(first)
  if (others.some((reading) => isOurs(reading) !== reserved)) return 'ambiguous'
  return reserved ? 'reserved' : 'free'
}

const METADATA = [METADATA_PATH]

function isReserved(paths: readonly string[], reading: string): boolean {
  return paths.some((path) => isWithin(path, reading))
}
