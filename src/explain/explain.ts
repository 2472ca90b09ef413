import type { Permit } from '../core/decide.ts'
import type { Denial } from '../core/denial.ts'
import { BROWSER_PATH, isWithin } from '../core/paths/router.ts'
import type { Target } from '../core/paths/target.ts'
import { isReadMethod } from '../core/route.ts'
import type { Evidence } from '../core/token.ts'
import { denialForFault } from '../gateway/answers.ts'
import type { Shown } from '../gateway/browser/sign-ins.ts'
import {
  isSignOut,
  judgeEvidence,
  judgeWithoutToken,
  prepare,
  type RouteMatch,
  routeRequest,
} from '../gateway/judge.ts'
import type { Policy } from '../gateway/policy.ts'
import type { RequestHead } from '../gateway/request-head.ts'
import { accessCheck, type Check, checkBehind, placeChecks, tokenChecks } from './checks.ts'
import { plainRefusal, type Refusal, refusalByKind, type ShownAnswer } from './refusal.ts'

/** A check and what became of it; nothing after a bad one is judged. */
interface ExplainedCheck extends Check {
  readonly good: boolean
}

/** What the upstream would get. */
interface UpstreamRequest {
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
  /** Answered here, and by nothing behind. */
  | { readonly outcome: 'reserved'; readonly by: ReservedFor }

/**
 * `sign_out`: the server's own sign-out link, in whose place the gateway's sign-out is · `browser`: what browsers need of the gateway itself ·
 * `admin`: the operator's API, for what a token permits there.
 */
export type ReservedFor = 'issuer' | 'browser' | 'sign_out' | 'admin'

export interface Explanation {
  readonly route: string | undefined
  readonly checks: readonly ExplainedCheck[]
  readonly verdict: Verdict
}

interface ExplainOptions {
  readonly policy: Policy
  readonly head: RequestHead
  /** What the credential proves; asked only where a token is needed. */
  readonly gather: (match: RouteMatch) => Evidence | Promise<Evidence>
  /** Answer by the kind of request that `head` is; its credential came by itself or was sent. Default: as if there were no kinds. */
  readonly byKind?: Pick<Shown, 'shown' | 'isYoung'> | undefined
  /** NumericDate, seconds. */
  readonly now: number
}

const SIGN_OUT: Check = {
  name: 'access',
  expected: 'public, or a token for the resource',
  got: 'one of sign_out_paths: the gateway signs the browser out, and asks nobody for a token',
}

// A request that is only explained has no id.
const REQUEST_ID = '-'

/** Walks one request through the functions of the gateway, and says of each check what it expected and what it got. */
export async function explain(options: ExplainOptions): Promise<Explanation> {
  const { policy, head, now } = options
  if (!isReadMethod(head.method)) return unread(options)
  const routing = routeRequest(policy, head)
  const checks = placeChecks(policy, head, routing)
  if (routing.kind === 'deny') return explanation(undefined, checks, denied(options, routing.denial, undefined))
  if (routing.kind === 'self')
    return explanation(undefined, checks, { outcome: 'preflight', answer: { status: 204, headers: [], body: '' } })
  if (routing.kind === 'reserved')
    return explanation(undefined, checks, { outcome: 'reserved', by: reservedFor(routing.target) })
  const { route } = routing
  if (isSignOut(routing)) return explanation(route.id, [...checks, SIGN_OUT], { outcome: 'reserved', by: 'sign_out' })
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

/** A method that HTTP parsers don't know, or none of a reverse proxy's: nothing of it comes as far as a route. */
function unread(options: ExplainOptions): Explanation {
  const { method } = options.head
  const check = {
    name: 'request',
    expected: 'a method that HTTP parsers know, in capitals',
    got: method === '' ? 'none' : method,
  } as const
  const denial = denialForFault(method === 'CONNECT' ? 'connect' : 'malformed')
  return explanation(undefined, [check], denied(options, denial, undefined))
}

function reservedFor({ readings }: Target): ReservedFor {
  return isWithin(BROWSER_PATH, readings[0] ?? '/') ? 'browser' : 'issuer'
}

function sent(options: ExplainOptions, match: RouteMatch, permit: Permit): Verdict {
  const { policy, head, now } = options
  const [upstream] = match.route.upstreams
  if (upstream === undefined) return { outcome: 'reserved', by: 'admin' }
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
  const unseen = shown === 'session' && match?.route.credentials.includes('session') !== true
  return refusalByKind(policy, denial, head, match, { ...byKind, id: REQUEST_ID, shown: unseen ? 'nothing' : shown })
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
