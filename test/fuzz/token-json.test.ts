import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { importJwk } from '../../src/token/jwk.ts'
import { parseStrictJson } from '../../src/token/jws.ts'
import { makeKey } from '../support/keys.ts'

const OPTIONS = { numRuns: 1_000, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: false }
const parse = (text: string) => parseStrictJson(Buffer.from(text))

/** JSON text of an object whose members may stand twice, in any spelling. */
const members = fc.array(
  fc.tuple(fc.string({ unit: 'grapheme', maxLength: 4 }), fc.boolean(), fc.json({ maxDepth: 2 })),
  {
    maxLength: 6,
  },
)

function spelled(name: string, escaped: boolean): string {
  if (!escaped) return JSON.stringify(name)
  const units = Array.from({ length: name.length }, (_, i) => name.charCodeAt(i).toString(16).padStart(4, '0'))
  return `"${units.map((unit) => `\\u${unit}`).join('')}"`
}

describe('strict JSON', () => {
  it('reads exactly what JSON.parse reads, or nothing', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string(), fc.string({ unit: 'binary' })), (text) => {
        const result = parse(text)
        if (result.ok) assert.deepEqual(result.value, JSON.parse(text))
      }),
      OPTIONS,
    )
  })

  it('refuses an object exactly when a member stands twice in it, whatever the spelling', () => {
    fc.assert(
      fc.property(members, (list) => {
        const names = list.map(([name]) => name)
        fc.pre(!names.includes('__proto__') && list.every(([, , value]) => !value.includes('__proto__')))
        const text = `{${list.map(([name, escaped, value]) => `${spelled(name, escaped)}:${value}`).join(',')}}`
        assert.equal(parse(text).ok, new Set(names).size === names.length)
      }),
      OPTIONS,
    )
  })

  it('never throws on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void parseStrictJson(bytes)),
      OPTIONS,
    )
  })
})

describe('a published key', () => {
  it('of any shape is imported or not, and never throws', () => {
    const good = makeKey().publicJwk
    const over = fc.dictionary(
      fc.constantFrom(
        'kty',
        'crv',
        'x',
        'y',
        'n',
        'e',
        'd',
        'k',
        'use',
        'key_ops',
        'alg',
        'kid',
        'x5c',
        'ext',
        'toJSON',
      ),
      fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.constantFrom('RSA', 'EC', 'OKP', 'oct', 'AQAB', 'P-256', 'Ed25519')),
    )
    fc.assert(
      fc.property(over, fc.boolean(), (members, bare) => void importJwk(bare ? members : { ...good, ...members })),
      OPTIONS,
    )
  })
})
