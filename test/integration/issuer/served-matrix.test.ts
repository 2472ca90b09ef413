import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  authorizationAttempt,
  formsOf,
  formWith,
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

const MUSIC = 'https://music.example.com'
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
let box: BlackBox
let secret = ''

/** What comes of asking one way: a token, or an error and where it came from. */
interface Outcome {
  readonly error?: string | undefined
  readonly description?: string | undefined
  readonly status?: number | undefined
  readonly token?: string | undefined
  readonly scope?: string | undefined
}

/** @param resources the `resource` parameters. Asks with everything that is there as the scope, unless said otherwise. */
type Way = (resources: readonly string[], scope: string, username: string) => Promise<Outcome>

before(async () => {
  box = await startBlackBox()
  await box.addUser('alice', 'photos,files')
  await box.addUser('bob', 'files')
  await box.addApp('cli')
  secret = await box.addSecretClient(
    'robot',
    'service',
    '--allow',
    `${box.photos}=photos:read`,
    '--allow',
    `${MUSIC}=music:hear`,
  )
})
after(() => box.close())

const fromTokens = ({ status, body }: TokenAnswer): Outcome => ({
  status,
  error: body.error,
  description: body.error_description,
  token: body.access_token,
  scope: body.scope,
})

/** Follows an authorization request to its end; a denied page is left by its way back to the client. */
async function toTheClient(person: Person, url: string): Promise<URLSearchParams> {
  let page = await person.open(url)
  if (/name="password"/.test(page.text)) page = await person.signIn(page)
  const [leave] = formsOf(page)
  if (page.url.startsWith(box.url) && leave !== undefined) page = await person.send(page, leave, {}, leave.buttons[0])
  assert.ok(page.url.startsWith(CALLBACK), page.text)
  return new URL(page.url).searchParams
}

async function authorized(person: Person, url: string, verifier: string): Promise<Outcome> {
  const back = await toTheClient(person, url)
  assert.equal(back.get('iss'), box.url, 'RFC 9207')
  const code = back.get('code')
  if (code === null) {
    return { error: back.get('error') ?? undefined, description: back.get('error_description') ?? undefined }
  }
  return fromTokens(await redeem(box.url, { code, verifier }, { clientId: 'cli', redirectUri: CALLBACK }))
}

const WAYS: Readonly<Record<string, Way>> = {
  'code, at authorize': (resource, scope, username) => {
    const attempt = authorizationAttempt(box.url, { clientId: 'cli', redirectUri: CALLBACK, scope, resource })
    return authorized(new Person(box.url, username), attempt.url, attempt.verifier)
  },
  'PAR and code, at PAR': async (resource, scope, username) => {
    const attempt = authorizationAttempt(box.url, { clientId: 'cli', redirectUri: CALLBACK, scope, resource })
    const { searchParams } = new URL(attempt.url)
    const form = Object.fromEntries([...searchParams.keys()].map((name) => [name, searchParams.getAll(name)]))
    const pushed = await post(`${box.url}/oauth/par`, form)
    if (pushed.status !== 201) return fromTokens(pushed)
    const url = `${box.url}/oauth/authorize?${new URLSearchParams({ client_id: 'cli', request_uri: String(pushed.body.request_uri) })}`
    return authorized(new Person(box.url, username), url, attempt.verifier)
  },
  'code, at the token endpoint': async (resource, _scope, username) => {
    const options = {
      clientId: 'cli',
      redirectUri: CALLBACK,
      scope: username === 'bob' ? 'files:read' : 'photos:read music:hear',
    }
    const attempt = await new Person(box.url, username).authorize(options)
    const answer = await redeem(box.url, attempt, { ...options, resource })
    if (answer.status !== 200) {
      assert.equal((await redeem(box.url, attempt, options)).status, 200, 'the code was burnt by a refusal')
    }
    return fromTokens(answer)
  },
  refresh: async (resource, _scope, username) => {
    const { refresh } = await box.signIn(username, {
      scope: username === 'bob' ? 'files:read' : 'photos:read music:hear',
    })
    const ask = (more: object) =>
      post(`${box.url}/oauth/token`, { grant_type: 'refresh_token', refresh_token: refresh, client_id: 'cli', ...more })
    const answer = await ask({ resource })
    if (answer.status !== 200) assert.equal((await ask({})).status, 200, 'the refresh token was lost by a refusal')
    return fromTokens(answer)
  },
  device: async (resource, scope, username) => {
    const begun = await post(`${box.url}/oauth/device_authorization`, { client_id: 'cli', scope, resource })
    if (begun.status !== 200) return fromTokens(begun)
    const person = new Person(box.url, username)
    let page = await person.open(String(begun.body.verification_uri))
    page = await person.send(page, formWith(page, 'user_code'), { user_code: String(begun.body.user_code) })
    if (/name="password"/.test(page.text)) page = await person.signIn(page)
    if (/value="approve"/.test(page.text)) page = await person.decide(page, 'approve')
    else {
      const [leave] = formsOf(page)
      if (leave !== undefined) await person.send(page, leave, {}, leave.buttons[0])
    }
    const redeemed = { grant_type: DEVICE, device_code: String(begun.body.device_code), client_id: 'cli' }
    return fromTokens(await post(`${box.url}/oauth/token`, redeemed))
  },
  'client credentials': async (resource, scope) => {
    const basic = `Basic ${Buffer.from(`robot:${secret}`).toString('base64')}`
    const form = { grant_type: 'client_credentials', scope, resource }
    return fromTokens(await post(`${box.url}/oauth/token`, form, { authorization: basic }))
  },
}

interface Case {
  readonly what: string
  readonly resource: () => readonly string[]
  readonly scope?: string
  readonly username?: string
  /** Its audience, or an error. */
  readonly expect: (way: string) => { readonly aud?: string; readonly error?: RegExp }
}

const aud = (value: () => string) => () => ({ aud: value() })
const invalidTarget = () => ({ error: /^invalid_target$/ })
const atTokenEndpoint = (way: string): boolean => way === 'refresh' || way === 'code, at the token endpoint'

const CASES: readonly Case[] = [
  { what: 'allowed', resource: () => [box.photos], expect: aud(() => box.photos) },
  { what: 'allowed, the other one', resource: () => [MUSIC], expect: aud(() => MUSIC) },
  {
    what: 'in another case of scheme and host',
    resource: () => ['HTTPS://Music.Example.COM'],
    expect: aud(() => MUSIC),
  },
  { what: 'with a slash after an empty path', resource: () => [`${MUSIC}/`], expect: aud(() => MUSIC) },
  { what: 'with a slash after a path', resource: () => [`${box.photos}/`], expect: invalidTarget },
  { what: 'in another case of the path', resource: () => [`${box.url}/Photos`], expect: invalidTarget },
  { what: 'with a query', resource: () => [`${box.photos}?a`], expect: invalidTarget },
  { what: 'unknown', resource: () => ['https://elsewhere.example.com/photos'], expect: invalidTarget },
  { what: 'the issuer itself', resource: () => [box.url], expect: invalidTarget },
  { what: 'with a fragment', resource: () => [`${box.photos}#part`], expect: invalidTarget },
  { what: 'with an empty fragment', resource: () => [`${box.photos}#`], expect: invalidTarget },
  { what: 'relative', resource: () => ['/photos'], expect: invalidTarget },
  { what: 'no URI', resource: () => ['photos'], expect: invalidTarget },
  {
    what: 'known but not granted',
    resource: () => [box.files],
    scope: 'files:read',
    expect: (way) => (atTokenEndpoint(way) || way === 'client credentials' ? invalidTarget() : { aud: box.files }),
  },
  {
    what: 'forbidden by group',
    resource: () => [box.photos],
    username: 'bob',
    expect: (way) =>
      way === 'client credentials'
        ? { aud: box.photos }
        : { error: atTokenEndpoint(way) ? /^invalid_target$/ : /^access_denied$/ },
  },
  {
    what: 'repeated, the same',
    resource: () => [box.photos, box.photos],
    expect: (way) => (atTokenEndpoint(way) || way === 'client credentials' ? invalidTarget() : { aud: box.photos }),
  },
  {
    what: 'two different ones',
    resource: () => [MUSIC, box.photos],
    expect: (way) => (atTokenEndpoint(way) || way === 'client credentials' ? invalidTarget() : { aud: MUSIC }),
  },
  {
    what: 'one good and one unknown',
    resource: () => [box.photos, 'https://elsewhere.example.com'],
    expect: invalidTarget,
  },
  { what: 'missing', resource: () => [], scope: 'photos:read', expect: aud(() => box.photos) },
  {
    what: 'without one of its scopes',
    resource: () => [box.photos],
    scope: 'music:hear',
    expect: (way) => (atTokenEndpoint(way) ? { aud: box.photos } : { error: /^invalid_scope$/ }),
  },
]

for (const [way, ask] of Object.entries(WAYS)) {
  describe(`resource by ${way}`, { concurrency: 2 }, () => {
    for (const { what, resource, scope = 'photos:read music:hear', username = 'alice', expect } of CASES) {
      it(what, async () => {
        const expected = expect(way)
        const outcome = await ask(resource(), scope, username)
        if (expected.error !== undefined) {
          assert.match(outcome.error ?? `a token for ${claimsOf(outcome.token).aud}`, expected.error)
          if (outcome.status !== undefined) assert.equal(outcome.status, 400)
          if (outcome.error === 'invalid_target') assert.match(outcome.description ?? '', /resource/)
          if (outcome.error === 'invalid_scope') assert.match(outcome.description ?? '', /photos:read photos:write/)
          return
        }
        assert.equal(outcome.error, undefined, outcome.description)
        const claims = claimsOf(outcome.token)
        assert.equal(claims.aud, expected.aud)
        assert.equal(claims.scope, outcome.scope)
        const of =
          new URL(String(claims.aud)).hostname === 'music.example.com' ? 'music' : String(claims.aud).split('/').at(-1)
        assert.match(String(claims.scope), new RegExp(`^${of}:\\w+$`), 'scopes of that resource only')
        if (of === 'music') return
        const path = `/${of}/a`
        assert.equal((await callUrl(`${box.url}${path}`, { authorization: `Bearer ${outcome.token}` })).status, 200)
      })
    }
  })
}
