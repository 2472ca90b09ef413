import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createPasswords } from '../../../../src/issuer/people/passwords.ts'
import { addUser } from '../../../../src/issuer/people/people.ts'
import { createSignIn, type SignIn, type SignInAttempt } from '../../../../src/issuer/people/throttle.ts'
import { openSqliteStore } from '../../../../src/store/sqlite.ts'
import type { Store } from '../../../../src/store/store.ts'

const RIGHT = 'correct horse battery staple'
const WITHIN_MS = 8_000
const OWNER = '203.0.113.9'

/** Real hashes, clocks and waits; each connection sends its next try when it has the answer to the last. */
function startAttack(signIn: SignIn, connections: number, about: (n: number) => Omit<SignInAttempt, 'password'>) {
  const state = { over: false, tries: 0 }
  const connection = async (n: number): Promise<void> => {
    while (!state.over) {
      state.tries += 1
      await signIn.attempt({ ...about(n), password: `guess ${state.tries}`, left: () => state.over })
    }
  }
  const all = Promise.all(Array.from({ length: connections }, (_, n) => connection(n)))
  return async (): Promise<void> => {
    state.over = true
    await all
  }
}

const ATTACKS: Readonly<Record<string, (n: number, username: string) => Omit<SignInAttempt, 'password'>>> = {
  'one address': (_n, username) => ({ username, address: '198.51.100.7' }),
  'a household’s /56': (n, username) => ({ username, address: `2001:db8:0:${(n % 256).toString(16)}::${n}` }),
  'the owner’s own address': (_n, username) => ({ username, address: OWNER }),
  'the owner’s own address, many names': (n) => ({ username: `other${n}`, address: OWNER }),
}

describe('beside a standing attack of 200 connections', { concurrency: true }, () => {
  let store: Store
  before(async () => {
    store = await openSqliteStore(':memory:')
  })
  after(() => store.close())

  for (const [from, about] of Object.entries(ATTACKS)) {
    it(`from ${from}, the owner is in within 8 s, at a new device and at a known one`, async () => {
      const passwords = createPasswords()
      const username = `alice at ${from.length}`
      await addUser(store, { username, groups: [], passwordHash: await passwords.hash(RIGHT) }, Date.now())
      const signIn = createSignIn({ store, masterKey: Buffer.alloc(32, 7), now: Date.now, passwords })
      const seconds = Math.ceil(Date.now() / 1000) + 900
      for (let n = 0; n < 120; n++) {
        await store.countFailure(`account ${username}`, Date.now(), 0, seconds)
        if (about(0, username).address === OWNER) await store.countFailure(`address ${OWNER}`, Date.now(), 0, seconds)
      }
      const stop = startAttack(signIn, 200, (n) => about(n, username))
      try {
        const first = await timed(signIn, { username, password: RIGHT, address: OWNER })
        const again = await timed(signIn, { username, password: RIGHT, address: OWNER, deviceKey: first.deviceKey })
        assert.ok(first.ms < WITHIN_MS, `a new device took ${first.ms} ms`)
        assert.ok(again.ms < WITHIN_MS, `a known device took ${again.ms} ms`)
      } finally {
        await stop()
      }
    })
  }
})

async function timed(signIn: SignIn, attempt: SignInAttempt) {
  const begun = performance.now()
  const result = await signIn.attempt(attempt)
  assert.ok(result.kind === 'ok', result.kind)
  return { deviceKey: result.deviceKey, ms: Math.round(performance.now() - begun) }
}
