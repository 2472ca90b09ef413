import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** What a store says of its work. */
export interface StoreCounts {
  took(operation: string, seconds: number): void
  failed(code: string): void
  ended(outcome: string): void
  waited(seconds: number): void
}

/** What instances of one store have each of their own; undefined where this process has none of it. */
export interface InstanceSources {
  readonly clock: { offsetSeconds(): number } | undefined
  readonly pool: { readonly open: number; readonly waiting: number } | undefined
  readonly knowledge: { ageSeconds(): number; position(): number } | undefined
  readonly facts: (() => { readonly instance: string; readonly version: string; readonly digest: string }) | undefined
}

// From a look at a file to a statement that is given up.
const BUCKETS = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Gauges of one instance among several. Sums over instances say nothing: look at the largest. */
export function instanceGauges(registry: Registry, { clock, pool, knowledge, facts }: InstanceSources): void {
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read())
      },
    })
  }
  if (clock !== undefined) {
    gauge(
      'audgate_clock_offset_seconds',
      'By how much this machine’s clock is ahead of the database’s; below 0: behind.',
      clock.offsetSeconds,
    )
  }
  if (pool !== undefined) {
    gauge('audgate_pool_open', 'Connections to the database.', () => pool.open)
    gauge('audgate_pool_waiting', 'Requests that wait for a connection to the database.', () => pool.waiting)
  }
  if (knowledge !== undefined) {
    const age = 'Age of what is known here of revocations; at stale_after tokens of the own issuer get 503.'
    gauge('audgate_revocation_age_seconds', age, knowledge.ageSeconds)
    gauge('audgate_revocation_position', 'Number of the last revocation that is known here.', knowledge.position)
  }
  if (facts === undefined) return
  new Gauge({
    name: 'audgate_config_digest_info',
    help: '1; its labels say which instance this is, its version, and the digest of the file in force.',
    labelNames: ['instance', 'version', 'digest'],
    registers: [registry],
    collect() {
      this.reset()
      this.set({ ...facts() }, 1)
    },
  })
}

/** Counts the work of a store. */
export function storeCounts(registry: Registry): StoreCounts {
  const registers = [registry]
  const took = new Histogram({
    name: 'audgate_store_seconds',
    help: 'How long the store took, by operation: read and write are single statements, watch looks for what others did.',
    labelNames: ['op'],
    buckets: BUCKETS,
    registers,
  })
  const failed = new Counter({
    name: 'audgate_store_errors_total',
    help: 'Faults of the store, by the database’s or the system’s code.',
    labelNames: ['code'],
    registers,
  })
  const ended = new Counter({
    name: 'audgate_units_total',
    help: 'Transactions by how they ended; unknown: the connection was lost while one was being committed.',
    labelNames: ['outcome'],
    registers,
  })
  const waited = new Histogram({
    name: 'audgate_turn_wait_seconds',
    help: 'How long a transaction waited for others: for the file’s one writer, or for the same token, family, client or person.',
    buckets: BUCKETS,
    registers,
  })
  return {
    took: (op, seconds) => took.observe({ op }, seconds),
    failed: (code) => failed.inc({ code }),
    ended: (outcome) => ended.inc({ outcome }),
    waited: (seconds) => waited.observe(seconds),
  }
}
