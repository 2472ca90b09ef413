import type { Config } from '../config/config.ts'
import { type ActiveConfig, activateConfig, groupsOf, retireConfig } from '../gateway/active-config.ts'
import { Credentials } from '../gateway/credentials/credentials.ts'
import type { Listener } from '../gateway/listener.ts'
import { createRecorder, type Recorder } from '../gateway/request-log.ts'
import { trustedIssuers } from '../gateway/trusted-issuers.ts'
import { createTunnels, type Tunnels } from '../gateway/tunnels.ts'
import type { FederationMeter, IssuerEvent } from '../issuer/issuer.ts'
import type { Log } from '../observe/log.ts'
import { createMetrics, type Metrics } from '../observe/metrics.ts'
import type { StoreMeter } from '../store/sql/metered-engine.ts'
import type { KeyEvent } from '../token/key-set.ts'
import { createVerifier, type MissingClaim, type Verifier } from '../token/verifier.ts'
import { createWitness, type DecisionWitness } from './admin/witness.ts'
import type { Closing } from './closing.ts'
import { createFileHistory, type FileHistory } from './file-history.ts'
import { FEED_TIMING, type FeedTiming, type IssuerLink, type OpenIssuerLink, type Seed } from './issuer-link.ts'

/** How often an open tunnel is noted as a use of its authorization. */
const TUNNEL_USE_MS = 60_000

export interface ServerDependencies {
  readonly log: Log
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** When this process began, milliseconds since the epoch; default: now. */
  readonly startedAt?: number
  /** How often a revocation feed shows a sign of life, and how long it may be silent; default {@link FEED_TIMING}. */
  readonly feedTiming?: FeedTiming
  /** Puts into the store what has to be there before anybody is answered; not called where this process holds none. */
  readonly seed?: Seed
}

/** What lives as long as the server, whatever file is in force. */
export interface Runtime extends ServerDependencies {
  readonly tunnels: Tunnels
  readonly backing: IssuerLink
  readonly verifier: Verifier
  readonly credentials: Credentials
  readonly metrics: Metrics
  readonly recorder: Recorder
  /** Takes down what requests came to, for who keeps it. */
  readonly witness: DecisionWitness
  readonly history: FileHistory
  /** Changes with reloads and at the end. */
  readonly state: ServerState
}

interface ServerState {
  active: ActiveConfig
  listener: Listener | undefined
  closing: boolean
}

/** Tunnels outlive their token by no more than this. */
const EXPIRY_CHECK_MS = 30_000

/** Opens everything but the listeners; what was opened is in `closing`, also when this rejects. */
export async function openRuntime(
  config: Config,
  dependencies: ServerDependencies,
  closing: Closing,
  open: OpenIssuerLink,
): Promise<Runtime> {
  const { log, now, feedTiming = FEED_TIMING, seed } = dependencies
  const startedAt = (dependencies.startedAt ?? now()) / 1_000
  const counters: { metrics: Metrics | undefined } = { metrics: undefined }
  const onEvent = (event: IssuerEvent): void => tell(event, log, counters.metrics)
  const state: ServerState = { active: activateConfig(config), listener: undefined, closing: false }
  const tunnels = createTunnels(() => groupsOf(state.active).map(({ deadlines }) => deadlines))
  closing.add(closeExpired(tunnels, now, log))
  closing.add(() => retireConfig(state.active, undefined))
  const current = (): Config => state.active.config
  const meter: FederationMeter = {
    call: (provider, kind, outcome) => counters.metrics?.providerCall(provider, kind, outcome),
    signIn: (provider, outcome, reason) => counters.metrics?.providerSignIn(provider, outcome, reason),
  }
  const storeMeter: StoreMeter = {
    took: (operation, seconds) => counters.metrics?.store?.took(operation, seconds),
    failed: (code) => counters.metrics?.store?.failed(code),
    ended: (outcome) => counters.metrics?.store?.ended(outcome),
    waited: (seconds) => counters.metrics?.store?.waited(seconds),
  }
  const witness = createWitness(now)
  closing.add(() => witness.close())
  const history = createFileHistory(config.file, now)
  const options = { log, now, tunnels, onEvent, meter, storeMeter, current, feedTiming, seed }
  const backing = await open(config, options, closing)
  closing.add(noteTunnels(tunnels, backing, now))
  const verifier = openVerifier(config, backing, log, startedAt)
  closing.add(() => verifier.close())
  backing.onKeysChanged(() => verifier.keysChanged(config.publicUrl))
  const metrics = openMetrics(() => recorder, { tunnels, backing, verifier, state, now })
  counters.metrics = metrics
  const recorder = createRecorder(log, metrics, config.accessLog, witness)
  const credentials = new Credentials(verifier, backing.issuer.backChannel)
  return { log, now, tunnels, backing, verifier, credentials, metrics, recorder, state, witness, history }
}

/** Nothing tells when a token's time is over, so it is looked at. Answers what stops that. */
function closeExpired(tunnels: Tunnels, now: () => number, log: Log): () => void {
  const timer = setInterval(() => {
    const closed = tunnels.closeExpired(now() / 1_000)
    if (closed > 0) log.info('tunnel.expired', { closed })
  }, EXPIRY_CHECK_MS)
  timer.unref()
  return () => clearInterval(timer)
}

/** An open tunnel is a use of its authorization, as long as it is open: who has one is asked for at a provider. */
function noteTunnels(tunnels: Tunnels, backing: Pick<IssuerLink, 'noteUse'>, now: () => number): () => void {
  const timer = setInterval(() => {
    for (const gid of tunnels.authorizations()) backing.noteUse(gid, Math.floor(now() / 1_000))
  }, TUNNEL_USE_MS)
  timer.unref()
  return () => clearInterval(timer)
}

function openVerifier(config: Config, backing: IssuerLink, log: Log, startedAt: number): Verifier {
  const { issuer, revocations, useJti } = backing
  return createVerifier({
    startedAt,
    issuers: trustedIssuers(config, issuer.own),
    revocations,
    embeddedUnavailable: () => backing.unavailable(),
    onKeyEvent: (event) => tellKeys(event, log),
    onMissingClaim: (missing) => tellMissing(missing, log),
    ...(useJti === undefined ? {} : { useJti }),
  })
}

function openMetrics(
  recorder: () => Recorder,
  { tunnels, backing, verifier, state, now }: Pick<Runtime, 'tunnels' | 'backing' | 'verifier' | 'state' | 'now'>,
): Metrics {
  const stats = () => verifier.stats(now() / 1_000)
  const { feed, following, clock, knowledge, facts } = backing
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
    clock,
    knowledge,
    facts,
    store: backing.store !== undefined,
    pool: backing.store?.pool,
    providerAges: backing.issuer.providerAges,
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
  else if (event.keys === 0)
    log.warn('keys.fetched', { ...event, detail: 'the issuer publishes no key that can be used' })
  else log.info('keys.fetched', { ...event })
}

function tellMissing(missing: MissingClaim, log: Log): void {
  const detail = `no token of this issuer has had the claim for ${missing.what} so far; see trusted_issuers[].claims`
  log.warn('token.claim_missing', { ...missing, detail })
}
