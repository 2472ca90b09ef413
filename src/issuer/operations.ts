import type { Level } from '../core/levels.ts'
import type { ClientRecord, SigningKeyRecord, UserRecord } from '../store/store.ts'
import type { AddedClient, NewClient } from './clients/clients.ts'
import type { Removed } from './people/factor-removal.ts'
import type { AddedUser, NewUser } from './people/people.ts'
import type { RevocationActs } from './revocation-acts.ts'

/** Who does something, for its audit line. */
export interface Why {
  /** A `sub`, or `client:ID`. */
  readonly by: string
  readonly requestId: string
  readonly address: string
}

/** Who a token would be made for. */
export type WouldBe =
  | { readonly kind: 'person'; readonly groups: readonly string[] }
  | { readonly kind: 'service'; readonly allow: ClientRecord['allow'] }

/** What would be issued of one resource, and which groups would do for the rest. */
export interface IssuePreview {
  readonly given: readonly string[]
  readonly leftOut: readonly { readonly scope: string; readonly groups: readonly string[] }[]
  /** Why there is no token at all. */
  readonly refused: string | undefined
}

/** A secret of a client, as operators see it. NumericDate. */
interface ShownSecret {
  readonly id: string
  readonly createdAt: number
  readonly lastUsedAt: number | undefined
}

/** A link that was made, or why there is none. */
type MadeLink =
  | { readonly kind: 'made'; readonly id: string; readonly url: string; readonly expiresAt: number }
  | { readonly kind: 'too_many' }
  | { readonly kind: 'has_sign_in' }

interface LinkWish {
  readonly kind: 'invite' | 'recover'
  readonly user: UserRecord
  /** Undefined: what the file says. */
  readonly seconds: number | undefined
  readonly reset: readonly string[]
}

/** What an operator does at the issuer. Everything that changes something is one transaction with one audit line. */
export interface IssuerOperations {
  addPerson(input: Omit<NewUser, 'passwordHash'>, why: Why): Promise<AddedUser>
  /** Sets what `change` has; a group that is taken away ends what it gave. Nothing is checked. */
  changePerson(sub: string, change: PersonChange, why: Why): Promise<void>
  addClient(input: NewClient, why: Why): Promise<AddedClient>
  /** What `allow` would be kept as, or what is wrong with the client. */
  readClient(input: NewClient): ClientRecord['allow'] | string
  /** Puts a whole record in the place of `before`; false where that is not what is there any more. Nothing else is checked. */
  replaceClient(before: ClientRecord, client: ClientRecord, why: Why): Promise<boolean>
  /** Of a client that has any. */
  secretsOf(client: ClientRecord): Promise<readonly ShownSecret[]>
  /** Another secret beside what there is; shown now and never again. Undefined: the client is another by now. */
  addSecret(client: ClientRecord, why: Why): Promise<{ readonly id: string; readonly secret: string } | undefined>
  /** False: the client is another by now. */
  removeSecret(client: ClientRecord, id: string, why: Why): Promise<boolean>
  deleteClient(id: string, why: Why): Promise<boolean>
  makeLink(wish: LinkWish, why: Why): Promise<MadeLink>
  voidLink(id: string, sub: string, why: Why): Promise<boolean>
  /**
   * Takes a passkey (by its id), the app (`authenticator`), the password or the recovery codes from a person, and ends all sessions and tokens. `required` doesn't come: an operator
   * may take the last one away; the next one comes by a link then.
   */
  removeFactor(user: UserRecord, id: string, why: Why): Promise<Exclude<Removed, 'ended' | 'alone'>>
  endSession(sub: string, id: string, why: Why): Promise<boolean>
  /** The acts of revocation, each audited with `why`. */
  acts(why: Why): RevocationActs
  rotateKeys(why: Why): Promise<SigningKeyRecord | undefined>
  record(event: string, detail: Readonly<Record<string, unknown>>, why: Why): Promise<void>
  /** What the token endpoint would give. Asked with no scopes: all of the resource's. */
  preview(holder: WouldBe, resource: string, scopes: readonly string[]): IssuePreview
  /** What a link can be told to take away. */
  readonly resettable: readonly string[]
  /** The best way to sign in that the person has. */
  bestLevel(sub: string): Promise<Level>
  /** Whether anybody is an administrator who can sign in. */
  hasAdministrator(): Promise<boolean>
  /** Whether nobody could administer any more without this person. @param left The groups that they would keep; undefined: they would be disabled. */
  isLastAdministrator(user: UserRecord, left: readonly string[] | undefined): Promise<boolean>
  /** Of the built-in client that the pages are; its secret never leaves the process. */
  adminClientSecret(): string
  problemOfPerson(change: PersonChange): string | undefined
}

export type PersonChange = Partial<Pick<UserRecord, 'displayName' | 'email' | 'groups'>>
