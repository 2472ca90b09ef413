import type { Level } from '../../core/levels.ts'
import { grantableScopes, groupsThatGive, matchResource, type Resource, type Scope } from '../../core/resource.ts'
import type { ClientRecord } from '../../store/store.ts'

/** Who is to be given something: a person by groups, a `service` client by what the operator allowed it. */
type Grantee =
  | { readonly kind: 'person'; readonly groups: readonly string[] }
  | { readonly kind: 'service'; readonly allow: ClientRecord['allow'] }

/** One resource and scopes of it, in the order asked for. */
export interface ResourceScopes {
  readonly resource: Resource
  readonly scopes: readonly Scope[]
}

/** An OAuth error and what to do about it, for the client. */
export interface Refusal {
  readonly kind: 'refused'
  readonly error: 'invalid_target' | 'invalid_scope' | 'invalid_grant'
  readonly description: string
}

/** A scope that a holder may not have. */
interface Withheld {
  readonly scope: Scope
  /** Those that would do. */
  readonly groups: readonly string[]
  /** The level of sign-in that is missing; undefined: that isn't why. */
  readonly level?: Level
}

/** What of one resource a holder may have, and what not. */
export interface Grantable extends ResourceScopes {
  readonly withheld: readonly Withheld[]
}

/** What the holder may be given of the resource right now, in the resource's order. The one rule behind every endpoint. */
export function grantableTo(resource: Resource, holder: Grantee): readonly Scope[] {
  if (holder.kind === 'person') return grantableScopes(resource, holder.groups)
  const allowed = holder.allow.filter((entry) => entry.resource === resource.identifier).flatMap(({ scopes }) => scopes)
  return [...resource.scopes.keys()].filter((scope) => allowed.includes(scope))
}

/**
 * The resources and scopes that a request asks for (RFC 8707 §2). Without `resource`: those that the scopes belong to, in
 * their order. Scopes that belong to none of them are passed over. `openId`: OpenID scopes stand among `scope`, which is enough.
 */
export function readResourceRequest(
  resources: readonly Resource[],
  named: readonly string[],
  scope: readonly string[],
  openId: boolean,
): { readonly kind: 'asked'; readonly shares: readonly ResourceScopes[] } | Refusal {
  if (named.length > 0) return readNamed(resources, named, scope)
  const owners = scope.flatMap((each) => resources.filter((resource) => hasScope(resource, each)))
  const shares = [...new Set(owners)].map((resource) => shareOf(resource, scope))
  if (shares.length > 0 || openId) return { kind: 'asked', shares }
  const known = resources.flatMap((resource) => [...resource.scopes.keys()])
  const what = scope.length === 0 ? 'scope: none was asked for' : 'scope: none of these exists'
  return refusal('invalid_scope', `${what}; there are: ${known.join(' ')}`)
}

/** What of each share the holder may have; those without any are kept, with what is withheld. */
export function offer(shares: readonly ResourceScopes[], holder: Grantee): readonly Grantable[] {
  return shares.map(({ resource, scopes }) => {
    const may = grantableTo(resource, holder)
    const withheld = scopes
      .filter((scope) => !may.includes(scope))
      .map((scope) => ({ scope, groups: groupsThatGive(resource, scope) }))
    return { resource, scopes: scopes.filter((scope) => may.includes(scope)), withheld }
  })
}

/** Whether something was asked for and nothing of it can be given. */
export function isDenied(offers: readonly Grantable[]): boolean {
  return offers.length > 0 && offers.every(({ scopes }) => scopes.length === 0)
}

/** What a code, device code or refresh token stands for, and what the token request wants of it. */
interface TokenRequest {
  /** What was consented, in the order asked for. */
  readonly granted: readonly ResourceScopes[]
  /** Whether an OpenID scope was granted, so that a token for userinfo is possible. */
  readonly openId: boolean
  /** The `resource` parameter. */
  readonly named: string | undefined
  /** The `scope` parameter, to narrow; undefined: all that was granted. */
  readonly scope: readonly string[] | undefined
}

export type TokenJudgment =
  | { readonly kind: 'token'; readonly resource: Resource; readonly scopes: readonly Scope[] }
  /** An opaque token that serves userinfo only. */
  | { readonly kind: 'userinfo' }
  | Refusal

/** Which token a code, device code or refresh token gives its holder now. Never more than what was granted. */
export function judgeToken(resources: readonly Resource[], request: TokenRequest, holder: Grantee): TokenJudgment {
  const { granted, named, scope, openId } = request
  const left = granted
    .map(({ resource, scopes }) => ({ resource, scopes: within(scopes, grantableTo(resource, holder)) }))
    .filter(({ scopes }) => scopes.length > 0)
  if (named !== undefined) return judgeNamed(resources, request, left, named)
  const [first] = left
    .map(({ resource, scopes }) => ({ resource, scopes: within(scopes, scope ?? scopes) }))
    .filter(({ scopes }) => scopes.length > 0)
  if (first !== undefined) return { kind: 'token', ...first }
  if (openId && (scope === undefined || scope.includes('openid'))) return { kind: 'userinfo' }
  if (left.length === 0) return refusal('invalid_grant', 'nothing is left of what was granted; sign in again')
  return refusal('invalid_scope', `scope: none of these can be given now; left are: ${scopesOf(left).join(' ')}`)
}

/** What a `service` client gets by client_credentials. Exactly one resource. */
export function judgeService(
  resources: readonly Resource[],
  named: readonly string[],
  scope: readonly string[],
  holder: Grantee,
): Exclude<TokenJudgment, { kind: 'userinfo' }> {
  if (named.length > 1) return refusal('invalid_target', 'resource: name one at the token endpoint')
  const ask = readResourceRequest(resources, named, scope, false)
  if (ask.kind === 'refused') return ask
  const [share, ...others] = ask.shares
  if (share === undefined || others.length > 0) {
    return refusal('invalid_target', 'resource: the scopes belong to several resources; name one of them')
  }
  const { resource } = share
  const may = grantableTo(resource, holder)
  if (may.length === 0) {
    return refusal('invalid_target', `resource: this client may have nothing of ${resource.identifier}`)
  }
  const scopes = within(share.scopes, may)
  if (scopes.length > 0) return { kind: 'token', resource, scopes }
  return refusal('invalid_scope', `scope: of ${resource.identifier} this client may have: ${may.join(' ')}`)
}

/** A description for a `resource` that is not registered; says which are. */
export function unknownResource(resources: readonly Resource[], value: string): Refusal {
  const known = resources.map(({ identifier }) => identifier)
  return refusal('invalid_target', `resource: ${quoted(value)} is not one of: ${known.join(' ')}`)
}

function readNamed(
  resources: readonly Resource[],
  named: readonly string[],
  scope: readonly string[],
): { readonly kind: 'asked'; readonly shares: readonly ResourceScopes[] } | Refusal {
  const shares = new Map<Resource, ResourceScopes>()
  for (const value of named) {
    const resource = matchResource(resources, value)
    if (resource === undefined) return unknownResource(resources, value)
    const share = shareOf(resource, scope)
    if (share.scopes.length === 0) return withoutScope(resource)
    shares.set(resource, share)
  }
  return { kind: 'asked', shares: [...shares.values()] }
}

function judgeNamed(
  resources: readonly Resource[],
  { granted, openId, scope }: TokenRequest,
  left: readonly ResourceScopes[],
  named: string,
): TokenJudgment {
  const resource = matchResource(resources, named)
  if (resource === undefined) return unknownResource(resources, named)
  if (scope !== undefined && shareOf(resource, scope).scopes.length === 0) return withoutScope(resource)
  if (!granted.some((share) => share.resource === resource)) {
    return refusal('invalid_target', `resource: ${resource.identifier} was not granted; ask for it at authorization`)
  }
  const share = left.find((each) => each.resource === resource)
  if (share === undefined) {
    return left.length === 0 && !openId
      ? refusal('invalid_grant', 'nothing is left of what was granted; sign in again')
      : refusal('invalid_target', `resource: ${resource.identifier} can't be given to this person any more`)
  }
  const scopes = within(share.scopes, scope ?? share.scopes)
  if (scopes.length > 0) return { kind: 'token', resource, scopes }
  return refusal('invalid_scope', `scope: of ${resource.identifier} can be given now: ${share.scopes.join(' ')}`)
}

function withoutScope(resource: Resource): Refusal {
  const scopes = [...resource.scopes.keys()].join(' ')
  return refusal('invalid_scope', `scope: ${resource.identifier} needs at least one of its scopes: ${scopes}`)
}

function shareOf(resource: Resource, scope: readonly string[]): ResourceScopes {
  return { resource, scopes: [...resource.scopes.keys()].filter((each) => scope.includes(each)) }
}

function hasScope(resource: Resource, scope: string): boolean {
  return [...resource.scopes.keys()].some((each) => each === scope)
}

function within(scopes: readonly Scope[], bounds: readonly string[]): readonly Scope[] {
  return scopes.filter((scope) => bounds.includes(scope))
}

function scopesOf(shares: readonly ResourceScopes[]): readonly Scope[] {
  return shares.flatMap(({ scopes }) => scopes)
}

function refusal(error: Refusal['error'], description: string): Refusal {
  return { kind: 'refused', error, description }
}

/** What a client sent, made fit for an error description (RFC 6749 §5.2 allows no quotes, backslashes or controls). */
function quoted(value: string): string {
  return value.slice(0, 200).replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '?')
}
