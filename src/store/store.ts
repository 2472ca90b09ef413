import type { Revocation } from '../core/revocation.ts'
import type { FactorStore } from './factor-store.ts'
import type { LinkStore } from './link-store.ts'
import type { ListStore } from './list-store.ts'
import type { ProviderStore } from './provider-store.ts'
import type { AuditOrigin, AuditRecord, AuthorizationRecord, ClientRecord, UserRecord } from './records.ts'
import type { NewRevocation, RevocationAct, StorePosition } from './revocation-act.ts'
import type { SessionStore } from './session-store.ts'

// The contract that every store keeps, and what it keeps records of.

export type {
  AuditOrigin,
  AuditRecord,
  AuthorizationRecord,
  ClientRecord,
  ClientType,
  SessionRecord,
  UserRecord,
} from './records.ts'
export type { NewRevocation, RevocationAct, StorePosition } from './revocation-act.ts'

/** What one person allowed one client at one resource (`resource` '' holds the OpenID scopes). */
export interface ConsentRecord {
  readonly sub: string
  readonly clientId: string
  readonly resource: string
  readonly granted: readonly string[]
  /** Left out by the person; not asked again unless `prompt=consent`. */
  readonly rejected: readonly string[]
  readonly since: number
}

/** A row of the authorization server library's storage. Keys are hashed by the store; secrets never rest in clear. */
export interface ModelColumns {
  readonly accountId?: string | undefined
  readonly clientId?: string | undefined
  readonly grantId?: string | undefined
  readonly uid?: string | undefined
  readonly userCode?: string | undefined
}

export interface SigningKeyRecord {
  readonly kid: string
  readonly alg: 'ES256' | 'RS256' | 'EdDSA'
  /** pending: published, not signing yet · active: signs · retiring: verifies until its last token has expired. */
  readonly state: 'pending' | 'active' | 'retiring'
  readonly publicJwk: Readonly<Record<string, unknown>>
  /** Encrypted by the issuer before it gets here. */
  readonly sealedPrivateJwk: string
  readonly createdAt: number
  /** When `pending` begins to sign. */
  readonly activateAt: number
  /** When `retiring` is dropped. */
  readonly retireAt: number | undefined
  /** The longest life of anything that it may have signed. */
  readonly tokenSeconds: number
}

/** A process that holds the store open. */
export interface InstanceRecord {
  /** Drawn by chance at each start. */
  readonly id: string
  /** What the operator calls it. */
  readonly name: string
  readonly version: string
  /** Of the file in force, but for what is each instance's own. */
  readonly digest: string
  /** Up to where it has read the revocations. */
  readonly position: number
  /** How old its knowledge may be before it trusts itself no more. */
  readonly staleAfterMs: number
  /** Since it was last heard of, by the database's clock. */
  readonly silentMs: number
}

/** What a unit of work keeps acts of revocation, and other units, from touching until it is over. */
export interface HeldByUnit {
  /** A code or refresh token that is about to be spent: requests with the same one take turns. */
  readonly token?: string | undefined
  /** The family of refresh tokens. */
  readonly gid?: string | undefined
  readonly clientId?: string | undefined
  readonly sub?: string | undefined
  /** A person, for this unit alone: others that hold them wait, too. For what reads all that somebody has before it takes some of it away. */
  readonly wholeSub?: string | undefined
  /** Units that judge all people before they change one, such as who is the last that may do something: one at a time. */
  readonly people?: boolean | undefined
}

/** What is remembered (`test/contract` holds every engine to it). A method is one atomic step, or throws `StoreError` and leaves nothing. */
export interface Store extends ProviderStore, SessionStore, LinkStore, ListStore, FactorStore {
  // people
  addUser(user: UserRecord): Promise<'added' | 'exists'>
  userByName(username: string): Promise<UserRecord | undefined>
  userBySub(sub: string): Promise<UserRecord | undefined>
  users(): Promise<readonly UserRecord[]>
  updateUser(
    sub: string,
    change: Partial<Pick<UserRecord, 'displayName' | 'email' | 'groups' | 'passwordHash' | 'disabled'>>,
    /** Changes nothing (false) unless this is still the hash: a password set meanwhile must stand. */
    ifPasswordHash?: string,
  ): Promise<boolean>

  // clients
  addClient(client: ClientRecord): Promise<'added' | 'exists'>
  client(id: string): Promise<ClientRecord | undefined>
  clients(): Promise<readonly ClientRecord[]>
  putClient(client: ClientRecord): Promise<void>
  /** Puts `client` in the place of `before`; changes nothing (false) where what is there is another record by now. */
  replaceClient(before: ClientRecord, client: ClientRecord): Promise<boolean>
  /**
   * Forgets clients that registered themselves by `registeredBefore`, that nobody uses and nobody has used since `usedBefore`, and that are
   * not revoked; answers how many. Notes which are in use, so it is to be called every hour or so. Times are NumericDate.
   */
  reapClients(now: number, registeredBefore: number, usedBefore: number): Promise<number>
  /** Consents to it go too; authorizations are NOT ended. */
  deleteClient(id: string): Promise<boolean>

  // consents and authorizations
  consents(of: { readonly sub?: string; readonly clientId?: string }): Promise<readonly ConsentRecord[]>
  putConsents(consents: readonly ConsentRecord[]): Promise<void>
  putAuthorization(authorization: AuthorizationRecord): Promise<void>
  /** Notes that it was used, and what for; false when it was not recorded yet. */
  renewAuthorization(gid: string, resources: AuthorizationRecord['resources'], at: number): Promise<boolean>
  authorizations(of: {
    readonly sub?: string
    readonly clientId?: string
    readonly gid?: string
  }): Promise<readonly AuthorizationRecord[]>
  /** gid → NumericDate seconds; unknown gids are passed over. */
  touchAuthorizations(lastUsed: ReadonlyMap<string, number>): Promise<void>

  // the library's models
  putModel(
    model: string,
    id: string,
    payload: Record<string, unknown>,
    columns: ModelColumns,
    expiresAt: number | undefined,
  ): Promise<void>
  /** Insert or fail: false when the id is already there (replay detection). */
  addModel(model: string, id: string, payload: Record<string, unknown>, expiresAt: number): Promise<boolean>
  /** Consumed rows are returned, with `consumed` (seconds) in the payload; rows stay findable 60 s past expiry. */
  model(model: string, id: string): Promise<Record<string, unknown> | undefined>
  modelByUserCode(model: string, userCode: string): Promise<Record<string, unknown> | undefined>
  modelByUid(model: string, uid: string): Promise<Record<string, unknown> | undefined>
  /**
   * Atomic: true for exactly one caller. Refresh tokens that were spent are kept for seven days, and a few hundred of each
   * family: an older one that comes again is unknown.
   */
  consumeModel(model: string, id: string, at: number): Promise<boolean>
  /** Notes, when the unit in hand is committed, that the model was spent right then. */
  stampSpent(model: string, id: string): Promise<void>
  /** Milliseconds since {@link Store.stampSpent}, by the store's own clock; undefined: never. */
  sinceSpentMs(model: string, id: string): Promise<number | undefined>
  deleteModel(model: string, id: string): Promise<void>
  deleteModelsByGrant(grantId: string): Promise<void>

  // refresh answers kept for a repeated request (sealed by the issuer)
  /** @param successor what the answer brought: {@link Store.deleteReplayThatBrought} finds it by that. */
  putReplay(key: string, sealed: string, expiresAt: number, successor?: string): Promise<void>
  replay(key: string, now: number): Promise<string | undefined>
  deleteReplayThatBrought(successor: string): Promise<void>

  // keys and small values
  signingKeys(): Promise<readonly SigningKeyRecord[]>
  putSigningKeys(keys: readonly SigningKeyRecord[], drop: readonly string[]): Promise<void>
  /** First writer wins: false when a key of its alg is `pending` or `active` already in the state that this one has. */
  addSigningKey(key: SigningKeyRecord): Promise<boolean>
  value(name: string): Promise<string | undefined>
  /** First writer wins; answers what is in force. */
  valueOr(name: string, make: string): Promise<string>
  putValue(name: string, value: string): Promise<void>

  // sign-in throttling: counters that live in windows
  throttle(key: string): Promise<{ readonly failures: number; readonly lastAtMs: number } | undefined>
  /**
   * Counts one more failure in one step and answers how many there are; those whose last one is before `forgetBeforeMs` are forgotten.
   * @param expiresAt NumericDate: when the row may be swept.
   */
  countFailure(key: string, atMs: number, forgetBeforeMs: number, expiresAt: number): Promise<number>
  clearThrottle(key: string): Promise<void>

  // units of work
  /**
   * Carries out `work` so that whatever it does here is one step: in force when this resolves, all of it or, where `keep` says
   * no or something failed, nothing. It begins with the first {@link Store.hold} or change; what was read before then was read
   * outside. A unit inside of another is part of that.
   */
  unit<T>(work: () => Promise<T>, keep: (result: T) => boolean): Promise<T>
  /**
   * In a unit: waits until no act of revocation on these, and no other unit on this token or family, is under way, and keeps
   * them waiting until the unit is over. To be called in the order people, token, gid, clientId, sub, and never for a `wholeSub` that is held as `sub`. Outside of one: does nothing.
   */
  hold(held: HeldByUnit): Promise<void>
  /** Does `work` once the unit in hand is in force, and never where it comes to nothing; outside of one at once. For what is said of a change. */
  whenKept(work: () => void): void

  // revocation
  /**
   * Carries the act out and answers the entries with their ids. Subscribers hear of it before this resolves. In a unit they
   * hear of it when that is committed, and the answered list is filled then.
   */
  act(act: RevocationAct): Promise<readonly Revocation[]>
  /** Entries in force with an id above `afterId`, ascending, the first `limit` of them. */
  revocations(afterId: number, now: number, limit?: number): Promise<readonly Revocation[]>
  /** Up to where the store has come: for who looks all the time. */
  position(): Promise<StorePosition>
  /** The id of the last entry, 0 before the first: for requests, which have the patience for a database that is away. */
  lastRevocationId(): Promise<number>
  /** Begins another epoch: whoever follows starts anew. */
  renewEpoch(): Promise<void>
  /** Puts entries in force that the store lacks, as they are; answers how many that were. */
  putBack(entries: readonly NewRevocation[]): Promise<number>

  // instances
  noteInstance(instance: Omit<InstanceRecord, 'silentMs'>): Promise<void>
  instances(): Promise<readonly InstanceRecord[]>
  forgetInstance(id: string): Promise<void>
  /** Milliseconds since the epoch by the clock that all instances share; undefined where that is this machine's own. */
  clock(): Promise<number | undefined>

  /** Connections to a database: open, and requests that wait for one. Undefined for a file. */
  readonly pool?: { readonly open: number; readonly waiting: number }

  // audit
  /** @param stranger whether a stranger can cause such lines as often as they like: those are bounded apart from the rest. */
  audit(event: string, detail: Readonly<Record<string, unknown>>, at: number, stranger?: boolean): Promise<void>
  /** Newest first. */
  audits(limit: number, beforeId?: number): Promise<readonly AuditRecord[]>
  /** Oldest first, those with an id above `afterId`. @param origin only those. */
  auditsAfter(afterId: number, limit: number, origin?: AuditOrigin): Promise<readonly AuditRecord[]>

  /**
   * Calls `listener` after every committed change of signing keys or revocations: at once for this process,
   * within 250 ms for another's. Returns the way to stop.
   */
  subscribe(listener: () => void): () => void
  /**
   * Deletes what has expired, in small batches, and authorizations that nothing can renew any more; answers the number of
   * rows. To be called every minute or so.
   */
  sweep(now: number, auditSeconds?: number): Promise<number>
  close(): Promise<void>
}

/** A failure of the store itself: full disk, locked or broken database. `hint` says what to do. */
export class StoreError extends Error {
  readonly hint: string
  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options)
    this.hint = hint
  }
}
