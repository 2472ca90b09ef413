import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { extractCredential } from '../../../src/core/credential.ts'

const of = (...values: string[]) => extractCredential(values.flatMap((value) => ['Authorization', value]))

describe('the credential', () => {
  it('is none without Authorization, and is never read from anything else', () => {
    assert.deepEqual(extractCredential(['Cookie', 'access_token=x', 'X-Authorization', 'Bearer x']), { kind: 'none' })
  })
  it('is a bearer token, the scheme in any case', () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
      assert.deepEqual(of(`${scheme} aA0-._~+/==`), { kind: 'bearer', token: 'aA0-._~+/==' })
    }
    assert.deepEqual(extractCredential(['aUTHORIZATION', 'Bearer  x']), { kind: 'bearer', token: 'x' })
  })
  for (const value of ['Basic dTpw', 'Digest x', 'Bearerish x', 'Bear x', 'X', '', 'Basic x, Bearer y']) {
    it(`${JSON.stringify(value)} counts as none: another scheme`, () => assert.deepEqual(of(value), { kind: 'none' }))
  }
  for (const value of [
    'Bearer',
    'Bearer ',
    'Bearer a b',
    'Bearer a,b',
    'Bearer a, Bearer b',
    'Bearer\tx',
    'Bearer =',
    'Bearer a=b',
    'Bearer "x"',
    'Bearer \u00fc',
    'Bearer,x',
    'Bearer=x',
    'Bearer a@b',
    'Bearer x:y',
    'DPoP',
    'DPoP a b',
  ]) {
    it(`${JSON.stringify(value)} is malformed`, () => assert.equal(of(value).kind, 'malformed'))
  }
  it('is malformed with two Authorization fields, whatever they hold', () => {
    assert.equal(of('Bearer a', 'Bearer b').kind, 'malformed')
    assert.equal(of('Bearer a', 'Bearer a').kind, 'malformed')
    assert.equal(of('Basic a', 'Bearer a').kind, 'malformed')
    assert.equal(of('', '').kind, 'malformed')
  })
  it('that is too long is left to the verifier', () => assert.equal(of(`Bearer ${'a'.repeat(9000)}`).kind, 'bearer'))
  it('is a DPoP token with its proof', () => {
    assert.deepEqual(extractCredential(['DPoP', 'p.r.f', 'Authorization', 'dpop t']), {
      kind: 'dpop',
      token: 't',
      proof: 'p.r.f',
    })
  })
  it('without a proof says so, and with two it is malformed (RFC 9449 §4.3)', () => {
    assert.deepEqual(of('DPoP t'), { kind: 'dpop', token: 't', proof: undefined })
    assert.equal(extractCredential(['Authorization', 'DPoP t', 'DPoP', 'a', 'dpop', 'b']).kind, 'malformed')
  })
})
