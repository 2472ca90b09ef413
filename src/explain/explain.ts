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
  readonly asked: RequestHead
  /** What the credential proves; asked only where a token is needed. */
  readonly gather: (match: RouteMatch) => Evidence | Promise<Evidence>
  /** Answer by the kind of request that `asked` is; its credential came by itself or was sent. Default: as if there were no kinds. */
  readonly byKind?: { readonly shown: 'nothing' | 'sent' } | undefined
  /** NumericDate, seconds. */
  readonly now: number
}

// A request that is only explained has no id.
const REQUEST_ID = '-'

/** Walks one request through the functions of the gateway, and says of each check what it expected and what it got. */
export async function explain(options: ExplainOptions): Promise<Explanation> {
  const { policy, asked, now } = options
  const located = routeRequest(policy, asked)
  const checks = placeChecks(policy, asked, located)
  if (located.kind === 'deny') return told(undefined, checks, denied(options, located.denial, undefined))
  if (located.kind === 'self')
    return told(undefined, checks, { outcome: 'preflight', answer: { status: 204, headers: [], body: '' } })
  if (located.kind === 'reserved') return told(undefined, checks, { outcome: 'reserved' })
  const { route } = located
  const more = [...checks, accessCheck(located, asked.method)]
  const early = judgeWithoutToken(located, asked, now)
  const evidence = early === undefined ? await options.gather(located) : undefined
  const all = evidence === undefined ? more : [...more, ...tokenChecks(located, asked, evidence, now)]
  const judged = early ?? judgeEvidence(located, asked, evidence ?? { kind: 'none' }, now)
  switch (judged.kind) {
    case 'deny':
      return told(route.id, all, denied(options, judged.denial, located))
    case 'answer':
      return told(route.id, all, { outcome: 'preflight', answer: { ...judged, body: '' } })
    case 'permit':
      return told(route.id, all, sent(options, located, judged.permit))
  }
}

function sent(options: ExplainOptions, match: RouteMatch, permit: Permit): Verdict {
  const { policy, asked, now } = options
  const [upstream] = match.route.upstreams
  if (upstream === undefined) throw new Error('a route without upstreams was selected')
  const prepared = prepare(policy, match, asked, permit, { upstream, requestId: REQUEST_ID, upgrade: false, now })
  if (prepared.kind === 'deny') return denied(options, prepared.denial, match)
  const { headers, target } = prepared
  const url = `${upstream.protocol}//${upstream.authority}${target}`
  return { outcome: 'forward', upstream: { url, method: asked.method, headers } }
}

function denied({ policy, asked, byKind }: ExplainOptions, denial: Denial, match: RouteMatch | undefined): Verdict {
  if (byKind === undefined) return plainRefusal(denial, asked, REQUEST_ID, match)
  // A ticket in the URL was sent on purpose, too.
  const shown = match?.ticket === undefined ? byKind.shown : 'sent'
  return refusalByKind(policy, denial, asked, match, { id: REQUEST_ID, shown, isYoung: false })
}

/** Checks up to the one that decided. One that stands for what core judged within another is added. */
function told(route: string | undefined, checks: readonly Check[], verdict: Verdict): Explanation {
  if (verdict.outcome !== 'deny') return { route, checks: checks.map((check) => ({ ...check, good: true })), verdict }
  const bad = checkBehind(verdict.reason)
  const found = checks.findIndex(({ name }) => name === bad)
  const before = (found === -1 ? checks : checks.slice(0, found)).map((check) => ({ ...check, good: true }))
  const deciding = checks[found] ?? { name: bad, expected: 'what can be sent upstream', got: verdict.reason }
  return { route, checks: [...before, { ...deciding, good: false }], verdict }
}
