import type { Config } from '../config/config.ts'
import { isOwnRequest } from '../core/own-request.ts'
import { type Evidence, rejected } from '../core/token.ts'
import type { RouteMatch } from '../gateway/judge.ts'
import { originOf, type Policy } from '../gateway/policy.ts'
import type { RequestHead } from '../gateway/request-head.ts'
import { evidenceOf } from './evidence.ts'

/** What becomes of a browser's session that is thought of. `young`: it was signed in to a moment ago, and its token is refused. */
export type SessionState = keyof typeof STATES

const GOOD = 'good'
const STATES = {
  good: GOOD,
  expired: rejected('session_expired', 'the session has ended; sign in again'),
  revoked: rejected('revoked', 'it was revoked'),
  elsewhere: rejected('no_session_for_resource', 'this browser has not signed in for this resource'),
  young: rejected('revoked', 'what was signed in to a moment ago is refused already'),
} as const

const FOREIGN = rejected('cross_origin_request', 'another site asked, and your session counts for this site only')

/** Every state, as it is written. */
export const SESSION_STATES: readonly string[] = Object.keys(STATES)

export function isSessionState(text: string): text is SessionState {
  return Object.hasOwn(STATES, text)
}

interface ThoughtSession {
  readonly state: SessionState
  /** What the access token behind a good session says; what fits is filled in, `scope` too. */
  readonly claims: Readonly<Record<string, unknown>> | undefined
}

/** What the cookie of such a session proves. A route that takes no sessions never looks at it. @param now NumericDate, seconds. */
export function sessionEvidence(
  { state, claims }: ThoughtSession,
  { config, policy }: { readonly config: Config; readonly policy: Policy },
  match: RouteMatch,
  { method, rawHeaders }: RequestHead,
  now: number,
): Evidence {
  const { route, host } = match
  if (!route.credentials.includes('session') || route.access.kind === 'public') return { kind: 'none' }
  const allowed = route.cors?.credentials === true ? route.cors.origins : []
  if (!isOwnRequest({ method, rawHeaders, origin: originOf(policy, host), allowed })) return FOREIGN
  const outcome = STATES[state]
  if (outcome !== GOOD) return outcome
  const { identifier, sessionScopes, scopes } = route.access.resource
  const scope = (sessionScopes ?? [...scopes.keys()]).join(' ')
  return evidenceOf({ aud: identifier, scope, ...claims }, config, match, now)
}
