import { parseHost } from '../address.ts'
import { decide, type Permit } from '../decide.ts'
import { type Denial, denial } from '../denial.ts'
import type { ResolvedClient } from '../headers/forwarded.ts'
import type { DavHeaders } from '../headers/request-headers.ts'
import type { Upstream } from '../route.ts'
import { sameAuthority } from './client-reference.ts'
import { type Router, reservation } from './router.ts'
import { parseTarget, type Target } from './target.ts'
import { withoutTicketInQuery } from './ticket-url.ts'
import { upstreamHost, upstreamTarget } from './upstream-target.ts'

/**
 * Puts every resource tag of an `If` field (RFC 4918 §10.4.2) through `map`; lists of conditions pass as they are. What `map` answers other
 * than a text is the result. Undefined for a field that is neither lists nor tagged lists.
 */
function rewriteTags<Fault extends object>(
  value: string,
  map: (reference: string) => string | Fault,
): string | Fault | undefined {
  let out = ''
  let lists = 0
  for (let at = 0; at < value.length; ) {
    const char = value[at]
    const end = char === '<' ? value.indexOf('>', at) + 1 : char === '(' ? listEnd(value, at) : at + 1
    if (end === 0 || (char !== '<' && char !== '(' && char !== ' ' && char !== '\t')) return undefined
    const piece = value.slice(at, end)
    const mapped = char === '<' ? map(piece.slice(1, -1)) : piece
    if (typeof mapped === 'object') return mapped
    out += char === '<' ? `<${mapped}>` : mapped
    if (char === '(') lists += 1
    at = end
  }
  return lists > 0 ? out : undefined
}

/** Behind the `)` of the list at `from`; 0 when it has none. Brackets and quotes may hold any of these characters. */
function listEnd(value: string, from: number): number {
  for (let at = from + 1; at < value.length; at++) {
    const char = value[at]
    if (char === ')') return at + 1
    if (char === '(') return 0
    const close = char === '<' ? '>' : char === '"' ? '"' : undefined
    if (close === undefined) continue
    at = value.indexOf(close, at + 1)
    if (at === -1) return 0
  }
  return 0
}

export interface DestinationInput {
  readonly rawHeaders: readonly string[]
  readonly method: string
  readonly permit: Permit
  readonly client: ResolvedClient
  readonly router: Router
  /** Host of `public_url`, lower case, without port. */
  readonly publicHost: string
  readonly upstream: Upstream
  /** NumericDate, seconds. */
  readonly now: number
}

type DestinationResult =
  | { readonly kind: 'allowed'; readonly dav: DavHeaders }
  | { readonly kind: 'deny'; readonly denial: Denial }

const NO_FIELDS: DestinationResult = { kind: 'allowed', dav: { destination: undefined, if: undefined } }

/**
 * Judges the URLs of `Destination` and of the tagged lists of `If` (RFC 4918 §10.3, §10.4) like a request's own path: host that the client
 * used, same route, a rule for the method with scopes that the token has. Answers both fields in the upstream's terms.
 */
export function judgeDestination(input: DestinationInput): DestinationResult {
  if (!hasDavFields(input.rawHeaders)) return NO_FIELDS
  const destinations = valuesOf(input.rawHeaders, 'destination')
  const ifs = valuesOf(input.rawHeaders, 'if')
  if (destinations.length > 1) return refuse('malformed_request', 'there is more than one Destination field')
  if (ifs.length > 1) return refuse('malformed_request', 'there is more than one If field')
  const [destination] = destinations
  const [condition] = ifs
  const moved = destination === undefined ? undefined : judgeReference(input, destination)
  if (typeof moved === 'object') return { kind: 'deny', denial: moved }
  const conditioned = condition === undefined ? undefined : judgeCondition(input, condition)
  if (typeof conditioned === 'object') return { kind: 'deny', denial: conditioned }
  return { kind: 'allowed', dav: { destination: moved, if: conditioned } }
}

/** Each is judged like a request of its own. Clients name a resource, its folder and what they have locked. */
const MOST_TAGS = 100

function judgeCondition(input: DestinationInput, condition: string): string | Denial {
  let tags = 0
  const judge = (reference: string): string | Denial => {
    tags += 1
    return tags > MOST_TAGS
      ? denial('malformed_request', `the If field has more than ${MOST_TAGS} tagged lists`)
      : judgeReference(input, reference)
  }
  return (
    rewriteTags<Denial>(condition, judge) ??
    denial('malformed_request', 'the If field is not of the form of RFC 4918, section 10.4')
  )
}

/** The reference in the upstream's terms, an absolute URL: not every server takes a path there. */
function judgeReference(input: DestinationInput, reference: string): string | Denial {
  const [, scheme, authority = '', rest = ''] = /^(https?:)\/\/([^/?#]*)(.*)$/i.exec(reference) ?? []
  if (scheme !== undefined && !sameAuthority(scheme.toLowerCase(), authority, input.client.host)) {
    return denial(
      'destination_elsewhere',
      `a destination must lie on the host that the request went to, ${input.client.host}`,
    )
  }
  const target = scheme === undefined ? reference : rest.startsWith('/') ? rest : `/${rest}`
  const parsed = parseTarget(withoutTicketInQuery(target))
  if (!parsed.ok) return denial(parsed.reason, `in a destination: ${parsed.detail}`)
  return judgeTarget(input, parsed.target) ?? inUpstreamTerms(input, parsed.target)
}

function judgeTarget(input: DestinationInput, target: Target): Denial | undefined {
  const { permit, router, client, method } = input
  const host = parseHost(client.host) ?? ''
  const reserved = reservation(router, input.publicHost, host, target)
  const selection = router.select(host, target)
  if (reserved === 'ambiguous')
    return denial('ambiguous_path', 'a destination leads into a reserved path when it is decoded once more')
  if (selection.kind === 'ambiguous') return denial('ambiguous_path', `in a destination: ${selection.detail}`)
  if (reserved === 'reserved' || selection.kind === 'none' || selection.route !== permit.route) {
    return denial('destination_not_allowed', 'a destination must lie on the same route as the request')
  }
  const evidence =
    permit.token === undefined ? ({ kind: 'none' } as const) : ({ kind: 'verified', token: permit.token } as const)
  const decision = decide(permit.route, method, target, evidence, input.now)
  if (decision.kind === 'forward') return undefined
  const { reason, description } = decision.denial
  return denial(reason === 'ambiguous_path' ? reason : 'destination_not_allowed', `at the destination: ${description}`)
}

function inUpstreamTerms({ permit, upstream, client }: DestinationInput, target: Target): string {
  const { route } = permit
  return `${upstream.protocol}//${upstreamHost(route, upstream, client)}${upstreamTarget(route, upstream, target)}`
}

function refuse(reason: 'malformed_request', description: string): DestinationResult {
  return { kind: 'deny', denial: denial(reason, description) }
}

/** Whether `Destination` or `If` is there; hardly any request has them, and every one is asked. */
export function hasDavFields(rawHeaders: readonly string[]): boolean {
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const field = rawHeaders[i] ?? ''
    if (field.length === 2 && field.toLowerCase() === 'if') return true
    if (field.length === 11 && field.toLowerCase() === 'destination') return true
  }
  return false
}

function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const field = rawHeaders[i] ?? ''
    if (field.length === name.length && field.toLowerCase() === name) values.push((rawHeaders[i + 1] ?? '').trim())
  }
  return values
}
