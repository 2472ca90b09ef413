import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { askToken, Person, post, redeem, type TokenAnswer } from '../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../support/issuer/issuer-under-test.ts'

const redirectUri = 'http://127.0.0.1:7001/cb'
let issuer: IssuerUnderTest
const secrets = new Map<string, string>()

before(async () => {
  issuer = await startIssuer()
  for (const id of ['cli', 'other']) await issuer.addClient({ id, type: 'native', redirectUris: [redirectUri] })
  for (const [id, kind] of [
    ['photo-server', 'photos'],
    ['file-server', 'files'],
  ] as const) {
    const allow = [`${issuer.url}/${kind}=${kind}:read`]
    secrets.set(id, (await issuer.addClient({ id, type: 'service', allow })).secret)
  }
})
after(() => issuer.close())

async function tokens(username: string, groups: readonly string[], scope = 'photos:read') {
  const user = await issuer.addPerson(username, groups)
  const options = { clientId: 'cli', redirectUri, scope }
  const { body } = await redeem(issuer.url, await new Person(issuer.url, username).authorize(options), options)
  return { user, ...body }
}

function introspect(token: string | undefined, client_id: string): Promise<TokenAnswer> {
  return post(`${issuer.url}/oauth/introspect`, { token, client_id, client_secret: secrets.get(client_id) })
}

describe('RFC 7662: introspection', () => {
  it("§2.2: tells the truth to the token's own client", async () => {
    const { access_token, user } = await tokens('anna', ['photos'])
    const { body } = await introspect(access_token, 'cli')
    assert.equal(body.active, true)
    assert.equal(body.aud, issuer.photos)
    assert.equal(body.sub, user.sub)
    assert.equal(body.client_id, 'cli')
    assert.equal(body.scope, 'photos:read')
    assert.equal(body.token_type, 'Bearer')
    assert.equal(body.username, 'anna')
  })

  it('§2.2: tells it to a service client that is allowed the resource, and to others {"active":false}', async () => {
    const { access_token } = await tokens('berta', ['photos'])
    assert.equal((await introspect(access_token, 'photo-server')).body.active, true)
    for (const id of ['file-server', 'other']) {
      assert.deepEqual((await introspect(access_token, id)).body, { active: false })
    }
  })

  it('§2.1: a service client has to authenticate', async () => {
    const { access_token } = await tokens('carla', ['photos'])
    const answer = await post(`${issuer.url}/oauth/introspect`, { token: access_token, client_id: 'photo-server' })
    assert.equal(answer.status, 401)
  })

  it('§2.2: a refresh token is told to its own client alone', async () => {
    const { refresh_token } = await tokens('dina', ['photos'])
    assert.equal((await introspect(refresh_token, 'cli')).body.active, true)
    assert.deepEqual((await introspect(refresh_token, 'photo-server')).body, { active: false })
  })

  it('a token of a service client', async () => {
    const { body } = await askToken(issuer.url, {
      grant_type: 'client_credentials',
      scope: 'photos:read',
      client_id: 'photo-server',
      client_secret: secrets.get('photo-server'),
    })
    assert.equal((await introspect(body.access_token, 'photo-server')).body.active, true)
    assert.deepEqual((await introspect(body.access_token, 'file-server')).body, { active: false })
  })

  it('garbage, forged tokens, ID tokens and empty ones are not active', async () => {
    const { access_token, id_token } = await tokens('emma', ['photos'], 'openid photos:read')
    for (const token of ['x', `${access_token}x`, String(id_token), 'eyJhbGciOiJub25lIn0.e30.']) {
      assert.deepEqual((await introspect(token, 'cli')).body, { active: false })
    }
  })

  for (const [what, act] of [
    ['a disabled user', (sub: string) => issuer.acts.disableUser(sub, 'test')],
    ['a revoked consent', (sub: string) => issuer.acts.revokeConsent(sub, 'cli', 'test')],
    ['a group that was taken away', (sub: string) => issuer.acts.changeGroups(sub, [], 'test')],
    ['signing out everywhere', (sub: string) => issuer.acts.signOutEverywhere(sub, 'test')],
  ] as const) {
    it(`${what} ends tokens here too, also after a restart`, async () => {
      const { access_token, user } = await tokens(`p${what.length}${what.charCodeAt(2)}`, ['photos'])
      assert.equal((await introspect(access_token, 'cli')).body.active, true)
      await act(user.sub)
      assert.deepEqual((await introspect(access_token, 'cli')).body, { active: false })
      await issuer.restart()
      assert.deepEqual((await introspect(access_token, 'cli')).body, { active: false })
    })
  }

  it('a token made after the act, even in the same second, is good', async () => {
    const { user } = await tokens('gina', ['photos'])
    await issuer.acts.revokeUser(user.sub, 'test')
    const options = { clientId: 'cli', redirectUri, scope: 'photos:read' }
    const gina = new Person(issuer.url, 'gina')
    const { body } = await redeem(issuer.url, await gina.authorize(options), options)
    assert.equal((await introspect(body.access_token, 'cli')).body.active, true)
  })

  it('a scope that routes.yaml no longer grants is gone', async () => {
    const { access_token } = await tokens('hanna', ['photos-editors'], 'photos:read photos:write')
    const { resources } = issuer.settings()
    const narrowed = resources.map((each) => ({ ...each, grants: each.grants.slice(0, 1) }))
    await issuer.reconfigure({ resources: narrowed })
    assert.deepEqual((await introspect(access_token, 'cli')).body, { active: false })
    await issuer.reconfigure({ resources })
    assert.equal((await introspect(access_token, 'cli')).body.scope, 'photos:read photos:write')
  })
})
