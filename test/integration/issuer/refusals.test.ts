import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { authorizationAttempt, formWith, Person } from '../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../../support/issuer/issuer-under-test.ts'

const CALLBACK = 'http://127.0.0.1:7001/cb'
const SECRET = 'never-in-a-log-7f3a'
let issuer: IssuerUnderTest

before(async () => {
  issuer = await startIssuer({ settings: { registration: 'open' } })
  await issuer.addClient({ id: 'cli', type: 'native', redirectUris: [CALLBACK] })
  await issuer.addClient({ id: 'web', type: 'web', redirectUris: ['https://web.example/cb'] })
  await issuer.addPerson('alice', ['photos'])
})
after(() => issuer.close())

const url = (path: string, parameters: Record<string, string> = {}): string =>
  `${issuer.url}${path}?${new URLSearchParams(parameters)}`
const get = (target: string, headers: Record<string, string> = {}) => fetch(target, { headers, redirect: 'manual' })
const form = (path: string, parameters: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(`${issuer.url}${path}`, { method: 'POST', body: new URLSearchParams(parameters), headers, redirect: 'manual' })
const register = (metadata: unknown) =>
  fetch(`${issuer.url}/oauth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(metadata),
  })
const signInPage = async (person: Person) =>
  person.open(authorizationAttempt(issuer.url, { clientId: 'cli', redirectUri: CALLBACK, scope: 'photos:read' }).url)
const long = 'x'.repeat(3000)

/** Each refusal that a stranger can cause: the event of its line, and what causes it. Every secret in it is {@link SECRET}. */
const REFUSALS: Readonly<Record<string, readonly [event: string, cause: () => Promise<unknown>]>> = {
  'a token request without a grant type': ['token.refused', () => form('/oauth/token', { client_id: 'cli' })],
  'an unknown code': [
    'token.refused',
    () =>
      form('/oauth/token', {
        grant_type: 'authorization_code',
        code: SECRET,
        client_id: 'cli',
        code_verifier: SECRET.repeat(3),
        redirect_uri: CALLBACK,
      }),
  ],
  'an unknown refresh token': [
    'token.refused',
    () => form('/oauth/token', { grant_type: 'refresh_token', refresh_token: SECRET, client_id: 'cli' }),
  ],
  'an unknown device code': [
    'token.refused',
    () =>
      form('/oauth/token', {
        grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
        device_code: SECRET,
        client_id: 'cli',
      }),
  ],
  'an unknown client': [
    'token.refused',
    () => form('/oauth/token', { grant_type: 'refresh_token', refresh_token: SECRET, client_id: 'nobody' }),
  ],
  'a wrong client secret': [
    'token.refused',
    () =>
      form('/oauth/token', {
        grant_type: 'refresh_token',
        refresh_token: SECRET,
        client_id: 'web',
        client_secret: SECRET,
      }),
  ],
  'a token request that is too long': ['token.refused', () => form('/oauth/token', { client_id: long })],
  'a token request by GET': ['token.refused', () => get(url('/oauth/token'))],
  'introspection by nobody': ['introspection.refused', () => form('/oauth/introspect', { token: SECRET })],
  'introspection with a wrong secret': [
    'introspection.refused',
    () => form('/oauth/introspect', { token: SECRET, client_id: 'web', client_secret: SECRET }),
  ],
  'revocation by an unknown client': [
    'revocation.refused',
    () => form('/oauth/revoke', { token: SECRET, client_id: 'nobody' }),
  ],
  'userinfo without a token': ['userinfo.refused', () => get(url('/oauth/userinfo'))],
  'userinfo with a bad token': [
    'userinfo.refused',
    () => get(url('/oauth/userinfo'), { authorization: `Bearer ${SECRET}` }),
  ],
  'a pushed request of an unknown client': [
    'authorization.refused',
    () => form('/oauth/par', { client_id: 'nobody', state: SECRET }),
  ],
  'a pushed request with a foreign redirect URI': [
    'authorization.refused',
    () =>
      form('/oauth/par', {
        client_id: 'cli',
        response_type: 'code',
        redirect_uri: 'https://evil.example/',
        state: SECRET,
      }),
  ],
  'an authorization request of an unknown client': [
    'authorization.refused',
    () => get(url('/oauth/authorize', { client_id: 'nobody', state: SECRET })),
  ],
  'an authorization request without PKCE': [
    'authorization.refused',
    () =>
      get(url('/oauth/authorize', { client_id: 'cli', response_type: 'code', redirect_uri: CALLBACK, state: SECRET })),
  ],
  'an authorization request that is too long': [
    'authorization.refused',
    () => get(url('/oauth/authorize', { client_id: 'cli', login_hint: long })),
  ],
  'a device request of an unknown client': [
    'device.refused',
    () => form('/oauth/device_authorization', { client_id: 'nobody' }),
  ],
  'a device request for an unknown scope': [
    'device.refused',
    () => form('/oauth/device_authorization', { client_id: 'cli', scope: 'nothing' }),
  ],
  'a device request that is too long': [
    'device.refused',
    () => form('/oauth/device_authorization', { client_id: 'cli', login_hint: long }),
  ],
  'a wrong user code': [
    'user_code.refused',
    async () => {
      const person = new Person(issuer.url, 'alice')
      const page = await person.open(`${issuer.url}/oauth/device`)
      await person.send(page, formWith(page, 'user_code'), { user_code: 'BCDF-GHJK' })
    },
  ],
  'a user code from another site': [
    'user_code.refused',
    () => form('/oauth/device', { user_code: SECRET }, { origin: 'https://evil.example' }),
  ],
  'a registration that is no JSON': ['registration.refused', () => form('/oauth/register', { client_name: 'x' })],
  'a registration of a forbidden URI': [
    'registration.refused',
    () => register({ redirect_uris: ['javascript:alert(1)'] }),
  ],
  'a registration without a URI': ['registration.refused', () => register({})],
  'a registration that is too long': ['registration.refused', () => register({ client_name: 'x'.repeat(9000) })],
  'a registration that the library refuses': [
    'registration.refused',
    () => register({ redirect_uris: ['https://a.example/cb'], contacts: 'no list' }),
  ],
  'a sign-in page that has expired': ['interaction.refused', () => get(url('/oauth/interaction/unknown'))],
  'a sign-in form without its guard': [
    'interaction.refused',
    async () => {
      const person = new Person(issuer.url, 'alice', SECRET)
      const page = await signInPage(person)
      await person.send(page, formWith(page, 'password'), { username: 'alice', password: SECRET, csrf: SECRET })
    },
  ],
  'a wrong password': [
    'login.failure',
    async () => {
      const person = new Person(issuer.url, 'alice', SECRET)
      await person.signIn(await signInPage(person))
    },
  ],
  'a password typed where the name belongs': [
    'login.failure',
    async () => {
      const person = new Person(issuer.url, SECRET, SECRET)
      await person.signIn(await signInPage(person))
    },
  ],
  'an account form from another site': [
    'account.refused',
    () => form('/account/sign-in', { username: 'alice', password: SECRET }, { origin: 'https://evil.example' }),
  ],
  'an account form of nobody by a wrong method': [
    'account.refused',
    () => fetch(`${issuer.url}/account`, { method: 'PUT' }),
  ],
  'a step of an authorization that is over': [
    'authorization.refused',
    () => get(url('/oauth/authorize/x', { client_id: 'cli', state: SECRET })),
  ],
  'a step of a device’s approval that is over': [
    'user_code.refused',
    () => get(url('/oauth/device/x', { client_id: 'cli', state: SECRET })),
  ],
  'an authorization request with more than one fault': [
    'authorization.refused',
    () =>
      get(
        url('/oauth/authorize', {
          client_id: 'cli',
          response_type: 'token',
          redirect_uri: 'https://evil.example/',
          scope: 'nothing',
          state: SECRET,
        }),
      ),
  ],
  'a sign-out form without its guard': ['logout.refused', () => form('/oauth/logout/confirm', { xsrf: SECRET })],
  'a page of the account asked for by a script': [
    'page.refused',
    () => get(url('/account'), { 'sec-fetch-dest': 'empty', 'sec-fetch-mode': 'cors' }),
  ],
}

describe('what the issuer refuses', () => {
  for (const [name, [event, cause]] of Object.entries(REFUSALS)) {
    it(`${name} leaves one line, ${event}, without a secret`, async () => {
      issuer.events.length = 0
      const answer = await cause()
      if (answer instanceof Response)
        assert.ok(answer.status >= 303 && answer.status < 500, `${answer.status} ${await answer.text()}`)
      for (let turn = 0; turn < 200 && issuer.events.length === 0; turn++)
        await new Promise((resolve) => setImmediate(resolve))
      const lines = issuer.events.filter(({ event: each }) => each !== 'device.asked')
      assert.deepEqual(
        lines.map((line) => line.event),
        [event],
        JSON.stringify(lines),
      )
      assert.doesNotMatch(JSON.stringify(lines), new RegExp(SECRET))
      if (!(answer instanceof Response) || answer.status < 400) return
      assert.equal(answer.headers.get('cache-control'), 'no-store')
      const { error, reason, fault, page } = lines[0]?.detail ?? {}
      const isPage = /html/.test(answer.headers.get('content-type') ?? '')
      assert.ok(isPage || (error ?? reason ?? fault ?? page) !== undefined, JSON.stringify(lines))
    })
  }

  it('and none of it stands in the store in clear', async () => {
    const kept = await issuer.store.auditsAfter(0, 10_000)
    assert.ok(kept.length > 20)
    assert.doesNotMatch(JSON.stringify(kept), new RegExp(SECRET))
  })

  it('what repeats is kept once and counted, and never pushes the rest out', async () => {
    await issuer.store.audit('consent.granted', { sub: 'kept' }, Math.floor(Date.now() / 1000))
    const before = (await issuer.store.audits(1))[0]?.id ?? 0
    for (let n = 0; n < 30; n++) await form('/oauth/token', { grant_type: 'password', client_id: 'cli' })
    await issuer.restart()
    const kept = (await issuer.store.auditsAfter(before, 100)).filter(
      ({ detail }) => detail.error === 'unsupported_grant_type',
    )
    assert.deepEqual(
      kept.map(({ origin, detail }) => [origin, detail.count]),
      [
        ['stranger', undefined],
        ['stranger', 29],
      ],
    )
  })
})
