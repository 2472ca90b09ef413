import assert from 'node:assert/strict'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { after, before, beforeEach, describe, it } from 'node:test'
import { photosRoute, startGateway, type TestGateway, until, yamlOf } from '../../support/gateway-under-test.ts'
import { listenOnLoopback, stopServer } from '../../support/upstreams.ts'

interface Talk {
  readonly socket: Socket
  text(): string
  closed(): boolean
}

describe('requests that are sent ahead of an earlier answer', () => {
  let upstream: Server
  let gateway: TestGateway
  let routes = ''
  let clockMs = 0
  const held: ServerResponse[] = []
  const seen: string[] = []
  const sockets = new Set<Socket>()

  before(async () => {
    upstream = createServer((request, response) => {
      seen.push(request.url ?? '')
      if (request.url?.startsWith('/photos/held') === true) held.push(response)
      else response.end(`[${request.url}]`)
    })
    upstream.on('connection', (socket) => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    })
    upstream.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n'))
    const port = await listenOnLoopback(upstream)
    routes = photosRoute(`http://127.0.0.1:${port}`, '    public: [/held/**, /open/**]')
    gateway = await startGateway({ yaml: yamlOf(routes), now: () => Date.now() + clockMs })
  })
  beforeEach(() => {
    held.length = 0
    seen.length = 0
  })
  after(async () => {
    await gateway.close()
    await stopServer(upstream)
  })

  function talkOf(bytes: string): Talk {
    const socket = connect(gateway.port, '127.0.0.1')
    const state = { text: '', closed: false }
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      state.text += chunk.toString('latin1')
    })
    socket.once('close', () => {
      state.closed = true
    })
    socket.write(bytes)
    return { socket, text: () => state.text, closed: () => state.closed }
  }

  const get = (path: string, fields = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`
  const bearer = () => `Authorization: Bearer ${gateway.token({ now: Math.floor((Date.now() + clockMs) / 1_000) })}\r\n`
  const statuses = ({ text }: Talk) => [...text().matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status)

  /** In one segment they go to the full parser, in two the fast path keeps the second. */
  const WAYS: Readonly<Record<string, (bytes: string) => Promise<Talk>>> = {
    'by the full parser': async (bytes) => {
      const talk = talkOf(get('/photos/held/1') + bytes)
      await until(() => held.length === 1, 'the first is under way')
      return talk
    },
    'by the fast path': async (bytes) => {
      const talk = talkOf(get('/photos/held/1'))
      await until(() => held.length === 1, 'the first is under way')
      talk.socket.write(bytes)
      // A round trip through the same event loop: the bytes have been read by then.
      await fetch(`${gateway.url}/photos/open/x`)
      return talk
    },
  }

  for (const [way, begin] of Object.entries(WAYS)) {
    it(`and wait, ${way}, are refused when their token expires meanwhile`, async () => {
      const talk = await begin(get('/photos/a', bearer()))
      clockMs += 3_600_000
      held[0]?.end('first')
      await until(() => statuses(talk).length === 2, 'two answers')
      assert.deepEqual(statuses(talk), ['200', '401'])
      assert.match(talk.text(), /"reason":"expired"/)
      assert.ok(!seen.includes('/photos/a'))
      talk.socket.destroy()
    })

    it(`and wait, ${way}, are judged by the file that is in force at their turn`, async () => {
      const talk = await begin(get('/photos/a', bearer()))
      await gateway.server.reload(gateway.decode(yamlOf(routes.replace('{ methods: [read]', '{ methods: [MKCOL]'))))
      held[0]?.end('first')
      await until(() => statuses(talk).length === 2, 'two answers')
      assert.deepEqual(statuses(talk), ['200', '405'])
      await gateway.server.reload(gateway.decode(yamlOf(routes)))
      talk.socket.destroy()
    })

    it(`and wait, ${way}, are forgotten with the client that leaves, and what was under way ends`, async () => {
      const talk = await begin(get('/photos/open/2').repeat(20))
      talk.socket.destroy()
      await until(() => held[0]?.destroyed === true, 'the upstream hears of it')
      assert.ok(!seen.includes('/photos/open/2'))
      const metrics = async () => (await fetch(`${gateway.managementUrl}/metrics`)).text()
      await until(async () => /audgate_requests_in_flight 0\n/.test(await metrics()), 'nothing in flight')
    })

    it(`are cut off, ${way}, when they are more than may wait`, async () => {
      const talk = await begin('')
      const many = get('/photos/open/2').repeat(1_000)
      const send = (): void => {
        while (talk.socket.writable && talk.socket.write(many));
      }
      talk.socket.on('drain', send)
      send()
      await until(() => talk.closed(), 'the end')
      await until(() => held[0]?.destroyed === true, 'the upstream hears of it')
      assert.ok(!seen.includes('/photos/open/2'))
    })

    it(`are answered in order, ${way}, one at a time`, async () => {
      const paths = Array.from({ length: 200 }, (_, i) => `/photos/open/${i}`)
      const talk = await begin(
        paths.map((path) => get(path)).join('') + get('/photos/open/last', 'Connection: close\r\n'),
      )
      assert.ok(!seen.includes('/photos/open/0'))
      held[0]?.end('first')
      await until(() => talk.closed(), 'the end')
      assert.deepEqual(
        [...talk.text().matchAll(/\[(.*?)\]/g)].map(([, path]) => path),
        [...paths, '/photos/open/last'],
      )
    })

    it(`and ask for a tunnel, ${way}, are answered in their turn, and the connection closes`, async () => {
      const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
      const talk = await begin(get('/photos/a', upgrade) + get('/photos/open/3'))
      held[0]?.end('first')
      await until(() => talk.closed(), 'the end')
      assert.deepEqual(statuses(talk), ['200', '401'])
      assert.match(talk.text(), /first[\s\S]*HTTP\/1\.1 401 [\s\S]*Connection: close/)
      assert.ok(!seen.includes('/photos/open/3'))
    })
  }

  const offer = (length: number, body: string) =>
    `GET /photos/open/5 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n${length === 0 ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`}\r\n\r\n${body}`

  for (const [way, begin] of Object.entries(WAYS)) {
    it(`and have a body and an offer, ${way}, are read as strictly as any, and so is what comes behind`, async () => {
      const talk = await begin(offer(0, '3\r\nabc\r\n0\r\n\r\n') + get('/photos/open/6') + offer(0, 'ZZ\r\nabc\r\n'))
      held[0]?.end('first')
      await until(() => talk.closed(), 'the end')
      assert.deepEqual(statuses(talk), ['200', '200', '200', '400'])
    })

    it(`and have a body and an offer, ${way}, go with a client that leaves or sends more than may wait`, async () => {
      const leaves = await begin(offer(1_000_000, 'abc'))
      leaves.socket.end()
      await until(() => held[0]?.destroyed === true, 'the upstream hears of it')
      held.length = 0
      const talk = await begin(offer(1_000_000, 'x'.repeat(300_000)))
      await until(() => talk.closed(), 'the end', 10_000)
      await until(() => held[0]?.destroyed === true, 'the upstream hears of it')
    })
  }

  it('with a body that stands still behind an earlier answer end with it, all the same', async () => {
    const body = 'x'.repeat(20_000)
    const talk = talkOf(
      `${get('/photos/held/1')}POST /photos/a HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n${body}`,
    )
    await until(() => held.length === 1, 'the first is under way')
    held[0]?.end('first')
    await until(() => statuses(talk).length === 2, 'two answers')
    assert.deepEqual(statuses(talk), ['200', '401'])
    talk.socket.destroy()
  })
})
