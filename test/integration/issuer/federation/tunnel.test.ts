import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { addClient } from '../../../../src/issuer/clients/clients.ts'
import { browserYaml } from '../../../support/browser-gateway.ts'
import { startGateway, type TestGateway, until } from '../../../support/gateway-under-test.ts'
import { askToken, claimsOf, formsOf, redeem } from '../../../support/issuer/browser-less-person.ts'
import { authorizeBy, type Traveller, traveller } from '../../../support/issuer/federated-issuer.ts'
import { startProvider, type TestProvider } from '../../../support/issuer/identity-provider.ts'
import { freePorts } from '../../../support/programs/free-ports.ts'
import { MINUTE, type ShiftedClock, shiftClock } from '../../../support/programs/shifted-clock.ts'

const APP = { clientId: 'cli', redirectUri: 'http://127.0.0.1:7001/cb' }
const env = { AUDGATE_FEED_TOKEN: 'a-feed-token-that-is-long-enough' }

let clock: ShiftedClock
let provider: TestProvider
let issuer: TestGateway
let follower: TestGateway
let issuerUrl = ''
/** What the gateway that follows does every minute. */
const minutely: (() => void)[] = []
const behind = createServer((asked, response) => void asked.resume().on('end', () => response.end('{}')))
const held = new Set<Socket>()
behind.on('upgrade', (_asked, socket: Socket) => {
  held.add(socket.on('error', () => undefined).resume())
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
})

/** Starts something whose minutely work the test does itself, at the time of its clock. */
async function withMinutes<T>(start: () => Promise<T>): Promise<T> {
  const original = globalThis.setInterval
  const instead = (work: () => void, ms?: number): NodeJS.Timeout => {
    if (ms === MINUTE) minutely.push(work)
    return original(work, ms)
  }
  globalThis.setInterval = Object.assign(instead, original) as typeof setInterval
  try {
    return await start()
  } finally {
    globalThis.setInterval = original
  }
}

before(async () => {
  clock = shiftClock()
  provider = await startProvider({ kind: 'authentik', callback: '*' })
  await new Promise<void>((resolve) => behind.listen(0, '127.0.0.1', resolve))
  const [port = 0, own = 0] = await freePorts(2)
  const entry = `{ issuer: "${provider.issuer}", client_id: ${provider.clientId}, client_secret: "${provider.clientSecret}", on_unreachable: 10m }`
  const upstream = `http://127.0.0.1:${(behind.address() as AddressInfo).port}`
  const text = browserYaml(port, upstream, { issuer: `, providers: [${entry}]` }).replace('ttl: 5m', 'ttl: 1h')
  const now = () => Date.now()
  issuer = await startGateway({ yaml: text, env, now })
  const alone = text
    .replace(/^listen: .*$/m, `listen: 127.0.0.1:${own}`)
    .replace(/^issuer: .*$/m, `issuer: { upstream: "http://127.0.0.1:${port}" }`)
  follower = await withMinutes(() => startGateway({ yaml: alone, env, now }))
  issuerUrl = `http://localhost:${port}`
})
after(async () => {
  await follower.close()
  await issuer.close()
  await provider.close()
  for (const socket of held) socket.destroy()
  behind.closeAllConnections()
  await new Promise((resolve) => behind.close(resolve))
  clock.restore()
})

interface SignedIn {
  readonly token: string
  readonly refreshToken: string | undefined
  readonly who: Traveller
}

async function signIn(sub: string): Promise<SignedIn> {
  const { store, config } = issuer.server
  assert.ok(store !== undefined)
  const client = { id: 'cli', type: 'native', redirectUris: [APP.redirectUri], thirdParty: false, allow: [] } as const
  await addClient(store, client, config.resources, Date.now())
  provider.setAccount({ sub, username: sub, groups: ['photos'] })
  provider.person = sub
  const who = traveller(issuerUrl, provider)
  const answer = await authorizeBy(who, { ...APP, scope: 'photos:read', resource: `${issuerUrl}/photos` })
  const { body } = await redeem(issuerUrl, answer, APP)
  return { token: body.access_token ?? assert.fail(JSON.stringify(body)), refreshToken: body.refresh_token, who }
}

/** A token of a client without a browser session beside it: nothing but its own use shows that somebody is there. */
async function tokenWithoutSession(sub: string): Promise<string> {
  const { token, who } = await signIn(sub)
  const account = await who.here.open('/account')
  const out = formsOf(account).find(({ action }) => action === '/account/sign-out')
  assert.ok(out !== undefined, account.text)
  await who.here.send(account, out)
  return token
}

/** Every call at the provider fails until it is called off. */
function silence(): () => void {
  provider.defects.instead = (_path, response) => {
    response.writeHead(502).end()
    return true
  }
  return () => {
    provider.defects.instead = undefined
  }
}

const headersOf = (token: string) => ({
  host: `photos.localhost:${follower.port}`,
  authorization: `Bearer ${token}`,
})

async function statusOf(token: string): Promise<number> {
  const asked = request(`${follower.url}/a`, { headers: headersOf(token), agent: false }).end()
  const [answer] = await once(asked, 'response')
  answer.resume()
  return answer.statusCode
}

async function openTunnel(token: string): Promise<Socket> {
  const headers = { ...headersOf(token), connection: 'Upgrade', upgrade: 'websocket' }
  const asked = request(`${follower.url}/socket`, { headers, agent: false }).end()
  const refused = once(asked, 'response').then(([answer]) => assert.fail(`no tunnel: ${answer.statusCode}`))
  const [, socket] = await Promise.race([once(asked, 'upgrade'), refused])
  return socket.on('error', () => undefined).resume()
}

describe('a tunnel at a gateway on its own', () => {
  it('is a use as long as it is held: who is disabled at the provider meanwhile loses it after 15 min', async () => {
    const token = await tokenWithoutSession('alma')
    await until(async () => (await statusOf(token)) === 200, 'the token is known there', 20_000)
    const tunnel = await openTunnel(token)
    provider.setAccount({ ...provider.account('alma'), disabled: true })
    assert.notEqual(minutely.length, 0)
    for (const minutes of [13, 3]) {
      assert.equal(tunnel.destroyed, false)
      clock.forward(minutes * MINUTE)
      for (const work of minutely) work()
    }
    await until(() => tunnel.destroyed, 'the tunnel is closed', 25_000)
    await until(async () => (await statusOf(token)) === 401, 'its token is refused', 20_000)
    const ended = issuer.log.filter(({ event }) => event === 'federation.ended').at(-1)
    assert.deepEqual([ended?.reason, ended?.source], ['invalid_grant', 'background'])
  })

  it('closes at a 503 that the provider’s silence gives after `on_unreachable`, and no sooner', async () => {
    const { token, refreshToken } = await signIn('berta')
    await until(async () => (await statusOf(token)) === 200, 'the token is known there', 20_000)
    const tunnel = await openTunnel(token)
    const speak = silence()
    clock.forward(9 * MINUTE)
    const early = await askToken(issuerUrl, {
      grant_type: 'refresh_token',
      refresh_token: refreshToken,
      client_id: 'cli',
    })
    assert.deepEqual([early.status, tunnel.destroyed], [200, false])
    clock.forward(2 * MINUTE)
    const next = early.body.refresh_token
    const late = await askToken(issuerUrl, { grant_type: 'refresh_token', refresh_token: next, client_id: 'cli' })
    assert.equal(late.status, 503)
    await until(() => tunnel.destroyed, 'the tunnel is closed', 20_000)
    speak()
    const again = await askToken(issuerUrl, { grant_type: 'refresh_token', refresh_token: next, client_id: 'cli' })
    assert.equal(again.status, 200)
  })

  it('or at the next time that the provider is asked in the background, where nobody refreshes', async () => {
    const { token } = await signIn('cleo')
    const sub = claimsOf(token).sub
    await until(async () => (await statusOf(token)) === 200, 'the token is known there', 20_000)
    const tunnel = await openTunnel(token)
    const speak = silence()
    clock.forward(14 * MINUTE)
    assert.equal(tunnel.destroyed, false)
    clock.forward(2 * MINUTE)
    await until(() => tunnel.destroyed, 'the tunnel is closed', 25_000)
    const refused = await issuer.server.store?.auditsBy('event', 'tokens.refused', Number.MAX_SAFE_INTEGER, 9)
    assert.equal(refused?.find(({ detail }) => detail.sub === sub)?.detail.by, 'provider authentik')
    speak()
  })
})
