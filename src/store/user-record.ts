/** A person. Times are NumericDate, seconds, unless a name says milliseconds. */
export interface UserRecord {
  /** Stable, opaque, never reused. */
  readonly sub: string
  /** What they sign in with; unique without regard to case (compared in NFKC lower case). */
  readonly username: string
  readonly displayName: string | undefined
  readonly email: string | undefined
  readonly groups: readonly string[]
  /** PHC string; undefined: cannot sign in by password. */
  readonly passwordHash: string | undefined
  readonly disabled: boolean
  readonly createdAt: number
}

/**
 * What two spellings of one username have in common, for everything that is found or counted by it. NFKC on both sides of the lower case, because
 * some letters decompose only after it.
 */
export function usernameKey(username: string): string {
  return username.normalize('NFKC').toLowerCase().normalize('NFKC')
}
