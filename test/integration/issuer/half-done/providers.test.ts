import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  askToken,
  authorizationAttempt,
  formWith,
  type Page,
  post,
  redeem,
} from '../../../support/issuer/browser-less-person.ts'
import {
  providerEntries,
  providerLinksOf,
  type Traveller,
  traveller,
} from '../../../support/issuer/federated-issuer.ts'
import { startProvider, type TestProvider } from '../../../support/issuer/identity-provider.ts'
import { type IssuerUnderTest, PASSWORD, startIssuer } from '../../../support/issuer/issuer-under-test.ts'

const APP = { clientId: 'print', redirectUri: 'http://127.0.0.1:7001/cb' }
const options = { ...APP, scope: 'photos:read' }
let issuer: IssuerUnderTest
let home: TestProvider

before(async () => {
  issuer = await startIssuer()
  home = await startProvider({ kind: 'authentik', callback: `${issuer.url}/oauth/providers/home/callback` })
  await issuer.addClient({ id: APP.clientId, type: 'native', redirectUris: [APP.redirectUri], thirdParty: true })
  await issuer.reconfigure({ providers: providerEntries([[home, 'id: home, name: Home, groups: { take: all }']]) })
})
after(async () => {
  await issuer.close()
  await home.close()
})

type GoOn = () => Promise<boolean>
/** Begins something up to where the provider has sent the person back, or further; the request that it goes on with is held. */
type Stage = (who: Traveller) => Promise<GoOn>

/** The callback that the provider leads to from a sign-in page, not followed. */
async function heldCallback({ here, there }: Traveller, page: Page): Promise<string> {
  const link = providerLinksOf(page).find(({ url }) => /provider=|\/start/.test(url))
  assert.ok(link !== undefined, page.text)
  const answered = await there.open((await here.open(link.url)).url)
  assert.ok(answered.url.startsWith(`${issuer.url}/oauth/providers/home/callback`), answered.url)
  return answered.url
}

async function only(who: Traveller, url: string): Promise<Page> {
  who.here.follows = false
  try {
    return await who.here.open(url)
  } finally {
    who.here.follows = true
  }
}

async function hasTokens({ here }: Traveller, page: Page, verifier: string): Promise<boolean> {
  const next = /value="approve"/.test(page.text) ? await here.decide(page, 'approve') : page
  const code = next.url.startsWith(APP.redirectUri) ? new URL(next.url).searchParams.get('code') : null
  return code !== null && (await redeem(issuer.url, { code, verifier }, APP)).status === 200
}

const isSignedIn = async ({ here }: Traveller) => !/name="password"/.test((await here.open('/account')).text)

const STAGES: Readonly<Record<string, Stage>> = {
  'a callback for an authorization': async (who) => {
    const { url, verifier } = authorizationAttempt(issuer.url, options)
    const callback = await heldCallback(who, await who.here.open(url))
    return async () => hasTokens(who, await who.here.open(callback), verifier)
  },
  'a callback that was taken, not followed': async (who) => {
    const { url, verifier } = authorizationAttempt(issuer.url, options)
    const left = await only(who, await heldCallback(who, await who.here.open(url)))
    return async () => hasTokens(who, await who.here.open(left.url), verifier)
  },
  'a consent page after it': async (who) => {
    const { url, verifier } = authorizationAttempt(issuer.url, options)
    const page = await who.here.open(await heldCallback(who, await who.here.open(url)))
    return () => hasTokens(who, page, verifier)
  },
  'a callback for the account page': async (who) => {
    const callback = await heldCallback(who, await who.here.open('/account'))
    return async () => {
      await who.here.open(callback)
      return isSignedIn(who)
    }
  },
  'a callback for a device’s approval': async (who) => {
    const { here } = who
    const asked = await post(`${issuer.url}/oauth/device_authorization`, { client_id: 'print', scope: 'photos:read' })
    const page = await here.open('/oauth/device')
    const typed = await here.send(page, formWith(page, 'user_code'), { user_code: String(asked.body.user_code) })
    const callback = await heldCallback(who, typed)
    return async () => {
      const next = await here.open(callback)
      if (/value="approve"/.test(next.text)) await here.decide(next, 'approve')
      const grant = 'urn:ietf:params:oauth:grant-type:device_code'
      const device = { grant_type: grant, client_id: 'print', device_code: String(asked.body.device_code) }
      return (await askToken(issuer.url, device)).status === 200
    }
  },
}

let count = 0
/** Somebody with an account of both kinds, signed in nowhere. */
async function newcomer(): Promise<{ readonly who: Traveller; readonly sub: string; readonly name: string }> {
  count += 1
  const name = `guest-${count}`
  home.setAccount({ sub: name, username: name, groups: ['photos'] })
  home.person = name
  const { sub } = await issuer.addPerson(name, ['photos'])
  return { who: traveller(issuer.url, home), sub, name }
}

async function connected(): Promise<{ readonly who: Traveller; readonly sub: string }> {
  const { who, sub, name } = await newcomer()
  const groups = ['photos']
  const link = { issuer: home.issuer, person: name, sub, email: undefined, linkedAt: 1, groups, statedAtMs: 0 }
  await issuer.store.linkProvider(link, undefined)
  return { who, sub }
}

const acts = () => issuer.acts
const ACTS: Readonly<Record<string, (sub: string) => Promise<unknown>>> = {
  'a changed password': (sub) => acts().changePassword(sub, 'other', {}, 'test'),
  'all that a person has revoked': (sub) => acts().revokeUser(sub, 'test'),
  'signing out everywhere': (sub) => acts().signOutEverywhere(sub, 'test'),
  'an account disabled and enabled': async (sub) => {
    await acts().disableUser(sub, 'test')
    await acts().enableUser(sub, 'test')
  },
  'a one-time link that was used': (sub) => acts().setUpByLink(sub, { passwordHash: 'other' }, {}),
}
/** Of an authorization alone. */
const OF_CLIENT: typeof ACTS = {
  'one client of a person revoked': (sub) => acts().revokeUserClient(sub, 'print', 'test'),
  'an app disconnected': (sub) => acts().revokeConsent(sub, 'print', 'test'),
  'a client revoked and restored': async () => {
    await acts().revokeClient('print', 'test')
    await acts().restoreClient('print', 'test')
  },
}

describe('a sign-in at a provider that is half done', () => {
  for (const [what, stage] of Object.entries(STAGES)) {
    it(`goes on where nothing comes between: ${what}`, async () => {
      const { who } = await connected()
      assert.equal(await (await stage(who))(), true)
    })
    const acted = what.includes('account page') ? ACTS : { ...ACTS, ...OF_CLIENT }
    for (const [name, act] of Object.entries(acted)) {
      it(`gives nothing after ${name}: ${what}`, async () => {
        const { who, sub } = await connected()
        const goOn = await stage(who)
        await act(sub)
        assert.equal(await goOn(), false)
        if (name in ACTS) assert.equal(await isSignedIn(who), false, 'nobody is signed in')
      })
    }
  }
})

describe('an identity that waits to be connected with an account', () => {
  const waiting = async () => {
    const { who, sub, name } = await newcomer()
    const { url, verifier } = authorizationAttempt(issuer.url, options)
    const page = await who.here.open(await heldCallback(who, await who.here.open(url)))
    assert.match(page.text, /\(name_taken\)/)
    const password = async () => who.here.send(page, formWith(page, 'password'), { username: name, password: PASSWORD })
    return { who, sub, name, goOn: async () => hasTokens(who, await password(), verifier) }
  }
  it('is connected by the account’s password where nothing comes between', async () => {
    assert.equal(await (await waiting()).goOn(), true)
  })
  for (const name of ['signing out everywhere', 'all that a person has revoked', 'an account disabled and enabled']) {
    it(`is not after ${name}`, async () => {
      const { who, sub, name: person, goOn } = await waiting()
      await ACTS[name]?.(sub)
      assert.equal(await goOn(), false)
      assert.equal(await isSignedIn(who), false)
      assert.equal(await issuer.store.providerLink(home.issuer, person), undefined)
    })
  }
})

describe('a further way in that is being connected', () => {
  const connecting = async () => {
    const { who, sub, name } = await newcomer()
    const { here } = who
    const account = await here.send(await here.open('/account'), formWith(await here.open('/account'), 'password'), {
      username: name,
      password: PASSWORD,
    })
    const link = /href="(\/account\/connect\?[^"]*)"/.exec(account.text)?.[1]?.replace(/&#38;|&amp;/g, '&')
    assert.ok(link !== undefined, account.text)
    const answered = await who.there.open((await here.open(link)).url)
    return { sub, name, goOn: () => here.open(answered.url) }
  }
  const isConnected = async (name: string) => (await issuer.store.providerLink(home.issuer, name)) !== undefined
  it('is one where nothing comes between', async () => {
    const { name, goOn } = await connecting()
    await goOn()
    assert.equal(await isConnected(name), true)
  })
  for (const [act, carryOut] of Object.entries(ACTS)) {
    it(`is none after ${act}`, async () => {
      const { sub, name, goOn } = await connecting()
      await carryOut(sub)
      await goOn()
      assert.equal(await isConnected(name), false)
    })
  }
})
