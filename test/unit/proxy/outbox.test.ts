import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { sendSoon } from '../../../src/proxy/write-batch.ts'

describe('what is written in one turn of the event loop leaves together', () => {
  it('nothing leaves before the turn ends, then everything in order', async () => {
    const sent: number[] = []
    for (const number of [1, 2, 3]) sendSoon({ send: () => sent.push(number) })
    assert.deepEqual(sent, [])
    await nextTurn()
    assert.deepEqual(sent, [1, 2, 3])
    await nextTurn()
    assert.deepEqual(sent, [1, 2, 3])
  })

  it('what is written while others leave waits for the next turn', async () => {
    const sent: string[] = []
    const second = { send: () => sent.push('second') }
    const first = {
      send: () => {
        sent.push('first')
        sendSoon(second)
      },
    }
    sendSoon(first)
    await nextTurn()
    assert.deepEqual(sent, ['first'])
    await nextTurn()
    assert.deepEqual(sent, ['first', 'second'])
  })

  it('a crowd does not wait for the end of the turn, so that what waits is bounded', () => {
    const sent: number[] = []
    for (let number = 0; number < 1_000; number++) sendSoon({ send: () => sent.push(number) })
    assert.ok(sent.length >= 1_000 - 64, `${sent.length} have left`)
  })

  it('a fault in one does not keep the others', async () => {
    await nextTurn()
    const sent: number[] = []
    const faulty = {
      send: () => {
        throw new Error('unforeseen')
      },
    }
    assert.throws(() => {
      for (let number = 0; number < 64; number++) sendSoon(number === 2 ? faulty : { send: () => sent.push(number) })
    }, /unforeseen/)
    assert.deepEqual(sent, [0, 1])
    await nextTurn()
    assert.equal(sent.length, 63)
    assert.deepEqual(sent.slice(0, 4), [0, 1, 3, 4])
  })
})
