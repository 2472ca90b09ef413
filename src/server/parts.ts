import type { Config } from '../config/config.ts'
import type { IssuerEvent } from '../issuer/issuer.ts'
import type { KeyEvent } from '../token/key-set.ts'
import { createVerifier, type Verifier } from '../token/verifier.ts'
import type { Closing } from './closing.ts'
import { createRecorder, type Recorder } from './exchange.ts'
import { createFeed, type Feed } from './feed.ts'
import { createGeneration, type Generation, retire } from './generation.ts'
import { type IssuerMount, mountIssuer } from './issuer-mount.ts'
import type { Listener } from './listener.ts'
import type { Log } from './log.ts'
import { type Memory, openMemory } from './memory.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { trustedIssuers } from './trusted.ts'
import { createTunnels, type Tunnels } from './tunnels.ts'

export interface ServerDependencies {
  readonly log: Log
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** What lives as long as the server, whatever file is in force. */
export interface Parts extends ServerDependencies {
  readonly tunnels: Tunnels
  readonly memory: Memory
  readonly issuer: IssuerMount
  /** The revocation feed for gateways on their own; undefined where there is no store. */
  readonly feed: Feed | undefined
  readonly verifier: Verifier
  readonly metrics: Metrics
  readonly recorder: Recorder
  /** Changes with reloads and at the end. */
  readonly state: ServerState
}

export interface ServerState {
  generation: Generation
  listener: Listener | undefined
  closing: boolean
}

/** Opens everything but the listeners; what was opened is in `closing`, also when this rejects. */
export async function openParts(config: Config, dependencies: ServerDependencies, closing: Closing): Promise<Parts> {
  const { log, now } = dependencies
  const tunnels = createTunnels()
  const memory = await openMemory(config, { log, now, tunnels }, closing)
  const counters: { metrics: Metrics | undefined } = { metrics: undefined }
  const onEvent = (event: IssuerEvent): void => tell(event, log, counters.metrics)
  const issuer = await mountIssuer(config, { store: memory.store, now, onEvent })
  closing.add(() => issuer.close())
  const verifier = openVerifier(config, issuer, memory, log)
  closing.add(() => verifier.close())
  const feed = openFeed(config, memory, now)
  if (feed !== undefined) closing.add(() => feed.close())
  issuer.onKeysChanged(() => {
    verifier.keysChanged(config.publicUrl)
    feed?.keysChanged()
  })
  const state: ServerState = { generation: createGeneration(config), listener: undefined, closing: false }
  closing.add(() => retire(state.generation, undefined))
  const metrics = openMetrics(() => recorder, { tunnels, memory, verifier, state, now })
  counters.metrics = metrics
  const recorder = createRecorder(log, metrics, config.accessLog)
  return { log, now, tunnels, memory, issuer, feed, verifier, metrics, recorder, state }
}

function openVerifier(config: Config, issuer: IssuerMount, memory: Memory, log: Log): Verifier {
  return createVerifier({
    issuers: trustedIssuers(config, issuer.own),
    isRevoked: (token) => memory.revocations.isRevoked(token),
    embeddedUnavailable: () => memory.revocations.unavailable(),
    onKeyEvent: (event) => tellKeys(event, log),
  })
}

function openFeed(config: Config, { store }: Memory, now: () => number): Feed | undefined {
  return store === undefined ? undefined : createFeed({ store, feedToken: config.secrets.feedToken, now })
}

function openMetrics(
  recorder: () => Recorder,
  { tunnels, memory, verifier, state, now }: Pick<Parts, 'tunnels' | 'memory' | 'verifier' | 'state' | 'now'>,
): Metrics {
  const stats = () => verifier.stats(now() / 1_000)
  return createMetrics({
    inFlight: () => recorder().inFlight,
    openTunnels: () => tunnels.open,
    connections: () => state.listener?.connections ?? 0,
    revocations: () => memory.revocations.size,
    tokenCache: () => {
      const { cacheHits: hits, cacheMisses: misses, cacheSize: entries } = stats()
      return { hits, misses, entries }
    },
    issuers: () => stats().issuers,
  })
}

function tell({ level, event, detail }: IssuerEvent, log: Log, metrics: Metrics | undefined): void {
  if (event === 'token.issued') metrics?.tokenIssued()
  if (event === 'token.refused') metrics?.tokenRefused()
  if (level === 'info') log.audit(event, detail)
  else log[level](event, { audit: true, ...detail })
}

function tellKeys(event: KeyEvent, log: Log): void {
  if (event.kind === 'failed') log.warn('keys.failed', { ...event })
  else log.info('keys.fetched', { ...event })
}
