/**
 * What ends tokens of the embedded issuer. `jti` and `gid` match exactly; the others match a token that was issued
 * (milliseconds, see `issuedMs`) at or before `notBeforeMs`, so that a token made after the act is good.
 */
export type RevocationKind = 'jti' | 'gid' | 'client' | 'sub' | 'sub_client' | 'sub_group'

export interface Revocation {
  /** Ascending in the order of acts; what the feed catches up by. */
  readonly id: number
  readonly kind: RevocationKind
  /** `jti`, `gid`, client id, `sub`, or `sub` + U+0000 + (client id | group). */
  readonly key: string
  readonly notBeforeMs: number
  /** NumericDate, seconds: when the last token that it can touch has expired. */
  readonly expiresAt: number
}
