import type { Resource, Scope } from './resource.ts'

/** What members of `groups` may be given of the resource, in the resource's order; empty: no token. */
export function grantableScopes(resource: Resource, groups: readonly string[]): readonly Scope[] {
  return [...resource.scopes.keys()].filter((scope) => isGranted(resource, groups, scope))
}

/** Whether some grant gives `scope` to one of `groups`. Does NOT ask whether a token carries it. */
export function isGranted(resource: Resource, groups: readonly string[], scope: Scope): boolean {
  return resource.grants.some(
    (grant) => grant.scopes.includes(scope) && grant.groups.some((group) => groups.includes(group)),
  )
}

/** The groups that would do for `scope`, in file order. */
export function groupsThatGive(resource: Resource, scope: Scope): readonly string[] {
  const grants = resource.grants.filter((grant) => grant.scopes.includes(scope))
  return [...new Set(grants.flatMap((grant) => grant.groups))]
}

/** Every group that some grant of the resource names, in file order: those that its tokens may carry. */
export function groupsNamedBy(resource: Resource): readonly string[] {
  return [...new Set(resource.grants.flatMap((grant) => grant.groups))]
}

/**
 * The resource that a client's `resource` parameter means (RFC 8707 §2): exactly a registered identifier, where case of scheme
 * and host and one trailing slash after an empty path don't matter. Undefined for everything else, malformed or unknown.
 */
export function matchResource(resources: readonly Resource[], value: string): Resource | undefined {
  const form = lenientForm(value)
  return form === undefined ? undefined : resources.find((resource) => lenientForm(resource.identifier) === form)
}

function lenientForm(value: string): string | undefined {
  const scheme = value.indexOf('://')
  if (scheme < 1) return undefined
  const rest = value.slice(scheme + 3)
  const end = rest.search(/[/?#]/)
  const authority = end === -1 ? rest : rest.slice(0, end)
  const tail = end === -1 ? '' : rest.slice(end)
  const path = tail.startsWith('/') ? tail : `/${tail}`
  return `${value.slice(0, scheme).toLowerCase()}://${authority.toLowerCase()}${path}`
}
