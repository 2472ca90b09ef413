import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { parseTarget } from '../../../src/core/paths/target.ts'
import type { ReservedRequest } from '../../../src/gateway/call.ts'
import { createPassOn } from '../../../src/workers/pass-on.ts'
import { until } from '../../support/gateway-under-test.ts'
import { listenOnLoopback, rawRequest, stopServer } from '../../support/upstreams.ts'

describe('a reserved path on its way from a worker to the primary, by http-proxy', () => {
  let folder: string
  let primary: Server
  let worker: Server
  let port: number
  let answer: (request: IncomingMessage, response: ServerResponse) => void
  const seen: { readonly request: IncomingMessage; readonly body: string }[] = []

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'audgate-pass-on-'))
    primary = createServer((request, response) => {
      let body = ''
      request.on('error', () => undefined)
      request.on('data', (chunk) => {
        body += chunk
      })
      request.on('end', () => {
        seen.push({ request, body })
        answer(request, response)
      })
    })
    const path = join(folder, 'primary.sock')
    await new Promise<void>((resolve) => primary.listen(path, resolve))
    const passOn = createPassOn(path)
    worker = createServer((request, response) => {
      passOn(reserved(request, response))
    })
    worker.on('checkExpectation', (request, response) => worker.emit('request', request, response))
    port = await listenOnLoopback(worker)
  })
  beforeEach(() => {
    seen.length = 0
    answer = (_request, response) => response.end('ok')
  })
  after(async () => {
    await stopServer(worker)
    await stopServer(primary)
    rmSync(folder, { recursive: true, force: true })
  })

  function reserved(request: IncomingMessage, response: ServerResponse): ReservedRequest {
    const parsed = parseTarget((request.url ?? '').replace('http://a/', '/'))
    assert.ok(parsed.ok)
    const routing = { kind: 'reserved', host: 'a', target: parsed.target, client: { address: '192.0.2.7' } }
    const refuse = () => response.writeHead(502, { Connection: 'close' }).end('refused')
    return { request, response, record: { id: 'r-1' }, routing, refuse } as unknown as ReservedRequest
  }

  it('keeps method, target, body and cookies, and says whose it is in a field that no client can send', async () => {
    answer = (_request, response) => {
      response.writeHead(303, { 'Set-Cookie': ['a=1', 'b=2'], Location: '/oauth/x' }).end('body')
    }
    const head = `POST /oauth/x?a='b'&c=?%2F HTTP/1.1\r\nHost: gate.example\r\nX-Audgate-Inner: 6.6.6.6 forged\r\nx_audgate_inner: 6.6.6.6 forged`
    const got = await rawRequest(
      port,
      `${head}\r\nExpect: nothing\r\nTE: trailers\r\nConnection: close, X-Audgate-Inner\r\nContent-Length: 3\r\n\r\nabc`,
    )
    const [{ request, body } = assert.fail('it came through')] = seen
    assert.equal(`${request.method} ${request.url} ${body}`, `POST /oauth/x?a='b'&c=?%2F abc`)
    assert.equal(request.headers.host, 'gate.example')
    const inner = request.rawHeaders.filter((name) => /inner/i.test(name) || /6\.6\.6\.6/.test(name))
    assert.deepEqual(inner, ['x-audgate-inner'])
    assert.equal(request.headers['x-audgate-inner'], '192.0.2.7 r-1')
    assert.deepEqual([request.headers.te, request.headers.expect], [undefined, undefined])
    assert.equal(got.status, 303)
    assert.deepEqual(got.head.match(/set-cookie: .*/gi), ['set-cookie: a=1', 'set-cookie: b=2'])
    assert.ok(got.body.includes('body'))
  })

  it('leaves the client’s connection open, whatever becomes of its own', async () => {
    const socket = connect(port, '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    for (const count of [1, 2]) {
      socket.write('GET /oauth/jwks HTTP/1.1\r\nHost: a\r\n\r\n')
      await until(() => text.split('HTTP/1.1 200').length === count + 1, `answer ${count}`)
    }
    socket.destroy()
  })

  it('a body in chunks is no second request, with whatever method', async () => {
    for (const method of ['DELETE', 'OPTIONS', 'POST', 'PATCH']) {
      const inner = 'GET /oauth/forged HTTP/1.1\r\nHost: a\r\nX-Audgate-Inner: 6.6.6.6 x\r\n\r\n'
      const chunk = `${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`
      const fields = 'Host: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n'
      assert.equal((await rawRequest(port, `${method} /oauth/x HTTP/1.1\r\n${fields}${chunk}`)).status, 200)
    }
    assert.equal(seen.length, 4)
    assert.ok(seen.every(({ request }) => request.url === '/oauth/x'))
  })

  it('an absolute-form target is passed on as its origin-form', async () => {
    const got = await rawRequest(port, 'GET http://a/oauth/x?y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    assert.equal(got.status, 200)
    assert.equal(seen[0]?.request.url, '/oauth/x?y')
  })

  it('an answer that breaks off breaks off at the client, and one that trickles arrives as it comes', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' })
      response.flushHeaders()
    }
    const socket = connect(port, '127.0.0.1')
    const state = { text: '', closed: false }
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      state.text += chunk
    })
    socket.on('close', () => {
      state.closed = true
    })
    socket.write('GET /oauth/revocations HTTP/1.1\r\nHost: a\r\n\r\n')
    await until(() => state.text.includes('text/event-stream'), 'the head, before any event')
    seen[0]?.request.socket.destroy()
    await until(() => state.closed, 'the end')
    assert.doesNotMatch(state.text, /0\r\n\r\n$/)
  })

  it('a client that leaves before the answer frees what was begun for it', async () => {
    answer = () => undefined
    const socket = connect(port, '127.0.0.1')
    socket.write('GET /oauth/x HTTP/1.1\r\nHost: a\r\n\r\n')
    await until(() => seen.length === 1, 'it is under way')
    socket.destroy()
    await until(() => seen[0]?.request.socket.destroyed === true, 'the primary hears of it')
  })

  it('a primary that says nothing is a refusal of the worker’s own', async () => {
    answer = (request) => request.socket.destroy()
    const got = await rawRequest(port, 'GET /oauth/x HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.equal(got.status, 502)
    assert.ok(got.text.includes('refused'))
  })
})
