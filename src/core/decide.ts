import { audienceDifference, hasAudience } from './audience.ts'
import { type Denial, type DenialExtras, denial } from './denial.ts'
import { isGranted } from './grants.ts'
import type { Permit } from './permit.ts'
import { type Reach, reachOf } from './reach.ts'
import type { Reason } from './reason.ts'
import type { Resource } from './resource.ts'
import type { Route } from './route.ts'
import type { Target } from './target.ts'
import { clockToleranceSeconds, type Evidence, type VerifiedToken } from './token.ts'

export { isPublic } from './reach.ts'

export type Decision =
  | { readonly kind: 'forward'; readonly permit: Permit }
  | { readonly kind: 'deny'; readonly denial: Denial }

/**
 * Whether a request may go to its route's upstream: the one promise. Who has no good token learns 401, whatever the rules say.
 * Only for the route that `target` selected. Does NOT judge CORS, `Destination` or what goes into headers.
 * @param now NumericDate, seconds.
 */
export function decide(route: Route, method: string, target: Target, evidence: Evidence, now: number): Decision {
  const reach = reachOf(route, method, target)
  if (reach.kind === 'ambiguous')
    return deny('ambiguous_path', 'the path meets another rule when it is decoded once more')
  if (reach.kind === 'public' || route.access.kind === 'public') return forward(route, undefined)
  const { resource } = route.access
  const challenge = { challenge: challengeFor(resource, reach) }
  switch (evidence.kind) {
    case 'none':
      return deny('no_token', `this needs an access token for ${resource.identifier}`, challenge)
    case 'malformed':
      return deny('malformed_credential', evidence.detail, challenge)
    case 'rejected':
      return deny(evidence.fault, evidence.detail, challenge)
    case 'unavailable':
      return deny('verifier_unavailable', evidence.detail, { retryAfterSeconds: evidence.retryAfterSeconds })
    case 'verified': {
      const denied = judge(resource, reach, method, evidence.token, now)
      return denied === undefined ? forward(route, evidence.token) : { kind: 'deny', denial: denied }
    }
  }
}

/** The challenge that goes with a token fault found later, on the way into headers. */
export function denyToken(permit: Permit, method: string, target: Target, reason: Reason, detail: string): Denial {
  const { access } = permit.route
  if (access.kind === 'public' || reason === 'identity_too_large') return denial(reason, detail)
  return denial(reason, detail, { challenge: challengeFor(access.resource, reachOf(permit.route, method, target)) })
}

function judge(
  resource: Resource,
  reach: Reach,
  method: string,
  token: VerifiedToken,
  now: number,
): Denial | undefined {
  const challenge = { challenge: challengeFor(resource, reach) }
  if (now >= token.expiresAt + clockToleranceSeconds(token.embedded))
    return denial('expired', 'the token has expired', challenge)
  if (!resource.issuers.includes(token.issuer)) return denial('issuer_mismatch', issuerText(token), challenge)
  if (!hasAudience(resource, token)) return denial('audience_mismatch', audienceDifference(resource, token), challenge)
  if (reach.kind !== 'rule') return noRule(reach, method)
  const missing = reach.rule.scopes.filter((scope) => !token.scope.has(scope))
  if (missing.length > 0) return denial('insufficient_scope', `the token lacks ${missing.join(' ')}`, challenge)
  const withdrawn = reach.rule.scopes.filter((scope) => !stillGranted(resource, token, scope))
  if (withdrawn.length > 0)
    return denial('revoked', `no group of the token gives ${withdrawn.join(' ')} any more`, challenge)
  return undefined
}

/** A person's token counts for what its groups give today, so that a narrower `grants` holds for the next request. */
function stillGranted(
  resource: Resource,
  token: VerifiedToken,
  scope: Resource['grants'][number]['scopes'][number],
): boolean {
  return !token.embedded || token.username === undefined || isGranted(resource, token.groups, scope)
}

function noRule(reach: Reach, method: string): Denial {
  const allow = reach.kind === 'no_rule' ? reach.allow : []
  if (allow.length === 0) return denial('path_not_allowed', 'no rule of this route covers this path')
  return denial('method_not_allowed', `no rule of this route allows ${method} here; allowed: ${allow.join(' ')}`, {
    allow,
  })
}

function issuerText(token: VerifiedToken): string {
  return `tokens of ${token.issuer} are not accepted for this resource`
}

function challengeFor(resource: Resource, reach: Reach) {
  return { resourceMetadata: resource.metadataUrl, scope: reach.kind === 'rule' ? reach.rule.scopes : [] }
}

function deny(reason: Reason, description: string, extras: DenialExtras = {}): Decision {
  return { kind: 'deny', denial: denial(reason, description, extras) }
}

function forward(route: Route, token: VerifiedToken | undefined): Decision {
  return { kind: 'forward', permit: { route, token } as Permit }
}
