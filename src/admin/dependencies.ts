import type { Level } from '../core/levels.ts'
import type { Resource } from '../core/resource.ts'
import type { Revocation } from '../core/revocation.ts'
import type { Route } from '../core/route.ts'
import type { Evidence, VerifiedToken } from '../core/token.ts'
import type { ClientRecord, ClientType, SigningKeyRecord, Store, UserRecord } from '../store/store.ts'
import type { DecisionBook } from './decisions/book.ts'

/** What the file in force says, as far as the API shows or needs it. */
export interface AdminView {
  readonly publicUrl: string
  readonly groups: readonly string[]
  readonly readers: readonly string[]
  readonly require: Level
  readonly freshSeconds: number
  /** In file order, that of the API last. */
  readonly resources: readonly Resource[]
  /** Those that the embedded issuer makes tokens for. */
  readonly issued: readonly Resource[]
  /** In file order. */
  readonly routes: readonly Route[]
  /** Line of a route in the file, where it is known. */
  readonly lineOf: (routeId: string) => number | undefined
  readonly resource: Resource
}

/** Who does something, for its audit line. */
export interface Why {
  readonly by: string
  readonly requestId: string
  readonly address: string
}

type Entries = Promise<readonly Revocation[]>

/** Whose something is that ends. */
interface Whose {
  readonly sub?: string | undefined
  readonly client?: string | undefined
}

/** Acts of revocation; `by` is what `Why` says too. */
interface AdminActs {
  revokeClient(id: string, by: string): Entries
  restoreClient(id: string, by: string): Entries
  endClient(id: string, by: string): Entries
  signOutEverywhere(sub: string, by: string): Entries
  revokeJti(jti: string, exp: number | undefined, by: string, whose?: Whose): Entries
  revokeAuthorization(gid: string, by: string, whose?: Whose): Entries
  disableUser(sub: string, by: string): Entries
  enableUser(sub: string, by: string): Entries
}

export type PersonChange = Partial<Pick<UserRecord, 'displayName' | 'email' | 'groups'>>

export type Holder =
  | { readonly kind: 'person'; readonly groups: readonly string[] }
  | { readonly kind: 'service'; readonly allow: ClientRecord['allow'] }

interface Preview {
  readonly given: readonly string[]
  readonly leftOut: readonly { readonly scope: string; readonly groups: readonly string[] }[]
  readonly refused: string | undefined
}

type Added<T> =
  | { readonly kind: 'exists' }
  | { readonly kind: 'invalid'; readonly problem: string }
  | ({ readonly kind: 'added' } & T)

interface NewPerson {
  readonly username: string
  readonly displayName?: string | undefined
  readonly email?: string | undefined
  readonly groups: readonly string[]
}

interface NewClient {
  readonly id: string
  readonly type: ClientType
  readonly name?: string | undefined
  readonly redirectUris: readonly string[]
  readonly thirdParty: boolean
  readonly allow: readonly string[]
  readonly stepUp: 'keep' | 'reauthorize'
}

/** A secret of a client, as operators see it. NumericDate. */
interface ShownSecret {
  readonly id: string
  readonly createdAt: number
  readonly lastUsedAt: number | undefined
}

/** A link that was made, or why there is none. */
export type MadeLink =
  | { readonly kind: 'made'; readonly id: string; readonly url: string; readonly expiresAt: number }
  | { readonly kind: 'too_many' }
  | { readonly kind: 'has_sign_in' }

export interface LinkWish {
  readonly kind: 'invite' | 'recover'
  readonly user: UserRecord
  /** Undefined: what the file says. */
  readonly seconds: number | undefined
  readonly reset: readonly string[]
}

/** A link that is to be sent to whom it is for. */
interface LinkMail {
  readonly kind: 'invite' | 'recover'
  readonly user: UserRecord
  readonly url: string
  readonly expiresAt: number
  /** As audit lines say it. */
  readonly by: string
}

/** Sends mails where the file names a mail server. */
export interface AdminMail {
  readonly on: () => boolean
  /** Undefined: the mail server took it; else what is wrong, in words without a secret. */
  sendLink(mail: LinkMail): Promise<string | undefined>
}

/** What the issuer does for the operator. Each change is one transaction with one audit line. */
interface AdminIssuer {
  addPerson(input: NewPerson, why: Why): Promise<Added<{ readonly user: UserRecord }>>
  changePerson(sub: string, change: PersonChange, why: Why): Promise<void>
  addClient(
    input: NewClient,
    why: Why,
  ): Promise<Added<{ readonly client: ClientRecord; readonly secret: string | undefined }>>
  /** What `allow` would be kept as, or what is wrong with the client. */
  readClient(input: NewClient): ClientRecord['allow'] | string
  /** False where `before` is not what is there any more. */
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
  /** With all sessions and tokens of the person. `last_sign_in`: nothing else would open the account. */
  removeFactor(user: UserRecord, id: string, why: Why): Promise<'removed' | 'unknown' | 'last_sign_in' | 'required'>
  endSession(sub: string, id: string, why: Why): Promise<boolean>
  acts(why: Why): AdminActs
  rotateKeys(why: Why): Promise<SigningKeyRecord | undefined>
  record(event: string, detail: Readonly<Record<string, unknown>>, why: Why): Promise<void>
  preview(holder: Holder, resource: string, scopes: readonly string[]): Preview
  /** What a link can be told to take away. */
  readonly resettable: readonly string[]
  /** The best way to sign in that the person has. */
  bestLevel(sub: string): Promise<Level>
  /** Whether nobody could administer any more without this person. @param left The groups that they would keep; undefined: they would be disabled. */
  isLastAdministrator(user: UserRecord, left: readonly string[] | undefined): Promise<boolean>
  problemOfPerson(change: PersonChange): string | undefined
}

/** A request that is only judged. */
interface TriedRequest {
  readonly method: string
  /** Absolute, or a path below `public_url`. */
  readonly url: string
  readonly address: string | undefined
}

export interface JudgedCheck {
  readonly name: string
  readonly good: boolean
  readonly expected: string
  readonly got: string
}

export interface Judged {
  readonly route: string | undefined
  readonly checks: readonly JudgedCheck[]
  readonly outcome: 'ok' | 'refused'
  readonly reason: string | undefined
  /** Secrets masked; undefined where it would not be sent. */
  readonly upstream: { readonly url: string; readonly headers: readonly string[] } | undefined
}

/** The functions that judge requests. */
export interface AdminJudge {
  /** @param evidence What the request's credential would prove. @param now NumericDate, seconds. Undefined: the URL is none. */
  judge(request: TriedRequest, evidence: Evidence, now: number): Promise<Judged | undefined>
  /** What a live verifier says of a token. */
  verify(token: string, now: number): Promise<Evidence>
}

/** Totals since the processes began. */
export interface Traffic {
  readonly requests: readonly {
    readonly route: string
    readonly outcome: string
    readonly reason: string
    readonly count: number
  }[]
  /** Cumulative, by upper bound in seconds. */
  readonly durations: readonly { readonly le: number; readonly count: number }[]
}

export interface ConfigCheck {
  readonly problems: readonly { readonly line: number; readonly column: number; readonly message: string }[]
  readonly changes: readonly string[]
  /** Resources of the checked file; undefined where it has problems. */
  readonly resources: readonly Resource[] | undefined
}

interface SystemFacts {
  readonly version: string
  readonly startedAt: number
  readonly workers: number
  readonly config: {
    readonly file: string
    readonly digest: string
    readonly since: number
    readonly lastRefused: { readonly at: number; readonly problems: readonly string[] } | undefined
    readonly restartFor: readonly string[]
  }
  readonly store: { readonly kind: string; readonly fault: string | undefined }
  readonly feed: { readonly followers: number }
}

/** What the API works with; all of it is handed in. */
export interface AdminDependencies {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Of `public_url`. */
  readonly origin: string
  readonly store: Store
  readonly view: () => AdminView
  readonly issuer: AdminIssuer
  readonly judge: AdminJudge
  readonly mail: AdminMail
  readonly decisions: DecisionBook
  readonly traffic: () => Promise<Traffic>
  readonly system: () => SystemFacts
  readonly checkConfig: (text: string) => Promise<ConfigCheck>
  readonly isRevoked: (token: VerifiedToken) => boolean
  /** Whether the process is about to end: nobody is to hold it up. */
  readonly isClosing: () => boolean
  /** Whether an upstream of the route answered last. */
  readonly upstreams: (
    routeId: string,
  ) => readonly { readonly url: string; readonly state: 'up' | 'down' | 'unknown' }[]
  readonly warn: (event: string, detail: Readonly<Record<string, unknown>>) => void
}
