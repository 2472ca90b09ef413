import { setTimeout as delay } from 'node:timers/promises'
import { request } from 'undici'
import type { Revocation } from '../../core/revocation.ts'
import type { Log } from '../../observe/log.ts'
import type { Revocations } from '../revocations.ts'
import { FEED_PATH } from './feed.ts'

/** One server-sent event: `id`, `event` and `data` of a block. */
export interface ServerSentEvent {
  readonly id: string | undefined
  readonly event: string
  readonly data: string
}

/** A block that grows beyond this is no event of ours. */
const MAX_BLOCK_CHARACTERS = 65_536

/**
 * Splits text as it arrives into server-sent events (HTML, section 9.2.6; LF line ends and one data line, as we send them).
 * The function that it answers throws a RangeError when a block exceeds 64 Ki characters.
 */
export function eventStreamParser(onEvent: (event: ServerSentEvent) => void): (text: string) => void {
  let rest = ''
  return (text) => {
    rest += text
    for (let end = rest.indexOf('\n\n'); end !== -1; end = rest.indexOf('\n\n')) {
      const event = parseBlock(rest.slice(0, end))
      rest = rest.slice(end + 2)
      if (event !== undefined) onEvent(event)
    }
    if (rest.length > MAX_BLOCK_CHARACTERS) throw new RangeError('an event of the stream is too large')
  }
}

function parseBlock(block: string): ServerSentEvent | undefined {
  const fields = new Map<string, string>()
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).trimStart())
  }
  const event = fields.get('event')
  return event === undefined ? undefined : { id: fields.get('id'), event, data: fields.get('data') ?? '' }
}

/** Silence, in milliseconds, after which the feed's state counts as unknown. */
export const STALE_AFTER_MS = 15_000

/** Waits between tries, doubling from the first to the last. */
const FIRST_RETRY_MS = 250
const LAST_RETRY_MS = 5_000

export interface FollowerOptions {
  /** Origin of the audgate that holds the issuer; TLS is verified. */
  readonly upstream: string
  readonly feedToken: string
  /** Entries in force, in order; some may come twice after a break. */
  readonly onRevocations: (entries: readonly Revocation[]) => void
  /** The issuer's keys must be fetched anew: at every connection, and when they change. */
  readonly onKeys: () => void
  /** Said once at every change of {@link FeedFollower.stale}, and at a refusal of the feed token. */
  readonly onState: (state: FollowerState) => void
  /** Milliseconds, monotonic. */
  readonly clock: () => number
  readonly staleAfterMs?: number
}

export type FollowerState =
  | { readonly kind: 'following' }
  | { readonly kind: 'stale'; readonly silentMs: number; readonly detail: string }

export interface FeedFollower {
  /** Whether a revocation may have been missed: nothing heard for 15 s, or nothing yet. */
  readonly stale: boolean
  /** Milliseconds since the last sign of life; Infinity before the first. */
  readonly silentMs: number
  close(): void
}

/** Follows the revocation feed of another audgate for as long as it lives, with catch-up after every break. */
export function followFeed(options: FollowerOptions): FeedFollower {
  const staleAfterMs = options.staleAfterMs ?? STALE_AFTER_MS
  const stop = new AbortController()
  const state = {
    heardAt: Number.NEGATIVE_INFINITY,
    caughtUp: false,
    position: '',
    said: 'none',
    detail: 'not connected yet',
  }
  const silentMs = (): number => options.clock() - state.heardAt
  const isStale = (): boolean => !state.caughtUp || silentMs() > staleAfterMs
  const announce = (): void => {
    const now = isStale() ? 'stale' : 'following'
    if (now === state.said) return
    state.said = now
    options.onState(
      now === 'stale' ? { kind: 'stale', silentMs: silentMs(), detail: state.detail } : { kind: 'following' },
    )
  }
  const hear = (event: ServerSentEvent): void => {
    state.heardAt = options.clock()
    if (event.event === 'hello' || event.event === 'keys') options.onKeys()
    if (event.event === 'revocation') options.onRevocations([JSON.parse(event.data)])
    if (event.id !== undefined) state.position = event.id
    if (event.event === 'current') state.caughtUp = true
    announce()
  }
  const watch = setInterval(announce, Math.min(1_000, staleAfterMs / 4))
  watch.unref()
  const connect = async (): Promise<void> => {
    // After a long silence a sign of life is not enough: what was missed has to have come first.
    if (isStale()) state.caughtUp = false
    const headers = {
      authorization: `Bearer ${options.feedToken}`,
      ...(state.position === '' ? {} : { 'last-event-id': state.position }),
    }
    const url = new URL(FEED_PATH, options.upstream)
    const timeouts = { headersTimeout: staleAfterMs, bodyTimeout: staleAfterMs }
    const response = await request(url, { headers, signal: stop.signal, ...timeouts })
    if (response.statusCode !== 200) {
      await response.body.dump()
      throw new Error(refusalText(response.statusCode))
    }
    const parse = eventStreamParser(hear)
    const decoder = new TextDecoder()
    for await (const chunk of response.body) parse(decoder.decode(chunk, { stream: true }))
    throw new Error('the issuer ended the stream')
  }
  const follow = async (): Promise<void> => {
    let wait = FIRST_RETRY_MS
    while (!stop.signal.aborted) {
      const began = state.heardAt
      await connect().catch((error: unknown) => {
        state.detail = error instanceof Error ? error.message : String(error)
      })
      wait = state.heardAt > began ? FIRST_RETRY_MS : Math.min(wait * 2, LAST_RETRY_MS)
      await delay(wait, undefined, { signal: stop.signal }).catch(() => undefined)
    }
  }
  announce()
  void follow()
  return {
    get stale() {
      return isStale()
    },
    get silentMs() {
      return silentMs()
    },
    close: () => {
      clearInterval(watch)
      stop.abort()
    },
  }
}

function refusalText(status: number): string {
  if (status === 401) return 'the issuer refuses the feed token: AUDGATE_FEED_TOKEN must be the same on both sides'
  if (status === 404) return 'the issuer has no feed: set AUDGATE_FEED_TOKEN there'
  return `the issuer answered ${status}`
}

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
