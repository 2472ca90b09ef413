import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  authorizationAttempt,
  formsOf,
  formWith,
  type Page,
  post,
  redeem,
  type TokenAnswer,
} from '../../support/issuer/browser-less-person.ts'
import {
  type BlackBox,
  CALLBACK,
  callUrl,
  claimsOf,
  Person,
  startBlackBox,
} from '../../support/issuer/served-issuer.ts'

const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
let box: BlackBox

before(async () => {
  box = await startBlackBox({ issuer: '  client_metadata_documents: on' })
  await box.addUser('alice', 'photos,files')
  await box.addUser('bob', 'files')
  await box.addApp('cli')
  await box.addApp('asker', '--third-party', '--name', 'Print Shop')
})
after(() => box.close())

interface Begun {
  readonly device_code: string
  readonly user_code: string
  readonly verification_uri: string
  readonly verification_uri_complete: string
}

async function begin(client = 'cli', scope = 'photos:read'): Promise<Begun> {
  const { status, body } = await post(`${box.url}/oauth/device_authorization`, { client_id: client, scope })
  assert.equal(status, 200, JSON.stringify(body))
  return body as unknown as Begun
}

function poll({ device_code }: Begun, client = 'cli', more: Record<string, string> = {}): Promise<TokenAnswer> {
  return post(`${box.url}/oauth/token`, { grant_type: DEVICE, device_code, client_id: client, ...more })
}

/** Types the code in and signs in; the page that follows. */
async function typeIn(name: string, begun: Begun): Promise<[Person, Page]> {
  const person = new Person(box.url, name)
  const empty = await person.open(begun.verification_uri)
  const page = await person.send(empty, formWith(empty, 'user_code'), { user_code: begun.user_code })
  return [person, /name="password"/.test(page.text) ? await person.signIn(page) : page]
}

describe('the device flow (RFC 8628)', () => {
  it('§3.3.1: the complete address fills the code in, and the person still sends it', async () => {
    const begun = await begin()
    const page = await new Person(box.url, 'alice').open(begun.verification_uri_complete)
    assert.equal(formWith(page, 'user_code').fields.get('user_code'), begun.user_code)
    assert.equal((await poll(begun)).body.error, 'authorization_pending')
  })

  it('§3.5: a device that asks too often is told to slow down', async () => {
    const begun = await begin()
    await poll(begun)
    assert.equal((await poll(begun)).body.error, 'slow_down')
  })

  it('§5.4: always asks, shows the code, and a no reaches the device', async () => {
    const begun = await begin()
    const [person, page] = await typeIn('alice', begun)
    assert.ok(page.text.includes(begun.user_code))
    await person.decide(page, 'deny')
    assert.equal((await poll(begun)).body.error, 'access_denied')
  })

  it('asks again when the same person has approved before', async () => {
    const first = await begin()
    const [person, page] = await typeIn('alice', first)
    await person.decide(page, 'approve')
    const second = await begin()
    const empty = await person.open(second.verification_uri)
    const next = await person.send(empty, formWith(empty, 'user_code'), { user_code: second.user_code })
    assert.match(next.text, /value="approve"/)
  })

  it('gives a third-party client the ticked part', async () => {
    const begun = await begin('asker', 'photos:read files:read')
    const [person, page] = await typeIn('alice', begun)
    assert.deepEqual(formsOf(page)[0]?.boxes, ['photos:read', 'files:read'])
    await person.decide(page, 'approve', ['files:read'])
    const { body } = await poll(begun, 'asker')
    assert.deepEqual([body.scope, claimsOf(body.access_token).aud], ['files:read', box.files])
  })

  it('a person who may have none sees why, and the device gets access_denied', async () => {
    const begun = await begin()
    const [person, page] = await typeIn('bob', begun)
    assert.match(page.text, /<strong class="group">photos<\/strong>/)
    await person.decide(page, 'deny')
    assert.equal((await poll(begun)).body.error, 'access_denied')
  })

  it('twenty polls at once after the approval give one set of tokens', async () => {
    const begun = await begin()
    const [person, page] = await typeIn('alice', begun)
    await person.decide(page, 'approve')
    const answers = await Promise.all(Array.from({ length: 20 }, () => poll(begun)))
    const good = answers.filter(({ status }) => status === 200)
    assert.equal(good.length, 1, JSON.stringify(answers.map(({ status, body }) => [status, body.error])))
    for (const { status, body } of answers)
      if (status !== 200) assert.deepEqual([status, body.error], [400, 'invalid_grant'])
    assert.equal((await box.call(good[0]?.body.access_token)).status, 200)
  })

  it('a device code of one client is useless to another, and such a try costs its owner nothing', async () => {
    const begun = await begin()
    const [person, page] = await typeIn('alice', begun)
    await person.decide(page, 'approve')
    assert.equal((await poll(begun, 'asker')).body.error, 'invalid_grant')
    assert.equal((await poll(begun, 'cli', { resource: 'https://unknown.example.com' })).body.error, 'invalid_target')
    assert.equal((await poll(begun)).status, 200)
  })

  it('a wrong code stays on the page, and what was typed stays in the field', async () => {
    const person = new Person(box.url, 'alice')
    const empty = await person.open(`${box.url}/oauth/device`)
    const page = await person.send(empty, formWith(empty, 'user_code'), { user_code: 'BBBB-BBBB' })
    assert.equal(page.status, 400)
    assert.match(page.text, /role="alert"/)
    assert.equal(formWith(page, 'user_code').fields.get('user_code'), 'BBBB-BBBB')
  })

  it('is ended for a device that was revoked, and goes on for others', async () => {
    const [one, two] = [await begin(), await begin()]
    for (const begun of [one, two]) {
      const [person, page] = await typeIn('alice', begun)
      await person.decide(page, 'approve')
    }
    const [first, second] = [(await poll(one)).body, (await poll(two)).body]
    await post(`${box.url}/oauth/revoke`, { token: first.refresh_token, client_id: 'cli' })
    assert.equal((await box.call(first.access_token)).reason, 'revoked')
    assert.equal((await box.call(second.access_token)).status, 200)
  })
})

describe('pushed requests (RFC 9126)', () => {
  const push = async (client = 'cli') => {
    const attempt = authorizationAttempt(box.url, { clientId: client, redirectUri: CALLBACK, scope: 'photos:read' })
    const { status, body } = await post(`${box.url}/oauth/par`, Object.fromEntries(new URL(attempt.url).searchParams))
    assert.equal(status, 201)
    const parameters = (id: string) => new URLSearchParams({ client_id: id, request_uri: String(body.request_uri) })
    return { ...attempt, at: (id: string) => `${box.url}/oauth/authorize?${parameters(id)}` }
  }

  it('§4: are for the client that pushed them, once', async () => {
    const pushed = await push()
    const stolen = await new Person(box.url, 'alice').open(pushed.at('asker'))
    assert.match(new URL(stolen.url).searchParams.get('error') ?? stolen.url, /^invalid_request/)
    const person = new Person(box.url, 'alice')
    const page = await person.signIn(await person.open(pushed.at('cli')))
    const code = new URL(page.url).searchParams.get('code') ?? ''
    const { status } = await redeem(box.url, { ...pushed, code }, { clientId: 'cli', redirectUri: CALLBACK })
    assert.equal(status, 200)
    const again = await person.open(pushed.at('cli'))
    assert.ok(again.status === 400 || again.url.includes('error='), again.url)
  })

  it('§2.3: with a redirect URI that is not registered are refused, and nobody is led there', async () => {
    const attempt = authorizationAttempt(box.url, {
      clientId: 'cli',
      redirectUri: 'https://evil.example.com/',
      scope: 'photos:read',
    })
    const { status, body } = await post(`${box.url}/oauth/par`, Object.fromEntries(new URL(attempt.url).searchParams))
    assert.equal(status, 400)
    assert.match(String(body.error), /invalid_re/)
  })
})

describe('client ids that are URLs', () => {
  it('are never fetched from this machine or its network', async () => {
    for (const id of [
      'https://localhost/app',
      'https://127.0.0.1/app',
      'https://[::1]/app',
      'https://169.254.169.254/latest',
      'https://10.0.0.1/app',
      'http://example.com/app',
      'https://0x7f000001/app',
      'https://user:pass@example.com/app',
    ]) {
      const attempt = authorizationAttempt(box.url, { clientId: id, redirectUri: CALLBACK, scope: 'photos:read' })
      const answer = await callUrl(attempt.url, {})
      assert.equal(answer.status, 400, `${id}: ${answer.status}`)
      assert.equal(answer.headers.get('location'), null)
    }
  })
})
