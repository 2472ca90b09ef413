import assert from 'node:assert/strict'
import { request } from 'node:http'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { authorizationAttempt, Person, redeem } from '../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, PASSWORD, startIssuer } from '../support/issuer/issuer-under-test.ts'

const redirectUri = 'http://127.0.0.1:7001/cb'
const options = { clientId: 'cli', redirectUri, scope: 'openid photos:read' }
let issuer: IssuerUnderTest
/** Tokens and a code, and what is no secret. */
const words: string[] = []

before(async () => {
  issuer = await startIssuer({ settings: { registration: 'open' } })
  await issuer.addPerson('alice', ['photos'])
  await issuer.addClient({ id: 'cli', type: 'native', redirectUris: [redirectUri] })
  await issuer.addClient({ id: 'web', type: 'web', redirectUris: ['https://web.example.com/cb'] })
  const answer = await new Person(issuer.url, 'alice').authorize(options)
  const { body } = await redeem(issuer.url, answer, options)
  words.push(String(body.access_token), String(body.refresh_token), String(body.id_token), answer.code, issuer.photos)
})
after(() => issuer.close())

const PATHS = [
  '/oauth/authorize',
  '/oauth/token',
  '/oauth/revoke',
  '/oauth/introspect',
  '/oauth/device_authorization',
  '/oauth/device',
  '/oauth/par',
  '/oauth/userinfo',
  '/oauth/logout',
  '/oauth/logout/confirm',
  '/oauth/logout/success',
  '/oauth/register',
  ...['sign-in', 'consent', 'deny', 'switch', 'again', 'go-on', 'code', 'passkey', 'enrol-app', 'constructor'].map(
    (step) => `/oauth/interaction/x/${step}`,
  ),
  ...['start', 'callback', 'name-taken', ''].map((step) => `/oauth/providers/x/${step}`),
  '/oauth/authorize/x',
  '/oauth/device/x',
  '/account',
  ...['password', 'sign-in', 'sign-in-code', 'sign-in-passkey', 'enrol-app', 'enrol-app-confirm', 'enrol-passkey'].map(
    (step) => `/account/${step}`,
  ),
  ...['connect', 'my-data', 'link', 'link/done', 'passkey-confirm', 'factor-remove', 'constructor'].map(
    (step) => `/account/${step}`,
  ),
  '/.well-known/openid-configuration',
]
const NAMES = [
  'client_id',
  'client_secret',
  'redirect_uri',
  'response_type',
  'response_mode',
  'scope',
  'resource',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
  'prompt',
  'max_age',
  'claims',
  'request',
  'request_uri',
  'id_token_hint',
  'login_hint',
  'acr_values',
  'dpop_jkt',
  'authorization_details',
  'registration',
  'grant_type',
  'code',
  'code_verifier',
  'refresh_token',
  'device_code',
  'user_code',
  'token',
  'token_type_hint',
  'post_logout_redirect_uri',
  'logout',
  'xsrf',
  'csrf',
  'username',
  'password',
  'current_password',
  'new_password',
  'passed',
  'ceremony',
  'passkey',
  'enrolment',
  'link',
  'remember',
  'decision',
  '__proto__',
  'constructor',
]
const VALUES = [
  '',
  'cli',
  'web',
  'code',
  'S256',
  redirectUri,
  'openid',
  'photos:read',
  'openid photos:read files:write',
  'login',
  'none',
  'consent',
  'x'.repeat(43),
  '-1',
  '999999999999999999999',
  '{}',
  '{"userinfo":null,"id_token":5}',
  '[',
  'urn:ietf:params:oauth:request_uri:x',
  'authorization_code',
  'refresh_token',
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:device_code',
  'form_post',
  'fragment',
  'eyJhbGciOiJub25lIn0.e30.',
  'https://evil.example.com/',
  'javascript:alert(1)',
  '//x',
  '%',
  '\u0000',
  '\u202e',
  '\ud800',
  PASSWORD,
  'é'.repeat(500),
]

interface Sent {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

function send({ method, path, headers, body }: Sent): Promise<{ status: number; text: string; location: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`${issuer.url}${path}`, { method, headers, agent: false }, (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (chunk: string) => {
        text += chunk
      })
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text, location: answer.headers.location ?? '' }))
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/** A refusal leaves one line, and no line holds a secret, wherever somebody has put it. */
function assertTold(status: number): void {
  const lines = issuer.events.filter(({ event }) => event !== 'device.asked')
  const text = JSON.stringify(lines)
  if (status >= 400 && status !== 404) assert.equal(lines.length, 1, `${status} ${text}`)
  assert.ok(!lines.some(({ event }) => event === 'issuer.fault'), text)
  for (const secret of [...words.slice(0, 4), PASSWORD]) assert.ok(!text.includes(secret), text)
}

describe('whatever is sent', () => {
  const value = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...VALUES) },
    { weight: 2, arbitrary: fc.nat(4).map((index) => words[index] ?? '') },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
  )
  const parameters = fc.array(fc.tuple(fc.constantFrom(...NAMES), value), { maxLength: 14 })
  const header = fc.constantFrom<Readonly<Record<string, string>>>(
    {},
    { authorization: 'Basic Y2xpOng=' },
    { authorization: 'Basic %%%' },
    { authorization: 'Bearer x' },
    { dpop: 'x.y.z' },
    { cookie: 'audgate_session=x; audgate_session.sig=y; audgate_interaction=x; audgate_resume=x' },
    { accept: 'text/html' },
    { origin: 'https://evil.example.com' },
    { 'content-type': 'application/json' },
    { 'content-type': 'multipart/form-data; boundary=x' },
    { 'oauth-client-attestation': 'x' },
  )

  it('no endpoint crashes, answers 5xx, or leads to a place that was not registered', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('GET', 'POST', 'POST', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'),
        fc.constantFrom(...PATHS),
        header,
        parameters,
        parameters,
        async (method, path, headers, query, form) => {
          const written = (pairs: readonly (readonly [string, string])[]) =>
            new URLSearchParams(pairs.map(([name, text]): [string, string] => [name, text])).toString()
          const body = method === 'POST' ? written(form) : ''
          const type = { 'content-type': 'application/x-www-form-urlencoded', ...headers }
          const target = query.length === 0 ? path : `${path}?${written(query)}`
          issuer.events.length = 0
          const answer = await send({ method, path: target, headers: method === 'POST' ? type : headers, body })
          assert.ok(answer.status > 0 && answer.status < 500, `${answer.status} ${answer.text}`)
          assertTold(answer.status)
          // A form that is asked again by address carries what it held.
          const again = answer.location.startsWith(`${path}?`)
          if (!again) assert.doesNotMatch(answer.location, /evil|javascript/)
        },
      ),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 600) },
    )
    const fault = issuer.events.find(({ event }) => event === 'issuer.fault')
    assert.equal(fault, undefined, JSON.stringify(fault))
  })

  it('an authorization request with anything changed leads home or to the registered address', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...NAMES), value, async (name, text) => {
        const url = new URL(authorizationAttempt(issuer.url, options).url)
        url.searchParams.set(name, text)
        const answer = await send({ method: 'GET', path: `${url.pathname}${url.search}`, headers: {}, body: '' })
        assert.ok(answer.status < 500, `${name} ${answer.text}`)
        if (answer.location === '') return
        const home = answer.location.startsWith('/oauth/') || answer.location.startsWith(`${issuer.url}/oauth/`)
        assert.ok(
          home ||
            answer.location.startsWith(redirectUri.replace(/:7001/, ':')) ||
            answer.location.startsWith(redirectUri),
          answer.location,
        )
      }),
      { numRuns: 300 },
    )
  })

  it('registrations of any JSON are answered', async () => {
    const member = fc.constantFrom(
      'redirect_uris',
      'grant_types',
      'response_types',
      'client_name',
      'contacts',
      'jwks',
      'client_uri',
      'scope',
      'token_endpoint_auth_method',
      'application_type',
      'post_logout_redirect_uris',
      'dpop_bound_access_tokens',
    )
    const anything = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom(['https://a.example.com/cb'], ['code'], 'none', ['authorization_code']),
    )
    let round = 0
    await fc.assert(
      fc.asyncProperty(fc.dictionary(member, anything), async (metadata) => {
        round += 1
        // From another address each, or the limit would answer.
        if (round % 50 === 0) await issuer.store.clearThrottle('registration 127.0.0.1')
        const headers = { 'content-type': 'application/json' }
        const answer = await send({ method: 'POST', path: '/oauth/register', headers, body: JSON.stringify(metadata) })
        assert.ok(answer.status < 500, `${answer.status} ${answer.text} ${JSON.stringify(metadata)}`)
      }),
      { numRuns: 200 },
    )
  })
})
