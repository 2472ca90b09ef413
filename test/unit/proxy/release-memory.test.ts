import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { releaseMemory } from '../../../src/proxy/buffers.ts'

describe('the memory of a chunk that was passed on is given back at once', () => {
  it('a chunk with memory of its own is empty afterwards', () => {
    const chunk = Buffer.from(new ArrayBuffer(65_536))
    releaseMemory(chunk)
    assert.equal(chunk.length, 0)
    assert.equal(chunk.buffer.byteLength, 0)
  })

  it('memory that others look at stays', () => {
    const whole = Buffer.alloc(65_536, 'a')
    for (const part of [whole.subarray(1), whole.subarray(0, 65_535)]) {
      releaseMemory(part)
      assert.equal(part.toString('latin1', 0, 1), 'a')
    }
    assert.equal(whole.length, 65_536)
  })

  it('shared memory stays', () => {
    const shared = Buffer.from(new SharedArrayBuffer(65_536))
    releaseMemory(shared)
    assert.equal(shared.length, 65_536)
  })

  it('small chunks stay', () => {
    const small = Buffer.from(new ArrayBuffer(100))
    releaseMemory(small)
    assert.equal(small.length, 100)
  })
})
