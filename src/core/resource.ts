/** An RFC 8707 resource identifier, checked by config. Compared byte for byte (law 6). */
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
  /** URL of this resource's RFC 9728 metadata document. */
  readonly metadataUrl: string
}
