import { z } from 'zod'
import { checksOf, passesNow } from '../decisions/again.ts'
import type { Decision, DecisionFilter } from '../decisions/decision.ts'
import { helpFor } from '../decisions/help.ts'
import { findKept, likeThis, listDecisions } from '../decisions/search.ts'
import type { AdminDependencies } from '../dependencies.ts'
import { Problem } from '../problem.ts'
import type { App } from './app.ts'
import { cursorOf, keyOf, PAGE, TIME, timeOf } from './page.ts'
import { subOf } from './person.ts'

/** A decision as the API shows one: what the log line says. */
const DECISION = z.object({
  request_id: z.string(),
  at: TIME,
  route: z.string(),
  resource: z.string().optional(),
  method: z.string(),
  host: z.string().optional(),
  path: z.string().optional(),
  status: z.number().optional(),
  outcome: z.enum(['ok', 'refused', 'failed', 'client_closed']),
  reason: z.string().optional(),
  detail: z.string().optional(),
  cause: z.string().optional(),
  sub: z.string().optional(),
  username: z.string().optional(),
  client: z.string().optional(),
  address: z.string().optional(),
  decide_ms: z.number().optional(),
  total_ms: z.number(),
})

export const CHECK = z.object({
  name: z.string(),
  good: z.boolean(),
  expected: z.string(),
  got: z.string(),
  reason: z.string().optional().describe('Of the check that decided: what the client was told.'),
})

/** What decisions can be looked for by. */
export const FILTER = {
  outcome: z.enum(['ok', 'refused', 'failed']).optional(),
  reason: z.string().max(64).optional(),
  route: z.string().max(256).optional(),
  person: z.string().max(256).optional().describe('A user name or a `sub`.'),
  client: z.string().max(2_048).optional(),
  address: z.string().max(64).optional(),
  since: z.iso.datetime({ offset: true }).optional(),
  until: z.iso.datetime({ offset: true }).optional(),
}

const QUERY = z.strictObject({ ...FILTER, ...PAGE })
export type ShownDecision = z.output<typeof DECISION>

/** The answer of /decisions. */
export const DECISIONS = z.object({ items: z.array(DECISION), next: z.string().optional(), kept_since: TIME })
/** One decision, with why. */
export const DECISION_DETAIL = DECISION.extend({
  checks: z.array(CHECK),
  help: z.array(z.string()),
  now: z.object({ outcome: z.enum(['ok', 'refused']), reason: z.string().optional() }),
  like_this: z.object({ count: z.number(), since: TIME }),
})

/** Decisions that are kept, and one with its checks. */
export function addDecisions(app: App, dependencies: AdminDependencies): void {
  const { decisions, view } = dependencies
  const access = { scope: 'r' } as const
  app.get(
    '/decisions',
    { config: { access }, schema: { querystring: QUERY, response: { 200: DECISIONS } } },
    async ({ query }) => {
      const filter = await filterOf(dependencies, query)
      const before = query.cursor === undefined ? undefined : keyOf(query.cursor, 'string')
      const { items, next } = await listDecisions(dependencies, filter, before, query.limit)
      return {
        items: items.map(shownDecision),
        ...(next === undefined ? {} : { next: cursorOf(next) }),
        kept_since: timeOf(decisions.keptSince / 1_000),
      }
    },
  )
  app.get(
    '/decisions/:request_id',
    {
      config: { access },
      schema: { params: z.strictObject({ request_id: z.string().max(256) }), response: { 200: DECISION_DETAIL } },
    },
    async ({ params }) => {
      const decision = decisions.find(params.request_id) ?? (await findKept(dependencies, params.request_id))
      if (decision === undefined) throw notKept(decisions.keptSince)
      const { outcome, reason } = await passesNow(dependencies, decision)
      const like = likeThis(dependencies, decision)
      return {
        ...shownDecision(decision),
        checks: [...(await checksOf(dependencies, decision))],
        help: [...helpFor(decision, view().resources)],
        now: {
          outcome: outcome === 'ok' ? ('ok' as const) : ('refused' as const),
          ...(reason === undefined ? {} : { reason }),
        },
        like_this: { count: like.count, since: timeOf(like.since / 1_000) },
      }
    },
  )
}

/** A filter of the query's in the terms of what is kept. */
export async function filterOf(
  { store }: AdminDependencies,
  { person, since, until, ...rest }: Omit<z.output<typeof QUERY>, 'limit' | 'cursor'>,
): Promise<DecisionFilter> {
  const { outcome, reason, route, client, address } = rest
  return {
    outcome,
    reason,
    route,
    client,
    address,
    sub: await subOf(store, person),
    since: since === undefined ? undefined : Date.parse(since),
    until: until === undefined ? undefined : Date.parse(until),
  }
}

export function shownDecision(decision: Decision): z.output<typeof DECISION> {
  const { requestId, at, decideMs, totalMs, proof: _, ...facts } = decision
  const shown = { request_id: requestId, at: timeOf(at / 1_000), ...facts, decide_ms: decideMs, total_ms: totalMs }
  return DECISION.parse(Object.fromEntries(Object.entries(shown).filter(([, value]) => value !== undefined)))
}

function notKept(keptSince: number): Problem {
  const since = timeOf(keptSince / 1_000)
  return new Problem(404, 'not_kept', `no decision with this request id is kept; refusals are kept since ${since}`, {
    members: { kept_since: since },
  })
}
