import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { createUpstreamGroup } from '../../../src/proxy/upstreams.ts'
import {
  clock,
  httpUpstream,
  type Listening,
  type Overrides,
  openings,
  proxyBefore,
  proxyTo,
  rawUpstream,
  until,
  upstreamAt,
} from './proxy-rig.ts'

const GET = 'GET /a?b=c HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n'

const opened = openings()

const before = (upstream: Promise<Listening>, overrides?: Overrides): ReturnType<typeof proxyBefore> =>
  proxyBefore(opened, upstream, overrides)

/** An upstream that answers every request with the same bytes, and keeps what it got. */
function saying(answer: string, got: string[] = []): Promise<Listening> {
  return rawUpstream((socket, data) => {
    got.push(data.toString('latin1'))
    socket.write(answer, 'latin1')
  })
}

describe('a request on its way to the upstream', () => {
  it('has the request line and the field lines that it was given, byte for byte, and no others', async () => {
    const got: string[] = []
    const proxy = await before(saying('HTTP/1.1 204 No Content\r\n\r\n', got))
    await proxy.exchange(
      'GET /%41/b;c?d=%zz HTTP/1.1\r\nHost: gate\r\nx-A:  1\r\nX-a: \xe9\r\nConnection: close\r\n\r\n',
    )
    const host = `Host: 127.0.0.1:${proxy.upstream.port}`
    assert.deepEqual(got, [`GET /%41/b;c?d=%zz HTTP/1.1\r\n${host}\r\nx-A: 1\r\nX-a: \xe9\r\n\r\n`])
  })

  it('is not sent when a field would end its line early', async () => {
    for (const value of ['a\r\nX-Admin: 1', 'a\nb', 'a\rb', 'a\0b', 'a\u010ab', 'a\u010d\u010ab']) {
      const got: string[] = []
      const headers = ['Host', 'x', 'X-Name', value]
      const proxy = await before(saying('HTTP/1.1 204 x\r\n\r\n', got), { headers })
      assert.match(await proxy.exchange(GET), /^HTTP\/1\.1 502 /)
      assert.deepEqual(got, [])
    }
  })
})

describe('an answer on its way to the client', () => {
  it('keeps status, reason, order, case, duplicates and bytes of its fields', async () => {
    const fields = 'b: 1\r\nA: x  y\r\nB: 2\r\nETag: W/"a"\r\nX-Name: \xe9\r\nDate: yesterday\r\nContent-Length: 2\r\n'
    const proxy = await before(saying(`HTTP/1.1 299 Quite  fine\r\n${fields}\r\nhi`))
    assert.equal(await proxy.exchange(GET), `HTTP/1.1 299 Quite  fine\r\n${fields}Connection: close\r\n\r\nhi`)
  })

  it('may have an empty reason', async () => {
    const proxy = await before(saying('HTTP/1.1 200 \r\nDate: x\r\nContent-Length: 0\r\n\r\n'))
    assert.match(await proxy.exchange(GET), /^HTTP\/1\.1 200 \r\n/)
  })

  it('has one Content-Length where the upstream sent equal ones', async () => {
    const proxy = await before(saying('HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-length: 2\r\n\r\nhi'))
    assert.equal((await proxy.exchange(GET)).match(/content-length/gi)?.length, 1)
  })

  it('passes a range as it came', async () => {
    const range = 'HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 1-2/4\r\nContent-Length: 2\r\n\r\nbc'
    const proxy = await before(saying(range))
    const text = await proxy.exchange(GET)
    assert.match(text, /^HTTP\/1\.1 206 Partial Content\r\nContent-Range: bytes 1-2\/4\r\n/)
    assert.match(text, /\r\n\r\nbc$/)
  })

  it('is chunked again where it was chunked, trailers and their announcement with it', async () => {
    const answer =
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n'
    const proxy = await before(saying(answer), {
      rewriteHead: (_status, headers) => headers.filter((_, i) => headers[i - (i % 2)] !== 'Transfer-Encoding'),
    })
    const text = await proxy.exchange(GET)
    assert.match(text, /\r\nTrailer: X-Sum\r\n/)
    assert.match(text, /\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n$/)
  })

  it('has no framing or cookie in its trailers', async () => {
    const trailers = 'Content-Length: 3\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=b\r\nX-Sum: 1\r\n'
    const proxy = await before(saying(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${trailers}\r\n`))
    assert.match(await proxy.exchange(GET), /\r\n\r\n0\r\nX-Sum: 1\r\n\r\n$/)
  })

  it('has a body up to the end of the connection for a client of HTTP/1.0, and no trailers', async () => {
    const answer =
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n'
    const proxy = await before(saying(answer), {
      rewriteHead: (_status, headers) => headers.filter((_, i) => headers[i - (i % 2)] !== 'Transfer-Encoding'),
    })
    const text = await proxy.exchange('GET / HTTP/1.0\r\nHost: gate\r\n\r\n')
    assert.match(text, /\r\n\r\nhi$/)
    assert.doesNotMatch(text, /chunked|X-Sum/i)
  })

  it('ends where an upstream without lengths ends its connection', async () => {
    const proxy = await before(
      rawUpstream((socket) => {
        socket.end('HTTP/1.0 200 OK\r\nDate: x\r\n\r\nhello')
      }),
    )
    assert.match(await proxy.exchange(GET), /\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/)
    assert.equal(proxy.outcomes[0]?.kind, 'completed')
  })

  it('to HEAD has the fields of GET and no body', async () => {
    const proxy = await before(saying('HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 5\r\n\r\n'))
    const text = await proxy.exchange('HEAD / HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n')
    assert.equal(text, 'HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\n')
  })

  it('of 304 keeps its Content-Length, of 204 loses it (RFC 9110 §8.6)', async () => {
    const one = await before(saying('HTTP/1.1 304 Not Modified\r\nDate: x\r\nContent-Length: 5\r\nETag: "a"\r\n\r\n'))
    assert.match(await one.exchange(GET), /\r\nContent-Length: 5\r\nETag: "a"\r\n.*\r\n\r\n$/)
    const two = await before(saying('HTTP/1.1 204 No Content\r\nDate: x\r\nContent-Length: 0\r\n\r\n'))
    assert.doesNotMatch(await two.exchange(GET), /Content-Length|Transfer-Encoding/)
  })

  it('comes after the informational ones, which pass; 100 does not', async () => {
    const early = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n'
    const proxy = await before(
      saying(`HTTP/1.1 100 Continue\r\n\r\n${early}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n`),
    )
    assert.ok((await proxy.exchange(GET)).startsWith(`${early}HTTP/1.1 200 OK\r\n`))
    assert.match(await proxy.exchange('GET / HTTP/1.0\r\nHost: gate\r\n\r\n'), /^HTTP\/1\.1 200 OK\r\n/)
  })

  it('flows at once: the head before any body, each event as it comes', async () => {
    const upstream = rawUpstream((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n')
    })
    const proxy = await before(upstream)
    const got: string[] = []
    const client = connect(proxy.port, '127.0.0.1', () => client.write(GET))
    client.on('data', (data) => got.push(data.toString()))
    await until(() => got.join('').includes('text/event-stream'), 'the head')
    for (const socket of proxy.upstream.sockets) socket.write('8\r\ndata: a\n\r\n')
    await until(() => got.join('').includes('data: a'), 'the first event')
    client.destroy()
    await until(() => proxy.upstream.sockets.size === 0, 'the upstream connection is gone with the client')
  })

  it('may have its body transformed, and then no length', async () => {
    const answer = 'HTTP/1.1 207 Multi-Status\r\nContent-Length: 6\r\n\r\nabcdef'
    const proxy = await before(saying(answer), {
      transformBody: (status) => {
        if (status !== 207) return undefined
        return { push: (chunk) => Buffer.from(chunk.toString().toUpperCase()), end: () => Buffer.from('.') }
      },
    })
    const text = await proxy.exchange(GET)
    assert.doesNotMatch(text, /Content-Length/)
    assert.match(text, /\r\n\r\n7\r\nABCDEF\.\r\n0\r\n\r\n$/)
    assert.equal(proxy.outcomes[0]?.bytesOut, 7)
  })

  it('whose fields were rewritten into what can not be sent is a fault', async () => {
    const proxy = await before(saying('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'), {
      rewriteHead: () => ['X-A', 'b\r\nc'],
    })
    assert.match(await proxy.exchange(GET), /^HTTP\/1\.1 502 /)
  })
})

describe('an upstream', () => {
  it('may be a name with several addresses', async () => {
    const upstream = await httpUpstream((_request, response) => response.end('a'))
    const proxy = await proxyTo(createUpstreamGroup([upstreamAt(upstream.port, 'http:', 'localhost')], clock))
    opened.push(upstream, proxy)
    assert.match(await proxy.exchange(GET), /a$/)
  })
})
