import { z } from 'zod'
import type { AdminDependencies, Traffic } from '../dependencies.ts'
import { quantile, type TrafficSeries, totals } from '../traffic.ts'
import type { App } from './app.ts'
import { TIME, timeOf } from './page.ts'

const COUNTS = z.object({ ok: z.number(), refused: z.number(), failed: z.number() })

/** The answer of /overview. */
export const OVERVIEW = z.object({
  window: z.enum(['1h', '24h']),
  totals: COUNTS,
  by_route: z.array(COUNTS.extend({ route: z.string() })),
  by_reason: z.array(z.object({ reason: z.string(), count: z.number() })),
  series: z.array(COUNTS.extend({ at: TIME })),
  latency: z.object({ p50_ms: z.number().optional(), p95_ms: z.number().optional() }),
  attention: z.array(z.object({ kind: z.string(), text: z.string(), href: z.string().optional() })),
  kept_since: TIME,
})

/** What an operator sees first. */
export function addOverview(app: App, dependencies: AdminDependencies, series: TrafficSeries): void {
  const { traffic, decisions } = dependencies
  app.get(
    '/overview',
    {
      config: { access: { scope: 'r' } },
      schema: {
        querystring: z.strictObject({ window: z.enum(['1h', '24h']).default('1h') }),
        response: { 200: OVERVIEW },
      },
    },
    async ({ query: { window } }) => {
      const now = await traffic()
      const before = series.before(window)
      const grown = difference(now, before)
      const [p50, p95] = [quantile(now, before, 0.5), quantile(now, before, 0.95)]
      return {
        window,
        totals: totals(grown),
        by_route: byRoute(grown),
        by_reason: byReason(grown),
        series: series.series(window).map(({ at, ...counts }) => ({ at: timeOf(at / 1_000), ...counts })),
        latency: { ...(p50 === undefined ? {} : { p50_ms: p50 }), ...(p95 === undefined ? {} : { p95_ms: p95 }) },
        attention: await attention(dependencies, grown),
        kept_since: timeOf(decisions.keptSince / 1_000),
      }
    },
  )
}

function difference(now: Traffic, before: Traffic | undefined): Traffic {
  const keyOf = ({ route, outcome, reason }: Traffic['requests'][number]) => JSON.stringify([route, outcome, reason])
  const earlier = new Map(before?.requests.map((each) => [keyOf(each), each.count]))
  const requests = now.requests.map((each) => ({ ...each, count: each.count - (earlier.get(keyOf(each)) ?? 0) }))
  return { ...now, requests: requests.filter(({ count }) => count > 0) }
}

function byRoute(traffic: Traffic): z.output<typeof OVERVIEW>['by_route'] {
  const routes = [...new Set(traffic.requests.map(({ route }) => route))]
  return routes.map((route) => ({
    route,
    ...totals({ ...traffic, requests: traffic.requests.filter((each) => each.route === route) }),
  }))
}

function byReason({ requests }: Traffic): z.output<typeof OVERVIEW>['by_reason'] {
  const counts = new Map<string, number>()
  for (const { outcome, reason, count } of requests) {
    if (outcome !== 'refused' && outcome !== 'failed') continue
    counts.set(reason, (counts.get(reason) ?? 0) + count)
  }
  return [...counts].map(([reason, count]) => ({ reason, count })).sort((a, b) => b.count - a.count)
}

const MANY_REFUSALS = 20

/** What somebody should look at, the worst first. */
async function attention(
  { system, upstreams, view, decisions, now }: AdminDependencies,
  traffic: Traffic,
): Promise<z.output<typeof OVERVIEW>['attention']> {
  const { config, store } = system()
  const found: z.output<typeof OVERVIEW>['attention'] = []
  if (store.fault !== undefined) found.push({ kind: 'store', text: `The store can't be written: ${store.fault}.` })
  const { lastRefused } = config
  if (lastRefused !== undefined && lastRefused.at > config.since) {
    const text = `The file of ${timeOf(lastRefused.at / 1_000)} was refused: ${lastRefused.problems.length} problems. The one before is in force.`
    found.push({ kind: 'config', text, href: '/admin/system' })
  }
  for (const name of config.restartFor) found.push({ kind: 'restart', text: `${name} changed: it needs a restart.` })
  for (const { id } of view().routes) {
    const down = upstreams(id).filter(({ state }) => state === 'down')
    for (const { url } of down) found.push({ kind: 'upstream', text: `${url} of route ${id} does not answer.` })
  }
  const failed = totals(traffic).failed
  if (failed > 0)
    found.push({ kind: 'failed', text: `${failed} requests failed.`, href: '/admin/decisions?outcome=failed' })
  return [...found, ...insistent(decisions, now())]
}

const HOUR_MS = 3_600_000
const LOOKED_AT = 2_000

/** Clients that are refused again and again for one reason. */
function insistent(decisions: AdminDependencies['decisions'], now: number): z.output<typeof OVERVIEW>['attention'] {
  const counts = new Map<string, number>()
  const refused = decisions.list({ outcome: 'refused', since: now - HOUR_MS }, Number.MAX_SAFE_INTEGER, LOOKED_AT)
  for (const { decision } of refused) {
    if (decision.client === undefined) continue
    const key = JSON.stringify([decision.client, decision.reason])
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  const many = [...counts].filter(([, count]) => count >= MANY_REFUSALS).sort((a, b) => b[1] - a[1])
  return many.slice(0, 5).map(([key, count]) => {
    const [client = '', reason = '']: string[] = JSON.parse(key)
    const href = `/admin/decisions?${new URLSearchParams({ client, reason })}`
    return { kind: 'refusals', text: `${client} was refused ${count} times: ${reason}.`, href }
  })
}
