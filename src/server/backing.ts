import type { Config } from '../config/config.ts'
import type { Revocation } from '../core/revocation.ts'
import type { IssuerEvent } from '../issuer/issuer.ts'
import type { Store } from '../store/store.ts'
import type { UseJti } from '../token/dpop.ts'
import type { Closing } from './closing.ts'
import type { Feed } from './feed.ts'
import type { Following } from './following.ts'
import type { IssuerMount } from './issuer-mount.ts'
import type { Log } from './log.ts'
import type { Revocations } from './revocations.ts'
import type { Tunnels } from './tunnels.ts'

/** What stands behind the data path: in this process, or in the one that this process works for. */
export interface Backing {
  readonly issuer: IssuerMount
  readonly revocations: Pick<Revocations, 'size' | 'isRevoked'>
  /** Why it can't be told which of our own issuer's tokens are revoked; undefined: it can. */
  unavailable(): string | undefined
  /** An authorization was used. @param now NumericDate, seconds. */
  noteUse(gid: string, now: number): void
  /** Calls back when the keys of our own issuer have to be read anew. */
  onKeysChanged(listener: () => void): void
  /** Undefined: proofs are remembered here. */
  readonly useJti: UseJti | undefined
  /** Undefined where this process holds no store; so is the feed. */
  readonly store: Store | undefined
  readonly feed: Feed | undefined
  /** Undefined where no feed is followed. */
  readonly following: Following | undefined
}

/** Milliseconds. */
export interface FeedTiming {
  readonly heartbeatMs: number
  readonly staleAfterMs: number
}

/** Three missed signs of life are silence. */
export const FEED_TIMING: FeedTiming = { heartbeatMs: 5_000, staleAfterMs: 15_000 }

export interface BackingOptions {
  readonly log: Log
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly tunnels: Tunnels
  readonly onEvent: (event: IssuerEvent) => void
  /** The file in force. */
  readonly current: () => Config
  readonly feedTiming: FeedTiming
  /** Entries that have come into force, for other processes. */
  readonly onRevocations?: ((entries: readonly Revocation[]) => void) | undefined
  /** {@link Backing.unavailable} may answer otherwise from now on. */
  readonly onAvailability?: (() => void) | undefined
}

export type OpenBacking = (config: Config, options: BackingOptions, closing: Closing) => Promise<Backing>
