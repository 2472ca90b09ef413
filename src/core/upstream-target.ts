import { urlPath } from './escape.ts'
import type { ResolvedClient } from './forwarded.ts'
import type { Route, Upstream } from './route.ts'
import { relativeTo } from './router.ts'
import type { Target } from './target.ts'

/**
 * The request target in the upstream's terms: without the route's path where `strip_path` says so, below the upstream's base path,
 * otherwise byte for byte as received.
 */
export function upstreamTarget(route: Route, upstream: Upstream, target: Target): string {
  const path = route.stripPath ? relativeTo(route.path, target.path) : target.path
  return upstream.basePath + path + target.query
}

/** The `Host` that the upstream sees: its own, or the client's with `preserve_host`. */
export function upstreamHost(route: Route, upstream: Upstream, client: ResolvedClient): string {
  return route.preserveHost ? client.host : upstream.authority
}

/** The route's path, as URLs have it, where it is taken off and has to be given back; '' otherwise. */
export function strippedPrefix(route: Route): string {
  return route.stripPath && route.path !== '/' ? urlPath(route.path) : ''
}
