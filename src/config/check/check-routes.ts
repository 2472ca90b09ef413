import { parseHost } from '../../core/address.ts'
import { cgiName } from '../../core/headers/fields.ts'
import { isWithin, METADATA_PATH, reservedPaths } from '../../core/paths/router.ts'
import { comparable, foldCase } from '../../core/paths/target.ts'
import type { Path } from '../source.ts'
import { type Checking, hasOwnIssuer, present, type RouteDraft, reportDoubles } from './check.ts'
import { scopeList } from './check-resources.ts'

/** Checks what a route's keys mean together, routes among each other, and routes against resources. */
export function checkRoutes(checking: Checking): void {
  const routes = present(checking.draft.routes)
  for (const [index, route] of routes) {
    const path = ['routes', index]
    checkAccess(checking, path, route)
    checkRules(checking, path, route)
    checkReserved(checking, path, route)
    checkHeaders(checking, path, route)
    checkUpstreams(checking, path, route)
  }
  reportDoubles(
    checking,
    routes.map(([index, route]) => [['routes', index, 'id'], route] as const),
    (route) => route.id,
    (line) => `the same id stands in line ${line}; give each route its own`,
  )
  reportDoubles(
    checking,
    routes.map(([index, route]) => [['routes', index, 'path'], route] as const),
    (route) => (route.path === undefined ? undefined : `${route.host ?? ''} ${comparable(route.path)}`),
    (line) => `the route in line ${line} has the same host and path; requests could go to either`,
  )
  checkLetterCase(checking, routes)
}

/** Where one of two such routes ignores letter case, every request to it could be meant for the other. */
function checkLetterCase(checking: Checking, routes: readonly (readonly [number, RouteDraft])[]): void {
  const seen = new Map<string, readonly [number, RouteDraft][]>()
  for (const [index, route] of routes) {
    if (route.path === undefined) continue
    const path = comparable(route.path)
    const key = `${route.host ?? ''} ${foldCase(path)}`
    const others = seen.get(key) ?? []
    const meant = others.find(
      ([, other]) => comparable(other.path ?? '') !== path && (isFolding(route) || isFolding(other)),
    )
    if (meant !== undefined) {
      const line = checking.line(['routes', meant[0], 'path'])
      checking.at(
        ['routes', index, 'path'],
        `differs from the route in line ${line} in letter case only; write \`case: sensitive\` at both`,
      )
    }
    seen.set(key, [...others, [index, route]])
  }
}

function isFolding({ case: letterCase }: RouteDraft): boolean {
  return letterCase !== 'sensitive'
}

function checkAccess(checking: Checking, path: Path, route: RouteDraft): void {
  if (route.resource === undefined) checkPublic(checking, path, route)
  else checkProtected(checking, path, route)
}

function checkProtected(checking: Checking, path: Path, route: RouteDraft): void {
  if (route.public === true) {
    checking.at([...path, 'public'], 'a route with a `resource` is not public; remove one, or list the public paths')
  }
  if (route.rules === undefined || route.rules.length === 0) {
    checking.at([...path, 'rules'], 'a protected route needs `rules`: without any, no request gets through')
  }
  const { resources } = checking.draft
  if (resources === undefined || present(resources).some(([, { id }]) => id === undefined || id === route.resource))
    return
  const place = [...path, 'resource']
  checking.at(place, `no resource has the id ${checking.shown(place)}; ids are compared byte for byte`)
}

function checkPublic(checking: Checking, path: Path, route: RouteDraft): void {
  // A resource that stands there but could not be read has its own problem already.
  if (checking.shown([...path, 'resource']) !== '``') return
  if (route.public !== true) {
    checking.at(path, 'a route needs a `resource`, or must say `public: true`; nothing becomes open by omission')
  }
  if (route.rules !== undefined) {
    checking.atKey([...path, 'rules'], '`rules` need a `resource`, whose scopes they name')
  }
}

function checkRules(checking: Checking, path: Path, route: RouteDraft): void {
  const resource = present(checking.draft.resources).find(
    ([, { id }]) => id !== undefined && id === route.resource,
  )?.[1]
  const { scopes } = resource ?? {}
  if (resource === undefined || scopes === undefined) return
  for (const [at, rule] of present(route.rules)) {
    for (const [place, scope] of present(rule.scopes)) {
      if (scopes.has(scope)) continue
      const scopePath = [...path, 'rules', at, 'scopes', place]
      checking.at(scopePath, `the resource has no scope ${checking.shown(scopePath)}; it has ${scopeList(resource)}`)
    }
  }
}

function checkReserved(checking: Checking, path: Path, route: RouteDraft): void {
  if (route.path === undefined) return
  const { public_url: publicUrl } = checking.draft
  const publicHost = publicUrl === undefined ? undefined : parseHost(new URL(publicUrl).hostname)
  const ours = route.host === undefined || route.host === publicHost
  const form = comparable(route.path)
  const taken = (
    ours
      ? reservedPaths({
          issuer: hasOwnIssuer(checking.draft),
          admin: hasOwnIssuer(checking.draft) && checking.draft.admin !== false,
        })
      : [METADATA_PATH]
  ).find((reserved) => isWithin(reserved, form))
  if (taken === undefined) return
  checking.at([...path, 'path'], `lies inside ${taken}, which is served here; requests would never get to this route`)
}

function checkHeaders(checking: Checking, path: Path, route: RouteDraft): void {
  for (const key of ['headers', 'set_headers'] as const) {
    const names = [...(route[key]?.keys() ?? [])].map((name) => [[...path, key, name], name] as const)
    reportDoubles(
      checking,
      names,
      cgiName,
      (line) => `the same header stands in line ${line}: - and _ are one to upstreams`,
    )
  }
  const fromHeaders = new Set([...(route.headers?.keys() ?? [])].map(cgiName))
  for (const name of route.set_headers?.keys() ?? []) {
    if (!fromHeaders.has(cgiName(name))) continue
    checking.atKey([...path, 'set_headers', name], 'stands in `headers` too; which one should the upstream get?')
  }
}

function checkUpstreams(checking: Checking, path: Path, route: RouteDraft): void {
  if (!Array.isArray(route.upstream)) return
  const upstreams = present(route.upstream).map(([at, upstream]) => [[...path, 'upstream', at], upstream] as const)
  reportDoubles(
    checking,
    upstreams,
    ({ protocol, authority, basePath, socketPath }) => `${protocol}//${authority}${basePath} ${socketPath}`,
    (line) => `the same upstream stands in line ${line}`,
  )
}
