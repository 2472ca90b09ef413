import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import { formWith, post } from '../../support/issuer/browser-less-person.ts'
import {
  type BlackBox,
  CALLBACK,
  callUrl,
  claimsOf,
  Person,
  startBlackBox,
  within,
} from '../../support/issuer/served-issuer.ts'

let box: BlackBox

before(async () => {
  box = await startBlackBox()
  await box.addUser('alice', 'photos,files-editors', '--email', 'alice@example.com', '--name', 'Alice Ångström')
  await box.addApp('cli')
})
after(() => box.close())

/** Goes on from an authorization URL until the client's address, saying yes. */
async function approve(url: string, name = 'alice'): Promise<URL> {
  const person = new Person(box.url, name)
  let page = await person.open(url)
  if (/name="password"/.test(page.text)) page = await person.signIn(page)
  if (page.url.startsWith(box.url)) page = await person.decide(page, 'approve')
  return new URL(page.url)
}

describe('an access token (RFC 9068)', () => {
  it('carries exactly the claims that are promised, and an upstream learns them in headers', async () => {
    const { access, answer } = await box.signIn('alice', { scope: 'photos:read photos:write' })
    const [header = ''] = access.split('.')
    const { alg, typ, kid, ...more } = JSON.parse(Buffer.from(header, 'base64url').toString())
    assert.deepEqual([alg, typ, typeof kid, more], ['ES256', 'at+jwt', 'string', {}])
    const { iat, exp, jti, gid, sub, auth_time, ...claims } = claimsOf(access)
    assert.deepEqual(claims, {
      iss: box.url,
      aud: box.photos,
      client_id: 'cli',
      scope: 'photos:read',
      acr: 'pwd',
      amr: ['pwd'],
      username: 'alice',
      groups: ['photos'],
      email: 'alice@example.com',
      name: 'Alice Ångström',
    })
    assert.equal(Number(exp) - Number(iat), 300)
    assert.ok(Math.abs(Number(iat) - Date.now() / 1000) < 5 && Math.abs(Number(auth_time) - Number(iat)) < 5)
    for (const each of [jti, gid, sub]) assert.equal(typeof each, 'string')
    assert.deepEqual(
      [answer.body.token_type, answer.body.expires_in, answer.body.scope],
      ['Bearer', 300, 'photos:read'],
    )
    assert.match(answer.headers.get('cache-control') ?? '', /no-store/)
    const { headers } = (await box.call(access)).body as { headers: Record<string, string> }
    assert.deepEqual(
      [
        headers['x-auth-username'],
        headers['x-auth-subject'],
        headers['x-auth-groups'],
        headers['x-auth-name'],
        headers.authorization,
      ],
      ['alice', sub, 'photos', 'Alice %C3%85ngstr%C3%B6m', undefined],
    )
    assert.equal((await box.call(access, '/photos/a', 'PUT')).reason, 'insufficient_scope')
    const files = (await box.call(access, '/files/a')).headers.get('www-authenticate') ?? ''
    assert.match(files, new RegExp(`invalid_token.*${box.photos}.*${box.files}`))
  })

  it('`sub` is the same at every sign-in and every client', async () => {
    const [one, two] = [await box.signIn('alice'), await box.signIn('alice')]
    assert.equal(claimsOf(one.access).sub, claimsOf(two.access).sub)
    assert.notEqual(claimsOf(one.access).gid, claimsOf(two.access).gid)
  })

  it('of a service client names the client, and no person', async () => {
    const secret = await box.addSecretClient('robot', 'service', '--allow', `${box.files}=files:read,files:write`)
    const form = {
      grant_type: 'client_credentials',
      client_id: 'robot',
      client_secret: secret,
      resource: box.files,
      scope: 'files:write',
    }
    const { body } = await post(`${box.url}/oauth/token`, form)
    const { iat: _iat, exp: _exp, jti: _jti, ...claims } = claimsOf(body.access_token)
    assert.deepEqual(claims, { iss: box.url, aud: box.files, sub: 'robot', client_id: 'robot', scope: 'files:write' })
    assert.equal(body.refresh_token, undefined)
    assert.equal((await box.call(body.access_token, '/files/a', 'PUT')).status, 200)
    assert.equal((await box.call(body.access_token, '/files/a')).reason, 'insufficient_scope')
    const wider = await post(`${box.url}/oauth/token`, { ...form, resource: box.photos, scope: 'photos:read' })
    assert.equal(wider.body.error, 'invalid_target')
    const wrong = await post(`${box.url}/oauth/token`, { ...form, client_secret: 'wrong' })
    assert.deepEqual([wrong.status, wrong.body.error], [401, 'invalid_client'])
    await box.done('revoke', '--client', 'robot')
    await within(1_000, async () => {
      const { reason } = await box.call(body.access_token, '/files/a', 'PUT')
      return reason === 'revoked' ? undefined : String(reason)
    })
    const anew = await post(`${box.url}/oauth/token`, form)
    assert.equal((await box.call(anew.body.access_token, '/files/a', 'PUT')).status, 200)
  })
})

describe('openid-client', () => {
  const insecure = { execute: [client.allowInsecureRequests] }

  it('signs in with PKCE, PAR, nonce and max_age, reads the ID token and refreshes for another resource', async () => {
    const config = await client.discovery(new URL(box.url), 'cli', undefined, client.None(), insecure)
    const pkceCodeVerifier = client.randomPKCECodeVerifier()
    const expectedNonce = client.randomNonce()
    const expectedState = client.randomState()
    const url = await client.buildAuthorizationUrlWithPAR(config, {
      redirect_uri: CALLBACK,
      scope: 'openid profile email photos:read files:read',
      resource: box.photos,
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      nonce: expectedNonce,
      state: expectedState,
      max_age: '3600',
    })
    assert.deepEqual([...url.searchParams.keys()].sort(), ['client_id', 'request_uri'])
    const back = await approve(url.href)
    const tokens = await client.authorizationCodeGrant(
      config,
      back,
      { pkceCodeVerifier, expectedNonce, expectedState, maxAge: 3600, idTokenExpected: true },
      { resource: box.photos },
    )
    assert.equal(tokens.claims()?.email, 'alice@example.com')
    assert.equal((await box.call(tokens.access_token)).status, 200)
    const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token ?? '')
    assert.equal(claimsOf(refreshed.access_token).aud, box.photos)
  })

  it('reads userinfo with the opaque token that `openid` alone gives, which opens nothing else', async () => {
    const config = await client.discovery(new URL(box.url), 'cli', undefined, client.None(), insecure)
    const { access, answer } = await box.signIn('alice', { scope: 'openid email' })
    assert.equal(access.split('.').length, 1)
    const { sub } = claimsOf(String(answer.body.id_token))
    const told = await client.fetchUserInfo(config, access, String(sub))
    assert.equal(told.email, 'alice@example.com')
    assert.equal((await box.call(access)).reason, 'malformed_token')
    await post(`${box.url}/oauth/revoke`, { token: access, client_id: 'cli' })
    const gone = await callUrl(`${box.url}/oauth/userinfo`, { authorization: `Bearer ${access}` })
    assert.equal(gone.status, 401)
    assert.match(gone.headers.get('www-authenticate') ?? '', /invalid_token/)
  })

  it('signs in by the device flow: polls, is told to wait, and gets its token once the person has approved', async () => {
    const config = await client.discovery(new URL(box.url), 'cli', undefined, client.None(), insecure)
    const begun = await client.initiateDeviceAuthorization(config, { scope: 'photos:read', resource: box.photos })
    assert.ok(begun.verification_uri_complete?.includes(begun.user_code) && (begun.interval ?? 0) >= 1)
    const early = await post(`${box.url}/oauth/token`, {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      device_code: begun.device_code,
      client_id: 'cli',
    })
    assert.deepEqual([early.status, early.body.error], [400, 'authorization_pending'])
    const person = new Person(box.url, 'alice')
    let page = await person.open(begun.verification_uri)
    page = await person.send(page, formWith(page, 'user_code'), {
      user_code: begun.user_code.toLowerCase().replace('-', ' '),
    })
    page = await person.signIn(page)
    assert.match(page.text, /value="approve"/, 'approval is always asked, of first-party clients too')
    page = await person.decide(page, 'approve')
    assert.match(page.text, /connected/)
    const tokens = await client.pollDeviceAuthorizationGrant(config, { ...begun, interval: 1 })
    assert.equal((await box.call(tokens.access_token)).status, 200)
    assert.ok(tokens.refresh_token)
  })

  it('uses a web client with its secret, by basic and by post', async () => {
    const secret = await box.addSecretClient('website', 'web', '--redirect-uri', 'http://localhost:7002/cb')
    for (const method of [client.ClientSecretBasic(secret), client.ClientSecretPost(secret)]) {
      const config = await client.discovery(new URL(box.url), 'website', undefined, method, insecure)
      const pkceCodeVerifier = client.randomPKCECodeVerifier()
      const url = client.buildAuthorizationUrl(config, {
        redirect_uri: 'http://localhost:7002/cb',
        scope: 'photos:read',
        code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: 'S256',
      })
      const tokens = await client.authorizationCodeGrant(config, await approve(url.href), { pkceCodeVerifier })
      assert.equal((await box.call(tokens.access_token)).status, 200)
    }
  })
})

describe('oauth4webapi', () => {
  it('gets a DPoP-bound token and uses it at the gateway; as Bearer, or with another proof, it is refused', async () => {
    const server = await oauth
      .discoveryRequest(new URL(box.url), { algorithm: 'oauth2', [oauth.allowInsecureRequests]: true })
      .then((response) => oauth.processDiscoveryResponse(new URL(box.url), response))
    const app: oauth.Client = { client_id: 'cli' }
    const keys = await oauth.generateKeyPair('ES256')
    const DPoP = oauth.DPoP(app, keys)
    const verifier = oauth.generateRandomCodeVerifier()
    const url = new URL(server.authorization_endpoint ?? '')
    url.search = new URLSearchParams({
      response_type: 'code',
      client_id: 'cli',
      redirect_uri: CALLBACK,
      scope: 'photos:read',
      resource: box.photos,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    }).toString()
    const parameters = oauth.validateAuthResponse(server, app, await approve(url.href))
    const options = { DPoP, [oauth.allowInsecureRequests]: true }
    const response = await oauth.authorizationCodeGrantRequest(
      server,
      app,
      oauth.None(),
      parameters,
      CALLBACK,
      verifier,
      options,
    )
    const tokens = await oauth.processAuthorizationCodeResponse(server, app, response)
    assert.equal(tokens.token_type, 'dpop')
    assert.equal(typeof (claimsOf(tokens.access_token).cnf as { jkt?: string }).jkt, 'string')
    const target = new URL(`${box.photos}/a?b=c`)
    const asked = await oauth.protectedResourceRequest(
      tokens.access_token,
      'GET',
      target,
      undefined,
      undefined,
      options,
    )
    assert.equal(asked.status, 200)
    assert.equal((await box.call(tokens.access_token)).reason, 'not_bound')
    const stolen = { ...options, DPoP: oauth.DPoP(app, await oauth.generateKeyPair('ES256')) }
    await assert.rejects(
      oauth.protectedResourceRequest(tokens.access_token, 'GET', target, undefined, undefined, stolen),
    )
    const refresh = await oauth.refreshTokenGrantRequest(server, app, oauth.None(), tokens.refresh_token ?? '', options)
    const next = await oauth.processRefreshTokenResponse(server, app, refresh)
    assert.equal(next.token_type, 'dpop')
    const unbound = await box.refresh(next.refresh_token ?? '')
    assert.ok(['invalid_grant', 'invalid_dpop_proof', 'invalid_request'].includes(String(unbound.body.error)))
    assert.equal(unbound.body.access_token, undefined)
  })

  it('introspects and revokes', async () => {
    const server = await oauth
      .discoveryRequest(new URL(box.url), { [oauth.allowInsecureRequests]: true })
      .then((response) => oauth.processDiscoveryResponse(new URL(box.url), response))
    const app: oauth.Client = { client_id: 'cli' }
    const { access } = await box.signIn('alice')
    const options = { [oauth.allowInsecureRequests]: true }
    const inspect = async () =>
      oauth.processIntrospectionResponse(
        server,
        app,
        await oauth.introspectionRequest(server, app, oauth.None(), access, options),
      )
    assert.equal((await inspect()).active, true)
    await oauth.processRevocationResponse(await oauth.revocationRequest(server, app, oauth.None(), access, options))
    assert.deepEqual(await inspect(), { active: false })
  })
})
