import { AggregatorRegistry } from 'prom-client'
import type { Metrics, MetricValues } from '../observe/metrics.ts'

/** Answers that several workers owe to one question. */
export interface Gather {
  /**
   * Asks and resolves with those that did not answer in time. @param ask Sends the question under the number that it is given.
   */
  gather(workers: ReadonlySet<number>, withinMs: number, ask: (ask: number) => void): Promise<ReadonlySet<number>>
  /** `worker` has answered. */
  settle(ask: number, worker: number): void
  /** It will not answer any more. */
  leave(worker: number): void
}

interface Question {
  readonly owing: Set<number>
  readonly done: () => void
}

export function createGather(): Gather {
  const open = new Map<number, Question>()
  const state = { asks: 0 }
  const strike = ({ owing, done }: Question, worker: number): void => {
    if (owing.delete(worker) && owing.size === 0) done()
  }
  return {
    gather: (workers, withinMs, send) =>
      new Promise((resolve) => {
        state.asks += 1
        const ask = state.asks
        const owing = new Set(workers)
        const done = (): void => {
          clearTimeout(timer)
          open.delete(ask)
          resolve(owing)
        }
        const timer = setTimeout(done, withinMs)
        open.set(ask, { owing, done })
        send(ask)
        if (owing.size === 0) done()
      }),
    settle: (ask, worker) => {
      const question = open.get(ask)
      if (question !== undefined) strike(question, worker)
    },
    leave: (worker) => {
      for (const question of open.values()) strike(question, worker)
    },
  }
}

/** Sums over processes that come and go. */
export interface MetricSums {
  /** What `worker` last said of itself. */
  note(worker: number, values: MetricValues): void
  /** It has ended: what it counted stays in the sums, what it held is gone. */
  leave(worker: number): void
  read: Metrics['read']
  values: Metrics['values']
}

/** @param own Of this process. */
export function createMetricSums(own: Metrics): MetricSums {
  const latest = new Map<number, MetricValues>()
  const past: { values: Promise<MetricValues> } = { values: Promise.resolve([]) }
  return {
    note: (worker, values) => void latest.set(worker, values),
    leave: (worker) => {
      const counted = latest.get(worker)?.filter((metric) => !('type' in metric && metric.type === 'gauge')) ?? []
      latest.delete(worker)
      past.values = past.values.then((before) => sum([before, counted]).getMetricsAsJSON())
    },
    values: async () => sum([await own.values(), await past.values, ...latest.values()]).getMetricsAsJSON(),
    read: async () => {
      const all = sum([await own.values(), await past.values, ...latest.values()])
      return { contentType: all.contentType, text: await all.metrics() }
    },
  }
}

function sum(values: readonly MetricValues[]): ReturnType<typeof AggregatorRegistry.aggregate> {
  return AggregatorRegistry.aggregate([...values])
}
