import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { authorizationAttempt, formWith, type Page, Person } from '../../../support/issuer/browser-less-person.ts'
import {
  authorizeBy,
  pressProvider,
  providerEntries,
  providerEntry,
  providerLinksOf,
  traveller,
} from '../../../support/issuer/federated-issuer.ts'
import { startProvider, type TestProvider } from '../../../support/issuer/identity-provider.ts'
import { type IssuerUnderTest, startIssuer } from '../../../support/issuer/issuer-under-test.ts'

const APP = { clientId: 'cli', redirectUri: 'http://127.0.0.1:7001/cb' }

let gate: IssuerUnderTest
let home: TestProvider
let office: TestProvider

before(async () => {
  gate = await startIssuer()
  home = await startProvider({ kind: 'authentik', callback: '*' })
  office = await startProvider({ kind: 'keycloak', callback: '*' })
  await gate.addClient({ id: 'cli', type: 'native', redirectUris: [APP.redirectUri] })
  await gate.addPerson('alice', ['photos'])
})
after(async () => {
  await gate.close()
  await home.close()
  await office.close()
})

const both = () =>
  providerEntries([
    [home, 'name: Home, groups: { take: all }'],
    [office, 'name: Office, groups: { take: all }'],
  ])
const asked = (more: Record<string, string> = {}) => ({ ...APP, scope: 'photos:read', resource: gate.photos, more })
const authorization = (more = {}): string => authorizationAttempt(gate.url, asked(more)).url

/** Where a browser that nobody is signed in at comes to. */
function shown({ url, text }: Page): string {
  const place = [home, office].find(({ issuer }) => url.startsWith(new URL(issuer).origin))
  if (place !== undefined) return place === home ? 'at home' : 'at the office'
  const buttons = providerLinksOf({ text }).map((link) => link.text.replace('Sign in with ', ''))
  const password = /name="password"/.test(text) ? ['form'] : /href="[^"]*\?password"/.test(text) ? ['link'] : []
  return [...buttons, ...password].join(' ')
}

describe('`password`', () => {
  const rows: readonly (readonly ['on' | 'hidden' | 'off', 1 | 2, string, string])[] = [
    ['on', 1, 'Home form', 'Home form'],
    ['on', 2, 'Home Office form', 'Home Office form'],
    ['hidden', 1, 'at home', 'Home form'],
    ['hidden', 2, 'Home Office link', 'Home Office form'],
    ['off', 1, 'at home', 'Home'],
    ['off', 2, 'Home Office', 'Home Office'],
  ]
  for (const [password, count, plain, wanted] of rows) {
    it(`${password} with ${count === 1 ? 'one provider' : 'two'}: ${plain}; by the way in when it is down: ${wanted}`, async () => {
      await gate.reconfigure({ password, providers: both().slice(0, count) })
      const browser = new Person(gate.url, 'alice')
      assert.equal(shown(await browser.open('/account')), plain)
      assert.equal(shown(await browser.open(authorization())), plain)
      assert.equal(shown(await browser.open('/account?password')), wanted)
      assert.equal(shown(await browser.open(authorization({ provider: 'authentik' }))), 'at home')
      assert.equal(shown(await browser.open(authorization({ provider: 'nobody' }))), plain)
    })
  }

  it('hidden: the link leads to the form, for an application too, and the form signs in', async () => {
    await gate.reconfigure({ password: 'hidden', providers: both() })
    for (const start of ['/account', authorization()]) {
      const alice = new Person(gate.url, 'alice')
      const page = await alice.open(start)
      const link = /href="([^"]*\?password)"/.exec(page.text)?.[1] ?? ''
      const form = await alice.open(link)
      const done = await alice.signIn(form)
      assert.ok(/Who you are/.test(done.text) || done.url.startsWith(APP.redirectUri), done.text)
    }
  })

  it('off: a form that was shown before signs nobody in', async () => {
    await gate.reconfigure({ password: 'on', providers: both() })
    const [atAccount, atApp] = [new Person(gate.url, 'alice'), new Person(gate.url, 'alice')]
    const pages = [await atAccount.open('/account'), await atApp.open(authorization())] as const
    await gate.reconfigure({ password: 'off' })
    assert.doesNotMatch((await atAccount.signIn(pages[0])).text, /Who you are/)
    const answered = await atApp.signIn(pages[1])
    assert.ok(answered.url.startsWith(gate.url), answered.url)
    assert.doesNotMatch((await atApp.open('/account')).text, /Who you are/)
  })

  it('off: whose name is taken is shown no password form, and one that was shown before connects nothing', async () => {
    await gate.reconfigure({ password: 'on', providers: both() })
    home.setAccount({ sub: 'alice-at-home', username: 'alice', groups: ['photos'] })
    home.person = 'alice-at-home'
    const who = traveller(gate.url, home)
    const page = await pressProvider(who, await who.here.open('/account'), /Home/)
    const form = formWith(page, 'password')
    await gate.reconfigure({ password: 'off' })
    const answered = await who.here.send(page, form, { username: 'alice', password: who.here.password })
    assert.match(answered.text, /state_mismatch/)
    const again = await pressProvider(who, await who.here.open('/account'), /Home/)
    assert.match(again.text, /name_taken/)
    assert.doesNotMatch(again.text, /name="password"/)
    assert.equal(await gate.store.providerLink(home.issuer, 'alice-at-home'), undefined)
  })
})

describe('`allow`: every list that is not empty has to be met', () => {
  const member = {
    groups: ['family'],
    email: 'a@home.example',
    emailVerified: true,
    claims: { tid: 't1', hd: 'home.example' },
  }
  const all =
    'groups: [family, friends], email_domains: [home.example, HOME.test], tenants: [t1], hosted_domains: [home.example]'
  const rows: readonly (readonly [string, string, object, boolean])[] = [
    ['all are met', all, {}, true],
    ['another group', all, { groups: ['friends'] }, true],
    ['no group', all, { groups: ['others'] }, false],
    ['no group at all', all, { groups: undefined }, false],
    ['another domain, in capitals', all, { email: 'a@Home.TEST' }, true],
    ['a domain below', all, { email: 'a@sub.home.example' }, false],
    ['two signs @', all, { email: 'a@home.example@evil.example' }, false],
    ['an address that is not verified', all, { emailVerified: false }, false],
    ['no address', all, { email: undefined }, false],
    ['another tenant', all, { claims: { tid: 't2', hd: 'home.example' } }, false],
    ['no hosted domain', all, { claims: { tid: 't1' } }, false],
    ['a list as hosted domain', all, { claims: { tid: 't1', hd: ['home.example'] } }, false],
    ['the name of a group in other letters', 'groups: [Family]', {}, false],
  ]
  for (const [what, allow, change, met] of rows) {
    it(`${what}: ${met ? 'comes in' : 'not_allowed'}`, async () => {
      await gate.reconfigure({
        password: 'on',
        providers: [providerEntry(home, `name: "Home ${what}", allow: { ${allow} }`)],
      })
      const sub = what.replaceAll(/\W/g, '-')
      home.setAccount({ sub, username: sub, ...member, ...change })
      home.person = sub
      const answer = await authorizeBy(traveller(gate.url, home), { ...APP, scope: 'openid', resource: undefined })
      assert.equal(/not_allowed/.test(answer.text), !met, answer.text)
      assert.equal((await gate.store.providerLink(home.issuer, sub)) !== undefined, met)
    })
  }
})
