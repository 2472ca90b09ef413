import { setTimeout as delay } from 'node:timers/promises'
import type { Config } from '../config/config.ts'
import type { WeakSignIn } from '../core/assurance.ts'
import type { BackChannel } from '../gateway/credentials/back-channel.ts'
import type { FederationMeter, IssuerEvent } from '../issuer/issuer.ts'
import type { Store } from '../store/store.ts'
import type { UseJti } from '../token/dpop.ts'
import type { Closing } from './closing.ts'
import { tellUses } from './feed/back-channel.ts'
import { createFeed, type Feed } from './feed/feed.ts'
import { type Following, follow } from './feed/follower.ts'
import { instanceFacts, startHeartbeat } from './heartbeat.ts'
import type { IssuerMount } from './issuer-mount.ts'
import { type IssuerState, openIssuerState, RESTORED, type StateSurroundings } from './issuer-state.ts'
import { createLastUse, type LastUse } from './last-use.ts'
import { noticeSender } from './mail/notice-mail.ts'
import { mountIssuer } from './mount-issuer.ts'
import type { Revocations } from './revocations.ts'
import type { StoreClock } from './store-clock.ts'

/** What stands behind the data path: in this process, or in the one that this process works for. */
export interface IssuerLink {
  readonly issuer: IssuerMount
  readonly revocations: Pick<Revocations, 'size' | 'isRevoked' | 'state' | 'entries' | 'onAdded'>
  /** Why it can't be told which of our own issuer's tokens are revoked; undefined: it can. */
  unavailable(): string | undefined
  /** Calls back when {@link IssuerLink.unavailable} may answer otherwise than before. */
  onAvailability(listener: () => void): void
  /**
   * How much longer what is known of revocations may count if nothing is heard any more, milliseconds; undefined: always, for
   * `on_stale_revocations: allow` is in force.
   */
  goodForMs(): number | undefined
  /** What keeps this process from serving. */
  unready(): string | undefined
  /** What keeps the issuer from answering: whatever else goes on, nobody can sign in. */
  issuerUnready(): Promise<string | undefined>
  /** An authorization was used. @param now NumericDate, seconds. */
  noteUse(gid: string, now: number): void
  /** A request was refused for the sign-in behind its token. */
  noteWeakSignIn(refusal: WeakSignIn): void
  /** Calls back when the keys of our own issuer have to be read anew. */
  onKeysChanged(listener: () => void): void
  /** Undefined: proofs are remembered here. */
  readonly useJti: UseJti | undefined
  /** Undefined where this process holds no store; so is the feed. */
  readonly store: Store | undefined
  readonly feed: Feed | undefined
  readonly clock: StoreClock | undefined
  /** What is known here of revocations; undefined where another process of this machine tells, and where nothing is revoked. */
  readonly knowledge: { ageSeconds(): number; position(): number } | undefined
  /** This process among those of one store; undefined where another process of this machine stands for it. */
  readonly facts: (() => ReturnType<typeof instanceFacts>) | undefined
  /** Undefined where no feed is followed. */
  readonly following: Following | undefined
}

/** Milliseconds. */
export interface FeedTiming {
  readonly heartbeatMs: number
  /** How old the knowledge of revocations may be; undefined: what the file in force says. */
  readonly staleAfterMs?: number
}

/** Signs of life come far more often than what is known may be old. */
export const FEED_TIMING: FeedTiming = { heartbeatMs: 1_000 }

interface IssuerLinkOptions extends Omit<StateSurroundings, 'onAvailability'> {
  readonly onEvent: (event: IssuerEvent) => void
  readonly meter: FederationMeter
  /** The file in force. */
  readonly current: () => Config
  readonly feedTiming: FeedTiming
  readonly seed: Seed | undefined
}

export type Seed = (store: Store) => Promise<void>

export type OpenIssuerLink = (config: Config, options: IssuerLinkOptions, closing: Closing) => Promise<IssuerLink>

/** Opens the store and the issuer where the file asks for them, or follows the audgate that has them. */
export async function openOwnIssuerLink(
  config: Config,
  options: IssuerLinkOptions,
  closing: Closing,
): Promise<IssuerLink> {
  const { now, meter } = options
  const staleAfterMs = staleAfter(options)
  const waiting: (() => void)[] = []
  const onAvailability = (): void => {
    for (const listener of waiting) listener()
  }
  const memory = await openIssuerState(
    config,
    { ...options, onAvailability, staleAfterMs, auditSeconds: () => options.current().audit.keepSeconds },
    closing,
  )
  if (memory.store !== undefined) {
    const { store, revocations } = memory
    const position = (): number => revocations.position
    const heartbeat = startHeartbeat({ store, config, current: options.current, position, staleAfterMs })
    closing.add(() => heartbeat.close())
    await options.seed?.(store)
  }
  const issuer = await mountIssuer(config, {
    store: memory.store,
    now: memory.clock?.now ?? now,
    onEvent: withNotices(options, memory.store, closing),
    meter,
    hasRoom: memory.health?.hasRoom,
    cannotIssue: memory.clock?.fault,
  })
  closing.add(() => issuer.close())
  const feed = openFeed(config, memory, options, issuer.backChannel)
  if (feed !== undefined) closing.add(() => feed.close())
  const usage = memory.usage ?? usageAtIssuer(config, issuer.backChannel, closing)
  const listeners: (() => void)[] = []
  const onKeys = (): void => {
    for (const listener of listeners) listener()
    feed?.keysChanged()
  }
  issuer.onKeysChanged(onKeys)
  const following = startFollowing(config, { ...options, onAvailability }, memory, onKeys, (origin) =>
    issuer.upstreamFailed?.(origin),
  )
  if (following !== undefined) closing.add(() => following.close())
  const ageMs = (): number => (following === undefined ? memory.revocations.ageMs() : following.silentSeconds() * 1_000)
  return {
    issuer,
    revocations: memory.revocations,
    goodForMs: () => (mayGoOn(options) ? undefined : Math.max(0, staleAfterMs() - ageMs())),
    unready: () => unreadiness(config, memory, following),
    issuerUnready: async () => {
      const own = memory.health?.fault() ?? memory.clock?.fault()
      const known = own ?? memory.revocations.unavailable() ?? following?.unavailable()
      return known ?? (memory.store === undefined ? undefined : silence(memory.store))
    },
    unavailable: () => {
      if (mayGoOn(options)) return undefined
      return memory.revocations.unavailable() ?? following?.unavailable()
    },
    onAvailability: (listener) => void waiting.push(listener),
    noteWeakSignIn: (refusal) => issuer.noteWeakSignIn?.(refusal),
    noteUse: (gid, at) => usage?.note(gid, at),
    onKeysChanged: (listener) => void listeners.push(listener),
    useJti: sharedProofs(config, issuer.backChannel),
    store: memory.store,
    clock: memory.clock,
    knowledge: knowledgeOf(config, () => ageMs() / 1_000, following, memory),
    facts: () => instanceFacts(options.current()),
    feed,
    following,
  }
}

/** What happens at the issuer is told to the log, and where it is about the ways in to an account to its person. */
function withNotices(
  { onEvent, log, now, current }: IssuerLinkOptions,
  store: Store | undefined,
  closing: Closing,
): IssuerLinkOptions['onEvent'] {
  if (store === undefined) return onEvent
  const notices = noticeSender({ store, settings: current, log, now })
  closing.add(() => notices.settled())
  return (event) => {
    onEvent(event)
    notices.note(event)
  }
}

/** Nothing where nobody can revoke: as a number of its own it would look like one that lags behind the others. */
function knowledgeOf(
  { issuer }: Config,
  ageSeconds: () => number,
  following: Following | undefined,
  { revocations }: IssuerState,
): IssuerLink['knowledge'] {
  if (issuer.kind === 'off') return undefined
  return { ageSeconds, position: () => following?.position ?? revocations.position }
}

/** A gateway on its own tells its issuer what was used: app passwords lie unused else, and nobody asks a provider about open tunnels. */
function usageAtIssuer({ issuer }: Config, backChannel: BackChannel, closing: Closing): LastUse | undefined {
  if (issuer.kind !== 'upstream') return undefined
  // An issuer that is away, or a gateway that stops, loses the last seconds: nobody waits for them.
  const usage = createLastUse({ touchAuthorizations: (uses) => tellUses(backChannel, uses) }, () => undefined)
  closing.add(async () => usage.close())
  return usage
}

/**
 * A gateway on its own serves nobody without its issuer, and a file that can't be written is this machine's fault. A database is
 * everybody's: were readiness to follow it, an outage would take public routes and foreign issuers away with our own tokens.
 */
function unreadiness(
  { issuer, store }: Config,
  { health, revocations }: IssuerState,
  following: Following | undefined,
): string | undefined {
  if (issuer.kind === 'upstream') return following?.unavailable()
  return store.kind === 'postgres' ? undefined : (revocations.unavailable() ?? health?.fault())
}

const ANSWER_MS = 2_000

/** What keeps the store from answering a question now; undefined: nothing does. */
async function silence(store: Store): Promise<string | undefined> {
  const late = new Promise<string>((resolve) => {
    setTimeout(() => resolve('the store does not answer'), ANSWER_MS).unref()
  })
  const answered = store.position().then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : 'the store does not answer'),
  )
  return Promise.race([answered, late])
}

/** `dpop_replay: store`: a proof counts once over all instances and the gateways that follow them. */
function sharedProofs({ dpopReplay, issuer }: Config, backChannel: BackChannel): UseJti | undefined {
  if (dpopReplay === 'instance' || issuer.kind === 'off') return undefined
  const late = async (): Promise<undefined> => {
    await delay(PROOF_MS, undefined, { ref: false })
    return undefined
  }
  const ask = async (key: string, expiresAt: number): Promise<boolean | undefined> =>
    backChannel.ask('proof', { key, expiresAt }).then(
      ({ first }) => first,
      () => undefined,
    )
  return (key, expiresAt) => Promise.race([ask(key, expiresAt), late()])
}

/** A proof that can't be told to be new is refused with 503: nobody waits longer for that than for a connection to the database. */
const PROOF_MS = 2_000

function staleAfter({ current, feedTiming }: IssuerLinkOptions): () => number {
  return () => feedTiming.staleAfterMs ?? current().staleRevocations.afterSeconds * 1_000
}

function mayGoOn({ current }: IssuerLinkOptions): boolean {
  return current().staleRevocations.action === 'allow'
}

function openFeed(
  { secrets }: Config,
  { store }: IssuerState,
  { now, log, feedTiming: { heartbeatMs } }: IssuerLinkOptions,
  backChannel: BackChannel,
): Feed | undefined {
  if (store === undefined) return undefined
  const onBehind = (): void => log.warn('revocations.rewound', { detail: `a gateway knows later acts: ${RESTORED}` })
  return createFeed({ store, feedToken: secrets.feedToken, now, heartbeatMs, onBehind, backChannel })
}

function startFollowing(
  { issuer, secrets }: Config,
  options: IssuerLinkOptions & Pick<StateSurroundings, 'onAvailability'>,
  { revocations }: IssuerState,
  onKeys: () => void,
  onUpstreamFailed: (origin: string) => void,
): Following | undefined {
  const { feedToken } = secrets
  if (issuer.kind !== 'upstream') return undefined
  if (feedToken === undefined) throw new TypeError('config let a gateway on its own through without AUDGATE_FEED_TOKEN')
  const { log, now, onAvailability } = options
  return follow({
    upstreams: issuer.upstreams,
    feedToken,
    mayGoOn: () => mayGoOn(options),
    now,
    log,
    revocations,
    onKeys,
    staleAfterMs: staleAfter(options),
    onFailed: onUpstreamFailed,
    onChange: onAvailability,
  })
}
