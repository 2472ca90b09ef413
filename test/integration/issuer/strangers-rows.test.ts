import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createRowBudget } from '../../../src/issuer/row-budget.ts'
import { authorizationAttempt, formWith, Person } from '../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../../support/issuer/issuer-under-test.ts'

interface Begun {
  readonly device_code: string
  readonly user_code: string
  readonly verification_uri_complete: string
}

const CALLBACK = 'http://127.0.0.1:7001/cb'
let issuer: IssuerUnderTest

before(async () => {
  issuer = await startIssuer({ settings: { registration: 'open' } })
  await issuer.addClient({ id: 'cli', type: 'native', redirectUris: [CALLBACK] })
  await issuer.addPerson('alice', ['photos'])
})
after(() => issuer.close())

const form = (path: string, parameters: Record<string, string>): Promise<Response> =>
  fetch(`${issuer.url}${path}`, { method: 'POST', body: new URLSearchParams(parameters), redirect: 'manual' })
const asked = { client_id: 'cli', scope: 'photos:read' }
const request = {
  ...asked,
  response_type: 'code',
  redirect_uri: CALLBACK,
  code_challenge: 'x'.repeat(43),
  code_challenge_method: 'S256',
}

/** One request to each endpoint that takes parameters, with `more` among them. */
const ENDPOINTS: Readonly<Record<string, (more: Record<string, string>) => Promise<Response>>> = {
  authorize: (more) =>
    fetch(`${issuer.url}/oauth/authorize?${new URLSearchParams({ ...request, ...more })}`, { redirect: 'manual' }),
  par: (more) => form('/oauth/par', { ...request, ...more }),
  'device authorization': (more) => form('/oauth/device_authorization', { ...asked, ...more }),
  token: (more) => form('/oauth/token', { grant_type: 'authorization_code', code: 'x', ...asked, ...more }),
  revoke: (more) => form('/oauth/revoke', { token: 'x', ...asked, ...more }),
  introspect: (more) => form('/oauth/introspect', { token: 'x', ...asked, ...more }),
  'device page': (more) => form('/oauth/device', { user_code: 'ABCD-EFGH', ...more }),
  logout: (more) => fetch(`${issuer.url}/oauth/logout?${new URLSearchParams(more)}`, { redirect: 'manual' }),
}

describe('what a stranger sends is bounded', () => {
  for (const [name, send] of Object.entries(ENDPOINTS)) {
    it(`${name}: a parameter of 2 KiB is taken, a byte more is 400 invalid_request, however it is encoded`, async () => {
      const refused: readonly Record<string, string>[] = [
        { login_hint: 'x'.repeat(2049) },
        { login_hint: 'é'.repeat(1025) },
        { state: 's'.repeat(4097) },
        { ['n'.repeat(2049)]: '1' },
        Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((each) => [each, 'x'.repeat(2000)])),
      ]
      for (const more of refused) {
        const answer = await send(more)
        const text = await answer.text()
        assert.equal(answer.status, 400, text)
        assert.match(text, /longer than \d+ bytes|too long/)
      }
      const taken = await send({ login_hint: 'x'.repeat(2048), state: 's'.repeat(4096) })
      assert.doesNotMatch(await taken.text(), /longer than/)
    })
  }

  it('what is no form is refused where a form is expected', async () => {
    for (const type of [
      'application/json',
      'multipart/form-data; boundary=x',
      'text/plain',
      'application/x-www-form-urlencoded, text/plain',
    ]) {
      const answer = await fetch(`${issuer.url}/oauth/par`, {
        method: 'POST',
        headers: { 'content-type': type },
        body: 'x'.repeat(4000),
      })
      assert.equal(answer.status, 400)
      assert.match(await answer.text(), /must be a form/)
    }
  })

  it('introspection and revocation take access tokens of up to 16 KiB', async () => {
    const { secret } = await issuer.addClient({ id: 'api', type: 'service', allow: [`${issuer.photos}=photos:read`] })
    const ask = (length: number) =>
      form('/oauth/introspect', { client_id: 'api', client_secret: secret, token: 'x'.repeat(length) })
    assert.deepEqual(await (await ask(16_384)).json(), { active: false })
    assert.equal((await ask(16_385)).status, 400)
  })

  it('a registration has at most 8 KiB', async () => {
    const register = (length: number): Promise<Response> => {
      const metadata = { redirect_uris: ['https://app.example/cb'], client_name: 'App', padding: 'x'.repeat(length) }
      return fetch(`${issuer.url}/oauth/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(metadata),
      })
    }
    assert.equal((await register(8_000)).status, 201)
    assert.equal((await register(8_200)).status, 413)
  })

  it('a budget holds for an address group and for all, and is whole again after a quarter of an hour', async () => {
    const clock = { now: 0 }
    const budget = createRowBudget({ now: () => clock.now, perGroup: 4_000, inAll: 8_000 })
    const spend = (address: string): Promise<boolean> => budget.spend(address, 1_488)
    const inTurn = async (...addresses: string[]): Promise<boolean[]> => {
      const answers = []
      for (const address of addresses) answers.push(await spend(address))
      return answers
    }
    assert.deepEqual(await inTurn('2001:db8::1', '2001:db8:0:1::1', '2001:db8:0:2::1'), [true, true, false])
    assert.deepEqual(await inTurn('192.0.2.1', '192.0.2.2', '192.0.2.3'), [true, true, false])
    clock.now += 15 * 60_000
    assert.equal(await spend('192.0.2.3'), true)
  })

  it('what was begun and left makes room: the oldest of the same address group, else of the group that has most', async () => {
    const budget = createRowBudget({ now: () => 0, perGroup: 4_000, inAll: 8_000 })
    const dropped: string[] = []
    const spend = (name: string, address: string) => budget.spend(address, 1_488, async () => void dropped.push(name))
    for (const name of ['a1', 'a2', 'a3']) assert.equal(await spend(name, '192.0.2.1'), true)
    assert.deepEqual(dropped, ['a1'])
    for (const [name, address] of [
      ['b1', '192.0.2.2'],
      ['c1', '192.0.2.3'],
      ['d1', '192.0.2.4'],
    ] as const)
      assert.equal(await spend(name, address), true)
    assert.deepEqual(dropped, ['a1', 'a2'], 'nobody who holds less has to give way')
  })
})

describe('the owner, at the address of somebody who begins sign-ins without end', () => {
  it('begins one, and goes on with it; what was left longest makes room', async () => {
    const flooded = await startIssuer({ rowsPerGroup: 64 * 1024 })
    try {
      await flooded.addClient({ id: 'cli', type: 'native', redirectUris: [CALLBACK] })
      await flooded.addPerson('alice', ['photos'])
      const options = { clientId: 'cli', redirectUri: CALLBACK, scope: 'photos:read' }
      const begin = () => fetch(authorizationAttempt(flooded.url, options).url, { redirect: 'manual' })
      const uidOf = (location: string | null): string => (location ?? '').split('/').at(-1) ?? ''
      const first = uidOf((await begin()).headers.get('location'))
      assert.ok((await flooded.store.model('Interaction', first)) !== undefined)
      const owner = new Person(flooded.url, 'alice')
      const waiting = await owner.open(authorizationAttempt(flooded.url, options).url)
      const passed = await owner.signIn(waiting)
      for (let round = 0; round < 100; round += 1) assert.equal((await begin()).status, 303, `round ${round}`)
      assert.equal(await flooded.store.model('Interaction', first), undefined)
      assert.ok(passed.url.startsWith(CALLBACK), passed.text)
      const { code } = await new Person(flooded.url, 'alice').authorize(options)
      assert.notEqual(code, '')
      const device = { client_id: 'cli', scope: 'photos:read' }
      const sent = { method: 'POST', body: new URLSearchParams(device) }
      assert.equal((await fetch(`${flooded.url}/oauth/device_authorization`, sent)).status, 200)
    } finally {
      await flooded.close()
    }
  })

  it('keeps a sign-in whose password was right', async () => {
    const flooded = await startIssuer({ rowsPerGroup: 64 * 1024 })
    try {
      await flooded.addClient({ id: 'cli', type: 'native', redirectUris: [CALLBACK], thirdParty: true })
      await flooded.addPerson('alice', ['photos'])
      const options = { clientId: 'cli', redirectUri: CALLBACK, scope: 'photos:read' }
      const owner = new Person(flooded.url, 'alice')
      const consent = await owner.signIn(await owner.open(authorizationAttempt(flooded.url, options).url))
      for (let round = 0; round < 100; round += 1)
        await fetch(authorizationAttempt(flooded.url, options).url, { redirect: 'manual' })
      const away = await owner.decide(consent, 'approve')
      assert.ok(away.url.startsWith(CALLBACK), away.text)
    } finally {
      await flooded.close()
    }
  })
})

describe('a visitor without an account', () => {
  it('leaves nothing in the store by opening the device page or signing out', async () => {
    const written: string[] = []
    const { putModel } = issuer.store
    Object.assign(issuer.store, {
      putModel: (...args: Parameters<typeof putModel>) => {
        written.push(args[0])
        return putModel(...args)
      },
    })
    try {
      await (await fetch(`${issuer.url}/oauth/device`)).text()
      await (await fetch(`${issuer.url}/oauth/logout`, { redirect: 'manual' })).text()
      assert.deepEqual(written, [])
    } finally {
      Object.assign(issuer.store, { putModel })
    }
  })

  it('can type a code in all the same, in the browser that opened the page and in no other', async () => {
    const answered = await form('/oauth/device_authorization', asked)
    const begun: Begun = JSON.parse(await answered.text())
    const person = new Person(issuer.url, 'alice')
    const page = await person.open(begun.verification_uri_complete)
    const forged = await form('/oauth/device', {
      user_code: begun.user_code,
      xsrf: /name="xsrf" value="([^"]+)"/.exec(page.text)?.[1] ?? '',
    })
    assert.equal(forged.status, 303, 'led back to the page')
    const consent = await person.signIn(await person.send(page, formWith(page, 'user_code')))
    await person.decide(consent, 'approve')
    const answer = await form('/oauth/token', {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      device_code: begun.device_code,
      client_id: 'cli',
    })
    assert.equal(answer.status, 200)
  })

  it('gets a new session id when signing in, so that a planted one is worth nothing', async () => {
    const person = new Person(issuer.url, 'alice')
    await person.open(`${issuer.url}/oauth/device`)
    const before = person.cookies().get('audgate_session')
    assert.ok(before)
    await person.signIn(
      await person.open(
        authorizationAttempt(issuer.url, { clientId: 'cli', redirectUri: CALLBACK, scope: 'photos:read' }).url,
      ),
    )
    assert.notEqual(person.cookies().get('audgate_session'), before)
  })
})
