import type { TokenFault } from './denial.ts'
import type { AcrMap, Level } from './levels.ts'

declare const verified: unique symbol

/**
 * Signature, issuer, type and lifetime checked, not revoked (RFC 9068 §4). Audience and scope are NOT checked;
 * `decide` does that, route by route.
 */
export interface VerifiedToken {
  readonly [verified]: true
  readonly issuer: string
  /** Made by the embedded issuer (or, for a gateway on its own, by the audgate it follows). */
  readonly embedded: boolean
  readonly subject: string
  readonly clientId: string
  readonly audience: readonly string[]
  readonly scope: ReadonlySet<string>
  /** NumericDate, seconds. */
  readonly expiresAt: number
  readonly issuedAt: number
  readonly jti: string | undefined
  /** Which authorization it came from; tokens of the embedded issuer only. */
  readonly gid: string | undefined
  /** Undefined when absent, empty or of the wrong type. */
  readonly username: string | undefined
  readonly groups: readonly string[]
  /** RFC 9449 §6 `cnf.jkt`; undefined: a plain bearer token. */
  readonly jkt: string | undefined
  /** How the person signed in; undefined when the token doesn't say, or in words that mean nothing here. */
  readonly level?: Level | undefined
  /** When the person signed in. NumericDate, seconds. */
  readonly authTime?: number | undefined
  /** RFC 8176; undefined when the token doesn't say. */
  readonly amr?: readonly string[] | undefined
  /** The words of its issuer for each level. */
  readonly acrMap?: AcrMap | undefined
  readonly claims: Readonly<Record<string, unknown>>
  readonly memo: TokenMemo
}

/** A place for what others keep of a token, theirs alone. Fields of its own: thousands of tokens in weak maps make a collection of garbage long. */
export interface TokenMemo {
  /** The gateway's: what was last added to its requests. */
  added: object | undefined
  /** What is to be said of it now, without its signature being checked again; undefined where it wasn't verified in this process. @param now NumericDate, seconds. */
  standing: ((now: number) => Evidence) | undefined
}

/** How far clocks may differ: foreign issuers have clocks of their own, the embedded one shares ours. */
export function clockToleranceSeconds(embedded: boolean): number {
  return embedded ? 5 : 60
}

/** What a request's credential proved. */
export type Evidence =
  | { readonly kind: 'none' }
  | { readonly kind: 'malformed'; readonly detail: string }
  | {
      readonly kind: 'rejected'
      readonly fault: TokenFault
      readonly detail: string
      /** The token, where its signature was good: who is refused, for the log alone. */
      readonly of?: VerifiedToken
    }
  | { readonly kind: 'verified'; readonly token: VerifiedToken }
  /** Keys, or the state of revocations, could not be had: fail closed. */
  | { readonly kind: 'unavailable'; readonly detail: string; readonly retryAfterSeconds: number }

/** Seals what the verifier has checked. Imported by the token room, the issuer for its own tokens, `explain --claims`, the operator's API for tokens that nobody holds, a primary for what its workers verified, and tests only. */
export function sealVerifiedToken(fields: Omit<VerifiedToken, typeof verified | 'memo'>): VerifiedToken {
  return { ...fields, memo: { added: undefined, standing: undefined } } as VerifiedToken
}

export type Rejection = Extract<Evidence, { kind: 'rejected' }>
export type Unavailable = Extract<Evidence, { kind: 'unavailable' }>

/** Evidence that a credential is not good. `detail` reaches the client: it says what to do and repeats nothing secret. */
export function rejected(fault: TokenFault, detail: string, of?: VerifiedToken): Rejection {
  return of === undefined ? { kind: 'rejected', fault, detail } : { kind: 'rejected', fault, detail, of }
}

/** Evidence that nobody can tell now. */
export function unavailable(detail: string, retryAfterSeconds: number): Unavailable {
  return { kind: 'unavailable', detail, retryAfterSeconds }
}
