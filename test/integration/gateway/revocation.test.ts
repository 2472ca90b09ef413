import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { connect, type Socket } from 'node:net'
import { after, before, beforeEach, describe, it } from 'node:test'
import { addClient } from '../../../src/issuer/clients/clients.ts'
import { createRevocationActs } from '../../../src/issuer/revocation-acts.ts'
import type { Store } from '../../../src/store/store.ts'
import { startGateway, type TestGateway, until } from '../../support/gateway-under-test.ts'
import { runIn } from '../../support/programs/command-line.ts'
import { listenOnLoopback, stopServer } from '../../support/upstreams.ts'

const PHOTOS = 'https://gate.example.com/photos'

function yamlFor(upstream: string): string {
  return `
public_url: https://gate.example.com
management: 127.0.0.1:0
resources:
  - id: ${PHOTOS}
    name: Photos
    scopes: { photos:read: See photos }
routes:
  - id: photos
    path: /photos
    resource: ${PHOTOS}
    upstream: ${upstream}
    rules: [{ methods: [any], scopes: [photos:read] }]
`
}

describe('revocation at the gateway', () => {
  let upstream: Server
  let gateway: TestGateway
  const secrets = new Map<string, string>()
  let token: string

  before(async () => {
    upstream = createServer((request, response) => {
      if (request.url === '/photos/events') response.write('event: begun\n\n')
      else response.end('photo')
    })
    upstream.on('upgrade', (_request, socket: Socket) => {
      socket.on('error', () => undefined)
      socket.pipe(socket)
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    })
    gateway = await startGateway({ yaml: yamlFor(`http://127.0.0.1:${await listenOnLoopback(upstream)}`) })
    for (const id of ['backup', 'other']) {
      const allow = [`${PHOTOS}=photos:read`]
      const client = { id, type: 'service', name: undefined, redirectUris: [], thirdParty: false, allow } as const
      const added = await addClient(storeOf(gateway), client, gateway.server.config.resources, Date.now())
      if (added.kind !== 'added') throw new Error(JSON.stringify(added))
      secrets.set(id, added.secret ?? '')
    }
  })
  after(async () => {
    await gateway.close()
    await stopServer(upstream)
  })
  beforeEach(async () => {
    token = await newToken()
  })

  function storeOf({ server }: TestGateway): Store {
    if (server.store === undefined) throw new Error('no store')
    return server.store
  }

  async function newToken(client = 'backup'): Promise<string> {
    const answer = await fetch(`${gateway.url}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${client}:${secrets.get(client)}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: PHOTOS, scope: 'photos:read' }),
    })
    const body = (await answer.json()) as { access_token: string }
    assert.equal(answer.status, 200, JSON.stringify(body))
    return body.access_token
  }

  async function statusOf(bearer: string): Promise<number> {
    const answer = await fetch(`${gateway.url}/photos/a`, { headers: { authorization: `Bearer ${bearer}` } })
    await answer.text()
    return answer.status
  }

  function actsOn(store: Store) {
    return createRevocationActs({ store, now: Date.now })
  }

  it('an act in the same process holds within 50 ms; a token made after it is good', async () => {
    assert.equal(await statusOf(token), 200)
    await actsOn(storeOf(gateway)).endClient('backup', 'test')
    await until(async () => (await statusOf(token)) === 401, 'the refusal', 50)
    assert.equal(await statusOf(await newToken()), 200)
  })

  const audgate = (...args: string[]) => runIn(gateway.folder, args)

  /** A tunnel that is open. */
  async function tunnel(bearer: string) {
    const state = { text: '', closed: false }
    const socket = connect(gateway.port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      state.text += chunk
    })
    socket.once('close', () => {
      state.closed = true
    })
    const fields = `Connection: Upgrade\r\nUpgrade: websocket\r\nAuthorization: Bearer ${bearer}`
    socket.write(`GET /photos/live HTTP/1.1\r\nHost: gate.example.com\r\n${fields}\r\n\r\n`)
    await until(() => /^HTTP\/1\.1 101 [\s\S]*\r\n\r\n$/.test(state.text), 'the tunnel')
    return { socket, state }
  }

  it('a command ends tokens of its client and their tunnels within a second, and explain says so; others go on', async () => {
    const other = await newToken('other')
    const [ending, staying] = [await tunnel(token), await tunnel(other)]
    assert.deepEqual([await statusOf(token), await statusOf(other)], [200, 200])
    assert.equal((await audgate('explain', 'GET', '/photos/a', '--token', token)).code, 0)
    assert.equal((await audgate('revoke', '--client', 'backup')).code, 0)
    await until(async () => ending.state.closed && (await statusOf(token)) === 401, 'the end of both', 1_000)
    assert.equal(await statusOf(other), 200)
    staying.socket.write('still here')
    await until(() => staying.state.text.endsWith('still here'), 'the other tunnel to answer')
    staying.socket.destroy()
    assert.equal(await statusOf(await newToken()), 200, 'a token made after the act is good')
    const told = await audgate('explain', 'GET', '/photos/a', '--token', token)
    assert.equal(told.code, 3)
    assert.match(told.stdout, /DENIED {3}401 revoked/)
    assert.equal((await audgate('explain', 'GET', '/photos/a', '--token', other)).code, 0)
  })

  it('a live tunnel ends when its token is revoked; others of its client go on', async () => {
    const [ended, going] = [await tunnel(token), await tunnel(await newToken())]
    const { jti } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    await actsOn(storeOf(gateway)).revokeJti(jti, undefined, 'test')
    await until(() => ended.state.closed, 'the end of the tunnel', 1_000)
    assert.equal(going.state.closed, false)
    going.socket.destroy()
  })

  it('an answer that goes on ends when its token is revoked, after a reload too; others go on', async () => {
    const events = async (bearer: string) => {
      const answer = await fetch(`${gateway.url}/photos/events`, { headers: { authorization: `Bearer ${bearer}` } })
      const reader = answer.body?.getReader() ?? assert.fail('a body')
      await reader.read()
      const state = { ended: false }
      reader.read().then(
        () => undefined,
        () => {
          state.ended = true
        },
      )
      return { state, reader }
    }
    const ended = await events(token)
    const elsewhere = yamlFor('http://127.0.0.1:9')
    const before = gateway.server.config
    await gateway.server.reload(gateway.decode(elsewhere))
    await gateway.server.reload(before)
    const [early, spared] = [await events(token), await events(await newToken())]
    const { jti } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    await actsOn(storeOf(gateway)).revokeJti(jti, undefined, 'test')
    await until(() => ended.state.ended && early.state.ended, 'the end of both', 1_000)
    assert.equal(spared.state.ended, false)
    await spared.reader.cancel().catch(() => undefined)
    const metrics = async () => (await fetch(`${gateway.managementUrl}/metrics`)).text()
    await until(async () => /audgate_requests_in_flight 0\n/.test(await metrics()), 'nothing in flight')
  })

  it('metrics tell how many entries are in force', async () => {
    const text = await (await fetch(`${gateway.managementUrl}/metrics`)).text()
    assert.match(text, /^audgate_revocations_in_force [1-9]/m)
    assert.match(text, /^audgate_tokens_total\{outcome="issued"\} [1-9]/m)
  })
})
