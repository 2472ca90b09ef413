/** How a person signed in, weakest first: password, password and a second factor, passkey (EAP ACR Values 1.0). */
export const LEVELS = ['pwd', 'mfa', 'phr'] as const

export type Level = (typeof LEVELS)[number]

/** The `acr` values by which an issuer says each level. */
export type AcrMap = Readonly<{ [L in Level]?: readonly string[] | undefined }>

/** How the embedded issuer says them. */
export const OWN_ACR: AcrMap = { pwd: ['pwd'], mfa: ['mfa'], phr: ['phr'] }

/** What a rule asks of the sign-in behind a token. */
export interface SignInNeed {
  /** The least level; undefined: any. */
  readonly acr?: Level | undefined
  /** How long ago the person may have signed in, in seconds; undefined: any time. */
  readonly maxAge?: number | undefined
}

/** What a client has to ask its authorization server for (RFC 9470 §3). */
export interface SignInWish {
  /** Empty when the level isn't what is missing, or the issuer has no word for it. */
  readonly acrValues: readonly string[]
  /** Seconds. */
  readonly maxAge: number | undefined
}

/** Whether `level` is at least `needed`. */
export function reaches(level: Level | undefined, needed: Level): boolean {
  return level !== undefined && LEVELS.indexOf(level) >= LEVELS.indexOf(needed)
}

/** The highest level that `acr` says of a sign-in; undefined for a value that the map doesn't have. */
export function levelOf(acr: unknown, map: AcrMap): Level | undefined {
  if (typeof acr !== 'string') return undefined
  return LEVELS.findLast((level) => map[level]?.includes(acr) === true)
}
