import { followFeed } from './feed-follower.ts'
import type { Log } from './log.ts'
import type { Revocations } from './revocations.ts'

export interface FollowingOptions {
  /** Origin of the audgate that holds the issuer. */
  readonly upstream: string
  readonly feedToken: string
  /** Whether `on_stale_revocations: allow` is in force. */
  readonly mayGoOn: () => boolean
  readonly log: Log
  /** Where entries go. */
  readonly revocations: Pick<Revocations, 'add'>
  /** The issuer's keys have to be fetched anew. */
  readonly onKeys: () => void
  /** It has fallen silent, or is back. */
  readonly onChange: () => void
  /** Silence that counts as stale. */
  readonly staleAfterMs: number
}

/** How a gateway on its own keeps up with the audgate that holds the issuer. */
export interface Following {
  /** Why that issuer's tokens can't be judged; undefined while they can, and always under `on_stale_revocations: allow`. */
  unavailable(): string | undefined
  /** Seconds since the feed was heard; Infinity before the first time. */
  silentSeconds(): number
  readonly stale: boolean
  close(): void
}

/** Follows the feed for as long as the server lives, and says in the log when it falls silent and when it is back. */
export function follow(options: FollowingOptions): Following {
  const { upstream, feedToken, log, mayGoOn, staleAfterMs, onKeys, onChange } = options
  const follower = followFeed({
    upstream,
    feedToken,
    staleAfterMs,
    clock: () => performance.now(),
    onRevocations: (entries) => options.revocations.add(entries),
    onKeys,
    onState: (state) => {
      if (state.kind === 'following') log.info('feed.following', { issuer: upstream })
      else log.warn('feed.stale', { issuer: upstream, tokens: mayGoOn() ? 'allow' : 'refuse', detail: state.detail })
      onChange()
    },
  })
  return {
    unavailable: () => {
      if (!follower.stale || mayGoOn()) return undefined
      return 'the revocation feed of the issuer is silent: what was revoked may not have come here yet'
    },
    silentSeconds: () => follower.silentMs / 1_000,
    get stale() {
      return follower.stale
    },
    close: () => follower.close(),
  }
}
