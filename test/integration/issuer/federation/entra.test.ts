import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { askToken, claimsOf, redeem, type TokenAnswer } from '../../../support/issuer/browser-less-person.ts'
import { authorizeBy, providerEntry, traveller } from '../../../support/issuer/federated-issuer.ts'
import { startProvider, type TestProvider } from '../../../support/issuer/identity-provider.ts'
import { type IssuerUnderTest, startIssuer } from '../../../support/issuer/issuer-under-test.ts'
import { isLive } from '../../../support/issuer/live-token.ts'
import { MINUTE, type ShiftedClock, shiftClock } from '../../../support/programs/shifted-clock.ts'

const APP = { clientId: 'cli', redirectUri: 'http://127.0.0.1:7001/cb' }
const ACME = '8d1a2f5c-0000-4000-8000-0123456789ab'
const PARTNER = '8d1a2f5c-0000-4000-8000-00000000000b'
const STRANGER = '8d1a2f5c-0000-4000-8000-00000000000c'

let clock: ShiftedClock
let gate: IssuerUnderTest
let provider: TestProvider
let count = 0
let oid = ''

before(async () => {
  clock = shiftClock()
  gate = await startIssuer({ now: () => Date.now() })
  provider = await startProvider({ kind: 'entra-common', callback: `${gate.url}/oauth/providers/entra/callback` })
  await gate.addClient({ id: 'cli', type: 'native', redirectUris: [APP.redirectUri] })
  const allow = `preset: entra, allow: { tenants: ["${ACME}", "${PARTNER}"] }`
  await gate.reconfigure({ providers: [providerEntry(provider, allow)] })
})
after(async () => {
  await gate.close()
  await provider.close()
  clock.restore()
})
beforeEach(() => {
  count += 1
  oid = `oid-${count}`
  Object.assign(provider.defects, { token: undefined, callback: undefined })
})

/** Whoever signs in next; every tenant has a `sub` of its own for the same `oid`. */
function arrives(tid: string, more: Readonly<Record<string, unknown>> = {}): void {
  const sub = `${tid}-${oid}`
  provider.setAccount({ sub, username: sub, groups: ['photos'], claims: { oid, tid, ...more } })
  provider.person = sub
}

const authorize = () =>
  authorizeBy(traveller(gate.url, provider), { ...APP, scope: 'photos:read', resource: gate.photos })

async function signIn(): Promise<TokenAnswer> {
  const answer = await authorize()
  assert.notEqual(answer.code, '', answer.text)
  return redeem(gate.url, answer, APP)
}

const linkOf = (tid: string) => gate.store.providerLink(provider.issuer, `${tid} ${oid}`)
const refresh = (token: string | undefined) =>
  askToken(gate.url, { grant_type: 'refresh_token', refresh_token: token, client_id: 'cli' })

/** The ID token with claims changed after the tenant was put in, signed by the provider. */
function bend(change: (claims: Record<string, unknown>) => Record<string, unknown>): void {
  provider.defects.token = async (body) => ({
    ...body,
    id_token: await provider.sign(change({ ...claimsOf(String(body.id_token)) })),
  })
}

const issuerOf = (tid: string): string => provider.issuer.replace('/common/', `/${tid}/`)

describe('Entra’s issuer for every tenant', () => {
  it('signs a person of an allowed tenant in, with their roles, and asks again for them', async () => {
    arrives(ACME)
    const first = await signIn()
    const claims = claimsOf(first.body.access_token)
    assert.deepEqual([claims.groups, claims.idp, first.body.scope], [['photos'], 'entra', 'photos:read'])
    assert.equal((await linkOf(ACME))?.sub, claims.sub)
    clock.forward(2 * MINUTE)
    const second = await refresh(first.body.refresh_token)
    assert.equal(second.status, 200, JSON.stringify(second.body))
    provider.setAccount({ ...provider.account(`${ACME}-${oid}`), groups: [] })
    clock.forward(2 * MINUTE)
    assert.equal((await refresh(second.body.refresh_token)).body.error, 'invalid_grant')
    assert.equal(await isLive(gate.store, second.body.access_token), false)
  })

  it('23 the same `oid` in another tenant is another person; a tenant that `allow` does not name is refused', async () => {
    const subs: unknown[] = []
    for (const tid of [ACME, PARTNER, ACME]) {
      arrives(tid)
      subs.push(claimsOf((await signIn()).body.access_token).sub)
    }
    assert.equal(subs[0], subs[2])
    assert.notEqual(subs[0], subs[1])
    arrives(STRANGER)
    assert.match((await authorize()).text, /\(not_allowed\)/)
    assert.equal(await linkOf(STRANGER), undefined)
  })

  const bad: readonly (readonly [string, (claims: Record<string, unknown>) => Record<string, unknown>])[] = [
    ['whose `iss` names another tenant than `tid`', (claims) => ({ ...claims, iss: issuerOf(PARTNER) })],
    ['whose `tid` is another than in `iss`', (claims) => ({ ...claims, tid: PARTNER })],
    ['that names no tenant', ({ tid: _, ...claims }) => claims],
    ['whose `iss` leaves the tenant’s place open', (claims) => ({ ...claims, iss: issuerOf('{tenantid}') })],
    ['of another host', (claims) => ({ ...claims, iss: `https://login.example.com/${ACME}/v2.0` })],
    ['without `oid`', ({ oid: _, ...claims }) => claims],
  ]
  for (const [what, change] of bad) {
    it(`refuses an ID token ${what}`, async () => {
      arrives(ACME)
      bend(change)
      assert.match((await authorize()).text, /\(id_token_invalid\)/)
      for (const tid of [ACME, PARTNER]) assert.equal(await linkOf(tid), undefined)
    })
  }

  it('ends a sign-in whose refresh names another tenant', async () => {
    arrives(ACME)
    const first = await signIn()
    bend((claims) => ({ ...claims, tid: PARTNER, iss: issuerOf(PARTNER) }))
    clock.forward(2 * MINUTE)
    assert.equal((await refresh(first.body.refresh_token)).body.error, 'invalid_grant')
    const ended = gate.events.filter(({ event }) => event === 'federation.ended').at(-1)
    assert.equal(ended?.detail.reason, 'subject_changed')
  })

  it('a response may name the tenant’s issuer; another’s is `state_mismatch`', async () => {
    arrives(ACME)
    provider.defects.callback = (url) => url.searchParams.set('iss', issuerOf(ACME))
    await signIn()
    for (const iss of [issuerOf('x/y'), `https://login.example.com/${ACME}/v2.0`, '']) {
      provider.defects.callback = (url) => url.searchParams.set('iss', iss)
      assert.match((await authorize()).text, /state_mismatch/, iss)
    }
    provider.defects.callback = (url) => url.searchParams.set('iss', issuerOf(PARTNER))
    assert.match((await authorize()).text, /\(id_token_invalid\)/)
  })

  it('a logout token is of the tenant that it names, and ends what that tenant’s person has', async () => {
    arrives(ACME)
    const tokens = await signIn()
    const iat = Math.floor(Date.now() / 1000)
    const events = { 'http://schemas.openid.net/event/backchannel-logout': {} }
    const logout = async (iss: string, tid: string): Promise<number> => {
      const claims = { iss, tid, aud: 'gate', iat, jti: `${iss} ${tid}`, sub: `${ACME}-${oid}`, events }
      const body = new URLSearchParams({ logout_token: await provider.sign(claims, { typ: 'logout+jwt' }) })
      return (await fetch(`${gate.url}/oauth/providers/entra/logout`, { method: 'POST', body })).status
    }
    assert.equal(await logout(issuerOf(PARTNER), ACME), 400)
    assert.equal(await logout(issuerOf('{tenantid}'), ACME), 400)
    assert.equal(await isLive(gate.store, tokens.body.access_token), true)
    assert.equal(await logout(issuerOf(ACME), ACME), 200)
    assert.equal(await isLive(gate.store, tokens.body.access_token), false)
  })

  it('31 an overage refuses the sign-in, and ends one at the next question: the groups are never a cut list', async () => {
    for (const claims of [{ _claim_names: { groups: 'src1' } }, { hasgroups: true }]) {
      arrives(ACME, claims)
      assert.match((await authorize()).text, /\(groups_overage\)/)
      assert.equal(await linkOf(ACME), undefined)
    }
    arrives(ACME)
    const first = await signIn()
    arrives(ACME, { hasgroups: true })
    clock.forward(2 * MINUTE)
    assert.equal((await refresh(first.body.refresh_token)).body.error, 'invalid_grant')
    const ended = gate.events.filter(({ event }) => event === 'federation.ended').at(-1)
    assert.equal(ended?.detail.reason, 'groups_overage')
  })
})
