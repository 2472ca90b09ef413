import type { Route } from './route.ts'
import { comparable, type Target } from './target.ts'

export type Selection =
  /** `relativePath`: as received, without the route's path; begins with a slash. */
  | { readonly kind: 'route'; readonly route: Route; readonly relativePath: string }
  | { readonly kind: 'none' }
  | { readonly kind: 'ambiguous'; readonly detail: string }

/** One route's standing at one request, for `explain`. */
export interface Candidate {
  readonly route: Route
  readonly standing: 'selected' | 'other_host' | 'other_path' | 'less_specific'
}

export interface Router {
  readonly routes: readonly Route[]
  /**
   * The route for a host (lower case, without port): one that names it before one that names none, then the longest path by
   * whole segments. Ambiguous when two readings of the path lead to different routes, or on `%2F` where it is rejected.
   */
  select(host: string, target: Target): Selection
  /** Every route and why it was or wasn't taken for the path as received. */
  candidates(host: string, target: Target): readonly Candidate[]
  namesHost(host: string): boolean
}

/** Routes of one host (or of none), by comparable path. */
interface Branch {
  readonly byPath: Map<string, Route>
  depth: number
}

export function createRouter(routes: readonly Route[]): Router {
  const branches = new Map<string | undefined, Branch>()
  for (const route of routes) addRoute(branches, route)
  const routeOf = (host: string, reading: string) =>
    longest(branches.get(host), reading) ?? longest(branches.get(undefined), reading)
  return {
    routes,
    select: (host, target) => select(target, (reading) => routeOf(host, reading)),
    candidates: (host, target) => standings(routes, host, target, routeOf(host, target.readings[0] ?? '/')),
    namesHost: (host) => branches.has(host),
  }
}

/** Whether some route names this host (lower case, without port). */
export function routeNamesHost(router: Router, host: string): boolean {
  return router.namesHost(host)
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
  const branch = branches.get(route.host) ?? { byPath: new Map<string, Route>(), depth: 0 }
  branches.set(route.host, branch)
  const path = comparable(route.path)
  branch.byPath.set(path, branch.byPath.get(path) ?? route)
  branch.depth = Math.max(branch.depth, path.split('/').length - 1)
}

function select(target: Target, routeOf: (reading: string) => Route | undefined): Selection {
  const [first = '/', ...others] = target.readings
  const route = routeOf(first)
  for (const reading of others) {
    if (routeOf(reading) === route) continue
    return { kind: 'ambiguous', detail: 'the path leads to another route when it is decoded once more' }
  }
  if (route === undefined) return { kind: 'none' }
  if (target.encodedSlash && route.encodedSlash === 'reject') {
    return { kind: 'ambiguous', detail: 'the path has %2F, which this route does not take' }
  }
  return { kind: 'route', route, relativePath: relativeTo(route.path, target.path) }
}

function longest(branch: Branch | undefined, reading: string): Route | undefined {
  if (branch === undefined) return undefined
  for (let end = depthEnd(reading, branch.depth); end > 0; end = reading.lastIndexOf('/', end - 1)) {
    const route = branch.byPath.get(reading.slice(0, end))
    if (route !== undefined) return route
  }
  return branch.byPath.get('/')
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

/** Paths that belong to the issuer, with all below them. */
export const RESERVED_PATHS: readonly string[] = ['/.well-known', '/oauth', '/account', '/admin', '/assets']

/** Where resource metadata lives (RFC 9728 §3.1), on every host. */
export const METADATA_PATH = '/.well-known/oauth-protected-resource'

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
  const paths = host === publicHost || !router.namesHost(host) ? RESERVED_PATHS : [METADATA_PATH]
  const [first = '/', ...others] = target.readings
  const reserved = isReserved(paths, first)
  if (others.some((reading) => isReserved(paths, reading) !== reserved)) return 'ambiguous'
  return reserved ? 'reserved' : 'free'
}

function isReserved(paths: readonly string[], reading: string): boolean {
  return paths.some((path) => isWithin(path, reading))
}
