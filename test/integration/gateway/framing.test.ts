import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { type Gate, mounts } from '../../support/gate.ts'
import { until } from '../../support/gateway-under-test.ts'
import { listenOnLoopback, startUpstream, stopServer, type TestUpstream } from '../../support/upstreams.ts'

const HOST = 'Host: gate.example.com\r\n'
const CHUNKED_END = '0\r\n\r\n'

/** What two readers could frame or read differently; none of it may reach an upstream. */
const REFUSED: Readonly<Record<string, string>> = {
  'no Host': 'GET /open HTTP/1.1\r\n\r\n',
  'no Host in HTTP/1.0': 'GET /open HTTP/1.0\r\n\r\n',
  'two Host fields': `GET /open HTTP/1.1\r\n${HOST}Host: else.example.com\r\n\r\n`,
  'two equal Host fields': `GET /open HTTP/1.1\r\n${HOST}${HOST}\r\n`,
  'a Host with userinfo': 'GET /open HTTP/1.1\r\nHost: a@gate.example.com\r\n\r\n',
  'a Host list': 'GET /open HTTP/1.1\r\nHost: a, b\r\n\r\n',
  'a Host list without spaces': 'GET /open HTTP/1.1\r\nHost: a,b\r\n\r\n',
  'a Host with a space': 'GET /open HTTP/1.1\r\nHost: a b\r\n\r\n',
  'a Host with a path': 'GET /open HTTP/1.1\r\nHost: a/b\r\n\r\n',
  'an empty Host': 'GET /open HTTP/1.1\r\nHost:\r\n\r\n',
  'HTTP/2.0': `GET /open HTTP/2.0\r\n${HOST}\r\n`,
  'HTTP/0.9': 'GET /open\r\n\r\n',
  'the HTTP/2 preface': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'absolute-form of another authority': `GET http://else.example.com/open HTTP/1.1\r\n${HOST}\r\n`,
  'absolute-form with a port that Host lacks': `GET http://gate.example.com:80/open HTTP/1.1\r\n${HOST}\r\n`,
  'absolute-form with a user': `GET http://a@gate.example.com/open HTTP/1.1\r\n${HOST}\r\n`,
  'absolute-form of another scheme': `GET ftp://gate.example.com/open HTTP/1.1\r\n${HOST}\r\n`,
  'authority-form': `GET gate.example.com:80 HTTP/1.1\r\n${HOST}\r\n`,
  CONNECT: `CONNECT gate.example.com:80 HTTP/1.1\r\n${HOST}\r\n`,
  'asterisk-form of another method': `GET * HTTP/1.1\r\n${HOST}\r\n`,
  'a fragment': `GET /open#x HTTP/1.1\r\n${HOST}\r\n`,
  'a control byte in the target': `GET /open/a\x01b HTTP/1.1\r\n${HOST}\r\n`,
  'a byte beyond ASCII in the target': `GET /open/\xe9 HTTP/1.1\r\n${HOST}\r\n`,
  'a target without its slash': `GET open HTTP/1.1\r\n${HOST}\r\n`,
  'no target': `GET  HTTP/1.1\r\n${HOST}\r\n`,
  'a space in the target': `GET /open x HTTP/1.1\r\n${HOST}\r\n`,
  'an unknown method': `FOO /open HTTP/1.1\r\n${HOST}\r\n`,
  'a method in lower case': `get /open HTTP/1.1\r\n${HOST}\r\n`,
  'Content-Length and Transfer-Encoding': `POST /open HTTP/1.1\r\n${HOST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKED_END}`,
  'Transfer-Encoding and Content-Length': `POST /open HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n${CHUNKED_END}`,
  'Transfer-Encoding: chunked, identity': `POST /open HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked, identity\r\n\r\n${CHUNKED_END}`,
  'Transfer-Encoding: gzip, chunked': `POST /open HTTP/1.1\r\n${HOST}Transfer-Encoding: gzip, chunked\r\n\r\n${CHUNKED_END}`,
  'Transfer-Encoding: identity': `POST /open HTTP/1.1\r\n${HOST}Transfer-Encoding: identity\r\n\r\n`,
  'Transfer-Encoding: xchunked': `POST /open HTTP/1.1\r\n${HOST}Transfer-Encoding: xchunked\r\n\r\n${CHUNKED_END}`,
  'Transfer-Encoding twice': `POST /open HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKED_END}`,
  'Transfer-Encoding in HTTP/1.0': `POST /open HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${CHUNKED_END}`,
  'a space before the colon': `POST /open HTTP/1.1\r\n${HOST}Transfer-Encoding : chunked\r\n\r\n${CHUNKED_END}`,
  'two Content-Lengths': `POST /open HTTP/1.1\r\n${HOST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
  'a Content-Length list': `POST /open HTTP/1.1\r\n${HOST}Content-Length: 1, 1\r\n\r\na`,
  'Content-Length: +1': `POST /open HTTP/1.1\r\n${HOST}Content-Length: +1\r\n\r\na`,
  'a Content-Length with a leading zero': `POST /open HTTP/1.1\r\n${HOST}Content-Length: 0062\r\n\r\nGET /open HTTP/1.1\r\nHost: x\r\nX-Auth-Username: root\r\n\r\nabcdefg`,
  'a Content-Length of 00': `POST /open HTTP/1.1\r\n${HOST}Content-Length: 00\r\n\r\n`,
  'a Content-Length that no number holds exactly': `POST /open HTTP/1.1\r\n${HOST}Content-Length: 9007199254740993\r\n\r\na`,
  'a Content-Length with a leading zero on GET': `GET /open HTTP/1.1\r\n${HOST}Content-Length: 01\r\n\r\na`,
  'an upgrade with an odd Content-Length': `GET /open HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 00\r\n\r\n`,
  'two equal Content-Lengths': `POST /open HTTP/1.1\r\n${HOST}Content-Length: 1\r\nContent-Length: 1\r\n\r\na`,
  'a huge Content-Length': `POST /open HTTP/1.1\r\n${HOST}Content-Length: 99999999999999999999\r\n\r\na`,
  'bare LF after the request line': 'GET /open HTTP/1.1\nHost: gate.example.com\n\n',
  'bare LF in the headers': 'GET /open HTTP/1.1\r\nHost: gate.example.com\nX-A: b\r\n\r\n',
  'bare CR in the headers': `GET /open HTTP/1.1\r\n${HOST}X-A: b\rX-C: d\r\n\r\n`,
  'a folded line': `GET /open HTTP/1.1\r\n${HOST}X-A: b\r\n c\r\n\r\n`,
  'white space before the first field': `GET /open HTTP/1.1\r\n ${HOST}\r\n`,
  'NUL in a name': `GET /open HTTP/1.1\r\n${HOST}X\0: b\r\n\r\n`,
  'NUL in a value': `GET /open HTTP/1.1\r\n${HOST}X-A: b\0c\r\n\r\n`,
  'a field without colon': `GET /open HTTP/1.1\r\n${HOST}abc\r\n\r\n`,
  'an empty field name': `GET /open HTTP/1.1\r\n${HOST}: abc\r\n\r\n`,
  'a TLS hello': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n',
}

for (const { mount, open } of mounts) {
  describe(`what is no request is refused before anything is sent upstream, ${mount}`, () => {
    let upstream: TestUpstream
    let held: Server
    let gate: Gate

    before(async () => {
      upstream = await startUpstream()
      held = createServer((_request, response) => {
        response.writeHead(200, { 'Content-Length': '10' })
        response.write('12345')
      })
      gate = await open(`
  - { id: open, path: /, public: true, upstream: "${upstream.url}" }
  - { id: held, path: /held, public: true, upstream: "http://127.0.0.1:${await listenOnLoopback(held)}" }`)
    })
    after(async () => {
      await gate.close()
      await upstream.close()
      await stopServer(held)
    })

    for (const [name, bytes] of Object.entries(REFUSED)) {
      it(`${name}: 400 malformed_request, and the connection closes`, async () => {
        const heads = upstream.heads
        const answer = await gate.send(bytes)
        assert.equal(answer.status, 400, answer.text)
        assert.equal(JSON.parse(answer.body).reason, 'malformed_request')
        assert.equal(answer.headers.get('content-type'), 'application/problem+json')
        assert.equal(answer.headers.get('connection'), 'close')
        assert.equal(upstream.heads, heads)
      })
    }

    it('RFC 9112 §3.2.2: absolute-form with the authority of Host is its origin-form', async () => {
      for (const [target, url] of [
        ['http://gate.example.com/open/x?y', '/open/x?y'],
        ['HTTPS://GATE.example.com', '/'],
        ['http://gate.example.com?y', '/?y'],
      ]) {
        const answer = await gate.send(`GET ${target} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`)
        assert.equal(answer.status, 200, target)
        assert.equal(JSON.parse(answer.body).url, url)
      }
      const dots = await gate.send(`GET http://gate.example.com/a/../b HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`)
      assert.equal(dots.status, 400)
    })

    it('RFC 9110 §9.3.7: OPTIONS * is answered by the gateway itself', async () => {
      const heads = upstream.heads
      const answer = await gate.send(`OPTIONS * HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`)
      assert.equal(answer.status, 204)
      assert.ok(answer.headers.get('x-request-id'))
      assert.equal(upstream.heads, heads)
    })

    it('a broken chunk in mid-body ends the request at both ends', async () => {
      const answer = await gate.send(
        `POST /open HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\nabc\r\n`,
      )
      assert.equal(answer.status, 400, answer.text)
      assert.ok(!upstream.seen.some(({ bodyBytes }) => bodyBytes > 0))
    })

    it('bytes after a refused request are no second request', async () => {
      const second = 'GET /open HTTP/1.1\r\nHost: gate.example.com\r\nX-Smuggled: 1\r\n\r\n'
      const bytes = `POST /open HTTP/1.1\r\n${HOST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKED_END}${second}`
      const answer = await gate.send(bytes)
      assert.equal(answer.status, 400)
      assert.ok(!upstream.seen.some(({ rawHeaders }) => rawHeaders.includes('X-Smuggled')))
    })

    it('a body of Content-Length is no second request, whatever it looks like', async () => {
      const body = 'GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n'
      const answer = await gate.send(`POST /open HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n\r\n${body}`)
      assert.equal(answer.status, 200)
      assert.equal(JSON.parse(answer.body).bodyBytes, body.length)
      assert.ok(!upstream.seen.some(({ url }) => url === '/hidden'))
    })

    it('pipelined requests are answered in order, each judged by itself', async () => {
      const socket = connect(gate.port, '127.0.0.1')
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1')
      })
      socket.write(
        `GET /one HTTP/1.1\r\n${HOST}\r\nGET /a/../two HTTP/1.1\r\n${HOST}\r\nGET /three HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`,
      )
      await new Promise((resolve) => socket.once('close', resolve))
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status)
      assert.deepEqual(statuses, ['200', '400', '200'])
      assert.ok(text.indexOf('"url":"/one"') < text.indexOf('"url":"/three"'))
    })

    it('a broken pipelined request says nothing into the answer before it: the connection is cut', async () => {
      const socket = connect(gate.port, '127.0.0.1')
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1')
      })
      const closed = new Promise((resolve) => socket.once('close', resolve))
      socket.write(`GET /held HTTP/1.1\r\n${HOST}\r\nPOST /two HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`)
      await until(() => text.endsWith('12345'), 'half of the first answer')
      socket.write('zz\r\n')
      await closed
      assert.ok(text.endsWith('12345'))
    })

    it('a client that hangs up in the middle of its headers leaves nothing behind', async () => {
      const socket = connect(gate.port, '127.0.0.1')
      socket.write(`GET /open HTTP/1.1\r\n${HOST}`)
      socket.end()
      await new Promise((resolve) => socket.once('close', resolve))
      socket.destroy()
      await until(async () => (await gate.metrics()).includes('audgate_connections_open 0'), 'no open connection')
      assert.match(await gate.metrics(), /audgate_requests_in_flight 0/)
    })
  })
}
