import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Config } from '../../../src/config/config.ts'
import { decodeConfig } from '../../../src/config/load.ts'

/** A whole file that is good, in as few lines as it takes; its resource, rules and route are what most tests bend. */
export const GOOD = `public_url: https://gate.example.com
resources:
  - id: https://gate.example.com/photos
    name: Photo library
    scopes: { photos:read: See photos, photos:write: Change photos }
    grants:
      - groups: [photos]
        scopes: [photos:read]
routes:
  - id: photos
    path: /photos
    resource: https://gate.example.com/photos
    upstream: http://127.0.0.1:2283
    rules:
      - methods: [read]
        scopes: [photos:read]
`

type Environment = Readonly<Record<string, string | undefined>>

/** The config of a file that must be good. */
export function configOf(text: string, env: Environment = {}, file = '/etc/audgate/routes.yaml'): Config {
  const result = decodeConfig(text, file, env)
  assert.deepEqual(result.ok ? [] : result.problems, [])
  assert.ok(result.ok)
  return result.config
}

/** The problems of a text as `LINE:COL: message`; empty when it is good. */
export function problemsOf(text: string, env: Environment = {}): string[] {
  const result = decodeConfig(text, 'routes.yaml', env)
  return result.ok ? [] : result.problems.map(({ line, column, message }) => `${line}:${column}: ${message}`)
}

/** {@link GOOD} with `from` replaced; a replacement that changes nothing is a mistake in the test. */
export function bent(from: string, to: string): string {
  assert.ok(GOOD.includes(from), `the good file has no ${from}`)
  return GOOD.replace(from, to)
}

/** {@link GOOD} with more lines for its route. */
export function withRouteLines(...lines: readonly string[]): string {
  return `${GOOD}${lines.map((line) => `    ${line}\n`).join('')}`
}

/** {@link GOOD} with more lines at the top level, from line 2 on. */
export function withTopLines(...lines: readonly string[]): string {
  return GOOD.replace('resources:', `${lines.join('\n')}\nresources:`)
}

/** A file with one mistake, and what is said about it; `problem` may match any line of the problems with the flag `m`. */
export interface Case {
  readonly rule: string
  readonly text: string
  readonly problem: RegExp
}

/** One test for each case. */
export function describeCases(title: string, cases: readonly Case[]): void {
  describe(title, () => {
    for (const { rule, text, problem } of cases) {
      it(rule, () => assert.match(problemsOf(text).join('\n'), problem))
    }
  })
}
