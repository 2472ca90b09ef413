import type { UpstreamIssuer } from '../config/config.ts'
import { followFeed } from './feed-follower.ts'
import type { Log } from './log.ts'
import type { Revocations } from './revocations.ts'

export interface FollowingOptions {
  readonly issuer: UpstreamIssuer
  readonly feedToken: string
  readonly log: Log
  /** Where entries go. */
  readonly revocations: Pick<Revocations, 'add'>
  /** The issuer's keys have to be fetched anew. */
  readonly onKeys: () => void
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
  const { issuer, log } = options
  const follower = followFeed({
    upstream: issuer.upstream,
    feedToken: options.feedToken,
    clock: () => performance.now(),
    onRevocations: (entries) => options.revocations.add(entries),
    onKeys: options.onKeys,
    onState: (state) => {
      if (state.kind === 'following') return log.info('feed.following', { issuer: issuer.upstream })
      const { detail } = state
      return log.warn('feed.stale', { issuer: issuer.upstream, tokens: issuer.onStaleRevocations, detail })
    },
  })
  return {
    unavailable: () => {
      if (issuer.onStaleRevocations === 'allow' || !follower.stale) return undefined
      return 'the revocation feed of the issuer is silent: what was revoked may not have come here yet'
    },
    silentSeconds: () => follower.silentMs / 1_000,
    get stale() {
      return follower.stale
    },
    close: () => follower.close(),
  }
}
