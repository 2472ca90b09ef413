import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, beforeEach, describe, it } from 'node:test'
import { until } from '../../../support/gateway-under-test.ts'
import { askToken, claimsOf, redeem, type TokenAnswer } from '../../../support/issuer/browser-less-person.ts'
import { authorizeBy, providerEntry, type Traveller, traveller } from '../../../support/issuer/federated-issuer.ts'
import { startProvider, type TestProvider } from '../../../support/issuer/identity-provider.ts'
import { type IssuerUnderTest, startIssuer } from '../../../support/issuer/issuer-under-test.ts'
import { isLive } from '../../../support/issuer/live-token.ts'
import { type ShiftedClock, shiftClock } from '../../../support/programs/shifted-clock.ts'

const APP = { clientId: 'cli', redirectUri: 'http://127.0.0.1:7001/cb' }
const SITE = { clientId: 'site', redirectUri: 'https://site.example/cb' }
const EVENT = 'http://schemas.openid.net/event/backchannel-logout'

let clock: ShiftedClock
let gate: IssuerUnderTest
let provider: TestProvider
let secret = ''
let count = 0
let sub = ''
let sid = ''

before(async () => {
  clock = shiftClock()
  gate = await startIssuer({ now: () => Date.now() })
  provider = await startProvider({ kind: 'keycloak', callback: `${gate.url}/oauth/providers/keycloak/callback` })
  await gate.addClient({ id: 'cli', type: 'native', redirectUris: [APP.redirectUri] })
  secret = (await gate.addClient({ id: 'site', type: 'web', redirectUris: [SITE.redirectUri] })).secret
  await gate.reconfigure({ providers: [providerEntry(provider, 'groups: { map: { /photos: photos } }')] })
})
after(async () => {
  await gate.close()
  await provider.close()
  clock.restore()
})
beforeEach(() => {
  count += 1
  sub = `person-${count}`
  sid = ''
  provider.setAccount({ sub, username: sub, groups: ['photos'] })
  provider.person = sub
  provider.defects.token = async (body) => {
    if (typeof body.id_token !== 'string' || sid === '') return body
    return { ...body, id_token: await provider.sign({ ...claimsOf(body.id_token), sid }) }
  }
})

async function signIn(who: Traveller, app: typeof APP): Promise<TokenAnswer> {
  const answer = await authorizeBy(who, { ...app, scope: 'photos:read', resource: gate.photos })
  assert.notEqual(answer.code, '', answer.text)
  return redeem(gate.url, answer, { ...app, ...(app === SITE ? { more: { client_secret: secret } } : {}) })
}

function refresh(tokens: TokenAnswer, app: typeof APP): Promise<TokenAnswer> {
  const more = app === SITE ? { client_secret: secret } : {}
  return askToken(gate.url, {
    grant_type: 'refresh_token',
    refresh_token: tokens.body.refresh_token,
    client_id: app.clientId,
    ...more,
  })
}

function logoutClaims(change: Record<string, unknown> = {}): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000)
  return {
    iss: provider.issuer,
    aud: 'gate',
    iat: now,
    exp: now + 120,
    jti: randomUUID(),
    sub,
    events: { [EVENT]: {} },
    ...change,
  }
}

async function logout(
  token: string,
): Promise<{ readonly status: number; readonly body: string; readonly cache: string | null }> {
  const response = await fetch(`${gate.url}/oauth/providers/keycloak/logout`, {
    method: 'POST',
    body: new URLSearchParams({ logout_token: token }),
  })
  return { status: response.status, body: await response.text(), cache: response.headers.get('cache-control') }
}

describe('back-channel logout', () => {
  it('38 Keycloak’s logout token with one `sid` of three ends that browser session and its web tokens at once; the others are re-asked within 10 s', async () => {
    const browsers = ['one', 'two', 'three'].map((of) => ({ of: `${of}-${count}`, who: traveller(gate.url, provider) }))
    const tokens: { web: TokenAnswer; native: TokenAnswer }[] = []
    for (const { of, who } of browsers) {
      sid = of
      const web = await signIn(who, SITE)
      const attempt = await authorizeAgain(who)
      tokens.push({ web, native: await redeem(gate.url, attempt, APP) })
    }
    const asked = provider.calls('/token')
    clock.forward(1_000)
    const answer = await logout(await provider.sign(logoutClaims({ sid: browsers[0]?.of }), { typ: 'logout+jwt' }))
    assert.deepEqual([answer.status, answer.cache], [200, 'no-store'], answer.body)
    const [first, second] = tokens
    assert.ok(first !== undefined && second !== undefined && browsers[0] !== undefined && browsers[1] !== undefined)
    assert.equal(await isLive(gate.store, first.web.body.access_token), false)
    for (const { body } of [first.native, second.web, second.native]) {
      assert.equal(await isLive(gate.store, body.access_token), true)
    }
    assert.equal((await refresh(first.web, SITE)).body.error, 'invalid_grant')
    assert.equal((await refresh(second.web, SITE)).status, 200)
    assert.equal((await refresh(first.native, APP)).status, 200)
    assert.doesNotMatch((await browsers[0].who.here.open('/account')).text, /Who you are/)
    assert.match((await browsers[1].who.here.open('/account')).text, /Who you are/)
    await until(() => provider.calls('/token') - asked >= 3, 'each is asked for again', 10_000)
  })

  async function authorizeAgain(who: Traveller) {
    const { authorizationAttempt } = await import('../../../support/issuer/browser-less-person.ts')
    const attempt = authorizationAttempt(gate.url, { ...APP, scope: 'photos:read', resource: gate.photos })
    const page = await who.here.open(attempt.url)
    return { ...attempt, code: new URL(page.url).searchParams.get('code') ?? '' }
  }

  it('39 With `nonce`, without `events`, `none`/HS256, wrong `aud`, 6 min old `iat`, an ID token instead: 400, nothing ends', async () => {
    const { SignJWT, UnsecuredJWT } = await import('jose')
    const who = traveller(gate.url, provider)
    const tokens = await signIn(who, APP)
    const now = Math.floor(Date.now() / 1000)
    const { events: _, ...withoutEvents } = logoutClaims()
    const { iat: __, ...withoutIat } = logoutClaims()
    const { sub: ___, ...withoutSubject } = logoutClaims()
    const bad = [
      await provider.sign(logoutClaims({ nonce: 'x' })),
      await provider.sign(withoutEvents),
      await provider.sign(withoutIat),
      await provider.sign(withoutSubject),
      await provider.sign(logoutClaims({ events: { [EVENT]: 'x' } })),
      await provider.sign(logoutClaims({ aud: 'other' })),
      await provider.sign(logoutClaims({ iss: 'https://other.example.com' })),
      await provider.sign(logoutClaims({ iat: now - 360 })),
      await provider.sign(logoutClaims({ exp: now - 31 })),
      await provider.sign(logoutClaims(), { typ: 'at+jwt' }),
      new UnsecuredJWT(logoutClaims()).encode(),
      await new SignJWT(logoutClaims()).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(provider.clientSecret)),
      await provider.sign({ iss: provider.issuer, aud: 'gate', sub, iat: now, exp: now + 60, nonce: 'x' }),
      `${await provider.sign(logoutClaims())}x`,
      'nothing',
    ]
    for (const [index, token] of bad.entries()) {
      const answer = await logout(token)
      assert.deepEqual([answer.status, answer.cache], [400, 'no-store'], `${index} ${answer.body}`)
      assert.match(answer.body, /"error":"invalid_request"/)
      clock.forward(1_000)
    }
    assert.equal(await isLive(gate.store, tokens.body.access_token), true)
    assert.match((await who.here.open('/account')).text, /Who you are/)
    assert.equal((await refresh(tokens, APP)).status, 200)
  })

  it('39 Unknown subjects and replays: 200', async () => {
    const tokens = await signIn(traveller(gate.url, provider), APP)
    assert.equal((await logout(await provider.sign(logoutClaims({ sub: 'nobody' })))).status, 200)
    const { sub: _, ...ofNobody } = logoutClaims({ sid: 'nothing of ours' })
    assert.equal((await logout(await provider.sign(ofNobody))).status, 200)
    assert.equal((await refresh(tokens, APP)).status, 200)
    const token = await provider.sign(logoutClaims())
    assert.equal((await logout(token)).status, 200)
    assert.equal((await logout(token)).status, 200)
  })

  it('40 `sub` only ends that person’s CLI refresh tokens too', async () => {
    const tokens = await signIn(traveller(gate.url, provider), APP)
    clock.forward(1_000)
    assert.equal((await logout(await provider.sign(logoutClaims()))).status, 200)
    assert.equal(await isLive(gate.store, tokens.body.access_token), false)
    assert.equal((await refresh(tokens, APP)).body.error, 'invalid_grant')
  })

  it('more than 20 a second that fail verification are answered with 429; a good one among them is not refused', async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, () => logout('nothing')))
    assert.ok(answers.some(({ status }) => status === 429))
    assert.equal((await logout(await provider.sign(logoutClaims({ sub: 'nobody' })))).status, 200)
  })

  it('what is no form, or larger than 16 KiB, is refused', async () => {
    clock.forward(2_000)
    const url = `${gate.url}/oauth/providers/keycloak/logout`
    const token = await provider.sign(logoutClaims())
    const json = await fetch(url, { method: 'POST', body: JSON.stringify({ logout_token: token }) })
    assert.equal(json.status, 400)
    const large = await fetch(url, {
      method: 'POST',
      body: new URLSearchParams({ logout_token: token, filler: 'x'.repeat(17_000) }),
    })
    assert.equal(large.status, 400)
    assert.equal((await fetch(url)).status, 405)
  })

  it('`sign_out: provider` leads to P’s end of session, with a hint, after ours has ended', async () => {
    await gate.reconfigure({ providers: [providerEntry(provider, 'sign_out: provider')] })
    const { pressProvider } = await import('../../../support/issuer/federated-issuer.ts')
    const { formsOf } = await import('../../../support/issuer/browser-less-person.ts')
    const who = traveller(gate.url, provider)
    const page = await pressProvider(who, await who.here.open('/account'))
    const out = formsOf(page).find(({ action }) => action === '/account/sign-out')
    assert.ok(out !== undefined)
    const left = await who.here.send(page, out)
    assert.match(left.url, /\/session\/end\?.*id_token_hint=/)
    assert.doesNotMatch((await who.here.open('/account?password')).text, /Who you are/)
  })
})
