import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { createStepUps, satisfies } from '../../../src/issuer/people/step-ups.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { Store } from '../../../src/store/store.ts'

const clock = { ms: 1_000_000_000 }
const refusal = (clientId: string, need: object) => ({ sub: 'usr_1', clientId, need })

describe('refusals that a better sign-in would have spared', () => {
  let store: Store
  const faults: unknown[] = []
  const stepUps = () => createStepUps({ store, now: () => clock.ms, onFault: (error) => faults.push(error) })

  beforeEach(async () => {
    store = await openSqliteStore(':memory:')
  })
  afterEach(() => store.close())

  it('are remembered of one person and client for ten minutes, also by whoever else has the store', async () => {
    const [noted, other] = [stepUps(), stepUps()]
    void noted.note(refusal('app', { acr: 'mfa', maxAge: 600 }))
    assert.deepEqual(await noted.refused('usr_1', 'app'), { acr: 'mfa', maxAge: 600 }, 'before the store has answered')
    assert.deepEqual(await other.refused('usr_1', 'app'), { acr: 'mfa', maxAge: 600 })
    assert.equal(await other.refused('usr_1', 'ap'), undefined)
    assert.equal(await other.refused('usr_2', 'app'), undefined)
    clock.ms += 600_000
    assert.equal(await other.refused('usr_1', 'app'), undefined)
  })

  it('are forgotten for that person and client alone, and a further refusal is noted anew at once', async () => {
    const all = stepUps()
    for (const clientId of ['app', 'app2']) await all.note(refusal(clientId, { acr: 'mfa' }))
    void all.note(refusal('app', { maxAge: 60 }))
    await all.forget('usr_1', 'app')
    assert.equal(await all.refused('usr_1', 'app'), undefined, 'one that was under way, too')
    assert.deepEqual(await all.refused('usr_1', 'app2'), { acr: 'mfa', maxAge: undefined })
    await all.note(refusal('app', { acr: 'mfa' }))
    assert.deepEqual(await all.refused('usr_1', 'app'), { acr: 'mfa', maxAge: undefined })
    await all.forget('usr_9', 'never')
    assert.deepEqual(faults, [])
  })

  it('are satisfied by a level that reaches, and an age to the second', () => {
    const at = (acr: unknown, authTime: number | undefined) => ({ acr, authTime })
    assert.ok(satisfies({ acr: 'mfa', maxAge: 60 }, at('phr', 940), 1_000))
    assert.ok(!satisfies({ acr: 'mfa', maxAge: 60 }, at('phr', 939), 1_000))
    assert.ok(!satisfies({ acr: 'mfa' }, at('pwd', 1_000), 1_000))
    assert.ok(!satisfies({ acr: 'pwd' }, at('urn:mfa', 1_000), 1_000))
    assert.ok(!satisfies({ maxAge: 60 }, at('phr', undefined), 1_000))
    assert.ok(satisfies({}, at(undefined, undefined), 1_000))
  })
})
