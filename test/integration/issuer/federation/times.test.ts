import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { until } from '../../../support/gateway-under-test.ts'
import { askToken, redeem, type TokenAnswer } from '../../../support/issuer/browser-less-person.ts'
import { authorizeBy, providerEntry, traveller } from '../../../support/issuer/federated-issuer.ts'
import { startProvider, type TestProvider } from '../../../support/issuer/identity-provider.ts'
import { type IssuerUnderTest, startIssuer } from '../../../support/issuer/issuer-under-test.ts'
import { isLive } from '../../../support/issuer/live-token.ts'
import { HOUR, MINUTE, type ShiftedClock, shiftClock } from '../../../support/programs/shifted-clock.ts'

const APP = { clientId: 'cli', redirectUri: 'http://127.0.0.1:7001/cb' }
const SECOND = 1_000

let clock: ShiftedClock
let gate: IssuerUnderTest
let provider: TestProvider
let frugal: TestProvider
let count = 0
let sub = ''

before(async () => {
  clock = shiftClock()
  gate = await startIssuer({ now: () => Date.now() })
  provider = await startProvider({ kind: 'authentik', callback: '*' })
  frugal = await startProvider({ kind: 'keycloak', callback: '*', change: { withoutRefreshToken: true } })
  await gate.addClient({ id: 'cli', type: 'native', redirectUris: [APP.redirectUri] })
})
after(async () => {
  await gate.close()
  await provider.close()
  await frugal.close()
  clock.restore()
})
beforeEach(() => {
  count += 1
  sub = `person-${count}`
  for (const each of [provider, frugal]) {
    each.setAccount({ sub, username: sub, groups: ['photos', 'files'] })
    each.person = sub
    each.defects.instead = undefined
    each.defects.token = undefined
  }
})

async function signIn(at = provider): Promise<string | undefined> {
  const asked = { ...APP, scope: 'photos:read files:read', resource: [gate.photos, gate.files] }
  const answer = await authorizeBy(traveller(gate.url, at), asked)
  assert.notEqual(answer.code, '', answer.text)
  return (await redeem(gate.url, answer, { ...APP, resource: gate.photos })).body.refresh_token
}

const refresh = (token: string | undefined): Promise<TokenAnswer> =>
  askToken(gate.url, { grant_type: 'refresh_token', refresh_token: token, client_id: 'cli' })

function silence(): void {
  provider.defects.instead = (_path, response) => {
    response.writeHead(502).end()
    return true
  }
}

describe('how old the provider’s word may be', () => {
  for (const [recheck, ms] of [
    ['10s', 10 * SECOND],
    ['1m', MINUTE],
    ['15m', 15 * MINUTE],
  ] as const) {
    it(`recheck: ${recheck}`, async () => {
      await gate.reconfigure({ providers: [providerEntry(provider, `recheck: ${recheck}`)] })
      const first = await signIn()
      const asked = provider.calls('/token')
      clock.forward(ms - 5 * SECOND)
      const second = await refresh(first)
      assert.deepEqual([second.status, provider.calls('/token') - asked], [200, 0])
      clock.forward(6 * SECOND)
      assert.equal((await refresh(second.body.refresh_token)).status, 200)
      assert.equal(provider.calls('/token') - asked, 1)
    })
  }

  for (const [onUnreachable, ms] of [
    ['5m', 5 * MINUTE],
    ['23h', 23 * HOUR],
  ] as const) {
    it(`on_unreachable: ${onUnreachable}, from the last good word on`, async () => {
      await gate.reconfigure({ providers: [providerEntry(provider, `on_unreachable: ${onUnreachable}`)] })
      const first = await signIn()
      silence()
      clock.forward(ms - 30 * SECOND)
      const second = await refresh(first)
      assert.equal(second.status, 200, JSON.stringify(second.body))
      clock.forward(31 * SECOND)
      const third = await refresh(second.body.refresh_token)
      assert.deepEqual([third.status, third.body.error], [503, 'temporarily_unavailable'])
      assert.match(third.headers.get('retry-after') ?? '', /^\d+$/)
      assert.equal(await isLive(gate.store, second.body.access_token), false)
      provider.defects.instead = undefined
      assert.equal((await refresh(second.body.refresh_token)).status, 200)
    })
  }

  it('on_unreachable: 0s, and never a call that `recheck` does not want', async () => {
    await gate.reconfigure({ providers: [providerEntry(provider, 'on_unreachable: 0s')] })
    const first = await signIn()
    silence()
    clock.forward(50 * SECOND)
    const second = await refresh(first)
    assert.equal(second.status, 200)
    clock.forward(11 * SECOND)
    assert.equal((await refresh(second.body.refresh_token)).status, 503)
  })

  for (const [withoutRecheck, ms] of [
    ['5m', 5 * MINUTE],
    ['12h', 12 * HOUR],
    ['20d', 480 * HOUR],
  ] as const) {
    it(`without_recheck: ${withoutRecheck}, for whom nothing came to ask again with`, async () => {
      const more = `groups: { map: { /photos: photos, /files: files } }, without_recheck: ${withoutRecheck}`
      await gate.reconfigure({ providers: [providerEntry(frugal, more)] })
      const first = await signIn(frugal)
      clock.forward(ms - 30 * SECOND)
      const second = await refresh(first)
      assert.equal(second.status, 200, JSON.stringify(second.body))
      clock.forward(31 * SECOND)
      assert.equal((await refresh(second.body.refresh_token)).body.error, 'invalid_grant')
      assert.equal(await isLive(gate.store, second.body.access_token), false)
    })
  }
})

describe('of two words the newer one counts', () => {
  /** Holds the next answer of the token endpoint, made from what the provider knows now, until it is let go. */
  function hold(): { readonly held: Promise<void>; readonly letGo: () => void } {
    const [held, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    provider.defects.token = async (body) => {
      provider.defects.token = undefined
      held.resolve()
      await go.promise
      return body
    }
    return { held: held.promise, letGo: go.resolve }
  }

  it('an older answer that comes later gives no group back, and takes none that was gained', async () => {
    await gate.reconfigure({ providers: [providerEntry(provider)] })
    for (const [before, after] of [
      [['photos', 'files'], ['files']],
      [['files'], ['photos', 'files']],
    ] as const) {
      provider.setAccount({ sub, username: sub, groups: ['photos', 'files'] })
      const [laptop, phone] = [await signIn(), await signIn()]
      clock.forward(61 * SECOND)
      provider.setAccount({ sub, username: sub, groups: before })
      const { held, letGo } = hold()
      const older = refresh(laptop)
      await held
      clock.forward(SECOND)
      provider.setAccount({ sub, username: sub, groups: after })
      const newer = await refresh(phone)
      assert.equal(newer.status, 200, JSON.stringify(newer.body))
      letGo()
      const late = await older
      const link = await gate.store.providerLink(provider.issuer, sub)
      assert.deepEqual([...(link?.groups ?? [])].sort(), [...after].sort())
      assert.equal(late.body.scope, after.includes('photos' as never) ? 'photos:read' : 'files:read')
    }
  })

  it('an answer that comes after `user unlink` brings nothing back', async () => {
    await gate.reconfigure({ providers: [providerEntry(provider)] })
    const laptop = await signIn()
    const link = await gate.store.providerLink(provider.issuer, sub)
    assert.ok(link !== undefined)
    clock.forward(61 * SECOND)
    const { held, letGo } = hold()
    const late = refresh(laptop)
    await held
    const signIns = await gate.store.providerSignIns({ issuer: provider.issuer, person: sub })
    await gate.acts.unlinkProvider(link, signIns, { provider: 'authentik', by: 'cli' })
    letGo()
    assert.equal((await late).body.error, 'invalid_grant')
    assert.equal(await gate.store.providerLink(provider.issuer, sub), undefined)
    await until(
      async () => (await gate.store.providerSignIns({ issuer: provider.issuer, person: sub })).length === 0,
      'end',
    )
  })
})
