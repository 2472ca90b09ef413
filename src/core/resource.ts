import { safeText } from './denial.ts'
import type { VerifiedToken } from './token.ts'

/** An RFC 8707 resource identifier, checked by config. Compared byte for byte. */
export type ResourceIdentifier = string & { readonly __brand: 'ResourceIdentifier' }

/** One scope-token (RFC 6749 §3.3). Unique over all resources, so a scope names its resource. */
export type Scope = string & { readonly __brand: 'Scope' }

/** Members of any of `groups` may be given `scopes` of the resource that the grant stands in. */
export interface Grant {
  readonly groups: readonly string[]
  readonly scopes: readonly Scope[]
}

/**
 * What a token is made for and judged by. The same objects feed the issuer's policy and `decide`, so issuance and
 * enforcement cannot drift.
 */
export interface Resource {
  readonly identifier: ResourceIdentifier
  /** Shown when people consent; RFC 9728 `resource_name`. */
  readonly name: string
  /** In file order; the value is the description in words. */
  readonly scopes: ReadonlyMap<Scope, string>
  readonly grants: readonly Grant[]
  /** Exact `iss` values accepted. The embedded issuer stands here as its identifier, not as `embedded`. */
  readonly issuers: readonly string[]
  /** Further `aud` values accepted, for migration from client-id audiences. */
  readonly acceptAudiences: readonly string[]
  /** Further claims that the embedded issuer puts into this resource's tokens. */
  readonly claims: readonly string[]
  /** What a browser's session asks for; undefined: all that may be granted. */
  readonly sessionScopes: readonly Scope[] | undefined
  /** URL of this resource's RFC 9728 metadata document. */
  readonly metadataUrl: string
}

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

/**
 * Whether the token was made for the resource: its `aud` has the identifier or one of `acceptAudiences`, byte for byte.
 * Tokens of the embedded issuer name exactly one audience (RFC 9068 §3).
 */
export function hasAudience(resource: Resource, token: VerifiedToken): boolean {
  if (token.embedded && token.audience.length !== 1) return false
  for (const audience of token.audience) {
    if (audience === resource.identifier || resource.acceptAudiences.includes(audience)) return true
  }
  return false
}

/** Which audience was expected and which came; names a difference that is a trailing slash only. */
export function audienceDifference(resource: Resource, token: VerifiedToken): string {
  const { identifier } = resource
  const expected = safeText(identifier, 120)
  if (token.audience.length === 0) return `the token names no audience; expected ${expected}`
  const came = token.audience.slice(0, 3).map((audience) => safeText(audience, 80))
  const more = token.audience.length > 3 ? ` and ${token.audience.length - 3} more` : ''
  const slash = token.audience.some((audience) => `${audience}/` === identifier || audience === `${identifier}/`)
  const hint = slash ? '; they differ in a trailing slash only, and identifiers are compared byte for byte' : ''
  return `the token is for ${came.join(' ')}${more}; expected ${expected}${hint}`
}
