import { DPOP_ALGS } from './denial.ts'
import { METADATA_PATH } from './paths/router.ts'
import type { Resource } from './resource.ts'

/** The RFC 9728 §2 document of a resource. */
export function resourceMetadata(resource: Resource): Readonly<Record<string, unknown>> {
  return {
    resource: resource.identifier,
    resource_name: resource.name,
    authorization_servers: resource.issuers,
    scopes_supported: [...resource.scopes.keys()],
    bearer_methods_supported: ['header'],
    dpop_signing_alg_values_supported: DPOP_ALGS,
  }
}

/** `/.well-known/oauth-protected-resource` and the path (and query) of the resource's identifier. */
export function metadataPath(resource: Resource): string {
  return resource.metadataUrl.slice(resource.metadataUrl.indexOf(METADATA_PATH))
}

/**
 * The resource whose metadata `host` (lower case, without port) is asked for at `pathAndQuery`, as received. Another host's is answered too when no
 * resource of this host has the path: clients compare `resource` themselves (RFC 9728 §3.3).
 */
export function findResourceByMetadata(
  resources: readonly Resource[],
  host: string,
  pathAndQuery: string,
): Resource | undefined {
  const found = resources.filter((resource) => metadataPath(resource) === pathAndQuery)
  return found.find((resource) => hostOf(resource) === host) ?? found[0]
}

function hostOf(resource: Resource): string | undefined {
  return /^https?:\/\/(\[[^\]]*\]|[^/:?#]*)/i.exec(resource.metadataUrl)?.[1]?.toLowerCase()
}
