import type { Revocation } from '../core/revocation.ts'
import type { AuditRecord, AuthorizationRecord, ClientRecord, SessionRecord } from './records.ts'
import type { UserRecord } from './user-record.ts'

/** Stretches of what is remembered, in the order of a key that stands: a walk passes over nothing that is there all the time. */
export interface ListStore {
  /** Those whose name comes after `username`, in the order of names without regard to case. */
  usersAfter(username: string, limit: number): Promise<readonly UserRecord[]>
  clientsAfter(id: string, limit: number): Promise<readonly ClientRecord[]>
  /** Those with a gid after `gid`, in the order of gids. */
  authorizationsAfter(
    of: { readonly sub?: string | undefined; readonly clientId?: string | undefined },
    gid: string,
    limit: number,
  ): Promise<readonly AuthorizationRecord[]>
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
  /** Newest first, those about one person. */
  auditsOfPerson(sub: string, beforeId: number, limit: number): Promise<readonly AuditRecord[]>
  /** Newest first, those of one event. */
  auditsOf(event: string, beforeId: number, limit: number): Promise<readonly AuditRecord[]>
}
