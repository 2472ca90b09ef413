import { groupsThatGive, isGranted, type Resource } from '../../core/resource.ts'
import type { Decision } from './decision.ts'

/** What would help, in sentences for the operator. */
export function helpFor(decision: Decision, resources: readonly Resource[]): readonly string[] {
  const { reason, client, resource: wanted, proof, method } = decision
  const who = client ?? 'The client'
  const resource = resources.find(({ identifier }) => identifier === wanted)
  switch (reason) {
    case 'no_token':
      return [`The request has to carry an access token for ${wanted ?? 'the resource'}; no credential came with it.`]
    case 'audience_mismatch': {
      const asked = proof.kind === 'token' ? proof.token.audience.join(' ') : 'another resource'
      return [`${who} asked for a token for ${asked}. It has to send resource=${wanted ?? ''} when it asks.`]
    }
    case 'insufficient_scope':
    case 'revoked':
      return resource === undefined ? [decision.detail ?? ''] : scopeHelp(decision, resource, who)
    case 'expired':
      return [`${who} has to get a new token; clients refresh theirs before it ends. Look at its clock, too.`]
    case 'path_not_allowed':
    case 'method_not_allowed':
      return [`No rule of route ${decision.route} covers ${method} here. Add one to routes.yaml if it should pass.`]
    case 'no_route':
      return ['No route covers this host and path. Add one to routes.yaml, or look at the address that was typed.']
    case 'untrusted_issuer':
    case 'issuer_mismatch':
      return ['The token is of an issuer that this resource does not accept; see `issuers` and `trusted_issuers`.']
    case 'upstream_refused':
    case 'upstream_reset':
    case 'upstream_timeout':
    case 'upstream_protocol':
      return [
        `The upstream of route ${decision.route} did not answer as it should: ${decision.cause ?? 'no cause known'}.`,
      ]
    default:
      return decision.detail === undefined ? [] : [decision.detail]
  }
}

function scopeHelp(decision: Decision, resource: Resource, who: string): readonly string[] {
  const { proof } = decision
  const held = proof.kind === 'token' ? proof.token : undefined
  const needed = [...resource.scopes.keys()].filter((scope) => (decision.detail ?? '').split(' ').includes(scope))
  return needed.flatMap((scope) => {
    const groups = groupsThatGive(resource, scope)
    const may = held?.username === undefined || isGranted(resource, held.groups, scope)
    if (may) return [`${who} has to ask for the scope ${scope}.`]
    const places = groups.length === 0 ? 'No group gives it: add a grant' : `Groups that give it: ${groups.join(', ')}`
    return [`${held.username} may not have ${scope}. ${places}.`]
  })
}
