import assert from 'node:assert/strict'
import { it } from 'node:test'
import { personKey } from '../../src/core/revocation.ts'
import type { ProviderLink, ProviderSignIn } from '../../src/store/provider-store.ts'
import type { Store } from '../../src/store/store.ts'
import { aClient, anAct, anAuthorization, aUser } from './store-records.ts'

const ISSUER = 'https://sso.example.com'
const REFUSED = { notBeforeMs: 5_000, expiresAt: 2_000_000_000 }

function aLink(change: Partial<ProviderLink> = {}): ProviderLink {
  const link = { issuer: ISSUER, person: 'p1', sub: 'usr_1', email: undefined, linkedAt: 1, groups: [], statedAtMs: 0 }
  return { ...link, ...change }
}

function aSignIn(change: Partial<ProviderSignIn> = {}): ProviderSignIn {
  return {
    ...{ id: 's1', provider: 'sso', issuer: ISSUER, person: 'p1', sub: 'usr_1', sid: undefined, sealed: 'sealed' },
    ...{ askedAtMs: 1_000, endsAtMs: undefined, dueAtMs: undefined, ended: false, createdAt: 1 },
    ...change,
  }
}

/** What any store has to do for sign-ins by a provider. */
export function providerContract(under: { readonly store: Store }): void {
  it('keeps attempts, gives each to one caller, and forgets the oldest beyond the limit', async () => {
    const { store } = under
    for (const key of ['a', 'b', 'c']) await store.addAttempt(key, `sealed ${key}`, 100, 2)
    assert.equal(await store.attempt('a', 50), undefined)
    assert.equal(await store.attempt('c', 50), 'sealed c')
    assert.equal(await store.attempt('c', 100), undefined)
    const takes = await Promise.all(Array.from({ length: 5 }, () => store.takeAttempt('c')))
    assert.equal(takes.filter(Boolean).length, 1)
  })

  it('links one identity to one account, and one of a provider to an account', async () => {
    const { store } = under
    const first = aUser({ sub: 'usr_1', username: 'one' })
    assert.deepEqual(await store.linkProvider(aLink(), first), { kind: 'linked' })
    assert.deepEqual(await store.providerLink(ISSUER, 'p1'), aLink())
    assert.deepEqual(await store.providerLinks('usr_1'), [aLink()])
    assert.deepEqual(await store.linkProvider(aLink({ sub: 'usr_2' }), undefined), { kind: 'known', sub: 'usr_1' })
    assert.deepEqual(await store.linkProvider(aLink({ person: 'p2' }), undefined), { kind: 'account_linked' })
    const taken = aUser({ sub: 'usr_3', username: 'ONE' })
    assert.deepEqual(await store.linkProvider(aLink({ person: 'p3', sub: 'usr_3' }), taken), { kind: 'name_taken' })
    assert.equal(await store.providerLink(ISSUER, 'p3'), undefined)
  })

  it('gives an account the address of its provider unless another has it, and takes back only that', async () => {
    const { store } = under
    await store.linkProvider(aLink(), aUser({ sub: 'usr_1', username: 'one', email: undefined }))
    await store.addUser(aUser({ sub: 'usr_2', username: 'two', email: 'Taken@example.com' }))
    const emailOf = async () => (await store.userBySub('usr_1'))?.email
    await store.setProviderProfile(aLink(), { displayName: 'One', email: 'taken@example.com' })
    assert.equal(await emailOf(), undefined)
    await store.setProviderProfile(aLink(), { displayName: 'One', email: 'one@example.com' })
    assert.equal(await emailOf(), 'one@example.com')
    await store.setProviderProfile(aLink(), { displayName: undefined, email: undefined })
    assert.deepEqual([await emailOf(), (await store.userBySub('usr_1'))?.displayName], [undefined, 'One'])
    await store.updateUser('usr_1', { email: 'own@example.com' })
    await store.setProviderProfile(aLink(), { displayName: undefined, email: 'one@example.com' })
    assert.equal(await emailOf(), 'own@example.com')
  })

  it('refuses tokens with a lost group that the account doesn’t have of its own; an older word changes nothing', async () => {
    const { store } = under
    await store.linkProvider(aLink({ groups: ['a', 'b'] }), aUser({ sub: 'usr_1', username: 'one', groups: ['b'] }))
    const said = (groups: string[], statedAtMs: number) =>
      store.stateGroups({ issuer: ISSUER, person: 'p1', groups, statedAtMs, refused: REFUSED })
    assert.deepEqual(await said(['c'], 10), { kind: 'stated', added: ['c'], removed: ['a', 'b'] })
    const entries = await store.revocations(0, 0)
    assert.deepEqual(
      entries.map(({ kind, key }) => [kind, key]),
      [['sub_group', personKey('usr_1', 'a')]],
    )
    assert.deepEqual(await said(['a'], 9), { kind: 'passed_over' })
    assert.deepEqual((await store.providerLink(ISSUER, 'p1'))?.groups, ['c'])
  })

  it('finds a sign-in by its session and its authorizations, and ends all of them with it', async () => {
    const { store } = under
    await store.addProviderSignIn(aSignIn())
    await store.putModel('Session', 'cookie', { uid: 'u' }, { accountId: 'usr_1', uid: 'u' }, 2_000_000_000)
    await store.bindSession('u', 's1')
    await store.addClient(aClient({ id: 'cli', type: 'native' }))
    await store.bindAuthorization('g1', 'cli', 's1')
    await store.bindAuthorization('g2', 'web', 's1')
    await store.putAuthorization(anAuthorization({ gid: 'g1', sub: 'usr_1', clientId: 'cli' }))
    await store.putAuthorization(anAuthorization({ gid: 'g2', sub: 'usr_1', clientId: 'web' }))
    assert.deepEqual(await store.signInOfSession('u'), aSignIn())
    assert.deepEqual((await store.signInOfAuthorization('g2'))?.id, 's1')
    const end = (keepNative: boolean) =>
      store.act(anAct({ endProviderSignIns: [{ id: 's1', sub: 'usr_1', keepNative, ...REFUSED }] }))
    assert.deepEqual(
      (await end(true)).map(({ key }) => key),
      ['g2'],
    )
    assert.equal(await store.model('Session', 'cookie'), undefined)
    assert.equal((await store.providerSignIn('s1'))?.ended, false)
    assert.deepEqual(
      (await end(false)).map(({ key }) => key),
      ['g1'],
    )
    assert.deepEqual(await store.providerSignIn('s1'), aSignIn({ ended: true, sealed: '', dueAtMs: undefined }))
    assert.deepEqual(await store.providerSignIns({ issuer: ISSUER }), [])
  })

  it('lets one process ask at a time, and keeps the newest word', async () => {
    const { store } = under
    await store.addProviderSignIn(aSignIn())
    const claims = await Promise.all(Array.from({ length: 5 }, () => store.claimSignIn('s1', 1_000, 2_000)))
    assert.equal(claims.filter(Boolean).length, 1)
    assert.equal(await store.claimSignIn('s1', 2_000, 3_000), true)
    await store.releaseSignIn('s1')
    await store.keepTokens('s1', 'rotated')
    await store.noteAnswer('s1', { sealed: 'newer', askedAtMs: 3_000, endsAtMs: 9_000 })
    await store.noteAnswer('s1', { sealed: 'older', askedAtMs: 2_000, endsAtMs: undefined })
    assert.deepEqual(await store.providerSignIn('s1'), aSignIn({ sealed: 'newer', askedAtMs: 3_000, endsAtMs: 9_000 }))
  })

  it('tells who has to be asked, whom nothing lives by, and who belongs to no provider of the file', async () => {
    const { store } = under
    const waiting = (nowMs: number, issuer?: string) => {
      const of = issuer === undefined ? {} : { issuer }
      return store.waitingSignIns({
        ...{ nowMs, askedBeforeMs: nowMs - 900_000, usedSince: nowMs / 1000 - 180, limit: 10 },
        ...of,
      })
    }
    await store.addProviderSignIn(aSignIn({ id: 'idle' }))
    await store.addProviderSignIn(aSignIn({ id: 'used' }))
    await store.bindAuthorization('g', 'cli', 'used')
    await store.putAuthorization(anAuthorization({ gid: 'g', sub: 'usr_1', clientId: 'cli', lastUsedAt: 1_000 }))
    assert.deepEqual(await waiting(1_050_000), ['used'])
    assert.deepEqual(await waiting(2_000_000), [])
    await store.makeDue(['idle'], 2_000_000)
    assert.deepEqual(await waiting(2_000_000), ['idle'])
    assert.deepEqual(await waiting(2_000_000, ISSUER), ['idle'])
    assert.deepEqual(await waiting(2_000_000, 'https://other.example.com'), [])
    await store.noteAnswer('used', { sealed: 'x', askedAtMs: 1_000, endsAtMs: 1_500_000 })
    await store.noteAnswer('idle', { sealed: 'x', askedAtMs: 1_900_000, endsAtMs: undefined })
    await store.makeDue(['idle'], 2_000_000)
    assert.deepEqual(await waiting(2_000_000), ['idle', 'used'], 'due ones first')
    await store.noteAnswer('used', { sealed: 'x', askedAtMs: 1_000, endsAtMs: undefined })
    await store.noteAnswer('idle', { sealed: 'x', askedAtMs: 1_950_000, endsAtMs: undefined })
    assert.deepEqual(await waiting(2_000_000), ['idle'], 'it was asked for before')
    await store.clearDue('idle', 2_000_000)
    assert.deepEqual(await waiting(2_000_000), [])
    assert.deepEqual(await store.abandonedSignIns(1_050_000, 10), ['idle'])
    assert.deepEqual([...(await store.oldestAsked(1_050_000))], [['sso', 1_000]])
    assert.equal((await store.foreignProviderSignIns([ISSUER], 10)).length, 0)
    assert.equal((await store.foreignProviderSignIns(['https://other.example.com'], 10)).length, 2)
    assert.equal((await store.foreignProviderSignIns([], 1)).length, 1)
    const groups = await store.authorizationsOfSignIn('used')
    assert.deepEqual(groups, [{ gid: 'g', clientId: 'cli' }])
  })
}
