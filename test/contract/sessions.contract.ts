import assert from 'node:assert/strict'
import { it } from 'node:test'
import { gidOf, lookupKey } from '../../src/store/sealed-payload.ts'
import type { AppPasswordRecord, SessionOpening } from '../../src/store/session-store.ts'
import type { Store } from '../../src/store/store.ts'
import { anAct, anAuthorization } from './store-records.ts'

const PHOTOS = 'https://gate.example.com/photos'
const FILES = 'https://gate.example.com/files'
const ORIGIN = 'https://photos.example.com'
const REFUSED = { notBeforeMs: 5_000, expiresAt: 2_000_000_000 }

function anOpening(change: Partial<SessionOpening> & { readonly gid?: string } = {}): SessionOpening {
  const { gid = 'g1', ...rest } = change
  return {
    ...{ presented: undefined, browser: 'b1', origin: ORIGIN, sub: 'usr_1', issuerSession: 'is1' },
    resource: { resource: PHOTOS, gid, authTime: 900, amr: ['pwd'], acr: undefined },
    ...{ scopes: ['photos:read'], now: 1_000, expiresAt: 2_000, graceSeconds: 30, mostOfPerson: 50, mostInAll: 100 },
    ...{ newId: `session of ${gid}`, hashOf: (id: string, generation: number) => `${id} #${generation}` },
    ...rest,
  }
}

function aPassword(change: Partial<AppPasswordRecord> = {}): AppPasswordRecord {
  return {
    ...{ id: 'p1', hash: 'hash 1', gid: 'gp1', sub: 'usr_1', resource: FILES, scopes: ['files:read'], name: 'tv' },
    ...{ createdAt: 1_000, expiresAt: 2_000_000_000, lastUsedAt: undefined },
    ...change,
  }
}

/** What any store has to do for sessions of browsers and app passwords. */
export function sessionsContract(under: { readonly store: Store }): void {
  const open = (change?: Parameters<typeof anOpening>[0]) => under.store.openBrowserSession(anOpening(change))
  const idsOf = async (sub: string) => (await under.store.browserSessions({ sub })).map(({ id }) => id)

  it('opens a browser’s session, and finds it by the hash of its id alone', async () => {
    const { store } = under
    const { session, ended } = await open()
    assert.deepEqual(ended, [])
    assert.deepEqual(session, {
      ...{ id: 'session of g1', generation: 1, origin: ORIGIN, sub: 'usr_1', issuerSession: 'is1' },
      ...{ createdAt: 1_000, movedAt: 1_000, signedInAt: 1_000 },
      resources: [{ resource: PHOTOS, gid: 'g1', authTime: 900, amr: ['pwd'], acr: undefined }],
    })
    assert.deepEqual(await store.browserSession('session of g1 #1', 970), session)
    assert.equal(await store.browserSession('session of g1', 970), undefined)
    assert.deepEqual(await store.browserSessions({ issuerSession: 'is1' }), [session])
    assert.deepEqual(await store.browserSessions({ sub: 'usr_2' }), [])
  })

  it('gives whoever comes with the id in force the next one; the one before stays good for a while, and an earlier one does not', async () => {
    const { store } = under
    await open()
    const { session } = await open({ presented: 'session of g1 #1', gid: 'g2', now: 1_100 })
    assert.deepEqual([session.id, session.generation, session.signedInAt], ['session of g1', 2, 1_100])
    assert.ok(await store.browserSession('session of g1 #2', 1_070))
    assert.ok(await store.browserSession('session of g1 #1', 1_100))
    assert.equal(await store.browserSession('session of g1 #1', 1_101), undefined)
    await open({ presented: 'session of g1 #2', gid: 'g3', now: 1_110 })
    assert.equal(await store.browserSession('session of g1 #1', 1_080), undefined)
  })

  it('puts a further resource of the same person into the same session, and ends the authorization that it takes the place of', async () => {
    await open()
    const files = { resource: FILES, gid: 'g2', authTime: undefined, amr: [], acr: 'urn:level' }
    const { session, ended } = await open({ presented: 'session of g1 #1', resource: files, now: 1_010 })
    assert.deepEqual([session.resources.map(({ gid }) => gid).sort(), ended], [['g1', 'g2'], []])
    const again = await open({ presented: 'session of g1 #2', gid: 'g3', now: 1_020 })
    assert.deepEqual(again.ended, ['g1'])
  })

  it('keeps an authorization of the same sign-in that is as good, and ends the new one', async () => {
    const { store } = under
    await store.putAuthorization(anAuthorization({ gid: 'g1', resources: { [PHOTOS]: ['photos:read'] } }))
    await open()
    const same = await open({ presented: 'session of g1 #1', gid: 'g2', now: 1_010 })
    assert.deepEqual([same.session.resources.map(({ gid }) => gid), same.ended], [['g1'], ['g2']])
    const more = { presented: 'session of g1 #2', gid: 'g3', scopes: ['photos:read', 'photos:write'], now: 1_020 }
    assert.deepEqual((await open(more)).ended, ['g1'])
  })

  it('ends the session of somebody else who came with it, and leaves one of another origin alone', async () => {
    await open()
    const other = await open({ presented: 'session of g1 #1', sub: 'usr_2', gid: 'g2', browser: 'b2', now: 1_100 })
    assert.deepEqual([other.session.id, other.ended], ['session of g2', ['g1']])
    assert.deepEqual(await idsOf('usr_1'), [])
    const elsewhere = { presented: 'session of g2 #1', origin: 'https://files.example.com', sub: 'usr_1', gid: 'g3' }
    assert.deepEqual((await open({ ...elsewhere, now: 1_200 })).ended, [])
    assert.deepEqual(await idsOf('usr_2'), ['session of g2'])
  })

  it('makes one record of all callbacks of a browser that arrive together', async () => {
    const gids = Array.from({ length: 12 }, (_, i) => `g${i}`)
    const opened = await Promise.all(gids.map((gid) => open({ gid })))
    assert.equal(new Set(opened.map(({ session }) => session.id)).size, 1)
    assert.equal((await idsOf('usr_1')).length, 1)
    assert.equal(opened.flatMap(({ ended }) => ended).length, 11)
    assert.deepEqual((await open({ gid: 'late', now: 1_031 })).session.id, 'session of late')
  })

  it('ends the oldest beyond the limit of a person, and of all', async () => {
    const one = (n: number, sub = 'usr_1') => ({ gid: `g${n}`, browser: `b${n}`, sub, now: 1_000 + n })
    for (const n of [1, 2, 3]) await open({ ...one(n), mostOfPerson: 3 })
    assert.deepEqual((await open({ ...one(4), mostOfPerson: 3 })).ended, ['g1'])
    await open({ ...one(5, 'usr_2'), mostOfPerson: 3 })
    assert.deepEqual((await open({ ...one(6, 'usr_2'), mostInAll: 4 })).ended, ['g2'])
    assert.deepEqual(await idsOf('usr_1'), ['session of g3', 'session of g4'])
  })

  it('moves the idle end forward only, and sessions to another session of the issuer', async () => {
    const { store } = under
    await open()
    await store.moveBrowserSession('session of g1', 1_500, 2_500)
    await store.moveBrowserSession('session of g1', 1_400, 2_400)
    await store.moveIssuerSession('is1', 'is2')
    const [session] = await store.browserSessions({ issuerSession: 'is2' })
    assert.equal(session?.movedAt, 1_500)
    assert.deepEqual(await store.browserSessions({ issuerSession: 'is1' }), [])
  })

  it('ends with a session of the issuer all that were opened under it, with their authorizations', async () => {
    const { store } = under
    await store.putModel('Session', 'cookie', { uid: 'u' }, { accountId: 'usr_1', uid: 'u' }, 2_000_000_000)
    await open()
    await open({ gid: 'g2', browser: 'b2', origin: 'https://files.example.com' })
    await open({ gid: 'g3', browser: 'b3', issuerSession: 'is2' })
    await store.putAuthorization(anAuthorization({ gid: 'g1' }))
    const entries = await store.act(anAct({ endBrowserSessions: [{ issuerSession: 'is1', revokeTokens: REFUSED }] }))
    assert.deepEqual(entries.map(({ kind, key }) => `${kind} ${key}`).sort(), ['gid g1', 'gid g2'])
    assert.deepEqual(await idsOf('usr_1'), ['session of g3'])
    assert.equal((await store.authorizations({ gid: 'g1' }))[0]?.ended, true)
  })

  it('ends with a session of the issuer the codes of it that nobody has spent, and what a client has not opened a session with', async () => {
    const { store } = under
    const until = 2_000_000_000
    const give = async (gid: string, clientId: string, issuerSession: string): Promise<void> => {
      const of = { accountId: 'usr_1', clientId, grantId: gid }
      await store.putModel('Grant', gid, {}, of, until)
      await store.putModel('AuthorizationCode', `code of ${gid}`, {}, of, until)
      await store.bindToSession(gidOf(gid), issuerSession, 1)
    }
    await give('waiting', 'browser', 'u')
    await give('app', 'cli', 'u')
    await give('elsewhere', 'browser', 'v')
    await store.moveIssuerSession(lookupKey('u'), lookupKey('w'))
    const ends = { issuerSession: lookupKey('w'), sub: 'usr_1', clientId: 'browser', revokeTokens: REFUSED }
    const entries = await store.act(anAct({ endBrowserSessions: [ends] }))
    assert.deepEqual(
      entries.map(({ kind, key }) => `${kind} ${key}`),
      [`gid ${gidOf('waiting')}`],
    )
    const left = async (model: string, id: string) => (await store.model(model, id)) !== undefined
    assert.deepEqual(
      await Promise.all(['waiting', 'app', 'elsewhere'].map((gid) => left('AuthorizationCode', `code of ${gid}`))),
      [false, false, true],
    )
    assert.deepEqual(await Promise.all(['waiting', 'app', 'elsewhere'].map((gid) => left('Grant', gid))), [
      false,
      true,
      true,
    ])
  })

  it('ends with a client what it has begun before anybody said yes, and leaves that of others', async () => {
    const { store } = under
    for (const clientId of ['cli', 'tv'])
      for (const model of ['PushedAuthorizationRequest', 'DeviceCode'])
        await store.putModel(model, `of ${clientId}`, {}, { clientId }, 2_000_000_000)
    await store.act(anAct({ endAuthorizations: [{ clientId: 'cli' }] }))
    for (const model of ['PushedAuthorizationRequest', 'DeviceCode']) {
      assert.equal(await store.model(model, 'of cli'), undefined)
      assert.ok((await store.model(model, 'of tv')) !== undefined)
    }
  })

  it('forgets a session when its time is over', async () => {
    const { store } = under
    await open({ expiresAt: 2_000 })
    await store.sweep(1_900)
    assert.equal((await idsOf('usr_1')).length, 1)
    await store.sweep(2_000 + 120)
    assert.deepEqual(await idsOf('usr_1'), [])
  })

  it('keeps an app password, finds it by each of its keys, and not beyond the limit of a person', async () => {
    const { store } = under
    const password = aPassword()
    assert.equal(await store.addAppPassword(password, 2), 'added')
    for (const keys of [{ sub: 'usr_1' }, { id: 'p1' }, { gid: 'gp1' }, { hash: 'hash 1' }, {}])
      assert.deepEqual(await store.appPasswords(keys), [password])
    assert.deepEqual(await store.appPasswords({ id: 'p1', sub: 'usr_2' }), [])
    const further = Array.from({ length: 5 }, (_, i) =>
      store.addAppPassword(aPassword({ id: `f${i}`, hash: `f${i}`, gid: `f${i}` }), 2),
    )
    const results = await Promise.all(further)
    assert.equal(results.filter((result) => result === 'added').length, 1)
    assert.equal(await store.addAppPassword(aPassword({ id: 'o', hash: 'o', gid: 'o', sub: 'usr_2' }), 2), 'added')
  })

  it('writes down the last use of an app password at most once a minute', async () => {
    const { store } = under
    await store.addAppPassword(aPassword(), 2)
    const lastUsedAt = async () => (await store.appPasswords({ id: 'p1' }))[0]?.lastUsedAt
    await store.touchAuthorizations(new Map([['gp1', 1_100]]))
    await store.touchAuthorizations(new Map([['gp1', 1_159]]))
    assert.equal(await lastUsedAt(), 1_100)
    await store.touchAuthorizations(new Map([['gp1', 1_160]]))
    assert.equal(await lastUsedAt(), 1_160)
  })

  it('ends app passwords by person, or by id, and refuses their tokens', async () => {
    const { store } = under
    for (const n of [1, 2, 3]) await store.addAppPassword(aPassword({ id: `p${n}`, hash: `h${n}`, gid: `g${n}` }), 9)
    await store.addAppPassword(aPassword({ id: 'o', hash: 'o', gid: 'o', sub: 'usr_2' }), 9)
    const end = async (of: { readonly id?: string; readonly sub?: string }) =>
      (await store.act(anAct({ endAppPasswords: [{ ...of, revokeTokens: REFUSED }] }))).map(({ key }) => key).sort()
    assert.deepEqual(await end({ id: 'p2' }), ['g2'])
    assert.deepEqual(await end({ id: 'p2' }), [])
    assert.deepEqual(await end({ sub: 'usr_1' }), ['g1', 'g3'])
    assert.deepEqual(
      (await store.appPasswords({})).map(({ id }) => id),
      ['o'],
    )
  })

  it('keeps the sign-in by a provider that an app password lives by, spares both as it spares native clients, and ends them together', async () => {
    const { store } = under
    await store.addProviderSignIn({
      ...{ id: 's1', provider: 'sso', issuer: 'https://sso.example.com', person: 'p', sub: 'usr_1', sid: undefined },
      ...{ sealed: 'x', askedAtMs: 1_000, endsAtMs: undefined, dueAtMs: undefined, ended: false, createdAt: 1 },
    })
    await store.addAppPassword(aPassword(), 9)
    await store.bindAuthorization('gp1', 'app-password', 's1')
    assert.equal((await store.signInOfAuthorization('gp1'))?.id, 's1')
    assert.deepEqual(await store.authorizationsOfSignIn('s1'), [{ gid: 'gp1', clientId: 'app-password' }])
    const nowMs = 100_000_000
    assert.deepEqual(await store.abandonedSignIns(nowMs, 9), [])
    await store.sweep(30 * 86_400)
    assert.equal((await store.signInOfAuthorization('gp1'))?.id, 's1')
    const waiting = () =>
      store.waitingSignIns({ nowMs, askedBeforeMs: nowMs - 900_000, usedSince: nowMs / 1000 - 180, limit: 9 })
    assert.deepEqual(await waiting(), [])
    await store.touchAuthorizations(new Map([['gp1', nowMs / 1000]]))
    assert.deepEqual(await waiting(), ['s1'])
    assert.deepEqual([...(await store.oldestAsked(nowMs)).keys()], ['sso'])
    const end = (keepNative: boolean) =>
      store.act(anAct({ endProviderSignIns: [{ id: 's1', sub: 'usr_1', keepNative, ...REFUSED }] }))
    assert.deepEqual(await end(true), [])
    assert.equal((await store.appPasswords({})).length, 1)
    assert.deepEqual(
      (await end(false)).map(({ kind, key }) => `${kind} ${key}`),
      ['gid gp1'],
    )
    assert.deepEqual(await store.appPasswords({}), [])
    assert.equal((await store.providerSignIn('s1'))?.ended, true)
  })
}
