import type { Permit } from '../../../src/core/decide.ts'
import { decide } from '../../../src/core/decide.ts'
import type { Route } from '../../../src/core/route.ts'
import type { Evidence, VerifiedToken } from '../../../src/core/token.ts'
import { NOW, target } from './samples.ts'

/** The permit that `decide` gives for a request; throws when it gives none. */
export function permitFor(
  route: Route,
  token: VerifiedToken | undefined,
  path = `${route.path}/1`,
  method = 'GET',
): Permit {
  const evidence: Evidence = token === undefined ? { kind: 'none' } : { kind: 'verified', token }
  const decision = decide(route, method, target(path), evidence, NOW)
  if (decision.kind === 'deny') throw new Error(decision.denial.description)
  return decision.permit
}
