import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { connect, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { type Gate, mounts, routeOf } from '../../support/gate.ts'
import { until } from '../../support/gateway-under-test.ts'
import { freePorts } from '../../support/programs/free-ports.ts'
import { listenOnLoopback, stopServer } from '../../support/upstreams.ts'

interface Conversation {
  readonly socket: Socket
  text(): string
  closed(): boolean
}

for (const { mount, open } of mounts) {
  describe(`upgrades, ${mount}`, () => {
    let upstream: Server
    let gate: Gate
    const heads: string[][] = []
    const sockets = new Set<Socket>()

    before(async () => {
      upstream = createServer((request, response) => {
        const chunks: Buffer[] = []
        request.on('data', (chunk: Buffer) => chunks.push(chunk))
        request.on('end', () => response.end(`no upgrade (${Buffer.concat(chunks)})`))
      })
      upstream.on('connection', (socket) => {
        sockets.add(socket)
        socket.once('close', () => sockets.delete(socket))
      })
      upstream.on('upgrade', (request, socket) => {
        heads.push(request.rawHeaders)
        socket.on('error', () => undefined)
        if (request.url === '/photos/refused') {
          socket.end('HTTP/1.1 426 Upgrade Required\r\nX-Own: 1\r\nContent-Length: 2\r\n\r\nno')
          return
        }
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: abc\r\n\r\n',
        )
        socket.on('data', (chunk: Buffer) => socket.write(`echo ${chunk}`))
        socket.on('end', () => socket.end())
      })
      const port = await listenOnLoopback(upstream)
      const [dead] = await freePorts(1)
      gate = await open(`${routeOf('photos', `http://127.0.0.1:${port}`, '    public: [/open/**]')}
  - { id: other, path: /other, public: true, upgrades: [x-notes], upstream: "http://127.0.0.1:${port}" }
  - { id: dead, path: /dead, public: true, upstream: "http://127.0.0.1:${dead}" }`)
    })
    after(async () => {
      await gate.close()
      await stopServer(upstream)
    })

    function tell(): Conversation {
      const socket = connect(gate.port, '127.0.0.1')
      const state = { text: '', closed: false }
      socket.on('error', () => undefined)
      socket.on('data', (chunk) => {
        state.text += chunk.toString('latin1')
      })
      socket.once('close', () => {
        state.closed = true
      })
      return { socket, text: () => state.text, closed: () => state.closed }
    }

    function ask(path: string, fields = '', extra = '', protocol = 'websocket'): Conversation {
      const talk = tell()
      talk.socket.write(
        `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: ${protocol}\r\nSec-WebSocket-Key: k\r\n${fields}\r\n${extra}`,
      )
      return talk
    }

    it('a WebSocket is tunnelled after the same decision, with the same headers', async () => {
      const talk = ask('/photos/live', `Authorization: Bearer ${gate.token()}\r\nX-Auth-Username: mallory\r\n`)
      await until(() => talk.text().includes('\r\n\r\n'), 'the 101')
      assert.match(talk.text(), /^HTTP\/1\.1 101 /)
      assert.match(talk.text(), /Upgrade: websocket/)
      assert.match(talk.text(), /Sec-WebSocket-Accept: abc/)
      talk.socket.write('hello')
      await until(() => talk.text().endsWith('echo hello'), 'the echo')
      const head = heads.at(-1) ?? []
      assert.ok(head.includes('alice') && !head.includes('mallory') && !head.includes('Authorization'))
      assert.equal(head[head.indexOf('Upgrade') + 1], 'websocket')
      assert.match(await gate.metrics(), /audgate_tunnels_open 1/)
      talk.socket.destroy()
      await until(() => sockets.size === 0, 'the upstream’s side ends with the client’s')
      await until(() => gate.log().some(({ status }) => status === 101), 'the log line')
    })

    it('bytes that come along with the request reach the upstream once', async () => {
      const talk = ask('/photos/open/x', '', 'early')
      await until(() => talk.text().endsWith('echo early'), 'the echo')
      talk.socket.destroy()
    })

    it('a refused upgrade is answered like any request, and the connection closes', async () => {
      const count = heads.length
      const talk = ask('/photos/live')
      await until(talk.closed, 'the end')
      assert.match(talk.text(), /^HTTP\/1\.1 401 Unauthorized\r\n/)
      assert.match(talk.text(), /WWW-Authenticate: Bearer /)
      assert.match(talk.text(), /"reason":"no_token"/)
      assert.equal(heads.length, count)
    })

    it('an upstream that refuses the upgrade is heard by the client', async () => {
      const talk = ask('/photos/refused', `Authorization: Bearer ${gate.token()}\r\n`)
      await until(talk.closed, 'the end')
      assert.match(talk.text(), /^HTTP\/1\.1 426 /)
      assert.match(talk.text(), /X-Own: 1/)
    })

    it('an upstream that is not there: 502', async () => {
      const talk = ask('/dead/x')
      await until(talk.closed, 'the end')
      assert.match(talk.text(), /^HTTP\/1\.1 502 /)
      assert.match(talk.text(), /upstream_refused/)
    })

    it('an upgrade with a body is no tunnel: the body would go in unjudged', async () => {
      const count = heads.length
      const talk = ask('/photos/open/x', 'Content-Length: 4\r\n', 'GET ')
      await until(() => talk.text().includes('no upgrade'), 'an ordinary answer')
      assert.equal(heads.length, count)
      talk.socket.destroy()
    })

    const POST = 'POST /other/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n'
    const CHUNKED = 'Transfer-Encoding: chunked\r\n\r\n'

    async function post(...pieces: readonly string[]): Promise<Conversation> {
      const talk = tell()
      for (const piece of pieces) await new Promise((written) => talk.socket.write(piece, written))
      return talk
    }

    for (const protocol of ['websocket', 'h2c'])
      it(`a body that comes with an offer of ${protocol} is read as strictly as any`, async () => {
        const head = `${POST}Upgrade: ${protocol}\r\n${CHUNKED}`
        for (const pieces of [[`${head}ZZ\r\nabc\r\n`], [head, 'ZZ\r\nabc\r\n'], [`${head}3\r\nabc\r\n`, 'ZZ\r\n']]) {
          const talk = await post(...pieces)
          await until(talk.closed, 'the end')
          assert.match(talk.text(), /^HTTP\/1\.1 400 [\s\S]*"reason":"malformed_request"/)
        }
      })

    it('what comes behind a body with an offer is the next request, and answered', async () => {
      const offers = [
        `${POST}Upgrade: h2c\r\n${CHUNKED}3\r\nabc\r\n0\r\n\r\n`,
        `${POST}upgrade: websocket\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\ndef`,
      ]
      const talk = await post(offers[0] ?? '')
      await until(() => talk.text().includes('(abc)'), 'the first answer')
      talk.socket.write(`${offers[1]}GET /other/y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
      await until(talk.closed, 'the end')
      const bodies = [...talk.text().matchAll(/no upgrade \((\w*)\)/g)].map(([, body]) => body)
      assert.deepEqual(bodies, ['abc', 'def', ''])
    })

    it('what only looks like an offer leaves the body as strictly read, and the connection open', async () => {
      for (const fields of [
        'Connection: Upgrade\r\nUpgrade:',
        'Connection: no-upgrade\r\nUpgrade: h2c',
        'Upgrade: h2c',
      ]) {
        const head = `POST /other/x HTTP/1.1\r\nHost: a\r\n${fields}\r\n`
        const talk = await post(`${head}Content-Length: 3\r\n\r\nabc`)
        await until(() => talk.text().includes('no upgrade (abc)'), 'an ordinary answer')
        talk.socket.write(`${head}${CHUNKED}ZZ\r\nabc\r\n`)
        await until(talk.closed, 'the end')
        assert.match(talk.text(), /HTTP\/1\.1 400 [\s\S]*"reason":"malformed_request"/, fields)
      }
    })

    it('fields are counted with the offers, though the body is read without them', async () => {
      const talk = await post(`${POST}${'Upgrade: h2c\r\n'.repeat(98)}Content-Length: 3\r\n\r\nabc`)
      await until(talk.closed, 'the end')
      assert.match(talk.text(), /^HTTP\/1\.1 431 /)
    })

    it('a body with an offer that waits for 100 Continue is asked for', async () => {
      const talk = await post(`${POST}Upgrade: h2c\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n`)
      await until(() => talk.text().startsWith('HTTP/1.1 100 Continue\r\n\r\n'), 'the 100')
      talk.socket.write('abc')
      await until(() => talk.text().includes('no upgrade (abc)'), 'the answer')
      talk.socket.destroy()
    })

    it('a reserved path is no tunnel, and answered as if nothing had been asked', async () => {
      const talk = ask('/oauth/token')
      await until(talk.closed, 'the end')
      assert.match(talk.text(), /^HTTP\/1\.1 404 /)
    })

    it('a protocol that the route doesn’t name is not spoken: the request is a plain one', async () => {
      const count = heads.length
      for (const protocol of [
        'h2c',
        'h2c-14',
        'SPDY/3.1',
        'ICAP/1.0',
        'TLS/1.2',
        'irc',
        'websocket, irc',
        'websocket/13',
      ]) {
        const talk = ask('/photos/open/x', '', '', protocol)
        await until(talk.closed, 'the end')
        assert.match(talk.text(), /^HTTP\/1\.1 200 [\s\S]*no upgrade/, protocol)
      }
      assert.equal(heads.length, count)
      const own = ask('/other/x', '', '', 'X-Notes')
      await until(() => own.text().includes(' 101 ') || own.text().includes(' 502 '), 'it was let through')
      assert.equal(heads.length, count + 1)
      own.socket.destroy()
    })

    it('clients that leave during the upgrade leave nothing open', async () => {
      // Those that wait for another request are no matter here.
      upstream.closeIdleConnections()
      const talks = Array.from({ length: 30 }, () => ask('/photos/open/x'))
      for (const talk of talks) talk.socket.destroy()
      await until(() => sockets.size === 0, 'no upstream connection')
      await until(async () => /audgate_tunnels_open 0\n/.test(await gate.metrics()), 'no tunnel')
      assert.match(await gate.metrics(), /audgate_requests_in_flight 0/)
    })
  })
}
