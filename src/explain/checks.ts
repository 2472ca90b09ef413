import { parseHost } from '../core/address.ts'
import { needText, signInText } from '../core/assurance.ts'
import { extractCredential } from '../core/credential.ts'
import type { Reason } from '../core/denial.ts'
import { isPublic, matchRule } from '../core/paths/rule-match.ts'
import type { Resource } from '../core/resource.ts'
import type { CredentialKind } from '../core/route.ts'
import type { Evidence } from '../core/token.ts'
import type { RouteMatch, Routing } from '../gateway/judge.ts'
import type { Policy } from '../gateway/policy.ts'
import type { RequestHead } from '../gateway/request-head.ts'

type CheckName =
  | 'request'
  | 'route'
  | 'access'
  | 'credential'
  | 'token'
  | 'issuer'
  | 'audience'
  | 'rule'
  | 'scope'
  | 'sign-in'
  | 'destination'
  | 'headers'

/** One thing that a request is judged by, in words. */
export interface Check {
  readonly name: CheckName
  readonly expected: string
  readonly got: string
}

const BY_REASON: Partial<Readonly<Record<Reason, CheckName>>> = {
  malformed_request: 'request',
  ambiguous_path: 'request',
  no_route: 'route',
  origin_not_allowed: 'access',
  no_token: 'credential',
  sign_in_required: 'credential',
  malformed_credential: 'credential',
  issuer_mismatch: 'issuer',
  audience_mismatch: 'audience',
  method_not_allowed: 'rule',
  path_not_allowed: 'rule',
  insufficient_scope: 'scope',
  insufficient_authentication: 'sign-in',
  destination_elsewhere: 'destination',
  destination_not_allowed: 'destination',
  malformed_claim: 'headers',
  identity_too_large: 'headers',
}

/** The check that a refusal comes from; every fault of the token itself is `token`. */
export function checkBehind(reason: Reason): CheckName {
  return BY_REASON[reason] ?? 'token'
}

/** How the request reads, and where it leads. */
export function placeChecks(policy: Policy, head: RequestHead, routing: Routing): readonly Check[] {
  const request = {
    name: 'request',
    expected: 'one reading of method, host and path',
    got: `${head.method} ${head.target}`,
  } as const
  if (routing.kind === 'deny' && routing.target === undefined) return [request]
  return [request, { name: 'route', expected: 'a route for this host and path', got: routeText(policy, routing) }]
}

/** Whether the route asks for a token here. */
export function accessCheck(match: RouteMatch, method: string): Check {
  const expected = 'public, or a token for the resource'
  const { access } = match.route
  if (access.kind === 'public') return { name: 'access', expected, got: 'the route is public: no token needed' }
  const got =
    isPublic(match.route, method, match.target) === 'public'
      ? 'a public path: no token needed'
      : access.resource.identifier
  return { name: 'access', expected, got }
}

const CREDENTIALS: Readonly<Record<CredentialKind, string>> = {
  token: 'Authorization: Bearer <access token> (or DPoP)',
  session: 'a browser’s session',
  app_password: 'an app password',
  ticket: 'a ticket',
}

/** What a protected route asks of the credential, in the order of the decision. */
export function tokenChecks(match: RouteMatch, head: RequestHead, evidence: Evidence, now: number): readonly Check[] {
  const { access } = match.route
  if (access.kind === 'public') return []
  const { resource } = access
  const checks: Check[] = [
    {
      name: 'credential',
      expected: match.route.credentials.map((kind) => CREDENTIALS[kind]).join(', or '),
      got: credentialText(head, evidence),
    },
    { name: 'token', expected: 'a live access token of a trusted issuer', got: evidenceText(evidence, now) },
  ]
  if (evidence.kind !== 'verified') return checks
  const { token } = evidence
  const reach = matchRule(match.route, head.method, match.target)
  checks.push(
    { name: 'issuer', expected: resource.issuers.join(' or '), got: token.issuer },
    { name: 'audience', expected: audiences(resource), got: token.audience.join(' ') || 'none' },
  )
  if (reach.kind === 'no_rule') {
    const allowed = reach.allow.length === 0 ? 'none for this path' : `this path allows ${reach.allow.join(' ')}`
    return [...checks, { name: 'rule', expected: `a rule for ${head.method} on this path`, got: allowed }]
  }
  if (reach.kind !== 'rule') return checks
  const needed = reach.rule.scopes.join(' ')
  const signIn = needText(reach.rule)
  return [
    ...checks,
    { name: 'rule', expected: `a rule for ${head.method} on this path`, got: `one that needs ${needed}` },
    { name: 'scope', expected: needed, got: [...token.scope].join(' ') || 'none' },
    ...(signIn === undefined ? [] : [{ name: 'sign-in', expected: signIn, got: signInText(token, now) } as const]),
  ]
}

function routeText({ router }: Policy, routing: Routing): string {
  if (routing.kind === 'reserved') return 'a reserved path of the issuer or of resource metadata'
  if (routing.kind === 'route')
    return `${routing.route.id} (${routing.route.host ?? 'every host'}${routing.route.path})`
  const lost =
    routing.target === undefined ? [] : router.candidates(parseHost(routing.client.host) ?? '', routing.target)
  const texts = lost.map(({ route, standing }) => `${route.id}: ${standing.replaceAll('_', ' ')}`)
  return texts.length === 0 ? 'none' : `none (${texts.join('; ')})`
}

function credentialText(head: RequestHead, evidence: Evidence): string {
  const credential = extractCredential(head.rawHeaders)
  if (credential.kind === 'malformed') return credential.detail
  if (credential.kind !== 'none') return credential.kind === 'dpop' ? 'DPoP' : 'Bearer'
  return evidence.kind === 'none' ? 'none' : 'claims as if a valid token said them'
}

function evidenceText(evidence: Evidence, now: number): string {
  switch (evidence.kind) {
    case 'none':
      return 'none'
    case 'malformed':
    case 'unavailable':
      return evidence.detail
    case 'rejected':
      return `${evidence.fault}: ${evidence.detail}`
    case 'verified': {
      const { subject, clientId, expiresAt } = evidence.token
      return `sub ${subject}, client ${clientId}, ends in ${Math.round(expiresAt - now)} s`
    }
  }
}

function audiences({ identifier, acceptAudiences }: Resource): string {
  return [identifier, ...acceptAudiences].join(' or ')
}
