import { z } from 'zod'
import type { Decision } from '../decisions/decision.ts'
import { TIME, timeOf } from './page.ts'

/** A decision as the API shows one: what the log line says. */
export const DECISION = z.object({
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

export function shownDecision(decision: Decision): z.output<typeof DECISION> {
  const { requestId, at, decideMs, totalMs, proof: _, ...facts } = decision
  const shown = { request_id: requestId, at: timeOf(at / 1_000), ...facts, decide_ms: decideMs, total_ms: totalMs }
  return DECISION.parse(Object.fromEntries(Object.entries(shown).filter(([, value]) => value !== undefined)))
}

export const CHECK = z.object({
  name: z.string(),
  good: z.boolean(),
  expected: z.string(),
  got: z.string(),
  reason: z.string().optional().describe('Of the check that decided: what the client was told.'),
})
