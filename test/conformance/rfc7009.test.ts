import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { RevocationTable } from '../../src/core/revocation.ts'
import { askToken, claimsOf, Person, post, redeem, type TokenAnswer } from '../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../support/issuer/issuer-under-test.ts'

const redirectUri = 'http://127.0.0.1:7001/cb'
let issuer: IssuerUnderTest
let webSecret: string

before(async () => {
  issuer = await startIssuer()
  await issuer.addPerson('alice', ['photos'])
  for (const id of ['cli', 'other']) await issuer.addClient({ id, type: 'native', redirectUris: [redirectUri] })
  webSecret = (await issuer.addClient({ id: 'web', type: 'web', redirectUris: ['https://web.example.com/cb'] })).secret
})
after(() => issuer.close())

async function tokens(): Promise<TokenAnswer['body']> {
  const options = { clientId: 'cli', redirectUri, scope: 'openid photos:read', resource: issuer.photos }
  return (await redeem(issuer.url, await new Person(issuer.url, 'alice').authorize(options), options)).body
}

function revoke(token: string | undefined, client_id = 'cli', more: Record<string, string> = {}): Promise<TokenAnswer> {
  return post(`${issuer.url}/oauth/revoke`, { token, client_id, ...more })
}

async function isActive(token: string | undefined): Promise<unknown> {
  return (await post(`${issuer.url}/oauth/introspect`, { token, client_id: 'cli' })).body.active
}

function refresh(token: string | undefined): Promise<TokenAnswer> {
  return askToken(issuer.url, { grant_type: 'refresh_token', refresh_token: token, client_id: 'cli' })
}

describe('RFC 7009: revocation', () => {
  it('§2: ends a JWT access token, in force for the gateway before the answer is there; the family goes on', async () => {
    const { access_token, refresh_token } = await tokens()
    const { status } = await revoke(access_token)
    assert.equal(status, 200)
    const entries = await issuer.store.revocations(0, Math.floor(Date.now() / 1000))
    assert.ok(entries.some(({ kind, key }) => kind === 'jti' && key === claimsOf(access_token).jti))
    const table = new RevocationTable()
    table.add(entries)
    assert.ok(table.size > 0)
    assert.equal(await isActive(access_token), false)
    assert.equal((await refresh(refresh_token)).status, 200)
  })

  it('§2.1: a refresh token takes its access tokens along', async () => {
    const { access_token, refresh_token } = await tokens()
    const other = await tokens()
    assert.equal((await revoke(refresh_token, 'cli', { token_type_hint: 'refresh_token' })).status, 200)
    const entries = await issuer.store.revocations(0, Math.floor(Date.now() / 1000))
    assert.ok(entries.some(({ kind, key }) => kind === 'gid' && key === claimsOf(access_token).gid))
    assert.equal(await isActive(access_token), false)
    assert.equal((await refresh(refresh_token)).body.error, 'invalid_grant')
    assert.equal(await isActive(other.access_token), true)
    assert.equal((await refresh(other.refresh_token)).status, 200)
  })

  it("§2.1: another client's token is not ended", async () => {
    const { access_token, refresh_token } = await tokens()
    for (const token of [access_token, refresh_token]) await revoke(token, 'other')
    assert.equal(await isActive(access_token), true)
    assert.equal((await refresh(refresh_token)).status, 200)
  })

  it('§2.2: unknown, forged and foreign tokens are answered with 200', async () => {
    const { access_token } = await tokens()
    const forged = `${access_token?.slice(0, -6)}AAAAAA`
    for (const token of ['nothing', forged, 'a.b.c', 'eyJhbGciOiJub25lIn0.e30.']) {
      assert.equal((await revoke(token)).status, 200, token)
    }
    assert.equal(await isActive(access_token), true)
  })

  it('§2.1: a confidential client has to authenticate', async () => {
    assert.equal((await revoke('x', 'web')).status, 401)
    assert.equal((await revoke('x', 'web', { client_secret: 'agcs_wrong' })).status, 401)
    assert.equal((await revoke('x', 'web', { client_secret: webSecret })).status, 200)
  })

  it('§2.1: without a token is invalid_request', async () => {
    assert.equal((await revoke(undefined)).body.error, 'invalid_request')
  })
})
