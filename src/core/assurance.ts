import type { Denial } from './denial.ts'
import { LEVELS, type Level, reaches, type SignInNeed, type SignInWish } from './levels.ts'
import { clockToleranceSeconds, type VerifiedToken } from './token.ts'

/**
 * Why the sign-in behind a token isn't enough for a rule, and what to ask for; undefined when it is, and where the rule asks for nothing. A
 * token that doesn't say when or how is not enough.
 * @param now NumericDate, seconds.
 */
export function signInFault(
  { acr, maxAge }: SignInNeed,
  token: VerifiedToken,
  now: number,
): { readonly detail: string; readonly wish: SignInWish } | undefined {
  const lacks: string[] = []
  if (acr !== undefined && !reaches(token.level, acr)) lacks.push(levelText(acr, token))
  if (maxAge !== undefined && !isFresh(token, maxAge, now)) lacks.push(ageText(maxAge, token, now))
  if (lacks.length === 0) return undefined
  return { detail: lacks.join('; '), wish: { acrValues: acr === undefined ? [] : valuesFor(acr, token), maxAge } }
}

/** A request that was refused for its sign-in alone: whose it was, by which client, and what would have done. */
export interface WeakSignIn {
  readonly sub: string
  readonly clientId: string
  readonly need: SignInNeed
}

/** What a refusal says is needed of the sign-in, in the embedded issuer's words; undefined: it is not refused for that. */
export function neededSignIn({ challenge }: Denial): SignInNeed | undefined {
  const wish = challenge?.signIn
  return wish && { acr: LEVELS.find((level) => wish.acrValues.includes(level)), maxAge: wish.maxAge }
}

/** What the issuer is to be told of a refusal; undefined: nothing, or nothing of its. */
export function weakSignInOf(denied: Denial, token: VerifiedToken | undefined): WeakSignIn | undefined {
  const need = neededSignIn(denied)
  if (need === undefined || token?.embedded !== true || token.username === undefined) return undefined
  return { sub: token.subject, clientId: token.clientId, need }
}

/** When the person behind the token signed in, for people. @param now NumericDate, seconds. */
export function signInText({ level, authTime }: VerifiedToken, now: number): string {
  const when = authTime === undefined ? 'no auth_time' : `signed in ${Math.round(now - authTime)} s ago`
  return `${level === undefined ? 'no level' : `level ${level}`}, ${when}`
}

/** What a rule asks of the sign-in, for people; undefined: nothing. */
export function needText({ acr, maxAge }: SignInNeed): string | undefined {
  const parts = [
    ...(acr === undefined ? [] : [`level ${acr} or better`]),
    ...(maxAge === undefined ? [] : [`signed in at most ${maxAge} s ago`]),
  ]
  return parts.length === 0 ? undefined : parts.join(', ')
}

/** Nobody signed in in the future: such a token would be fresh for as long as it pleased. */
function isFresh({ authTime, embedded }: VerifiedToken, maxAge: number, now: number): boolean {
  if (authTime === undefined) return false
  const tolerance = clockToleranceSeconds(embedded)
  return now - authTime <= maxAge + tolerance && authTime <= now + tolerance
}

/** The values of the least level that would do and that the issuer has words for. */
function valuesFor(needed: Level, { acrMap = {} }: VerifiedToken): readonly string[] {
  const good = LEVELS.filter((level) => reaches(level, needed))
  return good.map((level) => acrMap[level] ?? []).find((values) => values.length > 0) ?? []
}

function levelText(needed: Level, { level, claims }: VerifiedToken): string {
  if (level !== undefined) return `this request needs a sign-in of level ${needed}; this one is ${level}`
  const came = typeof claims.acr === 'string' ? 'has an acr that means no level here' : 'has no acr'
  return `this request needs a sign-in of level ${needed}; the token ${came}`
}

function ageText(maxAge: number, { authTime }: VerifiedToken, now: number): string {
  const wanted = `this request needs a sign-in of the last ${maxAge} s`
  if (authTime === undefined) return `${wanted}; the token has no auth_time`
  return authTime > now
    ? `${wanted}; this one is in the future`
    : `${wanted}; this one is ${Math.floor(now - authTime)} s old`
}
