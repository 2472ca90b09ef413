import type { Revocation } from '../core/revocation.ts'
import type { AuditRecord, AuthorizationRecord, ClientRecord, SessionRecord, UserRecord } from './records.ts'

/** What lines of the audit are found by: the event, or `sub`, `by`, `client` of the detail. */
type AuditKey = 'event' | 'sub' | 'by' | 'client'

interface AuthorizationsOf {
  readonly sub?: string | undefined
  readonly clientId?: string | undefined
}

/** A secret of a client, by its id, and when it was used. NumericDate. */
export interface SecretUse {
  readonly clientId: string
  readonly id: string
  readonly at: number
}

/** Stretches of what is remembered, in the order of a key that stands: a walk passes over nothing that is there all the time. */
export interface ListStore {
  counts(): Promise<{ readonly users: number; readonly clients: number }>
  /** Those whose name comes after `username`, in the order of names without regard to case. */
  usersAfter(username: string, limit: number): Promise<readonly UserRecord[]>
  clientsAfter(id: string, limit: number): Promise<readonly ClientRecord[]>
  /** Those with a gid after `gid`, in the order of gids. */
  authorizationsAfter(of: AuthorizationsOf, gid: string, limit: number): Promise<readonly AuthorizationRecord[]>
  revocationsAfter(id: number, now: number, limit: number): Promise<readonly Revocation[]>
  /** Keeps refusals for the operator; of 20,000 the oldest go. @param expiresAt NumericDate. */
  keepRefusals(
    rows: readonly { readonly requestId: string; readonly facts: string }[],
    expiresAt: number,
  ): Promise<void>
  /** The facts of one refusal. */
  refusal(requestId: string): Promise<string | undefined>
  /** Newest first. */
  refusalsBefore(id: number, limit: number): Promise<readonly { readonly id: number; readonly facts: string }[]>
  /** Browser sessions at the issuer, at most 500. */
  sessions(sub: string): Promise<readonly SessionRecord[]>
  /** Newest first, those whose event or member of the detail is `value`. */
  auditsBy(key: AuditKey, value: string, beforeId: number, limit: number): Promise<readonly AuditRecord[]>
  /** The id of a newest line of that time or before; undefined: there is none. @param at NumericDate. */
  auditIdAt(at: number): Promise<number | undefined>
  /** Authorizations that have not ended, counted up to `most`. */
  countAuthorizations(of: AuthorizationsOf, most: number): Promise<number>
  /** Notes when secrets of clients were used last. */
  noteSecretUses(uses: readonly SecretUse[]): Promise<void>
  /** When each secret of a client was used last, by its id. NumericDate. */
  secretUses(clientId: string): Promise<ReadonlyMap<string, number>>
}
