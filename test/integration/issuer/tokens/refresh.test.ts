import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { StoreError } from '../../../../src/store/store.ts'
import {
  askToken,
  claimsOf,
  Person,
  post,
  redeem,
  type TokenAnswer,
} from '../../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../../../support/issuer/issuer-under-test.ts'

const redirectUri = 'http://127.0.0.1:7001/cb'
let issuer: IssuerUnderTest
let clock = 0

before(async () => {
  issuer = await startIssuer({ now: () => Date.now() + clock })
  await issuer.addPerson('alice', ['photos', 'files'])
  for (const id of ['cli', 'other']) await issuer.addClient({ id, type: 'native', redirectUris: [redirectUri] })
})
after(() => issuer.close())

async function signedIn(username = 'alice', scope = 'photos:read files:read'): Promise<TokenAnswer['body']> {
  const options = { clientId: 'cli', redirectUri, scope }
  const answer = await new Person(issuer.url, username).authorize(options)
  return (await redeem(issuer.url, answer, options)).body
}

function refresh(token: string | undefined, more: Record<string, string> = {}): Promise<TokenAnswer> {
  return askToken(issuer.url, { grant_type: 'refresh_token', refresh_token: token, client_id: 'cli', ...more })
}

async function isActive(token: string | undefined): Promise<unknown> {
  return (await post(`${issuer.url}/oauth/introspect`, { token, client_id: 'cli' })).body.active
}

describe('a refresh token', () => {
  it('comes with every authorization, no offline_access needed', async () => {
    assert.equal(typeof (await signedIn()).refresh_token, 'string')
  })

  it('is used once: each refresh brings the next one', async () => {
    const first = await signedIn()
    const second = await refresh(first.refresh_token)
    assert.equal(second.status, 200)
    assert.notEqual(second.body.refresh_token, first.refresh_token)
    assert.equal((await refresh(second.body.refresh_token)).status, 200)
  })

  it('keeps auth_time, amr and gid of the sign-in', async () => {
    const first = await signedIn()
    const { body } = await refresh(first.refresh_token)
    const [before, now] = [claimsOf(first.access_token), claimsOf(body.access_token)]
    for (const name of ['auth_time', 'amr', 'gid', 'sub']) assert.deepEqual(now[name], before[name], name)
    assert.notEqual(now.jti, before.jti)
  })

  it('twenty parallel refreshes with one give one set of tokens', async () => {
    const first = await signedIn()
    const answers = await Promise.all(Array.from({ length: 20 }, () => refresh(first.refresh_token)))
    const tokens = new Set(answers.filter(({ status }) => status === 200).map(({ body }) => body.refresh_token))
    assert.equal(tokens.size, 1)
    assert.equal((await refresh([...tokens][0])).status, 200)
  })

  for (const method of ['consumeModel', 'putModel', 'renewAuthorization', 'putReplay', 'audit'] as const) {
    it(`that met a fault of the store at ${method} is as it was: asking again brings tokens`, async () => {
      const first = await signedIn()
      const { store } = issuer
      const original = store[method]
      const fault = async (): Promise<never> => {
        Object.assign(store, { [method]: original })
        throw new StoreError('store: a fault of the test', 'none')
      }
      Object.assign(store, { [method]: fault })
      assert.equal((await refresh(first.refresh_token)).status, 503)
      const second = await refresh(first.refresh_token)
      assert.equal(second.status, 200)
      assert.equal((await refresh(second.body.refresh_token)).status, 200)
    })
  }

  it('asked the same again within 30 s, gets the same answer, also over a restart', async () => {
    const first = await signedIn()
    const second = await refresh(first.refresh_token, { resource: issuer.files })
    const again = await refresh(first.refresh_token, { resource: issuer.files })
    assert.deepEqual(again.body, second.body)
    await issuer.restart()
    assert.deepEqual((await refresh(first.refresh_token, { resource: issuer.files })).body, second.body)
    assert.equal((await refresh(second.body.refresh_token)).status, 200)
  })

  it('asked again with other parameters is invalid_grant, and nothing is lost', async () => {
    const first = await signedIn()
    const second = await refresh(first.refresh_token, { resource: issuer.files })
    assert.equal((await refresh(first.refresh_token, { resource: issuer.photos })).body.error, 'invalid_grant')
    assert.equal((await refresh(first.refresh_token)).body.error, 'invalid_grant')
    assert.deepEqual((await refresh(first.refresh_token, { resource: issuer.files })).body, second.body)
    assert.equal((await refresh(second.body.refresh_token)).status, 200)
  })

  it('replayed after 30 s ends the family', async () => {
    const first = await signedIn()
    const second = await refresh(first.refresh_token)
    clock += 32_000
    try {
      assert.equal((await refresh(first.refresh_token)).body.error, 'invalid_grant')
      assert.equal(await isActive(second.body.access_token), false)
      assert.equal((await refresh(second.body.refresh_token)).body.error, 'invalid_grant')
    } finally {
      clock = 0
    }
  })

  it('replayed after the new one was used ends the family, and other families go on', async () => {
    const [first, other] = [await signedIn(), await signedIn()]
    const second = await refresh(first.refresh_token)
    const third = await refresh(second.body.refresh_token)
    assert.equal((await refresh(first.refresh_token)).body.error, 'invalid_grant')
    assert.equal(await isActive(third.body.access_token), false)
    assert.equal((await refresh(third.body.refresh_token)).body.error, 'invalid_grant')
    assert.equal((await refresh(other.refresh_token)).status, 200)
    const reuse = issuer.events.find(({ event }) => event === 'refresh.reuse')
    const { sub = '' } = (await issuer.store.userByName('alice')) ?? {}
    assert.equal(reuse?.detail.sub, sub)
    const theirs = (await issuer.store.auditsBy('sub', sub, Number.MAX_SAFE_INTEGER, 10)).map(({ event }) => event)
    assert.ok(theirs.includes('refresh.reuse') && theirs.includes('authorization.ended'), 'their person is told')
  })

  it('of one client is useless to another, and such a try costs its owner nothing', async () => {
    const first = await signedIn()
    assert.equal((await refresh(first.refresh_token, { client_id: 'other' })).body.error, 'invalid_grant')
    const second = await refresh(first.refresh_token)
    assert.equal(second.status, 200)
    assert.equal((await refresh(first.refresh_token, { client_id: 'other' })).body.error, 'invalid_grant')
    assert.equal((await refresh(second.body.refresh_token)).status, 200)
  })

  it('lives refresh_token_max at most, however often it is used', async () => {
    await issuer.reconfigure({ refreshTokenMaxSeconds: 1 })
    try {
      const first = await signedIn()
      const deadline = Date.now() + 5000
      let answer = await refresh(first.refresh_token)
      while (answer.status === 200 && Date.now() < deadline) answer = await refresh(answer.body.refresh_token)
      assert.equal(answer.body.error, 'invalid_grant')
    } finally {
      await issuer.reconfigure({ refreshTokenMaxSeconds: 180 * 86_400 })
    }
  })
})

describe('invalid_grant when nothing is left', () => {
  it('user disabled', async () => {
    const user = await issuer.addPerson('dora', ['photos'])
    const { refresh_token } = await signedIn('dora', 'photos:read')
    await issuer.acts.disableUser(user.sub, 'test')
    assert.equal((await refresh(refresh_token)).body.error, 'invalid_grant')
    await issuer.acts.enableUser(user.sub, 'test')
    assert.equal((await refresh(refresh_token)).body.error, 'invalid_grant')
  })

  it('consent revoked', async () => {
    const user = await issuer.addPerson('emil', ['photos'])
    const { refresh_token } = await signedIn('emil', 'photos:read')
    await issuer.acts.revokeConsent(user.sub, 'cli', 'test')
    assert.equal((await refresh(refresh_token)).body.error, 'invalid_grant')
  })

  it('family ended, and other families of the person go on', async () => {
    const user = await issuer.addPerson('finn', ['photos'])
    const [first, second] = [await signedIn('finn', 'photos:read'), await signedIn('finn', 'photos:read')]
    const gid = String(claimsOf(first.access_token).gid)
    const listed = await issuer.store.authorizations({ sub: user.sub })
    assert.equal(listed.length, 2)
    assert.ok(listed.every(({ label }) => label === 'Firefox on Linux'))
    await issuer.acts.revokeAuthorization(gid, 'test')
    assert.equal((await refresh(first.refresh_token)).body.error, 'invalid_grant')
    assert.equal((await refresh(second.refresh_token)).status, 200)
  })
})
