import type { UserRecord } from './records.ts'

/** Who somebody is at a provider, and whose account that is here. Milliseconds where a name says so, else NumericDate seconds. */
export interface ProviderLink {
  /** As its tokens say it, exactly. */
  readonly issuer: string
  /** The value of the claim that is the person. */
  readonly person: string
  readonly sub: string
  /** The mail address that the account has from there. */
  readonly email: string | undefined
  readonly linkedAt: number
  /** The provider's last word on this person's groups, in our names. */
  readonly groups: readonly string[]
  /** When it was given; 0: never. */
  readonly statedAtMs: number
}

/** One sign-in by a provider: a browser's, with the authorizations that came from it. */
export interface ProviderSignIn {
  readonly id: string
  /** The provider's id in routes.yaml at that time. */
  readonly provider: string
  readonly issuer: string
  readonly person: string
  readonly sub: string
  /** The session at the provider. */
  readonly sid: string | undefined
  /** What to ask again with, sealed by the issuer. */
  readonly sealed: string
  /** When the provider last gave a good word. */
  readonly askedAtMs: number
  /** When it ends, because there is nothing to ask again with; undefined: there is. */
  readonly endsAtMs: number | undefined
  /** To be asked in the background at this time at the latest; undefined: by the common rhythm. */
  readonly dueAtMs: number | undefined
  readonly ended: boolean
  readonly createdAt: number
}

/** What a good word of the provider changes. */
type ProviderAnswer = Pick<ProviderSignIn, 'sealed' | 'askedAtMs' | 'endsAtMs'>

/** A provider's word on somebody's groups, and which tokens that carry a lost one are refused: made until when, for how long. */
export interface GroupStatement {
  readonly issuer: string
  readonly person: string
  readonly groups: readonly string[]
  readonly statedAtMs: number
  readonly refused: { readonly notBeforeMs: number; readonly expiresAt: number }
  /** As `asOfMs` of an act of revocation. */
  readonly asOfMs?: number
}

export type StatedGroups =
  | {
      readonly kind: 'stated'
      readonly added: readonly string[]
      readonly removed: readonly string[]
    }
  /** A newer statement stands, or the link is gone. */
  | { readonly kind: 'passed_over' }

export type Linked =
  | { readonly kind: 'linked' }
  /** The identity has an account already: this one. */
  | { readonly kind: 'known'; readonly sub: string }
  | { readonly kind: 'name_taken' }
  /** The account has another identity of the same provider. */
  | { readonly kind: 'account_linked' }

/** Which sign-ins an act ends, with the app passwords that were made under them. */
export interface EndProviderSignIn {
  readonly id: string
  /** Whose it is. */
  readonly sub: string
  /** Spare authorizations of native clients and app passwords, and the sign-in with them while there are any. */
  readonly keepNative: boolean
}

/** What is remembered of sign-ins by a provider. Every method is one atomic step, and throws StoreError as the others do. */
export interface ProviderStore {
  /** Keeps an attempt under a secret key; beyond `most`, the oldest are forgotten. */
  addAttempt(key: string, sealed: string, expiresAt: number, most: number): Promise<void>
  attempt(key: string, now: number): Promise<string | undefined>
  /** True for exactly one caller. */
  takeAttempt(key: string): Promise<boolean>

  providerLink(issuer: string, person: string): Promise<ProviderLink | undefined>
  providerLinks(sub: string): Promise<readonly ProviderLink[]>
  /** Links an identity to an account, which is added first where `user` is given: both or nothing. */
  linkProvider(link: ProviderLink, user: UserRecord | undefined): Promise<Linked>
  /** Sets what the provider says of a person; the address only where no other account has it. */
  setProviderProfile(
    link: Pick<ProviderLink, 'issuer' | 'person'>,
    profile: { readonly displayName: string | undefined; readonly email: string | undefined },
  ): Promise<void>
  stateGroups(statement: GroupStatement): Promise<StatedGroups>

  addProviderSignIn(signIn: ProviderSignIn): Promise<void>
  providerSignIn(id: string): Promise<ProviderSignIn | undefined>
  /** Those that stand, of one identity. */
  providerSignIns(of: {
    readonly issuer: string
    readonly person?: string
    readonly sid?: string
  }): Promise<readonly ProviderSignIn[]>
  /** Those that stand of providers that are none of these issuers, at most `limit`. */
  foreignProviderSignIns(issuers: readonly string[], limit: number): Promise<readonly ProviderSignIn[]>
  /** The sign-in that a browser session began with, ended or not. @param uid the session's. */
  signInOfSession(uid: string): Promise<ProviderSignIn | undefined>
  /** The sign-in that an authorization came from, ended or not. */
  signInOfAuthorization(gid: string): Promise<ProviderSignIn | undefined>
  /** The session began with this sign-in; undefined: with none of a provider. */
  bindSession(uid: string, id: string | undefined): Promise<void>
  bindAuthorization(gid: string, clientId: string, id: string): Promise<void>
  /** Authorizations of a sign-in that stand, or may still be redeemed: gid and client. */
  authorizationsOfSignIn(id: string): Promise<readonly { readonly gid: string; readonly clientId: string }[]>

  /** Lets one process ask at a time: false while another one's time lasts. */
  claimSignIn(id: string, nowMs: number, untilMs: number): Promise<boolean>
  releaseSignIn(id: string): Promise<void>
  /** New tokens are kept whatever else becomes of the answer; does nothing to a sign-in that has ended. */
  keepTokens(id: string, sealed: string): Promise<void>
  /** Notes a good word, and that nothing is due any more of what was due when it was asked for. */
  noteAnswer(id: string, answer: ProviderAnswer): Promise<void>
  /** The background asks these by `atMs` at the latest. */
  makeDue(ids: readonly string[], atMs: number): Promise<void>
  /**
   * Sign-ins to look at now: due ones, those whose time has come, and those last asked before `askedBeforeMs` that have a browser
   * session, or an authorization or app password that was used since `usedSince`. Due ones first, then the longest unasked.
   * @param now.issuer Of this provider only.
   */
  waitingSignIns(now: {
    readonly nowMs: number
    readonly askedBeforeMs: number
    readonly usedSince: number
    readonly issuer?: string
    readonly limit: number
  }): Promise<readonly string[]>
  /** Nothing is due any more, unless it became due anew. */
  clearDue(id: string, dueAtMs: number): Promise<void>
  /** Sign-ins of a while ago that no browser session and no authorization lives by any more. */
  abandonedSignIns(nowMs: number, limit: number): Promise<readonly string[]>
  /** Of each provider's sign-ins that have a browser session or an authorization, when the longest unasked was asked. */
  oldestAsked(nowMs: number): Promise<ReadonlyMap<string, number>>
}
