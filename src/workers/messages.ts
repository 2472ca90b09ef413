import type { AddressInfo } from 'node:net'
import type { Decision } from '../admin/decisions/decision.ts'
import type { Config } from '../config/config.ts'
import type { WeakSignIn } from '../core/assurance.ts'
import type { BackChannelKind } from '../core/back-channel.ts'
import type { RevocationEntry } from '../core/revocation.ts'
import type { TlsMaterial } from '../gateway/listener.ts'
import type { MetricValues } from '../observe/metrics.ts'
import type { UseAnswer } from '../token/dpop.ts'
import type { PublishedKey } from '../token/trusted-issuer.ts'

/** A file in force and the certificates that it names, read once for all workers. The config's secrets stay with the primary. */
export interface FileInForce {
  readonly config: Config
  readonly tls: TlsMaterial | undefined
}

/** Everything that a worker has to know before it may answer a request. */
export interface WorkerInit extends FileInForce {
  /** All entries in force. */
  readonly revocations: readonly RevocationEntry[]
  /** Why it can't be told what is revoked; undefined: it can. */
  readonly unavailable: string | undefined
  /** See {@link IssuerLink.goodForMs}. */
  readonly goodForMs: number | undefined
  /** Of the embedded issuer; empty without one. */
  readonly publicKeys: readonly PublishedKey[]
  /** Socket on which the primary answers reserved paths. */
  readonly innerPath: string
  /** Whether somebody looks at decisions. */
  readonly watched: boolean
  /** Whether the end was asked for: no connection is to be kept. */
  readonly draining: boolean
}

/** What the primary says to a worker. `ask` names the question that is asked, or answered. */
export type PrimaryMessage =
  | { readonly kind: 'start'; readonly briefing: WorkerInit }
  | ({ readonly kind: 'file'; readonly ask: number } & FileInForce)
  | { readonly kind: 'revocations'; readonly entries: readonly RevocationEntry[] }
  /** Also a sign of life. */
  | { readonly kind: 'state'; readonly unavailable: string | undefined; readonly goodForMs: number | undefined }
  | { readonly kind: 'keys'; readonly publicKeys: readonly PublishedKey[] }
  | { readonly kind: 'proof'; readonly ask: number; readonly answer: UseAnswer }
  /** Undefined: nobody could answer. */
  | { readonly kind: 'answer'; readonly ask: number; readonly answer: unknown }
  | { readonly kind: 'metrics'; readonly ask: number }
  /** Somebody looks at decisions, so that those that passed are wanted, too; or nobody does. */
  | { readonly kind: 'watch'; readonly watched: boolean }
  /** The end was asked for; requests are taken all the same until `close`. */
  | { readonly kind: 'drain' }
  | { readonly kind: 'close'; readonly graceMs: number }

/** What a worker says to the primary. */
export type WorkerMessage =
  /** It listens for messages. */
  | { readonly kind: 'here' }
  | { readonly kind: 'listening'; readonly addresses: readonly AddressInfo[] }
  /** It can't do what it was told, in a line for the operator; it ends. */
  | { readonly kind: 'fault'; readonly message: string }
  /** Authorizations and when they were last used (NumericDate, seconds). */
  | { readonly kind: 'used'; readonly uses: ReadonlyMap<string, number> }
  | { readonly kind: 'decisions'; readonly decisions: readonly Decision[] }
  /** A request was refused for the sign-in behind its token. */
  | { readonly kind: 'weak_sign_in'; readonly refusal: WeakSignIn }
  /** Is this DPoP proof used for the first time? */
  | {
      readonly kind: 'proof'
      readonly ask: number
      readonly key: string
      readonly expiresAt: number
      readonly now: number
    }
  | { readonly kind: 'file'; readonly ask: number }
  /** A question of the back channel. */
  | { readonly kind: 'question'; readonly ask: number; readonly about: BackChannelKind; readonly question: unknown }
  | { readonly kind: 'metrics'; readonly ask: number; readonly values: MetricValues }

/** A worker's end of the channel. */
export interface WorkerLink {
  send(message: WorkerMessage): void
  onMessage(listener: (message: PrimaryMessage) => void): void
}

/** Signs of life come this often; each says how much longer what the worker knows of revocations may count. */
export const ALIVE_MS = 1_000
