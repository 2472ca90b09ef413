import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { importJwk } from '../../src/token/jwk.ts'
import { parseJson } from '../../src/token/jws.ts'
import { makeKey } from '../support/keys.ts'

const OPTIONS = { numRuns: 1_000, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: false }
const parse = (text: string) => parseJson(Buffer.from(text))

describe('the JSON of a token', () => {
  it('reads exactly what JSON.parse reads, or nothing', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string(), fc.string({ unit: 'binary' })), (text) => {
        const result = parse(text)
        if (result.ok) assert.deepEqual(result.value, JSON.parse(text))
      }),
      OPTIONS,
    )
  })

  it('never throws on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void parseJson(bytes)),
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
