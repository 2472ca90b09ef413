import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  addApp,
  atAccount,
  confirmStep,
  connect,
  cookieHeader,
  stepForm,
  stepForms,
} from '../../../support/issuer/account-page.ts'
import { askToken, Person } from '../../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../../../support/issuer/issuer-under-test.ts'

describe('/account', () => {
  let issuer: IssuerUnderTest
  before(async () => {
    issuer = await startIssuer()
    await addApp(issuer, 'viewer', { name: 'Gallery' })
    await addApp(issuer, 'printer', { name: 'Postcard printer', thirdParty: true })
  })
  after(() => issuer.close())

  let people = 0
  const newPerson = async (groups = ['photos', 'files']) => {
    people += 1
    return issuer.addPerson(`person${people}`, groups, { email: 'p@example.com', name: 'Per Son' })
  }
  const refresh = (clientId: string, refreshToken: string) =>
    askToken(issuer.url, { grant_type: 'refresh_token', refresh_token: refreshToken, client_id: clientId })
  const lastAudit = async () => (await issuer.store.audits(1))[0]
  const refused = async (gid: string) =>
    (await issuer.store.revocations(0, Date.now() / 1000)).some((entry) => entry.kind === 'gid' && entry.key === gid)

  it('renewing silently is no new device; another sign-in, another browser, or more than before is one', async () => {
    const { sub, username } = await newPerson()
    const person = new Person(issuer.url, username)
    const devices = async () => (await issuer.store.authorizations({ sub })).filter(({ ended }) => !ended).length
    const silent = { prompt: 'none' }
    for (const scope of ['photos:read', 'openid photos:read']) {
      await connect(issuer, person, 'viewer', { scope })
      const before = await devices()
      const first = await connect(issuer, person, 'viewer', { scope, more: silent })
      for (let time = 0; time < 4; time += 1) {
        const { gid, refreshToken } = await connect(issuer, person, 'viewer', { scope, more: silent })
        assert.equal(gid, first.gid)
        assert.equal((await refresh('viewer', refreshToken)).status, 200)
      }
      assert.equal(await devices(), before, scope)
    }
    const before = await devices()
    await connect(issuer, person, 'viewer', { resource: issuer.files, scope: 'files:read', more: silent })
    assert.equal(await devices(), before + 1, 'more than before')
    const { gid } = await connect(issuer, person, 'viewer', {
      resource: issuer.files,
      scope: 'files:read',
      more: silent,
    })
    await issuer.acts.revokeAuthorization(gid, 'test')
    const anew = await connect(issuer, person, 'viewer', { resource: issuer.files, scope: 'files:read', more: silent })
    assert.notEqual(anew.gid, gid, 'what was ended is not gone on with')
    await connect(issuer, new Person(issuer.url, username), 'viewer')
    assert.equal(await devices(), before + 2, 'another browser')
  })

  describe('signing in', () => {
    it('asks who is there on the page itself, and then shows who I am', async () => {
      const { username } = await newPerson()
      const person = new Person(issuer.url, username)
      const asked = await person.open('/account')
      assert.equal(asked.status, 200)
      assert.match(asked.text, /<h1>Sign in<\/h1>/)
      const page = await person.signIn(asked)
      assert.equal(page.url, `${issuer.url}/account`)
      for (const fact of [`Per Son (${username})`, 'p@example.com', '<li>photos</li>', '<li>files</li>']) {
        assert.ok(page.text.includes(fact), fact)
      }
    })

    it('says what was wrong on the page, keeps the name and never the password', async () => {
      const { username } = await newPerson()
      const person = new Person(issuer.url, username)
      const page = await person.signIn(await person.open('/account'), 'wrong horse')
      assert.equal(page.status, 400)
      assert.match(page.text, new RegExp(`value="${username}"`))
      assert.match(page.text, /don’t belong together/)
      assert.doesNotMatch(page.text, /wrong horse/)
      assert.equal((await lastAudit())?.event, 'login.failure')
    })

    it('gives a new session id at every sign-in, and the old one is worth nothing', async () => {
      const { username } = await newPerson()
      const { person } = await atAccount(issuer, username)
      const before = person.cookies().get('audgate_session')
      const cookie = cookieHeader(person)
      await signInAgain(person)
      assert.notEqual(person.cookies().get('audgate_session'), before)
      assert.match(await (await fetch(`${issuer.url}/account`, { headers: { cookie } })).text(), /<h1>Sign in<\/h1>/)
    })

    it('counts no cookie that is there twice: one of them was planted', async () => {
      const { username } = await newPerson()
      const { person } = await atAccount(issuer, username)
      const own = cookieHeader(person)
      const shown = async (cookie: string) =>
        (await fetch(`${issuer.url}/account`, { headers: { cookie }, redirect: 'manual' })).text()
      assert.match(await shown(own), /<h1>Your account<\/h1>/)
      assert.match(await shown(`${own}; app=1; app=2`), /<h1>Your account<\/h1>/)
      for (const twice of [`${own}; audgate_session=planted`, `audgate_session=planted; ${own}`]) {
        assert.match(await shown(twice), /<h1>Sign in<\/h1>/)
      }
    })

    it('is the same sign-in as the one for apps', async () => {
      const { username } = await newPerson()
      const { person } = await atAccount(issuer, username)
      person.open = failOnPassword(person)
      await connect(issuer, person, 'viewer')
      const other = new Person(issuer.url, username)
      await connect(issuer, other, 'viewer')
      assert.match((await other.open('/account')).text, /<h1>Your account<\/h1>/)
    })

    it('knows the device again, so that what others try elsewhere does not slow its owner', async () => {
      const { username } = await newPerson()
      const { person } = await atAccount(issuer, username)
      const stranger = new Person(issuer.url, username, 'guess')
      for (let tries = 0; tries < 4; tries++) await stranger.signIn(await stranger.open('/account'))
      const held = stranger.signIn(await stranger.open('/account'))
      await signInAgain(person)
      await held
    })

    it('shows nothing to who was disabled meanwhile', async () => {
      const { username, sub } = await newPerson()
      const { person } = await atAccount(issuer, username)
      await issuer.store.updateUser(sub, { disabled: true })
      assert.match((await person.open('/account')).text, /<h1>Sign in<\/h1>/)
    })

    it('signs out in this browser, and apps stay connected', async () => {
      const { username } = await newPerson()
      const { person } = await atAccount(issuer, username)
      const cookie = cookieHeader(person)
      const { refreshToken } = await connect(issuer, person, 'viewer')
      const page = await person.open('/account')
      const bye = await person.send(page, stepForm(page, 'sign-out'))
      assert.match(bye.text, /You are signed out/)
      assert.match((await person.open('/account')).text, /<h1>Sign in<\/h1>/)
      assert.match(await (await fetch(`${issuer.url}/account`, { headers: { cookie } })).text(), /<h1>Sign in<\/h1>/)
      assert.equal((await refresh('viewer', refreshToken)).status, 200)
    })
  })

  describe('connected apps', () => {
    it('shows what each may do in words, since when, where, and when it was last used', async () => {
      const { username, sub } = await newPerson()
      const now = Math.floor(Date.now() / 1000)
      await issuer.store.putAuthorization({
        gid: `shown-${username}`,
        sub,
        clientId: 'printer',
        resources: { [issuer.photos]: ['photos:read'] },
        label: 'Firefox on Linux',
        createdAt: now - 7260,
        lastUsedAt: now - 190,
        ended: false,
      })
      const { text } = (await atAccount(issuer, username)).page
      for (const fact of ['Postcard printer', 'Verified', 'Photo library', 'See photos', 'photos:read']) {
        assert.ok(text.includes(fact), fact)
      }
      assert.match(text, /Last used <time[^>]*>3 minutes ago/)
      assert.match(text, /since <time[^>]*>2 hours ago/)
      assert.match(text, /Firefox on Linux/)
      assert.doesNotMatch(text, /Change photos/)
    })

    it('lists apps that nobody was asked about, too: what can act can be ended', async () => {
      const { username, sub } = await newPerson()
      const { person } = await atAccount(issuer, username)
      await connect(issuer, person, 'viewer')
      assert.deepEqual(await issuer.store.consents({ sub }), [])
      assert.match((await person.open('/account')).text, /Gallery/)
    })

    it('lists a consent that no device holds any more, and a client that is forgotten by its id', async () => {
      const { username, sub } = await newPerson()
      const { person } = await atAccount(issuer, username)
      const consent = { sub, clientId: 'lost-app', resource: issuer.files, rejected: [], since: 1_700_000_000 }
      await issuer.store.putConsents([{ ...consent, granted: ['files:read'] }])
      const page = await person.open('/account')
      assert.match(page.text, /lost-app[\s\S]*Not verified[\s\S]*See files/)
      await confirmStep(person, page, stepForm(page, 'disconnect', 'client', 'lost-app'))
      assert.deepEqual(await issuer.store.consents({ sub }), [])
    })

    it('does not call an app connected that was given nothing', async () => {
      const { username, sub } = await newPerson()
      const rejected = { sub, clientId: 'printer', resource: issuer.photos, granted: [], rejected: ['photos:read'] }
      await issuer.store.putConsents([{ ...rejected, since: 1 }])
      const { page } = await atAccount(issuer, username)
      assert.match(page.text, /No app is connected/)
    })

    it('ends one app: consent, refresh tokens and live tokens, and nothing of others', async () => {
      const { username, sub } = await newPerson()
      const { person } = await atAccount(issuer, username)
      const [gone, stays] = [await connect(issuer, person, 'printer'), await connect(issuer, person, 'viewer')]
      const someone = await atAccount(issuer, (await newPerson()).username)
      const theirs = await connect(issuer, someone.person, 'printer')
      const page = await person.open('/account')
      const question = await person.send(page, stepForm(page, 'disconnect', 'client', 'printer'))
      assert.match(question.text, /<h1>Disconnect Postcard printer\?<\/h1>/)
      assert.match(question.text, /loses its access to Photo library at once on 1 device/)
      assert.equal((await issuer.store.consents({ sub })).length, 1, 'asking changes nothing')
      const done = await person.decide(question, 'approve')
      assert.match(done.url, /\/account\?notice=/)
      assert.match(done.text, /Postcard printer has no access any more\. That took effect at \d\d:\d\d:\d\d UTC\./)
      assert.deepEqual(await issuer.store.consents({ sub }), [])
      assert.equal((await refresh('printer', gone.refreshToken)).body.error, 'invalid_grant')
      assert.ok(await refused(gone.gid))
      assert.equal((await refresh('viewer', stays.refreshToken)).status, 200)
      assert.equal((await refresh('printer', theirs.refreshToken)).status, 200)
      assert.deepEqual(
        stepForms(done, 'disconnect').map(({ fields }) => fields.get('client')),
        ['viewer'],
      )
      const { event, detail } = (await issuer.store.audits(20)).find((line) => line.event === 'consent.revoked') ?? {}
      assert.deepEqual(
        { event, detail },
        { event: 'consent.revoked', detail: { sub, client: 'printer', by: sub, address: '127.0.0.1' } },
      )
    })

    it('a second revocation from a page that is out of date is no error', async () => {
      const { username } = await newPerson()
      const { person } = await atAccount(issuer, username)
      await connect(issuer, person, 'printer')
      const page = await person.open('/account')
      const question = await person.send(page, stepForm(page, 'disconnect'))
      for (const words of [/took effect/, /This app had no access any more/]) {
        const done = await person.decide(question, 'approve')
        assert.equal(done.status, 200)
        assert.match(done.text, words)
      }
      const device = await person.send(page, stepForm(page, 'end-device'))
      assert.equal(device.status, 200)
      assert.match(device.text, /Postcard printer on Firefox on Linux had no access any more/)
    })

    it('tells nobody which clients there are', async () => {
      const { username } = await newPerson()
      const { person, page } = await atAccount(issuer, username)
      const form = stepForm(page, 'sign-out')
      const answers = ['printer', 'no-such-app', '', '<b>'].map(async (client) => {
        const { text } = await person.send(page, { ...form, action: '/account/disconnect' }, { client })
        return text
          .replace(/value="[^"]*"/g, '')
          .replace(/\d\d:\d\d:\d\d/g, '')
          .replace(/<time.*?<\/time>/g, '')
      })
      assert.equal(new Set(await Promise.all(answers)).size, 1)
    })

    it('signs out one device and leaves the others', async () => {
      const { username, sub } = await newPerson()
      const { person } = await atAccount(issuer, username)
      const phone = new Person(issuer.url, username, undefined, 'Mozilla/5.0 (iPhone) Version/18.0 Mobile Safari/605.1')
      const [here, there] = [await connect(issuer, person, 'printer'), await connect(issuer, phone, 'printer')]
      const page = await person.open('/account')
      const question = await person.send(page, stepForm(page, 'end-device', 'gid', there.gid))
      assert.match(question.text, /Sign out Postcard printer on Safari on iPhone\?/)
      assert.equal(await refused(there.gid), false, 'asking changes nothing')
      const done = await person.decide(question, 'approve')
      assert.match(done.text, /Postcard printer on Safari on iPhone has no access any more/)
      assert.ok(await refused(there.gid))
      assert.equal((await refresh('printer', there.refreshToken)).body.error, 'invalid_grant')
      assert.equal((await refresh('printer', here.refreshToken)).status, 200)
      assert.equal((await issuer.store.consents({ sub })).length, 1, 'the consent stays')
      assert.equal(stepForms(done, 'end-device').length, 1)
    })

    it('a device of somebody else is as unknown as one that never was, and stays', async () => {
      const mallory = await atAccount(issuer, (await newPerson()).username)
      const someone = await atAccount(issuer, (await newPerson()).username)
      const { gid, refreshToken } = await connect(issuer, someone.person, 'printer')
      const form = { ...stepForm(mallory.page, 'sign-out'), action: '/account/end-device' }
      const texts = new Set<string>()
      for (const id of [gid, 'never-was', '']) {
        const answer = await mallory.person.send(mallory.page, form, { gid: id, decision: 'approve' })
        assert.equal(answer.status, 404)
        texts.add(answer.text)
      }
      assert.equal(texts.size, 1)
      assert.equal(await refused(gid), false)
      assert.equal((await refresh('printer', refreshToken)).status, 200)
    })
  })

  it('signs out everywhere: every browser and every device, this one too; consents stay', async () => {
    const { username, sub } = await newPerson()
    const { person } = await atAccount(issuer, username)
    const { person: elsewhere } = await atAccount(issuer, username)
    const { refreshToken, gid } = await connect(issuer, elsewhere, 'printer')
    const page = await person.open('/account')
    const done = await confirmStep(person, page, stepForm(page, 'sign-out-everywhere'))
    assert.equal(person.cookies().has('audgate_session'), false)
    assert.match(done.text, /<h1>Signed out everywhere<\/h1>[\s\S]*at \d\d:\d\d:\d\d UTC/)
    for (const browser of [person, elsewhere]) {
      assert.match((await browser.open('/account')).text, /<h1>Sign in<\/h1>/)
    }
    assert.ok(await refused(gid))
    assert.equal((await refresh('printer', refreshToken)).body.error, 'invalid_grant')
    assert.equal((await issuer.store.consents({ sub })).length, 1)
    const again = await person.signIn(await person.open('/account'))
    assert.match(again.text, /<h1>Your account<\/h1>/)
  })
})

/** Signs in once more in a browser that is signed in, as from a sign-in page that was left open in a tab. */
async function signInAgain(person: Person): Promise<void> {
  const fields = new URLSearchParams({ username: '', password: '' })
  const page = { status: 200, url: `${person.issuer}/account`, headers: new Headers(), text: '' }
  const form = { action: '/account/sign-in', fields, buttons: [], boxes: [] }
  const { username, password } = person
  assert.match((await person.send(page, form, { username, password })).text, /<h1>Your account<\/h1>/)
}

function failOnPassword(person: Person): Person['open'] {
  const open = person.open.bind(person)
  return async (url, init) => {
    const page = await open(url, init)
    assert.doesNotMatch(page.text, /name="password"/, 'nobody is asked twice')
    return page
  }
}
