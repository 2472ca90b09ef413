import { METADATA_PATH } from '../core/reserved.ts'
import type { Resource, ResourceIdentifier, Scope } from '../core/resource.ts'
import type { Complete } from './draft.ts'
import type { RESOURCE } from './resource-schema.ts'

/** @param publicUrl Stands in for `embedded`: it is what tokens of the embedded issuer carry as `iss`. */
export function assembleResource(checked: Complete<typeof RESOURCE>, publicUrl: string): Resource {
  const issuers = (checked.issuers ?? ['embedded']).map((issuer) => (issuer === 'embedded' ? publicUrl : issuer))
  return {
    // The file's texts are checked by now: this is where the brands of resources and scopes are sealed.
    identifier: checked.id as ResourceIdentifier,
    name: checked.name,
    scopes: new Map([...checked.scopes].map(([scope, words]) => [sealScope(scope), words])),
    grants: checked.grants.map(({ groups, scopes }) => ({ groups, scopes: scopes.map(sealScope) })),
    issuers: [...new Set(issuers)],
    acceptAudiences: checked.accept_audiences,
    claims: checked.claims,
    metadataUrl: metadataUrl(checked.id),
  }
}

export function sealScope(text: string): Scope {
  return text as Scope
}

/** RFC 9728 §3.1: the well-known path goes between the host and the path of the identifier; a lone `/` is left out. */
function metadataUrl(identifier: string): string {
  const { origin, pathname, search } = new URL(identifier)
  return `${origin}${METADATA_PATH}${pathname === '/' ? '' : pathname}${search}`
}
