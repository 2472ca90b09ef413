import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer as createHttpServer, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { connect, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { addClient } from '../../../src/issuer/clients/clients.ts'
import { createRevocationActs } from '../../../src/issuer/revocation-acts.ts'
import { startGateway, type TestGateway, until } from '../../support/gateway-under-test.ts'
import { listenOnLoopback } from '../../support/upstreams.ts'

const PHOTOS = 'https://gate.example.com/photos'

interface Ports {
  readonly plain: number
  readonly slow: number
  readonly pair: readonly number[]
}

function yamlFor({ plain, slow, pair }: Ports, method: string): string {
  const route = (id: string, upstream: string): string =>
    `  - { id: ${id}, path: /${id}, resource: "${PHOTOS}", ${upstream}, rules: [{ methods: [${method}], scopes: [photos:read] }] }`
  const both = pair.map((port) => `"http://127.0.0.1:${port}"`).join(', ')
  return `
public_url: https://gate.example.com
management: 127.0.0.1:0
resources:
  - { id: "${PHOTOS}", name: Photos, scopes: { photos:read: See photos } }
routes:
${route('photos', `upstream: "http://127.0.0.1:${plain}", upgrades: [websocket]`)}
${route('slow', `upstream: "https://127.0.0.1:${slow}", upstream_tls: { verify: false }`)}
  - { id: pub, path: /pub, public: true, upstream: "http://127.0.0.1:${plain}" }
${route('pair', `upstream: [${both}]`)}
${route('twin', `upstream: [${both.split(', ').toReversed().join(', ')}]`)}
`
}

describe('a request that is under way when what permitted it ends', () => {
  const servers: Server[] = []
  const sockets = new Set<Socket>()
  const uploads: { response: ServerResponse; bytes: number; closed: boolean }[] = []
  const upgrades: Socket[] = []
  /** Connections that wait for their TLS handshake, and requests that came after one. */
  const waiting: Socket[] = []
  const tlsRequests: string[] = []
  /** What came to each of the pair. */
  const got: { socket: Socket; text: string }[] = []
  let handshake: (socket: Socket) => void = () => undefined
  let gateway: TestGateway
  let folder = ''
  let ports: Ports
  let secret = ''
  let token = ''

  async function listen(server: Server): Promise<number> {
    servers.push(server)
    server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.once('close', () => sockets.delete(socket))
    })
    return listenOnLoopback(server)
  }

  function plainUpstream(): Server {
    const server = createHttpServer((request, response) => {
      const upload = { response, bytes: 0, closed: false }
      uploads.push(upload)
      request.on('data', (chunk: Buffer) => {
        upload.bytes += chunk.length
      })
      request.on('error', () => undefined)
      request.once('close', () => {
        upload.closed = true
      })
    })
    return server.on('upgrade', (_request, socket: Socket) => upgrades.push(socket))
  }

  /** Accepts connections, and goes no further before `handshake` is called. */
  function slowUpstream(): Server {
    const [cert, key] = [join(folder, 'slow.pem'), join(folder, 'slow.key')]
    const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
    execFileSync('openssl', ['req', ...kind, '-keyout', key, '-out', cert, '-subj', '/CN=slow'], { stdio: 'ignore' })
    const inner = createHttpsServer({ cert: readFileSync(cert), key: readFileSync(key) }, (request, response) => {
      tlsRequests.push(request.url ?? '')
      response.end('slow')
    })
    inner.on('tlsClientError', () => undefined)
    handshake = (socket) => void inner.emit('connection', socket)
    return createTcpServer({ pauseOnConnect: true }, (socket) => void waiting.push(socket))
  }

  function pairedUpstream(): Server {
    return createTcpServer((socket) => {
      socket.on('data', (chunk) => got.push({ socket, text: chunk.toString('latin1') }))
    })
  }

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'audgate-overtaken-'))
    const plain = await listen(plainUpstream())
    const pair = [await listen(pairedUpstream()), await listen(pairedUpstream())]
    ports = { plain, slow: await listen(slowUpstream()), pair }
    gateway = await startGateway({ yaml: yamlFor(ports, 'any') })
    const input = { id: 'backup', type: 'service', redirectUris: [], thirdParty: false } as const
    const allowed = { ...input, name: undefined, allow: [`${PHOTOS}=photos:read`] }
    const added = await addClient(storeOf(gateway), allowed, gateway.server.config.resources, Date.now())
    secret = added.kind === 'added' ? (added.secret ?? '') : assert.fail(JSON.stringify(added))
  })
  beforeEach(async () => {
    for (const list of [uploads, upgrades, waiting, tlsRequests, got]) list.length = 0
    token = await newToken()
  })
  after(async () => {
    await gateway.close()
    for (const socket of sockets) socket.destroy()
    for (const server of servers) server.close()
    rmSync(folder, { recursive: true })
  })

  async function newToken(): Promise<string> {
    const answer = await fetch(`${gateway.url}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`backup:${secret}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: PHOTOS, scope: 'photos:read' }),
    })
    return ((await answer.json()) as { access_token: string }).access_token
  }

  async function revoke(): Promise<void> {
    const { jti } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    await createRevocationActs({ store: storeOf(gateway), now: Date.now }).revokeJti(jti, undefined, 'test')
  }

  function talk(method: string, path: string, fields = '') {
    return bare(`${method} ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n${fields}\r\n`)
  }

  function bare(bytes: string): { socket: Socket; text(): string; closed(): boolean } {
    const state = { text: '', closed: false }
    const socket = connect(gateway.port, '127.0.0.1')
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

  const REVOKED = /^HTTP\/1\.1 401 [\s\S]*"reason":"revoked"/

  for (const framing of ['Content-Length: 1000000', 'Transfer-Encoding: chunked']) {
    it(`is refused while it is being sent (${framing}), and its upstream gets no more of it`, async () => {
      const sent = talk('PUT', '/photos/a', `${framing}\r\n`)
      const part = 'x'.repeat(5_000)
      sent.socket.write(framing.startsWith('T') ? `1388\r\n${part}\r\n` : part)
      await until(() => uploads[0]?.bytes === 5_000, 'a part of the body')
      await revoke()
      await until(() => REVOKED.test(sent.text()), 'the refusal')
      sent.socket.write(framing.startsWith('T') ? `1388\r\n${part}\r\n` : part)
      await until(() => uploads[0]?.closed === true, 'the end at the upstream')
      assert.equal(uploads[0]?.bytes, 5_000)
      assert.match(sent.text(), /Connection: close/)
      sent.socket.destroy()
    })
  }

  it('is refused while its upstream accepts no connection, and nothing is sent there', async () => {
    const sent = talk('GET', '/slow/a')
    await until(() => waiting.length === 1, 'the connection')
    await revoke()
    await until(() => REVOKED.test(sent.text()), 'the refusal')
    for (const socket of waiting) handshake(socket)
    await until(() => waiting[0]?.destroyed === true, 'the end at the upstream')
    assert.deepEqual(tlsRequests, [])
    sent.socket.destroy()
  })

  it('is judged by the file that came into force while its upstream accepted no connection', async () => {
    const sent = talk('PUT', '/slow/a', 'Content-Length: 5\r\nExpect: 100-continue\r\n')
    await until(() => waiting.length === 1, 'the connection')
    await gateway.server.reload(gateway.decode(yamlFor(ports, 'read')))
    for (const socket of waiting) handshake(socket)
    await until(() => / 405 [\s\S]*"reason":"method_not_allowed"/.test(sent.text()), 'the refusal')
    assert.doesNotMatch(sent.text(), / 100 /)
    assert.deepEqual(tlsRequests, [])
    await gateway.server.reload(gateway.decode(yamlFor(ports, 'any')))
    sent.socket.destroy()
  })

  it('goes on when the file that came into force meanwhile allows it, too', async () => {
    const sent = talk('GET', '/slow/a')
    await until(() => waiting.length === 1, 'the connection')
    await gateway.server.reload(gateway.decode(yamlFor(ports, 'read')))
    for (const socket of waiting) handshake(socket)
    await until(() => waiting.length === 2, 'another connection')
    handshake(waiting[1] ?? assert.fail())
    await until(() => sent.text().endsWith('slow'), 'the answer')
    assert.deepEqual(tlsRequests, ['/slow/a'])
    await gateway.server.reload(gateway.decode(yamlFor(ports, 'any')))
    sent.socket.destroy()
  })

  it('is not sent to a second upstream when its token was revoked while the first had it', async () => {
    const sent = talk('GET', '/pair/a')
    await until(() => got.length === 1, 'the first has it')
    await revoke()
    got[0]?.socket.destroy()
    await until(() => REVOKED.test(sent.text()), 'the refusal')
    assert.equal(got.length, 1)
    sent.socket.destroy()
  })

  it('is not sent to a second upstream when the rule went while the first had it', async () => {
    const sent = talk('DELETE', '/twin/a')
    await until(() => got.length === 1, 'the first has it')
    await gateway.server.reload(gateway.decode(yamlFor(ports, 'read')))
    got[0]?.socket.destroy()
    await until(() => / 405 /.test(sent.text()), 'the refusal')
    assert.equal(got.length, 1)
    await gateway.server.reload(gateway.decode(yamlFor(ports, 'any')))
    sent.socket.destroy()
  })

  for (const way of ['in one segment', 'in segments of their own']) {
    it(`is refused at its turn when it waited behind an earlier answer, ${way}`, async () => {
      const behind = `GET /photos/b HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`
      const first = `GET /pub HTTP/1.1\r\nHost: a\r\n\r\n`
      const sent = bare(way === 'in one segment' ? first + behind : first)
      await until(() => uploads.length === 1, 'the first is under way')
      if (way !== 'in one segment') sent.socket.write(behind)
      await revoke()
      uploads[0]?.response.end('first')
      await until(() => /first[\s\S]* 401 [\s\S]*"reason":"revoked"/.test(sent.text()), 'both answers')
      assert.equal(uploads.length, 1)
      sent.socket.destroy()
    })
  }

  it('never becomes a tunnel, though its upstream says so later', async () => {
    const sent = talk('GET', '/photos/live', 'Connection: Upgrade\r\nUpgrade: websocket\r\n')
    await until(() => upgrades.length === 1, 'the upgrade')
    await revoke()
    upgrades[0]?.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    await until(() => sent.closed(), 'the end')
    assert.match(sent.text(), REVOKED)
  })

  it('ends with its answer while that is about to end', async () => {
    const sent = talk('GET', '/pair/a')
    await until(() => got.length === 1, 'it is there')
    await revoke()
    got[0]?.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole')
    await until(() => sent.text().endsWith('whole'), 'the answer')
    sent.socket.destroy()
  })
})

function storeOf({ server }: TestGateway) {
  return server.store ?? assert.fail('no store')
}
