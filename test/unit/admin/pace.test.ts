import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nextSlice } from '../../../src/admin/pace.ts'

const CALLS = 100
const SLICES = 3

describe('calls that look through many rows', () => {
  it('take one slice together in each turn of the event loop, and all of them get on', async () => {
    const slices: number[] = []
    const inTurn = { count: 0, most: 0 }
    const look = async (call: number): Promise<void> => {
      for (let i = 0; i < SLICES; i += 1) {
        await nextSlice()
        inTurn.count += 1
        slices.push(call)
      }
    }
    const watch = { over: false }
    const tick = (): void => {
      inTurn.most = Math.max(inTurn.most, inTurn.count)
      inTurn.count = 0
      if (!watch.over) setImmediate(tick)
    }
    setImmediate(tick)
    const calls = Array.from({ length: CALLS }, (_, call) => call)
    await Promise.all(calls.map(look))
    watch.over = true
    tick()
    assert.equal(inTurn.most, 1)
    const rounds = [0, 1, 2].map((round) => slices.slice(round * CALLS, (round + 1) * CALLS))
    for (const round of rounds) assert.deepEqual(round, calls, 'first come, first served')
  })
})
