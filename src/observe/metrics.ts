import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { Reason } from '../core/denial.ts'
import { type Count, FastCounter, FastHistogram } from './counters.ts'
import { type InstanceSources, instanceGauges, type StoreCounts, storeCounts } from './store-metrics.ts'

/** How a request ended: forwarded to its end · refused by the gateway · failed upstream · left by the client. */
export type Outcome = 'ok' | 'refused' | 'failed' | 'client_closed'

/** Read when somebody asks for the metrics. */
interface MetricSources extends InstanceSources {
  readonly inFlight: () => number
  readonly openTunnels: () => number
  readonly connections: () => number
  readonly revocations: () => number
  readonly tokenCache: () => { readonly hits: number; readonly misses: number; readonly entries: number }
  readonly issuers: () => readonly IssuerKeys[]
  /** Undefined where this process serves no revocation feed. */
  readonly feed: { readonly followers: number } | undefined
  /** Whether this process holds a store. */
  readonly store: boolean
  /** Undefined where this process follows no revocation feed. */
  readonly following: { readonly stale: boolean; silentSeconds(): number } | undefined
  /** Of each provider, how long its longest unasked live sign-in was not asked for, seconds; undefined without an issuer. */
  readonly providerAges: (() => Promise<ReadonlyMap<string, number>>) | undefined
}

interface IssuerKeys {
  readonly issuer: string
  /** Seconds since the keys were last fetched; undefined: never. */
  readonly ageSeconds: number | undefined
  readonly failures: number
}

export interface Metrics {
  request(route: string, outcome: Outcome, reason: Reason | undefined, seconds: number): void
  /** What a request was judged by. */
  credential(route: string, credential: string, outcome: Outcome): void
  decision(seconds: number): void
  upstream(seconds: number): void
  bytes(bytesIn: number, bytesOut: number): void
  tokenIssued(): void
  tokenRefused(): void
  reload(good: boolean): void
  providerCall(provider: string, kind: string, outcome: string): void
  providerSignIn(provider: string, outcome: string, reason: string): void
  /** Undefined where this process holds no store. */
  readonly store: StoreCounts | undefined
  /** Text in Prometheus' format, and its content type. */
  read(): Promise<{ readonly contentType: string; readonly text: string }>
  /** As values, for another process that sums them up. */
  values(): Promise<MetricValues>
}

/** Metrics of one process, in the library's own form. */
export type MetricValues = readonly object[]

// From what a remembered token takes to what a foreign issuer's keys may take.
const DECISION_BUCKETS = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.05, 0.25, 1, 5]
const REQUEST_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

/** Counters in a registry of their own. Labels come from the file and from closed vocabularies, never from a request. */
export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  gauges(registry, sources)
  instanceGauges(registry, sources)
  const requests = new FastCounter(registry, 'audgate_requests_total', 'Requests by route, outcome and reason.')
  const durations = new FastHistogram(
    registry,
    'audgate_request_duration_seconds',
    'From the end of a request head to the end of its answer.',
    REQUEST_BUCKETS,
  )
  const decisions = new FastHistogram(
    registry,
    'audgate_decision_duration_seconds',
    'From the end of a request head to the decision.',
    DECISION_BUCKETS,
  )
  const upstreams = new FastHistogram(
    registry,
    'audgate_upstream_duration_seconds',
    'From the decision to the first byte of the upstream’s answer.',
    REQUEST_BUCKETS,
  )
  const bytes = new FastCounter(registry, 'audgate_bytes_total', 'Body bytes from and to clients.')
  const received = bytes.line({ direction: 'in' })
  const sent = bytes.line({ direction: 'out' })
  const tokens = new Counter({
    name: 'audgate_tokens_total',
    help: 'Token requests at the embedded issuer, by outcome.',
    labelNames: ['outcome'],
    registers,
  })
  const reloads = new Counter({
    name: 'audgate_reloads_total',
    help: 'Reloads of routes.yaml, by outcome.',
    labelNames: ['outcome'],
    registers,
  })
  const credentials = new FastCounter(
    registry,
    'audgate_credentials_total',
    'Requests by route, what they were judged by, and outcome.',
  )
  const shown = new Map<string, Map<string, Count>>()
  const shownOf = (route: string, credential: string, outcome: Outcome): Count => {
    const ofRoute = shown.get(route) ?? new Map<string, Count>()
    const count = credentials.line({ route, credential, outcome })
    shown.set(route, ofRoute.set(credential + outcome, count))
    return count
  }
  const counts = new Map<string, Map<string, Count>>()
  const countOf = (route: string, outcome: Outcome, reason: string): Count => {
    const ofRoute = counts.get(route) ?? new Map<string, Count>()
    // Reasons and outcomes are different words.
    const count = ofRoute.get(reason) ?? requests.line({ route, outcome, reason })
    counts.set(route, ofRoute.set(reason, count))
    return count
  }
  return {
    request: (route, outcome, reason, seconds) => {
      const key = reason ?? outcome
      const count = counts.get(route)?.get(key) ?? countOf(route, outcome, key)
      count.value += 1
      durations.observe(seconds)
    },
    credential: (route, credential, outcome) => {
      const count = shown.get(route)?.get(credential + outcome) ?? shownOf(route, credential, outcome)
      count.value += 1
    },
    decision: (seconds) => decisions.observe(seconds),
    upstream: (seconds) => upstreams.observe(seconds),
    bytes: (bytesIn, bytesOut) => {
      received.value += bytesIn
      sent.value += bytesOut
    },
    tokenIssued: () => tokens.labels('issued').inc(),
    tokenRefused: () => tokens.labels('refused').inc(),
    reload: (good) => reloads.labels(good ? 'ok' : 'refused').inc(),
    ...providerMetrics(registry, sources),
    store: sources.store ? storeCounts(registry) : undefined,
    read: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
    values: () => registry.getMetricsAsJSON(),
  }
}

/** What happens with the providers that people sign in at. */
function providerMetrics(
  registry: Registry,
  { providerAges }: MetricSources,
): Pick<Metrics, 'providerCall' | 'providerSignIn'> {
  const registers = [registry]
  const calls = new Counter({
    name: 'audgate_provider_requests_total',
    help: 'Requests to providers, by kind and outcome.',
    labelNames: ['provider', 'kind', 'outcome'],
    registers,
  })
  const signIns = new Counter({
    name: 'audgate_provider_sign_ins_total',
    help: 'Sign-ins by a provider, by outcome and reason.',
    labelNames: ['provider', 'outcome', 'reason'],
    registers,
  })
  if (providerAges !== undefined) {
    new Gauge({
      name: 'audgate_provider_recheck_age_seconds',
      help: 'Since a provider was asked for its longest unasked live sign-in.',
      labelNames: ['provider'],
      registers,
      aggregator: 'max',
      async collect() {
        this.reset()
        for (const [provider, seconds] of await inTime(providerAges())) this.set({ provider }, seconds)
      },
    })
  }
  return {
    providerCall: (provider, kind, outcome) => calls.labels(provider, kind, outcome).inc(),
    providerSignIn: (provider, outcome, reason) => signIns.labels(provider, outcome, reason).inc(),
  }
}

const IN_TIME_MS = 1_000

/** Nothing where the store does not say it in time: it is when the store is away that all the others are looked at. */
async function inTime(ages: Promise<ReadonlyMap<string, number>>): Promise<ReadonlyMap<string, number>> {
  const nothing = new Map<string, number>()
  const late = Promise.withResolvers<ReadonlyMap<string, number>>()
  const timer = setTimeout(() => late.resolve(nothing), IN_TIME_MS)
  return Promise.race([ages.catch(() => nothing), late.promise]).finally(() => clearTimeout(timer))
}

function gauges(registry: Registry, sources: MetricSources): void {
  gauge(registry, 'audgate_requests_in_flight', 'Requests that are being answered.', sources.inFlight)
  gauge(registry, 'audgate_tunnels_open', 'Upgraded connections.', sources.openTunnels)
  gauge(registry, 'audgate_connections_open', 'Connections of clients.', sources.connections)
  gauge(registry, 'audgate_revocations_in_force', 'Entries that refuse tokens.', sources.revocations, 'max')
  gauge(registry, 'audgate_token_cache_entries', 'Remembered tokens.', () => sources.tokenCache().entries)
  total(registry, 'audgate_token_cache_hits_total', 'Tokens that were remembered.', () => sources.tokenCache().hits)
  total(registry, 'audgate_token_cache_misses_total', 'Tokens that were checked.', () => sources.tokenCache().misses)
  feedGauges(registry, sources)
  const labelNames = ['issuer'] as const
  new Gauge({
    name: 'audgate_jwks_age_seconds',
    help: 'Since the keys of an issuer were last fetched.',
    labelNames,
    registers: [registry],
    aggregator: 'max',
    collect() {
      this.reset()
      for (const { issuer, ageSeconds } of sources.issuers()) {
        if (ageSeconds !== undefined) this.set({ issuer }, ageSeconds)
      }
    },
  })
  new Counter({
    name: 'audgate_jwks_failures_total',
    help: 'Fetches of keys that failed.',
    labelNames,
    registers: [registry],
    collect() {
      this.reset()
      for (const { issuer, failures } of sources.issuers()) this.inc({ issuer }, failures)
    },
  })
}

function feedGauges(registry: Registry, { feed, following }: MetricSources): void {
  if (feed !== undefined) {
    gauge(registry, 'audgate_feed_followers', 'Gateways that follow what is revoked.', () => feed.followers)
  }
  if (following === undefined) return
  const silent = (): number => following.silentSeconds()
  gauge(registry, 'audgate_revocation_feed_silent_seconds', 'Since the issuer’s revocation feed was heard.', silent)
  gauge(registry, 'audgate_revocation_feed_stale', '1 while a revocation may have been missed.', () =>
    following.stale ? 1 : 0,
  )
}

/** @param aggregator What several processes come to: each has its share, or all have the same. */
function gauge(
  registry: Registry,
  name: string,
  help: string,
  read: () => number,
  aggregator: 'sum' | 'max' = 'sum',
): void {
  new Gauge({
    name,
    help,
    aggregator,
    registers: [registry],
    collect() {
      this.set(read())
    },
  })
}

function total(registry: Registry, name: string, help: string, read: () => number): void {
  new Counter({
    name,
    help,
    registers: [registry],
    collect() {
      this.reset()
      this.inc(read())
    },
  })
}
