import { type Level, reaches } from '../core/levels.ts'
import type { VerifiedToken } from '../core/token.ts'
import type { Why } from './dependencies.ts'

/** Who calls the API: a token that was judged already, and where it came from. */
export interface Caller {
  readonly token: VerifiedToken
  readonly address: string
  readonly requestId: string
}

/** Tokens of persons name them; those of service clients don't. */
export function isPerson({ token }: Caller): boolean {
  return token.username !== undefined
}

/** Who acted, as audit lines say it. */
export function actorOf({ token }: Caller): string {
  return token.username === undefined ? `client:${token.clientId}` : token.subject
}

/**
 * Whether the sign-in behind a token is recent and strong enough to give access. A service client signs in anew, with its secret, for each
 * token that it gets.
 * @param now NumericDate, seconds.
 */
export function isFresh(caller: Caller, least: Level, freshSeconds: number, now: number): boolean {
  const { issuedAt, authTime, level = 'pwd' } = caller.token
  if (!isPerson(caller)) return now - issuedAt <= freshSeconds
  return authTime !== undefined && now - authTime <= freshSeconds && reaches(level, least)
}

/** Who acts, from where, by which request: for audit lines. */
export function whyOf(caller: Caller): Why {
  return { by: actorOf(caller), requestId: caller.requestId, address: caller.address }
}
