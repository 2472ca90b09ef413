import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { formsOf, Person, redeem } from '../../../support/issuer/browser-less-person.ts'
import { authorizeBy, providerEntry, type Traveller, traveller } from '../../../support/issuer/federated-issuer.ts'
import { startProvider, type TestProvider } from '../../../support/issuer/identity-provider.ts'
import { type IssuerUnderTest, startIssuer } from '../../../support/issuer/issuer-under-test.ts'

const APP = { clientId: 'cli', redirectUri: 'http://127.0.0.1:7001/cb' }
const EVENT = 'http://schemas.openid.net/event/backchannel-logout'

let gate: IssuerUnderTest
let provider: TestProvider
let count = 0
let name = ''
let seen = 0

before(async () => {
  gate = await startIssuer()
  provider = await startProvider({ kind: 'authentik', callback: '*' })
  await gate.addClient({ id: 'cli', type: 'native', redirectUris: [APP.redirectUri] })
})
after(async () => {
  await gate.close()
  await provider.close()
})
beforeEach(async () => {
  count += 1
  name = `person-${count}`
  provider.setAccount({ sub: name, username: name, groups: ['photos'] })
  provider.person = name
  await gate.reconfigure({ providers: [providerEntry(provider)] })
  await lines()
})

async function signIn(): Promise<Traveller> {
  const who = traveller(gate.url, provider)
  const answer = await authorizeBy(who, { ...APP, scope: 'photos:read', resource: gate.photos })
  assert.equal((await redeem(gate.url, answer, APP)).status, 200, answer.text)
  return who
}

/** What was kept since it was asked last. */
async function lines(): Promise<readonly (readonly [string, Readonly<Record<string, unknown>>])[]> {
  const all = (await gate.store.audits(200)).filter(({ id }) => id > seen)
  seen = Math.max(seen, ...all.map(({ id }) => id))
  return all.reverse().map(({ event, detail }) => [event, detail])
}

const accountOf = async (person = name) => (await gate.store.providerLink(provider.issuer, person))?.sub

async function logout(change: Record<string, unknown>): Promise<void> {
  const iat = Math.floor(Date.now() / 1000)
  const claims = { iss: provider.issuer, aud: 'gate', iat, events: { [EVENT]: {} }, ...change }
  const body = new URLSearchParams({ logout_token: await provider.sign(claims) })
  await fetch(`${gate.url}/oauth/providers/authentik/logout`, { method: 'POST', body })
}

describe('one act leaves one line for each thing that it ended', () => {
  it('a sign-out at /oauth/logout: whose browser, by whom, at which client; staying leaves none', async () => {
    const who = await signIn()
    await lines()
    const asked = async () => {
      const page = await who.here.open('/oauth/logout?client_id=cli')
      const [form] = formsOf(page)
      assert.ok(form !== undefined, page.text)
      return [page, form] as const
    }
    await who.here.send(...(await asked()))
    assert.deepEqual(await lines(), [])
    await who.here.send(...(await asked()), {}, 'logout=yes')
    const sub = await accountOf()
    assert.deepEqual(await lines(), [['session.ended', { sub, by: sub, client: 'cli', address: '127.0.0.1' }]])
  })

  it('a sign-out under /account', async () => {
    const who = await signIn()
    const page = await who.here.open('/account')
    const form = formsOf(page).find(({ action }) => action === '/account/sign-out')
    assert.ok(form !== undefined, page.text)
    await lines()
    await who.here.send(page, form)
    const sub = await accountOf()
    assert.deepEqual(await lines(), [['session.ended', { sub, by: sub, address: '127.0.0.1' }]])
  })

  it('a logout token: each sign-in, and the token itself; refused ones are never counted as taken ones', async () => {
    const started = [await signIn(), await signIn()]
    await lines()
    await logout({ sub: name, nonce: 'x' })
    await logout({ sub: name })
    const sub = await accountOf()
    const ended = { provider: 'authentik', sub, reason: 'logout_token', source: 'logout' }
    const taken = { provider: 'authentik', source: 'logout', outcome: 'ok', sub, ended: started.length, asked: 0 }
    assert.deepEqual(await lines(), [
      ['federation.logout_token', { provider: 'authentik', outcome: 'refused', detail: 'nonce is not allowed' }],
      ['federation.ended', ended],
      ['federation.ended', ended],
      ['federation.logout_token', taken],
    ])
  })

  it('a provider that gives no word: once, again for another reason, and when it is over', async () => {
    await gate.reconfigure({ providers: [providerEntry(provider, 'name: Anew')] })
    const told = async () =>
      (await lines())
        .filter(([event]) => /reachable$/.test(event))
        .map(([event, { provider: of, reason }]) => [event, of, reason])
    const knock = () => new Person(gate.url, '').open('/oauth/providers/authentik/start')
    provider.defects.instead = (_path, response) => {
      response.writeHead(502).end()
      return true
    }
    await knock()
    await knock()
    assert.deepEqual(await told(), [['federation.unreachable', 'authentik', 'provider_unreachable']])
    provider.defects.instead = undefined
    provider.defects.metadata = (body) => ({ ...body, id_token_signing_alg_values_supported: ['HS256'] })
    await knock()
    await knock()
    assert.deepEqual(await told(), [['federation.unreachable', 'authentik', 'provider_misconfigured']])
    provider.defects.metadata = undefined
    await signIn()
    assert.deepEqual(await told(), [['federation.reachable', 'authentik', undefined]])
  })

  it('a provider that is taken out of the file: each sign-in, and whose it was', async () => {
    await signIn()
    const first = await accountOf()
    name = `${name}-too`
    provider.setAccount({ sub: name, username: name, groups: ['photos'] })
    provider.person = name
    await signIn()
    const second = await accountOf()
    await lines()
    await gate.reconfigure({ providers: [] })
    const ended = (await lines()).filter(([event]) => event === 'federation.ended').map(([, detail]) => detail)
    const rest = { provider: 'authentik', reason: 'provider_removed', source: 'background' }
    for (const sub of [first, second]) {
      assert.equal(ended.filter((detail) => detail.sub === sub).length, 1)
      assert.deepEqual(
        ended.find((detail) => detail.sub === sub),
        { sub, ...rest },
      )
    }
  })
})
