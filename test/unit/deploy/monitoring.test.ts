import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { parser } from '@prometheus-io/lezer-promql'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { parse } from 'yaml'

const ROOT = join(import.meta.dirname, '../../..')
const MONITORING = join(ROOT, 'src/deploy/monitoring')

interface Expression {
  readonly of: string
  readonly text: string
}

function alerts(): Expression[] {
  const { groups } = parse(readFileSync(join(MONITORING, 'alerts.yaml'), 'utf8'))
  return groups.flatMap(({ rules }: { rules: { alert: string; expr: string }[] }) =>
    rules.map(({ alert, expr }) => ({ of: alert, text: expr })),
  )
}

function panels(): Expression[] {
  const { panels } = JSON.parse(readFileSync(join(MONITORING, 'grafana-dashboard.json'), 'utf8'))
  return panels.flatMap(({ title, targets }: { title: string; targets: { expr: string }[] }) =>
    targets.map(({ expr }) => ({ of: title, text: expr.replaceAll('$__rate_interval', '5m') })),
  )
}

/** Metric names of an expression; throws when it is no PromQL. */
function metricsOf({ of, text }: Expression): string[] {
  const names: string[] = []
  parser.parse(text).iterate({
    enter: ({ type, name, from, to }) => {
      if (type.isError) throw new Error(`${of}: no PromQL at ${from}: ${text}`)
      const parent = name === 'Identifier' && text.slice(from, to)
      if (parent) names.push(parent)
    },
  })
  return names
}

/** Names that the process exports: ours as they stand in the source, and the library's own. */
function exported(): ReadonlySet<string> {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const ours = globSync(join(ROOT, 'src/**/*.ts')).flatMap((file) => {
    const text = readFileSync(file, 'utf8')
    return [...text.matchAll(/'(audgate_[a-z_]+)'/g)].map(([, name = '']) => name)
  })
  const histograms = ours.filter((name) => name.endsWith('_seconds')).map((name) => `${name}_bucket`)
  return new Set([...ours, ...histograms, ...registry.getMetricsAsArray().map(({ name }) => name), 'up'])
}

describe('alerts and dashboard', () => {
  const names = exported()

  for (const expression of [...alerts(), ...panels()]) {
    it(`${expression.of}: is PromQL over metrics that exist`, () => {
      const used = metricsOf(expression)
      assert.ok(used.length > 0)
      for (const name of used) assert.ok(names.has(name), `${name} is exported nowhere`)
    })
  }

  it('of files it compares those of one database only: gateways that follow have files of their own', () => {
    const text = alerts().find(({ of }) => of === 'AudgateFilesDiffer')?.text ?? ''
    // Exported by none that follows.
    assert.ok(metricsOf({ of: 'files', text }).includes('audgate_pool_open'))
  })

  it('each alert says what it means and what to look at', () => {
    const { groups } = parse(readFileSync(join(MONITORING, 'alerts.yaml'), 'utf8'))
    for (const { annotations } of groups[0].rules) assert.ok(annotations.summary && annotations.description)
  })
})
