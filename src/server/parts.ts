import type { Config } from '../config/config.ts'
import type { IssuerEvent } from '../issuer/issuer.ts'
import type { KeyEvent } from '../token/key-set.ts'
import { createVerifier, type Verifier } from '../token/verifier.ts'
import { type Backing, FEED_TIMING, type FeedTiming, type OpenBacking } from './backing.ts'
import type { Closing } from './closing.ts'
import { createRecorder, type Recorder } from './exchange.ts'
import { createGeneration, type Generation, retire } from './generation.ts'
import type { Listener } from './listener.ts'
import type { Log } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { trustedIssuers } from './trusted.ts'
import { createTunnels, type Tunnels } from './tunnels.ts'

export interface ServerDependencies {
  readonly log: Log
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** How often a revocation feed shows a sign of life, and how long it may be silent; default {@link FEED_TIMING}. */
  readonly feedTiming?: FeedTiming
}

/** What lives as long as the server, whatever file is in force. */
export interface Parts extends ServerDependencies {
  readonly tunnels: Tunnels
  readonly backing: Backing
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
export async function openParts(
  config: Config,
  dependencies: ServerDependencies,
  closing: Closing,
  open: OpenBacking,
): Promise<Parts> {
  const { log, now, feedTiming = FEED_TIMING } = dependencies
  const tunnels = createTunnels()
  const counters: { metrics: Metrics | undefined } = { metrics: undefined }
  const onEvent = (event: IssuerEvent): void => tell(event, log, counters.metrics)
  const state: ServerState = { generation: createGeneration(config), listener: undefined, closing: false }
  closing.add(() => retire(state.generation, undefined))
  const current = (): Config => state.generation.config
  const backing = await open(config, { log, now, tunnels, onEvent, current, feedTiming }, closing)
  const verifier = openVerifier(config, backing, log)
  closing.add(() => verifier.close())
  backing.onKeysChanged(() => verifier.keysChanged(config.publicUrl))
  const metrics = openMetrics(() => recorder, { tunnels, backing, verifier, state, now })
  counters.metrics = metrics
  const recorder = createRecorder(log, metrics, config.accessLog)
  return { log, now, tunnels, backing, verifier, metrics, recorder, state }
}

function openVerifier(config: Config, backing: Backing, log: Log): Verifier {
  const { issuer, revocations, useJti } = backing
  return createVerifier({
    issuers: trustedIssuers(config, issuer.own),
    isRevoked: (token) => revocations.isRevoked(token),
    embeddedUnavailable: () => backing.unavailable(),
    onKeyEvent: (event) => tellKeys(event, log),
    ...(useJti === undefined ? {} : { useJti }),
  })
}

function openMetrics(
  recorder: () => Recorder,
  { tunnels, backing, verifier, state, now }: Pick<Parts, 'tunnels' | 'backing' | 'verifier' | 'state' | 'now'>,
): Metrics {
  const stats = () => verifier.stats(now() / 1_000)
  const { feed, following } = backing
  return createMetrics({
    inFlight: () => recorder().inFlight,
    openTunnels: () => tunnels.open,
    connections: () => state.listener?.connections ?? 0,
    revocations: () => backing.revocations.size,
    tokenCache: () => {
      const { cacheHits: hits, cacheMisses: misses, cacheSize: entries } = stats()
      return { hits, misses, entries }
    },
    issuers: () => stats().issuers,
    feed,
    following,
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
