import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createDecisionBook } from '../../../src/admin/decisions/book.ts'
import type { Decision } from '../../../src/admin/decisions/decision.ts'

function refusal(requestId: string, sub?: string): Decision {
  const none = { host: 'gate', path: '/', resource: undefined, status: 401, detail: undefined, cause: undefined }
  const who = { sub, username: sub, client: undefined, address: '203.0.113.9' }
  const rest = { route: 'photos', reason: 'no_token', decideMs: 0, totalMs: 0, proof: { kind: 'none' } } as const
  return { requestId, at: 1_000, method: 'GET', outcome: 'refused', ...none, ...who, ...rest }
}

describe('decisions in memory', () => {
  it('strangers push out strangers only, however many there are', () => {
    const book = createDecisionBook(() => 1_000)
    book.add([refusal('known', 'usr_bob')])
    for (let i = 0; i < 50_000; i += 1) book.add([refusal(`stranger-${i}`)])
    assert.equal(book.find('known')?.sub, 'usr_bob')
    assert.equal(book.find('stranger-0'), undefined)
    assert.equal(book.list({}, Number.MAX_SAFE_INTEGER, 10_000).length, 2_001)
  })
  it('a listener that does not read gets a gap with the number that it missed', () => {
    const book = createDecisionBook(() => 1_000)
    const listener = book.listen({ by: 'alice', filter: {}, after: undefined, wake: () => undefined })
    for (let i = 0; i < 1_500; i += 1) book.add([refusal(`r-${i}`)])
    const told = listener?.take(10_000) ?? []
    assert.equal(told.length, 1_001)
    assert.deepEqual(told.at(-1), { kind: 'gap', missed: 500 })
  })
  it('a listener that comes back gets what is kept since, once each', () => {
    const book = createDecisionBook(() => 1_000)
    book.add([refusal('a'), refusal('b', 'usr_bob'), refusal('c')])
    const listener = book.listen({ by: 'alice', filter: {}, after: 1, wake: () => undefined })
    const told = listener?.take(10) ?? []
    assert.deepEqual(
      told.map((each) => (each.kind === 'decision' ? each.decision.decision.requestId : each.kind)),
      ['b', 'c'],
    )
  })
  it('ten listen in all and two of one, and passes are wanted only while somebody does', () => {
    const book = createDecisionBook(() => 1_000)
    const watched: boolean[] = []
    book.onWatched((on) => watched.push(on))
    const listen = (by: string) => book.listen({ by, filter: {}, after: undefined, wake: () => undefined })
    const open = [listen('alice'), listen('alice')]
    assert.equal(listen('alice'), undefined)
    for (let i = 0; i < 8; i += 1) open.push(listen(`p${i}`))
    assert.equal(listen('one more'), undefined)
    for (const each of open) each?.close()
    assert.deepEqual(watched, [true, false])
  })
})
