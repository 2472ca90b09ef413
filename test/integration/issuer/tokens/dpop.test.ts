import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import * as oauth from 'oauth4webapi'
import { claimsOf, Person, redeem } from '../../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../../../support/issuer/issuer-under-test.ts'

const redirectUri = 'http://127.0.0.1:7001/cb'
const insecure = { [oauth.allowInsecureRequests]: true }
const client: oauth.Client = { client_id: 'cli' }
let issuer: IssuerUnderTest
let server: oauth.AuthorizationServer

before(async () => {
  issuer = await startIssuer()
  await issuer.addPerson('alice', ['photos'])
  await issuer.addClient({ id: 'cli', type: 'native', redirectUris: [redirectUri] })
  const url = new URL(issuer.url)
  server = await oauth.processDiscoveryResponse(
    url,
    await oauth.discoveryRequest(url, { algorithm: 'oauth2', ...insecure }),
  )
})
after(() => issuer.close())

async function boundTokens(keys: oauth.CryptoKeyPair) {
  const options = { clientId: 'cli', redirectUri, scope: 'photos:read' }
  const answer = await new Person(issuer.url, 'alice').authorize(options)
  const callback = oauth.validateAuthResponse(server, client, new URL(answer.url), answer.state)
  const DPoP = oauth.DPoP(client, keys)
  const ask = () =>
    oauth.authorizationCodeGrantRequest(server, client, oauth.None(), callback, redirectUri, answer.verifier, {
      DPoP,
      ...insecure,
    })
  return oauth.processAuthorizationCodeResponse(server, client, await ask())
}

function refresh(keys: oauth.CryptoKeyPair | undefined, token: string | undefined): Promise<Response> {
  const DPoP = keys && { DPoP: oauth.DPoP(client, keys) }
  return oauth.refreshTokenGrantRequest(server, client, oauth.None(), token ?? '', { ...DPoP, ...insecure })
}

describe('RFC 9449: tokens bound to a key', () => {
  it('§5, §6.1: the access token names the key', async () => {
    const keys = await oauth.generateKeyPair('ES256', { extractable: true })
    const tokens = await boundTokens(keys)
    assert.equal(tokens.token_type, 'dpop')
    const jkt = claimsOf(tokens.access_token).cnf
    assert.match(String((jkt as { jkt: string }).jkt), /^[\w-]{43}$/)
  })

  it('§5: the refresh token of a public client is bound too, and is not spent by who lacks the key', async () => {
    const [keys, others] = await Promise.all([oauth.generateKeyPair('ES256'), oauth.generateKeyPair('ES256')])
    const tokens = await boundTokens(keys)
    for (const stolen of [
      await refresh(undefined, tokens.refresh_token),
      await refresh(others, tokens.refresh_token),
    ]) {
      assert.equal(((await stolen.json()) as { error: string }).error, 'invalid_grant')
    }
    const renewed = await oauth.processRefreshTokenResponse(server, client, await refresh(keys, tokens.refresh_token))
    assert.deepEqual(claimsOf(renewed.access_token).cnf, claimsOf(tokens.access_token).cnf)
  })

  it('the lost answer of a bound refresh is given again to the holder of the key alone', async () => {
    const [keys, others] = await Promise.all([oauth.generateKeyPair('ES256'), oauth.generateKeyPair('ES256')])
    const tokens = await boundTokens(keys)
    const first = (await (await refresh(keys, tokens.refresh_token)).json()) as Record<string, unknown>
    const again = (await (await refresh(keys, tokens.refresh_token)).json()) as Record<string, unknown>
    assert.equal(again.access_token, first.access_token)
    const stolen = (await (await refresh(others, tokens.refresh_token)).json()) as Record<string, unknown>
    assert.equal(stolen.error, 'invalid_grant')
    assert.equal((await refresh(keys, String(first.refresh_token))).status, 200)
  })

  it('the lost answer of a confidential client’s refresh is given again under the same key alone', async () => {
    const { secret } = await issuer.addClient({ id: 'web', type: 'web', redirectUris: [redirectUri] })
    const options = { clientId: 'web', redirectUri, scope: 'photos:read' }
    const attempt = await new Person(issuer.url, 'alice').authorize(options)
    const { body } = await redeem(issuer.url, attempt, { ...options, more: { client_secret: secret } })
    const web: oauth.Client = { client_id: 'web' }
    const [keys, others] = await Promise.all([oauth.generateKeyPair('ES256'), oauth.generateKeyPair('ES256')])
    const ask = async (pair: oauth.CryptoKeyPair | undefined) => {
      const DPoP = pair && { DPoP: oauth.DPoP(web, pair) }
      const auth = oauth.ClientSecretPost(secret)
      const answer = await oauth.refreshTokenGrantRequest(server, web, auth, body.refresh_token ?? '', {
        ...DPoP,
        ...insecure,
      })
      return JSON.parse(await answer.text())
    }
    const first = await ask(keys)
    assert.deepEqual(await ask(keys), first)
    assert.equal((await ask(others)).error, 'invalid_grant')
    assert.equal((await ask(undefined)).error, 'invalid_grant')
    assert.deepEqual(await ask(keys), first)
  })

  it('§11.1: a proof is used once', async () => {
    const keys = await oauth.generateKeyPair('ES256')
    const options = { clientId: 'cli', redirectUri, scope: 'photos:read' }
    let proof = ''
    const capture = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
      proof = new Headers(init?.headers).get('dpop') ?? ''
      return fetch(input, init)
    }
    await oauth.refreshTokenGrantRequest(server, client, oauth.None(), 'nothing', {
      DPoP: oauth.DPoP(client, keys),
      [oauth.customFetch]: capture as never,
      ...insecure,
    })
    const answers = []
    for (let round = 0; round < 2; round += 1) {
      const answer = await new Person(issuer.url, 'alice').authorize(options)
      answers.push(await redeem(issuer.url, answer, { ...options, headers: { dpop: proof } }))
    }
    assert.equal(answers[0]?.status, 200, JSON.stringify(answers[0]?.body))
    assert.notEqual(answers[1]?.status, 200)
  })
})
