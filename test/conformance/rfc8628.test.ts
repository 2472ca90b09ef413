import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  askToken,
  claimsOf,
  formWith,
  type Page,
  Person,
  post,
  type TokenAnswer,
} from '../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../support/issuer/issuer-under-test.ts'

const GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
let issuer: IssuerUnderTest

before(async () => {
  issuer = await startIssuer()
  await issuer.addPerson('alice', ['photos', 'files'])
  await issuer.addPerson('bob', ['files'])
  await issuer.addClient({ id: 'cli', type: 'native', name: 'Command line' })
  await issuer.addClient({ id: 'tv', type: 'native', thirdParty: true })
  await issuer.addClient({ id: 'spa', type: 'spa', redirectUris: ['https://app.example.com/cb'] })
})
after(() => issuer.close())

interface DeviceAnswer {
  readonly device_code: string
  readonly user_code: string
  readonly verification_uri: string
  readonly verification_uri_complete: string
  readonly expires_in: number
  readonly interval: number
}

async function begin(parameters: Record<string, string | readonly string[] | undefined> = {}): Promise<DeviceAnswer> {
  const answer = await post(`${issuer.url}/oauth/device_authorization`, {
    client_id: 'cli',
    scope: 'photos:read',
    ...parameters,
  })
  assert.equal(answer.status, 200, JSON.stringify(answer.body))
  return answer.body as unknown as DeviceAnswer
}

function poll(device: DeviceAnswer, client_id = 'cli', more: Record<string, string> = {}): Promise<TokenAnswer> {
  return askToken(issuer.url, { grant_type: GRANT, device_code: device.device_code, client_id, ...more })
}

async function typeCode(person: Person, code: string): Promise<Page> {
  const page = await person.open('/oauth/device')
  return person.send(page, formWith(page, 'user_code'), { user_code: code })
}

async function approvalPage(person: Person, device: DeviceAnswer): Promise<Page> {
  const page = await typeCode(person, device.user_code)
  return /name="password"/.test(page.text) ? person.signIn(page) : page
}

describe('RFC 8628: device flow', () => {
  it('§3.2: answers with codes, where to type them, and an interval', async () => {
    const device = await begin()
    assert.equal(device.verification_uri, `${issuer.url}/oauth/device`)
    assert.equal(device.verification_uri_complete, `${issuer.url}/oauth/device?user_code=${device.user_code}`)
    assert.match(device.user_code, /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/)
    assert.equal(device.interval, 5)
    assert.equal(device.expires_in, 600)
  })

  it('§3.3: the person types the code, signs in, approves, and the device gets its tokens', async () => {
    const device = await begin({ resource: issuer.photos })
    assert.equal((await poll(device)).body.error, 'authorization_pending')
    const alice = new Person(issuer.url, 'alice')
    const page = await approvalPage(alice, device)
    assert.match(page.text, /Command line/)
    assert.match(page.text, /Photo library/)
    assert.match(page.text, new RegExp(device.user_code))
    assert.match(page.text, /127\.0\.0\.1/)
    const done = await alice.decide(page, 'approve')
    assert.match(done.text, /is connected/)
    const { status, body } = await poll(device)
    assert.equal(status, 200, JSON.stringify(body))
    assert.equal(claimsOf(body.access_token).aud, issuer.photos)
    assert.equal(typeof body.refresh_token, 'string')
    assert.deepEqual(claimsOf(body.access_token).amr, ['pwd'])
  })

  it('always asks, also of a first-party client and of who approved it before', async () => {
    const alice = new Person(issuer.url, 'alice')
    for (let round = 0; round < 2; round += 1) {
      const page = await approvalPage(alice, await begin())
      assert.match(page.text, /value="approve"/)
      await alice.decide(page, 'approve')
    }
  })

  it('of a third-party client may be given in part', async () => {
    const device = await begin({ client_id: 'tv', scope: 'photos:read files:read' })
    const alice = new Person(issuer.url, 'alice')
    await alice.decide(await approvalPage(alice, device), 'approve', ['files:read'])
    const { body } = await poll(device, 'tv')
    assert.equal(claimsOf(body.access_token).aud, issuer.files)
  })

  it('§3.3.1: the complete address fills the code in; the person sends it', async () => {
    const device = await begin()
    const alice = new Person(issuer.url, 'alice')
    const page = await alice.open(device.verification_uri_complete)
    assert.doesNotMatch(page.text, /<script/)
    const form = formWith(page, 'user_code')
    assert.equal(form.fields.get('user_code'), device.user_code)
    assert.match((await alice.send(page, form)).text, /name="password"/)
  })

  it('§6.1: case and dashes of the code do not matter', async () => {
    const device = await begin()
    const alice = new Person(issuer.url, 'alice')
    const page = await typeCode(alice, device.user_code.toLowerCase().replace('-', ' '))
    assert.match(page.text, /name="password"/)
  })

  it('a code that was typed in and left can be typed in again', async () => {
    const device = await begin()
    await typeCode(new Person(issuer.url, 'alice'), device.user_code)
    const alice = new Person(issuer.url, 'alice')
    await alice.decide(await approvalPage(alice, device), 'approve')
    assert.equal((await poll(device)).status, 200)
  })

  it('§3.5: refused by the person is access_denied', async () => {
    const device = await begin()
    const alice = new Person(issuer.url, 'alice')
    const done = await alice.decide(await approvalPage(alice, device), 'deny')
    assert.match(done.text, /was not connected/)
    assert.equal((await poll(device)).body.error, 'access_denied')
  })

  it('a person who may have none of it sees why, and the device gets access_denied', async () => {
    const device = await begin()
    const bob = new Person(issuer.url, 'bob')
    const page = await approvalPage(bob, device)
    assert.match(page.text, />photos</)
    await bob.decide(page, 'deny')
    assert.equal((await poll(device)).body.error, 'access_denied')
  })

  it('§3.5: asking too often while nothing is decided is slow_down; deciding ends that', async () => {
    const device = await begin()
    assert.equal((await poll(device)).body.error, 'authorization_pending')
    assert.equal((await poll(device)).body.error, 'slow_down')
    const alice = new Person(issuer.url, 'alice')
    await alice.decide(await approvalPage(alice, device), 'approve')
    assert.equal((await poll(device)).status, 200)
  })

  it('the tokens are given once', async () => {
    const device = await begin()
    const alice = new Person(issuer.url, 'alice')
    await alice.decide(await approvalPage(alice, device), 'approve')
    const answers = await Promise.all(Array.from({ length: 10 }, () => poll(device)))
    assert.equal(answers.filter(({ status }) => status === 200).length, 1)
    assert.equal(answers.filter(({ body }) => body.error === 'invalid_grant').length, 9)
  })

  it('a device code of one client is useless to another, and such a try costs its owner nothing', async () => {
    const device = await begin()
    const alice = new Person(issuer.url, 'alice')
    await alice.decide(await approvalPage(alice, device), 'approve')
    assert.equal((await poll(device, 'tv')).body.error, 'invalid_grant')
    assert.equal((await poll(device)).status, 200)
  })

  it('a wrong resource does not burn the device code', async () => {
    const device = await begin()
    const alice = new Person(issuer.url, 'alice')
    await alice.decide(await approvalPage(alice, device), 'approve')
    assert.equal((await poll(device, 'cli', { resource: issuer.files })).body.error, 'invalid_target')
    assert.equal((await poll(device)).status, 200)
  })

  it('an unknown, empty or used code stays on the page with an error', async () => {
    const alice = new Person(issuer.url, 'alice')
    for (const code of ['', 'BBBB-BBBB', '<script>']) {
      const page = await typeCode(alice, code)
      assert.match(page.text, /role="alert"/)
      assert.ok(formWith(page, 'user_code'))
    }
    const device = await begin()
    await alice.decide(await approvalPage(alice, device), 'deny')
    assert.match((await typeCode(alice, device.user_code)).text, /used already/)
  })

  it('§5.1: tries of codes are slowed', async () => {
    const alice = new Person(issuer.url, 'alice')
    const started = performance.now()
    for (let round = 0; round < 6; round += 1) await typeCode(alice, 'BBBB-CCCC')
    assert.ok(performance.now() - started > 250)
  })

  it('a form of another site is refused', async () => {
    const device = await begin()
    const answer = await fetch(`${issuer.url}/oauth/device`, {
      method: 'POST',
      body: new URLSearchParams({ user_code: device.user_code }),
      headers: { origin: 'https://evil.example.com' },
    })
    assert.equal(answer.status, 403)
  })

  it('asks for resources by the rules of authorize', async () => {
    const url = `${issuer.url}/oauth/device_authorization`
    const ask = (more: Record<string, string>) => post(url, { client_id: 'cli', ...more })
    assert.equal((await ask({ scope: 'photos:read', resource: 'https://x.example.com' })).body.error, 'invalid_target')
    assert.equal((await ask({ scope: 'files:read', resource: issuer.photos })).body.error, 'invalid_scope')
    assert.equal((await ask({})).body.error, 'invalid_scope')
  })

  it('is not for clients that have redirects only', async () => {
    const answer = await post(`${issuer.url}/oauth/device_authorization`, { client_id: 'spa', scope: 'photos:read' })
    assert.equal(answer.status, 400)
  })
})
