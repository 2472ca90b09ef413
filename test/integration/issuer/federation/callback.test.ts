import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { Page } from '../../../support/issuer/browser-less-person.ts'
import { authorizeBy, providerEntry, traveller } from '../../../support/issuer/federated-issuer.ts'
import { startProvider, type TestProvider } from '../../../support/issuer/identity-provider.ts'
import { type IssuerUnderTest, startIssuer } from '../../../support/issuer/issuer-under-test.ts'

const APP = { clientId: 'cli', redirectUri: 'http://127.0.0.1:7001/cb' }
const _JSON_TYPE = { 'content-type': 'application/json' }

let gate: IssuerUnderTest
let provider: TestProvider
let count = 0
let sub = ''

before(async () => {
  gate = await startIssuer()
  provider = await startProvider({ kind: 'authentik', callback: '*' })
  await gate.addClient({ id: 'cli', type: 'native', redirectUris: [APP.redirectUri] })
})
after(async () => {
  await gate.close()
  await provider.close()
})
beforeEach(async () => {
  count += 1
  sub = `guest-${count}`
  provider.setAccount({ sub, username: sub, groups: ['photos'] })
  provider.person = sub
  Object.assign(provider.defects, { token: undefined, metadata: undefined, instead: undefined, callback: undefined })
  // Another name each time, so that nothing of the provider is remembered.
  await gate.reconfigure({ providers: [providerEntry(provider, `name: "Home ${count}"`)] })
})

const _authorize = () =>
  authorizeBy(traveller(gate.url, provider), { ...APP, scope: 'photos:read', resource: gate.photos })

/** Why the page says that nobody was let in. */
const reasonOf = (page: Pick<Page, 'text'>): string => /\w+_\w+(?=\)|<\/code>)/.exec(page.text)?.[0] ?? page.text

describe('a callback', () => {
  async function back(): Promise<{ readonly who: ReturnType<typeof traveller>; readonly url: URL }> {
    const who = traveller(gate.url, provider)
    const start = await who.here.open('/oauth/providers/authentik/start')
    return { who, url: new URL((await who.there.open(start.url)).url) }
  }
  const changes: readonly (readonly [string, (url: URL) => void])[] = [
    ['two codes', (url) => url.searchParams.append('code', 'other')],
    ['the same code twice', (url) => url.searchParams.append('code', url.searchParams.get('code') ?? '')],
    ['two states', (url) => url.searchParams.append('state', url.searchParams.get('state') ?? '')],
    ['two iss', (url) => url.searchParams.append('iss', provider.issuer)],
    ['an empty iss', (url) => url.searchParams.set('iss', '')],
    ['an iss without its slash', (url) => url.searchParams.set('iss', provider.issuer.replace(/\/$/, ''))],
    ['no code', (url) => url.searchParams.delete('code')],
    ['two errors', (url) => (url.search += '&error=a&error=b')],
  ]
  for (const [what, change] of changes) {
    it(`11 with ${what} is \`state_mismatch\`, and spends nothing`, async () => {
      const { who, url } = await back()
      const bent = new URL(url)
      change(bent)
      const page = await who.here.open(bent.href)
      assert.deepEqual([page.status, reasonOf(page)], [400, 'state_mismatch'])
      assert.match((await who.here.open(url.href)).text, /Who you are/)
    })
  }
  it('with a code and an error is the error', async () => {
    const { who, url } = await back()
    url.searchParams.set('error', 'access_denied')
    assert.equal(reasonOf(await who.here.open(url.href)), 'denied_by_provider')
    assert.equal(await gate.store.providerLink(provider.issuer, sub), undefined)
  })
  it('by POST is 405, and spends nothing', async () => {
    const { who, url } = await back()
    const page = await who.here.open(url.href.replace(/\?.*/, ''), {
      method: 'POST',
      body: url.searchParams.toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    })
    assert.equal(page.status, 405)
    assert.match((await who.here.open(url.href)).text, /Who you are/)
  })
  it('with the code of another attempt is refused, by its nonce or its verifier', async () => {
    const [mine, theirs] = [await back(), await back()]
    mine.url.searchParams.set('code', theirs.url.searchParams.get('code') ?? '')
    assert.match(reasonOf(await mine.who.here.open(mine.url.href)), /provider_unreachable|id_token_invalid/)
  })
})

describe('mix-up of two providers', () => {
  it('a code of one that is sent to the other’s path, with the state of an attempt there, is redeemed nowhere', async () => {
    const evil = await startProvider({ kind: 'keycloak', callback: '*' })
    try {
      evil.setAccount({ sub, username: sub, groups: ['photos'] })
      evil.person = sub
      const both = [providerEntry(provider, 'groups: { take: all }'), providerEntry(evil, 'groups: { take: all }')]
      await gate.reconfigure({ providers: both })
      const who = traveller(gate.url, provider)
      const start = await who.here.open('/oauth/providers/keycloak/start')
      const [state, asked] = [new URL(start.url).searchParams.get('state') ?? '', evil.calls('/token')]
      const honest = new URL((await who.there.open((await who.here.open('/oauth/providers/authentik/start')).url)).url)
      for (const iss of [provider.issuer, undefined]) {
        const url = new URL(honest)
        url.pathname = '/oauth/providers/keycloak/callback'
        url.searchParams.set('state', state)
        if (iss === undefined) url.searchParams.delete('iss')
        assert.equal(reasonOf(await who.here.open(url.href)), 'state_mismatch')
      }
      assert.equal(evil.calls('/token'), asked)
      const done = await who.here.open(honest.href)
      assert.match(done.text, /Who you are/)
    } finally {
      await evil.close()
    }
  })
})
