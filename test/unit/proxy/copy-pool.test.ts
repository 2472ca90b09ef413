import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { copyOf, giveBack } from '../../../src/proxy/buffers.ts'

describe('copies that are used again', () => {
  it('hold what was copied, whatever becomes of the original', () => {
    const original = Buffer.alloc(50_000, 'a')
    const copy = copyOf(original)
    original.fill('b')
    assert.ok(copy.equals(Buffer.alloc(50_000, 'a')))
  })

  it('never share memory with one that was not given back', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ size: fc.integer({ min: 1, max: 70_000 }), back: fc.boolean() })), (steps) => {
        const kept: { copy: Buffer; mark: number }[] = []
        for (const [i, { size, back }] of steps.entries()) {
          const mark = i % 251
          const copy = copyOf(Buffer.alloc(size, mark))
          if (back) giveBack(copy)
          else kept.push({ copy, mark })
        }
        for (const { copy, mark } of kept) assert.ok(copy.every((byte) => byte === mark))
      }),
      { numRuns: 50 },
    )
  })
})
