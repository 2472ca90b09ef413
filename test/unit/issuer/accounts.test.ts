import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { addUser, groupsProblem, SUB_PREFIX, usernameProblem } from '../../../src/issuer/people/people.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { Store } from '../../../src/store/store.ts'

describe('accounts', () => {
  let store: Store
  beforeEach(async () => {
    store = await openSqliteStore(':memory:')
  })
  afterEach(() => store.close())
  const add = (username: string, groups: readonly string[] = []) =>
    addUser(store, { username, groups, passwordHash: undefined }, 5000)

  it('have a sub that is opaque, stable and no client’s id', async () => {
    const [one, other] = [await add('alice'), await add('bob')]
    assert.ok(one.kind === 'added' && other.kind === 'added')
    assert.ok(one.user.sub.startsWith(SUB_PREFIX) && !one.user.sub.includes('alice'))
    assert.notEqual(one.user.sub, other.user.sub)
    assert.equal(one.user.createdAt, 5)
  })

  it('are one for each name, without regard to case', async () => {
    await add('alice')
    assert.deepEqual(await add('ALICE'), { kind: 'exists' })
  })

  it('keep each group once', async () => {
    const added = await add('alice', ['photos', 'files', 'photos'])
    assert.ok(added.kind === 'added')
    assert.deepEqual(added.user.groups, ['photos', 'files'])
  })

  for (const name of ['', ' alice', 'alice ', 'a\nb', 'a\u202eb', 'a\u200bb', 'a\u0000', 'x'.repeat(65), '\ud800']) {
    it(`refuse the name ${JSON.stringify(name)}`, async () => {
      assert.notEqual(usernameProblem(name), undefined)
      assert.equal((await add(name)).kind, 'invalid')
    })
  }

  it('take names of all scripts', () => {
    for (const name of ['alice', 'Zoë', '山田', 'a b', 'a@example.com', 'x'.repeat(64)]) {
      assert.equal(usernameProblem(name), undefined, name)
    }
  })

  it('refuse groups that would not survive a header list', () => {
    for (const group of ['', 'a,b', 'a\nb', ' a', 'x'.repeat(65)])
      assert.notEqual(groupsProblem([group]), undefined, group)
    assert.equal(groupsProblem(['photo editors', 'ou=x']), undefined)
  })

  it('refuse a mail address that is none', async () => {
    for (const email of ['alice', 'a@', '@b', 'a b@c', 'a@b\n']) {
      const added = await addUser(store, { username: 'a', groups: [], email, passwordHash: undefined }, 0)
      assert.equal(added.kind, 'invalid', email)
    }
  })
})
