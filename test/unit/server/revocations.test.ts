import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Revocation } from '../../../src/core/revocation.ts'
import { sealVerifiedToken } from '../../../src/core/token.ts'
import { createLastUse, createRevocations } from '../../../src/server/revocations.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { Store } from '../../../src/store/store.ts'
import { anAuthorization } from '../../contract/store-records.ts'

const token = sealVerifiedToken({
  issuer: 'https://gate.example.com',
  embedded: true,
  subject: 'alice',
  clientId: 'cli',
  audience: ['https://gate.example.com/photos'],
  scope: new Set(['photos:read']),
  expiresAt: 2_000,
  issuedAt: 1_000,
  jti: 'one',
  gid: undefined,
  username: 'alice',
  groups: [],
  jkt: undefined,
  claims: {},
})

const entry = (id: number, key: string): Revocation => ({ id, kind: 'jti', key, notBeforeMs: 0, expiresAt: 9_999 })

/** The two methods that are asked, over a list. */
function storeWith(entries: Revocation[]) {
  const state: { listener: () => void; broken: boolean; reads: number } = {
    listener: () => undefined,
    broken: false,
    reads: 0,
  }
  const store = {
    subscribe: (listener: () => void) => {
      state.listener = listener
      return () => undefined
    },
    revocations: async (afterId: number) => {
      state.reads += 1
      if (state.broken) throw new Error('disk gone')
      return entries.filter(({ id }) => id > afterId)
    },
  } as unknown as Store
  return { store, state }
}

describe('revocations in memory', () => {
  it('what is in force at the start is loaded, and later acts are followed', async () => {
    const entries = [entry(1, 'other')]
    const { store, state } = storeWith(entries)
    const revocations = createRevocations({ now: () => 1_000_000, onAdded: () => undefined, onState: () => undefined })
    await revocations.follow(store)
    assert.equal(revocations.size, 1)
    assert.equal(revocations.isRevoked(token), false)
    entries.push(entry(2, 'one'))
    state.listener()
    await delay(0)
    assert.equal(revocations.isRevoked(token), true)
    revocations.close()
  })

  it('law: unknown is closed: while the store can’t be read it says so, until it is caught up', async () => {
    const entries: Revocation[] = []
    const { store, state } = storeWith(entries)
    const said: (string | undefined)[] = []
    const revocations = createRevocations({
      now: () => 1_000_000,
      onAdded: () => undefined,
      onState: (fault) => said.push(fault),
    })
    await revocations.follow(store)
    state.broken = true
    entries.push(entry(1, 'one'))
    state.listener()
    await delay(0)
    assert.match(revocations.unavailable() ?? '', /disk gone/)
    state.broken = false
    state.listener()
    await delay(0)
    assert.equal(revocations.unavailable(), undefined)
    assert.equal(revocations.isRevoked(token), true)
    assert.equal(said.length, 2)
    revocations.close()
  })

  it('many changes at once are read together, and the last one is never missed', async () => {
    const entries: Revocation[] = []
    const { store, state } = storeWith(entries)
    const revocations = createRevocations({ now: () => 1_000_000, onAdded: () => undefined, onState: () => undefined })
    await revocations.follow(store)
    for (let id = 1; id <= 100; id++) {
      entries.push(entry(id, `t${id}`))
      state.listener()
    }
    await delay(0)
    assert.equal(revocations.size, 100)
    assert.ok(state.reads < 5)
    revocations.close()
  })
})

describe('the last use of an authorization', () => {
  it('is noted at the gateway with fractions of a second, and is in the store after a flush', async () => {
    const store = await openSqliteStore(':memory:')
    const faults: unknown[] = []
    const usage = createLastUse(store, (error) => faults.push(error))
    await store.putAuthorization(anAuthorization({ gid: 'g', lastUsedAt: 5 }))
    usage.note('g', 1_700_000_000.483)
    await usage.flush()
    usage.close()
    assert.deepEqual([faults, (await store.authorizations({ gid: 'g' }))[0]?.lastUsedAt], [[], 1_700_000_000])
    await store.close()
  })
})
