import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { describe, it } from 'node:test'
import { createUpstreamGroup } from '../../../src/proxy/upstreams.ts'
import { clock, httpUpstream, type Listening, openings, proxyTo, rawUpstream, until, upstreamAt } from './proxy-rig.ts'

const GET = 'GET / HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n'
const POST = 'POST / HTTP/1.1\r\nHost: gate\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi'
const HELLO = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'

const opened = openings()

async function keep<T extends { close(): Promise<void> }>(opening: Promise<T>): Promise<T> {
  const each = await opening
  opened.push(each)
  return each
}

/** A port that refuses connections. */
async function deadPort(): Promise<number> {
  const gone = await rawUpstream(() => {})
  await gone.close()
  return gone.port
}

function naming(name: string): Promise<Listening> {
  return keep(httpUpstream((_request, response) => response.end(name)))
}

/** Answers the first request of a connection, and does `then` at the second. */
function tiring(then: (socket: Socket) => void, asked: string[] = []): Promise<Listening> {
  return keep(
    rawUpstream((socket, data, nth) => {
      asked.push(data.toString('latin1').slice(0, 4).trim())
      if (nth === 0) socket.write(HELLO)
      else then(socket)
    }),
  )
}

describe('a kept connection', () => {
  it('carries the next request', async () => {
    const upstream = await naming('a')
    const proxy = await keep(proxyTo([upstream.port]))
    for (let i = 0; i < 5; i++) await proxy.exchange(GET)
    assert.equal(upstream.accepted, 1)
  })

  for (const [what, answer] of [
    ['the answer says close', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello'],
    ['the answer is of HTTP/1.0', 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello'],
    ['the upstream keeps it for no time', 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=0\r\nContent-Length: 5\r\n\r\nhello'],
  ] as const) {
    it(`is none when ${what}`, async () => {
      const upstream = await keep(rawUpstream((socket) => void socket.write(answer)))
      const proxy = await keep(proxyTo([upstream.port]))
      await proxy.exchange(GET)
      await until(() => upstream.sockets.size === 0, 'it is closed')
    })
  }

  it('is closed before the upstream would close it', async () => {
    const upstream = await keep(
      rawUpstream((socket) => void socket.write(HELLO.replace('Content', 'Keep-Alive: timeout=1\r\nContent'))),
    )
    const proxy = await keep(proxyTo([upstream.port]))
    await proxy.exchange(GET)
    assert.equal(proxy.group.members[0]?.idleConnections, 1)
    await until(() => upstream.sockets.size === 0, 'it is closed', 1_000)
  })

  it('is closed when the upstream ends it', async () => {
    const upstream = await naming('a')
    const proxy = await keep(proxyTo([upstream.port]))
    await proxy.exchange(GET)
    for (const socket of upstream.sockets) socket.end()
    await until(() => proxy.group.members[0]?.connections === 0, 'it is closed')
  })

  it('is closed with its group', async () => {
    const upstream = await naming('a')
    const proxy = await keep(proxyTo([upstream.port]))
    await proxy.exchange(GET)
    proxy.group.close()
    await until(() => upstream.sockets.size === 0, 'it is closed')
    assert.match(await proxy.exchange(GET), /^HTTP\/1\.1 200 /)
    await until(() => upstream.sockets.size === 0, 'and none is kept from then on')
  })
})

describe('a request to which no byte was answered', () => {
  for (const [how, end] of [
    ['ends', (socket: Socket) => socket.end()],
    ['breaks', (socket: Socket) => socket.resetAndDestroy()],
  ] as const) {
    it(`is sent again, over a new connection, when its kept one ${how}`, async () => {
      const asked: string[] = []
      const upstream = await tiring(end, asked)
      const proxy = await keep(proxyTo([upstream.port]))
      await proxy.exchange(GET)
      assert.match(await proxy.exchange(GET), /hello$/)
      assert.deepEqual(asked, ['GET', 'GET', 'GET'])
      assert.equal(proxy.outcomes.length, 2)
    })
  }

  it('is sent again once, never twice', async () => {
    const asked: string[] = []
    let answered = false
    const upstream = await keep(
      rawUpstream((socket) => {
        asked.push('GET')
        if (answered) socket.end()
        else socket.write(HELLO)
        answered = true
      }),
    )
    const proxy = await keep(proxyTo([upstream.port]))
    await proxy.exchange(GET)
    assert.match(await proxy.exchange(GET), /^HTTP\/1\.1 502 /)
    assert.equal(asked.length, 3)
  })

  it('is not sent again when it has a body, or is not idempotent', async () => {
    for (const request of [
      POST,
      'POST / HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n',
      POST.replace('POST', 'PUT'),
    ]) {
      const asked: string[] = []
      const upstream = await tiring((socket) => socket.end(), asked)
      const proxy = await keep(proxyTo([upstream.port]))
      await proxy.exchange(GET)
      assert.match(await proxy.exchange(request), /^HTTP\/1\.1 502 /)
      assert.equal(asked.filter((method) => method !== 'GET').length, 1)
    }
  })

  it('is not sent again when the first byte of an answer came', async () => {
    const asked: string[] = []
    const upstream = await tiring((socket) => socket.end('H'), asked)
    const proxy = await keep(proxyTo([upstream.port]))
    await proxy.exchange(GET)
    assert.match(await proxy.exchange(GET), /^HTTP\/1\.1 502 /)
    assert.equal(asked.length, 2)
  })

  it('is not sent to the same upstream again when its connection was new', async () => {
    const asked: string[] = []
    const upstream = await keep(
      rawUpstream((socket) => {
        asked.push('GET')
        socket.end()
      }),
    )
    const proxy = await keep(proxyTo([upstream.port]))
    assert.match(await proxy.exchange(GET), /^HTTP\/1\.1 502 /)
    assert.equal(asked.length, 1)
  })
})

describe('several upstreams', () => {
  it('share the requests', async () => {
    const upstreams = await Promise.all(['a', 'b', 'c'].map(naming))
    const proxy = await keep(proxyTo(upstreams.map(({ port }) => port)))
    const texts = []
    for (let i = 0; i < 9; i++) texts.push((await proxy.exchange(GET)).at(-1))
    assert.equal(texts.sort().join(''), 'aaabbbccc')
  })

  it('stand in for one that is dead, whatever the request: it never got there', async () => {
    const proxy = await keep(proxyTo([await deadPort(), (await naming('a')).port, await deadPort()]))
    for (const request of [GET, POST, POST, GET, GET]) assert.match(await proxy.exchange(request), /a$/)
  })

  it('answer an idempotent request that another one dropped, and no other', async () => {
    const dropping = await keep(rawUpstream((socket) => socket.resetAndDestroy()))
    const upstream = await naming('a')
    const get = await keep(proxyTo([dropping.port, upstream.port]))
    for (let i = 0; i < 4; i++) assert.match(await get.exchange(GET), /a$/)
    const post = await keep(proxyTo([dropping.port, upstream.port]))
    const statuses = [await post.exchange(POST), await post.exchange(POST)].map((text) => text.slice(9, 12))
    assert.deepEqual(statuses.sort(), ['200', '502'])
  })

  it('are all tried when all seem dead', async () => {
    const ports = [await deadPort(), await deadPort()]
    const proxy = await keep(proxyTo(ports))
    assert.match(await proxy.exchange(GET), /^HTTP\/1\.1 502 .*refused/s)
    const upstream = await keep(httpUpstream((_request, response) => response.end('a')))
    const group = createUpstreamGroup([upstreamAt(ports[0] ?? 0), upstreamAt(upstream.port)], clock)
    for (const member of group.members) member.failed()
    const again = await keep(proxyTo(group))
    assert.match(await again.exchange(GET), /^HTTP\/1\.1 (200|502)/)
    assert.match(await again.exchange(GET), /^HTTP\/1\.1 (200|502)/)
    assert.ok(upstream.accepted > 0)
  })
})
