import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Upstream } from '../../../src/core/route.ts'
import { idleLimitMs, maySendAgain, reuseWithinMs } from '../../../src/proxy/attempts.ts'
import { createUpstreamGroup } from '../../../src/proxy/upstreams.ts'

function upstream(port: number): Upstream {
  return { protocol: 'http:', hostname: '127.0.0.1', port, authority: `127.0.0.1:${port}`, basePath: '' }
}

function groupOf(count: number) {
  const time = { now: 0 }
  const group = createUpstreamGroup(
    Array.from({ length: count }, (_, i) => upstream(i + 1)),
    () => time.now,
  )
  const chosen = (times: number) => Array.from({ length: times }, () => group.choose().upstream.port)
  return { time, group, chosen, members: group.members }
}

describe('the upstreams of a route', () => {
  it('take turns', () => assert.deepEqual(groupOf(3).chosen(6), [1, 2, 3, 1, 2, 3]))

  it('are spared while they are busier than others', () => {
    const { members, chosen } = groupOf(2)
    const [first] = members
    if (first !== undefined) first.active = 3
    assert.deepEqual(chosen(3), [2, 2, 2])
  })

  it('that fail are left out for a time that doubles, up to 30 s', () => {
    const { time, members, chosen } = groupOf(2)
    for (const deadMs of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      members[0]?.failed()
      time.now += deadMs - 1
      assert.deepEqual(chosen(3), [2, 2, 2], `${deadMs}`)
      time.now += 1
      assert.ok(chosen(2).includes(1), `${deadMs}`)
    }
  })

  it('are unknown until they were asked, down after a failure until they answer, whether they are left out or not', () => {
    const { time, members } = groupOf(1)
    const [member] = members
    assert.equal(member?.heard, 'unknown')
    member?.succeeded()
    assert.equal(member?.heard, 'up')
    member?.failed()
    time.now += 60_000
    assert.equal(member?.heard, 'down')
    member?.succeeded()
    assert.equal(member?.heard, 'up')
  })

  it('that fail many times at once have failed once', () => {
    const { time, members, chosen } = groupOf(2)
    for (let i = 0; i < 100; i++) members[0]?.failed()
    time.now += 1_000
    assert.ok(chosen(2).includes(1))
  })

  it('that come back are tried by one request, and serve again when it succeeds', () => {
    const { time, members, chosen } = groupOf(2)
    members[0]?.failed()
    time.now += 1_000
    assert.equal(chosen(4).filter((port) => port === 1).length, 1)
    members[0]?.succeeded()
    assert.equal(chosen(4).filter((port) => port === 1).length, 2)
  })

  it('are tried all the same when none seems to live', () => {
    const { members, chosen } = groupOf(2)
    for (const member of members) member.failed()
    assert.deepEqual(chosen(2).sort(), [1, 2])
  })

  it('are not offered twice to one request', () => {
    const { group, members } = groupOf(2)
    assert.equal(group.chooseOther(members.slice(0, 1))?.upstream.port, 2)
    assert.equal(group.chooseOther(members), undefined)
  })
})

describe('a connection is used again', () => {
  it('for less time than the upstream keeps it', () => {
    assert.equal(idleLimitMs(undefined), 4_000)
    assert.equal(idleLimitMs(5), 4_000)
    assert.equal(idleLimitMs(1), 500)
    assert.equal(idleLimitMs(0), 0)
    assert.equal(idleLimitMs(100_000), 60_000)
  })

  it('only when it was used just now, by a request that could not be sent again', () => {
    assert.equal(reuseWithinMs('GET', 0), Number.POSITIVE_INFINITY)
    assert.equal(reuseWithinMs('POST', 0), 1_000)
    assert.equal(reuseWithinMs('PUT', 'chunked'), 1_000)
  })
})

it('RFC 9110 §9.2.2: only idempotent methods are sent again, and none with a body', () => {
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'PROPFIND']) assert.ok(maySendAgain(method, 0))
  for (const method of ['POST', 'PATCH', 'LOCK', 'MOVE', 'CONNECT', 'get', 'NEW']) assert.ok(!maySendAgain(method, 0))
  assert.ok(!maySendAgain('PUT', 1))
  assert.ok(!maySendAgain('GET', 'chunked'))
})
