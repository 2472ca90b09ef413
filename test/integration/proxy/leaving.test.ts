import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { createUpstreamGroup } from '../../../src/proxy/upstreams.ts'
import {
  clock,
  httpUpstream,
  type Listening,
  type Overrides,
  openings,
  type ProxyUnderTest,
  proxyBefore,
  proxyTo,
  rawUpstream,
  until,
  upstreamAt,
} from './proxy-rig.ts'

const GET = 'GET / HTTP/1.1\r\nHost: gate\r\n\r\n'
const UPLOAD = 'PUT / HTTP/1.1\r\nHost: gate\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'
/** However long it takes until all are under way, the first must not have ended by then. */
const UNHURRIED = { connectMs: 60_000, responseHeadersMs: 60_000, idleMs: 60_000 }
const PIECE = Buffer.alloc(65_536, 'x')

const opened = openings()

const before = (upstream: Promise<Listening>, overrides?: Overrides): ReturnType<typeof proxyBefore> =>
  proxyBefore(opened, upstream, overrides)

/** Sends a good part of a body, and then nothing for long. */
function stalling(): Promise<Listening> {
  return httpUpstream((_request, response) => {
    response.writeHead(200, { 'Content-Length': 2 ** 30 }).write(Buffer.alloc(500_000))
  })
}

/** Sends a body without end, as fast as it is taken. */
function endless(): Promise<Listening> {
  return httpUpstream((_request, response) => {
    const send = (): void => {
      while (!response.destroyed && response.write(PIECE));
    }
    response.on('drain', send)
    send()
  })
}

function clientOf(proxy: ProxyUnderTest, request: string): Socket {
  const client = connect(proxy.port, '127.0.0.1', () => client.write(request))
  client.on('error', () => {})
  return client
}

function assertNothingHeld(proxy: ProxyUnderTest): void {
  const [member] = proxy.group.members
  assert.equal(member?.active, 0)
  assert.equal(member?.connections, 0)
}

describe('a client that leaves', () => {
  for (const [what, request, leave] of [
    ['in the middle of a download', GET, (client: Socket) => client.destroy()],
    ['in the middle of a download, with a reset', GET, (client: Socket) => client.resetAndDestroy()],
    ['in the middle of an upload', UPLOAD, (client: Socket) => client.destroy()],
    ['in the middle of an upload, with a reset', UPLOAD, (client: Socket) => client.resetAndDestroy()],
  ] as const) {
    it(`${what} leaves no upstream connection: 500 of them at once`, async () => {
      const upstream = request === GET ? stalling() : httpUpstream((each) => each.resume())
      const proxy = await before(upstream, { timeouts: UNHURRIED })
      const clients = Array.from({ length: 500 }, () => clientOf(proxy, request))
      if (request === GET) for (const client of clients) client.once('data', () => client.pause())
      await until(() => proxy.upstream.sockets.size === 500, 'all are under way', 20_000)
      for (const client of clients) leave(client)
      await until(() => proxy.upstream.sockets.size === 0, 'none is', 20_000)
      await until(() => proxy.outcomes.length === 500, 'every outcome is known')
      assert.ok(proxy.outcomes.every(({ kind }) => kind === 'client_closed'))
      assertNothingHeld(proxy)
    })
  }

  it('before the answer began leaves none either', async () => {
    const proxy = await before(httpUpstream(() => {}))
    const client = clientOf(proxy, GET)
    await until(() => proxy.upstream.sockets.size === 1, 'it is under way')
    client.destroy()
    await until(() => proxy.upstream.sockets.size === 0, 'it is not')
    assert.deepEqual(
      proxy.outcomes.map(({ kind }) => kind),
      ['client_closed'],
    )
  })

  it('before its request was sent on costs the upstream nothing', async () => {
    const proxy = await before(
      httpUpstream(() => {}),
      { before: (request) => request.socket.destroy() },
    )
    clientOf(proxy, GET)
    await until(() => proxy.outcomes.length === 1, 'the outcome')
    assert.equal(proxy.outcomes[0]?.kind, 'client_closed')
    assert.equal(proxy.upstream.accepted, 0)
  })
})

describe('a client that stays but takes nothing', () => {
  it('holds a bounded part of a download, and is left after the idle limit', async () => {
    const proxy = await before(endless(), { timeouts: { connectMs: 1_000, responseHeadersMs: 1_000, idleMs: 300 } })
    const client = clientOf(proxy, GET)
    client.once('data', () => client.pause())
    await until(() => proxy.outcomes.length === 1, 'the outcome')
    const [outcome] = proxy.outcomes
    assert.equal(outcome?.kind, 'client_closed')
    assert.ok((outcome?.bytesOut ?? 0) < 32 * 2 ** 20, `${outcome?.bytesOut} bytes`)
    await until(() => proxy.upstream.sockets.size === 0, 'the upstream connection is closed')
    client.destroy()
  })
})

describe('the server itself', () => {
  it('may end a request at any time: both sides close, once', async () => {
    const proxy = await before(endless())
    const client = clientOf(proxy, GET)
    await new Promise((resolve) => client.once('data', resolve))
    client.resume()
    proxy.aborts[0]?.()
    proxy.aborts[0]?.()
    await until(() => proxy.upstream.sockets.size === 0 && client.destroyed, 'both are closed')
    assert.deepEqual(
      proxy.outcomes.map(({ kind }) => kind),
      ['client_closed'],
    )
  })
})

describe('time limits', () => {
  const timeouts = { connectMs: 200, responseHeadersMs: 300, idleMs: 300 }

  function detailOf(proxy: ProxyUnderTest): string {
    const [outcome] = proxy.outcomes
    return outcome?.kind === 'failed' ? `${outcome.fault} ${outcome.detail}` : `${outcome?.kind}`
  }

  it('504 when an upstream does not answer', async () => {
    const proxy = await before(
      rawUpstream(() => {}),
      { timeouts },
    )
    assert.match(await proxy.exchange(GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')), /^HTTP\/1\.1 504 /)
    assert.match(detailOf(proxy), /^timeout headers/)
    assertNothingHeld(proxy)
  })

  it('504 when its header drips in, and when it keeps saying 1xx', async () => {
    for (const drip of ['x', 'HTTP/1.1 102 Processing\r\n\r\n']) {
      const upstream = rawUpstream((socket) => {
        if (drip === 'x') socket.write('HTTP/1.1 200 OK\r\nA: ')
        const timer = setInterval(() => socket.write(drip), 80)
        socket.on('close', () => clearInterval(timer))
      })
      const proxy = await before(upstream, { timeouts })
      const closing = GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')
      assert.match(await proxy.exchange(closing), /HTTP\/1\.1 504 /)
    }
  })

  it('504 when there is no connection in time: TLS that nobody speaks', async () => {
    const silent = await rawUpstream(() => {})
    const group = createUpstreamGroup([upstreamAt(silent.port, 'https:')], clock)
    const proxy = await proxyTo(group, { timeouts })
    opened.push(silent, proxy)
    assert.match(await proxy.exchange(GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')), /^HTTP\/1\.1 504 /)
    assert.match(detailOf(proxy), /^timeout connect/)
    await until(() => silent.sockets.size === 0, 'the connection is given up')
  })

  it('a long upload is no slow upstream: its answer is waited for from its end on', async () => {
    const upstream = httpUpstream((request, response) => {
      request.resume()
      request.on('end', () => response.end('done'))
    })
    const proxy = await before(upstream, { timeouts })
    const client = clientOf(proxy, 'PUT / HTTP/1.1\r\nHost: gate\r\nConnection: close\r\nContent-Length: 8\r\n\r\n')
    let text = ''
    client.on('data', (data) => {
      text += data.toString()
    })
    let sent = 0
    const timer = setInterval(() => {
      client.write('x')
      sent += 1
      if (sent === 8) clearInterval(timer)
    }, 100)
    await until(() => text.endsWith('done'), 'the answer')
    assert.ok(proxy.outcomes[0]?.kind === 'completed' && proxy.outcomes[0].firstByteMs > 600)
  })

  it('a body that stops in the middle breaks the client’s connection', async () => {
    const upstream = rawUpstream((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello')
    })
    const proxy = await before(upstream, { timeouts })
    assert.match(await proxy.exchange(GET), /hello(\|RESET)?$/)
    assert.match(detailOf(proxy), /^timeout idle/)
  })

  it('a body that flows slowly goes on as long as it flows', async () => {
    const upstream = rawUpstream((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n')
      const timer = setInterval(() => socket.write('x'), 100)
      socket.on('close', () => clearInterval(timer))
    })
    const proxy = await before(upstream, { timeouts })
    assert.match(await proxy.exchange(GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')), /x{8}$/)
  })

  it('a client that stops in the middle of an upload is left', async () => {
    const proxy = await before(
      httpUpstream((request) => request.resume()),
      { timeouts },
    )
    const client = clientOf(proxy, UPLOAD)
    await until(() => proxy.outcomes.length === 1 && client.destroyed, 'it is left')
    assert.equal(detailOf(proxy), 'client_closed')
    await until(() => proxy.upstream.sockets.size === 0, 'the upstream connection is closed')
  })
})
