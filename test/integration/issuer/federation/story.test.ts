import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { askToken, claimsOf, redeem, type TokenAnswer } from '../../../support/issuer/browser-less-person.ts'
import { authorizeBy, pressProvider, providerEntry, traveller } from '../../../support/issuer/federated-issuer.ts'
import { startProvider, type TestProvider } from '../../../support/issuer/identity-provider.ts'
import { type IssuerUnderTest, startIssuer } from '../../../support/issuer/issuer-under-test.ts'
import { isLive } from '../../../support/issuer/live-token.ts'
import { MINUTE, type ShiftedClock, shiftClock } from '../../../support/programs/shifted-clock.ts'

const APPS = {
  cli: { clientId: 'cli', redirectUri: 'http://127.0.0.1:7001/cb' },
  web: { clientId: 'web', redirectUri: 'https://web.example/cb' },
  spa: { clientId: 'spa', redirectUri: 'https://spa.example/cb' },
  gallery: { clientId: 'gallery', redirectUri: 'https://gallery.example/cb' },
} as const

let clock: ShiftedClock
let gate: IssuerUnderTest
let provider: TestProvider
const secrets = new Map<string, string>()

before(async () => {
  clock = shiftClock()
  gate = await startIssuer({ now: () => Date.now() })
  provider = await startProvider({ kind: 'authentik', callback: `${gate.url}/oauth/providers/authentik/callback` })
  for (const [type, { clientId: id, redirectUri }] of [
    ['native', APPS.cli],
    ['web', APPS.web],
    ['spa', APPS.spa],
    ['web', APPS.gallery],
  ] as const) {
    const { secret } = await gate.addClient({ id, type, redirectUris: [redirectUri], thirdParty: id === 'gallery' })
    secrets.set(id, secret)
  }
  provider.setAccount({ sub: 'alice', username: 'alice', groups: ['photos'] })
  provider.setAccount({ sub: 'bob', username: 'bob', groups: ['files'] })
  await gate.reconfigure({ providers: [providerEntry(provider)] })
})
after(async () => {
  await gate.close()
  await provider.close()
  clock.restore()
})

type App = (typeof APPS)[keyof typeof APPS]

function authentication({ clientId }: App): Record<string, string> {
  const secret = secrets.get(clientId) ?? ''
  return secret === '' ? {} : { client_secret: secret }
}

async function signIn(app: App): Promise<TokenAnswer> {
  const who = traveller(gate.url, provider)
  const answer = await authorizeBy(who, { ...app, scope: 'photos:read', resource: gate.photos })
  assert.notEqual(answer.code, '', answer.text)
  return redeem(gate.url, answer, { ...app, more: authentication(app) })
}

describe('photos by the groups of the authentik that people have', () => {
  it('alice gets a token by CLI, web, SPA and third party, and an account page; bob is told which group would do; when alice loses the group there, all of it ends', async () => {
    provider.person = 'alice'
    const tokens = new Map<App, TokenAnswer>()
    for (const app of Object.values(APPS)) tokens.set(app, await signIn(app))
    for (const [app, { body }] of tokens) {
      const { aud, groups, username } = claimsOf(body.access_token)
      assert.deepEqual([aud, groups, username], [gate.photos, ['photos'], 'alice'], app.clientId)
    }
    const browser = traveller(gate.url, provider)
    assert.match((await pressProvider(browser, await browser.here.open('/account'))).text, /photos/)

    provider.person = 'bob'
    const denied = await authorizeBy(traveller(gate.url, provider), {
      ...APPS.cli,
      scope: 'photos:read',
      resource: gate.photos,
    })
    assert.equal(denied.code, '')
    assert.match(denied.text, /photos/)

    provider.setAccount({ ...provider.account('alice'), groups: [] })
    clock.forward(2 * MINUTE)
    const [[first, held] = assert.fail(), ...others] = [...tokens]
    const refused = await askToken(gate.url, {
      grant_type: 'refresh_token',
      refresh_token: held.body.refresh_token,
      client_id: first.clientId,
      ...authentication(first),
    })
    assert.equal(refused.body.error, 'invalid_grant')
    // What one of them heard holds for all at once.
    for (const [app, { body }] of tokens) assert.equal(await isLive(gate.store, body.access_token), false, app.clientId)
    for (const [app, { body }] of others) {
      const answer = await askToken(gate.url, {
        grant_type: 'refresh_token',
        refresh_token: body.refresh_token,
        client_id: app.clientId,
        ...authentication(app),
      })
      assert.equal(answer.body.error, 'invalid_grant', app.clientId)
    }
    assert.doesNotMatch((await browser.here.open('/account')).text, /<li>photos<\/li>/)
  })
})
