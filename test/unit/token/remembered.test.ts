import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { VerifierIssuer } from '../../../src/token/trusted-issuer.ts'
import { makeKey, mintToken, TEST_ISSUER } from '../../support/keys.ts'
import {
  assertRejected,
  assertVerified,
  bearer,
  NOW,
  revokedWhere,
  trusting,
  verifierOf,
} from '../../support/verifier-under-test.ts'

const key = makeKey('ES256', 'k')
const token = mintToken(key, { now: NOW })

describe('a remembered token', () => {
  it('is answered with the same evidence, at once', async () => {
    const verifier = verifierOf([trusting([key])])
    const first = await bearer(verifier, token)
    assert.equal(await bearer(verifier, `${token}`), first)
    const { cacheHits, cacheMisses, cacheSize } = verifier.stats(NOW)
    assert.deepEqual([cacheHits, cacheMisses, cacheSize], [1, 1, 1])
  })

  it('is refused from the moment it expires', async () => {
    const verifier = verifierOf([trusting([key])])
    assertVerified(await bearer(verifier, token, NOW + 359))
    assertRejected(await bearer(verifier, token, NOW + 360), 'expired')
  })

  it('is refused when the clock is set back before its beginning', async () => {
    const verifier = verifierOf([trusting([key])])
    assertVerified(await bearer(verifier, token))
    assertRejected(await bearer(verifier, token, NOW - 61), 'not_yet_valid')
  })

  it('is not alive again when the clock is set back after it expired, whether it is remembered or not', async () => {
    const tokenAt = (now: number) => mintToken(key, { now })
    const [old, unseen] = [tokenAt(NOW), tokenAt(NOW)]
    const verifier = verifierOf([trusting([key])])
    assertVerified(await bearer(verifier, old))
    assertRejected(await bearer(verifier, old, NOW + 400), 'expired')
    for (const token of [old, unseen]) assertRejected(await bearer(verifier, token, NOW + 100), 'expired', /set back/)
    assertVerified(await bearer(verifier, tokenAt(NOW + 100), NOW + 100))
    assertVerified(await bearer(verifier, tokenAt(NOW + 90), NOW + 91))
  })

  it('that had not expired yet goes on when the clock is set back, and a little is no jump', async () => {
    const verifier = verifierOf([trusting([key])])
    assertVerified(await bearer(verifier, token, NOW + 200))
    assertVerified(await bearer(verifier, token, NOW + 20))
    assertRejected(await bearer(verifier, token, NOW + 360), 'expired')
    assertVerified(await bearer(verifier, token, NOW + 340))
  })

  it('is refused from the moment it is revoked, and good again when that is undone', async () => {
    let revoked = false
    const verifier = verifierOf([trusting([key], { embedded: true })], { revocations: revokedWhere(() => revoked) })
    assertVerified(await bearer(verifier, token))
    revoked = true
    assertRejected(await bearer(verifier, token), 'revoked')
    revoked = false
    assertVerified(await bearer(verifier, token))
  })

  it('is unavailable while nobody knows what is revoked, if it is of the embedded issuer', async () => {
    let unknown: string | undefined
    const over = { embeddedUnavailable: () => unknown }
    const own = verifierOf([trusting([key], { embedded: true })], over)
    const foreign = verifierOf([trusting([key])], over)
    assertVerified(await bearer(own, token))
    assertVerified(await bearer(foreign, token))
    unknown = 'the revocation feed is silent'
    assert.deepEqual(await bearer(own, token), { kind: 'unavailable', detail: unknown, retryAfterSeconds: 5 })
    assertVerified(await bearer(foreign, token))
  })

  it('is verified once when it comes many times in one turn', async () => {
    const verifier = verifierOf([trusting([key])])
    const all = await Promise.all(Array.from({ length: 20 }, () => bearer(verifier, token)))
    for (const evidence of all) assert.equal(evidence, all[0])
    assertVerified(await bearer(verifier, token))
  })

  it('is judged by what a reload puts in force while its signature waits to be checked', async () => {
    const verifier = verifierOf([trusting([key])])
    const waiting = bearer(verifier, token)
    verifier.setIssuers([])
    assertRejected(await waiting, 'untrusted_issuer')
  })

  it('is judged by the keys of the new file, not by what another request found by the old ones in the same turn', async () => {
    const verifier = verifierOf([trusting([key])])
    const before = bearer(verifier, token)
    verifier.setIssuers([trusting([makeKey('ES256', 'k')])])
    const after = bearer(verifier, token)
    assertRejected(await before, 'bad_signature')
    assertRejected(await after, 'bad_signature')
    assertRejected(await bearer(verifier, token), 'bad_signature')
  })

  const narrowed: readonly (readonly [string, readonly VerifierIssuer[], Parameters<typeof assertRejected>[1]])[] = [
    ['its issuer is trusted no more', [], 'untrusted_issuer'],
    ['its algorithm is listed no more', [trusting([key], { algorithms: ['RS256'] })], 'bad_signature'],
    ['its type is another now', [trusting([key], { tokenTypes: ['jwt'] })], 'wrong_type'],
    ['its key is gone', [trusting([makeKey('ES256', 'other')])], 'unknown_key'],
    ['its kid is another key now', [trusting([makeKey('ES256', 'k')])], 'bad_signature'],
    ['its client claim is another now', [claimsOf({ client: 'azp' })], 'missing_claim'],
    ['the tolerance is gone', [trusting([key], { toleranceSeconds: 0 })], 'expired'],
  ]
  for (const [what, issuers, fault] of narrowed) {
    it(`is refused by the next request after a reload by which ${what}`, async () => {
      const verifier = verifierOf([trusting([key])])
      assertVerified(await bearer(verifier, token, NOW + 300))
      verifier.setIssuers(issuers)
      assertRejected(await bearer(verifier, token, NOW + 300), fault)
    })
  }

  it('is read anew after a reload that maps its claims otherwise', async () => {
    const verifier = verifierOf([trusting([key])])
    const mapped = mintToken(key, { now: NOW, claims: { roles: ['editors'] } })
    assert.deepEqual(assertVerified(await bearer(verifier, mapped)).groups, ['photos'])
    verifier.setIssuers([claimsOf({ groups: 'roles' })])
    assert.deepEqual(assertVerified(await bearer(verifier, mapped)).groups, ['editors'])
  })

  it('stays remembered over a reload that changes nothing', async () => {
    const settings = trusting([key])
    const verifier = verifierOf([settings])
    const before = await bearer(verifier, token)
    verifier.setIssuers([
      { ...settings, claims: { ...settings.claims } },
      trusting([], { issuer: 'https://new.example' }),
    ])
    assert.equal(await bearer(verifier, token), before)
  })

  it('is refused when keysChanged takes its key away, and good while its key stays', async () => {
    const [next, keys] = [makeKey('ES256', 'next'), [key.publicJwk]]
    const verifier = verifierOf([trusting([key], { keys: { kind: 'static', jwks: () => keys } })])
    assertVerified(await bearer(verifier, token))
    keys.push(next.publicJwk)
    verifier.keysChanged(TEST_ISSUER)
    assertVerified(await bearer(verifier, token))
    assertVerified(await bearer(verifier, mintToken(next, { now: NOW })))
    keys.shift()
    verifier.keysChanged(TEST_ISSUER)
    verifier.keysChanged('https://unknown.example')
    assertRejected(await bearer(verifier, token), 'unknown_key')
  })

  it('is not pushed out by a flood of bad ones, which are not remembered', async () => {
    const verifier = verifierOf([trusting([key])], { cacheEntries: 4 })
    const first = await bearer(verifier, token)
    const stranger = makeKey('ES256', 'k')
    for (let i = 0; i < 50; i++) {
      await bearer(verifier, mintToken(stranger, { now: NOW }))
      await bearer(verifier, mintToken(key, { now: NOW - 10_000 }))
      await bearer(verifier, `garbage-${i}`)
    }
    assert.equal(verifier.stats(NOW).cacheSize, 1)
    assert.equal(await bearer(verifier, token), first)
  })

  it('stays while it is used, however many others pass', async () => {
    const verifier = verifierOf([trusting([key])], { cacheEntries: 8 })
    const first = await bearer(verifier, token)
    for (let i = 0; i < 30; i++) {
      await bearer(verifier, mintToken(key, { now: NOW }))
      assert.equal(await bearer(verifier, token), first)
      assert.ok(verifier.stats(NOW).cacheSize <= 8)
    }
  })
})

describe('two issuers of one name', () => {
  it('are refused as a whole, and what was in force stays', async () => {
    assert.throws(() => verifierOf([trusting([key]), trusting([makeKey()])]), /two issuers/)
    const verifier = verifierOf([trusting([key])])
    assert.throws(() => verifier.setIssuers([trusting([key]), trusting([])]), /two issuers/)
    assertVerified(await bearer(verifier, token))
  })
})

function claimsOf(names: Partial<VerifierIssuer['claims']>): VerifierIssuer {
  const settings = trusting([key])
  return { ...settings, claims: { ...settings.claims, ...names } }
}
