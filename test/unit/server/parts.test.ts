import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { sealVerifiedToken, type VerifiedToken } from '../../../src/core/token.ts'
import { clientFault } from '../../../src/gateway/answers.ts'
import { readFraming } from '../../../src/gateway/framing.ts'
import { createTunnels } from '../../../src/gateway/tunnels.ts'
import { createClosing } from '../../../src/server/closing.ts'
import { createLastUse } from '../../../src/server/last-use.ts'
import type { Store } from '../../../src/store/store.ts'

const framing = (rawHeaders: string[], httpVersion = '1.1') =>
  readFraming({ method: 'GET', target: '/', rawHeaders, httpVersion, peerAddress: '', tls: false }).fault

describe('framing', () => {
  it('one Host, chunked or no Transfer-Encoding, HTTP/1.0 or 1.1 pass', () => {
    assert.equal(framing(['Host', 'a']), undefined)
    assert.equal(framing(['HOST', 'a', 'transfer-encoding', 'Chunked']), undefined)
    assert.equal(framing(['host', 'a'], '1.0'), undefined)
  })
  it('everything else is named', () => {
    for (const fault of [
      framing([]),
      framing(['Host', 'a', 'host', 'a']),
      framing(['Host', 'a'], '2.0'),
      framing(['Host', 'a', 'Transfer-Encoding', 'chunked'], '1.0'),
      framing(['Host', 'a', 'Transfer-Encoding', 'chunked, chunked']),
      framing(['Host', 'a', 'Transfer-Encoding', '']),
    ]) {
      assert.equal(typeof fault, 'string')
    }
  })
})

describe('faults of node’s parser', () => {
  it('are told by their code; an unknown one is a malformed request', () => {
    const fault = (code: string) => clientFault(Object.assign(new Error(''), { code }))
    assert.equal(fault('HPE_HEADER_OVERFLOW'), 'headers_too_large')
    assert.equal(fault('ERR_HTTP_REQUEST_TIMEOUT'), 'headers_timeout')
    assert.equal(fault('ECONNRESET'), 'gone')
    assert.equal(fault('HPE_INVALID_METHOD'), 'malformed')
  })
})

describe('closing', () => {
  it('runs last opened first, once, and a part that fails doesn’t keep the others open', async () => {
    const closing = createClosing()
    const closed: number[] = []
    closing.add(() => void closed.push(1))
    closing.add(() => Promise.reject(new Error('two')))
    closing.add(() => void closed.push(3))
    assert.equal((await closing.run()).length, 1)
    assert.equal((await closing.run()).length, 0)
    assert.deepEqual(closed, [3, 1])
  })
})

describe('tunnels', () => {
  it('those of revoked tokens close, public ones never', () => {
    const tunnels = createTunnels(() => [])
    const closed: string[] = []
    const token = (subject: string): VerifiedToken =>
      sealVerifiedToken({ subject } as Parameters<typeof sealVerifiedToken>[0])
    tunnels.add({ token: token('alice'), close: () => closed.push('alice') })
    tunnels.add({ token: token('bob'), close: () => closed.push('bob') })
    tunnels.add({ token: undefined, close: () => closed.push('public') })
    assert.equal(
      tunnels.closeRevoked(({ subject }) => subject === 'alice'),
      1,
    )
    assert.deepEqual(closed, ['alice'])
    assert.equal(tunnels.open, 2)
    tunnels.closeAll()
    assert.equal(tunnels.open, 0)
  })

  it('those of expired tokens close, with the tolerance that requests have; public ones never', () => {
    const tunnels = createTunnels(() => [])
    const closed: string[] = []
    const token = (subject: string, embedded: boolean): VerifiedToken =>
      sealVerifiedToken({ subject, embedded, expiresAt: 1_000 } as Parameters<typeof sealVerifiedToken>[0])
    tunnels.add({ token: token('alice', true), close: () => closed.push('alice') })
    tunnels.add({ token: token('foreign', false), close: () => closed.push('foreign') })
    tunnels.add({ token: undefined, close: () => closed.push('public') })
    assert.deepEqual(
      [1_004, 1_005, 1_059, 1_060].map((now) => tunnels.closeExpired(now)),
      [0, 1, 0, 1],
    )
    assert.deepEqual([closed, tunnels.open], [['alice', 'foreign'], 1])
  })
})

describe('last uses', () => {
  it('are written down together; law: memory has a bound; a store that fails loses them and nothing else', async () => {
    const written: ReadonlyMap<string, number>[] = []
    const state = { broken: false }
    const store = {
      touchAuthorizations: async (uses: ReadonlyMap<string, number>) => {
        if (state.broken) throw new Error('full')
        written.push(uses)
      },
    } as unknown as Store
    const faults: unknown[] = []
    const usage = createLastUse(store, (fault) => faults.push(fault))
    for (let i = 0; i < 20_000; i++) usage.note(`g${i}`, i)
    usage.note('g1', 99)
    await usage.flush()
    assert.equal(written[0]?.size, 10_000)
    assert.equal(written[0]?.get('g1'), 99)
    state.broken = true
    usage.note('g1', 100)
    await usage.flush()
    assert.equal(faults.length, 1)
    usage.close()
    await delay(0)
  })
})
