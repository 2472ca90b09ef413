import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { GATE, type Gate, mounts, requestText, routeOf } from '../../support/gate.ts'
import { until } from '../../support/gateway-under-test.ts'
import { freePorts } from '../../support/programs/free-ports.ts'
import { listenOnLoopback, stopServer } from '../../support/upstreams.ts'

/** What the upstream answers, by the last segment of the path. */
const ANSWERS: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>> = {
  slow: () => undefined,
  early: (_, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' }, () => response.end('late'))
  },
  trailers: (_, response) => {
    response.writeHead(200, { Trailer: 'X-Sum' }).write('body')
    response.addTrailers({ 'X-Sum': 'abc' })
    response.end()
  },
  dies: (request, response) => {
    response.writeHead(200, { 'Content-Length': 100 })
    response.write('half', () => setImmediate(() => request.socket.destroy()))
  },
  'dies-chunked': (request, response) => {
    response.write('half', () => setImmediate(() => request.socket.destroy()))
  },
  'refuses-early': (_, response) => {
    response.writeHead(403, { Connection: 'close', 'Content-Length': 6 }).end('early!')
  },
  stalls: (_, response) => {
    response.writeHead(200, { 'Content-Length': 100 }).write('x')
  },
  resets: (request) => request.socket.resetAndDestroy(),
  range: (request, response) => {
    const fields = { 'Content-Range': 'bytes 1-3/10', ETag: '"x"', 'X-Range': String(request.headers.range) }
    response.writeHead(206, { ...fields, 'Content-Length': 3 }).end('123')
  },
  '304': (_, response) => void response.writeHead(304, { ETag: '"x"', 'Content-Length': 10 }).end(),
  '204': (_, response) => void response.writeHead(204).end(),
}

for (const { mount, open } of mounts) {
  describe(`the upstream, ${mount}`, () => {
    let server: Server
    let gate: Gate
    const asked = new Map<string, number>()

    before(async () => {
      server = createServer((request, response) => {
        const path = request.url ?? ''
        asked.set(path, (asked.get(path) ?? 0) + 1)
        request.on('error', () => undefined)
        const answer = ANSWERS[path.split('/').at(-1) ?? '']
        if (answer === undefined) response.end('answered')
        else answer(request, response)
      })
      const port = await listenOnLoopback(server)
      const [dead] = await freePorts(1)
      const quick = '    timeouts: { connect: 1s, response_headers: 300ms, idle: 300ms }'
      gate = await open(
        [
          routeOf('up', `http://127.0.0.1:${port}`),
          routeOf('quick', `http://127.0.0.1:${port}`, quick),
          routeOf('list', `[http://127.0.0.1:${dead}, http://127.0.0.1:${port}]`),
        ].join(''),
      )
    })
    after(async () => {
      await gate.close()
      await stopServer(server)
    })

    const get = (path: string, lines: readonly string[] = [], method = 'GET') =>
      gate.ask(path, { method, lines, token: gate.token() })
    /** All bytes until the connection ends. */
    function talk(text: string): Promise<string> {
      const socket = connect(gate.port, '127.0.0.1')
      let all = ''
      socket.on('error', () => undefined)
      socket.on('data', (chunk) => {
        all += chunk.toString('latin1')
      })
      socket.write(text, 'latin1')
      return new Promise((resolve) => socket.once('close', () => resolve(all)))
    }

    it('1xx pass as they came', async () => {
      const early =
        /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/style\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 [\s\S]*late/i
      assert.match((await get('/up/early')).text, early)
    })

    it('trailers pass', async () => {
      const lines = ['TE: trailers', 'Connection: close']
      const text = await talk(requestText('/up/trailers', { token: gate.token(), lines }))
      assert.match(text, /Trailer: X-Sum/i)
      assert.match(text, /0\r\nX-Sum: abc\r\n\r\n$/)
    })

    it('one connection serves many requests, with 204, 206, 304 and our own answers between others', async () => {
      const token = gate.token()
      const [range, close] = [['Range: bytes=1-3'], ['Connection: close']]
      const paths = ['/up/304', '/up/204', '/up/a', '/up/range', '/nowhere', '/up/a']
      const texts = paths.map((path) => requestText(path, { token, lines: range }))
      const head = requestText('/up/range', { method: 'HEAD', token, lines: range })
      const all = await talk(texts.join('') + head + requestText('/up/last', { token, lines: close }))
      const answers = all.split(/(?=HTTP\/1\.1 \d{3} )/)
      const [unchanged = '', empty = '', first = '', part = '', , , whole = ''] = answers
      assert.deepEqual(
        answers.map((text) => text.slice(9, 12)),
        ['304', '204', '200', '206', '404', '200', '206', '200'],
      )
      assert.match(unchanged, /\r\nETag: "x"\r\n[\s\S]*\r\n\r\n$/)
      assert.doesNotMatch(empty, /Content-Length|Transfer-Encoding/i)
      assert.match(first, /answered/)
      const fields = /\r\nContent-Range: bytes 1-3\/10\r\nETag: "x"\r\nX-Range: bytes=1-3\r\nContent-Length: 3\r\n/
      assert.match(part, fields)
      assert.match(part, /\r\n\r\n123$/)
      assert.match(whole, fields)
      assert.match(whole, /\r\n\r\n$/)
    })

    it('an upstream that dies or stalls in mid-body breaks the client’s connection', async () => {
      for (const path of ['/up/dies', '/up/dies-chunked']) {
        const text = await talk(requestText(path, { token: gate.token() }))
        assert.match(text, /^HTTP\/1\.1 200 [\s\S]*half/)
        assert.ok(!text.endsWith('0\r\n\r\n'), text)
      }
      const stalled = await talk(requestText('/quick/stalls', { token: gate.token() }))
      assert.match(stalled, /^HTTP\/1\.1 200 [\s\S]*\r\n\r\nx$/)
    })

    it('an upstream that gives no answer in the time that the file says: 504', async () => {
      const answer = await get('/quick/slow')
      assert.deepEqual([answer.status, JSON.parse(answer.body).reason], [504, 'upstream_timeout'])
    })

    it('of a list of upstreams the dead one is left out', async () => {
      for (let i = 0; i < 8; i += 1) assert.equal((await get(`/list/${i}`)).status, 200)
    })

    it('a request with a body is not sent twice', async () => {
      const answer = await gate.ask('/up/once/resets', { method: 'POST', body: 'x', token: gate.token() })
      assert.deepEqual([answer.status, JSON.parse(answer.body).reason], [502, 'upstream_reset'])
      assert.equal(asked.get('/up/once/resets'), 1)
    })

    it('an upstream that answers in mid-upload and closes is heard', async () => {
      const body = Buffer.alloc(20_000_000)
      const lines = [`Content-Length: ${body.length}`]
      const head = requestText('/up/refuses-early', { method: 'PUT', token: gate.token(), lines })
      for (let i = 0; i < 3; i += 1) {
        const answer = await gate.send(Buffer.concat([Buffer.from(head), body]))
        assert.deepEqual([answer.status, answer.body], [403, 'early!'], answer.text)
      }
    })

    it('a hostile connection costs nobody else', async () => {
      const socket = connect(gate.port, '127.0.0.1')
      socket.on('error', () => undefined)
      socket.write(`GET /up/a HTTP/1.1\r\nHost: ${GATE}\r\nX: `)
      await until(async () => /audgate_connections_open [1-9]/.test(await gate.metrics()), 'its connection')
      const answers = await Promise.all(Array.from({ length: 20 }, () => get('/up/a')))
      assert.ok(answers.every(({ status }) => status === 200))
      socket.destroy()
    })
  })
}
