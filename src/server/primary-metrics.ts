import { AggregatorRegistry } from 'prom-client'
import type { Metrics, MetricValues } from './metrics.ts'

/** Sums over processes that come and go. */
export interface MetricSums {
  /** What `worker` last said of itself. */
  note(worker: number, values: MetricValues): void
  /** It has ended: what it counted stays in the sums, what it held is gone. */
  leave(worker: number): void
  read: Metrics['read']
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
    read: async () => {
      const all = sum([await own.values(), await past.values, ...latest.values()])
      return { contentType: all.contentType, text: await all.metrics() }
    },
  }
}

function sum(values: readonly MetricValues[]): ReturnType<typeof AggregatorRegistry.aggregate> {
  return AggregatorRegistry.aggregate([...values])
}
