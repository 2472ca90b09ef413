import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  askToken,
  authorizationAttempt,
  claimsOf,
  Person,
  post,
  redeem,
  type TokenAnswer,
} from '../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../support/issuer/issuer-under-test.ts'

const redirectUri = 'http://127.0.0.1:7001/cb'
const webUri = 'https://web.example.com/cb'
const options = { clientId: 'cli', redirectUri, scope: 'photos:read' }
let issuer: IssuerUnderTest
let webSecret: string
let jobSecret: string

before(async () => {
  issuer = await startIssuer()
  await issuer.addPerson('alice', ['photos', 'files'])
  await issuer.addClient({ id: 'cli', type: 'native', redirectUris: [redirectUri] })
  await issuer.addClient({ id: 'other', type: 'native', redirectUris: [redirectUri] })
  await issuer.addClient({ id: 'spa', type: 'spa', redirectUris: ['https://app.example.com/cb'] })
  webSecret = (await issuer.addClient({ id: 'web', type: 'web', redirectUris: [webUri] })).secret
  const allow = [`${issuer.photos}=photos:read,photos:write`]
  jobSecret = (await issuer.addClient({ id: 'job', type: 'service', allow })).secret
})
after(() => issuer.close())

function alice(): Person {
  return new Person(issuer.url, 'alice')
}

function introspect(token: string | undefined): Promise<TokenAnswer> {
  return post(`${issuer.url}/oauth/introspect`, { token, client_id: 'cli' })
}

function basic(id: string, secret: string): { authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` }
}

describe('RFC 6749 §4.1: authorization code', () => {
  it('§4.1.2: twenty parallel redemptions of one code give one set of tokens, the rest invalid_grant', async () => {
    for (let round = 0; round < 3; round += 1) {
      const answer = await alice().authorize(options)
      const answers = await Promise.all(Array.from({ length: 20 }, () => redeem(issuer.url, answer, options)))
      const good = answers.filter(({ status }) => status === 200)
      assert.equal(good.length, 1)
      assert.equal(answers.filter(({ body }) => body.error === 'invalid_grant').length, 19)
      const [winner] = good
      assert.equal((await introspect(winner?.body.access_token)).body.active, true, 'the winner keeps its tokens')
      const next = await askToken(issuer.url, {
        grant_type: 'refresh_token',
        refresh_token: winner?.body.refresh_token,
        client_id: 'cli',
      })
      assert.equal(next.status, 200)
    }
  })

  it('§4.1.2: a replay of a code ends what came of it', async () => {
    const answer = await alice().authorize(options)
    const first = await redeem(issuer.url, answer, options)
    assert.equal((await introspect(first.body.access_token)).body.active, true)
    const replay = await redeem(issuer.url, answer, options)
    assert.equal(replay.body.error, 'invalid_grant')
    assert.equal((await introspect(first.body.access_token)).body.active, false)
    const refreshed = await askToken(issuer.url, {
      grant_type: 'refresh_token',
      refresh_token: first.body.refresh_token,
      client_id: 'cli',
    })
    assert.equal(refreshed.body.error, 'invalid_grant')
  })

  it('§4.1.3: a code of one client is useless to another, and such a try costs its owner nothing', async () => {
    const answer = await alice().authorize(options)
    const stolen = await redeem(issuer.url, answer, { ...options, clientId: 'other' })
    assert.equal(stolen.body.error, 'invalid_grant')
    assert.equal((await redeem(issuer.url, answer, options)).status, 200)
  })

  it('§4.1.3: another redirect_uri than the one asked with is invalid_grant', async () => {
    const answer = await alice().authorize(options)
    const wrong = await redeem(issuer.url, answer, { ...options, redirectUri: 'http://127.0.0.1:9/cb' })
    assert.equal(wrong.body.error, 'invalid_grant')
  })

  for (const uri of [
    'https://evil.example.com/cb',
    'https://web.example.com/cb/',
    'https://web.example.com/cb?x=1',
    'https://WEB.example.com.evil.com/cb',
    'https://web.example.com:444/cb',
    'https://user@web.example.com/cb',
    'https://web.example.com/cb/../x',
  ]) {
    it(`§3.1.2.3: never redirects to ${uri}, which is not registered`, async () => {
      const attempt = authorizationAttempt(issuer.url, { clientId: 'web', redirectUri: uri, scope: 'photos:read' })
      const page = await alice().open(attempt.url)
      assert.equal(page.status, 400)
      assert.equal(new URL(page.url).origin, issuer.url)
    })
  }

  it('§3.1.2.3: loopback ports are free for native clients (RFC 8252 §7.3)', async () => {
    const answer = await alice().authorize({ ...options, redirectUri: 'http://127.0.0.1:50123/cb' })
    assert.notEqual(answer.code, '')
  })

  it('§4.1.1: an unknown client sees an error page, never a redirect', async () => {
    const attempt = authorizationAttempt(issuer.url, { clientId: 'nobody', redirectUri, scope: 'photos:read' })
    const page = await alice().open(attempt.url)
    assert.equal(page.status, 400)
    assert.match(page.text, /not known here/)
  })

  it('§4.1.2.1: a response_type other than code is refused at the client', async () => {
    for (const type of ['token', 'id_token', 'code id_token']) {
      const more = { response_type: type }
      const attempt = authorizationAttempt(issuer.url, { ...options, more })
      const page = await alice().open(attempt.url)
      const query = new URL(page.url.replace('#', '?')).searchParams
      assert.match(query.get('error') ?? '', /unsupported_response_type|invalid_request|unauthorized_client/, type)
    }
  })
})

describe('RFC 6749 §2.3: client authentication', () => {
  it('web clients authenticate by basic or post, and get tokens', async () => {
    for (const how of ['basic', 'post'] as const) {
      const asked = { clientId: 'web', redirectUri: webUri, scope: 'photos:read' }
      const answer = await alice().authorize(asked)
      const tokens = await redeem(issuer.url, answer, {
        ...asked,
        ...(how === 'basic' ? { headers: basic('web', webSecret) } : { more: { client_secret: webSecret } }),
      })
      assert.equal(tokens.status, 200, JSON.stringify(tokens.body))
      assert.equal(typeof tokens.body.refresh_token, 'string')
    }
  })

  it('a wrong or missing secret is invalid_client, and neither code nor refresh token is spent', async () => {
    const asked = { clientId: 'web', redirectUri: webUri, scope: 'photos:read' }
    const answer = await alice().authorize(asked)
    assert.equal((await redeem(issuer.url, answer, asked)).body.error, 'invalid_client')
    const wrong = await redeem(issuer.url, answer, { ...asked, headers: basic('web', 'agcs_wrong') })
    assert.equal(wrong.status, 401)
    assert.match(wrong.headers.get('www-authenticate') ?? '', /^Basic /)
    const { body } = await redeem(issuer.url, answer, { ...asked, headers: basic('web', webSecret) })
    const refreshing = { grant_type: 'refresh_token', refresh_token: body.refresh_token }
    assert.equal((await askToken(issuer.url, { ...refreshing, client_id: 'web' })).body.error, 'invalid_client')
    assert.equal((await askToken(issuer.url, refreshing, basic('web', webSecret))).status, 200)
  })

  it('the hash of a secret, as the store keeps it, is no secret', async () => {
    const hash = (await issuer.store.client('job'))?.secretHash ?? ''
    const answer = await askToken(
      issuer.url,
      { grant_type: 'client_credentials', scope: 'photos:read' },
      basic('job', hash),
    )
    assert.equal(answer.body.error, 'invalid_client')
  })

  it('a revoked client gets nothing, until it is restored', async () => {
    const { body } = await redeem(issuer.url, await alice().authorize({ ...options, clientId: 'other' }), {
      ...options,
      clientId: 'other',
    })
    await issuer.acts.revokeClient('other', 'test')
    const again = await askToken(issuer.url, {
      grant_type: 'refresh_token',
      refresh_token: body.refresh_token,
      client_id: 'other',
    })
    assert.equal(again.body.error, 'invalid_client')
    const attempt = authorizationAttempt(issuer.url, { ...options, clientId: 'other' })
    assert.equal((await alice().open(attempt.url)).status, 400)
    await issuer.acts.restoreClient('other', 'test')
    assert.notEqual((await alice().authorize({ ...options, clientId: 'other' })).code, '')
  })
})

describe('RFC 6749 §4.4: client credentials', () => {
  const ask = (more: Record<string, string | undefined>) =>
    askToken(issuer.url, { grant_type: 'client_credentials', ...more }, basic('job', jobSecret))

  it('gives a token whose subject is the client, without a person and her groups', async () => {
    const { body, status } = await ask({ scope: 'photos:read', resource: issuer.photos })
    assert.equal(status, 200, JSON.stringify(body))
    const claims = claimsOf(body.access_token)
    assert.equal(claims.sub, 'job')
    assert.equal(claims.client_id, 'job')
    assert.equal(claims.aud, issuer.photos)
    for (const name of ['username', 'groups', 'auth_time', 'amr', 'gid']) assert.equal(name in claims, false, name)
    assert.equal('refresh_token' in body, false)
  })

  it('is limited by what the operator allowed', async () => {
    assert.equal((await ask({ scope: 'files:read' })).body.error, 'invalid_target')
    assert.equal((await ask({ scope: 'files:read', resource: issuer.files })).body.error, 'invalid_target')
    assert.equal((await ask({ scope: 'photos:read photos:write' })).body.scope, 'photos:read photos:write')
  })

  it('without a scope is everything that the operator allowed of the resource, and the answer names it', async () => {
    const { body } = await ask({ resource: issuer.photos })
    assert.equal(body.scope, 'photos:read photos:write')
  })

  it('is not for clients of people', async () => {
    const answer = await askToken(issuer.url, {
      grant_type: 'client_credentials',
      client_id: 'cli',
      scope: 'photos:read',
    })
    assert.equal(answer.status, 400)
  })

  it('has no sign-in for a service client', async () => {
    const attempt = authorizationAttempt(issuer.url, { clientId: 'job', redirectUri, scope: 'photos:read' })
    assert.equal((await alice().open(attempt.url)).status, 400)
  })
})

describe('RFC 6749 §3.2 and §5: the token endpoint', () => {
  it('§5.1: answers with Cache-Control: no-store', async () => {
    const answer = await askToken(
      issuer.url,
      { grant_type: 'client_credentials', scope: 'photos:read' },
      basic('job', jobSecret),
    )
    assert.equal(answer.headers.get('cache-control'), 'no-store')
  })

  it('§3.2: takes POST only', async () => {
    const answer = await fetch(`${issuer.url}/oauth/token`)
    assert.equal(answer.status, 405)
    assert.match(answer.headers.get('allow') ?? '', /POST/)
  })

  it('§3.2: a repeated parameter is invalid_request', async () => {
    const answer = await askToken(issuer.url, { grant_type: ['refresh_token', 'refresh_token'], client_id: 'cli' })
    assert.equal(answer.body.error, 'invalid_request')
  })

  it('an access token is no refresh token', async () => {
    const { body } = await redeem(issuer.url, await alice().authorize(options), options)
    const answer = await askToken(issuer.url, {
      grant_type: 'refresh_token',
      refresh_token: body.access_token,
      client_id: 'cli',
    })
    assert.equal(answer.body.error, 'invalid_grant')
  })

  it("a body over the limit, broken JSON, control characters and other content types are the client's mistake", async () => {
    const send = (body: string, type = 'application/x-www-form-urlencoded') =>
      fetch(`${issuer.url}/oauth/token`, { method: 'POST', body, headers: { 'content-type': type } })
    assert.equal((await send(`a=${'x'.repeat(70_000)}`)).status, 413)
    assert.equal((await send('grant_type=%00')).status, 400)
    assert.equal((await send('{}', 'application/json')).status, 400)
    assert.equal((await send('%%%=%')).status, 400)
    assert.equal((await send(`${'a=1&'.repeat(500)}`)).status, 400)
  })
})
