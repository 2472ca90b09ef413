import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net'
import { after, before, describe, it } from 'node:test'
import { GATE, requestText, routeOf, type ServedGate, serveGate } from '../../support/gate.ts'
import { until } from '../../support/gateway-under-test.ts'
import { freePorts } from '../../support/programs/free-ports.ts'
import { listenOnLoopback, parseAnswer, rawRequest, stopServer } from '../../support/upstreams.ts'

describe('the upstream, from outside', () => {
  let server: Server
  let raw: TcpServer
  let gate: ServedGate
  const aborted: string[] = []
  const counts = new Map<string, number>()
  const PIECE = Buffer.from('0123456789abcdef'.repeat(256))

  function respond(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? ''
    counts.set(path, (counts.get(path) ?? 0) + 1)
    request.on('error', () => undefined)
    request.on('close', () => {
      if (!request.complete || !response.writableFinished) aborted.push(path)
    })
    if (path.endsWith('/slow')) return
    if (path.endsWith('/early')) {
      response.writeEarlyHints({ link: '</style.css>; rel=preload' }, () => response.end('late'))
      return
    }
    if (path.endsWith('/trailers')) {
      response.writeHead(200, { Trailer: 'X-Sum' })
      response.write('body')
      response.addTrailers({ 'X-Sum': 'abc' })
      response.end()
      return
    }
    if (path.endsWith('/dies')) {
      response.writeHead(200, { 'Content-Length': 100 })
      response.write('half', () => setImmediate(() => request.socket.destroy()))
      return
    }
    if (path.endsWith('/dies-chunked')) {
      response.write('half')
      setTimeout(() => request.socket.destroy(), 20)
      return
    }
    if (path.endsWith('/refuses-early')) {
      response.writeHead(403, { Connection: 'close', 'Content-Length': 6 }).end('early!')
      return
    }
    if (path.endsWith('/stalls')) {
      response.writeHead(200, { 'Content-Length': 100 }).write('x')
      return
    }
    if (path.endsWith('/resets')) {
      request.socket.resetAndDestroy()
      return
    }
    if (path.endsWith('/stream')) {
      response.writeHead(200)
      const more = (): void => {
        while (response.write(PIECE)) if (response.destroyed) return
        response.once('drain', more)
      }
      more()
      return
    }
    if (path.endsWith('/range')) {
      response.writeHead(206, {
        'Content-Range': 'bytes 1-3/10',
        'Accept-Ranges': 'bytes',
        ETag: '"x"',
        'Content-Length': 3,
        'X-Range': String(request.headers.range),
      })
      return void response.end('123')
    }
    if (path.endsWith('/304')) return void response.writeHead(304, { ETag: '"x"', 'Content-Length': 10 }).end()
    if (path.endsWith('/204')) return void response.writeHead(204).end()
    const hash = createHash('sha256')
    let length = 0
    request.on('data', (chunk: Buffer) => {
      hash.update(chunk)
      length += chunk.length
    })
    request.on('end', () =>
      response.end(
        JSON.stringify({ method: request.method, path, length, hash: hash.digest('hex'), headers: request.headers }),
      ),
    )
  }

  before(async () => {
    server = createServer(respond)
    server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
      socket.on('error', () => undefined)
      if (request.url?.endsWith('/no'))
        return void socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\nX-From: upstream\r\n\r\nnope')
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade}\r\nX-User: ${request.headers['x-auth-username']}\r\nX-Authorization: ${request.headers.authorization}\r\n\r\n`,
      )
      socket.pipe(socket)
    })
    const port = await listenOnLoopback(server)
    raw = createTcpServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', (chunk) => {
        const path = chunk.toString().split(' ')[1] ?? ''
        if (path.endsWith('/nonsense')) socket.end('SSH-2.0-OpenSSH\r\n')
        else if (path.endsWith('/both'))
          socket.end('HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n')
        else if (path.endsWith('/to-the-end')) socket.end('HTTP/1.1 200 OK\r\n\r\nuntil the end')
        else socket.end()
      })
    })
    raw.listen(0, '127.0.0.1')
    await once(raw, 'listening')
    const rawPort = (raw.address() as AddressInfo).port
    const [dead] = await freePorts(1)
    const quick = '    timeouts: { connect: 1s, response_headers: 300ms, idle: 1s }'
    gate = await serveGate(
      [
        routeOf('up', `http://127.0.0.1:${port}`),
        routeOf('quick', `http://127.0.0.1:${port}`, quick),
        routeOf('odd', `http://127.0.0.1:${rawPort}`),
        routeOf('list', `[http://127.0.0.1:${dead}, http://127.0.0.1:${port}]`),
        `\n  - { id: open, path: /open, public: true, upstream: "http://127.0.0.1:${port}", max_body: 1MiB }`,
      ].join(''),
    )
  })
  after(async () => {
    await gate.close()
    await stopServer(server)
    raw.close()
  })

  const get = (path: string, lines: readonly string[] = [], method = 'GET') =>
    gate.ask(path, { method, lines, token: gate.token() })
  const problemOf = (body: string) => JSON.parse(body).reason
  /** All bytes until the connection ends; `next` may go on writing. */
  async function talk(
    text: string,
    next?: (socket: Socket, soFar: string) => void,
    begun?: (socket: Socket) => void,
  ): Promise<string> {
    const socket = connect(gate.port, '127.0.0.1')
    let all = ''
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      all += chunk.toString('latin1')
      next?.(socket, all)
    })
    socket.write(text, 'latin1')
    begun?.(socket)
    await Promise.race([
      once(socket, 'close'),
      new Promise((_, reject) => setTimeout(() => reject(new Error(`still open: ${all}`)), 8_000).unref()),
    ])
    return all
  }

  it('1xx pass as they came', async () => {
    const answer = await get('/quick/early')
    assert.match(
      answer.text,
      /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/style\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 /i,
    )
    assert.match(answer.text, /late/)
  })

  it('trailers pass', async () => {
    const text = await talk(
      requestText('/quick/trailers', { token: gate.token(), lines: ['TE: trailers', 'Connection: close'] }),
    )
    assert.match(text, /Trailer: X-Sum/i)
    assert.match(text, /0\r\nX-Sum: abc\r\n\r\n$/)
  })

  it('Range works; HEAD, 204 and 304 are right', async () => {
    const part = await get('/up/range', ['Range: bytes=1-3'])
    assert.deepEqual(
      [
        part.status,
        part.headers.get('content-range'),
        part.headers.get('etag'),
        part.headers.get('x-range'),
        part.body,
      ],
      [206, 'bytes 1-3/10', '"x"', 'bytes=1-3', '123'],
    )
    const head = await get('/up/range', [], 'HEAD')
    assert.deepEqual([head.headers.get('content-length'), head.body], ['3', ''])
    const unchanged = await get('/up/304')
    assert.deepEqual([unchanged.status, unchanged.headers.get('etag'), unchanged.body], [304, '"x"', ''])
    const empty = await get('/up/204')
    assert.deepEqual(
      [empty.status, empty.headers.get('transfer-encoding'), empty.headers.get('content-length')],
      [204, undefined, undefined],
    )
  })

  it('one connection serves many requests, these answers between others', async () => {
    const token = gate.token()
    const texts = ['/up/304', '/up/204', '/up/a', '/up/range', '/nowhere', '/up/a'].map((path) =>
      requestText(path, { token }),
    )
    const last = requestText('/up/last', { token, lines: ['Connection: close'] })
    const all = await talk(texts.join('') + last)
    assert.deepEqual(
      [...all.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status),
      ['304', '204', '200', '206', '404', '200', '200'],
    )
  })

  it('refused 502, reset 502, nonsense 502, too slow 504', async () => {
    for (const [path, status, reason] of [
      ['/up/resets', 502, /^upstream_re/],
      ['/odd/nonsense', 502, /^upstream_/],
      ['/odd/both', 502, /^upstream_/],
      ['/odd/nothing', 502, /^upstream_/],
      ['/quick/slow', 504, /^upstream_timeout$/],
    ] as const) {
      const answer = await get(path)
      assert.equal(answer.status, status, answer.text)
      assert.match(problemOf(answer.body), reason)
    }
    const answer = await talk(requestText('/odd/to-the-end', { token: gate.token(), lines: ['Connection: close'] }))
    assert.match(answer, /until the end/)
  })

  it('an upstream that dies in mid-body breaks the client’s connection', async () => {
    for (const path of ['/up/dies', '/up/dies-chunked']) {
      const text = await talk(requestText(path, { token: gate.token() }))
      assert.match(text, /half/)
      assert.ok(!text.endsWith('0\r\n\r\n'), text)
      assert.equal(parseAnswer(text).status, 200)
    }
  })

  it('a client that leaves in mid-body ends the upstream request', async () => {
    await talk(requestText('/up/stream', { token: gate.token() }), (socket, text) => {
      if (text.length > 100_000) socket.destroy()
    })
    await until(() => aborted.includes('/up/stream'), 'the upstream request to end')
    const socket = connect(gate.port, '127.0.0.1')
    socket.write(
      `${requestText('/up/upload', { method: 'PUT', token: gate.token(), lines: ['Content-Length: 1000'] })}half`,
    )
    await until(() => counts.has('/up/upload'), 'the upload to begin')
    socket.destroy()
    await until(() => aborted.includes('/up/upload'), 'the upload to end')
  })

  it('of a list of upstreams the dead one is left out', async () => {
    for (let i = 0; i < 8; i += 1) assert.equal((await get(`/list/${i}`)).status, 200)
  })

  it('a request with a body is not sent twice', async () => {
    const answer = await gate.ask('/up/once/resets', { method: 'POST', body: 'x', token: gate.token() })
    assert.equal(answer.status, 502)
    assert.equal(counts.get('/up/once/resets'), 1)
  })

  it('Expect: 100-continue: a refused upload is never sent, a permitted one is', async () => {
    const expect = ['Expect: 100-continue', 'Content-Length: 5']
    const refused = await talk(requestText('/up/expect', { method: 'PUT', lines: [...expect, 'Connection: close'] }))
    assert.match(refused, /^HTTP\/1\.1 401 /)
    const large = await talk(
      requestText('/open/a', {
        method: 'PUT',
        lines: ['Expect: 100-continue', 'Content-Length: 99999999', 'Connection: close'],
      }),
    )
    assert.match(large, /^HTTP\/1\.1 413 /)
    const sent = { body: false }
    const good = await talk(
      requestText('/up/expect', { method: 'PUT', token: gate.token(), lines: [...expect, 'Connection: close'] }),
      (socket, text) => {
        if (sent.body || !/^HTTP\/1\.1 100 /.test(text)) return
        sent.body = true
        socket.write('hello')
      },
    )
    assert.match(good, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /)
    assert.match(good, /"length":5/)
  })

  it('large bodies go both ways whole', async () => {
    const body = Buffer.alloc(20_000_000, 'abcdefg')
    const hash = createHash('sha256').update(body).digest('hex')
    for (const chunked of [false, true]) {
      const answer = await fetch(`http://127.0.0.1:${gate.port}/up/large`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${gate.token()}` },
        ...(chunked ? { body: new Blob([body]).stream(), duplex: 'half' } : { body }),
      } as RequestInit)
      const echoed = (await answer.json()) as { hash: string; length: number }
      assert.deepEqual([echoed.length, echoed.hash], [body.length, hash])
    }
  })

  it('an upstream that answers in mid-upload and closes is heard', async () => {
    const body = Buffer.alloc(20_000_000)
    for (let i = 0; i < 3; i += 1) {
      const head = requestText('/up/refuses-early', {
        method: 'PUT',
        token: gate.token(),
        lines: [`Content-Length: ${body.length}`],
      })
      const answer = await rawRequest(gate.port, Buffer.concat([Buffer.from(head), body]))
      assert.deepEqual([answer.status, answer.body], [403, 'early!'], answer.text)
    }
  })

  it('timeouts count idleness: a slow upload goes on, a stalled answer is broken off', async () => {
    const text = requestText('/quick/slowly', {
      method: 'PUT',
      token: gate.token(),
      lines: ['Content-Length: 4', 'Connection: close'],
    })
    const sent = { bytes: 0 }
    const slow = talk(text, undefined, (socket) => {
      const timer = setInterval(() => {
        socket.write('x')
        sent.bytes += 1
        if (sent.bytes === 4) clearInterval(timer)
      }, 200)
    })
    const stalled = talk(requestText('/quick/stalls', { token: gate.token() }))
    assert.match(await slow, /^HTTP\/1\.1 200 [\s\S]*"length":4/)
    assert.match(await stalled, /^HTTP\/1\.1 200 [\s\S]*\r\n\r\nx$/)
  })

  it('Upgrades are tunnelled after the same decision', async () => {
    const ws = [
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ]
    const refused = await talk(requestText('/up/ws', { lines: ws }))
    assert.match(refused, /^HTTP\/1\.1 401 /)
    assert.match(refused, /\r\nWWW-Authenticate: Bearer resource_metadata=/)
    assert.match(refused, /"reason":"no_token"/)
    const state = { said: false }
    const text = await talk(requestText('/up/ws', { lines: ws, token: gate.token() }), (socket, soFar) => {
      if (!state.said && soFar.includes('\r\n\r\n')) {
        state.said = true
        socket.write('ping through the tunnel')
      }
      if (soFar.endsWith('tunnel')) socket.end()
    })
    assert.match(text, /^HTTP\/1\.1 101 /)
    assert.match(text, /X-User: alice/)
    assert.match(text, /X-Authorization: undefined/)
    assert.match(text, /ping through the tunnel$/)
    const no = await talk(requestText('/up/no', { lines: ws, token: gate.token() }))
    assert.match(no, /^HTTP\/1\.1 403 [\s\S]*X-From: upstream[\s\S]*nope/)
    assert.match(await gate.metrics(), /audgate_tunnels_open 0/)
  })

  it('h2c is not a tunnel around the decision', async () => {
    const lines = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__']
    const answer = await get('/up/h2c', lines)
    assert.notEqual(answer.status, 101, answer.text)
    assert.notEqual(answer.status, 0)
  })

  it('a hostile connection costs nobody else', async () => {
    const socket = connect(gate.port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write(`GET /up/a HTTP/1.1\r\nHost: ${GATE}\r\nX: `)
    const answers = await Promise.all(Array.from({ length: 20 }, () => get('/up/a')))
    assert.ok(answers.every(({ status }) => status === 200))
    socket.destroy()
  })
})
