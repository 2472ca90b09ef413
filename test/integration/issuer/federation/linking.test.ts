import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { claimsOf, formsOf, formWith, type Page, Person, redeem } from '../../../support/issuer/browser-less-person.ts'
import {
  authorizeBy,
  pressProvider,
  providerEntries,
  providerEntry,
  providerLinksOf,
  throughProvider,
  traveller,
} from '../../../support/issuer/federated-issuer.ts'
import { startProvider, type TestProvider } from '../../../support/issuer/identity-provider.ts'
import { type IssuerUnderTest, PASSWORD, startIssuer } from '../../../support/issuer/issuer-under-test.ts'
import { MINUTE, type ShiftedClock, shiftClock } from '../../../support/programs/shifted-clock.ts'

const APP = { clientId: 'cli', redirectUri: 'http://127.0.0.1:7001/cb' }

let clock: ShiftedClock
let gate: IssuerUnderTest
let home: TestProvider
let office: TestProvider
let count = 0
let name = ''

before(async () => {
  clock = shiftClock()
  gate = await startIssuer({ now: () => Date.now() })
  home = await startProvider({ kind: 'authentik', callback: `${gate.url}/oauth/providers/home/callback` })
  office = await startProvider({ kind: 'keycloak', callback: `${gate.url}/oauth/providers/office/callback` })
  await gate.addClient({ id: 'cli', type: 'native', redirectUris: [APP.redirectUri] })
})
after(async () => {
  await gate.close()
  await home.close()
  await office.close()
  clock.restore()
})
beforeEach(async () => {
  count += 1
  name = `guest-${count}`
  home.setAccount({ sub: name, username: name, groups: ['photos'] })
  home.person = name
  office.setAccount({ sub: name, username: `${name}-office`, groups: ['files'] })
  office.person = name
  home.defects.token = undefined
  await useBoth()
})

async function useBoth(): Promise<void> {
  const entries = providerEntries([
    [home, 'id: home, name: Home account, groups: { take: all }'],
    [office, 'id: office, name: Office account, groups: { take: all }'],
  ])
  await gate.reconfigure({ password: 'on', providers: entries })
}

const asked = () => ({ ...APP, scope: 'photos:read', resource: gate.photos })

async function subOf(provider: TestProvider, person = name): Promise<string | undefined> {
  return (await gate.store.providerLink(provider.issuer, person))?.sub
}

/** Signs in to the account page by a provider. */
async function account(provider: TestProvider, button: RegExp) {
  const who = traveller(gate.url, provider)
  return { who, page: await pressProvider(who, await who.here.open('/account'), button) }
}

describe('linking', () => {
  it('19 Two people of two providers with one verified e-mail get two accounts', async () => {
    home.setAccount({ ...home.account(name), email: 'one@home.example', emailVerified: true })
    office.setAccount({ ...office.account(name), email: 'one@home.example', emailVerified: true })
    await account(home, /Home/)
    await account(office, /Office/)
    const [first, second] = [await subOf(home), await subOf(office)]
    assert.ok(first !== undefined && second !== undefined && first !== second)
    assert.equal((await gate.store.userBySub(first))?.email, 'one@home.example')
    assert.equal((await gate.store.userBySub(second))?.email, undefined)
  })

  it('an address that P does not call verified never enters the account', async () => {
    home.setAccount({ ...home.account(name), email: 'two@home.example', emailVerified: false })
    await account(home, /Home/)
    assert.equal((await gate.store.userBySub((await subOf(home)) ?? ''))?.email, undefined)
  })

  it('20 `preferred_username: alice` while alice exists: `name_taken`, alice unchanged; after proving her password connected', async () => {
    const alice = await gate.addPerson(name, ['files'], { email: 'alice@home.example' })
    const who = traveller(gate.url, home)
    const page = await authorizeBy(who, asked())
    assert.match(page.text, /\(name_taken\)/)
    assert.deepEqual(await gate.store.userBySub(alice.sub), alice)
    assert.equal(await subOf(home), undefined)
    const form = formWith(page, 'password')
    const wrong = await who.here.send(page, form, { username: name, password: 'not hers at all' })
    assert.match(wrong.text, /don’t belong together/)
    const [failure] = await gate.store.audits(1)
    assert.deepEqual([failure?.event, failure?.detail.username], ['login.failure', name])
    assert.equal(await subOf(home), undefined)
    const right = await who.here.send(wrong, formWith(wrong, 'password'), { username: name, password: PASSWORD })
    assert.equal(await subOf(home), alice.sub)
    const { body } = await redeem(gate.url, { ...page, code: new URL(right.url).searchParams.get('code') ?? '' }, APP)
    const claims = claimsOf(body.access_token)
    assert.deepEqual([claims.sub, claims.idp, body.scope], [alice.sub, 'home', 'photos:read'])
  })

  it('her password alone connects nothing where her account asks for a second factor', async () => {
    const alice = await gate.addPerson(name, ['files'])
    await gate.store.addAuthenticator({ sub: alice.sub, sealed: 'x', lastStep: 1, createdAt: 1 }, [])
    const who = traveller(gate.url, home)
    const page = await authorizeBy(who, asked())
    const refused = await who.here.send(page, formWith(page, 'password'), { username: name, password: PASSWORD })
    assert.match(refused.text, /asks for a code, too/)
    assert.equal(await subOf(home), undefined)
  })

  it('20 alice can show herself by another provider that is connected already', async () => {
    const alice = await gate.addPerson(name, [])
    const linked = {
      issuer: office.issuer,
      person: name,
      sub: alice.sub,
      email: undefined,
      linkedAt: 1,
      groups: [],
      statedAtMs: 0,
    }
    await gate.store.linkProvider(linked, undefined)
    const who = traveller(gate.url, home)
    const page = await authorizeBy(who, asked())
    const [button] = providerLinksOf(page).filter(({ text }) => /Office/.test(text))
    const atOffice = { here: who.here, there: new Person(new URL(office.issuer).origin, '') }
    const done = await throughProvider(atOffice, await who.here.open(button?.url ?? ''))
    assert.ok(done.url.startsWith(APP.redirectUri), done.text)
    assert.equal(await subOf(home), alice.sub)
  })

  it('the page of a taken name is worth nothing in another browser, and once', async () => {
    await gate.addPerson(name, [])
    const who = traveller(gate.url, home)
    const page = await authorizeBy(who, asked())
    const form = formWith(page, 'password')
    const stranger = new Person(gate.url, '')
    const elsewhere = await stranger.send(page, form, { username: name, password: PASSWORD })
    assert.match(elsewhere.text, /state_mismatch/)
    await who.here.send(page, form, { username: name, password: PASSWORD })
    assert.match((await who.here.send(page, form, { username: name, password: PASSWORD })).text, /state_mismatch/)
  })

  it('21 Twenty parallel first sign-ins make one account', async () => {
    const before = (await gate.store.users()).length
    const answers = await Promise.all(Array.from({ length: 20 }, () => authorizeBy(traveller(gate.url, home), asked())))
    assert.ok(
      answers.every(({ code }) => code !== ''),
      answers.find(({ code }) => code === '')?.text,
    )
    assert.equal((await gate.store.users()).length, before + 1)
  })

  it('22 A renamed person keeps `sub` and `username`', async () => {
    home.setAccount({ ...home.account(name), name: 'Old Name' })
    await account(home, /Home/)
    const sub = (await subOf(home)) ?? ''
    home.setAccount({ ...home.account(name), username: 'renamed', name: 'New Name' })
    await account(home, /Home/)
    assert.equal(await subOf(home), sub)
    const user = await gate.store.userBySub(sub)
    assert.deepEqual([user?.username, user?.displayName], [name, 'New Name'])
  })

  it('23 Entra: same `email`, other `oid` is another person; another `tid` refused', async () => {
    const entra = await startProvider({ kind: 'entra', callback: `${gate.url}/oauth/providers/entra/callback` })
    try {
      await gate.reconfigure({ providers: [providerEntry(entra, 'preset: entra')] })
      const tid = '8d1a2f5c-0000-4000-8000-0123456789ab'
      const email = { email: 'same@acme.example', emailVerified: true }
      entra.setAccount({ sub: 'a', username: `${name}-a`, ...email, claims: { oid: 'oid-a', tid } })
      entra.setAccount({ sub: 'b', username: `${name}-b`, ...email, claims: { oid: 'oid-b', tid } })
      entra.setAccount({
        sub: 'c',
        username: `${name}-c`,
        claims: { oid: 'oid-c', tid: '11111111-0000-4000-8000-000000000000' },
      })
      for (const person of ['a', 'b']) {
        entra.person = person
        assert.notEqual((await authorizeBy(traveller(gate.url, entra), { ...APP, scope: 'openid' })).code, '')
      }
      const [first, second] = [await subOf(entra, 'oid-a'), await subOf(entra, 'oid-b')]
      assert.ok(first !== undefined && second !== undefined && first !== second)
      entra.person = 'c'
      assert.match((await authorizeBy(traveller(gate.url, entra), { ...APP, scope: 'openid' })).text, /\(not_allowed\)/)
    } finally {
      await entra.close()
    }
  })

  it('24 A changed `issuer` under one `id` signs in nobody’s old account', async () => {
    await account(home, /Home/)
    const before = await subOf(home)
    await gate.reconfigure({
      providers: [providerEntry({ ...office, issuer: office.issuer }, 'id: home, name: Home account')],
    })
    const moved = await startProvider({ kind: 'keycloak', callback: `${gate.url}/oauth/providers/home/callback` })
    try {
      moved.setAccount({ sub: name, username: `${name}-moved` })
      moved.person = name
      await gate.reconfigure({ providers: [providerEntry(moved, 'id: home')] })
      await account(moved, /./)
      assert.ok((await subOf(moved)) !== undefined && (await subOf(moved)) !== before)
      assert.equal(await subOf(home), before)
    } finally {
      await moved.close()
    }
  })

  it('25 The only way in can’t be disconnected', async () => {
    const { who, page } = await account(home, /Home/)
    const form = formsOf(page).find(({ action }) => action === '/account/unlink')
    assert.ok(form !== undefined)
    const answer = await who.here.send(page, form)
    assert.match(answer.text, /the only way in/)
    assert.notEqual(await subOf(home), undefined)
  })

  it('a second provider is connected under /account, within 5 minutes after a sign-in, and the first can go then with what came from it', async () => {
    const { who, page } = await account(home, /Home/)
    const sub = await subOf(home)
    const button = (of: Page) => providerLinksOf(of).find(({ text }) => /Connect Office/.test(text))?.url ?? ''
    clock.forward(6 * MINUTE)
    assert.match((await who.here.open(button(page))).text, /last 5 minutes/)
    const { who: again, page: fresh } = await account(home, /Home/)
    const atOffice = { here: again.here, there: new Person(new URL(office.issuer).origin, '') }
    const connected = await throughProvider(atOffice, await again.here.open(button(fresh)))
    assert.match(connected.text, /Office account is connected/)
    assert.equal(await subOf(office), sub)
    const form = formsOf(connected).find(
      ({ action, fields }) => action === '/account/unlink' && fields.get('issuer') === home.issuer,
    )
    assert.ok(form !== undefined)
    const question = await again.here.send(connected, form)
    const done = await again.here.decide(question, 'approve')
    assert.equal(await subOf(home), undefined)
    // The session in hand came from there.
    assert.doesNotMatch(done.text, /Who you are/)
  })

  it('of two ways in that are disconnected at the same time, one stays', async () => {
    const { who, page } = await account(home, /Home/)
    const sub = await subOf(home)
    const url = providerLinksOf(page).find(({ text }) => /Connect Office/.test(text))?.url ?? ''
    const atOffice = { here: who.here, there: new Person(new URL(office.issuer).origin, '') }
    const connected = await throughProvider(atOffice, await who.here.open(url))
    const forms = formsOf(connected).filter(({ action }) => action === '/account/unlink')
    assert.equal(forms.length, 2)
    const questions = await Promise.all(forms.map((form) => who.here.send(connected, form)))
    await Promise.all(questions.map((question) => who.here.decide(question, 'approve')))
    assert.equal((await gate.store.providerLinks(sub ?? '')).length, 1)
  })

  it('an identity that belongs to another account is not taken over by connecting it', async () => {
    await account(office, /Office/)
    const owner = await subOf(office)
    const { who, page } = await account(home, /Home/)
    const url = providerLinksOf(page).find(({ text }) => /Connect Office/.test(text))?.url ?? ''
    const atOffice = { here: who.here, there: new Person(new URL(office.issuer).origin, '') }
    const refused = await throughProvider(atOffice, await who.here.open(url))
    assert.match(refused.text, /belongs to another account/)
    assert.equal(await subOf(office), owner)
  })

  it('a disabled account is disabled, whatever P says', async () => {
    await account(home, /Home/)
    await gate.acts.disableUser((await subOf(home)) ?? '', 'test')
    assert.match((await authorizeBy(traveller(gate.url, home), asked())).text, /\(not_allowed\)/)
  })

  it('`accounts: existing` lets in whom the operator linked, and nobody else', async () => {
    await gate.reconfigure({ providers: [providerEntry(home, 'id: home, accounts: existing')] })
    assert.match((await authorizeBy(traveller(gate.url, home), asked())).text, /\(not_allowed\)/)
    assert.equal(await subOf(home), undefined)
  })
})
