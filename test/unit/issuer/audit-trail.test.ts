import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createAuditTrail } from '../../../src/issuer/audit-trail.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'

describe('what the log is told of a change', () => {
  const begin = async () => {
    const store = await openSqliteStore(':memory:')
    const told: string[] = []
    const trail = createAuditTrail(
      store,
      () => 1_000_000,
      ({ event }) => told.push(event),
    )
    return { store, told, trail }
  }

  it('is said once the change is in force, not before', async () => {
    const { store, told, trail } = await begin()
    await store.unit(
      async () => {
        await trail.record('user.changed', { by: 'cli' })
        trail.tell('user.disabled', { by: 'cli' })
        assert.deepEqual(told, [])
      },
      () => true,
    )
    assert.deepEqual(told, ['user.changed', 'user.disabled'])
    trail.tell('outside', {})
    assert.equal(told.at(-1), 'outside')
    await store.close()
  })

  it('is not said where nothing came of the change: it failed, was given up, or could not be kept', async () => {
    const { store, told, trail } = await begin()
    const change = async (): Promise<void> => {
      await store.putValue('name', 'value')
      await trail.record('user.changed', { by: 'cli' })
      trail.tell('user.disabled', { by: 'cli' })
    }
    await store.unit(change, () => false)
    const failing = async (): Promise<void> => {
      await change()
      throw new Error('a later step')
    }
    await assert.rejects(store.unit(failing, () => true))
    const outOfTheStore = async (): Promise<void> => {
      await change()
      await store.close()
    }
    await assert.rejects(store.unit(outOfTheStore, () => true))
    assert.deepEqual(told, [])
  })

  it('a fault is said at once, whatever comes of the step that it is met in', async () => {
    const { store, told, trail } = await begin()
    await store.unit(
      async () => trail.tell('issuer.fault', {}, 'error'),
      () => false,
    )
    assert.deepEqual(told, ['issuer.fault'])
    await store.close()
  })

  it('carries the request that somebody did it by, as it is kept', async () => {
    const { store, trail } = await begin()
    const request = { address: '203.0.113.7', requestId: 'r-1' }
    await trail.speaking(
      request,
      async () => {
        await trail.record('factor.added', { sub: 'usr_a', by: 'usr_a' })
        await trail.record('login.success', { sub: 'usr_a' })
      },
      async () => undefined,
    )
    const kept = (await store.audits(10)).map(({ detail }) => detail).toReversed()
    assert.deepEqual(kept, [{ sub: 'usr_a', by: 'usr_a', request_id: 'r-1', address: '203.0.113.7' }, { sub: 'usr_a' }])
    await store.close()
  })

  it('a request whose lines came to nothing is one that said nothing', async () => {
    const { store, told, trail } = await begin()
    await trail.speaking(
      { address: '203.0.113.7', requestId: 'r-1' },
      async () => {
        await store.unit(
          async () => trail.tell('token.issued', {}),
          () => false,
        )
      },
      async () => trail.tell('request.refused', {}),
    )
    assert.deepEqual(told, ['request.refused'])
    await store.close()
  })
})
