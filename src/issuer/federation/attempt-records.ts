import type { ProviderPerson } from './provider/provider-person.ts'
import type { SignInTokens } from './sign-in-tokens.ts'

/** What a sign-in by a provider is for. */
export type Purpose =
  /** An authorization or a device that waits for somebody. */
  | { readonly kind: 'interaction'; readonly uid: string; readonly client: string }
  /** The account page. */
  | { readonly kind: 'account' }
  /** The account page of this person, who wants one more way in. */
  | { readonly kind: 'connect'; readonly sub: string; readonly session: string }
  /** Proof of an account that another identity wants to be connected to: the key of that one's record. */
  | { readonly kind: 'proof'; readonly pending: string }

/** Somebody on the way to a provider and back. */
export interface Attempt {
  readonly kind: 'attempt'
  readonly provider: string
  readonly issuer: string
  readonly purpose: Purpose
  readonly nonce: string
  readonly verifier: string
  /** NumericDate, seconds. */
  readonly startedAt: number
  /** The last act of revocation before it: one that comes later ends it. */
  readonly actId: number
  /** The provider found fault with a scope before. */
  readonly leastScopes: boolean
  /** What has to be proven by `auth_time`. */
  readonly fresh: boolean
  readonly maxAge: number | undefined
  /** What need not be. */
  readonly hopedAge?: number | undefined
  readonly loginHint: string | undefined
}

/** An identity whose account's name is taken, until its person has shown another way in. */
export interface Pending {
  readonly kind: 'pending'
  readonly provider: string
  readonly issuer: string
  readonly purpose: Exclude<Purpose, { kind: 'proof' }>
  /** As in the attempt that it arrived by. */
  readonly actId: number
  readonly arrival: Arrival
}

/** Somebody whom a provider sent back, with everything that it said. */
export interface Arrival {
  readonly person: ProviderPerson
  /** Ours; empty from a provider that says nothing about groups. */
  readonly groups: readonly string[]
  readonly tokens: SignInTokens
  readonly authentication: Authentication
  readonly askedAtMs: number
}

/** How and when somebody signed in at the provider; what it doesn't say is left out. */
export interface Authentication {
  readonly authTime: number
  readonly amr: readonly string[] | undefined
  readonly acr: string | undefined
}
