import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { auth, type OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js'
import type { OAuthClientInformationFull, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js'
import { authorizationAttempt, claimsOf, formWith, Person, redeem } from '../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../support/issuer/issuer-under-test.ts'

let issuer: IssuerUnderTest

before(async () => {
  issuer = await startIssuer({ settings: { registration: 'open' } })
  await issuer.addPerson('alice', ['photos', 'files'])
})
after(() => issuer.close())

async function register(metadata: unknown, headers: Record<string, string> = {}, at = issuer) {
  const answer = await fetch(`${at.url}/oauth/register`, {
    method: 'POST',
    body: JSON.stringify(metadata),
    headers: { 'content-type': 'application/json', ...headers },
  })
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Record<string, unknown> }
}

describe('RFC 7591: registration', () => {
  it('§3.2.1: registers a public client', async () => {
    const { status, body } = await register({
      client_name: 'Gallery',
      redirect_uris: ['https://gallery.example.com/cb'],
      token_endpoint_auth_method: 'none',
      scope: 'photos:read files:read',
    })
    assert.equal(status, 201, JSON.stringify(body))
    assert.match(String(body.client_id), /^reg_/)
    assert.equal('client_secret' in body, false)
    assert.equal('scope' in body, false, 'what it may have is decided at authorization')
    assert.deepEqual(body.grant_types, ['authorization_code', 'refresh_token'])
  })

  it('§3.2.1: registers a confidential client, and keeps its secret hashed', async () => {
    const redirectUri = 'https://web.example.com/cb'
    const { body } = await register({ redirect_uris: [redirectUri] })
    const secret = String(body.client_secret)
    assert.match(secret, /^agcs_/)
    const kept = await issuer.store.client(String(body.client_id))
    assert.equal(JSON.stringify(kept).includes(secret), false)
    const options = { clientId: String(body.client_id), redirectUri, scope: 'photos:read' }
    const answer = await new Person(issuer.url, 'alice').authorize(options)
    const tokens = await redeem(issuer.url, answer, { ...options, more: { client_secret: secret } })
    assert.equal(tokens.status, 200, JSON.stringify(tokens.body))
    assert.equal(typeof tokens.body.refresh_token, 'string')
  })

  it('§2: consent shows what it published of itself, in full, and fetches nothing from there', async () => {
    const own = {
      client_uri: 'https://gallery.example.com/',
      policy_uri: 'https://gallery.example.com/privacy?a=1&b=2',
      tos_uri: 'https://gallery.example.com/terms',
      logo_uri: 'https://gallery.example.com/logo.png',
    }
    const redirectUri = 'https://gallery.example.com/cb'
    const { body } = await register({ redirect_uris: [redirectUri], token_endpoint_auth_method: 'none', ...own })
    const options = { clientId: String(body.client_id), redirectUri, scope: 'photos:read photos:write files:read' }
    await issuer.addPerson('ed', ['photos-editors', 'files'])
    const ed = new Person(issuer.url, 'ed')
    const page = await ed.signIn(await ed.open(authorizationAttempt(issuer.url, options).url))
    for (const url of Object.values(own)) {
      const text = url.replace('&', '&#38;')
      assert.ok(page.text.includes(`<a href="${text}" rel="noopener noreferrer">${text}</a>`), url)
    }
    assert.doesNotMatch(page.text, /src="http/)
    const { fields, boxes } = formWith(page, 'scope')
    assert.deepEqual(boxes, ['photos:read', 'photos:write', 'files:read'])
    assert.deepEqual(fields.getAll('scope'), ['photos:read', 'files:read'], 'what writes starts unticked')
  })

  it('§2: an address that is no web address is refused', async () => {
    const good = { redirect_uris: ['https://gallery.example.com/cb'] }
    for (const name of ['client_uri', 'policy_uri', 'tos_uri', 'logo_uri']) {
      for (const uri of ['javascript:alert(1)', 'data:text/html,x', 'not a uri', 7]) {
        const { status, body } = await register({ ...good, [name]: uri })
        assert.deepEqual([status, body.error], [400, 'invalid_client_metadata'], `${name} ${uri}`)
      }
    }
  })

  it('loopback ports are free for it, and consent is asked each time', async () => {
    const { body } = await register({
      redirect_uris: ['http://127.0.0.1/cb', 'http://localhost/cb'],
      token_endpoint_auth_method: 'none',
    })
    const clientId = String(body.client_id)
    for (const redirectUri of ['http://127.0.0.1:4711/cb', 'http://localhost:4712/cb']) {
      const options = { clientId, redirectUri, scope: 'photos:read' }
      const alice = new Person(issuer.url, 'alice')
      const page = await alice.authorize(options, ['nothing on it'])
      assert.match(page.text, /Not verified/)
      assert.match((await alice.decide(page, 'approve', ['photos:read'])).url, /code=/)
    }
  })

  it('RFC 8252 §7.1: registers an app with a scheme of its own, beside https and loopback, with a secret or without', async () => {
    const uris = [
      'cursor://anysphere.cursor-mcp/oauth/callback',
      'https://www.cursor.com/agents/mcp/oauth/callback',
      'http://localhost:8787/callback',
    ]
    for (const redirect_uris of [uris.slice(0, 1), uris]) {
      for (const token_endpoint_auth_method of ['none', 'client_secret_post']) {
        const { status, body } = await register({ client_name: 'Cursor', redirect_uris, token_endpoint_auth_method })
        assert.equal(status, 201, JSON.stringify(body))
        const options = {
          clientId: String(body.client_id),
          redirectUri: String(redirect_uris[0]),
          scope: 'photos:read',
        }
        const alice = new Person(issuer.url, 'alice')
        const page = await alice.authorize(options, ['nothing on it'])
        assert.match(
          (await alice.decide(page, 'approve', ['photos:read'])).url,
          /^cursor:\/\/anysphere\.cursor-mcp\/oauth\/callback\?code=/,
        )
      }
    }
  })

  it('RFC 9700 §4.11.2: an authorization error leads to its address by a page with a link, never by itself', async () => {
    const { body } = await register({
      redirect_uris: ['https://app.example.com/cb'],
      token_endpoint_auth_method: 'none',
    })
    const request = { client_id: String(body.client_id), redirect_uri: 'https://app.example.com/cb', state: 's' }
    for (const more of [
      { response_type: 'code', scope: 'nothing' },
      { response_type: 'token' },
      {
        response_type: 'code',
        scope: 'photos:read',
        prompt: 'none',
        code_challenge: 'x'.repeat(43),
        code_challenge_method: 'S256',
      },
      { response_type: 'code', response_mode: 'form_post' },
      { response_type: 'code', response_mode: 'fragment' },
    ]) {
      const parameters = new URLSearchParams({ ...request, ...more })
      const answer = await fetch(`${issuer.url}/oauth/authorize?${parameters}`, { redirect: 'manual' })
      const text = await answer.text()
      assert.deepEqual([answer.status, answer.headers.get('location')], [400, null], text)
      assert.doesNotMatch(text, /http-equiv|<script|<form/)
      if (!('response_mode' in more && more.response_mode === 'form_post'))
        assert.match(text, /href="https:\/\/app\.example\.com\/cb/)
    }
  })

  for (const [member, value] of Object.entries({
    post_logout_redirect_uris: ['ms-msdt:/id PCWDiagnostic', 'https://localhost@evil.example/', 'javascript:alert(1)'],
    client_uri: ['javascript:alert(1)', 'https://a@b.example/', 'data:text/html,x'],
    policy_uri: ['file:///etc/passwd'],
    tos_uri: ['ms-word:ofe|u|x'],
    logo_uri: ['view-source:https://x.example/', 'https://a;b.example/x.png'],
    jwks_uri: ['ftp://x.example/keys'],
    initiate_login_uri: ['blob:https://x.example/1'],
  })) {
    it(`§2: judges ${member} as strictly`, async () => {
      for (const uri of value) {
        const sent = member.endsWith('s') ? [uri] : uri
        const { status, body } = await register({ redirect_uris: ['https://app.example.com/cb'], [member]: sent })
        assert.deepEqual([status, body.error], [400, 'invalid_client_metadata'], uri)
      }
    })
  }

  for (const uri of [
    'javascript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'blob:https://x.example.com/1',
    'file:///etc/passwd',
    'ms-msdt:/id',
    'https://a;b.example/cb',
    'https://localhost@evil.example/',
    'http://app.example.com/cb',
    'https://app.example.com/cb#x',
    'https://user@app.example.com/cb',
    'https://*.example.com/cb',
    '/cb',
    '',
  ]) {
    it(`§2: never registers the redirect URI ${JSON.stringify(uri)}`, async () => {
      for (const method of ['none', 'client_secret_basic']) {
        const { status, body } = await register({ redirect_uris: [uri], token_endpoint_auth_method: method })
        assert.equal(status, 400)
        assert.equal(body.error, 'invalid_redirect_uri')
      }
    })
  }

  it('§3.2.2: bad metadata is refused with its reason', async () => {
    const uris = { redirect_uris: ['https://a.example.com/cb'] }
    for (const metadata of [
      { ...uris, grant_types: ['client_credentials'] },
      { ...uris, grant_types: ['implicit'] },
      { ...uris, token_endpoint_auth_method: 'private_key_jwt' },
      { ...uris, grant_types: 'authorization_code' },
      { ...uris, contacts: 'x' },
    ]) {
      const { status, body } = await register(metadata)
      assert.equal(status, 400, JSON.stringify(metadata))
      assert.match(String(body.error), /invalid_client_metadata/)
    }
    for (const metadata of [
      null,
      [],
      'x',
      5,
      {},
      { redirect_uris: 'https://a.example.com/cb' },
      { redirect_uris: [5] },
    ]) {
      assert.equal((await register(metadata)).status, 400, JSON.stringify(metadata))
    }
  })

  it('a client can not choose its id, its secret or its rights', async () => {
    const { body } = await register({
      client_id: 'cli',
      client_secret: 'chosen-by-the-client',
      redirect_uris: ['https://a.example.com/cb'],
      allow: [{ resource: issuer.photos, scopes: ['photos:write'] }],
      thirdParty: false,
      client_name: 'A\u202Egnp.exe',
    })
    assert.notEqual(body.client_id, 'cli')
    assert.notEqual(body.client_secret, 'chosen-by-the-client')
    const kept = await issuer.store.client(String(body.client_id))
    assert.equal(kept?.thirdParty, true)
    assert.deepEqual(kept?.allow, [])
    assert.doesNotMatch(String(kept?.name), /\u202E/)
  })

  it('pages of any origin may register, after a preflight', async () => {
    const preflight = await fetch(`${issuer.url}/oauth/register`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://inspector.example.com',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type',
      },
    })
    assert.equal(preflight.status, 204)
    assert.equal(preflight.headers.get('access-control-allow-origin'), '*')
    const answer = await register({ redirect_uris: ['https://a.example.com/cb'] }, { origin: 'https://a.example.com' })
    assert.equal(answer.headers.get('access-control-allow-origin'), '*')
  })

  it('with `registration: token` needs the token', async () => {
    const guarded = await startIssuer({ settings: { registration: 'token' }, registrationToken: 'open-sesame-123' })
    try {
      const metadata = { redirect_uris: ['https://a.example.com/cb'] }
      assert.equal((await register(metadata, {}, guarded)).status, 401)
      assert.equal((await register(metadata, { authorization: 'Bearer wrong' }, guarded)).status, 401)
      const headers = { authorization: 'Bearer open-sesame-123' }
      assert.equal((await register(metadata, headers, guarded)).status, 201)
    } finally {
      await guarded.close()
    }
  })

  it('off is 404, and on after a reload', async () => {
    const changing = await startIssuer()
    try {
      const metadata = { redirect_uris: ['https://a.example.com/cb'] }
      assert.equal((await register(metadata, {}, changing)).status, 404)
      await changing.reconfigure({ registration: 'open' })
      assert.equal((await register(metadata, {}, changing)).status, 201)
    } finally {
      await changing.close()
    }
  })
})

/** Keeps what the MCP client learns in memory. */
class MemoryProvider implements OAuthClientProvider {
  readonly redirectUrl = 'http://127.0.0.1:4713/callback'
  readonly clientMetadata = {
    client_name: 'MCP client',
    redirect_uris: [this.redirectUrl],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  }
  information: OAuthClientInformationFull | undefined
  kept: OAuthTokens | undefined
  verifier = ''
  sentTo: URL | undefined
  clientInformation = () => this.information
  saveClientInformation = (information: OAuthClientInformationFull) => {
    this.information = information
  }
  tokens = () => this.kept
  saveTokens = (tokens: OAuthTokens) => {
    this.kept = tokens
  }
  redirectToAuthorization = (url: URL) => {
    this.sentTo = url
  }
  saveCodeVerifier = (verifier: string) => {
    this.verifier = verifier
  }
  codeVerifier = () => this.verifier
}

describe('an MCP client that knows nothing but the resource', () => {
  it('registers, signs in, gets a token for the resource and renews it', async () => {
    const provider = new MemoryProvider()
    const serverUrl = issuer.photos
    const [photos] = issuer.settings().resources
    const document = {
      resource: issuer.photos,
      authorization_servers: [issuer.url],
      scopes_supported: [...(photos?.scopes.keys() ?? [])],
    }
    const fetchFn = async (input: string | URL, init?: RequestInit): Promise<Response> =>
      String(input).includes('/.well-known/oauth-protected-resource') ? Response.json(document) : fetch(input, init)
    assert.equal(await auth(provider, { serverUrl, fetchFn }), 'REDIRECT')
    const alice = new Person(issuer.url, 'alice')
    const page = await alice.signIn(await alice.open(provider.sentTo?.href ?? ''))
    const { searchParams } = new URL((await alice.decide(page, 'approve')).url)
    const authorizationCode = searchParams.get('code') ?? ''
    assert.equal(await auth(provider, { serverUrl, authorizationCode, fetchFn }), 'AUTHORIZED')
    assert.equal(claimsOf(provider.kept?.access_token).aud, issuer.photos)
    const first = provider.kept?.access_token
    assert.equal(await auth(provider, { serverUrl, fetchFn }), 'AUTHORIZED')
    assert.notEqual(provider.kept?.access_token, first)
    assert.equal(claimsOf(provider.kept?.access_token).aud, issuer.photos)
  })
})
