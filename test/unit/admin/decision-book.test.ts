import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createDecisionBook, type DecisionBook } from '../../../src/admin/decisions/book.ts'
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
    const listener = book.listen({ by: 'alice', filter: {}, after: numberOf(book, 'a'), wake: () => undefined })
    const told = listener?.take(10) ?? []
    assert.deepEqual(
      told.map((each) => (each.kind === 'decision' ? each.decision.decision.requestId : each.kind)),
      ['b', 'c'],
    )
  })
  it('a listener that comes back gets all that is kept since, however much it is, with what comes meanwhile', () => {
    const book = createDecisionBook(() => 1_000)
    book.add(Array.from({ length: 3_000 }, (_, i) => refusal(`r-${i}`, 'usr_bob')))
    const listener = book.listen({ by: 'alice', filter: {}, after: 0, wake: () => undefined })
    book.add([refusal('later', 'usr_bob')])
    const told: string[] = []
    for (let batch = listener?.take(100) ?? []; batch.length > 0; batch = listener?.take(100) ?? [])
      for (const each of batch) told.push(each.kind === 'gap' ? 'gap' : each.decision.decision.requestId)
    assert.deepEqual(told, [...Array.from({ length: 3_000 }, (_, i) => `r-${i}`), 'later'])
  })
  it('a listener of the process before gets all that this one keeps, whatever numbers that one had', () => {
    const before = createDecisionBook(() => 1_000)
    before.add(Array.from({ length: 50 }, (_, i) => refusal(`old-${i}`)))
    for (const after of [numberOf(before, 'old-49'), Number.MAX_SAFE_INTEGER]) {
      const book = createDecisionBook(() => 2_000)
      book.add([refusal('new-1'), refusal('new-2')])
      const listener = book.listen({ by: 'alice', filter: {}, after, wake: () => undefined })
      assert.equal(listener?.take(10).length, 2)
    }
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

function numberOf(book: DecisionBook, requestId: string): number {
  const all = book.list({}, Number.MAX_SAFE_INTEGER, 10_000)
  return all.find(({ decision }) => decision.requestId === requestId)?.number ?? Number.NaN
}
