import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { gidOf, lookupKey } from '../../src/store/sealed-payload.ts'
import type { ClientRecord, RevocationAct, Store } from '../../src/store/store.ts'
import { factorsContract } from './factors.contract.ts'
import { providerContract } from './provider.contract.ts'
import { sessionsContract } from './sessions.contract.ts'
import { aClient, anAct, anAuthorization, aUser } from './store-records.ts'

const EXPIRES = 2_000_000_000

/**
 * What any store has to do. `makeStore` makes an empty one for each test; the suite closes it.
 * @param fill does what `fillBySteps` does, where steps are dear.
 */
export function storeContract(makeStore: () => Promise<Store>, fill?: (store: Store) => Promise<void>): void {
  const under: { store: Store } = { store: undefined as never }
  beforeEach(async () => {
    under.store = await makeStore()
  })
  afterEach(() => under.store.close())
  describe('people', () => people(under))
  describe('clients', () => clients(under))
  describe('consents and authorizations', () => authorizations(under))
  describe('the library’s models', () => models(under))
  describe('small things', () => smallThings(under))
  describe('acts of revocation', () => acts(under))
  describe('units of work', () => units(under))
  describe('audit and sweeping', () => audits(under, fill ?? fillBySteps))
  describe('subscribers', () => subscribers(under))
  describe('sign-ins by a provider', () => providerContract(under))
  describe('second factors', () => factorsContract(under))
  describe('sessions of browsers and app passwords', () => sessionsContract(under))
}

interface Under {
  readonly store: Store
}

function people(under: Under): void {
  it('gives back a person as they were put, by name and by sub', async () => {
    const user = aUser({ displayName: 'Ålice', email: 'a@example.com', groups: ['photos', 'a b'], passwordHash: 'h' })
    assert.equal(await under.store.addUser(user), 'added')
    assert.deepEqual(await under.store.userBySub(user.sub), user)
    assert.deepEqual(await under.store.userByName('alice'), user)
    assert.deepEqual(await under.store.users(), [user])
  })

  it('tells names apart without regard to case, in NFKC', async () => {
    await under.store.addUser(aUser({ sub: '1', username: 'Zoë' }))
    for (const same of ['zoë', 'ZOË', 'Zoe\u0308', 'Ｚoë']) {
      assert.equal((await under.store.userByName(same))?.sub, '1', same)
      assert.equal(await under.store.addUser(aUser({ sub: '2', username: same })), 'exists')
    }
    assert.equal(await under.store.userByName('zoe'), undefined)
  })

  it('changes only what an update names, and can take a value away', async () => {
    const user = aUser({ email: 'a@example.com', passwordHash: 'h' })
    await under.store.addUser(user)
    assert.equal(await under.store.updateUser(user.sub, { email: undefined, disabled: true }), true)
    assert.deepEqual(await under.store.userBySub(user.sub), { ...user, email: undefined, disabled: true })
    assert.equal(await under.store.updateUser('nobody', { disabled: true }), false)
  })

  it('keeps a password that was set meanwhile', async () => {
    const user = aUser({ passwordHash: 'old' })
    await under.store.addUser(user)
    await under.store.updateUser(user.sub, { passwordHash: 'chosen' })
    assert.equal(await under.store.updateUser(user.sub, { passwordHash: 'rehashed' }, 'old'), false)
    assert.equal((await under.store.userBySub(user.sub))?.passwordHash, 'chosen')
    assert.equal(await under.store.updateUser(user.sub, { passwordHash: 'rehashed' }, 'chosen'), true)
  })
}

function clients(under: Under): void {
  it('gives back a client as it was put', async () => {
    const client: ClientRecord = aClient({
      redirectUris: ['https://app.example.com/cb'],
      secretHash: 'hash',
      allow: [{ resource: 'https://g/photos', scopes: ['photos:read'] }],
      metadata: { client_uri: 'https://x', nested: { a: [1, null] } },
    })
    assert.equal(await under.store.addClient(client), 'added')
    assert.equal(await under.store.addClient(client), 'exists')
    assert.deepEqual(await under.store.client(client.id), client)
    assert.deepEqual(await under.store.clients(), [client])
  })

  it('forgets clients that registered themselves and are not used, after a while, and no others', async () => {
    const day = 86_400
    const registered = (id: string, over = {}) =>
      under.store.addClient(aClient({ id, origin: 'registration', createdAt: 1000, ...over }))
    for (let n = 0; n < 1_100; n++) await registered(`unused${n}`)
    for (const id of ['consented', 'authorized', 'left']) await registered(id)
    await registered('revoked', { revoked: true })
    await registered('new', { createdAt: 1000 + day })
    await under.store.addClient(aClient({ id: 'operator’s', origin: 'operator', createdAt: 1 }))
    const consent = { sub: 'u', resource: '', granted: [], rejected: [], since: 5 }
    await under.store.putConsents([
      { ...consent, clientId: 'consented' },
      { ...consent, clientId: 'left' },
    ])
    await under.store.putAuthorization(anAuthorization({ gid: 'g', clientId: 'authorized' }))
    assert.equal(await under.store.reapClients(1000 + day, 1000, 1000 - 30 * day), 1_100)
    await under.store.act(anAct({ deleteConsents: [{ clientId: 'left' }] }))
    assert.equal(await under.store.reapClients(1000 + 2 * day, 1000, 1000 - 28 * day), 0, 'disconnected, and kept')
    assert.equal(await under.store.reapClients(1000 + 40 * day, 1000, 1000 + 10 * day), 1)
    const left = (await under.store.clients()).map(({ id }) => id)
    assert.deepEqual(left, ['authorized', 'consented', 'new', 'operator’s', 'revoked'])
  })

  it('puts a client in the place of one that is still there as it was seen, and of no other', async () => {
    const seen = aClient()
    assert.equal(await under.store.replaceClient(seen, seen), false, 'there is none')
    await under.store.addClient(seen)
    await under.store.act(anAct({ setClient: { id: seen.id, revoked: true } }))
    assert.equal(await under.store.replaceClient(seen, { ...seen, name: 'Another' }), false)
    const revoked = { ...seen, revoked: true }
    assert.deepEqual(await under.store.client(seen.id), revoked)
    const wishes = ['a', 'b', 'c'].map((name) => under.store.replaceClient(revoked, { ...revoked, name }))
    assert.equal((await Promise.all(wishes)).filter((done) => done).length, 1)
  })

  it('brings no client back that is deleted at the same time', async () => {
    for (let round = 0; round < 20; round += 1) {
      const seen = aClient({ id: `deleted-${round}` })
      await under.store.addClient(seen)
      const changes = ['a', 'b', 'c'].map((name) => under.store.replaceClient(seen, { ...seen, name }))
      await Promise.all([...changes, under.store.deleteClient(seen.id)])
      assert.equal(await under.store.client(seen.id), undefined)
    }
  })

  it('replaces and deletes a client', async () => {
    const client = aClient()
    await under.store.putClient(client)
    await under.store.putClient({ ...client, name: 'Another' })
    assert.equal((await under.store.client(client.id))?.name, 'Another')
    await under.store.putConsents([
      { sub: 'u', clientId: client.id, resource: '', granted: [], rejected: [], since: 1 },
    ])
    assert.equal(await under.store.deleteClient(client.id), true)
    assert.deepEqual(await under.store.consents({}), [])
    assert.equal(await under.store.deleteClient(client.id), false)
    assert.equal(await under.store.client(client.id), undefined)
  })
}

function authorizations(under: Under): void {
  it('keeps one consent for each person, client and resource', async () => {
    const consent = { sub: 'u', clientId: 'c', resource: '', granted: ['openid'], rejected: ['email'], since: 5 }
    await under.store.putConsents([consent, { ...consent, resource: 'r' }, { ...consent, clientId: 'd' }])
    await under.store.putConsents([{ ...consent, granted: [], since: 6 }])
    assert.deepEqual(await under.store.consents({ sub: 'u', clientId: 'c' }), [
      { ...consent, granted: [], since: 6 },
      { ...consent, resource: 'r' },
    ])
    assert.equal((await under.store.consents({ clientId: 'd' })).length, 1)
  })

  it('remembers when an authorization was last used, and never less than it knew', async () => {
    await under.store.putAuthorization(anAuthorization({ gid: 'g', lastUsedAt: undefined }))
    assert.equal((await under.store.authorizations({ gid: 'g' }))[0]?.lastUsedAt, undefined)
    await under.store.touchAuthorizations(new Map([['g', 50]]))
    await under.store.touchAuthorizations(
      new Map([
        ['g', 40],
        ['unknown', 1],
      ]),
    )
    await under.store.putAuthorization(anAuthorization({ gid: 'g', lastUsedAt: undefined, label: 'Phone' }))
    assert.deepEqual(await under.store.authorizations({ sub: 'u' }), [
      anAuthorization({ gid: 'g', lastUsedAt: 50, label: 'Phone' }),
    ])
  })

  it('does not bring an authorization back that has ended', async () => {
    await under.store.putAuthorization(anAuthorization({ gid: 'g', ended: true }))
    await under.store.putAuthorization(anAuthorization({ gid: 'g', ended: false }))
    assert.equal((await under.store.authorizations({ gid: 'g' }))[0]?.ended, true)
  })
}

function models(under: Under): void {
  it('gives a payload back by its id, and nothing by another', async () => {
    await under.store.putModel('RefreshToken', 'secret-id', { jti: 'secret-id', n: 1 }, { grantId: 'G' }, EXPIRES)
    assert.deepEqual(await under.store.model('RefreshToken', 'secret-id'), { jti: 'secret-id', n: 1 })
    assert.equal(await under.store.model('RefreshToken', 'secret-ie'), undefined)
    assert.equal(await under.store.model('AccessToken', 'secret-id'), undefined)
  })

  it('finds a device code by its user code and a session by its uid, ids included', async () => {
    const code = { jti: 'device-id', userCode: 'ABCD' }
    await under.store.putModel('DeviceCode', 'device-id', code, { userCode: 'ABCD' }, EXPIRES)
    await under.store.putModel('Session', 'session-id', { jti: 'session-id', uid: 'U' }, { uid: 'U' }, EXPIRES)
    assert.deepEqual(await under.store.modelByUserCode('DeviceCode', 'ABCD'), code)
    assert.deepEqual(await under.store.modelByUid('Session', 'U'), { jti: 'session-id', uid: 'U' })
    assert.equal(await under.store.modelByUid('Session', 'ABCD'), undefined)
  })

  it('replaces a payload and its columns', async () => {
    await under.store.putModel('Session', 'one', { n: 1 }, { uid: 'U' }, EXPIRES)
    await under.store.putModel('Session', 'one', { n: 2 }, { uid: 'V' }, EXPIRES)
    assert.equal(await under.store.modelByUid('Session', 'U'), undefined)
    assert.deepEqual(await under.store.modelByUid('Session', 'V'), { n: 2 })
  })

  it('twenty parallel consumes: one is true', async () => {
    await under.store.putModel('AuthorizationCode', 'code', { a: 1 }, {}, EXPIRES)
    const results = await Promise.all(
      Array.from({ length: 20 }, () => under.store.consumeModel('AuthorizationCode', 'code', 77)),
    )
    assert.equal(results.filter(Boolean).length, 1)
    assert.deepEqual(await under.store.model('AuthorizationCode', 'code'), { a: 1, consumed: 77 })
    assert.equal(await under.store.consumeModel('AuthorizationCode', 'unknown', 77), false)
  })

  it('a used code that is saved again stays used', async () => {
    await under.store.putModel('AuthorizationCode', 'code', { a: 1 }, {}, EXPIRES)
    await under.store.consumeModel('AuthorizationCode', 'code', 77)
    await under.store.putModel('AuthorizationCode', 'code', { a: 2 }, {}, EXPIRES)
    assert.equal(await under.store.consumeModel('AuthorizationCode', 'code', 78), false)
  })

  it('adds an id once', async () => {
    const results = await Promise.all(
      Array.from({ length: 20 }, () => under.store.addModel('ReplayDetection', 'jti', { a: 1 }, EXPIRES)),
    )
    assert.equal(results.filter(Boolean).length, 1)
  })

  it('deletes what came from a grant, and nothing else', async () => {
    for (const grantId of ['G', 'H']) {
      await under.store.putModel('Grant', grantId, { jti: grantId }, {}, EXPIRES)
      await under.store.putModel('RefreshToken', `rt-${grantId}`, {}, { grantId }, EXPIRES)
    }
    await under.store.deleteModelsByGrant('G')
    assert.equal(await under.store.model('RefreshToken', 'rt-G'), undefined)
    assert.equal(await under.store.model('Grant', 'G'), undefined)
    assert.deepEqual(await under.store.model('RefreshToken', 'rt-H'), {})
    await under.store.deleteModel('Grant', 'H')
    assert.equal(await under.store.model('Grant', 'H'), undefined)
  })
}

function smallThings(under: Under): void {
  it('keeps a refresh answer until it expires', async () => {
    await under.store.putReplay('k', 'sealed', 100)
    assert.equal(await under.store.replay('k', 99), 'sealed')
    assert.equal(await under.store.replay('k', 100), undefined)
    await under.store.putReplay('k', 'sealed', 100, 'next')
    await under.store.deleteReplayThatBrought('other')
    assert.equal(await under.store.replay('k', 99), 'sealed')
    await under.store.deleteReplayThatBrought('next')
    assert.equal(await under.store.replay('k', 99), undefined)
  })

  it('valueOr: the first writer wins and all get the same', async () => {
    assert.equal(await under.store.valueOr('name', 'a'), 'a')
    const later = await Promise.all(['b', 'c', 'd'].map((value) => under.store.valueOr('name', value)))
    assert.deepEqual(later, ['a', 'a', 'a'])
    // Of several at once nobody can say which is first, where several connections carry them.
    const atOnce = await Promise.all(['a', 'b', 'c'].map((value) => under.store.valueOr('at once', value)))
    assert.equal(new Set(atOnce).size, 1, atOnce.join())
    assert.equal(await under.store.value('at once'), atOnce[0])
    await under.store.putValue('name', 'd')
    assert.equal(await under.store.value('name'), 'd')
    assert.equal(await under.store.value('other'), undefined)
  })

  it('takes one active and one pending key for an algorithm', async () => {
    const key = {
      kid: 'k1',
      alg: 'ES256',
      state: 'active',
      publicJwk: { kty: 'EC' },
      sealedPrivateJwk: 's',
      createdAt: 1,
      activateAt: 1,
      retireAt: undefined,
      tokenSeconds: 300,
    } as const
    assert.equal(await under.store.addSigningKey(key), true)
    assert.equal(await under.store.addSigningKey({ ...key, kid: 'k2' }), false)
    assert.equal(await under.store.addSigningKey({ ...key, kid: 'k3', state: 'pending' }), true)
    await under.store.putSigningKeys([{ ...key, state: 'retiring', retireAt: 9 }], ['k3'])
    assert.deepEqual(await under.store.signingKeys(), [{ ...key, state: 'retiring', retireAt: 9 }])
    await under.store.putSigningKeys(
      [
        { ...key, tokenSeconds: 600 },
        { ...key, tokenSeconds: 30 },
      ],
      [],
    )
    assert.equal((await under.store.signingKeys())[0]?.tokenSeconds, 600, 'it never becomes shorter')
  })

  it('counts failures and forgets them', async () => {
    const counted = await Promise.all([1, 2, 3].map((n) => under.store.countFailure('k', 1230 + n, 1000, EXPIRES)))
    assert.deepEqual(counted.sort(), [1, 2, 3], 'each is counted once')
    assert.equal(await under.store.countFailure('k', 1240, 1000, EXPIRES), 4)
    assert.deepEqual(await under.store.throttle('k'), { failures: 4, lastAtMs: 1240 })
    assert.equal(await under.store.countFailure('k', 9000, 8000, EXPIRES), 1, 'what was long ago is forgotten')
    await under.store.clearThrottle('k')
    assert.equal(await under.store.throttle('k'), undefined)
  })
}

function acts(under: Under): void {
  const populate = async (): Promise<void> => {
    await under.store.addUser(aUser({ sub: 'u' }))
    await under.store.addClient(aClient({ id: 'c' }))
    for (const [grantId, sub, clientId] of [
      ['G', 'u', 'c'],
      ['H', 'u', 'd'],
      ['I', 'v', 'c'],
    ] as const) {
      const columns = { accountId: sub, clientId }
      await under.store.putAuthorization(anAuthorization({ gid: gidOf(grantId), sub, clientId }))
      await under.store.putModel('Grant', grantId, {}, columns, EXPIRES)
      await under.store.putModel('RefreshToken', `rt-${grantId}`, {}, { ...columns, grantId }, EXPIRES)
      const consent = { resource: '', granted: [], rejected: [], since: 1 }
      await under.store.putConsents([{ sub, clientId, ...consent }])
    }
  }
  const alive = async (): Promise<string[]> => {
    const grants = ['G', 'H', 'I']
    const rows = await Promise.all(grants.map((id) => under.store.model('RefreshToken', `rt-${id}`)))
    return grants.filter((_, index) => rows[index] !== undefined)
  }

  it('gives entries ascending ids and keeps what is in force', async () => {
    const entries = await under.store.act(
      anAct({
        revocations: [
          { kind: 'client', key: 'c', notBeforeMs: 5, expiresAt: 100 },
          { kind: 'sub_client', key: 'u c', notBeforeMs: 5, expiresAt: 200 },
        ],
      }),
    )
    assert.deepEqual(
      entries.map((entry) => entry.key),
      ['c', 'u c'],
    )
    assert.deepEqual(await under.store.revocations(0, 50), entries)
    assert.deepEqual(await under.store.revocations(entries[0]?.id ?? 0, 50), entries.slice(1))
    assert.deepEqual(await under.store.revocations(0, 100), entries.slice(1))
    assert.equal((await under.store.position()).id, entries[1]?.id)
  })

  it('an act that was stamped before it had to wait is stamped by when it held its locks, and is remembered as long', async () => {
    const asOfMs = 5_000
    const stamp = { notBeforeMs: asOfMs, expiresAt: 2_000_000_000 }
    const begun = Date.now()
    const [entry] = await under.store.act(anAct({ asOfMs, revocations: [{ kind: 'client', key: 'c', ...stamp }] }))
    assert.ok(entry !== undefined && Math.abs(entry.notBeforeMs - begun) < 5_000, JSON.stringify(entry))
    assert.ok(entry.expiresAt >= 2_000_000_000 + Math.floor(begun / 1_000) - 5)
    assert.deepEqual((await under.store.revocations(0, 50))[0], entry)
  })

  it('the same token revoked again takes no further room; a later act on a client replaces the earlier', async () => {
    const jti = anAct({ revocations: [{ kind: 'jti', key: 'j', notBeforeMs: 1, expiresAt: 100 }] })
    const [first] = await under.store.act(jti)
    const [again] = await under.store.act(jti)
    assert.deepEqual(again, first)
    await under.store.act(anAct({ revocations: [{ kind: 'client', key: 'c', notBeforeMs: 5, expiresAt: 100 }] }))
    const later = await under.store.act(
      anAct({ revocations: [{ kind: 'client', key: 'c', notBeforeMs: 9, expiresAt: 109 }] }),
    )
    assert.deepEqual(await under.store.revocations(first?.id ?? 0, 50), later)
  })

  it('ids go on after a sweep', async () => {
    await under.store.act(anAct({ revocations: [{ kind: 'jti', key: 'j', notBeforeMs: 1, expiresAt: 100 }] }))
    await under.store.sweep(1000)
    assert.deepEqual(await under.store.revocations(0, 0), [])
    assert.equal((await under.store.position()).id, 1)
    const [next] = await under.store.act(
      anAct({ revocations: [{ kind: 'jti', key: 'k', notBeforeMs: 1, expiresAt: 100 }] }),
    )
    assert.equal(next?.id, 2)
  })

  const endings: [string, Partial<RevocationAct>, string[], number][] = [
    ['of a person', { endAuthorizations: [{ sub: 'u' }], deleteConsents: [{ sub: 'u' }] }, ['I'], 1],
    ['of a client', { endAuthorizations: [{ clientId: 'c' }], deleteConsents: [{ clientId: 'c' }] }, ['H'], 1],
    [
      'of a person at a client',
      { endAuthorizations: [{ sub: 'u', clientId: 'c' }], deleteConsents: [{ sub: 'u', clientId: 'c' }] },
      ['H', 'I'],
      2,
    ],
    ['of one authorization', { endAuthorizations: [{ gid: gidOf('G') }] }, ['H', 'I'], 3],
    ['of a person but one', { endAuthorizations: [{ sub: 'u', exceptGid: gidOf('H') }] }, ['H', 'I'], 3],
  ]
  for (const [what, act, left, consents] of endings) {
    it(`ends the authorizations ${what}, and no others`, async () => {
      await populate()
      await under.store.act(anAct(act))
      assert.deepEqual(await alive(), left)
      assert.equal((await under.store.consents({})).length, consents)
      const ended = (await under.store.authorizations({})).filter((authorization) => !authorization.ended)
      assert.deepEqual(ended.map(({ gid }) => gid).sort(), left.map(gidOf).sort())
    })
  }

  it('puts an entry in force for each authorization that it ends, when asked', async () => {
    await populate()
    const entries = await under.store.act(
      anAct({ endAuthorizations: [{ sub: 'u', revokeTokens: { notBeforeMs: 3, expiresAt: 100 } }] }),
    )
    assert.deepEqual(
      entries.map(({ kind, key }) => `${kind} ${key}`).sort(),
      [`gid ${gidOf('G')}`, `gid ${gidOf('H')}`].sort(),
    )
  })

  it('ends codes whose authorization was not recorded yet', async () => {
    const columns = { accountId: 'u', clientId: 'c', grantId: 'early' }
    await under.store.putModel('AuthorizationCode', 'code', {}, columns, EXPIRES)
    await under.store.act(anAct({ endAuthorizations: [{ sub: 'u' }] }))
    assert.equal(await under.store.model('AuthorizationCode', 'code'), undefined)
  })

  it('ends sign-ins half done: a person’s with their sessions, a client’s with its authorizations', async () => {
    const fill = async (): Promise<void> => {
      for (const [id, columns] of Object.entries({
        both: { accountId: 'u', clientId: 'c' },
        person: { accountId: 'u', clientId: 'd' },
        client: { accountId: 'v', clientId: 'c' },
        nobody: { clientId: 'd' },
      })) {
        await under.store.putModel('Interaction', id, {}, columns, EXPIRES)
      }
    }
    const left = async (): Promise<string[]> => {
      const kept = []
      for (const id of ['both', 'person', 'client', 'nobody']) {
        if ((await under.store.model('Interaction', id)) !== undefined) kept.push(id)
      }
      return kept
    }
    for (const [act, kept] of [
      [{ endSessions: [{ sub: 'u' }] }, ['client', 'nobody']],
      [{ endSessions: [{ sub: 'u', exceptUid: 'B' }] }, ['client', 'nobody']],
      [{ endAuthorizations: [{ clientId: 'c' }] }, ['person', 'nobody']],
      [{ endAuthorizations: [{ sub: 'u', clientId: 'c' }] }, ['person', 'client', 'nobody']],
      [{ endAuthorizations: [{ gid: gidOf('G') }] }, ['both', 'person', 'client', 'nobody']],
    ] as const) {
      await fill()
      await under.store.act(anAct(act))
      assert.deepEqual(await left(), kept)
    }
  })

  it('ends browser sessions but the one that is spared', async () => {
    for (const uid of ['A', 'B']) {
      await under.store.putModel('Session', `s-${uid}`, { uid }, { accountId: 'u', uid }, EXPIRES)
    }
    await under.store.putModel('Session', 'other', {}, { accountId: 'v', uid: 'C' }, EXPIRES)
    await under.store.act(anAct({ endSessions: [{ sub: 'u', exceptUid: 'B' }] }))
    assert.equal(await under.store.model('Session', 's-A'), undefined)
    assert.notEqual(await under.store.model('Session', 's-B'), undefined)
    assert.notEqual(await under.store.model('Session', 'other'), undefined)
    await under.store.act(anAct({ endSessions: [{ sub: 'u' }] }))
    assert.equal(await under.store.model('Session', 's-B'), undefined)
  })

  it('notes where sessions are, ends one with what was authorized in it, and asks for a new password until one is set', async () => {
    await under.store.addUser(aUser({ sub: 'u' }))
    const facts = { sub: 'u', browser: 'Firefox on Linux', address: '192.0.2.7', createdAt: 5, expiresAt: EXPIRES }
    for (const uid of ['A', 'B']) {
      await under.store.putModel('Session', `s-${uid}`, { uid }, { accountId: 'u', uid }, EXPIRES)
      assert.ok(await under.store.noteSession({ ...facts, issuerSession: uid, seenAt: 100 }))
      await under.store.putAuthorization(anAuthorization({ gid: `g-${uid}`, sub: 'u' }))
      await under.store.bindToSession(`g-${uid}`, uid, 100)
    }
    await under.store.noteSession({ ...facts, issuerSession: 'B', seenAt: 130 })
    assert.ok((await under.store.sessions('u')).every(({ seenAt }) => seenAt === 100))
    const stamp = { notBeforeMs: 1, expiresAt: EXPIRES }
    const ends = { issuerSession: lookupKey('A'), withAuthorizations: true, revokeTokens: stamp } as const
    const act = anAct({ endBrowserSessions: [ends], passwordDue: { sub: 'u', at: 100 } })
    assert.deepEqual(
      (await under.store.act(act)).map(({ kind, key }) => `${kind} ${key}`),
      ['gid g-A'],
    )
    const left = await under.store.sessions('u')
    assert.deepEqual(
      left.map(({ issuerSession, browser, address, createdAt, seenAt }) => [
        issuerSession,
        browser,
        address,
        createdAt,
        seenAt,
      ]),
      [[lookupKey('B'), 'Firefox on Linux', '192.0.2.7', 5, 100]],
    )
    assert.equal(await under.store.noteSession({ ...facts, issuerSession: 'A', seenAt: 900 }), false)
    const standing = (await under.store.authorizations({ sub: 'u' })).filter(({ ended }) => !ended)
    assert.deepEqual(
      standing.map(({ gid }) => gid),
      ['g-B'],
    )
    assert.ok(await under.store.passwordDue('u'))
    const { passwordHash = '' } = (await under.store.userBySub('u')) ?? {}
    await under.store.updateUser('u', { passwordHash: 'the same, hashed better' }, passwordHash)
    assert.ok(await under.store.passwordDue('u'))
    await under.store.updateUser('u', { passwordHash: 'another' })
    assert.equal(await under.store.passwordDue('u'), false)
  })

  it('answers audit lines about one person, newest first', async () => {
    for (const [at, sub] of [
      [1, 'u'],
      [2, 'v'],
      [3, 'u'],
    ] as const)
      await under.store.audit('login.success', { sub }, at)
    const lines = await under.store.auditsBy('sub', 'u', Number.MAX_SAFE_INTEGER, 10)
    assert.deepEqual(
      lines.map(({ at }) => at),
      [3, 1],
    )
  })

  it('answers audit lines by event, who acted and client, and where a time begins', async () => {
    for (const [at, by] of [
      [1, 'cli'],
      [2, 'u'],
      [3, 'cli'],
    ] as const)
      await under.store.audit('client.revoked', { by, client: `c${at}` }, at)
    const timesOf = async (key: 'event' | 'by' | 'client', value: string, limit = 10) =>
      (await under.store.auditsBy(key, value, Number.MAX_SAFE_INTEGER, limit)).map(({ at }) => at)
    assert.deepEqual(await timesOf('by', 'cli'), [3, 1])
    assert.deepEqual(await timesOf('client', 'c2'), [2])
    assert.deepEqual(await timesOf('event', 'client.revoked', 2), [3, 2])
    const id = await under.store.auditIdAt(2)
    assert.equal((await under.store.audits(1, (id ?? 0) + 1))[0]?.at, 2)
    assert.equal(await under.store.auditIdAt(0), undefined)
  })

  it('remembers when secrets were used last, and counts what has not ended up to a bound', async () => {
    await populate()
    await under.store.noteSecretUses([{ clientId: 'c', id: 's', at: 9 }])
    await under.store.noteSecretUses([
      { clientId: 'c', id: 's', at: 5 },
      { clientId: 'c', id: 't', at: 6 },
    ])
    assert.deepEqual([...(await under.store.secretUses('c'))].sort(), [
      ['s', 9],
      ['t', 6],
    ])
    await under.store.deleteClient('c')
    assert.equal((await under.store.secretUses('c')).size, 0)
    const all = (await under.store.authorizations({ sub: 'u' })).filter(({ ended }) => !ended).length
    assert.equal(await under.store.countAuthorizations({ sub: 'u' }, 10), all)
    assert.equal(await under.store.countAuthorizations({ sub: 'u' }, 1), 1)
  })

  it('sets the person and the client, and writes the audit line, in the same step', async () => {
    await populate()
    await under.store.act(
      anAct({
        setUser: { sub: 'u', disabled: true, groups: ['x'] },
        setClient: { id: 'c', revoked: true },
        audit: { event: 'user.disabled', detail: { sub: 'u' } },
      }),
    )
    const user = await under.store.userBySub('u')
    assert.deepEqual([user?.disabled, user?.groups], [true, ['x']])
    assert.equal((await under.store.client('c'))?.revoked, true)
    assert.equal((await under.store.audits(1))[0]?.event, 'user.disabled')
  })

  it('refuses tokens with a group that the person has in that moment and no longer, whoever gave it', async () => {
    await under.store.addUser(aUser({ sub: 'u', groups: ['photos', 'given meanwhile'] }))
    const lostGroups = { notBeforeMs: 1, expiresAt: EXPIRES }
    const entries = await under.store.act(anAct({ setUser: { sub: 'u', groups: ['photos'] }, lostGroups }))
    assert.deepEqual(
      entries.map(({ kind, key }) => `${kind} ${key}`),
      ['sub_group u given meanwhile'],
    )
  })

  it('an act that cannot be carried out wholly changes nothing', async () => {
    await populate()
    const act = anAct({
      revocations: [{ kind: 'client', key: 'c', notBeforeMs: 1, expiresAt: EXPIRES }],
      endAuthorizations: [{ clientId: 'c' }],
      deleteConsents: [{ clientId: 'c' }],
      setClient: { id: 'gone', revoked: true },
    })
    await assert.rejects(under.store.act(act), /gone/)
    assert.deepEqual(await alive(), ['G', 'H', 'I'])
    assert.equal((await under.store.consents({})).length, 3)
    assert.deepEqual(await under.store.revocations(0, 0), [])
    assert.deepEqual(await under.store.audits(10), [])
  })

  it('refuses an act that would match everything', async () => {
    await populate()
    await assert.rejects(under.store.act(anAct({ deleteConsents: [{}] })))
    await assert.rejects(under.store.act(anAct({ endAuthorizations: [{}] })))
    assert.deepEqual(await alive(), ['G', 'H', 'I'])
  })
}

function units(under: Under): void {
  const entry = { kind: 'sub', key: 'u', notBeforeMs: 1, expiresAt: EXPIRES } as const
  const ending = anAct({ revocations: [entry], endAuthorizations: [{ sub: 'u' }] })
  const spend = async (): Promise<void> => {
    await under.store.hold({ token: 'rt' })
    assert.equal(await under.store.consumeModel('RefreshToken', 'rt', 5), true)
    await under.store.putModel('RefreshToken', 'next', {}, { grantId: 'G', accountId: 'u' }, EXPIRES)
    await under.store.audit('token.issued', {}, 1)
  }
  beforeEach(() => under.store.putModel('RefreshToken', 'rt', {}, { grantId: 'G', accountId: 'u' }, EXPIRES))

  it('a unit that is not to be kept leaves nothing behind', async () => {
    assert.equal(
      await under.store.unit(
        () => spend().then(() => 'answer'),
        () => false,
      ),
      'answer',
    )
    assert.deepEqual(await under.store.model('RefreshToken', 'rt'), {})
    assert.equal(await under.store.model('RefreshToken', 'next'), undefined)
    assert.deepEqual(await under.store.audits(9), [])
  })

  it('a unit in which something failed leaves nothing behind, and says so even when nobody there minded', async () => {
    const work = async (): Promise<void> => {
      await spend()
      const impossible = anAct({ setUser: { sub: 'nobody', disabled: true } })
      await under.store.act(impossible).catch(() => undefined)
    }
    await assert.rejects(
      under.store.unit(work, () => true),
      /not there any more/,
    )
    assert.deepEqual(await under.store.model('RefreshToken', 'rt'), {})
    const thrown = new Error('elsewhere')
    const throwing = (): Promise<void> =>
      spend().then(() => {
        throw thrown
      })
    await assert.rejects(
      under.store.unit(throwing, () => true),
      thrown,
    )
    assert.deepEqual(await under.store.model('RefreshToken', 'rt'), {})
  })

  it('nobody outside sees what a unit does before it is over; then all of it is there', async () => {
    const seen: unknown[] = []
    const outside = AsyncLocalStorage.snapshot()
    await under.store.unit(
      async () => {
        await spend()
        const looking = outside(() => under.store.model('RefreshToken', 'rt'))
        // A store with one connection answers only when the unit is over.
        seen.push(await Promise.race([looking, new Promise((resolve) => setTimeout(resolve, 50, {}))]))
        assert.deepEqual(await under.store.model('RefreshToken', 'rt'), { consumed: 5 })
      },
      () => true,
    )
    assert.deepEqual(seen, [{}])
    assert.deepEqual(await under.store.model('RefreshToken', 'rt'), { consumed: 5 })
    assert.deepEqual(await under.store.model('RefreshToken', 'next'), {})
  })

  it('an act on what a unit holds comes after the whole unit', async () => {
    const outside = AsyncLocalStorage.snapshot()
    const order: string[] = []
    let acting: Promise<unknown> | undefined
    await under.store.unit(
      async () => {
        await under.store.hold({ token: 'rt' })
        await under.store.hold({ gid: gidOf('G'), clientId: 'c', sub: 'u' })
        acting = outside(() => under.store.act(ending).then(() => order.push('act')))
        await new Promise((resolve) => setTimeout(resolve, 30))
        await spend()
        order.push('unit')
      },
      () => true,
    )
    await acting
    assert.deepEqual(order, ['unit', 'act'])
    assert.equal(await under.store.model('RefreshToken', 'next'), undefined)
  })

  it('of twenty units that spend one token side by side, one does', async () => {
    const once = (): Promise<boolean> =>
      under.store.unit(
        async () => {
          await under.store.hold({ token: 'rt' })
          return under.store.consumeModel('RefreshToken', 'rt', 5)
        },
        () => true,
      )
    const won = await Promise.all(Array.from({ length: 20 }, once))
    assert.equal(won.filter(Boolean).length, 1)
  })

  it('of twenty units that hold one whole person side by side, each sees what those before it left', async () => {
    const sub = 'u'
    const apps = Array.from({ length: 20 }, (_, n) => ({ clientId: `c${n}`, resource: 'r' }))
    const consent = { sub, granted: ['a'], rejected: [], since: 1 }
    await under.store.putConsents(apps.map((app) => ({ ...consent, ...app })))
    const takeOne = ({ clientId }: { readonly clientId: string }): Promise<boolean> =>
      under.store.unit(
        async () => {
          await under.store.hold({ wholeSub: sub })
          if ((await under.store.consents({ sub })).length === 1) return false
          await under.store.act(anAct({ deleteConsents: [{ sub, clientId }], endSessions: [{ sub }] }))
          return true
        },
        (done) => done,
      )
    const taken = await Promise.all(apps.map(takeOne))
    assert.equal(taken.filter(Boolean).length, 19)
    assert.equal((await under.store.consents({ sub })).length, 1, 'the last one stays')
  })

  it('of units that judge all people side by side, each sees what those before it left, and one person stays', async () => {
    const subs = Array.from({ length: 6 }, (_, n) => `p${n}`)
    for (const sub of subs) await under.store.addUser(aUser({ sub, username: sub, groups: ['admins'] }))
    const stepDown = (sub: string): Promise<boolean> =>
      under.store.unit(
        async () => {
          await under.store.hold({ people: true })
          const left = (await under.store.users()).filter(({ groups }) => groups.includes('admins'))
          if (left.length === 1) return false
          await under.store.act(anAct({ setUser: { sub, groups: [] } }))
          return true
        },
        (done) => done,
      )
    const done = await Promise.all(subs.map(stepDown))
    assert.equal(done.filter(Boolean).length, 5)
  })

  it('says how long ago something was spent, counted from the end of its unit', async () => {
    assert.equal(await under.store.sinceSpentMs('RefreshToken', 'rt'), undefined)
    await under.store.unit(
      async () => {
        await under.store.stampSpent('RefreshToken', 'rt')
        await new Promise((resolve) => setTimeout(resolve, 40))
      },
      () => true,
    )
    const since = await under.store.sinceSpentMs('RefreshToken', 'rt')
    assert.ok(since !== undefined && since >= 0, String(since))
  })

  it('an act inside of a unit is numbered when the unit is over, before its listeners hear of it', async () => {
    const heard: number[] = []
    const stop = under.store.subscribe(() => heard.push(1))
    const entries = await under.store.unit(
      async () => {
        const answered = await under.store.act(ending)
        assert.deepEqual([answered.length, heard.length], [0, 0])
        return answered
      },
      () => true,
    )
    stop()
    assert.deepEqual(await under.store.revocations(0, 1), entries)
    assert.deepEqual([entries.length, heard.length], [1, 1])
  })
}

/** Writes 20,010 lines of refused strangers. */
async function fillBySteps(store: Store): Promise<void> {
  for (let n = 0; n < 20_010; n += 10) {
    await Promise.all(Array.from({ length: 10 }, (_, m) => store.audit('token.refused', { n: n + m }, 100, true)))
  }
}

function audits(under: Under, fill: (store: Store) => Promise<void>): void {
  it('strangers’ lines push out strangers’ only', async () => {
    await under.store.audit('consent.granted', {}, 100)
    await fill(under.store)
    await under.store.sweep(200)
    const kept = await under.store.auditsAfter(0, 30_000)
    const refused = kept.filter(({ origin }) => origin === 'stranger')
    assert.deepEqual([kept[0]?.event, refused.length, kept.at(-1)?.detail.n], ['consent.granted', 20_000, 20_009])
  })

  it('lines are read on from an id, oldest first, of all or of one origin', async () => {
    await under.store.audit('a', {}, 1)
    await under.store.audit('b', {}, 2, true)
    await under.store.audit('c', {}, 3)
    const all = await under.store.auditsAfter(0, 10)
    assert.deepEqual(
      all.map(({ event, origin }) => `${event} ${origin}`),
      ['a server', 'b stranger', 'c server'],
    )
    assert.deepEqual(
      (await under.store.auditsAfter(all[0]?.id ?? 0, 1)).map(({ event }) => event),
      ['b'],
    )
    assert.deepEqual(
      (await under.store.auditsAfter(0, 10, 'stranger')).map(({ event }) => event),
      ['b'],
    )
    assert.deepEqual(await under.store.auditsAfter(0, 10, 'command'), [])
  })

  it('answers audit lines newest first, page by page', async () => {
    for (const at of [1, 2, 3]) await under.store.audit('login.success', { n: at }, at)
    const [newest, second] = await under.store.audits(2)
    assert.deepEqual([newest?.at, second?.at, newest?.detail], [3, 2, { n: 3 }])
    assert.deepEqual(
      (await under.store.audits(2, second?.id)).map((line) => line.at),
      [1],
    )
  })

  it('a row stays findable for 60 s past its expiry, then it is swept', async () => {
    await under.store.putModel('AccessToken', 'a', {}, {}, 1000)
    await under.store.putModel('Client', 'forever', {}, {}, undefined)
    await under.store.sweep(1060)
    assert.notEqual(await under.store.model('AccessToken', 'a'), undefined)
    assert.equal(await under.store.sweep(1061), 1)
    assert.equal(await under.store.model('AccessToken', 'a'), undefined)
    assert.notEqual(await under.store.model('Client', 'forever'), undefined)
  })

  it('forgets an authorization a day after its last use when nothing can renew it, and no other', async () => {
    const day = 86_400
    for (const [gid, lastUsedAt] of [
      [gidOf('renewable'), undefined],
      ['used', 1000 + day],
      ['idle', undefined],
    ] as const) {
      await under.store.putAuthorization(anAuthorization({ gid, lastUsedAt }))
    }
    await under.store.putModel('RefreshToken', 'rt', {}, { grantId: 'renewable' }, EXPIRES)
    await under.store.sweep(1000 + day)
    assert.equal((await under.store.authorizations({})).length, 3)
    for (let n = 0; n < 3; n++) await under.store.sweep(1001 + day)
    const left = (await under.store.authorizations({})).map(({ gid }) => gid)
    assert.deepEqual(left.sort(), [gidOf('renewable'), 'used'].sort())
  })

  it('however often a family is rotated, a few hundred of its spent tokens are kept, the newest; none of another family goes', async () => {
    const { store } = under
    const columns = { grantId: 'G', accountId: 'u', clientId: 'c' }
    await store.putModel('RefreshToken', 'other', {}, { ...columns, grantId: 'H' }, EXPIRES)
    await store.consumeModel('RefreshToken', 'other', 1)
    await store.unit(
      async () => {
        for (let n = 0; n < 900; n += 1) {
          await store.putModel('RefreshToken', `rt-${n}`, {}, columns, EXPIRES)
          assert.equal(await store.consumeModel('RefreshToken', `rt-${n}`, 1_000 + n), true)
        }
      },
      () => true,
    )
    for (const gid of [gidOf('G'), gidOf('H')]) await store.putAuthorization(anAuthorization({ gid }))
    const swept = await store.sweep(2_000)
    assert.ok(swept <= 900 - 288, `${swept}`)
    const kept = []
    for (let n = 0; n < 900; n += 1) if ((await store.model('RefreshToken', `rt-${n}`)) !== undefined) kept.push(n)
    assert.equal(kept.length, 288)
    assert.equal(kept[0], 900 - kept.length)
    assert.notEqual(await store.model('RefreshToken', 'other'), undefined)
  })

  it('a spent refresh token is kept for seven days, however long it would have lived; what lives shorter is not kept longer', async () => {
    const { store } = under
    const week = 7 * 86_400
    await store.putModel('RefreshToken', 'long', {}, { grantId: 'G' }, 1_000 + 30 * 86_400)
    await store.putModel('RefreshToken', 'short', {}, { grantId: 'G' }, 2_000)
    for (const id of ['long', 'short']) await store.consumeModel('RefreshToken', id, 1_000)
    await store.sweep(2_061)
    assert.equal(await store.model('RefreshToken', 'short'), undefined)
    await store.sweep(1_000 + week)
    assert.deepEqual(await store.model('RefreshToken', 'long'), { consumed: 1_000 })
    await store.sweep(1_061 + week)
    assert.equal(await store.model('RefreshToken', 'long'), undefined)
  })

  it('sweeps more rows than one batch holds, counters, answers and old audit lines too', async () => {
    for (let n = 0; n < 1201; n++) await under.store.putModel('AccessToken', `a${n}`, {}, {}, 1000)
    await under.store.putReplay('r', 's', 1000)
    await under.store.countFailure('t', 1, 0, 1000)
    await under.store.audit('old', {}, 1000)
    assert.equal(await under.store.sweep(1000 + 91 * 86_400), 1204)
    assert.deepEqual(await under.store.audits(1), [])
  })
}

function subscribers(under: Under): void {
  it('tells of a change before the act resolves, and not after the subscription has ended', async () => {
    let heard = 0
    const stop = under.store.subscribe(() => {
      heard += 1
    })
    await under.store.act(anAct({ revocations: [{ kind: 'jti', key: 'j', notBeforeMs: 1, expiresAt: EXPIRES }] }))
    assert.equal(heard, 1)
    await under.store.act(anAct({ revocations: [{ kind: 'jti', key: 'k', notBeforeMs: 1, expiresAt: EXPIRES }] }))
    assert.equal(heard, 2)
    stop()
    await under.store.act(anAct({ revocations: [{ kind: 'jti', key: 'l', notBeforeMs: 1, expiresAt: EXPIRES }] }))
    assert.equal(heard, 2)
  })

  it('does not tell of people, clients, codes, tokens and counters', async () => {
    let heard = 0
    const stop = under.store.subscribe(() => {
      heard += 1
    })
    await under.store.addUser(aUser())
    await under.store.addClient(aClient())
    await under.store.putModel('AccessToken', 'a', {}, {}, EXPIRES)
    await under.store.countFailure('t', 1, 0, EXPIRES)
    stop()
    assert.equal(heard, 0)
  })
}
