import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { CompactSign, calculateJwkThumbprint, compactVerify, importJWK } from 'jose'
import { createSigningKeys, type SigningAlg, type SigningKeys } from '../../../src/issuer/keys/signing-keys.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import { type Store, StoreError } from '../../../src/store/store.ts'

const START = 1_700_000_000_000
const TOKEN_SECONDS = 300

describe('signing keys', () => {
  let folder = ''
  let store: Store
  let nowMs = START
  const keysOf = (
    over: { alg?: SigningAlg; tokenSeconds?: number; masterKey?: Buffer; store?: Store } = {},
  ): SigningKeys =>
    createSigningKeys({
      store,
      masterKey: Buffer.alloc(32, 1),
      now: () => nowMs,
      alg: 'ES256',
      tokenSeconds: TOKEN_SECONDS,
      publishSeconds: 90,
      ...over,
    })
  const kids = (keys: SigningKeys): (string | undefined)[] => keys.publicJwks().map((key) => key.kid)
  const signer = (keys: SigningKeys): string | undefined => keys.privateJwks()[0]?.kid

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'audgate-keys-'))
    store = await openSqliteStore(join(folder, 'audgate.db'))
    nowMs = START
  })
  afterEach(async () => {
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  })

  for (const alg of ['ES256', 'RS256', 'EdDSA'] as const) {
    it(`${alg}: made at first start, named by RFC 7638 thumbprint, fit to sign`, async () => {
      const keys = keysOf({ alg })
      assert.equal(await keys.tick(), true)
      const [secret, published] = [keys.privateJwks()[0], keys.publicJwks()[0]]
      assert.ok(secret !== undefined && published !== undefined)
      assert.equal(published.kid, await calculateJwkThumbprint(published))
      assert.deepEqual([published.alg, published.use, published.d], [alg, 'sig', undefined])
      const jws = await new CompactSign(Buffer.from('x')).setProtectedHeader({ alg }).sign(await importJWK(secret))
      await compactVerify(jws, await importJWK(published))
    })
  }

  it('are the same after a restart, and nothing changes by looking', async () => {
    const first = keysOf()
    await first.tick()
    assert.equal(await first.tick(), false)
    const second = keysOf()
    await second.tick()
    assert.deepEqual(second.privateJwks(), first.privateJwks())
  })

  it('two processes that start at once get one set', async () => {
    const other = await openSqliteStore(join(folder, 'audgate.db'))
    const both = [keysOf(), keysOf({ store: other }), keysOf(), keysOf({ store: other })]
    await Promise.all(both.map((keys) => keys.tick()))
    assert.equal(new Set(both.map((keys) => kids(keys).join())).size, 1)
    assert.equal(kids(keysOf()).length, 0)
    assert.equal((await store.signingKeys()).length, 1)
    await other.close()
  })

  it('rotate publishes the new key before it signs, and keeps the old one until its last token has expired', async () => {
    const keys = keysOf()
    await keys.tick()
    const old = signer(keys)
    const { kid } = await keys.rotate()
    assert.equal(await keys.tick(), true)
    assert.deepEqual([signer(keys), kids(keys)], [old, [old, kid]])

    nowMs = START + 89_000
    assert.equal(await keys.tick(), false)
    nowMs = START + 90_000
    assert.equal(await keys.tick(), true)
    assert.deepEqual([signer(keys), kids(keys)], [kid, [kid, old]])

    nowMs = START + (90 + TOKEN_SECONDS + 119) * 1000
    await keys.tick()
    assert.deepEqual(kids(keys), [kid, old])
    nowMs += 2000
    await keys.tick()
    assert.deepEqual(kids(keys), [kid])
  })

  for (const [what, alg] of [
    ['by keys rotate', 'ES256'],
    ['by another signing_alg', 'EdDSA'],
  ] as const) {
    it(`a key that is left ${what} is kept for the longest life that it has signed for, not for today's`, async () => {
      const long = keysOf({ tokenSeconds: 7_200 })
      await long.tick()
      const old = signer(long)
      const short = keysOf({ alg })
      await short.tick()
      if (alg === 'ES256') await short.rotate()
      nowMs += 91_000
      await short.tick()
      const left = alg === 'ES256' ? 90 : 0
      nowMs = START + (left + 7_200 + 119) * 1_000
      await short.tick()
      assert.ok(kids(short).includes(old))
      nowMs += 2_000
      await short.tick()
      assert.ok(!kids(short).includes(old))
    })
  }

  it('a key that signs is kept for a life that was lengthened meanwhile', async () => {
    await keysOf().tick()
    const long = keysOf({ tokenSeconds: 7_200 })
    await long.tick()
    await keysOf().tick()
    assert.equal((await store.signingKeys())[0]?.tokenSeconds, 7_200)
  })

  it('rotating twice at once publishes one new key', async () => {
    const [keys, others] = [keysOf(), keysOf()]
    await keys.tick()
    const [one, other] = await Promise.all([keys.rotate(), others.rotate()])
    assert.equal(one.kid, other.kid)
    assert.equal((await store.signingKeys()).length, 2)
  })

  it('all processes come to the same keys, whenever they look', async () => {
    const [early, late] = [keysOf(), keysOf()]
    await early.tick()
    await late.tick()
    await early.rotate()
    nowMs += 91_000
    await early.tick()
    nowMs += 30_000
    await late.tick()
    assert.deepEqual(kids(late), kids(early))
    assert.equal((await store.signingKeys()).find((key) => key.state === 'retiring')?.retireAt, START / 1000 + 90 + 420)
  })

  it('a clock that goes back does not take the signing key away', async () => {
    const keys = keysOf()
    await keys.tick()
    nowMs -= 3_600_000
    assert.equal(await keys.tick(), false)
    assert.equal(kids(keys).length, 1)
  })

  it('another signing_alg makes a key of its kind and keeps the old one for its tokens', async () => {
    const before = keysOf()
    await before.tick()
    const after = keysOf({ alg: 'EdDSA' })
    await after.tick()
    assert.deepEqual(
      after.privateJwks().map((key) => key.alg),
      ['EdDSA', 'ES256'],
    )
    nowMs += (TOKEN_SECONDS + 121) * 1000
    await after.tick()
    assert.deepEqual(
      after.publicJwks().map((key) => key.alg),
      ['EdDSA'],
    )
  })

  it('rest sealed: the store holds no private part in clear', async () => {
    const keys = keysOf()
    await keys.tick()
    const row = JSON.stringify(await store.signingKeys())
    assert.equal(row.includes(String(keys.privateJwks()[0]?.d)), false)
  })

  it('that were sealed with another secret stop with a word, and are not replaced', async () => {
    await keysOf().tick()
    const wrong = keysOf({ masterKey: Buffer.alloc(32, 2) })
    const isStoreError = (error: unknown): boolean =>
      error instanceof StoreError && /another secret/.test(error.message)
    await assert.rejects(wrong.tick(), isStoreError)
    await assert.rejects(wrong.rotate(), isStoreError)
    assert.equal((await store.signingKeys()).length, 1)
  })
})
