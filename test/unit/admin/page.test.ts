import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { cursorOf, keyOf } from '../../../src/admin/api/page.ts'
import { Problem } from '../../../src/admin/problem.ts'

const written = (json: string): string => Buffer.from(json).toString('base64url')

describe('the cursor of a list', () => {
  it('leads to the key that it was made of', () => {
    for (const key of ['', 'alice', 'ünï', '"]']) assert.equal(keyOf(cursorOf(key), 'string'), key)
    for (const key of [0, 1, Number.MAX_SAFE_INTEGER]) assert.equal(keyOf(cursorOf(key), 'number'), key)
  })

  for (const [what, cursor, kind] of [
    ['of another kind', cursorOf('1'), 'number'],
    ['that is no whole number', written('[1.5]'), 'number'],
    ['that no database can count to', written('[1e300]'), 'number'],
    ['with a character that no database keeps', written('["\\u0000"]'), 'string'],
    ['with more than a key', written('["a","b"]'), 'string'],
    ['in another spelling', `${cursorOf('alice')}=`, 'string'],
    ['of nothing', written('null'), 'string'],
    ['that is no JSON', 'x', 'string'],
  ] as const) {
    it(`is refused by name where it is one ${what}`, () => {
      assert.throws(() => (kind === 'number' ? keyOf(cursor, 'number') : keyOf(cursor, 'string')), Problem)
    })
  }
})
