import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { responseOn } from '../../../src/gateway/full-parser.ts'
import type { ForwardInput } from '../../../src/proxy/forward-input.ts'
import type { ForwardOutcome } from '../../../src/proxy/outcome.ts'
import { type Tunnel, tunnel } from '../../../src/proxy/tunnel.ts'
import { createUpstreamGroup, type UpstreamGroup } from '../../../src/proxy/upstreams.ts'
import {
  clock,
  type Listening,
  listening,
  openings,
  permit,
  rawExchange,
  rawUpstream,
  until,
  upstreamAt,
} from './proxy-rig.ts'

const UPGRADE = 'GET /ws HTTP/1.1\r\nHost: gate\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
const SWITCH =
  'HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nConnection: Upgrade\r\nX-A: 1\r\nX-A: 2\r\n\r\n'

const opened = openings()

interface TunnelProxy extends Listening {
  readonly outcomes: ForwardOutcome[]
  readonly tunnels: Tunnel[]
  readonly group: UpstreamGroup
  readonly upstream: Listening
}

async function before(upstream: Promise<Listening>, overrides: Partial<ForwardInput> = {}): Promise<TunnelProxy> {
  const far = await upstream
  const group = createUpstreamGroup([upstreamAt(far.port)], clock)
  const outcomes: ForwardOutcome[] = []
  const tunnels: Tunnel[] = []
  const server = createServer()
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const response = responseOn(request, socket)
    const input: ForwardInput = {
      ...{ method: request.method ?? '', target: request.url ?? '', headers: request.rawHeaders },
      ...{ upstreams: group, member: group.choose(), maxBody: undefined, towards: () => undefined },
      ...{ stands: () => true, onBodyWanted: () => undefined },
      timeouts: { connectMs: 2_000, responseHeadersMs: 2_000, idleMs: 5_000 },
      rewriteHead: (_status, headers) => [...headers],
      transformBody: () => undefined,
      ...overrides,
    }
    tunnels.push(
      tunnel(
        permit(),
        input,
        request,
        response,
        head,
        () => undefined,
        (outcome) => {
          outcomes.push(outcome)
          if (outcome.kind === 'failed' && !outcome.headSent) {
            response.writeHead(outcome.fault === 'timeout' ? 504 : 502, { Connection: 'close' }).end('oops')
          }
        },
      ),
    )
  })
  const near = await listening(server)
  opened.push(far, near)
  return Object.assign(near, { outcomes, tunnels, group, upstream: far })
}

/** Switches protocols and then sends back what it gets. */
function echo(got: string[] = []): Promise<Listening> {
  return rawUpstream((socket, data, nth) => {
    got.push(data.toString('latin1'))
    if (nth === 0) socket.write(SWITCH)
    else socket.write(data)
  })
}

interface Client {
  readonly socket: Socket
  text: string
}

function clientOf(proxy: Listening, request: string): Client {
  const socket = connect(proxy.port, '127.0.0.1', () => socket.write(request))
  const client: Client = { socket, text: '' }
  socket.on('error', () => {})
  socket.on('data', (data) => {
    client.text += data.toString('latin1')
  })
  return client
}

async function openedBy(proxy: TunnelProxy): Promise<Client> {
  const client = clientOf(proxy, UPGRADE)
  await until(() => client.text.endsWith('\r\n\r\n'), 'the tunnel is open')
  return client
}

async function assertAllClosed(proxy: TunnelProxy): Promise<void> {
  await until(() => proxy.sockets.size === 0 && proxy.upstream.sockets.size === 0, 'both sides are closed')
  await until(() => proxy.outcomes.length === 1, 'the outcome')
  assert.equal(proxy.group.members[0]?.active, 0)
}

describe('an upgrade', () => {
  it('reaches the upstream and the client with the fields that were given, byte for byte', async () => {
    const got: string[] = []
    const proxy = await before(echo(got))
    const client = await openedBy(proxy)
    assert.equal(client.text, SWITCH)
    assert.deepEqual(got, [UPGRADE])
    client.socket.destroy()
  })

  it('may be to any protocol and by any method', async () => {
    const got: string[] = []
    const switched = 'HTTP/1.1 101 Now\r\nUpgrade: FOO/2\r\nConnection: Upgrade\r\n\r\n'
    const upstream = rawUpstream((socket, data) => {
      got.push(data.toString('latin1'))
      socket.write(switched)
    })
    const proxy = await before(upstream)
    const request = 'POST /x HTTP/1.1\r\nHost: gate\r\nConnection: Upgrade\r\nUpgrade: foo/2\r\n\r\n'
    const client = clientOf(proxy, request)
    await until(() => client.text === switched, 'it is open')
    assert.deepEqual(got, [request])
    client.socket.destroy()
  })

  it('is no tunnel when the 101 names another protocol than was asked for, none, or several', async () => {
    for (const fields of [
      'Upgrade: h2c\r\n',
      'Upgrade: websocket/2\r\n',
      '',
      'Upgrade: websocket, h2c\r\n',
      'Upgrade: websocket\r\nUpgrade: h2c\r\n',
    ]) {
      const proxy = await before(
        rawUpstream((socket) => void socket.write(`HTTP/1.1 101 Now\r\n${fields}Connection: Upgrade\r\n\r\nraw`)),
      )
      const client = clientOf(proxy, UPGRADE)
      await until(() => proxy.outcomes.length === 1, 'it has failed')
      assert.doesNotMatch(client.text, /101|raw/)
      client.socket.destroy()
      assert.equal(proxy.outcomes[0]?.kind === 'failed' && proxy.outcomes[0].fault, 'protocol')
    }
  })

  it('is answered without a field that speaks of a body', async () => {
    const fields = 'Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 3\r\n'
    const proxy = await before(rawUpstream((socket) => void socket.write(`HTTP/1.1 101 Now\r\n${fields}\r\nraw`)))
    const client = clientOf(proxy, UPGRADE)
    await until(() => client.text.endsWith('raw'), 'it is open')
    assert.doesNotMatch(client.text, /content-length|transfer-encoding/i)
    client.socket.destroy()
  })

  it('carries bytes both ways, those that came early too', async () => {
    const proxy = await before(echo())
    const client = clientOf(proxy, `${UPGRADE}early`)
    await until(() => client.text.endsWith('early'), 'the early bytes come back')
    client.socket.write('late\0\xff')
    await until(() => client.text.includes('late'), 'the late ones too')
    client.socket.end()
    await assertAllClosed(proxy)
    const [outcome] = proxy.outcomes
    assert.deepEqual([outcome?.kind, outcome?.kind === 'completed' && outcome.status], ['completed', 101])
    assert.equal(outcome?.bytesIn, outcome?.bytesOut)
  })

  it('takes bytes that come right behind 101', async () => {
    const proxy = await before(rawUpstream((socket) => void socket.write(`${SWITCH}hello`)))
    const client = clientOf(proxy, UPGRADE)
    await until(() => client.text === `${SWITCH}hello`, 'they are there')
    client.socket.destroy()
  })

  it('loses nothing of many bytes, and is slowed to what is taken', async () => {
    const proxy = await before(echo())
    const client = await openedBy(proxy)
    const sent = 'x'.repeat(8 * 2 ** 20)
    client.socket.write(sent)
    await until(() => client.text.length === SWITCH.length + sent.length, 'all of it is back', 10_000)
    client.socket.destroy()
    await assertAllClosed(proxy)
  })

  it('that the upstream answers otherwise gives the client that answer, and closes', async () => {
    const answer = 'HTTP/1.1 403 No Way\r\nDate: x\r\nX-a: 1\r\nx-A: 2\r\nContent-Length: 2\r\n'
    const proxy = await before(rawUpstream((socket) => void socket.write(`${answer}\r\nno`)))
    assert.equal(await rawExchange(proxy.port, UPGRADE), `${answer}Connection: close\r\n\r\nno`)
    await until(() => proxy.outcomes.length === 1, 'the outcome')
    const [outcome] = proxy.outcomes
    assert.deepEqual([outcome?.kind, outcome?.kind === 'completed' && outcome.status], ['completed', 403])
  })

  it('sends no length that would make bytes of the tunnel a body', async () => {
    const got: string[] = []
    const proxy = await before(echo(got))
    const client = clientOf(proxy, UPGRADE.replace('\r\n\r\n', '\r\nContent-Length: 5\r\n\r\nhello'))
    await until(() => client.text.endsWith('hello'), 'they are bytes of the tunnel')
    assert.doesNotMatch(got[0] ?? '', /content-length/i)
    client.socket.destroy()
  })

  for (const [what, act] of [
    ['refuses', async () => rawUpstream(() => {}).then(async (gone) => gone.close().then(() => gone))],
    ['breaks off', () => rawUpstream((socket) => socket.resetAndDestroy())],
    ['ends', () => rawUpstream((socket) => socket.end())],
    ['speaks nonsense', () => rawUpstream((socket) => void socket.write('nonsense'))],
  ] as const) {
    it(`leaves the response to be answered on when the upstream ${what}`, async () => {
      const proxy = await before(act())
      assert.match(await rawExchange(proxy.port, UPGRADE), /^HTTP\/1\.1 502 [\s\S]*oops/)
      assert.equal(proxy.outcomes.length, 1)
    })
  }

  it('that is not answered in time is 504', async () => {
    const timeouts = { connectMs: 200, responseHeadersMs: 200, idleMs: 200 }
    const proxy = await before(
      rawUpstream(() => {}),
      { timeouts },
    )
    assert.match(await rawExchange(proxy.port, UPGRADE), /^HTTP\/1\.1 504 /)
  })
})

describe('a tunnel ends on both sides', () => {
  const endings: readonly (readonly [string, (proxy: TunnelProxy, client: Client) => void])[] = [
    ['when the client ends', (_proxy, client) => client.socket.end()],
    ['when the client breaks', (_proxy, client) => client.socket.resetAndDestroy()],
    ['when the upstream ends', ({ upstream }) => upstream.sockets.forEach((socket) => void socket.end())],
    ['when the upstream breaks', ({ upstream }) => upstream.sockets.forEach((socket) => void socket.resetAndDestroy())],
    ['when it is closed', ({ tunnels }) => tunnels.forEach((each) => void each.close())],
  ]
  for (const [what, end] of endings) {
    it(what, async () => {
      const proxy = await before(echo())
      const client = await openedBy(proxy)
      end(proxy, client)
      await assertAllClosed(proxy)
      for (const each of proxy.tunnels) each.close()
      assert.equal(proxy.outcomes.length, 1)
    })
  }

  it('with what the upstream said last', async () => {
    const upstream = rawUpstream((socket, _data, nth) => {
      if (nth === 0) socket.write(SWITCH)
      else socket.end('y'.repeat(1_000_000))
    })
    const proxy = await before(upstream)
    const client = await openedBy(proxy)
    client.socket.write('go')
    await assertAllClosed(proxy)
    await until(() => client.text.length === SWITCH.length + 1_000_000, 'all of it is there')
  })

  it('when neither side speaks for the idle limit', async () => {
    const proxy = await before(echo(), { timeouts: { connectMs: 1_000, responseHeadersMs: 1_000, idleMs: 300 } })
    await openedBy(proxy)
    await assertAllClosed(proxy)
  })

  it('when it is closed before it was open', async () => {
    const proxy = await before(rawUpstream(() => {}))
    clientOf(proxy, UPGRADE)
    await until(() => proxy.upstream.sockets.size === 1, 'it is under way')
    for (const each of proxy.tunnels) each.close()
    await assertAllClosed(proxy)
    assert.equal(proxy.outcomes[0]?.kind, 'client_closed')
  })

  it('200 of them at once, whoever leaves', async () => {
    const proxy = await before(echo())
    const clients = await Promise.all(Array.from({ length: 200 }, () => openedBy(proxy)))
    clients.forEach((client, i) => void (i % 2 === 0 ? client.socket.destroy() : client.socket.resetAndDestroy()))
    await until(() => proxy.upstream.sockets.size === 0 && proxy.sockets.size === 0, 'all are closed')
    await until(() => proxy.outcomes.length === 200, 'all outcomes are known')
  })
})
