import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { WaysSettings } from '../../../src/issuer/people/factor-rules.ts'
import { hasAdministrator, isLastAdministrator } from '../../../src/issuer/people/people.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { Store } from '../../../src/store/store.ts'
import { aUser } from '../../contract/store-records.ts'

const SSO = 'https://sso.example.com'
const BOTH = { password: 'on', providers: [{ issuer: SSO }] } as const

describe('An administrator who can sign in', () => {
  let store: Store
  beforeEach(async () => {
    store = await openSqliteStore(':memory:', { now: () => 1_000 })
    await store.addUser(aUser({ sub: 'a', username: 'a', groups: ['admins'], passwordHash: 'h' }))
  })
  afterEach(() => store.close())
  const link = (sub: string) =>
    store.linkProvider(
      { issuer: SSO, person: sub, sub, email: undefined, linkedAt: 1, groups: [], statedAtMs: 0 },
      undefined,
    )
  const another = (ways: WaysSettings = BOTH, offered = false) =>
    hasAdministrator(store, { adminGroups: ['admins'], ways, offered }, 'a')

  it('is one with a password, unless the file lets nobody in by one', async () => {
    assert.equal(await another(), false)
    await store.addUser(aUser({ sub: 'b', username: 'b', groups: ['admins'], passwordHash: 'h' }))
    assert.equal(await another(), true)
    assert.equal(await another({ ...BOTH, password: 'off' }), false)
  })
  it('is one who comes in at a provider, as long as the file names that', async () => {
    await store.addUser(aUser({ sub: 'b', username: 'b', groups: ['admins'] }))
    assert.equal(await another(), false, 'invited only')
    await link('b')
    assert.equal(await another({ ...BOTH, password: 'off' }), true)
    assert.equal(await another({ ...BOTH, providers: [] }), false)
  })
  it('is one with a passkey, where passkeys are offered', async () => {
    await store.addUser(aUser({ sub: 'b', username: 'b', groups: ['admins'] }))
    const key = { credentialId: 'c', publicKey: 'k', counter: 0, backupEligible: false, backedUp: false }
    const facts = { transports: [], name: 'Phone', createdAt: 1, lastUsedAt: undefined }
    assert.equal(await store.addPasskey({ id: 'p', sub: 'b', ...key, ...facts }, 20), 'added')
    assert.deepEqual([await another(BOTH, true), await another(BOTH, false)], [true, false])
  })
  it('is nobody who is disabled, or in another group', async () => {
    await store.addUser(aUser({ sub: 'b', username: 'b', groups: ['admins'], passwordHash: 'h', disabled: true }))
    await store.addUser(aUser({ sub: 'c', username: 'c', groups: ['photos'], passwordHash: 'h' }))
    assert.equal(await another(), false)
  })
  it('is the last one by what a provider says of the groups, too, and until the last of them goes', async () => {
    const rules = { adminGroups: ['admins', 'chiefs'], ways: BOTH, offered: false }
    const user = aUser({ sub: 'p', username: 'p', passwordHash: 'h' })
    await store.addUser(user)
    const stated = { email: undefined, linkedAt: 1, groups: ['chiefs'], statedAtMs: 0 }
    await store.linkProvider({ issuer: SSO, person: 'p', sub: 'p', ...stated }, undefined)
    const isLast = (left?: readonly string[]) => isLastAdministrator(store, rules, user, left)
    assert.equal(await isLast(), false, 'a is one, too')
    await store.act({
      ...{ revocations: [], deleteConsents: [], endAuthorizations: [], endSessions: [], asOfMs: 1 },
      ...{ setUser: { sub: 'a', disabled: true }, audit: { event: 'user.disabled', detail: {} } },
    })
    assert.equal(await isLast(), true)
    assert.equal(await isLast([]), false, 'the provider’s group stays')
  })
  it('is found among thousands', async () => {
    for (let i = 0; i < 1_200; i += 1) await store.addUser(aUser({ sub: `u${i}`, username: `m${i}` }))
    await store.addUser(aUser({ sub: 'z', username: 'z', groups: ['admins'], passwordHash: 'h' }))
    assert.equal(await another(), true)
  })
})
