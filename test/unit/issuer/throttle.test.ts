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

/** Waits that end when the test says so, the oldest first. */
function holding() {
  const held: (() => void)[] = []
  const release = async (): Promise<void> => {
    held.shift()?.()
    await settled()
  }
  return {
    wait: () => new Promise<void>((resolve) => held.push(resolve)),
    count: () => held.length,
    release,
    releaseAll: async (attempts: readonly Promise<unknown>[]): Promise<void> => {
      const all = Promise.all(attempts)
      for (let n = 0; n < attempts.length; n++) await release()
      await all
    },
  }
}

/** What is under way and needs no clock is done. */
async function settled(): Promise<void> {
  for (let n = 0; n < 50; n++) await new Promise((resolve) => setImmediate(resolve))
}

describe('signing in', () => {
  let store: Store
  let nowMs = 0
  let waited: number[] = []
  let signIn: SignIn
  const passing = async (ms: number): Promise<void> => {
    waited.push(ms)
    nowMs += ms
  }
  const build = (passwords: Passwords = instant, wait: (ms: number) => Promise<void> = passing): SignIn =>
    createSignIn({ store, masterKey: Buffer.alloc(32, 7), now: () => nowMs, passwords, wait })
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
        assert.equal((await attempt({ username, address: `2001:db8:${group}::${n}` })).kind, 'wrong')
      }
      waits[username] = waited
    }
    assert.deepEqual(waits.alice, [250, 500, 1000, 1000, 1000])
    assert.deepEqual(waits.nobody, waits.alice)
    assert.deepEqual(waits.nopass, waits.alice)
    await store.updateUser(alice?.sub ?? '', { disabled: true })
    assert.equal((await attempt({ password: RIGHT })).kind, 'wrong')
  })

  it('all spellings of one name are counted as one account, those too that differ before they are in lower case', async () => {
    const spellings = ['\u1fd2', '\u03aa\u0300', '\u03ca\u0300']
    await addUser(store, { username: '\u1fd2', groups: [], passwordHash: `hash of ${RIGHT}` }, nowMs)
    const waits: number[] = []
    for (let n = 0; n < 6; n++) {
      const username = spellings[n % 3] ?? ''
      waits.push(await lastWait({ username, address: `2001:db8:9::${n}` }))
    }
    assert.deepEqual(waits, [0, 0, 0, 250, 500, 1000])
  })

  it('a wrong name is told to the log by a keyed hash, a name that exists by itself', async () => {
    const [typed, other, again] = [
      await attempt({ username: 'my secret' }),
      await attempt({ username: 'x' }),
      await attempt({ username: 'My Secret' }),
    ]
    assert.deepEqual(Object.keys(typed.named), ['name_hash'])
    assert.deepEqual(typed.named, again.named)
    assert.notDeepEqual(typed.named, other.named)
    const { named } = await attempt({ username: 'ALICE' })
    assert.deepEqual(Object.keys(named), ['username', 'sub'], 'the person hears of it')
    assert.equal(Reflect.get(named, 'username'), 'Alice')
    assert.deepEqual(Object.keys((await attempt({ username: 'alice\0' })).named), ['name_hash'])
  })

  it('a right password is answered at once, however many tries have failed', async () => {
    for (let n = 0; n < 200; n++) await attempt({ address: `198.51.${n % 250}.${n % 200}` })
    waited = []
    assert.equal((await attempt({ password: RIGHT })).kind, 'ok')
    assert.deepEqual(waited, [])
  })

  it('twelve tries sent side by side are slowed as if sent one after another', async () => {
    await Promise.all(Array.from({ length: 12 }, () => attempt()))
    assert.equal(waited.length, 9, 'all but the first three wait')
    assert.equal(Math.max(...waited), 1000)
  })

  it('tries from one address take turns; those of a network of one household are one address', async () => {
    const held = holding()
    signIn = build(instant, held.wait)
    for (let n = 0; n < 4; n++) await store.countFailure('account alice', nowMs, 0, 2_000_000_000)
    const under = [1, 2, 3].map((n) => attempt({ address: `2001:db8:0:${n}::1` }))
    await settled()
    assert.equal(held.count(), 1)
    for (let n = 0; n < 3; n++) await held.release()
    assert.equal((await Promise.all(under)).length, 3)
  })

  it('round by round: another address is not behind all the tries of the first', async () => {
    const held = holding()
    signIn = build(instant, held.wait)
    for (let n = 0; n < 60; n++) await store.countFailure('account alice', nowMs, 0, 2_000_000_000)
    const attack = ['192.0.2.1', '198.51.100.7'].flatMap((address) =>
      Array.from({ length: 30 }, () => attempt({ address })),
    )
    await settled()
    assert.equal(held.count(), 1, 'one place under a lasting attack')
    const owner = attempt({ address: '203.0.113.9', password: RIGHT })
    await settled()
    await held.release()
    await held.release()
    assert.equal((await owner).kind, 'ok')
    await held.releaseAll(attack)
  })

  it('from the attacker’s own address, who has not failed yet and who comes last is first', async () => {
    const held = holding()
    signIn = build(instant, held.wait)
    for (let n = 0; n < 60; n++) await store.countFailure('account alice', nowMs, 0, 2_000_000_000)
    const attack = Array.from({ length: 30 }, (_, n) => attempt({ visitor: `v${n}` }))
    await settled()
    const owner = attempt({ password: RIGHT, visitor: 'owner' })
    await settled()
    const later = attempt({ visitor: 'v29' })
    await held.release()
    assert.equal((await owner).kind, 'ok')
    await held.releaseAll([...attack, later])
  })

  it('whoever sends the next try without waiting for the answer to the last is behind those who have had no turn', async () => {
    const held = holding()
    signIn = build(instant, held.wait)
    for (let n = 0; n < 60; n++) await store.countFailure('account alice', nowMs, 0, 2_000_000_000)
    const flood = (): Promise<SignInResult>[] => Array.from({ length: 30 }, () => attempt({ visitor: 'one sign-in' }))
    const before = flood()
    await settled()
    const owner = attempt({ password: RIGHT, visitor: 'owner' })
    const after = flood()
    await settled()
    await held.release()
    assert.equal((await owner).kind, 'ok')
    await held.releaseAll([...before, ...after])
  })

  it('a button that was pressed twice is one try: what was left before does not send the next one back', async () => {
    const held = holding()
    signIn = build(instant, held.wait)
    for (let n = 0; n < 60; n++) await store.countFailure('account alice', nowMs, 0, 2_000_000_000)
    const attack = Array.from({ length: 9 }, (_, n) => attempt({ visitor: `v${n}` }))
    await settled()
    const pressed = attempt({ password: RIGHT, visitor: 'owner', left: () => true })
    const again = attempt({ password: RIGHT, visitor: 'owner' })
    await settled()
    await held.release()
    assert.equal((await again).kind, 'ok')
    assert.equal((await pressed).kind, 'slow')
    await held.releaseAll(attack)
  })

  describe('codes after a right password', () => {
    const code = async (shown: boolean, over: { address?: string; visitor?: string; deviceKey?: string } = {}) => {
      const user = await store.userByName('alice')
      assert.ok(user !== undefined)
      return signIn.attemptCode({
        user,
        address: '192.0.2.1',
        deviceKey: undefined,
        visitor: 'one sign-in',
        left: () => false,
        judge: async () => (shown ? 'code' : undefined),
        ...over,
      })
    }
    const flooded = async () => {
      const held = holding()
      signIn = build(instant, held.wait)
      const user = await store.userByName('alice')
      for (let n = 0; n < 60; n++) await store.countFailure(`code ${user?.sub}`, nowMs, 0, 2_000_000_000)
      const attack = Array.from({ length: 30 }, () => code(false))
      await settled()
      assert.equal(held.count(), 1, 'one at a time')
      return { held, attack }
    }

    it('go round by round over addresses: the owner waits for the one under way', async () => {
      const { held, attack } = await flooded()
      const owner = code(true, { address: '203.0.113.9', visitor: 'owner' })
      attack.push(...Array.from({ length: 30 }, () => code(false)))
      await settled()
      await held.release()
      assert.equal(await owner, 'code')
      await held.releaseAll(attack)
    })

    it('of one address, that of a sign-in which has had no turn comes first', async () => {
      const { held, attack } = await flooded()
      const owner = code(true, { visitor: 'owner' })
      attack.push(...Array.from({ length: 30 }, () => code(false)))
      await settled()
      await held.release()
      assert.equal(await owner, 'code')
      await held.releaseAll(attack)
    })

    it('of known devices have a line for themselves, and all of them one', async () => {
      const user = await store.userByName('alice')
      assert.ok(user !== undefined)
      const { held, attack } = await flooded()
      const [first, second] = [signIn.deviceKeyFor(user), signIn.deviceKeyFor(user)]
      assert.equal(await code(true, { deviceKey: first, visitor: 'owner' }), 'code')
      for (let n = 0; n < 60; n++)
        await store.countFailure(`code of a known device ${user.sub}`, nowMs, 0, 2_000_000_000)
      const guesses = [first, second].map((deviceKey, n) => code(false, { deviceKey, visitor: `device ${n}` }))
      await settled()
      assert.equal(held.count(), 2, 'one of the strangers, one of the devices')
      await held.releaseAll([...attack, ...guesses])
    })
  })

  it('who has left is not waited for', async () => {
    const held = holding()
    signIn = build(instant, held.wait)
    for (let n = 0; n < 60; n++) await store.countFailure('account alice', nowMs, 0, 2_000_000_000)
    const first = attempt()
    await settled()
    const owner = attempt({ password: RIGHT })
    await settled()
    const gone = Array.from({ length: 30 }, () => attempt({ left: () => true }))
    await settled()
    await held.release()
    assert.equal((await owner).kind, 'ok')
    assert.ok((await Promise.all(gone)).every(({ kind }) => kind === 'slow'))
    await first
  })

  it('a device that the owner signed in from waits in a line of its own', async () => {
    const first = await attempt({ password: RIGHT })
    assert.ok(first.kind === 'ok')
    const held = holding()
    signIn = build(instant, held.wait)
    for (let n = 0; n < 60; n++) await store.countFailure('account alice', nowMs, 0, 2_000_000_000)
    const attack = ['192.0.2.1', '198.51.100.7', '198.51.100.8'].map((address) => attempt({ address }))
    await settled()
    assert.equal((await attempt({ password: RIGHT, deviceKey: first.deviceKey })).kind, 'ok')
    await held.releaseAll(attack)
  })

  it('the device of one person opens no way to another', async () => {
    await addUser(store, { username: 'mallory', groups: [], passwordHash: `hash of ${RIGHT}` }, nowMs)
    const own = await attempt({ username: 'mallory', password: RIGHT })
    assert.ok(own.kind === 'ok')
    for (let n = 0; n < 12; n++) await attempt({ address: `198.51.100.${n}` })
    for (const deviceKey of [own.deviceKey, 'forged', 'a.b', 'a.b.c', '.', `${own.deviceKey}x`]) {
      assert.equal(await lastWait({ deviceKey, address: `203.0.113.${deviceKey.length}` }), 1000, deviceKey)
    }
  })

  it('a device is known until the password changes', async () => {
    const first = await attempt({ password: RIGHT })
    assert.ok(first.kind === 'ok')
    await store.updateUser(first.user.sub, { passwordHash: 'hash of another' })
    for (let n = 0; n < 8; n++) await attempt({ address: `198.51.100.${n}` })
    assert.equal(await lastWait({ deviceKey: first.deviceKey, address: '203.0.113.1' }), 1000)
    const changed = await store.userByName('alice')
    assert.ok(changed !== undefined)
    assert.equal(await lastWait({ deviceKey: signIn.deviceKeyFor(changed), address: '203.0.113.2' }), 0)
  })

  it('signing in to one’s own account wins no free tries at others’ from the same address', async () => {
    for (let n = 0; n < 12; n++) await attempt({ username: `victim${n}` })
    assert.equal((await attempt({ password: RIGHT })).kind, 'ok')
    assert.equal(await lastWait({ username: 'victim99' }), 1000)
  })

  it('one IPv6 network counts as one address, and a mapped IPv4 address as that address', async () => {
    for (let n = 0; n < 12; n++) await attempt({ username: `victim${n}`, address: `2001:db8:0:${n}::${n}` })
    assert.equal(await lastWait({ username: 'x', address: '2001:db8:0:ff:0:0:0:9' }), 1000)
    assert.equal(await lastWait({ username: 'y', address: '2001:db8:0:100::9' }), 0)
    for (let n = 0; n < 12; n++) await attempt({ username: `target${n}`, address: '192.0.2.9' })
    assert.equal(await lastWait({ username: 'z', address: '::ffff:192.0.2.9' }), 1000)
  })

  it('failures are forgotten a quarter of an hour after the last', async () => {
    for (let n = 0; n < 8; n++) await attempt()
    assert.equal(await lastWait(), 1000)
    nowMs += 15 * 60_000 + 1
    assert.equal(await lastWait(), 0)
  })

  it('failures are known after a restart', async () => {
    for (let n = 0; n < 8; n++) await attempt()
    signIn = build()
    assert.equal(await lastWait(), 1000)
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
    assert.equal((await attempt({ password: RIGHT })).kind, 'wrong')
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
