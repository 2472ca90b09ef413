import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import {
  httpUpstream,
  type Listening,
  type Overrides,
  openings,
  proxyBefore,
  proxyTo,
  rawUpstream,
  until,
} from './proxy-rig.ts'

const opened = openings()

const before = (upstream: Promise<Listening>, overrides?: Overrides): ReturnType<typeof proxyBefore> =>
  proxyBefore(opened, upstream, overrides)

const PUT = 'PUT / HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n'

/** Answers once the request `ends` and keeps what came. */
function recording(got: string[], ends: string): Promise<Listening> {
  return rawUpstream((socket, data) => {
    got.push(data.toString('latin1'))
    if (got.join('').endsWith(ends)) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  })
}

describe('an upload', () => {
  it('goes upstream with the length that the client gave', async () => {
    const got: string[] = []
    const proxy = await before(recording(got, 'hello'))
    assert.match(await proxy.exchange(`${PUT}Content-Length: 5\r\n\r\nhello`), /^HTTP\/1\.1 200 /)
    assert.match(got.join(''), /\r\nContent-Length: 5\r\n\r\nhello$/)
    assert.equal(proxy.outcomes[0]?.bytesIn, 5)
  })

  it('goes upstream in chunks when the client sent chunks, without its extensions and trailers', async () => {
    const got: string[] = []
    const proxy = await before(recording(got, '0\r\n\r\n'))
    await proxy.exchange(`${PUT}Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-Auth-Username: root\r\n\r\n`)
    assert.match(got.join(''), /\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/)
    assert.doesNotMatch(got.join(''), /root|a=b|Content-Length/i)
  })

  it('is not read before there is a connection to take it', async () => {
    const proxy = await proxyTo([1])
    opened.push(proxy)
    assert.match(await proxy.exchange(`${PUT}Content-Length: 5\r\n\r\nhello`), /^HTTP\/1\.1 502 /)
    assert.equal(proxy.outcomes[0]?.bytesIn, 0)
  })

  it('with a length above max_body is refused before anything is sent upstream', async () => {
    const proxy = await before(recording([], 'never'), { maxBody: 4 })
    assert.match(await proxy.exchange(`${PUT}Content-Length: 5\r\n\r\nhello`), /^HTTP\/1\.1 413 /)
    assert.equal(proxy.upstream.accepted, 0)
    assert.deepEqual(proxy.outcomes, [{ kind: 'body_too_large', headSent: false, bytesIn: 0, bytesOut: 0 }])
  })

  it('of exactly max_body passes; one byte more, in chunks, does not', async () => {
    const proxy = await before(recording([], '0\r\n\r\n'), { maxBody: 5 })
    const chunked = (body: string) =>
      `${PUT}Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
    assert.match(await proxy.exchange(chunked('hello')), /^HTTP\/1\.1 200 /)
    assert.match(await proxy.exchange(chunked('hello!')), /^HTTP\/1\.1 413 /)
    await until(() => proxy.upstream.sockets.size <= 1, 'the connection that got half a request is closed')
  })

  it('whose client leaves in the middle frees its upstream connection, which is never used again', async () => {
    const proxy = await before(recording([], 'never'))
    const client = connect(proxy.port, '127.0.0.1', () => client.write(`${PUT}Content-Length: 500\r\n\r\nhello`))
    await until(() => proxy.upstream.sockets.size === 1, 'it is under way')
    client.destroy()
    await until(() => proxy.upstream.sockets.size === 0, 'it is not')
    assert.equal(proxy.outcomes[0]?.kind, 'client_closed')
  })

  it('that is refused early is stopped, and its client reads the answer', async () => {
    const refusal = 'HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!'
    const proxy = await before(rawUpstream((socket, _data, nth) => void (nth === 0 && socket.write(refusal))))
    const got: string[] = []
    const client = connect(proxy.port, '127.0.0.1')
    client.on('data', (data) => got.push(data.toString()))
    client.write('PUT / HTTP/1.1\r\nHost: gate\r\nContent-Length: 100000000\r\n\r\nhello')
    await until(() => got.join('').endsWith('no!'), 'the answer')
    await until(() => proxy.upstream.sockets.size === 0, 'the upstream connection is closed')
    assert.equal(proxy.outcomes[0]?.kind, 'completed')
    client.destroy()
  })

  it('may be answered while it still goes on, each byte as it comes', async () => {
    const echo = rawUpstream((socket, data, nth) => {
      if (nth === 0) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n')
      else socket.write(data)
    })
    const proxy = await before(echo)
    const got: string[] = []
    const client = connect(proxy.port, '127.0.0.1')
    client.on('data', (data) => got.push(data.toString()))
    client.write('PUT / HTTP/1.1\r\nHost: gate\r\nContent-Length: 4\r\n\r\n')
    await until(() => got.join('').includes('\r\n\r\n'), 'the head')
    for (const byte of 'abcd') {
      client.write(byte)
      await until(() => got.join('').endsWith(byte), byte)
    }
    await until(() => proxy.outcomes.length === 1, 'the outcome')
    assert.equal(proxy.outcomes[0]?.kind, 'completed')
    client.destroy()
  })

  it('is slowed to what the upstream takes', async () => {
    const paused: Socket[] = []
    const upstream = rawUpstream((socket) => {
      if (!paused.includes(socket)) paused.push(socket)
      socket.pause()
    })
    const proxy = await before(upstream)
    const client = connect(proxy.port, '127.0.0.1')
    client.on('error', () => {})
    client.write(`${PUT}Content-Length: ${2 ** 30}\r\n\r\n`)
    const piece = Buffer.alloc(2 ** 20)
    const stall = { since: performance.now(), bytes: 0 }
    const send = (): void => {
      while (client.writable && client.write(piece));
    }
    client.on('drain', send)
    send()
    await until(
      () => {
        const moved = client.bytesWritten - client.writableLength
        if (moved !== stall.bytes) Object.assign(stall, { since: performance.now(), bytes: moved })
        return performance.now() - stall.since > 500
      },
      'the client is held up',
      20_000,
    )
    assert.ok(stall.bytes < 64 * 2 ** 20, `${stall.bytes} bytes were taken`)
    client.destroy()
    await until(() => proxy.group.members[0]?.connections === 0, 'all is freed')
  })
})

describe('an upload to a server that answers at once and closes', () => {
  it('nearly always gets its answer through', async () => {
    const upstream = httpUpstream((_request, response) => {
      response.writeHead(403, { Connection: 'close' }).end('no')
    })
    const proxy = await before(upstream)
    const texts = await Promise.all(
      Array.from({ length: 50 }, () => proxy.exchange(`${PUT}Content-Length: 100000\r\n\r\n${'x'.repeat(100_000)}`)),
    )
    const answered = texts.filter((text) => text.startsWith('HTTP/1.1 403')).length
    assert.ok(answered >= 40, `${answered} of 50`)
    await until(() => proxy.upstream.sockets.size === 0, 'all connections are closed')
  })
})
