import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { authorizationAttempt, Person, redeem } from '../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../support/issuer/issuer-under-test.ts'

const redirectUri = 'http://127.0.0.1:7001/cb'
const options = { clientId: 'cli', redirectUri, scope: 'photos:read' }
let issuer: IssuerUnderTest

before(async () => {
  issuer = await startIssuer()
  await issuer.addPerson('alice', ['photos'])
  await issuer.addClient({ id: 'cli', type: 'native', redirectUris: [redirectUri] })
  await issuer.addClient({ id: 'web', type: 'web', redirectUris: ['https://web.example.com/cb'] })
})
after(() => issuer.close())

async function errorOf(clientId: string, uri: string, change: (url: URL) => void): Promise<string | null> {
  const attempt = new URL(authorizationAttempt(issuer.url, { clientId, redirectUri: uri, scope: 'photos:read' }).url)
  change(attempt)
  const page = await new Person(issuer.url, 'alice').open(attempt.href)
  return new URL(page.url).searchParams.get('error')
}

describe('RFC 7636: PKCE, always', () => {
  for (const [clientId, uri] of [
    ['cli', redirectUri],
    ['web', 'https://web.example.com/cb'],
  ] as const) {
    it(`§4.4.1: a request of ${clientId} without code_challenge is invalid_request`, async () => {
      const error = await errorOf(clientId, uri, ({ searchParams }) => {
        searchParams.delete('code_challenge')
        searchParams.delete('code_challenge_method')
      })
      assert.equal(error, 'invalid_request')
    })
  }

  it('§4.2: takes S256 and no other method', async () => {
    for (const method of ['plain', 'S512', undefined]) {
      const error = await errorOf('cli', redirectUri, ({ searchParams }) => {
        searchParams.delete('code_challenge_method')
        if (method !== undefined) searchParams.set('code_challenge_method', method)
      })
      assert.equal(error, 'invalid_request', method)
    }
  })

  it('§4.6: a missing, empty or wrong code_verifier is invalid_grant, and the right one still works', async () => {
    const answer = await new Person(issuer.url, 'alice').authorize(options)
    for (const verifier of [undefined, '', 'x'.repeat(43), `${answer.verifier}x`]) {
      const wrong = await redeem(issuer.url, { code: answer.code, verifier: verifier ?? '' }, options)
      assert.equal(wrong.status, 400)
      assert.equal(wrong.body.error, 'invalid_grant', String(verifier))
    }
    assert.equal((await redeem(issuer.url, answer, options)).status, 200)
  })
})
