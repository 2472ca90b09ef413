import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { after, before, beforeEach, describe, it } from 'node:test'
import { addClient } from '../../../../src/issuer/clients/clients.ts'
import { browserYaml } from '../../../support/browser-gateway.ts'
import { startGateway, type TestGateway, until } from '../../../support/gateway-under-test.ts'
import { askToken, redeem, type TokenAnswer } from '../../../support/issuer/browser-less-person.ts'
import { authorizeBy, traveller } from '../../../support/issuer/federated-issuer.ts'
import { startProvider, type TestProvider } from '../../../support/issuer/identity-provider.ts'
import { freePorts } from '../../../support/programs/free-ports.ts'
import { type ShiftedClock, shiftClock } from '../../../support/programs/shifted-clock.ts'
import { listenOnLoopback, stopServer } from '../../../support/upstreams.ts'

const APP = { clientId: 'cli', redirectUri: 'http://127.0.0.1:7001/cb' }
const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const env = { AUDGATE_FEED_TOKEN: 'a-feed-token-that-is-long-enough' }

let clock: ShiftedClock
let provider: TestProvider
let here: TestGateway
let there: TestGateway
let url = ''
let yaml = ''
let count = 0
let sub = ''
const behind = createServer((asked, response) => void asked.resume().on('end', () => response.end('{}')))

before(async () => {
  clock = shiftClock()
  provider = await startProvider({ kind: 'authentik', callback: '*' })
  const upstream = `http://127.0.0.1:${await listenOnLoopback(behind)}`
  const [port = 0, own = 0] = await freePorts(2)
  const { issuer, clientId, clientSecret } = provider
  const entry = `{ issuer: "${issuer}", client_id: ${clientId}, client_secret: "${clientSecret}" }`
  url = `http://localhost:${port}`
  yaml = browserYaml(port, upstream, { issuer: `, providers: [${entry}]` })
  const now = () => Date.now()
  here = await startGateway({ yaml, env, now })
  const alone = yaml
    .replace(/^listen: .*$/m, `listen: 127.0.0.1:${own}`)
    .replace(/^issuer: .*$/m, `issuer: { upstream: "http://127.0.0.1:${port}" }`)
  there = await startGateway({ yaml: alone, env, now })
  const client = { id: 'cli', type: 'native', redirectUris: [APP.redirectUri], thirdParty: false, allow: [] } as const
  assert.ok(here.server.store !== undefined)
  await addClient(here.server.store, client, here.server.config.resources, Date.now())
})
after(async () => {
  await there.close()
  await here.close()
  await provider.close()
  await stopServer(behind)
  clock.restore()
})
beforeEach(() => {
  count += 1
  sub = `person-${count}`
  provider.setAccount({ sub, username: sub, groups: ['photos', 'files'] })
  provider.person = sub
})

async function signIn(): Promise<TokenAnswer> {
  const resource = [`${url}/photos`, `${url}/files`]
  const answer = await authorizeBy(traveller(url, provider), { ...APP, scope: 'photos:read files:read', resource })
  const tokens = await redeem(url, answer, { ...APP, resource: `${url}/photos` })
  assert.equal(tokens.status, 200, JSON.stringify(tokens.body))
  return tokens
}

async function statusAt(gateway: TestGateway, { body }: TokenAnswer): Promise<number> {
  const headers = { host: `photos.localhost:${gateway.port}`, authorization: `Bearer ${body.access_token}` }
  const asked = request(`${gateway.url}/a`, { headers, agent: false }).end()
  const [answer] = await once(asked, 'response')
  answer.resume()
  return answer.statusCode
}

/** How long after `sinceMs` a gateway refuses, by the clock that no test shifts. */
async function refusedAfter(gateway: TestGateway, tokens: TokenAnswer, sinceMs: number): Promise<number> {
  await until(async () => (await statusAt(gateway, tokens)) === 401, 'the refusal', 10_000)
  return performance.now() - sinceMs
}

const passes = (gateway: TestGateway, tokens: TokenAnswer): Promise<void> =>
  until(async () => (await statusAt(gateway, tokens)) === 200, 'the token passes', 20_000)

describe('how soon it is refused at gateways', () => {
  it('26 what lost its group upstream: the next refresh more than 1 min later has no scope from it, and other live tokens are refused ≤ 50 ms after', async () => {
    const [laptop, phone] = [await signIn(), await signIn()]
    await passes(here, phone)
    provider.setAccount({ ...provider.account(sub), groups: ['files'] })
    clock.forward(61_000)
    // A minute of which the gateway has heard nothing: it reads its revocations anew first.
    await passes(here, phone)
    const { body } = await askToken(url, {
      grant_type: 'refresh_token',
      refresh_token: laptop.body.refresh_token,
      client_id: 'cli',
    })
    assert.equal(body.scope, 'files:read', JSON.stringify(body))
    // The very next request, which begins sooner than any bound; what it takes is this machine's.
    assert.equal(await statusAt(here, phone), 401)
  })

  it('what a logout token ended: ≤ 50 ms here, ≤ 1 s at another gateway, after its arrival', async () => {
    const tokens = await signIn()
    await passes(here, tokens)
    await passes(there, tokens)
    const iat = Math.floor(Date.now() / 1000) + 1
    const token = await provider.sign({ iss: provider.issuer, aud: 'gate', iat, sub, events: { [EVENT]: {} } })
    const body = new URLSearchParams({ logout_token: token })
    const answer = await fetch(`${url}/oauth/providers/authentik/logout`, { method: 'POST', body })
    const answeredMs = performance.now()
    assert.equal(answer.status, 200)
    assert.equal(await statusAt(here, tokens), 401)
    const thereMs = await refusedAfter(there, tokens, answeredMs)
    assert.ok(thereMs <= 1_000, `${thereMs} ms`)
  })

  it('36 Removing the provider from routes.yaml ends its sign-ins’ tokens ≤ 1 s after the reload', async () => {
    const tokens = await signIn()
    await passes(here, tokens)
    await passes(there, tokens)
    await here.server.reload(here.decode(yaml.replace(/, providers: \[.*?\]/, '')))
    const reloadedMs = performance.now()
    const [hereMs, thereMs] = [
      await refusedAfter(here, tokens, reloadedMs),
      await refusedAfter(there, tokens, reloadedMs),
    ]
    assert.ok(hereMs <= 1_000 && thereMs <= 1_000, `${hereMs} ms here, ${thereMs} ms there`)
  })
})
