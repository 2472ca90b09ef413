import type { Traffic } from '../../admin/dependencies.ts'
import type { Metrics } from '../../observe/metrics.ts'

type Values = Awaited<ReturnType<Metrics['values']>>

interface Line {
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
  readonly metricName?: string
}

/** The counters of requests, of one process or several, as the operator's overview counts them. */
export function trafficOf(values: readonly Values[]): Traffic {
  const requests = new Map<string, Traffic['requests'][number]>()
  const durations = new Map<number, number>()
  for (const line of values.flatMap((each) => linesOf(each, 'audgate_requests_total'))) {
    const { route = '', outcome = '', reason = '' } = line.labels
    const key = JSON.stringify([route, outcome, reason])
    const count = (requests.get(key)?.count ?? 0) + line.value
    requests.set(key, { route: String(route), outcome: String(outcome), reason: String(reason), count })
  }
  for (const line of values.flatMap((each) => linesOf(each, 'audgate_request_duration_seconds'))) {
    if (line.labels.le === undefined) continue
    const le = line.labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(line.labels.le)
    durations.set(le, (durations.get(le) ?? 0) + line.value)
  }
  return {
    requests: [...requests.values()],
    durations: [...durations].map(([le, count]) => ({ le, count })).sort((a, b) => a.le - b.le),
  }
}

/** Metrics come in the library's own form. */
function linesOf(values: Values, name: string): readonly Line[] {
  const found = values.find((each) => 'name' in each && each.name === name)
  return found !== undefined && 'values' in found && Array.isArray(found.values) ? found.values : []
}
