import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { photosRoute, startGateway, type TestGateway, until, yamlOf } from '../../support/gateway-under-test.ts'
import { listenOnLoopback, rawRequest, startUpstream, stopServer, type TestUpstream } from '../../support/upstreams.ts'
import { type RealServer, startNginx } from '../../support/upstreams-real.ts'

describe('streaming', () => {
  let nginx: RealServer
  let echo: TestUpstream
  let events: Server
  let gateway: TestGateway
  const listeners = new Set<object>()

  before(async () => {
    nginx = await startNginx()
    echo = await startUpstream()
    events = createServer((request, response) => {
      listeners.add(response)
      response.once('close', () => listeners.delete(response))
      response.writeHead(200, { 'Content-Type': 'text/event-stream' })
      response.write('data: 1\n\n')
      request.once('close', () => undefined)
    })
    const port = await listenOnLoopback(events)
    gateway = await startGateway({
      yaml: yamlOf(`${photosRoute(`${nginx.url}`, '    strip_path: true\n    public: [/**]')}
  - { id: echo, path: /echo, public: true, upstream: "${echo.url}" }
  - { id: events, path: /events, public: true, upstream: "http://127.0.0.1:${port}" }`),
    })
    writeFileSync(join(nginx.files, 'large'), Buffer.alloc(64 * 1024 * 1024, 'abcdefgh'))
    writeFileSync(join(nginx.files, 'small'), '0123456789')
  })
  after(async () => {
    await gateway.close()
    await echo.close()
    await stopServer(events)
    await nginx.close()
  })

  it('Range works: one range, several, none satisfiable, If-Range and 304', async () => {
    const get = (headers: Record<string, string>) => fetch(`${gateway.url}/photos/small`, { headers })
    const part = await get({ Range: 'bytes=2-4' })
    assert.equal(part.status, 206)
    assert.equal(part.headers.get('content-range'), 'bytes 2-4/10')
    assert.equal(await part.text(), '234')
    const several = await get({ Range: 'bytes=0-1,8-9' })
    assert.match(several.headers.get('content-type') ?? '', /^multipart\/byteranges/)
    await several.text()
    assert.equal((await get({ Range: 'bytes=20-' })).status, 416)
    const etag = (await get({})).headers.get('etag') ?? ''
    assert.equal((await get({ 'If-None-Match': etag })).status, 304)
    assert.equal((await get({ 'If-Range': etag, Range: 'bytes=0-0' })).status, 206)
  })

  it('HEAD has the length and no body', async () => {
    const answer = await fetch(`${gateway.url}/photos/large`, { method: 'HEAD' })
    assert.equal(answer.headers.get('content-length'), String(64 * 1024 * 1024))
    assert.equal((await answer.arrayBuffer()).byteLength, 0)
  })

  it('a large download comes through byte for byte, nothing is buffered whole', async () => {
    const before = process.memoryUsage().rss
    const answer = await fetch(`${gateway.url}/photos/large`)
    const hash = createHash('sha256')
    let bytes = 0
    for await (const chunk of answer.body ?? []) {
      hash.update(chunk)
      bytes += chunk.length
    }
    assert.equal(bytes, 64 * 1024 * 1024)
    assert.equal(hash.digest('hex'), createHash('sha256').update(Buffer.alloc(bytes, 'abcdefgh')).digest('hex'))
    assert.ok(process.memoryUsage().rss - before < 200 * 1024 * 1024)
  })

  it('a chunked upload comes through byte for byte, trailers and all', async () => {
    const answer = await rawRequest(
      gateway.port,
      'POST /echo/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n',
    )
    const seen = JSON.parse(answer.body)
    assert.equal(seen.bodyBytes, 5)
    assert.equal(seen.bodyHash, createHash('sha256').update('abcde').digest('hex'))
  })

  it('events flow at once, and a client that leaves ends the upstream’s request', async () => {
    const abort = new AbortController()
    const answer = await fetch(`${gateway.url}/events/x`, { signal: abort.signal })
    const reader = answer.body?.getReader()
    const first = await reader?.read()
    assert.equal(new TextDecoder().decode(first?.value), 'data: 1\n\n')
    assert.equal(listeners.size, 1)
    abort.abort()
    await until(() => listeners.size === 0, 'the upstream’s request to end')
    await until(() => gateway.requests().some(({ outcome }) => outcome === 'client_closed'), 'the log line')
  })

  it('two hundred clients that hang up in mid-download leave nothing in flight', async () => {
    // How long a loud machine takes until all of them have been served a part is no matter here.
    const hangUp = (): Promise<void> =>
      new Promise((resolve) => {
        const socket = connect(gateway.port, '127.0.0.1')
        socket.on('error', () => undefined)
        socket.on('close', () => resolve())
        socket.write('GET /photos/large HTTP/1.1\r\nHost: a\r\n\r\n')
        socket.once('data', () => socket.destroy())
      })
    await Promise.all(Array.from({ length: 200 }, hangUp))
    const metrics = async () => (await fetch(`${gateway.managementUrl}/metrics`)).text()
    await until(async () => /audgate_requests_in_flight 0\n/.test(await metrics()), 'nothing in flight')
    const after = await fetch(`${gateway.url}/photos/small`)
    assert.equal(await after.text(), '0123456789')
  })
})
