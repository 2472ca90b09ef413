import { BROWSER_PATH, isWithin } from '../../core/paths/router.ts'
import { parseTarget, type Target } from '../../core/paths/target.ts'
import type { Resource } from '../../core/resource.ts'
import type { Route } from '../../core/route.ts'
import type { Policy } from '../policy.ts'

/** Where a sign-in comes back to: a path of this host, and the resource that it is for. */
interface ReturnPlace {
  readonly route: Route
  readonly resource: Resource
  readonly target: Target
}

/**
 * The place behind a path that anybody may have written. What is no path of this host (`//host`, `/\host`, a URL, controls), and what no session
 * opens, becomes the first place of the host that one does; undefined: there is none.
 */
export function returnPlace(policy: Policy, host: string, path: string): ReturnPlace | undefined {
  return placeAt(policy, host, path) ?? firstPlace(policy, host)
}

/** The same without falling back. */
function placeAt(policy: Policy, host: string, path: string): ReturnPlace | undefined {
  if (!/^\/(?![/\\])[!-~]*$/.test(path) || path.includes('#') || path.includes('\\')) return undefined
  const parsed = parseTarget(path)
  if (!parsed.ok || isWithin(BROWSER_PATH, parsed.target.readings[0] ?? '/')) return undefined
  const selection = policy.router.select(host, parsed.target)
  return selection.kind === 'route' ? asPlace(selection.route, parsed.target) : undefined
}

function firstPlace({ router }: Policy, host: string): ReturnPlace | undefined {
  for (const route of router.browserRoutes(host)) {
    const parsed = parseTarget(route.path)
    const place = parsed.ok ? asPlace(route, parsed.target) : undefined
    if (place !== undefined) return place
  }
  return undefined
}

function asPlace(route: Route, target: Target): ReturnPlace | undefined {
  if (route.access.kind === 'public' || !route.credentials.includes('session')) return undefined
  return { route, resource: route.access.resource, target }
}
