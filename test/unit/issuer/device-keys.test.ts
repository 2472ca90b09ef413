import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createDeviceKeys } from '../../../src/issuer/people/device-keys.ts'
import type { UserRecord } from '../../../src/store/store.ts'

const ALICE: UserRecord = {
  sub: 'a',
  username: 'alice',
  displayName: undefined,
  email: undefined,
  groups: [],
  passwordHash: 'h',
  disabled: false,
  createdAt: 0,
}

describe('device keys', () => {
  it('one key has one spelling, so that tries under it are counted once', () => {
    const keys = createDeviceKeys(Buffer.alloc(32, 1))
    const key = keys.make(ALICE)
    assert.equal(keys.isOf(ALICE, key), true)
    const last = key.at(-1) ?? ''
    const others = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
    const spellings = others.filter((other) => other !== last).map((other) => key.slice(0, -1) + other)
    for (const spelling of [...spellings, `${key}=`, `${key} `, `${key}.`, key.replace('.', '. ')])
      assert.equal(keys.isOf(ALICE, spelling), false, spelling)
  })
  it('is nobody else’s, and ends with the password', () => {
    const keys = createDeviceKeys(Buffer.alloc(32, 1))
    const key = keys.make(ALICE)
    assert.equal(keys.isOf({ ...ALICE, sub: 'b' }, key), false)
    assert.equal(keys.isOf({ ...ALICE, passwordHash: 'i' }, key), false)
  })
})
