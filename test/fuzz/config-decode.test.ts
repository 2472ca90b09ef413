// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what looks like templates is the notation of routes.yaml
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parse, stringify } from 'yaml'
import { decodeConfig } from '../../src/config/load.ts'

const SHIPPED = readFileSync(new URL('../../routes.yaml', import.meta.url), 'utf8')
const RUNS = { numRuns: 300 }

/** What must hold of every answer, whatever the text was. */
function assertSound(text: string): void {
  const result = decodeConfig(text, 'routes.yaml', { HOME: 'x' })
  if (result.ok) {
    for (const { id, access } of result.config.routes) {
      assert.ok(access.kind === 'public' || result.config.resources.includes(access.resource), id)
    }
    return
  }
  assert.ok(result.problems.length > 0, 'a bad file says why')
  const lines = text.split('\n').length
  let before = 0
  for (const { line, column, message } of result.problems) {
    assert.ok(line >= Math.max(1, before) && line <= lines && column >= 1, `${line}:${column} of ${lines} lines`)
    assert.doesNotMatch(message, /[\n\r\0]|\[object|undefined|NaN/)
    before = line
  }
}

/** A JSON value of any shape, with texts that routes.yaml gives a meaning. */
const anyValue = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<unknown>(null, true, false, 0, -1, 1.5, '', '*', '/', '//', '${X}', '${', 'http://', 'any', 'none'),
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('id', 'path', 'scopes', 'public', 'upstream', '__proto__', 'x'), tie('value'), {
      maxKeys: 3,
    }),
  ),
})).value

/** Paths to every value of a document. */
function pathsOf(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  const children = Array.isArray(value)
    ? [...value.entries()]
    : typeof value === 'object' && value !== null
      ? Object.entries(value)
      : []
  return [path, ...children.flatMap(([key, child]) => pathsOf(child, [...path, key]))]
}

function replaced(root: unknown, path: readonly (string | number)[], value: unknown): unknown {
  const [head, ...rest] = path
  if (head === undefined) return value
  if (Array.isArray(root)) return root.map((item, at) => (at === head ? replaced(item, rest, value) : item))
  const entries = Object.entries(root as Record<string, unknown>)
  return Object.fromEntries(entries.map(([key, child]) => [key, key === head ? replaced(child, rest, value) : child]))
}

describe('Any text as routes.yaml', () => {
  it('gives a config or problems, never a throw', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), assertSound), RUNS)
  })

  it('cut off anywhere, and with bytes put in anywhere', () => {
    const cut = fc.tuple(fc.nat(SHIPPED.length), fc.nat(20), fc.string({ unit: 'binary', maxLength: 8 }))
    const property = fc.property(cut, ([at, gone, put]) => {
      assertSound(SHIPPED.slice(0, at))
      assertSound(SHIPPED.slice(0, at) + put + SHIPPED.slice(at + gone))
    })
    fc.assert(property, RUNS)
  })

  it('with any value in the place of any other', () => {
    const document: unknown = parse(SHIPPED)
    const paths = pathsOf(document)
    const property = fc.property(fc.constantFrom(...paths), anyValue, (path, value) => {
      assertSound(stringify(replaced(document, path, value)))
    })
    fc.assert(property, RUNS)
  })

  it('with a value of the environment anywhere: no problem shows it', () => {
    const document: unknown = parse(SHIPPED)
    const paths = pathsOf(document).filter((path) => path.length > 0)
    const secrets = fc.string({ unit: 'binary', maxLength: 20 }).map((text) => `qZ7x${text}`)
    const wrappings = fc.constantFrom('${S}', 'http://${S}', '/${S}', 'claim:${S}', 'sqlite:${S}', '${S}:80', '${S}s')
    const property = fc.property(fc.constantFrom(...paths), wrappings, secrets, (path, text, secret) => {
      const result = decodeConfig(stringify(replaced(document, path, text)), 'routes.yaml', { S: secret })
      const shown = result.ok ? '' : result.problems.map(({ message }) => message).join(' ')
      assert.ok(!shown.toLowerCase().includes('qz7x'), shown)
    })
    fc.assert(property, RUNS)
  })
})
