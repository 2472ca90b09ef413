import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Resource, ResourceIdentifier, Scope } from '../../src/core/resource.ts'
import { type AuthorizeOptions, askToken, claimsOf, Person, redeem } from '../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../support/issuer/issuer-under-test.ts'

/** Without a path, so that a slash at its end means nothing. */
const MUSIC = 'http://music.localhost'
const redirectUri = 'http://127.0.0.1:7001/cb'
let issuer: IssuerUnderTest

before(async () => {
  issuer = await startIssuer()
  const [photos] = issuer.settings().resources
  assert.ok(photos)
  const scope = 'music:hear' as Scope
  const music: Resource = {
    ...photos,
    identifier: MUSIC as ResourceIdentifier,
    scopes: new Map([[scope, 'Hear music']]),
    grants: [{ groups: ['photos'], scopes: [scope] }],
  }
  await issuer.reconfigure({ resources: [...issuer.settings().resources, music] })
  await issuer.addPerson('alice', ['photos', 'files'])
  await issuer.addPerson('bob', ['files'])
  await issuer.addPerson('eve', [])
  await issuer.addClient({ id: 'cli', type: 'native', redirectUris: [redirectUri] })
})
after(() => issuer.close())

async function tokens(username: string, asked: Partial<AuthorizeOptions>, resource?: string) {
  const options = { clientId: 'cli', redirectUri, ...asked }
  const answer = await new Person(issuer.url, username).authorize(options)
  assert.notEqual(answer.code, '', `${answer.url}\n${answer.text}`)
  return redeem(issuer.url, answer, { clientId: 'cli', redirectUri, resource })
}

async function refused(username: string, asked: Partial<AuthorizeOptions>) {
  const answer = await new Person(issuer.url, username).authorize({ clientId: 'cli', redirectUri, ...asked })
  return new URL(answer.url).searchParams
}

function refresh(refreshToken: string | undefined, more: Record<string, string | readonly string[] | undefined> = {}) {
  return askToken(issuer.url, {
    grant_type: 'refresh_token',
    refresh_token: refreshToken,
    client_id: 'cli',
    ...more,
  })
}

describe('RFC 8707: a token is for one resource', () => {
  it('§2: carries the registered id as its one audience', async () => {
    const { body } = await tokens('alice', { scope: 'photos:read', resource: issuer.photos })
    assert.equal(claimsOf(body.access_token).aud, issuer.photos)
    assert.equal(body.scope, 'photos:read')
  })

  for (const [how, spelling] of [
    ['case of the scheme', 'HTTP://music.localhost'],
    ['case of the host', 'http://Music.LOCALHOST'],
    ['one trailing slash after an empty path', 'http://music.localhost/'],
  ] as const) {
    it(`§2: ${how} does not matter, and the audience is the registered id all the same`, async () => {
      const { body } = await tokens('alice', { scope: 'music:hear', resource: spelling }, spelling)
      assert.equal(claimsOf(body.access_token).aud, MUSIC)
      const again = await refresh(body.refresh_token, { resource: spelling })
      assert.equal(claimsOf(again.body.access_token).aud, MUSIC)
    })
  }

  it('§2: case of the path matters', async () => {
    const answer = await refused('alice', { scope: 'photos:read', resource: `${issuer.url}/Photos` })
    assert.equal(answer.get('error'), 'invalid_target')
  })

  for (const [what, value] of [
    ['an unknown one', 'https://elsewhere.example.com/'],
    ['a malformed one', 'not a uri'],
    ['one with a fragment', 'FRAGMENT'],
    ['one with a trailing slash after a path', 'SLASH'],
  ] as const) {
    const spelled = () =>
      value === 'FRAGMENT' ? `${issuer.photos}#x` : value === 'SLASH' ? `${issuer.photos}/` : value
    it(`§2: ${what} is invalid_target at authorize, with a description that names the parameter`, async () => {
      const answer = await refused('alice', { scope: 'photos:read', resource: spelled() })
      assert.equal(answer.get('error'), 'invalid_target')
      assert.match(answer.get('error_description') ?? '', /resource/)
      assert.equal(answer.get('iss'), issuer.url)
    })
    it(`§2.2: ${what} is invalid_target at the token endpoint, and the code is not burnt`, async () => {
      const options = { clientId: 'cli', redirectUri, scope: 'photos:read', resource: issuer.photos }
      const answer = await new Person(issuer.url, 'alice').authorize(options)
      const bad = await redeem(issuer.url, answer, { ...options, resource: spelled() })
      assert.equal(bad.status, 400)
      assert.equal(bad.body.error, 'invalid_target')
      assert.match(bad.body.error_description ?? '', /resource/)
      const good = await redeem(issuer.url, answer, options)
      assert.equal(good.status, 200, JSON.stringify(good.body))
    })
    it(`§2.2: ${what} is invalid_target at refresh, and the refresh token is not rotated`, async () => {
      const { body } = await tokens('alice', { scope: 'photos:read', resource: issuer.photos })
      const bad = await refresh(body.refresh_token, { resource: spelled() })
      assert.equal(bad.body.error, 'invalid_target')
      assert.equal((await refresh(body.refresh_token)).status, 200)
    })
  }

  it('§2.2: two at the token endpoint are invalid_target and cost nothing', async () => {
    const options = { clientId: 'cli', redirectUri, scope: 'photos:read files:read' }
    const answer = await new Person(issuer.url, 'alice').authorize({
      ...options,
      resource: [issuer.photos, issuer.files],
    })
    const bad = await redeem(issuer.url, answer, { ...options, resource: [issuer.photos, issuer.files] })
    assert.equal(bad.body.error, 'invalid_target')
    assert.match(bad.body.error_description ?? '', /resource/)
    assert.equal((await redeem(issuer.url, answer, { ...options, resource: issuer.files })).status, 200)
  })

  it('§2.1: several at authorize are allowed; each access token is for one', async () => {
    const asked = { scope: 'photos:read files:read', resource: [issuer.photos, issuer.files] }
    const first = await tokens('alice', asked, issuer.files)
    assert.equal(claimsOf(first.body.access_token).aud, issuer.files)
    assert.equal(first.body.scope, 'files:read')
    const second = await refresh(first.body.refresh_token, { resource: issuer.photos })
    assert.equal(claimsOf(second.body.access_token).aud, issuer.photos)
    assert.equal(second.body.scope, 'photos:read')
  })

  it('§2.2: of several granted and none named, the first in the order asked for', async () => {
    const asked = { scope: 'photos:read files:read', resource: [issuer.files, issuer.photos] }
    const { body } = await tokens('alice', asked)
    assert.equal(claimsOf(body.access_token).aud, issuer.files)
  })

  it('§2.2: of several granted and none named, the first that the person may still have', async () => {
    const carol = await issuer.addPerson('carol', ['photos', 'files'])
    const asked = { scope: 'photos:read files:read', resource: [issuer.photos, issuer.files] }
    const { body } = await tokens('carol', asked)
    assert.equal(claimsOf(body.access_token).aud, issuer.photos)
    await issuer.acts.changeGroups(carol.sub, ['files'], 'test')
    const again = await refresh(body.refresh_token)
    assert.equal(claimsOf(again.body.access_token).aud, issuer.files)
  })

  it('§2: without `resource`, the one that the requested scopes belong to', async () => {
    const { body } = await tokens('alice', { scope: 'files:read' })
    assert.equal(claimsOf(body.access_token).aud, issuer.files)
  })

  it('`resource` without one of its scopes is invalid_scope and names those that exist', async () => {
    for (const scope of ['files:read', 'openid', 'photos:delete']) {
      const answer = await refused('alice', { scope, resource: issuer.photos })
      assert.equal(answer.get('error'), 'invalid_scope', String(scope))
      assert.match(answer.get('error_description') ?? '', /photos:read photos:write/)
    }
  })

  it('`resource` without `scope` is all of it that the person may have, and the answer names the scope', async () => {
    for (const [username, scope] of [
      ['alice', 'photos:read'],
      ['ed', 'photos:read photos:write'],
    ] as const) {
      if (username === 'ed') await issuer.addPerson('ed', ['photo-editors', 'photos-editors'])
      const { body } = await tokens(username, { resource: issuer.photos })
      assert.equal(body.scope, scope)
      assert.equal(claimsOf(body.access_token).scope, scope)
      const renewed = await refresh(body.refresh_token, { resource: issuer.photos })
      assert.equal(renewed.body.scope, scope)
    }
  })

  it('nothing asked for, or nothing that exists, is invalid_scope and names what exists', async () => {
    for (const scope of [undefined, 'photos:delete']) {
      const answer = await refused('alice', { scope })
      assert.equal(answer.get('error'), 'invalid_scope')
      assert.match(answer.get('error_description') ?? '', /photos:read/)
    }
  })

  it('§2.2: a token request for a resource that was not consented is invalid_target', async () => {
    const { body } = await tokens('alice', { scope: 'photos:read', resource: issuer.photos })
    const wider = await refresh(body.refresh_token, { resource: issuer.files })
    assert.equal(wider.body.error, 'invalid_target')
    assert.equal((await refresh(body.refresh_token, { resource: issuer.photos })).status, 200)
  })

  it('a refresh with a scope that was not granted is invalid_scope and costs nothing', async () => {
    const { body } = await tokens('alice', { scope: 'photos:read', resource: issuer.photos })
    const wider = await refresh(body.refresh_token, { scope: 'photos:read photos:write' })
    assert.equal(wider.body.error, 'invalid_scope')
    assert.equal((await refresh(body.refresh_token)).body.scope, 'photos:read')
  })
})

describe('grants decide at authorize, token and refresh', () => {
  it('a person who may have part of what is asked is given that part', async () => {
    const { body } = await tokens('alice', { scope: 'photos:read photos:write', resource: issuer.photos })
    assert.equal(body.scope, 'photos:read')
    assert.equal(claimsOf(body.access_token).scope, 'photos:read')
  })

  it('a person who may have one of two resources is given that one', async () => {
    const asked = { scope: 'photos:read files:read', resource: [issuer.photos, issuer.files] }
    const { body } = await tokens('bob', asked)
    assert.equal(claimsOf(body.access_token).aud, issuer.files)
    assert.equal((await refresh(body.refresh_token, { resource: issuer.photos })).body.error, 'invalid_target')
  })

  it('a person who may have none sees why and which groups would do, and the client gets access_denied', async () => {
    const bob = new Person(issuer.url, 'bob')
    const page = await bob.authorize({ clientId: 'cli', redirectUri, scope: 'photos:read', resource: issuer.photos })
    assert.equal(page.code, '')
    assert.match(page.text, /Photo library/)
    assert.match(page.text, />photos</)
    assert.match(page.text, />photos-editors</)
    const back = new URL((await bob.decide(page, 'deny')).url)
    assert.equal(back.searchParams.get('error'), 'access_denied')
    assert.equal(back.searchParams.get('state'), page.state)
    assert.equal(back.searchParams.get('iss'), issuer.url)
  })

  it('prompt=none for a person who may have none is access_denied at once', async () => {
    const bob = new Person(issuer.url, 'bob')
    await bob.authorize({ clientId: 'cli', redirectUri, scope: 'files:read' })
    const page = await bob.authorize({ clientId: 'cli', redirectUri, scope: 'photos:read', more: { prompt: 'none' } })
    assert.equal(new URL(page.url).searchParams.get('error'), 'access_denied')
  })

  it('a refresh for a resource that was lost is invalid_target, and the refresh token stays usable for others', async () => {
    const dan = await issuer.addPerson('dan', ['photos', 'files'])
    const asked = { scope: 'photos:read files:read', resource: [issuer.photos, issuer.files] }
    const { body } = await tokens('dan', asked)
    await issuer.acts.changeGroups(dan.sub, ['files'], 'test')
    const lost = await refresh(body.refresh_token, { resource: issuer.photos })
    assert.equal(lost.body.error, 'invalid_target')
    const kept = await refresh(body.refresh_token, { resource: issuer.files })
    assert.equal(kept.status, 200, JSON.stringify(kept.body))
    assert.equal(claimsOf(kept.body.access_token).aud, issuer.files)
  })

  it("what is left of a resource's scopes is granted", async () => {
    const fay = await issuer.addPerson('fay', ['photos', 'photos-editors'])
    const { body } = await tokens('fay', { scope: 'photos:read photos:write', resource: issuer.photos })
    assert.equal(body.scope, 'photos:read photos:write')
    await issuer.acts.changeGroups(fay.sub, ['photos'], 'test')
    assert.equal((await refresh(body.refresh_token)).body.scope, 'photos:read')
  })

  it('a refresh is invalid_grant when nothing is left, and works again when something is', async () => {
    const gil = await issuer.addPerson('gil', ['photos'])
    const { body } = await tokens('gil', { scope: 'photos:read', resource: issuer.photos })
    await issuer.acts.changeGroups(gil.sub, [], 'test')
    assert.equal((await refresh(body.refresh_token)).body.error, 'invalid_grant')
    await issuer.acts.changeGroups(gil.sub, ['photos'], 'test')
    assert.equal((await refresh(body.refresh_token)).status, 200)
  })

  it('a code whose person lost the group meanwhile gives nothing, and is not burnt', async () => {
    const hal = await issuer.addPerson('hal', ['photos'])
    const options = { clientId: 'cli', redirectUri, scope: 'photos:read' }
    const answer = await new Person(issuer.url, 'hal').authorize(options)
    await issuer.acts.changeGroups(hal.sub, [], 'test')
    assert.equal((await redeem(issuer.url, answer, options)).body.error, 'invalid_grant')
    await issuer.acts.changeGroups(hal.sub, ['photos'], 'test')
    assert.equal((await redeem(issuer.url, answer, options)).status, 200)
  })

  it('a narrower routes.yaml holds for the next refresh', async () => {
    const { resources } = issuer.settings()
    const { body } = await tokens('alice', { scope: 'photos:read', resource: issuer.photos })
    await issuer.reconfigure({ resources: resources.map((each) => ({ ...each, grants: [] })) })
    assert.equal((await refresh(body.refresh_token)).body.error, 'invalid_grant')
    await issuer.reconfigure({ resources: resources.slice(1) })
    assert.equal((await refresh(body.refresh_token, { resource: issuer.photos })).body.error, 'invalid_target')
    await issuer.reconfigure({ resources })
    assert.equal((await refresh(body.refresh_token)).status, 200)
  })

  it('`openid` alone gives an opaque token that serves userinfo only', async () => {
    const { body } = await tokens('eve', { scope: 'openid' })
    assert.equal(String(body.access_token).split('.').length, 1)
    const answer = await fetch(`${issuer.url}/oauth/userinfo`, {
      headers: { authorization: `Bearer ${body.access_token}` },
    })
    assert.equal(answer.status, 200)
    assert.equal(((await answer.json()) as { sub: string }).sub, claimsOf(String(body.id_token)).sub)
  })

  it('a token for a resource does not serve userinfo', async () => {
    const { body } = await tokens('alice', { scope: 'openid photos:read', resource: issuer.photos })
    const headers = { authorization: `Bearer ${body.access_token}` }
    assert.equal((await fetch(`${issuer.url}/oauth/userinfo`, { headers })).status, 401)
  })
})
