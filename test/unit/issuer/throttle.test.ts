import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { createPasswords, type Passwords } from '../../../src/issuer/people/passwords.ts'
import { addUser } from '../../../src/issuer/people/people.ts'
import {
  createSignIn,
  type SignIn,
  type SignInAttempt,
  type SignInResult,
} from '../../../src/issuer/people/throttle.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { Store } from '../../../src/store/store.ts'

const RIGHT = 'correct horse'

/** Instant: what is tested here is how long people wait, and whom. */
const instant: Passwords = {
  hash: async (password) => `hash of ${password}`,
  verify: async (hash, password) => (hash === `hash of ${password}` ? 'right' : 'wrong'),
}

describe('signing in', () => {
  let store: Store
  let nowMs = 0
  let waited: number[] = []
  let signIn: SignIn
  const build = (passwords: Passwords = instant): SignIn =>
    createSignIn({
      store,
      masterKey: Buffer.alloc(32, 7),
      now: () => nowMs,
      passwords,
      wait: async (ms) => {
        waited.push(ms)
        nowMs += ms
      },
    })
  const attempt = (over: Partial<SignInAttempt> = {}): Promise<SignInResult> =>
    signIn.attempt({ username: 'alice', password: 'wrong', address: '192.0.2.1', ...over })
  const lastWait = async (over: Partial<SignInAttempt> = {}): Promise<number> => {
    waited = []
    await attempt(over)
    return waited[0] ?? 0
  }

  beforeEach(async () => {
    store = await openSqliteStore(':memory:')
    nowMs = 1_700_000_000_000
    waited = []
    signIn = build()
    await addUser(store, { username: 'Alice', groups: [], passwordHash: `hash of ${RIGHT}` }, nowMs)
    await addUser(store, { username: 'nopass', groups: [], passwordHash: undefined }, nowMs)
  })
  afterEach(() => store.close())

  it('answers who it is, by a password, whatever the case of the name', async () => {
    const result = await attempt({ username: 'ALICE', password: RIGHT })
    assert.equal(result.kind, 'ok')
    assert.ok(result.kind === 'ok')
    assert.deepEqual([result.user.username, result.amr], ['Alice', ['pwd']])
  })

  it('same answer and time for unknown names, disabled people and people without password', async () => {
    const alice = await store.userByName('alice')
    const waits: Record<string, number[]> = {}
    for (const [group, username] of ['alice', 'nobody', 'nopass'].entries()) {
      waited = []
      for (let n = 0; n < 8; n++) {
        assert.deepEqual(await attempt({ username, address: `2001:db8:${group}::${n}` }), { kind: 'wrong' })
      }
      waits[username] = waited
    }
    assert.deepEqual(waits.nobody, waits.alice)
    assert.deepEqual(waits.nopass, waits.alice)
    await store.updateUser(alice?.sub ?? '', { disabled: true })
    assert.deepEqual(await attempt({ password: RIGHT }), { kind: 'wrong' })
  })

  it('after twelve wrong tries by others the owner is in within 8 s, from the same address too', async () => {
    for (let n = 0; n < 12; n++) await attempt()
    const before = nowMs
    assert.equal((await attempt({ password: RIGHT })).kind, 'ok')
    assert.ok(nowMs - before >= 1000, 'slowed')
    assert.ok(nowMs - before <= 8000, `${nowMs - before} ms`)
  })

  it('after a thousand wrong tries from everywhere the owner is in within 8 s', async () => {
    for (let n = 0; n < 1000; n++) await attempt({ address: `198.51.${n % 250}.${n % 200}` })
    const before = nowMs
    assert.equal((await attempt({ password: RIGHT })).kind, 'ok')
    assert.ok(nowMs - before <= 8000, `${nowMs - before} ms`)
  })

  it('twelve tries sent side by side are slowed as if sent one after another', async () => {
    await Promise.all(Array.from({ length: 12 }, () => attempt()))
    assert.equal(Math.max(...waited), 3000)
    assert.ok(waited.length >= 9, 'all but the first three wait')
  })

  it('more tries at once than there are places are told to come later, without looking at the password', async () => {
    let looked = 0
    const counting: Passwords = {
      ...instant,
      verify: async () => {
        looked += 1
        return 'wrong'
      },
    }
    signIn = build(counting)
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, n) => attempt({ address: `198.51.100.${n}`, password: RIGHT })),
    )
    assert.equal(results.filter(({ kind }) => kind === 'slow').length, 24)
    assert.equal(looked, 16)
  })

  it('a device that the owner signed in from is not slowed by what others try', async () => {
    const first = await attempt({ password: RIGHT })
    assert.ok(first.kind === 'ok')
    for (let n = 0; n < 60; n++) await attempt({ address: `198.51.100.${n}` })
    assert.equal(await lastWait({ password: RIGHT, deviceKey: first.deviceKey, address: '203.0.113.1' }), 0)
    assert.equal(await lastWait({ password: RIGHT, address: '203.0.113.2' }), 6000)
  })

  it('the device of one person opens no way to another', async () => {
    await addUser(store, { username: 'mallory', groups: [], passwordHash: `hash of ${RIGHT}` }, nowMs)
    const own = await attempt({ username: 'mallory', password: RIGHT })
    assert.ok(own.kind === 'ok')
    for (let n = 0; n < 12; n++) await attempt({ address: `198.51.100.${n}` })
    for (const deviceKey of [own.deviceKey, 'forged', 'a.b', 'a.b.c', '.', `${own.deviceKey}x`]) {
      assert.ok((await lastWait({ deviceKey, address: `203.0.113.${deviceKey.length}` })) >= 3000, deviceKey)
    }
  })

  it('signing in to one’s own account wins no free tries at others’ from the same address', async () => {
    for (let n = 0; n < 12; n++) await attempt({ username: `victim${n}` })
    assert.equal((await attempt({ password: RIGHT })).kind, 'ok')
    assert.ok((await lastWait({ username: 'victim99' })) >= 1000)
  })

  it('one IPv6 network counts as one address, and a mapped IPv4 address as that address', async () => {
    for (let n = 0; n < 12; n++) await attempt({ username: `victim${n}`, address: `2001:db8:0:1::${n}` })
    assert.equal(await lastWait({ username: 'x', address: '2001:db8::1:0:0:0:9' }), 1000)
    assert.equal(await lastWait({ username: 'y', address: '2001:db8:0:2::9' }), 0)
    for (let n = 0; n < 12; n++) await attempt({ username: `target${n}`, address: '192.0.2.9' })
    assert.equal(await lastWait({ username: 'z', address: '::ffff:192.0.2.9' }), 1000)
  })

  it('failures are forgotten a quarter of an hour after the last', async () => {
    for (let n = 0; n < 8; n++) await attempt()
    assert.equal(await lastWait(), 3000)
    nowMs += 15 * 60_000 + 1
    assert.equal(await lastWait(), 0)
  })

  it('failures are known after a restart', async () => {
    for (let n = 0; n < 8; n++) await attempt()
    signIn = build()
    assert.equal(await lastWait(), 3000)
  })

  it('a password that was changed while the try waited is judged by what holds now', async () => {
    const alice = await store.userByName('alice')
    const changing: Passwords = {
      ...instant,
      verify: async (hash, password) => {
        await store.updateUser(alice?.sub ?? '', { passwordHash: 'hash of another' })
        return instant.verify(hash, password)
      },
    }
    signIn = build(changing)
    assert.deepEqual(await attempt({ password: RIGHT }), { kind: 'wrong' })
  })

  it('a password that was hashed with smaller parameters is hashed anew', async () => {
    signIn = build({ hash: async () => 'stronger', verify: async () => 'weaker' })
    assert.equal((await attempt({ password: RIGHT })).kind, 'ok')
    assert.equal((await store.userByName('alice'))?.passwordHash, 'stronger')
  })

  it('when hashing is overloaded people are told to come later', async () => {
    signIn = build({ ...instant, verify: async () => 'busy' })
    assert.equal((await attempt({ password: RIGHT })).kind, 'slow')
  })

  it('works with real hashes', async () => {
    const passwords = createPasswords()
    const passwordHash = await passwords.hash('real password')
    await addUser(store, { username: 'real', groups: [], passwordHash }, nowMs)
    signIn = build(passwords)
    assert.equal((await attempt({ username: 'real', password: 'real password' })).kind, 'ok')
    assert.equal((await attempt({ username: 'real', password: 'Real password' })).kind, 'wrong')
  })
})
