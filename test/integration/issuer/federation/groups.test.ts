import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { askToken, claimsOf, Person, redeem, type TokenAnswer } from '../../../support/issuer/browser-less-person.ts'
import { authorizeBy, providerEntry, type Traveller, traveller } from '../../../support/issuer/federated-issuer.ts'
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
    const ended = await signIn()
    const carol = new Person(gate.url, 'carol')
    const byPassword = await carol.authorize({ ...APP, scope: 'files:read', resource: gate.files })
    const hers = await redeem(gate.url, byPassword, APP)
    provider.setAccount({ ...provider.account(sub), disabled: true })
    clock.forward(2 * MINUTE)
    const refused = await refresh(ended.body.refresh_token)
    assert.deepEqual([refused.status, refused.body.error], [400, 'invalid_grant'])
    assert.equal(await isLive(ended.body.access_token), false)
    assert.equal((await refresh(hers.body.refresh_token)).status, 200)
    assert.equal(await isLive(hers.body.access_token), true)
  })

  it('28 P silent: refreshes work for `on_unreachable`, then 503 with `Retry-After`; the same refresh token works when P is back', async () => {
    const first = await signIn()
    provider.defects.instead = (_path, response) => {
      response.writeHead(502).end()
      return true
    }
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

  it('36 Removing the provider from routes.yaml ends its sign-ins’ tokens ≤ 1 s after the reload', async () => {
    const first = await signIn()
    await gate.reconfigure({ providers: [] })
    assert.equal(await isLive(first.body.access_token), false)
    assert.equal((await refresh(first.body.refresh_token)).body.error, 'invalid_grant')
  })

  it('37 A person with a browser session only, disabled at P, has none after 15 min', async () => {
    const who = traveller(gate.url, provider)
    const { pressProvider } = await import('../../../support/issuer/federated-issuer.ts')
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
    const ended = gate.events.filter(({ event }) => event === 'federation.ended').at(-1)
    assert.equal(ended?.detail.reason, 'subject_changed')
  })

  it('5 A wrong signature in the refresh grant is silence: the last word serves', async () => {
    const first = await signIn()
    provider.defects.token = (body) => ({ ...body, id_token: `${String(body.id_token).slice(0, -8)}AAAAAAAA` })
    clock.forward(2 * MINUTE)
    const served = await refresh(first.body.refresh_token)
    assert.equal(served.status, 200)
    clock.forward(HOUR)
    assert.equal((await refresh(served.body.refresh_token)).status, 503)
  })
})
