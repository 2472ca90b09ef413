import type { AcrMap, Level } from '../../core/levels.ts'
import type { Evidence } from '../../core/token.ts'

/** What is kept of a request: what the log line says, and no query, token, cookie or header. Times are milliseconds since the epoch. */
export interface Decision {
  readonly requestId: string
  readonly at: number
  readonly method: string
  readonly host: string | undefined
  /** As received, without the query. */
  readonly path: string | undefined
  readonly route: string
  readonly resource: string | undefined
  readonly status: number | undefined
  readonly outcome: 'ok' | 'refused' | 'failed' | 'client_closed'
  readonly reason: string | undefined
  readonly detail: string | undefined
  readonly cause: string | undefined
  readonly sub: string | undefined
  readonly username: string | undefined
  readonly client: string | undefined
  readonly address: string | undefined
  readonly decideMs: number | undefined
  readonly totalMs: number
  /** What its credential proved, without the credential. */
  readonly proof: Proof
}

/** {@link Evidence} in a form that can be stored. */
export type Proof =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'fault'
      readonly evidence: Exclude<Evidence, { kind: 'verified' } | { kind: 'none' }>
      /** Of a token that was good once. */
      readonly of?: TokenFacts
    }
  | { readonly kind: 'token'; readonly token: TokenFacts }

/** A token's claims that decisions go by; never the token. */
export interface TokenFacts {
  readonly issuer: string
  readonly embedded: boolean
  readonly subject: string
  readonly clientId: string
  readonly audience: readonly string[]
  readonly scope: readonly string[]
  readonly expiresAt: number
  readonly issuedAt: number
  readonly jti: string | undefined
  readonly gid: string | undefined
  readonly username: string | undefined
  readonly groups: readonly string[]
  /** How and when the person signed in; absent where the token doesn't say. */
  readonly level?: Level | undefined
  readonly authTime?: number | undefined
  readonly acrMap?: AcrMap | undefined
}

/** Whether somebody is known to be behind it: a verified token, or an upstream that failed. */
export function isKnown({ sub, outcome }: Decision): boolean {
  return sub !== undefined || outcome === 'failed'
}

export interface DecisionFilter {
  readonly outcome?: string | undefined
  readonly reason?: string | undefined
  readonly route?: string | undefined
  /** A `sub`. */
  readonly sub?: string | undefined
  readonly client?: string | undefined
  readonly address?: string | undefined
  /** Milliseconds since the epoch. */
  readonly since?: number | undefined
  readonly until?: number | undefined
}

export function fits(decision: Decision, filter: DecisionFilter): boolean {
  const { since = 0, until = Number.MAX_SAFE_INTEGER } = filter
  if (decision.at < since || decision.at > until) return false
  const exact = ['outcome', 'reason', 'route', 'sub', 'client', 'address'] as const
  return exact.every((name) => filter[name] === undefined || filter[name] === decision[name])
}
