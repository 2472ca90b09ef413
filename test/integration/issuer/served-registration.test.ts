import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { auth, type OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js'
import type { OAuthClientInformationMixed, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js'
import { formsOf } from '../../support/issuer/browser-less-person.ts'
import {
  type BlackBox,
  CALLBACK,
  callUrl,
  Person,
  refusedWithin,
  startBlackBox,
} from '../../support/issuer/served-issuer.ts'

/** What an MCP client keeps between its steps. */
class IssuerState implements OAuthClientProvider {
  readonly redirectUrl = CALLBACK
  readonly clientMetadata = {
    client_name: 'Model client',
    redirect_uris: [CALLBACK],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  }
  went: URL | undefined
  information: OAuthClientInformationMixed | undefined
  kept: OAuthTokens | undefined
  verifier = ''
  clientInformation() {
    return this.information
  }
  saveClientInformation(information: OAuthClientInformationMixed) {
    this.information = information
  }
  tokens() {
    return this.kept
  }
  saveTokens(tokens: OAuthTokens) {
    this.kept = tokens
  }
  redirectToAuthorization(url: URL) {
    this.went = url
  }
  saveCodeVerifier(verifier: string) {
    this.verifier = verifier
  }
  codeVerifier() {
    return this.verifier
  }
}

describe('the MCP SDK, knowing nothing but a resource', () => {
  let box: BlackBox
  before(async () => {
    box = await startBlackBox({ issuer: '  registration: open' })
    await box.addUser('alice', 'photos')
  })
  after(() => box.close())

  it('goes from the 401 by discovery and registration to the 200, and refreshes', async () => {
    const challenged = await box.call(undefined)
    const challenge = challenged.headers.get('www-authenticate') ?? ''
    const resourceMetadataUrl = new URL(/resource_metadata="([^"]+)"/.exec(challenge)?.[1] ?? '')
    const scope = /scope="([^"]+)"/.exec(challenge)?.[1] ?? ''
    const memory = new IssuerState()
    const options = { serverUrl: box.photos, resourceMetadataUrl, scope }
    assert.equal(await auth(memory, options), 'REDIRECT')
    assert.ok(memory.went && memory.information)
    const person = new Person(box.url, 'alice')
    const page = await person.signIn(await person.open(memory.went.href))
    assert.match(page.text, /Model client/)
    assert.ok(
      formsOf(page).some(({ boxes }) => boxes.includes('photos:read')),
      'self-registered clients are asked about',
    )
    const back = new URL((await person.decide(page, 'approve')).url)
    const authorizationCode = back.searchParams.get('code') ?? ''
    assert.equal(await auth(memory, { ...options, authorizationCode }), 'AUTHORIZED')
    assert.equal((await box.call(memory.kept?.access_token)).status, 200)
    const first = memory.kept?.access_token
    assert.equal(await auth(memory, options), 'AUTHORIZED')
    assert.notEqual(memory.kept?.access_token, first)
    assert.equal((await box.call(memory.kept?.access_token)).status, 200)
    await box.done('client', 'revoke', String(memory.information.client_id))
    await refusedWithin(box, memory.kept?.access_token ?? '', 'revoked', 1_000)
  })
})

describe('registration', () => {
  const metadata = JSON.stringify({
    redirect_uris: ['http://127.0.0.1:7001/cb'],
    client_name: 'App',
    token_endpoint_auth_method: 'none',
  })
  const register = (box: BlackBox, headers = {}) =>
    callUrl(`${box.url}/oauth/register`, { 'content-type': 'application/json', ...headers }, 'POST', metadata)

  it('off, which is the default: there is no such endpoint, and metadata names none', async () => {
    const box = await startBlackBox()
    try {
      assert.equal((await register(box)).status, 404)
      assert.equal(
        (await callUrl(`${box.url}/.well-known/oauth-authorization-server`, {})).body.registration_endpoint,
        undefined,
      )
    } finally {
      await box.close()
    }
  })

  it('token: only who has the token of the environment registers', async () => {
    const token = 'a registration token that is long enough'.replaceAll(' ', '-')
    const box = await startBlackBox({ issuer: '  registration: token', env: { AUDGATE_REGISTRATION_TOKEN: token } })
    try {
      assert.equal((await register(box)).status, 401)
      assert.equal((await register(box, { authorization: 'Bearer wrong' })).status, 401)
      const registered = await register(box, { authorization: `Bearer ${token}` })
      assert.equal(registered.status, 201, JSON.stringify(registered.body))
      assert.ok(registered.body.client_id)
      assert.ok(!box.output().stdout.includes(token))
    } finally {
      await box.close()
    }
  })
})
