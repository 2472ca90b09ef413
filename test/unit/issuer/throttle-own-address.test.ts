import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Passwords } from '../../../src/issuer/people/passwords.ts'
import { addUser } from '../../../src/issuer/people/people.ts'
import { createSignIn } from '../../../src/issuer/people/throttle.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'

const RIGHT = 'correct horse'
const ADDRESS = '203.0.113.9'
const HASH_MS = 45
const CONNECTIONS = 40
const STANDING_MS = 6_000
const WITHIN_MS = 8_000

/** Time that passes only when everything that is under way waits for it. */
function createClock() {
  const clock = { nowMs: 1_700_000_000_000 }
  const waiting: { readonly atMs: number; readonly go: () => void }[] = []
  const wait = (ms: number): Promise<void> =>
    new Promise((go) => {
      const atMs = clock.nowMs + ms
      const later = waiting.findIndex((other) => other.atMs > atMs)
      waiting.splice(later === -1 ? waiting.length : later, 0, { atMs, go })
    })
  const until = async (isOver: () => boolean): Promise<void> => {
    while (!isOver()) {
      await settled()
      const next = waiting.shift()
      if (next === undefined) return
      clock.nowMs = next.atMs
      next.go()
    }
  }
  return { now: () => clock.nowMs, wait, until }
}

async function settled(): Promise<void> {
  for (let n = 0; n < 15; n++) await new Promise((resolve) => setImmediate(resolve))
}

/** The owner's time to be in at a new device, and how many guesses were looked at in which time. */
async function besideAttack(thinkMs: number, comesMs: number) {
  const { now, wait, until } = createClock()
  const store = await openSqliteStore(':memory:')
  const state = { guesses: 0, visitors: 0, tookMs: Number.POSITIVE_INFINITY }
  const passwords: Passwords = {
    hash: async (password) => `hash of ${password}`,
    verify: async (_hash, password) => {
      await wait(HASH_MS)
      if (password !== RIGHT) state.guesses += 1
      return password === RIGHT ? 'right' : 'wrong'
    },
  }
  await addUser(store, { username: 'alice', groups: [], passwordHash: `hash of ${RIGHT}` }, now())
  const signIn = createSignIn({ store, masterKey: Buffer.alloc(32, 7), now, passwords, wait })
  for (const key of ['account alice', `address ${ADDRESS}`])
    for (let n = 0; n < 120; n++) await store.countFailure(key, now(), 0, 2_000_000_000)
  const attempt = (password: string, visitor: string) =>
    signIn.attempt({ username: 'alice', password, address: ADDRESS, visitor })
  const begunMs = now()
  const connection = async (): Promise<void> => {
    await attempt('guess', `visitor ${state.visitors++}`)
    await wait(thinkMs)
    return connection()
  }
  for (let n = 0; n < CONNECTIONS; n++) void connection()
  const owner = async (): Promise<void> => {
    await wait(STANDING_MS + comesMs)
    const result = await attempt(RIGHT, 'owner')
    if (result.kind === 'ok') state.tookMs = now() - begunMs - STANDING_MS - comesMs
  }
  void owner()
  const lastMs = begunMs + STANDING_MS + comesMs + WITHIN_MS
  await until(() => state.tookMs < WITHIN_MS || now() > lastMs)
  await settled()
  await store.close()
  return { tookMs: state.tookMs, guesses: state.guesses, seconds: (now() - begunMs) / 1000 }
}

describe('beside connections from the owner’s own address that begin a new sign-in for each try', () => {
  for (const thinkMs of [10, 200, 500, 900, 1900]) {
    it(`and ${thinkMs} ms after each answer, the owner is in within 8 s at a new device, whenever they come`, async () => {
      for (const comesMs of [7, 180, 353, 526, 699, 872, 1045]) {
        const { tookMs, guesses, seconds } = await besideAttack(thinkMs, comesMs)
        assert.ok(tookMs < WITHIN_MS, `who came after ${comesMs} ms took ${tookMs} ms`)
        assert.ok(guesses <= seconds + 1, `${guesses} passwords in ${seconds} s`)
      }
    })
  }
})
