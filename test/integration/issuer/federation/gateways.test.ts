import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { browserYaml, FETCH, Jar } from '../../../support/browser-gateway.ts'
import { startGateway, type TestGateway, until } from '../../../support/gateway-under-test.ts'
import { claimsOf } from '../../../support/issuer/browser-less-person.ts'
import { providerLinksOf } from '../../../support/issuer/federated-issuer.ts'
import { startProvider, type TestProvider } from '../../../support/issuer/identity-provider.ts'
import { freePorts } from '../../../support/programs/free-ports.ts'
import { MINUTE, type ShiftedClock, shiftClock } from '../../../support/programs/shifted-clock.ts'

const env = { AUDGATE_FEED_TOKEN: 'a-feed-token-that-is-long-enough' }
const EVENT = 'http://schemas.openid.net/event/backchannel-logout'

let clock: ShiftedClock
let provider: TestProvider
let issuer: TestGateway
let follower: TestGateway
const behind = createServer((request, response) => {
  request.resume()
  response.end('{}')
})
const places = { here: '', there: '', issuer: '' }

before(async () => {
  clock = shiftClock()
  provider = await startProvider({ kind: 'keycloak', callback: '*' })
  await new Promise<void>((resolve) => behind.listen(0, '127.0.0.1', resolve))
  const [port = 0, own = 0] = await freePorts(2)
  const entry = `{ issuer: "${provider.issuer}", client_id: ${provider.clientId}, client_secret: "${provider.clientSecret}", groups: { map: { /photos: photos } } }`
  const options = { issuer: `, providers: [${entry}]` }
  const text = browserYaml(port, `http://127.0.0.1:${(behind.address() as AddressInfo).port}`, options)
  const now = () => Date.now()
  issuer = await startGateway({ yaml: text, env, now })
  const alone = text
    .replace(/^listen: .*$/m, `listen: 127.0.0.1:${own}`)
    .replace(/^issuer: .*$/m, `issuer: { upstream: "http://127.0.0.1:${port}" }`)
  follower = await startGateway({ yaml: alone, env, now })
  Object.assign(places, {
    here: `http://photos.localhost:${port}`,
    there: `http://photos.localhost:${own}`,
    issuer: `http://localhost:${port}`,
  })
})
after(async () => {
  await follower.close()
  await issuer.close()
  await provider.close()
  behind.closeAllConnections()
  await new Promise((resolve) => behind.close(resolve))
  clock.restore()
})

/** Somebody signed in by the provider, whose session opens the photos at both gateways. */
async function arrive(sub: string, sid: string): Promise<Jar> {
  provider.setAccount({ sub, username: sub, groups: ['photos'] })
  provider.person = sub
  provider.defects.token = async (body) =>
    typeof body.id_token === 'string'
      ? { ...body, id_token: await provider.sign({ ...claimsOf(body.id_token), sid }) }
      : body
  const jar = new Jar()
  const page = await jar.open(`${places.here}/a`)
  const button = providerLinksOf(page).find(({ url }) => /provider=/.test(url))
  await jar.open(new URL(button?.url ?? '', page.url).href)
  await opens(jar)
  return jar
}

const statusOf = async (jar: Jar) => (await jar.send(`${places.there}/a`, { headers: FETCH })).status
const opens = (jar: Jar) => until(async () => (await statusOf(jar)) === 200, 'the session opens there', 20_000)

describe('people of a provider at a gateway on its own', () => {
  it('26 A group removed upstream is lost there within `recheck` and a token’s life', async () => {
    const alma = await arrive('alma', 'one')
    provider.setAccount({ sub: 'alma', username: 'alma', groups: [] })
    clock.forward(4 * MINUTE)
    await opens(alma)
    clock.forward(2 * MINUTE)
    // What it knows of revocations has to be read anew first: 503 until then, and never 200.
    const seen: number[] = []
    await until(
      async () => {
        seen.push(await statusOf(alma))
        return seen.at(-1) === 401
      },
      'the group is lost',
      20_000,
    )
    assert.ok(!seen.includes(200), seen.join())
  })

  it('38 a logout token with a `sid` ends that browser’s session there ≤ 1 s after its arrival, and no other’s', async () => {
    const [berta, cleo] = [await arrive('berta', 'two'), await arrive('cleo', 'three')]
    const iat = Math.floor(Date.now() / 1_000)
    const claims = { iss: provider.issuer, aud: provider.clientId, iat, exp: iat + 120, jti: randomUUID() }
    const logout = { ...claims, sid: 'two', events: { [EVENT]: {} } }
    const body = new URLSearchParams({ logout_token: await provider.sign(logout, { typ: 'logout+jwt' }) })
    const answer = await fetch(`${places.issuer}/oauth/providers/keycloak/logout`, { method: 'POST', body })
    assert.equal(answer.status, 200, await answer.text())
    await until(async () => (await statusOf(berta)) === 401, 'her session ends', 1_000)
    assert.equal(await statusOf(cleo), 200)
  })
})
