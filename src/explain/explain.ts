import type { Permit } from '../core/decide.ts'
import type { Denial } from '../core/denial.ts'
import type { Evidence } from '../core/token.ts'
import { judgeEvidence, judgeWithoutToken, prepare, type RouteMatch, routeRequest } from '../gateway/judge.ts'
import type { Policy } from '../gateway/policy.ts'
import type { RequestHead } from '../gateway/request-head.ts'
import { accessCheck, type Check, checkBehind, placeChecks, tokenChecks } from './checks.ts'
import { plainRefusal, type Refusal, refusalByKind, type ShownAnswer } from './refusal.ts'

/** A check and what became of it; nothing after a bad one is judged. */
export interface ExplainedCheck extends Check {
  readonly good: boolean
}

/** What the upstream would get. */
export interface UpstreamRequest {
  readonly url: string
  readonly method: string
  /** Raw pairs, without framing and Connection. */
  readonly headers: readonly string[]
}

export type Verdict =
  | { readonly outcome: 'forward'; readonly upstream: UpstreamRequest }
  | Refusal
  /** The gateway answers a preflight itself. */
  | { readonly outcome: 'preflight'; readonly answer: ShownAnswer }
  /** A reserved path: the issuer, or resource metadata, answers. */
  | { readonly outcome: 'reserved' }

export interface Explanation {
  readonly route: string | undefined
  readonly checks: readonly ExplainedCheck[]
  readonly verdict: Verdict
}

export interface ExplainOptions {
  readonly policy: Policy
  readonly head: RequestHead
  /** What the credential proves; asked only where a token is needed. */
  readonly gather: (match: RouteMatch) => Evidence | Promise<Evidence>
  /** Answer by the kind of request that `head` is; its credential came by itself or was sent. Default: as if there were no kinds. */
  readonly byKind?: { readonly shown: 'nothing' | 'sent' } | undefined
  /** NumericDate, seconds. */
  readonly now: number
}

// A request that is only explained has no id.
const REQUEST_ID = '-'

/** Walks one request through the functions of the gateway, and says of each check what it expected and what it got. */
export async function explain(options: ExplainOptions): Promise<Explanation> {
  const { policy, head, now } = options
  const routing = routeRequest(policy, head)
  const checks = placeChecks(policy, head, routing)
  if (routing.kind === 'deny') return explanation(undefined, checks, denied(options, routing.denial, undefined))
  if (routing.kind === 'self')
    return explanation(undefined, checks, { outcome: 'preflight', answer: { status: 204, headers: [], body: '' } })
  if (routing.kind === 'reserved') return explanation(undefined, checks, { outcome: 'reserved' })
  const { route } = routing
  const more = [...checks, accessCheck(routing, head.method)]
  const early = judgeWithoutToken(routing, head, now)
  const evidence = early === undefined ? await options.gather(routing) : undefined
  const all = evidence === undefined ? more : [...more, ...tokenChecks(routing, head, evidence, now)]
  const judged = early ?? judgeEvidence(routing, head, evidence ?? { kind: 'none' }, now)
  switch (judged.kind) {
    case 'deny':
      return explanation(route.id, all, denied(options, judged.denial, routing))
    case 'answer':
      return explanation(route.id, all, { outcome: 'preflight', answer: { ...judged, body: '' } })
    case 'permit':
      return explanation(route.id, all, sent(options, routing, judged.permit))
  }
}

function sent(options: ExplainOptions, match: RouteMatch, permit: Permit): Verdict {
  const { policy, head, now } = options
  const [upstream] = match.route.upstreams
  if (upstream === undefined) throw new Error('a route without upstreams was selected')
  const prepared = prepare(policy, match, head, permit, { upstream, requestId: REQUEST_ID, upgrade: false, now })
  if (prepared.kind === 'deny') return denied(options, prepared.denial, match)
  const { headers, target } = prepared
  const url = `${upstream.protocol}//${upstream.authority}${target}`
  return { outcome: 'forward', upstream: { url, method: head.method, headers } }
}

function denied({ policy, head, byKind }: ExplainOptions, denial: Denial, match: RouteMatch | undefined): Verdict {
  if (byKind === undefined) return plainRefusal(denial, head, REQUEST_ID, match)
  // A ticket in the URL was sent on purpose, too.
  const shown = match?.ticket === undefined ? byKind.shown : 'sent'
  return refusalByKind(policy, denial, head, match, { id: REQUEST_ID, shown, isYoung: false })
}

/** Checks up to the one that decided. One that stands for what core judged within another is added. */
function explanation(route: string | undefined, checks: readonly Check[], verdict: Verdict): Explanation {
  if (verdict.outcome !== 'deny') return { route, checks: checks.map((check) => ({ ...check, good: true })), verdict }
  const bad = checkBehind(verdict.reason)
  const found = checks.findIndex(({ name }) => name === bad)
  const before = (found === -1 ? checks : checks.slice(0, found)).map((check) => ({ ...check, good: true }))
  const deciding = checks[found] ?? { name: bad, expected: 'what can be sent upstream', got: verdict.reason }
  return { route, checks: [...before, { ...deciding, good: false }], verdict }
}
