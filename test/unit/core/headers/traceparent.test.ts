import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { traceparentOf } from '../../../../src/core/headers/traceparent.ts'

const GOOD = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

describe('W3C Trace Context §3.2', () => {
  it('a traceparent is found whatever the case of its name', () => {
    assert.equal(traceparentOf(['Host', 'a', 'TraceParent', GOOD]), GOOD)
  })

  it('of a later version the part that this one knows is taken', () => {
    assert.equal(traceparentOf(['traceparent', `cc${GOOD.slice(2)}-more`]), `cc${GOOD.slice(2)}`)
  })

  it('what is none is passed over: none, two, another version’s ff, zeros, capitals, more or less', () => {
    const zeros = [GOOD.replace(/0af[^-]*/, '0'.repeat(32)), GOOD.replace(/b7a[^-]*/, '0'.repeat(16))]
    const wrong = [
      '',
      `ff${GOOD.slice(2)}`,
      GOOD.toUpperCase(),
      `${GOOD}-more`,
      `${GOOD} `,
      GOOD.slice(0, 54),
      ...zeros,
    ]
    for (const value of wrong) assert.equal(traceparentOf(['traceparent', value]), undefined, value)
    assert.equal(traceparentOf(['traceparent', GOOD, 'Traceparent', GOOD]), undefined)
    assert.equal(traceparentOf(['tracestate', GOOD]), undefined)
  })
})
