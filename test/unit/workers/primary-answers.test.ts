import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createGather } from '../../../src/workers/gathering.ts'

describe('answers that workers owe', () => {
  it('come when all have answered', async () => {
    const answers = createGather()
    const late = await answers.gather(new Set([1, 2]), 60_000, (ask) => {
      answers.settle(ask, 2)
      answers.settle(ask, 1)
    })
    assert.equal(late.size, 0)
  })

  it('are not waited for from a worker that has ended', async () => {
    const answers = createGather()
    const late = await answers.gather(new Set([1, 2]), 60_000, (ask) => {
      answers.settle(ask, 1)
      answers.leave(2)
    })
    assert.equal(late.size, 0)
  })

  it('that are late are named', async () => {
    const answers = createGather()
    const late = await answers.gather(new Set([1, 2]), 10, (ask) => answers.settle(ask, 1))
    assert.deepEqual([...late], [2])
  })

  it('of nobody are there at once; one to another question counts for nothing', async () => {
    const answers = createGather()
    assert.equal((await answers.gather(new Set(), 60_000, () => undefined)).size, 0)
    const late = await answers.gather(new Set([1]), 10, (ask) => answers.settle(ask + 1, 1))
    assert.deepEqual([...late], [1])
  })
})
