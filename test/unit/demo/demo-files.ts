import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { Config } from '../../../src/config/config.ts'
import { decodeConfig } from '../../../src/config/load.ts'
import { type DemoPlan, planDemo } from '../../../src/demo/plan.ts'

/** The repository's routes.yaml, with its defaults written out. */
export const SHIPPED = readFileSync(new URL('../../../routes.yaml', import.meta.url), 'utf8').replace(
  /\$\{[A-Z_]+:-([^}]*)\}/g,
  '$1',
)

/** The shipped file, as it would be in `folder`, with `from` replaced; a replacement that changes nothing is a mistake. */
export function shippedConfig(folder: string, from = '', to = ''): Config {
  assert.ok(SHIPPED.includes(from), `the shipped file has no ${from}`)
  const result = decodeConfig(SHIPPED.replaceAll(from, to), `${folder}/routes.yaml`, {
    AUDGATE_FEED_TOKEN: 'f'.repeat(43),
  })
  assert.deepEqual(result.ok ? [] : result.problems, [])
  assert.ok(result.ok)
  return result.config
}

/** The plan of the shipped file, as it would be in `folder`. */
export function shippedPlan(folder: string, from = '', to = ''): DemoPlan {
  const plan = planDemo(shippedConfig(folder, from, to))
  assert.ok(typeof plan === 'object', String(plan))
  return plan
}
