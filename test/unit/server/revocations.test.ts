import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Revocation } from '../../../src/core/revocation.ts'
import { sealVerifiedToken } from '../../../src/core/token.ts'
import { createLastUse } from '../../../src/server/last-use.ts'
import { createRevocations, type RevocationsOptions } from '../../../src/server/revocations.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { NewRevocation, Store } from '../../../src/store/store.ts'
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

/** The methods that are asked, over a list. */
function storeWith(entries: Revocation[]) {
  const state = { listener: (): void => undefined, broken: false, reads: 0, epoch: 'one', sweptAt: 0 }
  const store = {
    subscribe: (listener: () => void) => {
      state.listener = listener
      return () => undefined
    },
    position: async () => {
      state.reads += 1
      if (state.broken) throw new Error('disk gone')
      const id = entries.at(-1)?.id ?? 0
      return { epoch: state.epoch, id, nonce: `${id}`, sweptAt: state.sweptAt }
    },
    revocations: async (afterId: number) => entries.filter(({ id }) => id > afterId),
    putBack: async (held: readonly NewRevocation[]) =>
      held.filter(({ key }) => !entries.some((each) => each.key === key)).length,
  } as unknown as Store
  return { store, state }
}

function clocked(over: Partial<RevocationsOptions> = {}) {
  const clock = { nowMs: 1_000_000 }
  const said: (string | undefined)[] = []
  const rewound: number[] = []
  const revocations = createRevocations({
    now: () => clock.nowMs,
    onState: (fault) => said.push(fault),
    onRewound: (putBack) => rewound.push(putBack),
    staleAfterMs: () => 15_000,
    ...over,
  })
  return { revocations, clock, said, rewound }
}

const settled = (): Promise<void> => delay(5)

describe('revocations in memory', () => {
  it('what is in force at the start is loaded, and later acts are followed', async () => {
    const entries = [entry(1, 'other')]
    const { store, state } = storeWith(entries)
    const { revocations } = clocked()
    await revocations.follow(store)
    assert.equal(revocations.size, 1)
    assert.equal(revocations.isRevoked(token), false)
    entries.push(entry(2, 'one'))
    state.listener()
    await settled()
    assert.equal(revocations.isRevoked(token), true)
    revocations.close()
  })

  it('law: unknown is closed: a store that could not be read for longer than that says so, until it is caught up', async () => {
    const entries: Revocation[] = []
    const { store, state } = storeWith(entries)
    const { revocations, clock, said } = clocked()
    await revocations.follow(store)
    await settled()
    state.broken = true
    entries.push(entry(1, 'one'))
    state.listener()
    await settled()
    assert.equal(revocations.unavailable(), undefined, 'a short break is none')
    clock.nowMs += 15_001
    assert.match(revocations.unavailable() ?? '', /disk gone/)
    state.listener()
    await settled()
    state.broken = false
    state.listener()
    await settled()
    assert.equal(revocations.unavailable(), undefined)
    assert.equal(revocations.isRevoked(token), true)
    assert.equal(said.length, 2)
    revocations.close()
  })

  it('a store that was replaced, or goes back, is read from its beginning; what it lacks is put back', async () => {
    const entries = [entry(1, 'a'), entry(2, 'b'), entry(3, 'c')]
    const { store, state } = storeWith(entries)
    const { revocations, rewound } = clocked()
    await revocations.follow(store)
    entries.splice(1)
    entries.push(entry(2, 'one'))
    state.listener()
    await settled()
    assert.equal(revocations.isRevoked(token), true)
    assert.equal(revocations.size, 4, 'what was known stays known')
    assert.deepEqual(rewound, [2])
    state.epoch = 'two'
    state.listener()
    await settled()
    assert.deepEqual(rewound, [2, 2])
    revocations.close()
  })

  it('what is read beside a store that goes away amid being put right is known all the same', async () => {
    const entries = [entry(1, 'other')]
    const { store, state } = storeWith(entries)
    const { revocations, rewound } = clocked()
    await revocations.follow(store)
    const { putBack } = store
    store.putBack = () => Promise.reject(new Error('the database does not answer'))
    state.epoch = 'two'
    entries.push(entry(2, 'one'))
    state.listener()
    await settled()
    assert.equal(revocations.isRevoked(token), true)
    assert.deepEqual(rewound, [])
    store.putBack = putBack
    state.listener()
    await settled()
    assert.equal(revocations.isRevoked(token), true)
    assert.deepEqual(rewound, [0])
    revocations.close()
  })

  it('a clock that was set back behind what is forgotten already is told, and no token is taken meanwhile', async () => {
    const { store, state } = storeWith([])
    state.sweptAt = 1_000
    const { revocations, clock } = clocked()
    await revocations.follow(store)
    clock.nowMs = 1_000_000 - 1_700_000
    assert.equal(revocations.unavailable(), undefined, 'entries outlive tokens by an hour')
    clock.nowMs = 1_000_000 - 1_900_000
    assert.match(revocations.unavailable() ?? '', /the clock goes 1900 s behind/)
    revocations.close()
  })

  it('many changes at once are read together, and the last one is never missed', async () => {
    const entries: Revocation[] = []
    const { store, state } = storeWith(entries)
    const { revocations } = clocked()
    await revocations.follow(store)
    for (let id = 1; id <= 100; id++) {
      entries.push(entry(id, `t${id}`))
      state.listener()
    }
    await settled()
    assert.equal(revocations.size, 100)
    assert.ok(state.reads < 8)
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
