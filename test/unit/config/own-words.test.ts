// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what looks like templates is the notation of routes.yaml
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Document } from 'yaml'
import { jsonSchema } from '../../../src/config/load.ts'
import { problemsOf } from './files.ts'

type Path = readonly (string | number)[]

/** Every place of a file that the schema describes. */
function placesOf(schema: unknown, path: Path = []): Path[] {
  if (typeof schema !== 'object' || schema === null) return []
  const { properties, items, anyOf, additionalProperties } = schema as Readonly<Record<string, unknown>>
  return [
    path,
    ...Object.entries(properties ?? {}).flatMap(([key, child]) => placesOf(child, [...path, key])),
    ...placesOf(items, [...path, 0]).filter(() => items !== undefined),
    ...placesOf(additionalProperties, [...path, 'key']),
    ...(Array.isArray(anyOf) ? anyOf.flatMap((option) => placesOf(option, path)) : []),
  ]
}

function fileWith(path: Path, value: unknown): string {
  const nested = path.reduceRight<unknown>((inner, part) => (part === 0 ? [inner] : { [part]: inner }), value)
  return new Document(nested).toString()
}

const VALUES = [
  0,
  -1,
  3,
  1e9,
  1.5,
  '',
  'x',
  'a b',
  [],
  ['x'],
  [1],
  {},
  { a: 1 },
  null,
  true,
  false,
  '1h',
  '0s',
  '99999d',
  '5 m',
]
const LIBRARY = /Invalid|[Ee]xpected|Too (small|big)|received|Unrecognized/

describe('What is wrong with a value', () => {
  const places = new Map(placesOf(jsonSchema()).map((path) => [JSON.stringify(path), path]))

  it('is said in words of our own, with its line and column, at every key', () => {
    assert.ok(places.size > 150, `${places.size} places`)
    for (const path of places.values())
      for (const value of VALUES)
        for (const problem of problemsOf(fileWith(path, value))) {
          assert.doesNotMatch(problem, LIBRARY, `${path.join('.')}: ${JSON.stringify(value)}`)
          assert.match(problem, /^(?:[^:]+:)?\d+:\d+: /)
        }
  })

  it('of a number without a unit is that, and not that it lacks quotes', () => {
    for (const key of ['access_token_ttl', 'refresh_token_ttl']) {
      const [problem = ''] = problemsOf(fileWith(['issuer', key], 15)).filter((each) => each.includes(key))
      assert.match(problem, /must be a duration such as 5m/)
    }
    const [text = ''] = problemsOf(fileWith(['instance'], 15)).filter((each) => each.includes('instance'))
    assert.match(text, /must be text; put it in quotes/)
  })
})
