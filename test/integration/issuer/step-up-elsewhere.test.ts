import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { authorizationAttempt, claimsOf, formWith, Person, post } from '../../support/issuer/browser-less-person.ts'
import { pressProvider, providerEntry, traveller } from '../../support/issuer/federated-issuer.ts'
import { startProvider, type TestProvider } from '../../support/issuer/identity-provider.ts'
import { type IssuerUnderTest, startIssuer } from '../../support/issuer/issuer-under-test.ts'
import { answer, askedOn, press } from '../../support/issuer/passkey-person.ts'
import { SoftwarePasskey } from '../../support/issuer/software-passkey.ts'

const redirectUri = 'https://app.example.com/cb'
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'

describe('A level that the account has no factor for', () => {
  let box: IssuerUnderTest
  let provider: TestProvider

  before(async () => {
    box = await startIssuer({ host: 'localhost' })
    provider = await startProvider({ kind: 'authentik', callback: `${box.url}/oauth/providers/authentik/callback` })
    await box.addClient({ id: 'app', type: 'native', redirectUris: [redirectUri] })
  })
  after(async () => {
    await box.close()
    await provider.close()
  })

  it('is reached by the device flow, too: the passkey is made before the device is approved', async () => {
    await box.addPerson('dora', ['photos'])
    const asked = { client_id: 'app', scope: 'photos:read', acr_values: 'phr' }
    const { body: begun } = (await post(`${box.url}/oauth/device_authorization`, asked)) as unknown as {
      body: Readonly<Record<'device_code' | 'user_code' | 'verification_uri', string>>
    }
    const person = new Person(box.url, 'dora')
    const empty = await person.open(begun.verification_uri)
    const page = await person.signIn(
      await person.send(empty, formWith(empty, 'user_code'), { user_code: begun.user_code }),
    )
    assert.match(page.text, /A stronger sign-in is needed/)
    const codes = await answer(person, page, new SoftwarePasskey(box.url))
    const [, next = ''] = /class="button primary" href="([^"]*)"/.exec(codes.text) ?? []
    const approval = await person.open(next)
    assert.ok(approval.text.includes(begun.user_code), approval.text)
    await person.decide(approval, 'approve')
    const device = { grant_type: DEVICE, device_code: begun.device_code, client_id: 'app' }
    const { body } = await post(`${box.url}/oauth/token`, device)
    const { acr, amr } = claimsOf(String(body.access_token))
    assert.deepEqual([acr, amr], ['phr', ['pop', 'user', 'mfa']])
  })

  it('after a sign-in at a provider: a passkey is made here, if it opens what is asked for without the provider', async () => {
    provider.setAccount({ sub: 'guest', username: 'guest', groups: ['photos'] })
    provider.person = 'guest'
    await box.reconfigure({ password: 'on', providers: [providerEntry(provider)] })
    const who = traveller(box.url, provider)
    const ask = () =>
      authorizationAttempt(box.url, { clientId: 'app', redirectUri, scope: 'photos:read', more: { acr_values: 'mfa' } })
    const page = await pressProvider(who, await who.here.open(ask().url))
    assert.match(page.text, /A stronger sign-in is needed.*Ask whoever runs this service/s)
    assert.equal(askedOn(page), undefined, 'groups of the provider count in nothing that a passkey signs in for')
    const { sub = '' } = (await box.store.userByName('guest')) ?? {}
    await box.store.updateUser(sub, { groups: ['photos'] })
    const offered = await pressProvider(who, await press(who.here, page, 'again'))
    assert.ok(!offered.text.includes('/enrol-app"'), 'a code comes after a password')
    const away = await answer(who.here, offered, new SoftwarePasskey(box.url))
    assert.equal(new URL(away.url).origin, 'https://app.example.com', away.text)
  })

  it('after a sign-in at a provider where nothing can be added: the page says what to do there', async () => {
    await box.reconfigure({ passkeys: false, providers: [providerEntry(provider)] })
    provider.setAccount({ sub: 'other', username: 'other', groups: ['photos'] })
    provider.person = 'other'
    const who = traveller(box.url, provider)
    const more = { acr_values: 'mfa' }
    const { url } = authorizationAttempt(box.url, { clientId: 'app', redirectUri, scope: 'photos:read', more })
    const page = await pressProvider(who, await who.here.open(url))
    assert.match(page.text, /use more than a password at the place that you sign in with/)
    assert.match((await press(who.here, page, 'again')).text, /name="password"/)
    await box.reconfigure({ passkeys: true, providers: [] })
  })
})
