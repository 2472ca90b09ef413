import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import * as client from 'openid-client'
import {
  type AuthorizeOptions,
  askToken,
  authorizationAttempt,
  claimsOf,
  formsOf,
  Person,
  redeem,
  type TokenAnswer,
} from '../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../support/issuer/issuer-under-test.ts'

const redirectUri = 'https://app.example.com/cb'
let issuer: IssuerUnderTest
let webSecret: string

before(async () => {
  issuer = await startIssuer()
  await issuer.addPerson('alice', ['photos'], { name: 'Alice Lindgren', email: 'alice@example.com' })
  await issuer.addClient({ id: 'app', type: 'spa', redirectUris: [redirectUri] })
  await issuer.addClient({ id: 'print', type: 'spa', redirectUris: [redirectUri], thirdParty: true })
  const web = { id: 'web', type: 'web', redirectUris: ['https://web.example.com/cb'] } as const
  webSecret = (await issuer.addClient(web)).secret
})
after(() => issuer.close())

const asked: AuthorizeOptions = { clientId: 'app', redirectUri, scope: 'openid profile email' }

async function tokens(options = asked, person = new Person(issuer.url, 'alice')): Promise<TokenAnswer['body']> {
  return (await redeem(issuer.url, await person.authorize(options), options)).body
}

describe('OpenID Connect', () => {
  it('an independent client signs a person in and reads userinfo', async () => {
    const config = await client.discovery(new URL(issuer.url), 'web', webSecret, undefined, {
      execute: [client.allowInsecureRequests],
    })
    const verifier = client.randomPKCECodeVerifier()
    const state = client.randomState()
    const nonce = client.randomNonce()
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri: 'https://web.example.com/cb',
      scope: 'openid profile email',
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    })
    const alice = new Person(issuer.url, 'alice')
    const page = await alice.signIn(await alice.open(url.href))
    const answer = await client.authorizationCodeGrant(config, new URL(page.url), {
      pkceCodeVerifier: verifier,
      expectedState: state,
      expectedNonce: nonce,
      idTokenExpected: true,
    })
    const sub = answer.claims()?.sub ?? ''
    const facts = await client.fetchUserInfo(config, answer.access_token, sub)
    assert.equal(facts.name, 'Alice Lindgren')
    assert.equal(facts.preferred_username, 'alice')
    assert.equal(facts.email, 'alice@example.com')
    const renewed = await client.refreshTokenGrant(config, answer.refresh_token ?? '')
    assert.equal(renewed.claims()?.sub, sub)
  })

  it('Core §3.1.2.1, RP-Initiated Logout §2: a request by POST is led to the same by GET, query and form together', async () => {
    for (const path of ['/oauth/authorize', '/oauth/logout']) {
      const answer = await fetch(`${issuer.url}${path}?state=a%20b`, {
        method: 'POST',
        redirect: 'manual',
        body: new URLSearchParams({ client_id: 'app', scope: 'openid email' }),
      })
      const location = `${path}?state=a+b&client_id=app&scope=openid+email`
      assert.deepEqual([answer.status, answer.headers.get('location')], [303, location])
      assert.equal((await fetch(`${issuer.url}${path}`, { method: 'POST', body: '{}' })).status, 400)
    }
  })

  it('Core §5.4: userinfo tells what the scopes cover and no more', async () => {
    const { access_token } = await tokens({ ...asked, scope: 'openid' })
    const answer = await fetch(`${issuer.url}/oauth/userinfo`, { headers: { authorization: `Bearer ${access_token}` } })
    assert.deepEqual(Object.keys((await answer.json()) as object), ['sub'])
  })

  it('Core §5.1, §5.4: the ID token and userinfo tell profile, groups and the verified mail address', async () => {
    const { access_token, id_token } = await tokens()
    const answer = await fetch(`${issuer.url}/oauth/userinfo`, { headers: { authorization: `Bearer ${access_token}` } })
    const told = (await answer.json()) as Record<string, unknown>
    for (const facts of [told, claimsOf(id_token)]) {
      const { name, preferred_username: username, groups, email, email_verified: verified } = facts
      assert.deepEqual([name, username, groups], ['Alice Lindgren', 'alice', ['photos']])
      assert.deepEqual([email, verified], ['alice@example.com', true])
    }
  })

  it('Core §5.5: a claim that is asked for by itself is answered where it was asked for', async () => {
    const claims = JSON.stringify({ id_token: { name: null }, userinfo: { email: { essential: true } } })
    const { access_token, id_token } = await tokens({ ...asked, scope: 'openid', more: { claims } })
    assert.equal(claimsOf(id_token).name, 'Alice Lindgren')
    const answer = await fetch(`${issuer.url}/oauth/userinfo`, { headers: { authorization: `Bearer ${access_token}` } })
    const { email } = (await answer.json()) as Record<string, unknown>
    assert.equal(email, 'alice@example.com')
  })

  it('Core §5.5: a claim that is asked for by itself is given only where the person allows its scope', async () => {
    const claims = JSON.stringify({ id_token: { email: null }, userinfo: { email: null } })
    const printing = { ...asked, clientId: 'print', scope: 'openid', more: { claims } }
    const person = new Person(issuer.url, 'alice')
    const attempt = await person.authorize(printing, ['openid'])
    const { access_token, id_token } = (await redeem(issuer.url, attempt, printing)).body
    assert.equal(claimsOf(id_token).email, undefined)
    const answer = await fetch(`${issuer.url}/oauth/userinfo`, { headers: { authorization: `Bearer ${access_token}` } })
    assert.deepEqual(Object.keys((await answer.json()) as object), ['sub'])
  })

  it('Core §3.1.2.1: what clients send of OpenID Connect is answered, known here or not', async () => {
    for (const prompt of ['select_account', 'create', 'select_account consent', 'something-of-their-own']) {
      const { code } = await new Person(issuer.url, 'alice').authorize({ ...asked, more: { prompt } })
      assert.notEqual(code, '', prompt)
    }
    const alice = new Person(issuer.url, 'alice')
    await tokens(asked, alice)
    const chosen = await alice.open(
      authorizationAttempt(issuer.url, { ...asked, more: { prompt: 'select_account' } }).url,
    )
    assert.match(chosen.text, /name="password"/)
    const silent = await alice.authorize({ ...asked, more: { prompt: 'none login' } })
    assert.equal(new URL(silent.url).searchParams.get('error'), 'invalid_request')
    const more = { nonce: 'n', acr_values: 'gold', claims: '{}', display: 'popup', ui_locales: 'de', unheard_of: 'x' }
    const plain = await alice.authorize({ ...asked, scope: 'photos:read', more })
    assert.notEqual(plain.code, '')
  })

  it('Core §2: the ID token is for the client and signed with its own type', async () => {
    const { id_token } = await tokens()
    const claims = claimsOf(id_token)
    assert.equal(claims.aud, 'app')
    assert.equal(claims.iss, issuer.url)
    const header = JSON.parse(Buffer.from(String(id_token).split('.')[0] ?? '', 'base64url').toString())
    assert.notEqual(header.typ, 'at+jwt')
    assert.equal(header.alg, 'ES256')
  })

  it('Core §3.1.2.1: max_age and prompt=login ask for a new sign-in', async () => {
    const alice = new Person(issuer.url, 'alice')
    await tokens(asked, alice)
    for (const more of [{ max_age: '0' }, { prompt: 'login' }] as Record<string, string>[]) {
      const page = await alice.open(
        `/oauth/authorize?${new URLSearchParams({
          response_type: 'code',
          client_id: 'app',
          redirect_uri: redirectUri,
          scope: 'openid',
          code_challenge: 'x'.repeat(43),
          code_challenge_method: 'S256',
          ...more,
        })}`,
      )
      assert.match(page.text, /name="password"/)
    }
  })

  it('userinfo of a disabled user is 401', async () => {
    const user = await issuer.addPerson('zoe', [])
    const { access_token } = await tokens({ ...asked, scope: 'openid' }, new Person(issuer.url, 'zoe'))
    await issuer.acts.disableUser(user.sub, 'test')
    const answer = await fetch(`${issuer.url}/oauth/userinfo`, { headers: { authorization: `Bearer ${access_token}` } })
    assert.equal(answer.status, 401)
  })
})

describe('OpenID Connect RP-Initiated Logout', () => {
  it('§2: asks first, then ends the session; what apps hold goes on', async () => {
    const alice = new Person(issuer.url, 'alice')
    const { id_token, refresh_token } = await tokens(asked, alice)
    const query = new URLSearchParams({
      id_token_hint: String(id_token),
      post_logout_redirect_uri: redirectUri,
      state: 's1',
    })
    const page = await alice.open(`/oauth/logout?${query}`)
    assert.match(page.text, /Sign out\?/)
    const [form] = formsOf(page)
    assert.ok(form)
    const after = await alice.send(page, form, {}, 'logout=yes')
    assert.equal(after.url, `${redirectUri}?state=s1`)
    const next = await alice.authorize({ ...asked, more: { prompt: 'none' } })
    assert.equal(new URL(next.url).searchParams.get('error'), 'login_required')
    const again = await askToken(issuer.url, { grant_type: 'refresh_token', refresh_token, client_id: 'app' })
    assert.equal(again.status, 200)
  })

  it('§3: never redirects to what was not registered', async () => {
    const alice = new Person(issuer.url, 'alice')
    const { id_token } = await tokens(asked, alice)
    for (const uri of ['https://evil.example.com/', `${redirectUri}/x`, 'javascript:alert(1)', '//evil.example.com']) {
      const query = new URLSearchParams({ id_token_hint: String(id_token), post_logout_redirect_uri: uri })
      const page = await alice.open(`/oauth/logout?${query}`)
      assert.equal(page.status, 400)
      assert.equal(new URL(page.url).origin, issuer.url)
    }
  })

  it('staying signed in keeps the session', async () => {
    const alice = new Person(issuer.url, 'alice')
    await tokens(asked, alice)
    const page = await alice.open('/oauth/logout')
    const [form] = formsOf(page)
    assert.ok(form)
    await alice.send(page, form)
    assert.notEqual((await alice.authorize({ ...asked, more: { prompt: 'none' } })).code, '')
  })

  it('who is signed out already is led on at once, without a script', async () => {
    const page = await new Person(issuer.url, 'alice').open('/oauth/logout')
    assert.match(page.text, /You are signed out/)
    assert.doesNotMatch(page.text, /<script/)
  })

  it('a form of another site signs nobody out', async () => {
    const alice = new Person(issuer.url, 'alice')
    await tokens(asked, alice)
    const page = await alice.open('/oauth/logout')
    const [form] = formsOf(page)
    assert.ok(form)
    const forged = await alice.open('/oauth/logout/confirm', {
      method: 'POST',
      body: `${form.fields}&logout=yes`,
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin: 'https://evil.example.com' },
    })
    assert.equal(forged.status, 403)
  })
})
