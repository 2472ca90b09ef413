import type { IncomingMessage, ServerResponse } from 'node:http'
import type { WeakSignIn } from '../core/assurance.ts'
import type { BackChannelKind, BackChannelTerms } from '../core/back-channel.ts'
import type { IdentityProvider, PasswordSignIn } from '../core/identity-provider.ts'
import type { Level } from '../core/levels.ts'
import type { Resource } from '../core/resource.ts'
import type { Store } from '../store/store.ts'
import type { AdminSignIn } from './admin-session.ts'
import type { IssuerOperations } from './operations.ts'

/** Resource identifier → scope → level. */
type ScopeLevels = ReadonlyMap<string, ReadonlyMap<string, Level>>

/** What routes.yaml says of the embedded issuer; lifetimes in seconds. */
export interface IssuerSettings {
  /** `public_url`, exactly: the issuer identifier. */
  readonly identifier: string
  /** Its origin; every endpoint stands on it. */
  readonly origin: string
  readonly signingAlg: 'ES256' | 'RS256' | 'EdDSA'
  readonly accessTokenTtlSeconds: number
  readonly refreshTokenTtlSeconds: number
  readonly refreshTokenMaxSeconds: number
  readonly registration: 'off' | 'open' | 'token'
  readonly clientMetadataDocuments: boolean
  readonly password: PasswordSignIn
  /** Whether people may add an authenticator app; those that have one are asked all the same. */
  readonly authenticator: boolean
  /** Whether people may sign in by passkeys, where browsers make them. */
  readonly passkeys: boolean
  /** Who must have a second factor: nobody, everybody, or the members of these groups. */
  readonly secondFactor: 'optional' | 'required' | readonly string[]
  /** The fewest characters of a new password of somebody without a second factor. */
  readonly passwordMin: number
  /** How long a browser is asked for no code after a password; 0: each time. */
  readonly rememberBrowserSeconds: number
  /** Where else people sign in, in file order. */
  readonly providers: readonly IdentityProvider[]
  /** Browsers' sessions at the gateway. */
  readonly sessions: { readonly idle: number; readonly max: number }
  readonly appPasswords: { readonly max: number; readonly unused: number }
  /** Where those resources are that take app passwords. */
  readonly appPasswordPlaces: ReadonlyMap<string, string>
  /** Origins of the gateway at which browsers sign in. */
  readonly sessionOrigins: readonly string[]
  /** Whose members are administrators: the links that they make count as long as they are. */
  readonly adminGroups: readonly string[]
  /** Those that accept the embedded issuer's tokens, in file order. */
  readonly resources: readonly Resource[]
  /** By resource and scope: the least level without which no rule lets the scope do anything. Default: none. */
  readonly scopeLevels?: ScopeLevels
  /** Lives of one-time links. */
  readonly links?: { readonly inviteSeconds: number; readonly recoverSeconds: number }
  /** Whether the operator's page is served; default: it isn't. */
  readonly hasAdmin?: boolean
}

export interface IssuerDependencies {
  readonly store: Store
  /** 32 bytes; keys for sealing, cookies and nonces are derived from it with labels. */
  readonly masterKey: Buffer
  readonly registrationToken: string | undefined
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Audit lines and faults, for the log. Never a token, code, password or secret. */
  readonly onEvent: (event: IssuerEvent) => void
  /** Default: nobody counts. */
  readonly meter?: FederationMeter
  /** Whether the store's disk has room for what strangers cause; default: it has. */
  readonly hasRoom?: (() => boolean) | undefined
  /** Bytes of the store that strangers of one address group may fill; default: see `createRowBudget`. */
  readonly rowsPerGroup?: number
  /** Why nothing may be issued now, whatever else goes on; default: it may. */
  readonly cannotIssue?: (() => string | undefined) | undefined
  /** Fetches the document behind a client's id. Default: from public addresses only. */
  readonly fetchDocument?: (url: string) => Promise<Response>
}

/** Counts what happens with providers. */
export interface FederationMeter {
  /** One call to a provider. */
  readonly call: (provider: string, kind: string, outcome: 'ok' | 'refused' | 'silent') => void
  readonly signIn: (provider: string, outcome: 'ok' | 'refused', reason: string) => void
}

export interface IssuerEvent {
  readonly level: 'info' | 'warn' | 'error'
  /** Dotted noun and verb: `login.success`, `token.issued`, `consent.granted`, `refresh.reuse`, … */
  readonly event: string
  readonly detail: Readonly<Record<string, unknown>>
}

/** Answers what gateways ask about credentials that are no tokens. Rejects with what the store throws. */
export interface BackChannel {
  ask<K extends BackChannelKind>(
    kind: K,
    question: BackChannelTerms[K]['question'],
  ): Promise<BackChannelTerms[K]['answer']>
}

/** The embedded issuer: everything under its reserved paths. */
export interface Issuer {
  readonly identifier: string
  /**
   * Answers one request to `/.well-known/{oauth-authorization-server,openid-configuration}`, `/oauth/*` and
   * `/account`. Unknown paths get its 404. `clientAddress` is the person's or program's, trusted proxies taken into account.
   */
  handle(request: IncomingMessage, response: ServerResponse, clientAddress: string): void
  /** What gateways ask directly. */
  readonly backChannel: BackChannel
  /** Signing in to the operator's page, whose API's resource is named here. */
  adminSignIn(resource: () => string): AdminSignIn
  /** Public keys in force, pending and retiring ones included, for the verifier. */
  publicKeys(): readonly Readonly<Record<string, unknown>>[]
  /** Called when {@link publicKeys} has changed. */
  onKeysChanged(listener: () => void): void
  /** A request was refused because the sign-in behind its token was too weak or too old. */
  noteWeakSignIn(refusal: WeakSignIn): void
  /** Of each provider, how long its longest unasked live sign-in has not been asked for. Seconds. */
  providerAges(): Promise<ReadonlyMap<string, number>>
  /** Asks the providers of those who wait for it, as is done every few seconds; answers when it is done. */
  askProviders(): Promise<void>
  readonly operations: IssuerOperations
  /** New settings from routes.yaml; running interactions go on. */
  reconfigure(settings: IssuerSettings): Promise<void>
  /** Stops timers; does not close the store. */
  close(): Promise<void>
}
