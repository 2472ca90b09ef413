import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  askToken,
  authorizationAttempt,
  claimsOf,
  formsOf,
  type Page,
  Person,
  post,
  redeem,
} from '../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../../support/issuer/issuer-under-test.ts'

const redirectUri = 'https://app.example.com/cb'
const clock = { aheadMs: 0 }

describe('How and when somebody signed in', () => {
  let box: IssuerUnderTest

  before(async () => {
    box = await startIssuer({ now: () => Date.now() + clock.aheadMs })
    await box.addPerson('alice', ['photos'])
    await box.addPerson('bob', ['photos'])
    for (const id of ['app', 'other']) await box.addClient({ id, type: 'native', redirectUris: [redirectUri] })
    await box.addClient({ id: 'strict', type: 'native', redirectUris: [redirectUri], stepUp: 'reauthorize' })
  })
  after(() => box.close())

  const ask = (clientId: string, more: Record<string, string> = {}, scope = 'photos:read') => ({
    clientId,
    redirectUri,
    scope,
    more,
  })
  const tokenOf = async (person: Person, clientId = 'app', more: Record<string, string> = {}) => {
    const granted = await person.authorize(ask(clientId, more))
    return redeem(box.url, granted, { clientId, redirectUri })
  }
  const open = (person: Person, clientId: string, more: Record<string, string> = {}, scope?: string) =>
    person.open(authorizationAttempt(box.url, ask(clientId, more, scope)).url)
  const asksPassword = (page: Page) => /name="password"/.test(page.text)
  const errorOf = (page: Page) => new URL(page.url).searchParams.get('error')
  const subOf = async (name: string) => (await box.store.userByName(name))?.sub ?? ''

  it('stands in access token, introspection and ID token, and 100 refreshes change nothing of it', async () => {
    const person = new Person(box.url, 'alice')
    const granted = await person.authorize(ask('app', {}, 'openid photos:read'))
    const { body } = await redeem(box.url, granted, { clientId: 'app', redirectUri })
    const facts = ({ acr, amr, auth_time: at }: Readonly<Record<string, unknown>>) => ({ acr, amr, at })
    const first = facts(claimsOf(body.access_token))
    assert.deepEqual([first.acr, first.amr, typeof first.at], ['pwd', ['pwd'], 'number'])
    assert.deepEqual(facts(claimsOf(body.id_token)), first)
    const introspected = await post(`${box.url}/oauth/introspect`, { client_id: 'app', token: body.access_token })
    assert.deepEqual(facts(introspected.body), first)
    let refreshToken = body.refresh_token
    for (let i = 0; i < 100; i += 1) {
      const next = await askToken(box.url, {
        grant_type: 'refresh_token',
        client_id: 'app',
        refresh_token: refreshToken,
      })
      refreshToken = next.body.refresh_token
      if (i % 33 === 0 || i === 99) assert.deepEqual(facts(claimsOf(next.body.access_token)), first)
    }
    const metadata = await (await fetch(`${box.url}/.well-known/openid-configuration`)).json()
    assert.deepEqual((metadata as { acr_values_supported: unknown }).acr_values_supported, ['pwd', 'mfa', 'phr'])
  })

  it('max_age and acr_values without openid are taken by authorize, by a posted form, by PAR and by the device flow', async () => {
    for (const scope of ['photos:read', 'openid photos:read']) {
      const person = new Person(box.url, 'alice')
      await person.authorize(ask('app', {}, scope))
      assert.ok(!asksPassword(await open(person, 'app', { max_age: '600', acr_values: 'pwd' }, scope)))
      clock.aheadMs += 11 * 60_000
      assert.ok(asksPassword(await open(person, 'app', { max_age: '600', acr_values: 'pwd' }, scope)))
      const again = await person.authorize(ask('app', { max_age: '600', acr_values: 'pwd' }, scope))
      assert.notEqual(again.code, '')
      assert.ok(asksPassword(await open(person, 'app', { max_age: '0' }, scope)), 'max_age=0 asks always')
      assert.equal(errorOf(await open(person, 'app', { max_age: '0', prompt: 'none' }, scope)), 'login_required')
      clock.aheadMs += 11 * 60_000
      const attempt = new URL(authorizationAttempt(box.url, ask('app', { max_age: '600' }, scope)).url)
      const posted = await person.open(`${box.url}/oauth/authorize`, {
        method: 'POST',
        body: attempt.searchParams.toString(),
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      })
      assert.ok(asksPassword(posted), 'form post')
      const pushed = await post(`${box.url}/oauth/par`, Object.fromEntries(attempt.searchParams))
      assert.equal(pushed.status, 201, JSON.stringify(pushed.body))
      const query = new URLSearchParams({ client_id: 'app', request_uri: String(pushed.body.request_uri) })
      assert.ok(asksPassword(await person.open(`${box.url}/oauth/authorize?${query}`)), 'PAR')
      const device = await post(`${box.url}/oauth/device_authorization`, { client_id: 'app', scope, max_age: '600' })
      assert.equal(device.status, 200, JSON.stringify(device.body))
      const page = await person.open(String(device.body.verification_uri_complete))
      const form = formsOf(page).find(({ fields }) => fields.has('user_code'))
      if (form === undefined) assert.fail(page.text)
      assert.ok(asksPassword(await person.send(page, form)), 'device')
    }
    for (const max_age of ['-1', 'x', '1e3', '99999999999999999999'])
      assert.equal(errorOf(await open(new Person(box.url, 'alice'), 'app', { max_age })), 'invalid_request', max_age)
    for (const [name, value] of [
      ['acr_values', 'mfa'],
      ['max_age', '5'],
    ] as const) {
      const { url } = authorizationAttempt(box.url, ask('app', { [name]: value }))
      const twice = await new Person(box.url, 'alice').open(`${url}&${name}=${value}`)
      assert.match(new URL(twice.url).searchParams.get('error_description') ?? '', new RegExp(`^'${name}' `))
    }
  })

  it('a level that the account cannot reach: a page that says so, and unmet_authentication_requirements for the client', async () => {
    const person = new Person(box.url, 'alice')
    await person.authorize(ask('app'))
    assert.equal(errorOf(await open(person, 'app', { acr_values: 'mfa', prompt: 'none' })), 'login_required')
    const page = await open(person, 'app', { acr_values: 'phr mfa' })
    assert.ok(asksPassword(page))
    const unmet = await person.signIn(page)
    assert.match(unmet.text, /A stronger sign-in is needed/)
    const back = await person.decide(unmet, 'deny')
    assert.equal(errorOf(back), 'unmet_authentication_requirements')
    assert.ok(
      !asksPassword(await open(person, 'app', { acr_values: 'urn:other' })),
      'a word that no level has is a wish',
    )
  })

  it('a refusal is remembered: the same client and person are asked anew, others are not, and not for ever', async () => {
    const [alice, bob] = [new Person(box.url, 'alice'), new Person(box.url, 'bob')]
    for (const person of [alice, bob]) for (const id of ['app', 'other']) await person.authorize(ask(id))
    clock.aheadMs += 2 * 60_000
    const note = async () =>
      box.issuer().noteWeakSignIn({ sub: await subOf('alice'), clientId: 'app', need: { maxAge: 60 } })
    await note()
    assert.ok(asksPassword(await open(alice, 'app')))
    assert.ok(!asksPassword(await open(alice, 'other')))
    assert.ok(!asksPassword(await open(bob, 'app')))
    assert.notEqual((await alice.authorize(ask('app'))).code, '')
    assert.ok(!asksPassword(await open(alice, 'app')), 'a fresh sign-in ends it')
    clock.aheadMs += 2 * 60_000
    await note()
    clock.aheadMs += 10 * 60_000 + 1
    assert.ok(!asksPassword(await open(alice, 'app')))
  })

  it('step_up: reauthorize lets a refresh answer invalid_grant until the sign-in is good enough; default: it goes on', async () => {
    for (const [clientId, error] of [
      ['strict', 'invalid_grant'],
      ['app', undefined],
    ] as const) {
      const person = new Person(box.url, 'bob')
      const { body } = await tokenOf(person, clientId)
      clock.aheadMs += 2 * 60_000
      box.issuer().noteWeakSignIn({ sub: await subOf('bob'), clientId, need: { maxAge: 60 } })
      const refresh = (token: string | undefined) =>
        askToken(box.url, { grant_type: 'refresh_token', client_id: clientId, refresh_token: token })
      assert.equal((await refresh(body.refresh_token)).body.error, error)
      const better = await tokenOf(person, clientId)
      assert.equal((await refresh(better.body.refresh_token)).status, 200)
    }
  })
})
