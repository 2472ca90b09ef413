import type { Path } from '../source.ts'
import { type Checking, hasOwnIssuer, present, type ResourceDraft, reportDoubles } from './check.ts'

// The gateway's own API is a resource too; its scopes must not mean anything else.
const ADMIN_SCOPES: readonly string[] = ['admin:read', 'admin:write']

/** Checks what a resource's keys mean together, and resources among each other. */
export function checkResources(checking: Checking): void {
  const resources = present(checking.draft.resources)
  for (const [index, resource] of resources) {
    checkIdentifier(checking, ['resources', index], resource)
    checkGrants(checking, ['resources', index], resource)
    checkSessionScopes(checking, ['resources', index], resource)
    checkTrust(checking, ['resources', index], resource)
    checkAudiences(checking, ['resources', index], resource)
  }
  reportDoubles(
    checking,
    resources.map(([index, resource]) => [['resources', index, 'id'], resource] as const),
    (resource) => comparableUrl(resource.id),
    (line) => `the same resource stands in line ${line}; an id is for one resource`,
  )
  reportDoubles(
    checking,
    resources.flatMap(([index, { scopes }]) =>
      [...(scopes?.keys() ?? [])].map((scope) => [['resources', index, 'scopes', scope], scope] as const),
    ),
    (scope) => scope,
    (line) => `the same scope stands in line ${line}; a scope belongs to one resource, so its name needs to be its own`,
  )
}

function checkIdentifier(checking: Checking, path: Path, resource: ResourceDraft): void {
  const { draft } = checking
  if (!hasOwnIssuer(draft)) return
  const admin = draft.public_url === undefined ? undefined : `${draft.public_url.replace(/\/$/, '')}/admin/api`
  if (resource.id !== undefined && comparableUrl(resource.id) === comparableUrl(admin)) {
    checking.at([...path, 'id'], 'is the resource of the admin API; choose another id')
  }
  for (const scope of ADMIN_SCOPES) {
    if (resource.scopes?.has(scope) !== true) continue
    checking.atKey([...path, 'scopes', scope], `\`${scope}\` belongs to the admin API; choose another name`)
  }
}

function checkSessionScopes(checking: Checking, path: Path, resource: ResourceDraft): void {
  for (const [place, scope] of present(resource.session_scopes)) {
    if (resource.scopes === undefined || resource.scopes.has(scope)) continue
    const scopePath = [...path, 'session_scopes', place]
    checking.at(scopePath, `the resource has no scope ${checking.shown(scopePath)}; it has ${scopeList(resource)}`)
  }
}

function checkGrants(checking: Checking, path: Path, resource: ResourceDraft): void {
  for (const [at, grant] of present(resource.grants)) {
    for (const [place, scope] of present(grant.scopes)) {
      if (resource.scopes === undefined || resource.scopes.has(scope)) continue
      const scopePath = [...path, 'grants', at, 'scopes', place]
      checking.at(scopePath, `the resource has no scope ${checking.shown(scopePath)}; it has ${scopeList(resource)}`)
    }
  }
}

function checkTrust(checking: Checking, path: Path, resource: ResourceDraft): void {
  const { draft } = checking
  const trusted = new Set(present(draft.trusted_issuers).map(([, { issuer }]) => issuer))
  // An entry that couldn't be read may be the one that is meant.
  const unsure = draft.trusted_issuers === undefined || trusted.has(undefined)
  if (resource.issuers === undefined && !hasOwnIssuer(draft)) {
    checking.at(path, '`issuers` is missing: with `issuer: false` a resource must name which trusted_issuers it takes')
  }
  for (const [at, issuer] of present(resource.issuers)) {
    const place = [...path, 'issuers', at]
    if (issuer === 'embedded') {
      if (!hasOwnIssuer(draft)) checking.at(place, 'there is no embedded issuer (`issuer: false`); name a trusted one')
    } else if (!unsure && !trusted.has(issuer)) {
      const hint = issuer === draft.public_url ? 'write `embedded` for `public_url`' : 'they are compared byte for byte'
      checking.at(place, `${checking.shown(place)} is none of trusted_issuers; ${hint}`)
    }
  }
}

function checkAudiences(checking: Checking, path: Path, resource: ResourceDraft): void {
  const others = present(checking.draft.resources).filter(([, other]) => other !== resource)
  for (const [at, audience] of present(resource.accept_audiences)) {
    const place = [...path, 'accept_audiences', at]
    if (others.some(([, other]) => other.id === audience)) {
      checking.at(place, 'is the id of another resource: its tokens would open this one too')
    }
  }
}

/** The names of a resource's scopes, for a message. */
export function scopeList(resource: ResourceDraft): string {
  const names = [...(resource.scopes?.keys() ?? [])]
  return names.length === 0 ? 'none' : names.join(', ')
}

/** Two identifiers that clients could take for each other are one: by case of scheme and host, default port, trailing slash. */
function comparableUrl(text: string | undefined): string | undefined {
  return text === undefined ? undefined : new URL(text).href
}
