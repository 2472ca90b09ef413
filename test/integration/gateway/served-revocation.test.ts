import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { connect, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { until } from '../../support/gateway-under-test.ts'
import { runIn } from '../../support/programs/command-line.ts'
import { freePorts } from '../../support/programs/free-ports.ts'
import { type Serving, serve } from '../../support/serving.ts'
import { listenOnLoopback, rawRequest, stopServer } from '../../support/upstreams.ts'

/** What a tunnel's client sees. */
interface Tunnel {
  readonly socket: Socket
  text: string
  closedAt: number | undefined
}

describe('our own issuer’s tokens and their end, from outside', () => {
  let upstream: Server
  let serving: Serving
  let origin: string
  let port: number
  const secrets = new Map<string, string>()

  before(async () => {
    upstream = createServer((_request, response) => response.end('served'))
    upstream.on('upgrade', (_request, socket: Socket) => {
      socket.on('error', () => undefined)
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
      socket.pipe(socket)
    })
    const upstreamPort = await listenOnLoopback(upstream)
    port = (await freePorts(1))[0] ?? 0
    origin = `http://localhost:${port}`
    serving = await serve(`
public_url: ${origin}
listen: localhost:${port}
management: 127.0.0.1:0
resources:
  - id: ${origin}/photos
    name: Photos
    scopes: { photos:read: See photos }
    grants: [{ groups: [photos], scopes: [photos:read] }]
routes:
  - id: photos
    path: /photos
    resource: ${origin}/photos
    upstream: http://127.0.0.1:${upstreamPort}
    rules: [{ methods: [read], scopes: [photos:read] }]
`)
    for (const id of ['one', 'two']) {
      const allow = `${origin}/photos=photos:read`
      const { stdout } = await audgate('client', 'add', id, '--type', 'service', '--allow', allow, '--json')
      secrets.set(id, JSON.parse(stdout).client_secret)
    }
  })
  after(async () => {
    await serving.remove()
    await stopServer(upstream)
  })

  const audgate = (...args: string[]) => runIn(serving.folder, args)

  async function tokenOf(id: string): Promise<string> {
    const answer = await fetch(`${origin}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${id}:${secrets.get(id)}`).toString('base64')}` },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        resource: `${origin}/photos`,
        scope: 'photos:read',
      }),
    })
    const { access_token } = (await answer.json()) as { access_token: string }
    return access_token
  }

  function tunnel(token: string): Tunnel {
    const socket = connect(port, '127.0.0.1')
    const state: Tunnel = { socket, text: '', closedAt: undefined }
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      state.text += chunk
    })
    socket.on('close', () => {
      state.closedAt = performance.now()
    })
    const fields = `Host: localhost:${port}\r\nAuthorization: Bearer ${token}\r\nConnection: Upgrade\r\nUpgrade: websocket`
    socket.write(`GET /photos/live HTTP/1.1\r\n${fields}\r\n\r\n`)
    return state
  }

  const statusOf = async (token: string) =>
    (await fetch(`${origin}/photos/a`, { headers: { authorization: `Bearer ${token}` } })).status

  it('`localhost` means both loopback addresses', async () => {
    for (const host of ['127.0.0.1', '::1']) {
      const answer = await rawRequest(port, `GET /photos/a HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`, host)
      assert.equal(answer.status, 401, host)
    }
  })

  it('revoking a client: its tunnel ends and its token is refused within a second, another’s go on', async () => {
    const [one, two] = [await tokenOf('one'), await tokenOf('two')]
    const [ending, staying] = [tunnel(one), tunnel(two)]
    await until(() => [ending, staying].every(({ text }) => text.endsWith('\r\n\r\n')), 'both tunnels')
    assert.equal((await audgate('revoke', '--client', 'one')).code, 0)
    const revokedAt = performance.now()
    await until(() => ending.closedAt !== undefined, 'the tunnel to end')
    assert.ok((ending.closedAt ?? 0) - revokedAt < 1_000)
    assert.equal(await statusOf(one), 401)
    assert.equal(await statusOf(two), 200)
    staying.socket.write('still here')
    await until(() => staying.text.endsWith('still here'), 'the other tunnel to answer')
    assert.equal(await statusOf(await tokenOf('one')), 200, 'a token made after the act is good')
    assert.equal((await audgate('explain', 'GET', '/photos/a', '--token', one)).code, 3)
    assert.equal((await audgate('explain', 'GET', '/photos/a', '--token', two)).code, 0)
    staying.socket.destroy()
  })
})
