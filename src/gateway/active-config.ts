import type { Config } from '../config/config.ts'
import type { Route } from '../core/route.ts'
import { createUpstreamGroup, type UpstreamGroup } from '../proxy/upstreams.ts'
import { createPolicy, type Policy } from './policy.ts'

/** One reading of routes.yaml, made ready for requests. A reload makes another and swaps it in whole. */
export interface ActiveConfig {
  readonly config: Config
  readonly policy: Policy
  /** Connections to upstreams, by route. */
  readonly upstreams: ReadonlyMap<Route, UpstreamGroup>
  /** Those of earlier files on which requests are still under way. */
  readonly retiring: readonly UpstreamGroup[]
}

/** Routes whose upstreams are those of a route before keep that one's connections and what is known of dead ones. */
export function activateConfig(config: Config, previous?: ActiveConfig): ActiveConfig {
  const kept = new Map<string, UpstreamGroup>()
  for (const [route, group] of previous?.upstreams ?? []) kept.set(identityOf(route), group)
  const upstreams = new Map<Route, UpstreamGroup>()
  for (const route of config.routes) {
    const key = identityOf(route)
    const group = kept.get(key) ?? createUpstreamGroup(route.upstreams)
    kept.set(key, group)
    upstreams.set(route, group)
  }
  const used = new Set(upstreams.values())
  const earlier = previous === undefined ? [] : groupsOf(previous)
  const retiring = earlier.filter((group) => !used.has(group) && group.deadlines.size > 0)
  return { config, policy: createPolicy(config), upstreams, retiring }
}

/** All groups on which requests may be under way. */
export function groupsOf({ upstreams, retiring }: ActiveConfig): readonly UpstreamGroup[] {
  return [...new Set([...upstreams.values(), ...retiring])]
}

/** Closes what the next file doesn't use; running requests end on the connections that they have. */
export function retireConfig(active: ActiveConfig, next: ActiveConfig | undefined): void {
  const used = new Set(next?.upstreams.values())
  for (const group of new Set(active.upstreams.values())) {
    if (!used.has(group)) group.close()
  }
}

function identityOf(route: Route): string {
  return JSON.stringify(route.upstreams)
}
