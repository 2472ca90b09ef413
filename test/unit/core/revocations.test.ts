import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Revocation, RevocationKind } from '../../../src/core/revocation.ts'
import { issuedMs, makeJti, RevocationTable } from '../../../src/core/revocation.ts'
import { NOW, sampleToken } from './samples.ts'

const ACT = NOW * 1000 + 500

function entry(kind: RevocationKind, key: string, change: Partial<Revocation> = {}): Revocation {
  return { id: 1, kind, key, notBeforeMs: ACT, expiresAt: NOW + 300, ...change }
}

function tableOf(...entries: Revocation[]): RevocationTable {
  const table = new RevocationTable()
  table.add(entries)
  return table
}

const before = sampleToken({ jti: makeJti(ACT - 1, 'x'), groups: ['photos', 'b'] })
const at = sampleToken({ jti: makeJti(ACT, 'x'), groups: ['photos', 'b'] })
const after = sampleToken({ jti: makeJti(ACT + 1, 'x'), groups: ['photos', 'b'] })

describe('a revocation', () => {
  const keys: readonly [RevocationKind, string][] = [
    ['client', 'cli'],
    ['sub', 'u-alice'],
    ['sub_client', 'u-alice cli'],
    ['sub_group', 'u-alice photos'],
  ]
  for (const [kind, key] of keys) {
    it(`by ${kind} ends tokens made at or before the act; one made after it, even in the same second, is good`, () => {
      const table = tableOf(entry(kind, key))
      assert.deepEqual(
        [before, at, after].map((token) => table.isRevoked(token)),
        [true, true, false],
      )
    })
    it(`by ${kind} leaves the tokens of others alone`, () => {
      const table = tableOf(entry(kind, `${key}x`), entry(kind, `x${key}`))
      assert.ok(!table.isRevoked(before))
    })
  }
  it('by jti or gid ends exactly those, whenever they were made', () => {
    assert.ok(tableOf(entry('jti', after.jti ?? '')).isRevoked(after))
    assert.ok(!tableOf(entry('jti', after.jti ?? '')).isRevoked(before))
    assert.ok(tableOf(entry('gid', 'g1')).isRevoked(after))
    assert.ok(!tableOf(entry('gid', 'g2')).isRevoked(after))
  })
  it('never touches foreign tokens, though names be the same', () => {
    const foreign = sampleToken({ embedded: false, jti: 'j' })
    assert.ok(
      !tableOf(entry('jti', 'j'), entry('sub', 'u-alice'), entry('client', 'cli'), entry('gid', 'g1')).isRevoked(
        foreign,
      ),
    )
  })
  it('said twice holds for the later act, in whatever order they come', () => {
    const later = entry('sub', 'u-alice', { id: 2, notBeforeMs: ACT + 10 })
    assert.ok(tableOf(later, entry('sub', 'u-alice')).isRevoked(after))
  })
})

describe('the table', () => {
  it('counts what is in force and forgets it when the last token has expired, clock tolerance included', () => {
    const table = tableOf(entry('sub', 'u-alice'), entry('jti', 'j', { id: 7, expiresAt: NOW + 600 }))
    assert.equal(table.size, 2)
    assert.equal(table.sweep(NOW + 305), 0)
    assert.ok(table.isRevoked(before))
    assert.equal(table.sweep(NOW + 361), 1)
    assert.deepEqual([table.size, table.isRevoked(before)], [1, false])
  })
  it('answers well under a microsecond', () => {
    const table = new RevocationTable()
    for (let i = 0; i < 20_000; i++) table.add([entry('sub_group', `u${i} photos`), entry('client', `c${i}`)])
    let hits = 0
    const started = process.hrtime.bigint()
    for (let i = 0; i < 200_000; i++) hits += table.isRevoked(before) ? 1 : 0
    const nanoseconds = Number(process.hrtime.bigint() - started) / 200_000
    assert.equal(hits, 0)
    assert.ok(nanoseconds < 5000, `${nanoseconds} ns`)
  })
})

describe('the time of issue', () => {
  it('is read from the jti', () => assert.equal(issuedMs(sampleToken({ jti: makeJti(ACT, 'x') })), ACT))
  for (const jti of [
    undefined,
    '',
    'x',
    'zzzzzzzzzz-x',
    '0-x',
    `${makeJti(ACT, 'x')}`.toUpperCase(),
    'loyw3v28',
    '-x',
  ]) {
    it(`is the beginning of the second of iat where jti is ${jti}: the closed side`, () => {
      assert.equal(issuedMs(sampleToken({ jti })), NOW * 1000)
    })
  }
})
