import type { RevocationKind } from '../core/revocation.ts'
import type { EndProviderSignIn } from './provider-store.ts'
import type { UserRecord } from './records.ts'
import type { EndsSessions } from './session-store.ts'

/** One entry to be put in force by an act; the store gives it its id. */
export interface NewRevocation {
  readonly kind: RevocationKind
  readonly key: string
  readonly notBeforeMs: number
  readonly expiresAt: number
}

/** Everything that one act of revocation changes, carried out in one transaction: all of it or nothing. */
export interface RevocationAct extends EndsSessions {
  /**
   * What `notBeforeMs` took for now, milliseconds: all stamps are moved on to the moment in which the act holds its locks, by
   * the clock that instances share. Whoever made a token before that had not seen the act. Undefined: they stand as they are.
   */
  readonly asOfMs?: number
  readonly revocations: readonly NewRevocation[]
  /** Consents to delete: by person and/or client; both undefined in one entry is refused. */
  readonly deleteConsents: readonly { readonly sub?: string; readonly clientId?: string }[]
  /**
   * Authorizations (and their codes, refresh tokens, device codes, grants, and interactions, which may become one) to end.
   * Fields of one entry are ANDed.
   */
  readonly endAuthorizations: readonly {
    readonly sub?: string
    readonly clientId?: string
    readonly gid?: string
    /** Spare this one (the session in hand at a password change). */
    readonly exceptGid?: string | undefined
    /** Spare browser sessions under this session of the issuer. */
    readonly exceptIssuerSession?: string | undefined
    /** Also put a `gid` entry in force for each authorization that this ends: found and refused in one step. */
    readonly revokeTokens?: { readonly notBeforeMs: number; readonly expiresAt: number }
  }[]
  /** Browser sessions at the issuer to end, with all interactions of the person; the session `exceptUid` is spared. */
  readonly endSessions: readonly { readonly sub: string; readonly exceptUid?: string | undefined }[]
  /** Tokens with a group that `setUser.groups` takes away, as the store has it in that moment, are refused until then. */
  readonly lostGroups?: { readonly notBeforeMs: number; readonly expiresAt: number }
  readonly setUser?: { readonly sub: string } & Partial<
    Pick<UserRecord, 'displayName' | 'email' | 'disabled' | 'groups' | 'passwordHash'>
  >
  /** Has to choose a new password before anything else. @see SessionStore.passwordDue */
  readonly passwordDue?: { readonly sub: string; readonly at: number }
  /** With their browser sessions and authorizations, whose tokens are refused until then. */
  readonly endProviderSignIns?: readonly (EndProviderSignIn & {
    readonly notBeforeMs: number
    readonly expiresAt: number
  })[]
  /** Whose open one-time links do nothing any more. */
  readonly voidLinksOf?: string
  readonly deleteProviderLinks?: readonly { readonly issuer: string; readonly person: string }[]
  readonly setClient?: { readonly id: string; readonly revoked: boolean }
  readonly audit: AuditLine
  /** Where the act ends several things: a line for each further one. */
  readonly audits?: readonly AuditLine[]
}

interface AuditLine {
  readonly event: string
  readonly detail: Readonly<Record<string, unknown>>
}

/** Where the list of revocations ends. */
export interface StorePosition {
  /** Names the history that ids belong to: in another one they mean other entries. */
  readonly epoch: string
  /** The highest id ever given; 0 for none. */
  readonly id: number
  /** Drawn by chance with that id. */
  readonly nonce: string
  /** NumericDate: the latest time that rows were swept by. Entries that had expired by then may be gone. */
  readonly sweptAt: number
}
