import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createReplayGuard } from '../../../src/token/dpop.ts'
import { createBoundedCache } from '../../../src/token/token-cache.ts'
import { makeKey, mintToken } from '../../support/keys.ts'
import { assertVerified, bearer, NOW, trusting, verifierOf } from '../../support/verifier-under-test.ts'

describe('the cache', () => {
  it('never holds more than its number, and keeps what is used', () => {
    const cache = createBoundedCache<number>(10, 1e9)
    cache.set('used', 0)
    for (let i = 0; i < 1_000; i++) {
      cache.set(`key ${i}`, i)
      assert.equal(cache.get('used'), 0)
      assert.ok(cache.size <= 10)
    }
    assert.equal(cache.get('key 1'), undefined)
    assert.equal(cache.get('key 999'), 999)
  })

  it('never holds more than its bytes, and nothing that is too large by itself', () => {
    const cache = createBoundedCache<number>(1_000, 100_000)
    for (let i = 0; i < 1_000; i++) cache.set(`${'x'.repeat(2_000)}${i}`, i)
    assert.ok(cache.size > 5 && cache.size <= 12, `${cache.size}`)
    cache.set('x'.repeat(20_000), 1)
    assert.equal(cache.get('x'.repeat(20_000)), undefined)
  })

  it('forgets what is deleted, also after it was moved', () => {
    const cache = createBoundedCache<number>(4, 1e9)
    for (const key of ['a', 'b', 'c']) cache.set(key, 1)
    assert.equal(cache.get('a'), 1)
    cache.delete('a')
    assert.equal(cache.get('a'), undefined)
  })

  it('tells keys apart that end alike, and keeps the later one', () => {
    const end = 'x'.repeat(100)
    const cache = createBoundedCache<number>(10, 1e9)
    cache.set(`a${end}`, 1)
    assert.equal(cache.get(`b${end}`), undefined)
    cache.delete(`b${end}`)
    assert.equal(cache.get(`a${end}`), 1)
    cache.set(`b${end}`, 2)
    assert.equal(cache.get(`b${end}`), 2)
    assert.equal(cache.get(`a${end}`), undefined)
  })

  it('of size 0 holds nothing', () => {
    const cache = createBoundedCache<number>(0, 1e9)
    cache.set('a', 1)
    assert.equal(cache.get('a'), undefined)
  })
})

describe('what a verifier remembers', () => {
  it('keeps nothing of the request that a token was cut from', async () => {
    const key = makeKey('ES256', 'k')
    const verifier = verifierOf([trusting([key])])
    const tokens = Array.from({ length: 300 }, () => mintToken(key, { now: NOW }))
    const before = liveBytes()
    for (const token of tokens) {
      const request = Buffer.from(`GET /?${'x'.repeat(100_000)} Bearer ${token}`).toString('latin1')
      assertVerified(await bearer(verifier, request.slice(-token.length)))
    }
    const kept = (liveBytes() - before) / 1024 / 1024
    assert.equal(verifier.stats(NOW).cacheSize, 300)
    assert.ok(kept < 10, `${kept.toFixed(1)} MiB of 29 are kept`)
  })
})

/** After everything that can go has gone. */
function liveBytes(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed
}

describe('the guard against replay', () => {
  it('lets a key be used once until it expires, and forgets it only then', () => {
    const guard = createReplayGuard(10)
    assert.equal(guard.use('a', 160, 100), 'first')
    for (const now of [100, 130, 159, 160]) assert.equal(guard.use('a', 160, now), 'again')
    assert.equal(guard.use('b', 300, 200), 'first')
    assert.equal(guard.size, 1)
  })

  it('forgets nothing before its own second has passed', () => {
    const guard = createReplayGuard(10)
    assert.equal(guard.use('a', 169, 100), 'first')
    assert.equal(guard.use('a', 169, 169), 'again')
  })

  it('knows a key again that comes with another time', () => {
    const guard = createReplayGuard(10)
    assert.equal(guard.use('a', 160, 100), 'first')
    assert.equal(guard.use('a', 190, 130), 'again')
  })

  it('takes nothing new when full, and again when old ones have expired', () => {
    const guard = createReplayGuard(2)
    assert.equal(guard.use('a', 160, 100), 'first')
    assert.equal(guard.use('b', 200, 100), 'first')
    assert.equal(guard.use('c', 160, 100), 'full')
    assert.equal(guard.use('a', 160, 100), 'again')
    assert.equal(guard.use('c', 240, 180), 'first')
    assert.equal(guard.size, 2)
  })
})
