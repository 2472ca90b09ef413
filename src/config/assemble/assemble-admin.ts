import { parsePattern } from '../../core/paths/pattern.ts'
import { METADATA_PATH } from '../../core/paths/router.ts'
import type { Resource, ResourceIdentifier, Scope } from '../../core/resource.ts'
import type { Route, Rule } from '../../core/route.ts'
import type { AdminSettings } from '../config.ts'
import type { Complete } from '../draft.ts'
import type { FILE } from '../schema/file-schema.ts'
import { methodSet } from '../schema/route-schema.ts'

/** Where the API lies on the origin of `public_url`; its resource is named by it, too. */
const ADMIN_API_PATH = '/admin/api'

const READ = 'admin:read' as Scope
const WRITE = 'admin:write' as Scope
/** POSTs that change nothing. */
const ASKING = ['/v1/access/try', '/v1/tokens/explain', '/v1/config/check']
const LARGEST_BODY = 384 * 1024

type CheckedFile = Complete<typeof FILE>

/** The operator's page as the file wants it; undefined: `/admin` belongs to nobody. */
export function assembleAdmin(
  { admin, issuer }: CheckedFile,
  publicUrl: string,
  origin: string,
): AdminSettings | undefined {
  if (admin === false || issuer === false || 'upstream' in issuer) return undefined
  const resource = adminResource(admin, publicUrl, origin)
  return {
    groups: admin.groups,
    readers: admin.readers,
    require: admin.require,
    freshSeconds: admin.fresh,
    sessionSeconds: admin.session,
    keepRefusalsSeconds: admin.keep_refusals,
    resource,
    route: adminRoute(resource),
  }
}

function adminResource(
  { groups, readers }: Exclude<CheckedFile['admin'], false>,
  publicUrl: string,
  origin: string,
): Resource {
  const identifier = `${origin}${ADMIN_API_PATH}`
  return {
    identifier: identifier as ResourceIdentifier,
    name: 'Administration of this gateway',
    scopes: new Map([
      [READ, 'See people, clients, decisions and settings'],
      [WRITE, 'Change people and clients, and end access'],
    ]),
    grants: [{ groups, scopes: [READ, WRITE] }, ...(readers.length === 0 ? [] : [{ groups: readers, scopes: [READ] }])],
    issuers: [publicUrl],
    acceptAudiences: [],
    claims: [],
    sessionScopes: undefined,
    metadataUrl: `${origin}${METADATA_PATH}${ADMIN_API_PATH}`,
  }
}

/** Judged like any other; what it permits is answered here. */
function adminRoute(resource: Resource): Route {
  const rules: readonly Rule[] = [
    { methods: methodSet(['read']), paths: undefined, scopes: [READ] },
    { methods: methodSet(['POST']), paths: ASKING.flatMap((path) => parsePattern(path) ?? []), scopes: [READ] },
    { methods: 'any', paths: undefined, scopes: [WRITE] },
  ]
  return {
    id: '(admin)',
    host: undefined,
    path: ADMIN_API_PATH,
    stripPath: false,
    access: { kind: 'protected', resource, rules, publicPaths: [], publicMethods: methodSet([]) },
    upstreams: [],
    identity: 'none',
    headers: [],
    stripHeaders: [],
    setHeaders: [],
    cors: undefined,
    preserveHost: true,
    timeouts: { connectMs: 5_000, responseHeadersMs: 60_000, idleMs: 300_000 },
    maxBody: LARGEST_BODY,
    encodedSlash: 'opaque',
    upgrades: [],
    case: 'sensitive',
    credentials: ['token'],
    authorization: 'gateway',
    signOutPaths: [],
  }
}
