import assert from 'node:assert/strict'
import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { describe, it } from 'node:test'
import { ecdsaSignature } from '../../../src/token/signature.ts'

const CURVES = [
  { curve: 'P-256', bytes: 32, hash: 'sha256' },
  { curve: 'P-384', bytes: 48, hash: 'sha384' },
  { curve: 'P-521', bytes: 66, hash: 'sha512' },
]

function hex(signature: string, numberBytes: number): string | undefined {
  const converted = ecdsaSignature(Buffer.from(signature, 'hex'), numberBytes)
  return converted === undefined ? undefined : Buffer.from(converted).toString('hex')
}

describe('an ECDSA signature of a JWS, for OpenSSL', () => {
  for (const { curve, bytes, hash } of CURVES) {
    it(`${curve}: what node signs in the one form is good in the other`, () => {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: curve })
      for (let i = 0; i < 50; i++) {
        const text = Buffer.from(`text ${i}`)
        const signature = sign(hash, text, { key: privateKey, dsaEncoding: 'ieee-p1363' })
        const converted = ecdsaSignature(signature, bytes)
        assert.ok(converted !== undefined && verify(hash, text, publicKey, converted))
        signature[i % signature.length] = (signature[i % signature.length] ?? 0) ^ 1
        const changed = ecdsaSignature(signature, bytes)
        assert.ok(changed !== undefined && !verify(hash, text, publicKey, changed))
      }
    })
  }

  it('numbers are written as short as they are, and never negative', () => {
    assert.equal(hex('0001' + '0080', 2), '3007020101' + '02020080')
    assert.equal(hex('7fff' + '8000', 2), '300902027fff' + '0203008000')
    assert.equal(hex('0000' + '0000', 2), '3006020100' + '020100')
  })

  it('the length of the longest has a byte of its own', () => {
    const long = hex('ff'.repeat(132), 66)
    assert.ok(long?.startsWith('30818a024300ff'))
    assert.equal(long?.length, 2 * (3 + 0x8a))
  })

  it('another length is no signature: shorter, longer, the form of X.509 itself', () => {
    for (const length of [0, 1, 63, 65, 70, 72, 128])
      assert.equal(ecdsaSignature(new Uint8Array(length), 32), undefined)
  })
})
