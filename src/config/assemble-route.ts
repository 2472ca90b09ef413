import type { Resource } from '../core/resource.ts'
import type { Access, Route, Rule } from '../core/route.ts'
import { sealScope } from './assemble-resource.ts'
import type { Complete } from './draft.ts'
import { headerSource } from './header-rules.ts'
import { methodSet } from './methods.ts'
import type { ROUTE } from './route-schema.ts'

type CheckedRoute = Complete<typeof ROUTE>

/** @param resources The values that the issuer works with too: the route holds the very same object. */
export function assembleRoute(checked: CheckedRoute, resources: readonly Resource[]): Route {
  const { upstream, timeouts } = checked
  return {
    id: checked.id,
    host: checked.host,
    path: checked.path,
    stripPath: checked.strip_path,
    access: assembleAccess(checked, resources),
    upstreams: 'authority' in upstream ? [upstream] : upstream,
    identity: checked.identity,
    headers: [...checked.headers].map(([name, source]) => headerSource(name, source)),
    stripHeaders: checked.strip_headers,
    setHeaders: [...checked.set_headers].map(([name, value]) => ({ name, value })),
    cors: checked.cors,
    preserveHost: checked.preserve_host,
    timeouts: {
      connectMs: timeouts.connect,
      responseHeadersMs: timeouts.response_headers,
      idleMs: timeouts.idle,
    },
    maxBody: checked.max_body,
    encodedSlash: checked.encoded_slash,
  }
}

/** Public only where the file says `public: true`; everything else needs a resource, or is a bug in the checks. */
function assembleAccess(checked: CheckedRoute, resources: readonly Resource[]): Access {
  if (checked.resource === undefined && checked.public === true) return { kind: 'public' }
  const resource = resources.find(({ identifier }) => identifier === checked.resource)
  if (resource === undefined) throw new Error(`route ${checked.id} has no resource and is not public`)
  const publicPaths = checked.public === undefined || checked.public === true ? [] : checked.public
  return { kind: 'protected', resource, rules: (checked.rules ?? []).map(assembleRule), publicPaths }
}

function assembleRule(rule: NonNullable<CheckedRoute['rules']>[number]): Rule {
  return { methods: methodSet(rule.methods), paths: rule.paths, scopes: rule.scopes.map(sealScope) }
}
