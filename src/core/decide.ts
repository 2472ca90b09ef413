import { signInFault } from './assurance.ts'
import { type Challenge, type Denial, type DenialExtras, denial, type Reason } from './denial.ts'
import type { SignInWish } from './levels.ts'
import { matchRule, type RuleMatch } from './paths/rule-match.ts'
import type { Target } from './paths/target.ts'
import { audienceDifference, hasAudience, isGranted, type Resource, type Scope } from './resource.ts'
import type { Route } from './route.ts'
import { clockToleranceSeconds, type Evidence, type VerifiedToken } from './token.ts'

declare const permitted: unique symbol

/** That this request may go to its route's upstream. Only `decide` makes one; forwarding takes one. */
export interface Permit {
  readonly [permitted]: true
  readonly route: Route
  /** Undefined on public routes and paths. */
  readonly token: VerifiedToken | undefined
}

export type Decision =
  | { readonly kind: 'forward'; readonly permit: Permit }
  | { readonly kind: 'deny'; readonly denial: Denial }

/**
 * Whether a request may go to its route's upstream: the one promise. Who has no good token learns 401, whatever the rules say.
 * Only for the route that `target` selected. Does NOT judge CORS, `Destination` or what goes into headers.
 * @param now NumericDate, seconds.
 */
export function decide(route: Route, method: string, target: Target, evidence: Evidence, now: number): Decision {
  if (route.access.kind === 'public') return forward(route, undefined)
  const { resource } = route.access
  const reach = matchRule(route, method, target)
  const challenge = (reason: Reason, text: string) => deny(reason, text, { challenge: challengeFor(resource, reach) })

  if (reach.kind === 'ambiguous')
    return deny('ambiguous_path', 'decoded once more, or with letter case ignored, the path meets another rule')
  if (reach.kind === 'public') return forward(route, undefined)
  if (evidence.kind === 'none') return challenge('no_token', `an access token for ${resource.identifier} is needed`)
  if (evidence.kind === 'malformed') return challenge('malformed_credential', evidence.detail)
  if (evidence.kind === 'rejected') return challenge(evidence.fault, evidence.detail)
  if (evidence.kind === 'unavailable') return deny('verifier_unavailable', evidence.detail, retryAfter(evidence))

  const { token } = evidence
  if (hasExpired(token, now)) return challenge('expired', 'the token has expired')
  if (!resource.issuers.includes(token.issuer)) return challenge('issuer_mismatch', issuerText(token))
  if (!hasAudience(resource, token)) return challenge('audience_mismatch', audienceDifference(resource, token))
  if (reach.kind === 'no_rule') return denyUnruled(reach.allow, method)
  const { scopes } = reach.rule
  if (!scopes.every((scope) => token.scope.has(scope))) return challenge('insufficient_scope', scopeText(scopes))
  if (!scopes.every((scope) => isStillGranted(resource, token, scope))) return challenge('revoked', groupText(scopes))
  const unmet = signInFault(reach.rule, token, now)
  if (unmet !== undefined) return denyWeak(resource, reach, unmet)
  return forward(route, token)
}

/** The answer to a good token whose claims can't be sent upstream; `identity_too_large` carries no challenge. */
export function denyIdentity(
  permit: Permit,
  method: string,
  target: Target,
  { fault, detail }: { readonly fault: 'malformed_claim' | 'identity_too_large'; readonly detail: string },
): Denial {
  const { access } = permit.route
  if (access.kind === 'public' || fault === 'identity_too_large') return denial(fault, detail)
  return denial(fault, detail, { challenge: challengeFor(access.resource, matchRule(permit.route, method, target)) })
}

function hasExpired(token: VerifiedToken, now: number): boolean {
  return now >= token.expiresAt + clockToleranceSeconds(token.embedded)
}

/** A person's token counts for what its groups give today, so that a narrower `grants` holds for the next request. */
function isStillGranted(resource: Resource, token: VerifiedToken, scope: Scope): boolean {
  return !token.embedded || token.username === undefined || isGranted(resource, token.groups, scope)
}

function denyUnruled(allow: readonly string[], method: string): Decision {
  if (allow.length === 0) return deny('path_not_allowed', 'no rule of this route covers this path')
  return deny('method_not_allowed', `no rule of this route covers ${method} here; ${allow.join(', ')} would do`, {
    allow,
  })
}

/** The one refusal that a better sign-in ends (RFC 9470). */
function denyWeak(
  resource: Resource,
  reach: RuleMatch,
  { detail, wish }: { readonly detail: string; readonly wish: SignInWish },
): Decision {
  return deny('insufficient_authentication', detail, { challenge: { ...challengeFor(resource, reach), signIn: wish } })
}

function challengeFor(resource: Resource, reach: RuleMatch): Challenge {
  return { resourceMetadata: resource.metadataUrl, scope: reach.kind === 'rule' ? reach.rule.scopes : [] }
}

function retryAfter({ retryAfterSeconds }: { readonly retryAfterSeconds: number }): DenialExtras {
  return { retryAfterSeconds }
}

function issuerText(token: VerifiedToken): string {
  return `tokens of ${token.issuer} are not accepted for this resource`
}

function scopeText(scopes: readonly Scope[]): string {
  return `this request needs a token with the scope ${scopes.join(' ')}`
}

function groupText(scopes: readonly Scope[]): string {
  return `the groups of this person no longer give ${scopes.join(' ')}`
}

function deny(reason: Reason, description: string, extras: DenialExtras = {}): Decision {
  return { kind: 'deny', denial: denial(reason, description, extras) }
}

function forward(route: Route, token: VerifiedToken | undefined): Decision {
  return { kind: 'forward', permit: { route, token } as Permit }
}
