import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Revocation } from '../../../src/core/revocation.ts'
import { createLedger } from '../../../src/workers/gathering.ts'

const entry = (change: Partial<Revocation> = {}): Revocation => ({
  ...{ id: 1, kind: 'client', key: 'app', notBeforeMs: 1_000, expiresAt: 100 },
  ...change,
})

describe('the ledger of revocations', () => {
  it('of two entries with one key the later time holds, whatever order they came in', () => {
    const ledger = createLedger()
    ledger.add([entry({ id: 2, notBeforeMs: 3_000, expiresAt: 90 }), entry()])
    assert.deepEqual(ledger.entries(0), [entry({ id: 2, notBeforeMs: 3_000 })])
  })

  it('kinds with the same key are different entries', () => {
    const ledger = createLedger()
    ledger.add([entry(), entry({ kind: 'sub' }), entry({ key: 'other' })])
    assert.equal(ledger.entries(0).length, 3)
  })

  it('forgets an entry a minute after its last token has expired, not before', () => {
    const ledger = createLedger()
    ledger.add([entry()])
    assert.equal(ledger.entries(160).length, 1)
    assert.equal(ledger.entries(161).length, 0)
    assert.equal(ledger.entries(0).length, 0)
  })
})
