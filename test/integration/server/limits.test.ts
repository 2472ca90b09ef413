import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { openListener } from '../../../src/gateway/listener.ts'
import { photosRoute, startGateway, type TestGateway, until, yamlOf } from '../../support/gateway-under-test.ts'
import { rawRequest, startUpstream, type TestUpstream } from '../../support/upstreams.ts'

describe('limits', () => {
  let upstream: TestUpstream
  let gateway: TestGateway

  before(async () => {
    upstream = await startUpstream()
    gateway = await startGateway({
      yaml: yamlOf(photosRoute(upstream.url, '    public: [/open/**]'), 'max_connections: 20'),
    })
  })
  after(async () => {
    await gateway.close()
    await upstream.close()
  })

  it('headers of 32 KiB in all pass, more are 431', async () => {
    const head = (size: number) => `GET /photos/open/a HTTP/1.1\r\nHost: a\r\nX-Large: ${'x'.repeat(size)}\r\n\r\n`
    assert.equal((await rawRequest(gateway.port, head(32_000))).status, 200)
    const refused = await rawRequest(gateway.port, head(33_000))
    assert.equal(refused.status, 431)
    assert.equal(refused.headers.get('content-type'), 'application/problem+json')
    assert.equal(JSON.parse(refused.body).reason, 'headers_too_large')
    assert.equal(refused.headers.get('connection'), 'close')
  })

  it('a request target counts as headers', async () => {
    assert.equal((await rawRequest(gateway.port, `GET /${'x'.repeat(33_000)} HTTP/1.1\r\nHost: a\r\n\r\n`)).status, 431)
  })

  it('100 fields pass, one more is 431', async () => {
    const head = (fields: number) => `GET /photos/open/a HTTP/1.1\r\nHost: a\r\n${'X-A: 1\r\n'.repeat(fields - 1)}\r\n`
    assert.equal((await rawRequest(gateway.port, head(100))).status, 200)
    for (const fields of [101, 1_500]) assert.equal((await rawRequest(gateway.port, head(fields))).status, 431)
  })

  it('nothing is read from a head with too many fields: neither who sends it nor where it goes', async () => {
    const many = 'X-A: 1\r\n'.repeat(100)
    const answer = await rawRequest(gateway.port, `GET /photos/open/a HTTP/1.1\r\nHost: a\r\n${many}Host: b\r\n\r\n`)
    assert.equal(answer.status, 431)
    assert.equal(answer.headers.get('connection'), 'close')
    assert.equal(gateway.requests().at(-1)?.route, '(none)')
  })

  it('bytes of fields are counted with their names, as they were sent', async () => {
    const fields = (count: number) => `X-A: ${'x'.repeat(994)}\r\n`.repeat(count)
    const head = (count: number) => `GET /photos/open/a HTTP/1.1\r\nHost: a\r\n${fields(count)}\r\n`
    assert.equal((await rawRequest(gateway.port, head(32))).status, 200)
    assert.equal((await rawRequest(gateway.port, head(33))).status, 431)
  })

  it('a path of 8 KiB passes, a longer one is 431, on either way; a query counts as headers only', async () => {
    const head = (path: number, query = 0, field = '') =>
      `GET ${'/photos/open/'.padEnd(path, 'x')}${query === 0 ? '' : '?'.padEnd(query, 'q')} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${field}\r\n`
    for (const field of ['', 'Content-Length: 0\r\n']) {
      assert.equal((await rawRequest(gateway.port, head(8_192, 0, field))).status, 200)
      assert.equal((await rawRequest(gateway.port, head(8_193, 0, field))).status, 431)
      assert.equal((await rawRequest(gateway.port, head(8_000, 20_000, field))).status, 200)
      assert.equal((await rawRequest(gateway.port, head(8_193, 20, field))).status, 431)
    }
  })

  it('a megabyte of headers is answered 431, and the answer can be read', async () => {
    const answer = await rawRequest(
      gateway.port,
      `GET / HTTP/1.1\r\nHost: a\r\n${`X-A: ${'x'.repeat(1000)}\r\n`.repeat(1000)}\r\n`,
    )
    assert.equal(answer.status, 431)
  })

  it('10 s for a request’s headers: 408', async () => {
    const began = Date.now()
    const answer = await rawRequest(gateway.port, 'GET /photos/a HTTP/1.1\r\nHost: a\r\nX-Slow: ')
    assert.equal(answer.status, 408, answer.text)
    assert.equal(JSON.parse(answer.body).reason, 'headers_timeout')
    const took = Date.now() - began
    assert.ok(took > 9_000 && took < 13_000, `${took} ms`)
  })

  it('at most max_connections are served; the next is closed, and one that ends makes room', async () => {
    const sockets = Array.from({ length: 20 }, () => connect(gateway.port, '127.0.0.1'))
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))))
    const refused = await rawRequest(gateway.port, 'GET /photos/a HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.equal(refused.status, 0)
    sockets[0]?.destroy()
    await until(
      async () => (await rawRequest(gateway.port, 'GET /photos/a HTTP/1.1\r\nHost: a\r\n\r\n')).status === 401,
      'room',
    )
    for (const socket of sockets) socket.destroy()
  })
})

describe('time limits', () => {
  it('a request’s headers must come in time: 408 headers_timeout; a silent connection is closed without a word', async () => {
    const faults: string[] = []
    const listener = await openListener(
      { address: { host: '127.0.0.1', port: 0 }, tls: undefined, maxConnections: 10, headersTimeoutMs: 200 },
      {
        request: ({ response }) => {
          response.end()
          return { ending: false }
        },
        tunnels: () => false,
        refused: (socket, fault) => {
          faults.push(fault)
          socket.destroy()
        },
      },
    )
    const socket = connect(listener.addresses[0]?.port ?? 0, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n')
    await new Promise((resolve) => socket.once('close', resolve))
    assert.deepEqual(faults, ['headers_timeout'])
    const silent = connect(listener.addresses[0]?.port ?? 0, '127.0.0.1')
    silent.resume()
    await new Promise((resolve) => silent.once('close', resolve))
    assert.equal(silent.bytesRead, 0)
    listener.stop()
    listener.destroy()
  })
})
