import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { authorizationAttempt, claimsOf, Person, post, redeem } from '../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../support/issuer/issuer-under-test.ts'

const redirectUri = 'https://web.example.com/cb'
let issuer: IssuerUnderTest
let secret: string

before(async () => {
  issuer = await startIssuer()
  await issuer.addPerson('alice', ['photos', 'files'])
  secret = (await issuer.addClient({ id: 'web', type: 'web', redirectUris: [redirectUri] })).secret
})
after(() => issuer.close())

function push(scope: string, resource: string | readonly string[], clientSecret = secret) {
  const attempt = authorizationAttempt(issuer.url, { clientId: 'web', redirectUri, scope, resource })
  const parameters: Record<string, string | readonly string[]> = { client_secret: clientSecret }
  for (const name of new URL(attempt.url).searchParams.keys()) {
    parameters[name] = new URL(attempt.url).searchParams.getAll(name)
  }
  return { attempt, answer: post(`${issuer.url}/oauth/par`, parameters) }
}

describe('RFC 9126: pushed authorization requests', () => {
  it('§2, §4: a pushed request is authorized like any other, several resources included', async () => {
    const { attempt, answer } = push('photos:read files:read', [issuer.files, issuer.photos])
    const { status, body } = await answer
    assert.equal(status, 201)
    const query = new URLSearchParams({ client_id: 'web', request_uri: String(body.request_uri) })
    const alice = new Person(issuer.url, 'alice')
    const page = await alice.signIn(await alice.open(`/oauth/authorize?${query}`))
    const code = new URL(page.url).searchParams.get('code') ?? ''
    const tokens = await redeem(
      issuer.url,
      { code, verifier: attempt.verifier },
      { clientId: 'web', redirectUri, more: { client_secret: secret } },
    )
    assert.equal(claimsOf(tokens.body.access_token).aud, issuer.files)
    const again = await new Person(issuer.url, 'alice').open(`/oauth/authorize?${query}`)
    assert.equal(new URL(again.url).searchParams.get('error'), 'invalid_request_uri', 'it is used once')
  })

  it('§2.1: the client is authenticated', async () => {
    assert.equal((await push('photos:read', issuer.photos, 'agcs_wrong').answer).status, 401)
  })

  it('§2.3: requests that can not be are refused at once', async () => {
    const unknown = await push('photos:read', 'https://elsewhere.example.com').answer
    assert.equal(unknown.body.error, 'invalid_target')
    assert.match(unknown.body.error_description ?? '', /resource/)
    assert.equal((await push('files:read', issuer.photos).answer).body.error, 'invalid_scope')
  })
})
