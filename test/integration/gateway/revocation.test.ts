import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { addClient } from '../../../src/issuer/clients/clients.ts'
import { createRevocationActs } from '../../../src/issuer/revocation-acts.ts'
import { openStore } from '../../../src/server/open-store.ts'
import type { Store } from '../../../src/store/store.ts'
import { startGateway, type TestGateway, until } from '../../support/gateway-under-test.ts'
import { commandLine } from '../../support/programs/command-line.ts'
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
  let secret: string
  let token: string

  before(async () => {
    upstream = createServer((request, response) => {
      if (request.url === '/photos/events') response.write('event: begun\n\n')
      else response.end('photo')
    })
    upstream.on('upgrade', (_request, socket) => {
      socket.on('error', () => undefined)
      socket.on('end', () => socket.end()).resume()
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    })
    gateway = await startGateway({ yaml: yamlFor(`http://127.0.0.1:${await listenOnLoopback(upstream)}`) })
    const input = {
      id: 'backup',
      type: 'service',
      redirectUris: [],
      thirdParty: false,
      allow: [`${PHOTOS}=photos:read`],
    } as const
    const added = await addClient(
      storeOf(gateway),
      { ...input, name: undefined },
      gateway.server.config.resources,
      Date.now(),
    )
    if (added.kind !== 'added') throw new Error(JSON.stringify(added))
    secret = added.secret ?? ''
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

  async function newToken(): Promise<string> {
    const answer = await fetch(`${gateway.url}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`backup:${secret}`).toString('base64')}` },
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

  it('an act of another process holds within a second', async () => {
    assert.equal(await statusOf(token), 200)
    const other = await openStore(gateway.server.config)
    await actsOn(other).endClient('backup', 'test')
    await until(async () => (await statusOf(token)) === 401, 'the refusal', 1_000)
    await other.close()
  })

  it('a live tunnel ends when its token is revoked; others go on', async () => {
    const spared = await newToken()
    const open = (bearer: string) => {
      const state = { text: '', closed: false }
      const socket = connect(gateway.port, '127.0.0.1')
      socket.on('error', () => undefined)
      socket.on('data', (chunk) => {
        state.text += chunk
      })
      socket.once('close', () => {
        state.closed = true
      })
      socket.write(
        `GET /photos/live HTTP/1.1\r\nHost: gate.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nAuthorization: Bearer ${bearer}\r\n\r\n`,
      )
      return { state, socket }
    }
    const ended = open(token)
    const going = open(spared)
    await until(() => [ended, going].every(({ state }) => state.text.includes(' 101 ')), 'both tunnels')
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

  it('explain reads keys and revocations from the store, while the server runs', async () => {
    const command = commandLine('')
    const config = join(gateway.folder, 'routes.yaml')
    const explained = (bearer: string) =>
      command.run(['explain', 'GET', '/photos/a', '--token', bearer, '--config', config])
    const good = await explained(token)
    assert.equal(good.code, 0, good.stdout + good.stderr)
    await actsOn(storeOf(gateway)).endClient('backup', 'test')
    assert.match((await explained(token)).stdout, /DENIED {3}401 revoked/)
    command.close()
  })

  it('metrics tell how many entries are in force', async () => {
    const text = await (await fetch(`${gateway.managementUrl}/metrics`)).text()
    assert.match(text, /^audgate_revocations_in_force [1-9]/m)
    assert.match(text, /^audgate_tokens_total\{outcome="issued"\} [1-9]/m)
  })
})
