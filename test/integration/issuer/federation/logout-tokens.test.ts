import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, beforeEach, describe, it } from 'node:test'
import { until } from '../../../support/gateway-under-test.ts'
import { askToken, claimsOf, redeem, type TokenAnswer } from '../../../support/issuer/browser-less-person.ts'
import { authorizeBy, providerEntry, traveller } from '../../../support/issuer/federated-issuer.ts'
import { startProvider, type TestProvider } from '../../../support/issuer/identity-provider.ts'
import { type IssuerUnderTest, startIssuer } from '../../../support/issuer/issuer-under-test.ts'
import { isLive } from '../../../support/issuer/live-token.ts'
import { type ShiftedClock, shiftClock } from '../../../support/programs/shifted-clock.ts'

const APP = { clientId: 'cli', redirectUri: 'http://127.0.0.1:7001/cb' }
const SITE = { clientId: 'site', redirectUri: 'https://site.example/cb' }
const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const FORM = 'application/x-www-form-urlencoded'
const MAP = 'groups: { map: { /photos: photos } }'

let clock: ShiftedClock
let gate: IssuerUnderTest
let provider: TestProvider
let secret = ''
let count = 0
let sub = ''
const said: { claims: Record<string, unknown> } = { claims: {} }

before(async () => {
  clock = shiftClock()
  gate = await startIssuer({ now: () => Date.now() })
  provider = await startProvider({ kind: 'keycloak', callback: '*' })
  await gate.addClient({ id: 'cli', type: 'native', redirectUris: [APP.redirectUri] })
  secret = (await gate.addClient({ id: 'site', type: 'web', redirectUris: [SITE.redirectUri] })).secret
})
after(async () => {
  await gate.close()
  await provider.close()
  clock.restore()
})
beforeEach(async () => {
  count += 1
  sub = `person-${count}`
  said.claims = {}
  clock.forward(2_000)
  provider.setAccount({ sub, username: sub, groups: ['photos'] })
  provider.person = sub
  provider.defects.token = async (body) => {
    if (typeof body.id_token !== 'string') return body
    return { ...body, id_token: await provider.sign({ ...claimsOf(body.id_token), ...said.claims }) }
  }
  await gate.reconfigure({ providers: [providerEntry(provider, MAP)] })
})

/** Signs in; further claims stand in the ID token of this sign-in and of those that come later. */
async function signIn(claims: Record<string, unknown> = {}, app = APP): Promise<TokenAnswer> {
  said.claims = claims
  const asked = { ...app, scope: 'photos:read', resource: gate.photos }
  const answer = await authorizeBy(traveller(gate.url, provider), asked)
  assert.notEqual(answer.code, '', answer.text)
  return redeem(gate.url, answer, { ...app, ...(app === SITE ? { more: { client_secret: secret } } : {}) })
}

function logoutClaims(change: Record<string, unknown> = {}): Record<string, unknown> {
  const iat = Math.floor(Date.now() / 1000)
  return { iss: provider.issuer, aud: 'gate', iat, jti: randomUUID(), events: { [EVENT]: {} }, ...change }
}

function post(body: string, headers: Record<string, string> = { 'content-type': FORM }, method = 'POST') {
  return fetch(`${gate.url}/oauth/providers/keycloak/logout`, { method, body, headers })
}

const send = async (claims: Record<string, unknown>, header = {}): Promise<number> =>
  (await post(`logout_token=${await provider.sign(claims, header)}`)).status

const live = (tokens: TokenAnswer): Promise<boolean> => isLive(gate.store, tokens.body.access_token)

describe('a logout token', () => {
  const bad: readonly (readonly [string, Record<string, unknown>, Record<string, unknown>?])[] = [
    ['whose `events` is a list', { events: [EVENT] }],
    ['whose `events` is empty', { events: {} }],
    ['whose `events` is a text', { events: JSON.stringify({ [EVENT]: {} }) }],
    ['whose event is a list', { events: { [EVENT]: [] } }],
    ['whose event is null', { events: { [EVENT]: null } }],
    ['with another event', { events: { [`${EVENT}/`]: {} } }],
    ['with a `nonce` of null', { nonce: null }],
    ['without `aud`', { aud: undefined }],
    ['whose `aud` lists others', { aud: ['other', 'Gate'] }],
    ['whose `aud` is an object', { aud: { gate: true } }],
    ['without `iss`', { iss: undefined }],
    ['whose `iat` is a text', { iat: '1' }],
    ['whose `iat` lies ahead', { iat: Math.floor(Date.now() / 1000) + 3_600 }],
    ['whose `exp` is a text', { exp: 'later' }],
    ['whose `sub` is a number', { sub: 5, sid: 'a' }],
    ['whose `sid` is a list', { sid: ['a'] }],
    ['whose `sub` is empty, without `sid`', { sub: '' }],
    ['whose `typ` is another', {}, { typ: 'at+jwt' }],
    ['whose `typ` is no text', {}, { typ: ['JWT'] }],
  ]
  for (const [what, change, header] of bad) {
    it(`${what} is refused, and ends nothing`, async () => {
      const tokens = await signIn()
      assert.equal(await send(logoutClaims({ sub, ...change }), header), 400)
      assert.equal(await live(tokens), true)
    })
  }

  const good: readonly (readonly [string, Record<string, unknown>, Record<string, unknown>?])[] = [
    ['whose `aud` lists us among others', { aud: ['other', 'gate'] }],
    ['with a further event', { events: { [EVENT]: { a: 1 }, 'https://example.com/other': {} } }],
    ['whose `sid` is null', { sid: null }],
    ['of the type `application/logout+jwt`', {}, { typ: 'application/logout+JWT' }],
  ]
  for (const [what, change, header] of good) {
    it(`${what} is taken`, async () => {
      const tokens = await signIn()
      clock.forward(1_000)
      assert.equal(await send(logoutClaims({ sub, ...change }), header), 200)
      assert.equal(await live(tokens), false)
    })
  }

  it('that names nobody whom an account could be of is answered with 200, too', async () => {
    for (const nobody of ['x'.repeat(300), 'a\u0000b', '\ud800']) {
      assert.equal(await send(logoutClaims({ sub: nobody })), 200, nobody.slice(0, 5))
    }
  })

  it('comes in a form, whatever its charset; twice, in the query, in parts or by GET it doesn’t', async () => {
    const token = await provider.sign(logoutClaims({ sub: 'nobody' }))
    const body = `logout_token=${token}`
    for (const type of [FORM.toUpperCase(), `${FORM}; charset=UTF-8`, `${FORM};charset="utf-8"`]) {
      assert.equal((await post(body, { 'content-type': type })).status, 200, type)
    }
    const refused = [
      await post(`${body}&${body}`),
      await post(`token=${token}`),
      await post('', { 'content-type': FORM }),
      await post(body, { 'content-type': 'text/plain' }),
      await post(`${body}&x=${'x'.repeat(16 * 1024)}`),
      await fetch(`${gate.url}/oauth/providers/keycloak/logout?${body}`, { method: 'POST' }),
    ]
    assert.deepEqual(
      refused.map(({ status }) => status),
      [400, 400, 400, 400, 400, 400],
    )
    const parts = new FormData()
    parts.set('logout_token', token)
    assert.equal(
      (await fetch(`${gate.url}/oauth/providers/keycloak/logout`, { method: 'POST', body: parts })).status,
      400,
    )
    for (const method of ['PUT', 'DELETE'])
      assert.equal((await post(body, { 'content-type': FORM }, method)).status, 405)
    assert.equal((await post(`${body}&x=y`)).status, 200)
  })

  it('of another provider’s key, or for another provider’s path, ends nothing', async () => {
    const other = await startProvider({ kind: 'authentik', callback: '*' })
    try {
      await gate.reconfigure({
        providers: [providerEntry(provider, MAP), providerEntry(other, 'groups: { take: all }')],
      })
      const tokens = await signIn()
      clock.forward(1_000)
      assert.equal(await send(logoutClaims({ sub, iss: other.issuer })), 400)
      const theirs = await other.sign(logoutClaims({ sub }))
      assert.equal((await post(`logout_token=${theirs}`)).status, 400)
      assert.equal(
        (await post(`logout_token=${await other.sign(logoutClaims({ sub, iss: other.issuer }))}`)).status,
        400,
      )
      assert.equal(await live(tokens), true)
    } finally {
      await other.close()
    }
  })
})

describe('whom a logout token means', () => {
  it('`sub` decides whose sign-ins without `sid` end; the `sid` ends its own', async () => {
    const [mine, withoutSid] = [await signIn({ sid: `a-${count}` }, SITE), await signIn({}, SITE)]
    const owner = sub
    sub = `other-${count}`
    provider.setAccount({ sub, username: sub, groups: ['photos'] })
    provider.person = sub
    const theirs = await signIn({}, SITE)
    clock.forward(1_000)
    assert.equal(await send(logoutClaims({ sub, sid: `a-${count}` })), 200)
    assert.deepEqual([await live(mine), await live(withoutSid), await live(theirs)], [false, true, false])
    assert.equal(await send(logoutClaims({ sid: `a-${count}` })), 200)
    assert.equal(await live(withoutSid), true)
    assert.notEqual(owner, sub)
  })

  it('without `sub`, who had that `sid` loses the sign-ins that never had one', async () => {
    const [mine, withoutSid, other] = [
      await signIn({ sid: `a-${count}` }, SITE),
      await signIn({}, SITE),
      await signIn({ sid: `b-${count}` }, SITE),
    ]
    clock.forward(1_000)
    assert.equal(await send(logoutClaims({ sid: `a-${count}` })), 200)
    assert.deepEqual([await live(mine), await live(withoutSid), await live(other)], [false, false, true])
  })

  it('where another claim is the person, `sub` still means whose ID tokens had it', async () => {
    await gate.reconfigure({ providers: [providerEntry(provider, `${MAP}, person: oid`)] })
    const tokens = await signIn({ oid: `oid-${count}`, sid: `a-${count}` })
    assert.notEqual(await gate.store.providerLink(provider.issuer, `oid-${count}`), undefined)
    clock.forward(1_000)
    assert.equal(await send(logoutClaims({ sub: `oid-${count}` })), 200)
    assert.equal(await live(tokens), true)
    assert.equal(await send(logoutClaims({ sub })), 200)
    assert.equal(await live(tokens), false)
    const again = await signIn({ oid: `oid-${count}`, sid: `b-${count}` }, SITE)
    clock.forward(1_000)
    assert.equal(await send(logoutClaims({ sub: 'unknown', sid: `b-${count}` })), 200)
    assert.equal(await live(again), false)
  })

  it('who is being asked for when it comes is asked for once more', async () => {
    await signIn({ sid: `a-${count}` }, SITE)
    const native = await signIn({ sid: `b-${count}` })
    clock.forward(61_000)
    const [held, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const plain = provider.defects.token
    provider.defects.token = async (body) => {
      provider.defects.token = plain
      held.resolve()
      await go.promise
      return body
    }
    const asked = provider.calls('/token')
    const refreshed = askToken(gate.url, {
      grant_type: 'refresh_token',
      refresh_token: native.body.refresh_token,
      client_id: 'cli',
    })
    await held.promise
    clock.forward(1_000)
    assert.equal(await send(logoutClaims({ sid: `a-${count}` })), 200)
    go.resolve()
    assert.equal((await refreshed).status, 200)
    await until(() => provider.calls('/token') > asked + 1, 'it is asked for again', 10_000)
  })

  it('what a sign-in that ended was given is given up there; one that native clients live by stands', async () => {
    const revoked = () => provider.calls('/token/revocation')
    await signIn({ sid: `a-${count}` }, SITE)
    const native = await signIn({ sid: `b-${count}` })
    const before = revoked()
    assert.equal(await send(logoutClaims({ sid: `b-${count}` })), 200)
    assert.equal(await live(native), true)
    assert.equal(await send(logoutClaims({ sid: `a-${count}` })), 200)
    await until(() => revoked() === before + 1, 'the refresh token is given up')
  })
})
