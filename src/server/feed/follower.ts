import { setTimeout as delay } from 'node:timers/promises'
import { request } from 'undici'
import type { Revocation } from '../../core/revocation.ts'
import type { Log } from '../../observe/log.ts'
import type { Revocations } from '../revocations.ts'
import { FEED_PATH } from './feed.ts'

/** One server-sent event: `id`, `event` and `data` of a block. */
interface ServerSentEvent {
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
function eventStreamParser(onEvent: (event: ServerSentEvent) => void): (text: string) => void {
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

/** Waits between tries, doubling from the first to the last. */
const FIRST_RETRY_MS = 250
const LAST_RETRY_MS = 1_000
/** A clock that is this far behind the issuer's takes tokens for good whose revocation is forgotten already. */
const MOST_BEHIND_MS = 1_800_000

interface FollowerOptions {
  /** Origins of the audgates that hold the issuer, all of one store; TLS is verified. The next one is tried when one fails. */
  readonly upstreams: readonly string[]
  readonly feedToken: string
  /** Entries in force, in order; some may come twice after a break. */
  readonly onRevocations: (entries: readonly Revocation[]) => void
  /** The issuer's keys must be fetched anew: at every connection, and when they change. */
  readonly onKeys: () => void
  /** That audgate's stream has ended, or never began. */
  readonly onFailed?: (origin: string) => void
  /** Said once at every change of {@link FeedFollower.stale}, and at a refusal of the feed token. */
  readonly onState: (state: FollowerState) => void
  /** Milliseconds, monotonic. */
  readonly clock: () => number
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** How old the knowledge may be, milliseconds. */
  readonly staleAfterMs: () => number
}

export type FollowerState =
  | { readonly kind: 'following' }
  | { readonly kind: 'stale'; readonly silentMs: number; readonly detail: string }

export interface FeedFollower {
  /** Whether a revocation may have been missed: what is known is older than it may be, or nothing is known yet. */
  readonly stale: boolean
  /** Age of what is known here, milliseconds, the sender's own share included; Infinity before the first time. */
  readonly silentMs: number
  /** The last id that came; 0 before the first time. */
  readonly position: number
  close(): void
}

interface FollowedState {
  /** By the two clocks: as of when everything is known here. */
  asOf: number
  asOfWall: number
  position: string
  behindMs: number
  reported: string
  detail: string
}

/** Follows the revocation feed of another audgate for as long as it lives, with catch-up after every break. */
export function followFeed(options: FollowerOptions): FeedFollower {
  const { clock, now, staleAfterMs } = options
  const stop = new AbortController()
  const state: FollowedState = {
    asOf: Number.NEGATIVE_INFINITY,
    asOfWall: Number.NEGATIVE_INFINITY,
    position: '',
    behindMs: 0,
    reported: 'none',
    detail: 'not connected yet',
  }
  // The monotonic clock stands still while a machine sleeps, the other one can be set: the longer time counts.
  const silentMs = (): number => Math.max(clock() - state.asOf, now() - state.asOfWall)
  const isStale = (): boolean => silentMs() > staleAfterMs() || state.behindMs > MOST_BEHIND_MS
  const announce = (): void => {
    const kind = isStale() ? 'stale' : 'following'
    if (kind === state.reported) return
    state.reported = kind
    options.onState(kind === 'stale' ? { kind, silentMs: silentMs(), detail: state.detail } : { kind })
  }
  const hearing = createHearing(options, state, announce)
  const watch = setInterval(announce, Math.min(1_000, staleAfterMs() / 4))
  watch.unref()
  const follow = async (): Promise<void> => {
    let wait = FIRST_RETRY_MS
    for (let attempt = 0; !stop.signal.aborted; attempt += 1) {
      const began = state.asOf
      const upstream = options.upstreams[attempt % options.upstreams.length] ?? ''
      await listen(upstream, options, state.position, hearing, stop.signal).catch((error: unknown) => {
        state.detail = error instanceof Error ? error.message : String(error)
      })
      if (!stop.signal.aborted) options.onFailed?.(upstream)
      wait =
        state.asOf > began || attempt + 1 < options.upstreams.length
          ? FIRST_RETRY_MS
          : Math.min(wait * 2, LAST_RETRY_MS)
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
    get position() {
      return Number(state.position.split(':')[1] ?? 0)
    },
    close: () => {
      clearInterval(watch)
      stop.abort()
    },
  }
}

interface Hearing {
  /** One event, as soon as it is here. */
  event(event: ServerSentEvent): void
  /** What has been heard so far is taken in. */
  flush(): void
}

/** Entries are taken in by the piece that they came in, and before anything that says that they are all there. */
function createHearing(options: FollowerOptions, state: FollowedState, announce: () => void): Hearing {
  let entries: Revocation[] = []
  const flush = (): void => {
    if (entries.length === 0) return
    options.onRevocations(entries)
    entries = []
  }
  return {
    flush,
    event: ({ event, id, data }) => {
      if (event === 'revocation') entries.push(JSON.parse(data))
      else flush()
      if (event === 'hello' || event === 'keys') options.onKeys()
      if (id !== undefined) state.position = id
      if (event !== 'current') return
      const { ageMs = 0, nowMs = options.now() }: { ageMs?: number; nowMs?: number } = JSON.parse(data)
      state.asOf = Math.max(state.asOf, options.clock() - ageMs)
      state.asOfWall = options.now() - ageMs
      state.behindMs = nowMs - options.now()
      if (state.behindMs > MOST_BEHIND_MS)
        state.detail = `the clock here is ${Math.round(state.behindMs / 1_000)} s behind the issuer's: set it`
      announce()
    },
  }
}

/** One connection, until it ends; rejects with the reason. */
async function listen(
  upstream: string,
  { feedToken, staleAfterMs }: FollowerOptions,
  position: string,
  hearing: Hearing,
  signal: AbortSignal,
): Promise<void> {
  const headers = {
    authorization: `Bearer ${feedToken}`,
    ...(position === '' ? {} : { 'last-event-id': position }),
  }
  // Signs of life come every second: another upstream is looked for long before what is known is too old.
  const patienceMs = Math.max(staleAfterMs() / 3, 50)
  const timeouts = { headersTimeout: patienceMs, bodyTimeout: patienceMs }
  const response = await request(new URL(FEED_PATH, upstream), { headers, signal, ...timeouts })
  if (response.statusCode !== 200) {
    await response.body.dump()
    throw new Error(refusalText(response.statusCode))
  }
  const parse = eventStreamParser(hearing.event)
  const decoder = new TextDecoder()
  try {
    for await (const chunk of response.body) {
      parse(decoder.decode(chunk, { stream: true }))
      hearing.flush()
    }
  } finally {
    hearing.flush()
  }
  throw new Error('the issuer ended the stream')
}

function refusalText(status: number): string {
  if (status === 401) return 'the issuer refuses the feed token: AUDGATE_FEED_TOKEN must be the same on both sides'
  if (status === 404) return 'the issuer has no feed: set AUDGATE_FEED_TOKEN there'
  return `the issuer answered ${status}`
}

interface FollowingOptions {
  /** Origins of the audgates that hold the issuer. */
  readonly upstreams: readonly string[]
  readonly feedToken: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Whether `on_stale_revocations: allow` is in force. */
  readonly mayGoOn: () => boolean
  readonly log: Log
  /** Where entries go. */
  readonly revocations: Pick<Revocations, 'add'>
  /** The issuer's keys have to be fetched anew. */
  readonly onKeys: () => void
  /** That audgate's stream has ended, or never began. */
  readonly onFailed: (origin: string) => void
  /** It has fallen silent, or is back. */
  readonly onChange: () => void
  /** How old the knowledge may be, milliseconds. */
  readonly staleAfterMs: () => number
}

/** How a gateway on its own keeps up with the audgate that holds the issuer. */
export interface Following {
  /** Why that issuer's tokens can't be judged; undefined while they can, and always under `on_stale_revocations: allow`. */
  unavailable(): string | undefined
  /** Age of what is known here; Infinity before the first time. */
  silentSeconds(): number
  /** The last id that came, 0 before the first time. */
  readonly position: number
  readonly stale: boolean
  close(): void
}

/** Follows the feed for as long as the server lives, and says in the log when it falls silent and when it is back. */
export function follow(options: FollowingOptions): Following {
  const { upstreams, feedToken, log, mayGoOn, staleAfterMs, onKeys, onChange, now } = options
  const issuer = upstreams.join(' ')
  const follower = followFeed({
    upstreams,
    feedToken,
    staleAfterMs,
    now,
    clock: () => performance.now(),
    onFailed: options.onFailed,
    onRevocations: (entries) => options.revocations.add(entries),
    onKeys,
    onState: (state) => {
      if (state.kind === 'following') log.info('feed.following', { issuer })
      else log.warn('feed.stale', { issuer, tokens: mayGoOn() ? 'allow' : 'refuse', detail: state.detail })
      onChange()
    },
  })
  return {
    unavailable: () => {
      if (!follower.stale || mayGoOn()) return undefined
      return 'the revocation feed of the issuer is silent: what was revoked may not have come here yet'
    },
    silentSeconds: () => follower.silentMs / 1_000,
    get position() {
      return follower.position
    },
    get stale() {
      return follower.stale
    },
    close: () => follower.close(),
  }
}
