import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, it } from 'node:test'
import { calculateJwkThumbprint } from 'jose'
import { importJwk, thumbprint } from '../../../src/token/jwk.ts'
import type { PublishedKey } from '../../../src/token/trusted-issuer.ts'
import { makeKey, mintToken, TEST_ISSUER, type TestKey } from '../../support/keys.ts'
import { assertRejected, assertVerified, bearer, NOW, trusting, verifierOf } from '../../support/verifier-under-test.ts'

const ec = makeKey('ES256', 'ec')
const rsa = makeKey('RS256', 'rsa')
const ed = makeKey('EdDSA', 'ed')

describe('a published key', () => {
  const { alg, ...ecWithoutAlg } = ec.publicJwk
  const { alg: _, ...rsaWithoutAlg } = rsa.publicJwk
  const { alg: __, ...edWithoutAlg } = ed.publicJwk
  const algs = (jwk: PublishedKey): string[] => [...(importJwk(jwk)?.checks.keys() ?? [])]

  it('without alg is good for the algorithms of its own kind only', () => {
    assert.equal(alg, 'ES256')
    assert.deepEqual(algs(ecWithoutAlg), ['ES256'])
    assert.deepEqual(algs(edWithoutAlg), ['EdDSA', 'Ed25519'])
    assert.deepEqual(algs(rsaWithoutAlg), ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'])
  })

  it('with alg is good for that one only', () => assert.deepEqual(algs(rsa.publicJwk), ['RS256']))

  const generated = (bits: number, exponent: number): PublishedKey => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: bits, publicExponent: exponent })
    return { ...publicKey.export({ format: 'jwk' }) }
  }
  const unfit: Readonly<Record<string, PublishedKey>> = {
    'a symmetric one': { kty: 'oct', k: 'AAAA', alg: 'HS256', kid: 'x' },
    'one with its private part': { ...(ec.privateKey.export({ format: 'jwk' }) as PublishedKey), kid: 'ec' },
    'one for encryption (use)': { ...ec.publicJwk, use: 'enc' },
    'one of another use': { ...ec.publicJwk, use: 7 },
    'one whose key_ops lack verify': { ...ec.publicJwk, key_ops: ['encrypt'] },
    'one whose key_ops are no list': { ...ec.publicJwk, key_ops: 'verify' },
    'one whose alg is not of its kind': { ...ec.publicJwk, alg: 'RS256' },
    'one whose alg is symmetric': { ...ec.publicJwk, alg: 'HS256' },
    'one whose alg is no string': { ...ec.publicJwk, alg: ['ES256'] },
    'one whose kid is no string': { ...ec.publicJwk, kid: 7 },
    'one of an unknown kind': { ...ec.publicJwk, kty: 'XX' },
    'one of a curve without algorithm': { ...makeUnusual('secp256k1') },
    'one that is off its curve': { ...ec.publicJwk, x: ec.publicJwk.y, y: ec.publicJwk.x },
    'one without its parts': { kty: 'EC', crv: 'P-256' },
    'an RSA key of 1024 bits': generated(1024, 65537),
    'an RSA key without parts': { kty: 'RSA', n: '', e: 'AQAB' },
    'an RSA key whose exponent is 1': { ...rsa.publicJwk, e: 'AQ' },
    'an RSA key whose exponent is huge': { ...rsa.publicJwk, e: rsa.publicJwk.n },
    'nothing at all': {},
  }
  for (const [name, jwk] of Object.entries(unfit)) {
    it(`is never used when it is ${name}`, () => assert.equal(importJwk(jwk), undefined))
  }

  it('has the thumbprint of RFC 7638, whatever else stands in it', async () => {
    for (const key of [ec, rsa, ed]) {
      assert.equal(thumbprint(key.publicJwk), await calculateJwkThumbprint(key.publicJwk))
      assert.equal(thumbprint(key.publicJwk), key.jkt)
    }
  })
})

function makeUnusual(namedCurve: string): PublishedKey {
  return { ...generateKeyPairSync('ec', { namedCurve }).publicKey.export({ format: 'jwk' }) }
}

describe('the key by kid', () => {
  const at = (issuer: string) => ({ issuer })
  const mint = (key: TestKey, iss: string, header = {}) => mintToken(key, { now: NOW, claims: { iss }, header })
  const A = TEST_ISSUER
  const B = 'https://b.example.com'

  it('comes from the set of the token’s own issuer, though two issuers use one kid', async () => {
    const a = makeKey('ES256', 'shared')
    const b = makeKey('ES256', 'shared')
    const verifier = verifierOf([trusting([a], at(A)), trusting([b], at(B))])
    assertVerified(await bearer(verifier, mint(a, A)))
    assertVerified(await bearer(verifier, mint(b, B)))
    assertRejected(await bearer(verifier, mint(a, B)), 'bad_signature')
    assertRejected(await bearer(verifier, mint(b, A)), 'bad_signature')
  })

  it('is unknown when only another issuer has it', async () => {
    const verifier = verifierOf([trusting([ec], at(A)), trusting([rsa], { ...at(B), algorithms: ['RS256', 'ES256'] })])
    assertRejected(await bearer(verifier, mint(ec, B)), 'unknown_key', /b\.example\.com has no key ec/)
  })

  it('may be left out when exactly one key of the set fits the algorithm', async () => {
    const header = { kid: undefined }
    const second = makeKey('ES256')
    assertVerified(await bearer(verifierOf([trusting([ec, rsa])]), mint(ec, A, header)))
    assertRejected(await bearer(verifierOf([trusting([ec, second])]), mint(ec, A, header)), 'unknown_key', /kid/)
  })

  it('may stand at several keys: the signature tells which one was meant', async () => {
    const [one, two] = [makeKey('ES256', 'same'), makeKey('ES256', 'same')]
    const verifier = verifierOf([trusting([one, two])])
    assertVerified(await bearer(verifier, mint(one, A)))
    assertVerified(await bearer(verifier, mint(two, A)))
    assertRejected(await bearer(verifier, mint(makeKey('ES256', 'same'), A)), 'bad_signature')
  })

  it('is no name of an inherited member', async () => {
    const verifier = verifierOf([trusting([ec])])
    for (const kid of ['constructor', '__proto__', 'toString', '']) {
      assertRejected(await bearer(verifier, mint(ec, A, { kid })), 'unknown_key')
    }
  })

  it('cannot be found at all in an empty set: unavailable, never a pass', async () => {
    const evidence = await bearer(verifierOf([trusting([], { algorithms: ['ES256'] })]), mint(ec, A))
    assert.equal(evidence.kind, 'unavailable')
    assert.ok(evidence.kind === 'unavailable' && evidence.retryAfterSeconds > 0)
  })
})
