import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { parseLifetime } from '../../../src/config/schema/leaf.ts'
import { createRevocationActs, type RevocationActs } from '../../../src/issuer/revocation-acts.ts'
import { gidOf } from '../../../src/store/sealed-payload.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { Store } from '../../../src/store/store.ts'
import { aClient, anAuthorization, aUser } from '../../contract/store-records.ts'

const NOW_MS = 1_700_000_000_123
const NOW = 1_700_000_000

describe('acts of revocation', () => {
  let store: Store
  let acts: RevocationActs
  beforeEach(async () => {
    store = await openSqliteStore(':memory:', { now: () => NOW_MS })
    acts = createRevocationActs({ store, now: () => NOW_MS })
    await store.addUser(aUser({ sub: 'u', groups: ['photos', 'files', 'editors'], passwordHash: 'old' }))
    await store.addClient(aClient({ id: 'c' }))
    for (const [gid, sub, clientId] of [
      ['uc', 'u', 'c'],
      ['ud', 'u', 'd'],
      ['vc', 'v', 'c'],
    ] as const) {
      await store.putAuthorization(anAuthorization({ gid, sub, clientId }))
      await store.putConsents([{ sub, clientId, resource: '', granted: [], rejected: [], since: 1 }])
    }
    for (const uid of ['here', 'there']) {
      await store.putModel('Session', uid, {}, { accountId: 'u', uid }, NOW + 1000)
    }
  })
  afterEach(() => store.close())

  const entries = async (): Promise<string[]> =>
    (await store.revocations(0, NOW)).map(({ kind, key }) => `${kind} ${key.replace(' ', '+')}`).sort()
  const alive = async (): Promise<string[]> =>
    (await store.authorizations({})).filter(({ ended }) => !ended).map(({ gid }) => gid)
  const consents = async (): Promise<string[]> => (await store.consents({})).map(({ sub, clientId }) => sub + clientId)
  const sessions = async (): Promise<string[]> => {
    const found = await Promise.all(['here', 'there'].map((uid) => store.modelByUid('Session', uid)))
    return ['here', 'there'].filter((_, index) => found[index] !== undefined)
  }
  const state = async () => ({
    entries: await entries(),
    alive: await alive(),
    consents: await consents(),
    sessions: await sessions(),
    audit: (await store.audits(1))[0]?.event,
  })
  const untouched = { alive: ['uc', 'ud', 'vc'], consents: ['uc', 'ud', 'vc'], sessions: ['here', 'there'] }

  it('revoking a client ends its tokens and consents with everybody, and blocks it', async () => {
    await acts.revokeClient('c', 'test')
    const expected = { entries: ['client c'], alive: ['ud'], consents: ['ud'], audit: 'client.revoked' }
    assert.deepEqual(await state(), { ...untouched, ...expected })
    assert.equal((await store.client('c'))?.revoked, true)
    await acts.restoreClient('c', 'test')
    assert.equal((await store.client('c'))?.revoked, false)
    assert.deepEqual(await entries(), ['client c'], 'what was out stays ended')
  })

  it('ending what a client has leaves it free to sign people in anew', async () => {
    await acts.endClient('c', 'test')
    assert.deepEqual([await entries(), await alive()], [['client c'], ['ud']])
    assert.equal((await store.client('c'))?.revoked, false)
  })

  it('revoking a user ends tokens, consents and sessions; the user may sign in anew', async () => {
    await acts.revokeUser('u', 'test')
    const expected = { entries: ['gid uc', 'gid ud', 'sub u'], alive: ['vc'], consents: ['vc'], sessions: [] }
    assert.deepEqual(await state(), { ...expected, audit: 'authorization.ended' })
    assert.equal((await store.userBySub('u'))?.disabled, false)
  })

  it('disabling a user does the same and blocks; enabling lets in again', async () => {
    await acts.disableUser('u', 'test')
    assert.deepEqual([await alive(), await sessions()], [['vc'], []])
    assert.equal((await store.userBySub('u'))?.disabled, true)
    await acts.enableUser('u', 'test')
    assert.equal((await store.userBySub('u'))?.disabled, false)
  })

  for (const [name, event] of [
    ['revokeUserClient', 'authorization.ended'],
    ['revokeConsent', 'consent.revoked'],
  ] as const) {
    it(`${name} ends one client of one person, and nothing else`, async () => {
      await acts[name]('u', 'c', 'test')
      const expected = { entries: ['gid uc', 'sub_client u+c'], alive: ['ud', 'vc'], consents: ['ud', 'vc'] }
      assert.deepEqual(await state(), { ...untouched, ...expected, audit: event })
    })
  }

  it('signing out everywhere keeps consents', async () => {
    await acts.signOutEverywhere('u', 'test')
    const expected = { entries: ['gid uc', 'gid ud', 'sub u'], alive: ['vc'], sessions: [] }
    assert.deepEqual(await state(), { ...untouched, ...expected, audit: 'session.ended' })
  })

  it('one token ends alone', async () => {
    const [entry] = await acts.revokeJti('j', NOW + 200, 'test')
    assert.equal(entry?.expiresAt, NOW + 200 + 3600)
    assert.deepEqual(await state(), { ...untouched, entries: ['jti j'], audit: 'token.revoked' })
  })

  it('one authorization ends alone, and its consent stays', async () => {
    await acts.revokeAuthorization('uc', 'test')
    const expected = { entries: ['gid uc'], alive: ['ud', 'vc'], audit: 'authorization.ended' }
    assert.deepEqual(await state(), { ...untouched, ...expected })
  })

  it('a changed group list ends tokens that carry a removed group, and nothing for an added one', async () => {
    await acts.changeGroups('u', ['photos', 'new'], 'test')
    assert.deepEqual((await store.userBySub('u'))?.groups, ['photos', 'new'])
    const expected = { entries: ['sub_group u+editors', 'sub_group u+files'], audit: 'user.changed' }
    assert.deepEqual(await state(), { ...untouched, ...expected })
  })

  it('a changed password ends all sessions and tokens of the person but those in hand', async () => {
    await acts.changePassword('u', 'new', { exceptGid: 'uc', exceptUid: 'here' }, 'test')
    const expected = { entries: ['gid ud'], alive: ['uc', 'vc'], sessions: ['here'], audit: 'user.password_changed' }
    assert.deepEqual(await state(), { ...untouched, ...expected })
    assert.equal((await store.userBySub('u'))?.passwordHash, 'new')
  })

  it('a changed password with nothing in hand ends all of them', async () => {
    await acts.changePassword('u', 'new', {}, 'test')
    assert.deepEqual([await entries(), await sessions()], [['gid uc', 'gid ud', 'sub u'], []])
  })

  it('entries carry the millisecond of the act and outlive every token that any file may have allowed', async () => {
    const longest = parseLifetime('1d', 86_400)
    assert.ok(longest.ok)
    const [entry] = await acts.endClient('c', 'test')
    assert.deepEqual([entry?.notBeforeMs, entry?.expiresAt], [NOW_MS, NOW + 1 + longest.value + 3600])
  })

  it('a clock that counts fractions of a millisecond makes whole ones', async () => {
    acts = createRevocationActs({ store, now: () => NOW_MS + 0.7 })
    const [entry] = await acts.endClient('c', 'test')
    assert.equal(entry?.notBeforeMs, NOW_MS)
  })

  it('an act on a person or client that has gone changes nothing', async () => {
    await assert.rejects(acts.revokeClient('gone', 'test'))
    await assert.rejects(acts.disableUser('gone', 'test'))
    assert.deepEqual(await state(), { ...untouched, entries: [], audit: undefined })
  })

  it('a gid does not give the grant away', () => {
    assert.match(gidOf('grant-id'), /^[A-Za-z0-9_-]{22}$/)
    assert.notEqual(gidOf('grant-id'), gidOf('grant-ie'))
  })
})
