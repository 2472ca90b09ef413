import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, before, beforeEach, describe, it } from 'node:test'
import {
  askToken,
  authorizationAttempt,
  claimsOf,
  formWith,
  Person,
  post,
  redeem,
  type TokenAnswer,
} from '../../../support/issuer/browser-less-person.ts'
import {
  authorizeBy,
  pressProvider,
  providerEntries,
  providerEntry,
  type Traveller,
  traveller,
} from '../../../support/issuer/federated-issuer.ts'
import { startProvider, type TestProvider } from '../../../support/issuer/identity-provider.ts'
import { type IssuerUnderTest, startIssuer } from '../../../support/issuer/issuer-under-test.ts'
import { isLive as isLiveToken } from '../../../support/issuer/live-token.ts'
import { HOUR, MINUTE, type ShiftedClock, shiftClock } from '../../../support/programs/shifted-clock.ts'

const APP = { clientId: 'cli', redirectUri: 'http://127.0.0.1:7001/cb' }
const SCOPE = 'photos:read files:read'

let clock: ShiftedClock
let gate: IssuerUnderTest
let provider: TestProvider

before(async () => {
  clock = shiftClock()
  gate = await startIssuer({ now: () => Date.now() })
  provider = await startProvider({ kind: 'authentik', callback: `${gate.url}/oauth/providers/authentik/callback` })
  await gate.addClient({ id: 'cli', type: 'native', redirectUris: [APP.redirectUri] })
  await gate.addClient({ id: 'site', type: 'web', redirectUris: ['https://site.example/cb'] })
  await gate.addPerson('carol', ['files'])
})
after(async () => {
  await gate.close()
  await provider.close()
  clock.restore()
})

let count = 0
/** Another person each time, so that no test meets another's. */
let sub = ''

beforeEach(async () => {
  count += 1
  sub = `person-${count}`
  provider.setAccount({ sub, username: sub, groups: ['photos', 'files'] })
  provider.person = sub
  provider.defects.instead = undefined
  provider.defects.token = undefined
  await gate.reconfigure({ providers: [providerEntry(provider)] })
})

async function signIn(who: Traveller = traveller(gate.url, provider), resource = gate.photos): Promise<TokenAnswer> {
  const answer = await authorizeBy(who, { ...APP, scope: SCOPE, resource: [gate.photos, gate.files] })
  assert.notEqual(answer.code, '', answer.text)
  const tokens = await redeem(gate.url, answer, { ...APP, resource })
  assert.equal(tokens.status, 200, JSON.stringify(tokens.body))
  return tokens
}

function refresh(token: string | undefined, more: Record<string, string> = {}): Promise<TokenAnswer> {
  return askToken(gate.url, { grant_type: 'refresh_token', refresh_token: token, client_id: 'cli', ...more })
}

const isLive = (token: string | undefined): Promise<boolean> => isLiveToken(gate.store, token)

/** Every call at the provider fails. */
function silence(): void {
  provider.defects.instead = (_path, response) => {
    response.writeHead(502).end()
    return true
  }
}

const wasEnded = () => gate.events.filter(({ event }) => event === 'federation.ended').at(-1)?.detail.reason

describe('groups', () => {
  it('26 A group removed upstream: the next refresh more than 1 min later has no scope from it, and other live tokens with it are refused ≤ 50 ms after', async () => {
    const laptop = await signIn()
    const phone = await signIn()
    provider.setAccount({ ...provider.account(sub), groups: ['files'] })
    clock.forward(30_000)
    const early = await refresh(laptop.body.refresh_token)
    assert.equal(early.body.scope, 'photos:read')
    clock.forward(2 * MINUTE)
    const late = await refresh(early.body.refresh_token)
    assert.equal(late.body.scope, 'files:read', JSON.stringify(late.body))
    assert.deepEqual(claimsOf(late.body.access_token).groups, ['files'])
    // In force in the store with the answer; the gateway hears of it at once.
    assert.equal(await isLive(phone.body.access_token), false)
    assert.equal(await isLive(late.body.access_token), true)
  })

  it('27 `invalid_grant` from P: ours gets `invalid_grant`, that sign-in’s access tokens are refused, sign-ins by password and other providers go on', async () => {
    const office = await startProvider({ kind: 'keycloak', callback: `${gate.url}/oauth/providers/office/callback` })
    try {
      office.setAccount({ sub, username: `${sub}-office`, groups: ['photos'] })
      office.person = sub
      await gate.reconfigure({
        providers: providerEntries([
          [provider, 'groups: { take: all }'],
          [office, 'id: office, name: Office, groups: { map: { /photos: photos } }'],
        ]),
      })
      const who = traveller(gate.url, provider)
      const first = authorizationAttempt(gate.url, { ...APP, scope: SCOPE, resource: [gate.photos, gate.files] })
      const landed = await pressProvider(who, await who.here.open(first.url), /authentik/)
      const code = new URL(landed.url).searchParams.get('code') ?? ''
      const ended = await redeem(gate.url, { ...first, code }, { ...APP, resource: gate.photos })
      const there = traveller(gate.url, office)
      const second = authorizationAttempt(gate.url, { ...APP, scope: SCOPE, resource: gate.photos })
      const other = await pressProvider(there, await there.here.open(second.url), /Office/)
      const theirs = await redeem(gate.url, { ...second, code: new URL(other.url).searchParams.get('code') ?? '' }, APP)
      const byPassword = await new Person(gate.url, 'carol').authorize({
        ...APP,
        scope: 'files:read',
        resource: gate.files,
      })
      const hers = await redeem(gate.url, byPassword, APP)
      provider.setAccount({ ...provider.account(sub), disabled: true })
      clock.forward(2 * MINUTE)
      const refused = await refresh(ended.body.refresh_token)
      assert.deepEqual([refused.status, refused.body.error], [400, 'invalid_grant'])
      assert.equal(await isLive(ended.body.access_token), false)
      assert.doesNotMatch((await who.here.open('/account')).text, /Who you are/)
      for (const { body } of [hers, theirs]) {
        assert.equal((await refresh(body.refresh_token)).status, 200)
        assert.equal(await isLive(body.access_token), true)
      }
      assert.match((await there.here.open('/account')).text, /Who you are/)
    } finally {
      await office.close()
    }
  })

  it('28 P silent: refreshes work for `on_unreachable`, then 503 with `Retry-After`; the same refresh token works when P is back', async () => {
    const first = await signIn()
    silence()
    clock.forward(2 * MINUTE)
    const served = await refresh(first.body.refresh_token)
    assert.equal(served.status, 200)
    clock.forward(HOUR)
    const silent = await refresh(served.body.refresh_token)
    assert.deepEqual([silent.status, silent.body.error], [503, 'temporarily_unavailable'])
    assert.match(silent.headers.get('retry-after') ?? '', /^\d+$/)
    provider.defects.instead = undefined
    const back = await refresh(served.body.refresh_token)
    assert.equal(back.status, 200, JSON.stringify(back.body))
  })

  it('28 P silent for longer: a code, a device code and a browser session give 503 too, are not spent, and work when P is back', async () => {
    await gate.reconfigure({ providers: [providerEntry(provider, 'recheck: 10s, on_unreachable: 0s')] })
    const who = traveller(gate.url, provider)
    const code = await authorizeBy(who, { ...APP, scope: SCOPE, resource: gate.photos })
    const device = await post(`${gate.url}/oauth/device_authorization`, {
      client_id: 'cli',
      scope: 'photos:read',
      resource: gate.photos,
    })
    const form = await who.here.open('/oauth/device')
    const asked = await who.here.send(form, formWith(form, 'user_code'), { user_code: String(device.body.user_code) })
    await who.here.decide(asked, 'approve')
    clock.forward(20_000)
    silence()
    const byDevice = () =>
      askToken(gate.url, {
        grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
        device_code: String(device.body.device_code),
        client_id: 'cli',
      })
    for (const ask of [() => redeem(gate.url, code, APP), byDevice]) {
      const { status, body, headers } = await ask()
      assert.deepEqual([status, body.error], [503, 'temporarily_unavailable'], JSON.stringify(body))
      assert.match(headers.get('retry-after') ?? '', /^\d+$/)
    }
    const attempt = authorizationAttempt(gate.url, { ...APP, scope: SCOPE, resource: gate.photos })
    const page = await who.here.open(attempt.url)
    assert.doesNotMatch(page.url, /[?&]code=/)
    provider.defects.instead = undefined
    for (const ask of [() => redeem(gate.url, code, APP), byDevice]) {
      const { status, body } = await ask()
      assert.equal(status, 200, JSON.stringify(body))
    }
    assert.match((await who.here.open(attempt.url)).url, /[?&]code=/)
  })

  it('29 A failed userinfo call never empties the groups; a good answer without the claim does', async () => {
    const first = await signIn()
    provider.defects.instead = (path, response) => {
      if (path !== '/me') return false
      response.writeHead(500).end()
      return true
    }
    clock.forward(2 * MINUTE)
    const served = await refresh(first.body.refresh_token)
    assert.deepEqual(claimsOf(served.body.access_token).groups, ['photos'])
    provider.defects.instead = undefined
    const { groups: _, ...rest } = provider.account(sub)
    provider.setAccount(rest)
    clock.forward(2 * MINUTE)
    const emptied = await refresh(served.body.refresh_token)
    assert.equal(emptied.body.error, 'invalid_grant')
    const told = gate.events.filter(({ event }) => event === 'federation.groups_changed').at(-1)
    assert.equal(told?.detail.reason, 'groups_claim_absent')
  })

  it('32 Fifty parallel refreshes make one call at P', async () => {
    // One of its own: the background asks for the people of other tests meanwhile.
    const other = await startProvider({ kind: 'pocket-id', callback: `${gate.url}/oauth/providers/pocket-id/callback` })
    try {
      other.setAccount({ sub, username: sub, groups: ['photos'] })
      other.person = sub
      await gate.reconfigure({ providers: [providerEntry(other, 'preset: pocket-id')] })
      const who = traveller(gate.url, other)
      const tokens: (string | undefined)[] = []
      for (let n = 0; n < 5; n += 1) {
        const answer = await authorizeBy(who, { ...APP, scope: SCOPE, resource: [gate.photos] })
        tokens.push((await redeem(gate.url, answer, APP)).body.refresh_token)
      }
      clock.forward(2 * MINUTE)
      const calls = other.calls('/token')
      const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => refresh(tokens[n % 5])))
      assert.ok(answers.every(({ status }) => status === 200))
      assert.equal(other.calls('/token') - calls, 1)
    } finally {
      await other.close()
    }
  })

  it('33 `admins` from P gives nothing unless `map` names it', async () => {
    provider.setAccount({ ...provider.account(sub), groups: ['admins', 'photos'] })
    await signIn()
    const link = async () => gate.store.providerLink(provider.issuer, sub)
    assert.deepEqual((await link())?.groups, ['photos'])
    await gate.reconfigure({ providers: [providerEntry(provider, 'groups: { take: all, map: { admins: admins } }')] })
    clock.forward(2 * MINUTE)
    await signIn()
    assert.deepEqual((await link())?.groups, ['admins', 'photos'])
  })

  it('34 A group that the person also has here survives its removal at P', async () => {
    const first = await signIn()
    const link = await gate.store.providerLink(provider.issuer, sub)
    await gate.acts.changeGroups(link?.sub ?? '', ['photos'], 'test')
    provider.setAccount({ ...provider.account(sub), groups: [] })
    clock.forward(2 * MINUTE)
    const later = await refresh(first.body.refresh_token)
    assert.equal(later.body.scope, 'photos:read', JSON.stringify(later.body))
    assert.equal(await isLive(first.body.access_token), true)
  })

  it('35 P’s groups don’t count in an authorization that began with a password', async () => {
    await signIn()
    const link = await gate.store.providerLink(provider.issuer, sub)
    const passwordHash = (await gate.store.userByName('carol'))?.passwordHash
    await gate.store.updateUser(link?.sub ?? '', { passwordHash, groups: ['files'] })
    const person = new Person(gate.url, sub)
    const answer = await person.authorize({ ...APP, scope: SCOPE, resource: [gate.photos, gate.files] })
    const { body } = await redeem(gate.url, answer, APP)
    const claims = claimsOf(body.access_token)
    assert.deepEqual([body.scope, claims.groups, claims.idp], ['files:read', ['files'], undefined])
  })

  it('36 Removing the provider from routes.yaml ends its sign-ins’ tokens ≤ 1 s after the reload, and its browser sessions give none any more', async () => {
    const who = traveller(gate.url, provider)
    const first = await signIn(who)
    await gate.reconfigure({ providers: [] })
    assert.equal(await isLive(first.body.access_token), false)
    assert.equal((await refresh(first.body.refresh_token)).body.error, 'invalid_grant')
    const attempt = authorizationAttempt(gate.url, { ...APP, scope: SCOPE, resource: gate.photos })
    const page = await who.here.open(attempt.url)
    assert.ok(page.url.startsWith(gate.url), page.url)
    assert.match(page.text, /name="password"/)
  })

  it('37 A person with a browser session only, disabled at P, has none after 15 min', async () => {
    const who = traveller(gate.url, provider)
    await pressProvider(who, await who.here.open('/account'))
    assert.match((await who.here.open('/account')).text, /Who you are/)
    provider.setAccount({ ...provider.account(sub), disabled: true })
    clock.forward(14 * MINUTE)
    await gate.issuer().askProviders()
    assert.match((await who.here.open('/account')).text, /Who you are/)
    clock.forward(2 * MINUTE)
    await gate.issuer().askProviders()
    assert.doesNotMatch((await who.here.open('/account')).text, /Who you are/)
  })

  it('tokens without a word of P to ask for again end after `without_recheck`', async () => {
    const silent = await startProvider({
      kind: 'authelia',
      change: { withoutRefreshToken: true },
      callback: `${gate.url}/oauth/providers/authelia/callback`,
    })
    try {
      silent.setAccount({ sub, username: `${sub}-a`, groups: ['photos'] })
      silent.person = sub
      await gate.reconfigure({ providers: [providerEntry(silent, 'preset: authelia, without_recheck: 30m')] })
      const answer = await authorizeBy(traveller(gate.url, silent), { ...APP, scope: SCOPE, resource: gate.photos })
      const first = await redeem(gate.url, answer, APP)
      clock.forward(20 * MINUTE)
      const second = await refresh(first.body.refresh_token)
      assert.equal(second.status, 200, JSON.stringify(second.body))
      clock.forward(15 * MINUTE)
      assert.equal((await refresh(second.body.refresh_token)).body.error, 'invalid_grant')
    } finally {
      await silent.close()
    }
  })

  it('another subject in a refresh ends the sign-in with the reason `subject_changed`', async () => {
    const first = await signIn()
    provider.defects.token = async (body) => {
      const claims = claimsOf(String(body.id_token))
      return { ...body, id_token: await provider.sign({ ...claims, sub: 'somebody else' }) }
    }
    clock.forward(2 * MINUTE)
    assert.equal((await refresh(first.body.refresh_token)).body.error, 'invalid_grant')
    assert.equal(wasEnded(), 'subject_changed')
    assert.equal(await isLive(first.body.access_token), false)
  })

  it('27 a refresh token that P calls an invalid request (Dex) ends that sign-in, too; with a status of 500 it is silence', async () => {
    const first = await signIn()
    const answer = { status: 500 }
    provider.defects.instead = (path, response) => {
      if (path !== '/token') return false
      const body = { error: 'invalid_request', error_description: 'Refresh token is invalid.' }
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
      return true
    }
    clock.forward(2 * MINUTE)
    const served = await refresh(first.body.refresh_token)
    assert.equal(served.status, 200)
    answer.status = 400
    clock.forward(2 * MINUTE)
    const refused = await refresh(served.body.refresh_token)
    assert.deepEqual([refused.status, refused.body.error], [400, 'invalid_grant'])
    assert.equal(await isLive(served.body.access_token), false)
  })

  it('who no longer meets `allow` loses that sign-in with the reason `not_allowed`', async () => {
    await gate.reconfigure({ providers: [providerEntry(provider, 'allow: { groups: [files] }')] })
    const first = await signIn()
    provider.setAccount({ ...provider.account(sub), groups: ['photos'] })
    clock.forward(2 * MINUTE)
    assert.equal((await refresh(first.body.refresh_token)).body.error, 'invalid_grant')
    assert.equal(wasEnded(), 'not_allowed')
    assert.equal(await isLive(first.body.access_token), false)
  })

  it('10 An answer over 1 MiB, or a redirect, is silence at the token endpoint and at userinfo', async () => {
    const large = (response: ServerResponse) => response.end(JSON.stringify({ filler: 'x'.repeat(1024 * 1024) }))
    const redirect = (response: ServerResponse) => response.writeHead(302, { location: provider.issuer }).end()
    const first = await signIn()
    provider.setAccount({ ...provider.account(sub), groups: [] })
    let token = first.body.refresh_token
    for (const path of ['/token', '/me']) {
      for (const answer of [large, redirect]) {
        provider.defects.instead = (asked, response) => {
          if (asked !== path) return false
          answer(response)
          return true
        }
        clock.forward(2 * MINUTE)
        const { status, body } = await refresh(token)
        assert.equal(status, 200, JSON.stringify(body))
        assert.deepEqual(claimsOf(body.access_token).groups, ['photos'])
        token = body.refresh_token
      }
    }
  })

  it('5 An ID token with a wrong signature is refused in the refresh grant: nothing in it counts, and the last word serves', async () => {
    const first = await signIn()
    const stranger = await startProvider({ kind: 'authentik', callback: '*' })
    await stranger.close()
    provider.setAccount({ ...provider.account(sub), groups: ['files'] })
    provider.defects.token = async (body) => ({
      ...body,
      id_token: await stranger.sign({ ...claimsOf(String(body.id_token)) }),
    })
    clock.forward(2 * MINUTE)
    const served = await refresh(first.body.refresh_token)
    assert.deepEqual([served.status, served.body.scope], [200, 'photos:read'])
    assert.deepEqual((await gate.store.providerLink(provider.issuer, sub))?.groups, ['photos', 'files'])
    clock.forward(HOUR)
    assert.equal((await refresh(served.body.refresh_token)).status, 503)
  })
})
