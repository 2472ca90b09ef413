import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { openSqliteStore } from '../../../src/store/sqlite.ts'

/** Longer than a unit may take. */
const TOO_LONG_MS = 10_001

describe('a unit of work that takes too long', () => {
  it('is given up whole: what is done in it afterwards is not kept either, and says so', async (context) => {
    const store = await openSqliteStore(':memory:')
    context.mock.timers.enable({ apis: ['setTimeout'] })
    let late: unknown
    const work = async (): Promise<void> => {
      await store.putValue('early', 'kept')
      context.mock.timers.tick(TOO_LONG_MS)
      await setImmediate()
      late = await store.putValue('late', 'kept').catch((error: unknown) => error)
      await store
        .unit(
          () => store.putValue('within', 'kept'),
          () => true,
        )
        .catch(() => undefined)
    }
    await assert.rejects(
      store.unit(work, () => true),
      /held it for too long/,
    )
    context.mock.timers.reset()
    assert.match(String(late), /held it for too long/)
    for (const name of ['early', 'late', 'within']) assert.equal(await store.value(name), undefined, name)
    await store.close()
  })

  it('leaves the store to others', async (context) => {
    const store = await openSqliteStore(':memory:')
    context.mock.timers.enable({ apis: ['setTimeout'] })
    const slow = store.unit(
      async () => {
        await store.putValue('early', 'kept')
        context.mock.timers.tick(TOO_LONG_MS)
        await setImmediate()
      },
      () => true,
    )
    await assert.rejects(slow)
    context.mock.timers.reset()
    await store.unit(
      () => store.putValue('next', 'kept'),
      () => true,
    )
    assert.equal(await store.value('next'), 'kept')
    await store.close()
  })

  it('refuses nothing of what was begun in it and lives longer, such as a loop that goes on', async (context) => {
    const store = await openSqliteStore(':memory:')
    context.mock.timers.enable({ apis: ['setTimeout'] })
    let later: Promise<void> | undefined
    const ended = Promise.withResolvers<void>()
    const work = async (): Promise<void> => {
      later = ended.promise.then(() => store.putValue('later', 'kept'))
      await store.putValue('early', 'kept')
      context.mock.timers.tick(TOO_LONG_MS)
      await setImmediate()
    }
    await assert.rejects(store.unit(work, () => true))
    context.mock.timers.reset()
    ended.resolve()
    await later
    assert.equal(await store.value('early'), undefined)
    assert.equal(await store.value('later'), 'kept')
    await store.close()
  })
})
