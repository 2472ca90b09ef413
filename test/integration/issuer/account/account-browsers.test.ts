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
import { askToken, authorizationAttempt, formsOf, Person } from '../../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, PASSWORD, startIssuer } from '../../../support/issuer/issuer-under-test.ts'

const NEXT = 'a better battery of words'

describe('/account: browsers, events, services and my data', () => {
  let issuer: IssuerUnderTest
  let aheadMs = 0
  before(async () => {
    issuer = await startIssuer({ now: () => Date.now() + aheadMs })
    await addApp(issuer, 'viewer', { name: 'Gallery' })
  })
  after(() => issuer.close())

  let people = 0
  const twoBrowsers = async () => {
    people += 1
    const { username, sub } = await issuer.addPerson(`twin${people}`, ['photos'], { email: 'twin@example.com' })
    const phone = new Person(issuer.url, username, PASSWORD, 'Mozilla/5.0 (iPhone) Version/17.0 Safari/605.1')
    await phone.signIn(await phone.open('/account'))
    const { person } = await atAccount(issuer, username)
    return { username, sub, phone, person, page: await person.open('/account') }
  }
  const mayRefresh = async (token: string): Promise<boolean> =>
    (
      await askToken(issuer.url, {
        grant_type: 'refresh_token',
        client_id: 'viewer',
        refresh_token: token,
        resource: issuer.photos,
      })
    ).status === 200
  const isSignedIn = async (person: Person): Promise<boolean> =>
    (await person.open('/account')).text.includes('<h1>Your account</h1>')

  it('lists every signed-in browser with its name, address and times, the one in hand first and without buttons', async () => {
    const { page } = await twoBrowsers()
    assert.match(page.text, /This one<\/span>[\s\S]*Safari on iPhone/)
    assert.match(page.text, /127\.0\.0\.1/)
    assert.equal(stepForms(page, 'end-browser').length, 1)
    assert.equal(stepForms(page, 'not-me').length, 1)
  })

  it('signs out another browser, asking once; what apps hold goes on', async () => {
    const { phone, person, page } = await twoBrowsers()
    const { refreshToken } = await connect(issuer, phone, 'viewer')
    const done = await confirmStep(person, page, stepForm(page, 'end-browser'))
    assert.match(done.text, /Safari on iPhone at 127\.0\.0\.1 was signed out at/)
    assert.equal(await isSignedIn(phone), false)
    assert.equal(await isSignedIn(person), true)
    assert.ok(await mayRefresh(refreshToken))
  })

  it('another person’s browser can’t be named', async () => {
    const mine = await twoBrowsers()
    const other = await twoBrowsers()
    const form = stepForm(mine.page, 'end-browser')
    form.fields.set('browser', stepForm(other.page, 'end-browser').fields.get('browser') ?? '')
    form.fields.set('decision', 'approve')
    const answer = await mine.person.send(mine.page, form)
    assert.match(answer.text, /This browser had no access any more/)
    assert.ok(await isSignedIn(other.phone))
  })

  it('“this wasn’t me” ends that session and its authorizations in one act, and asks for a new password before anything else', async () => {
    const { sub, phone, person, page } = await twoBrowsers()
    const theirs = await connect(issuer, phone, 'viewer')
    const mine = await connect(issuer, person, 'viewer')
    const before = (await issuer.store.audits(200)).length
    const done = await confirmStep(person, page, stepForm(page, 'not-me'))
    assert.match(done.text, /<h1>Choose a new password<\/h1>/)
    assert.match(done.text, /all that came from it has ended/)
    assert.equal(await isSignedIn(phone), false)
    assert.equal(await mayRefresh(theirs.refreshToken), false)
    assert.ok(await mayRefresh(mine.refreshToken), 'what was connected elsewhere goes on')
    const lines = (await issuer.store.audits(200)).slice(0, -before).map(({ event }) => event)
    assert.equal(lines.filter((event) => event === 'session.disowned').length, 1)
    const revoked = (await issuer.store.revocations(0, 0)).map(({ key }) => key)
    assert.ok(revoked.includes(theirs.gid))
    assert.ok(!revoked.includes(mine.gid))
    assert.ok(await issuer.store.passwordDue(sub))
  })

  it('until the password is new, every other step and my data lead back to it, and an app gets nothing', async () => {
    const { username, sub, person, page } = await twoBrowsers()
    const make = stepForm(page, 'sign-out-everywhere')
    await confirmStep(person, page, stepForm(page, 'not-me'))
    const fields = new URLSearchParams([...make.fields])
    const headers = { cookie: cookieHeader(person), origin: issuer.url }
    for (const step of ['disconnect', 'app-password', 'authenticator-add', 'recovery-codes']) {
      const path = `${issuer.url}/account/${step}`
      const answer = await fetch(path, { method: 'POST', redirect: 'manual', headers, body: fields })
      assert.equal(answer.headers.get('location'), '/account', step)
    }
    const data = await fetch(`${issuer.url}/account/my-data`, { redirect: 'manual', headers })
    assert.equal(data.headers.get('location'), '/account')
    const redirectUri = 'http://127.0.0.1/callback'
    const asked = { clientId: 'viewer', redirectUri, resource: issuer.photos, scope: 'photos:read' }
    const { url } = authorizationAttempt(issuer.url, asked)
    const held = await person.open(url)
    assert.match(held.text, /<h1>Choose a new password first<\/h1>/)
    const goOn = formsOf(held).find(({ action }) => action.endsWith('/go-on'))
    assert.ok(goOn !== undefined)
    assert.match((await person.send(held, goOn)).text, /<h1>Choose a new password first<\/h1>/)
    assert.match(
      (await person.open(authorizationAttempt(issuer.url, { ...asked, more: { prompt: 'none' } }).url)).url,
      /error=login_required/,
    )
    const another = new Person(issuer.url, username)
    assert.match((await another.signIn(await another.open('/account'))).text, /<h1>Choose a new password<\/h1>/)
    const due = await person.open('/account')
    const form = stepForm(due, 'password')
    for (const [name, value] of [
      ['current_password', PASSWORD],
      ['new_password', NEXT],
      ['repeat_password', NEXT],
    ] as const)
      form.fields.set(name, value)
    assert.match((await person.send(due, form)).text, /Your password was changed/)
    assert.equal(await issuer.store.passwordDue(sub), false)
    assert.equal(await isSignedIn(another), false)
    assert.match((await person.send(held, goOn)).url, /callback\?.*code=/)
  })

  it('a new password keeps nobody waiting who can’t choose one: passwords are off, or the account has none', async () => {
    const { sub, person, page } = await twoBrowsers()
    await confirmStep(person, page, stepForm(page, 'not-me'))
    const asked = { clientId: 'viewer', redirectUri: 'http://127.0.0.1/callback', scope: 'photos:read' }
    const getsOn = async () => {
      const open = await person.open('/account')
      assert.match(open.text, /<h1>Your account<\/h1>/)
      const body = new URLSearchParams([...stepForm(open, 'sign-out-everywhere').fields])
      const headers = { cookie: cookieHeader(person), origin: issuer.url }
      const answer = await fetch(`${issuer.url}/account/disconnect`, {
        method: 'POST',
        redirect: 'manual',
        headers,
        body,
      })
      assert.match(answer.headers.get('location') ?? '', /notice=/, 'a step is carried out')
      assert.match((await person.open('/account/my-data')).text, /"events"/)
      const { url } = authorizationAttempt(issuer.url, { ...asked, resource: issuer.photos })
      assert.doesNotMatch((await person.open(url)).text, /new password/)
    }
    await issuer.reconfigure({ password: 'off' })
    await getsOn()
    await issuer.reconfigure({ password: 'on' })
    assert.match((await person.open('/account')).text, /<h1>Choose a new password<\/h1>/)
    await issuer.store.updateUser(sub, { passwordHash: undefined })
    assert.ok(await issuer.store.passwordDue(sub))
    await getsOn()
  })

  it('an app password that was made in a disowned browser ends with it', async () => {
    const { sub, phone, person, page } = await twoBrowsers()
    const [session] = (await issuer.store.sessions(sub)).filter(({ browser }) => browser === 'Safari on iPhone')
    assert.ok(session !== undefined)
    const at = Math.floor(Date.now() / 1000)
    const password = { id: 'x', hash: 'h', gid: 'gid-of-app-password', sub, resource: issuer.photos, scopes: [] }
    await issuer.store.addAppPassword(
      { ...password, name: 'Drive', createdAt: at, expiresAt: at + 9_999, lastUsedAt: undefined },
      10,
    )
    const uid = await uidOf(phone)
    await issuer.store.bindToSession('gid-of-app-password', uid, at)
    await confirmStep(person, page, stepForm(page, 'not-me'))
    assert.deepEqual(await issuer.store.appPasswords({ sub }), [])
  })

  it('an app password that is made while its browser is disowned ends with it', async () => {
    const { sub, phone, person, page } = await twoBrowsers()
    const theirs = await phone.open('/account')
    const { bindToSession } = issuer.store
    Object.assign(issuer.store, {
      bindToSession: async (...bound: Parameters<typeof bindToSession>) => {
        Object.assign(issuer.store, { bindToSession })
        await confirmStep(person, page, stepForm(page, 'not-me'))
        await bindToSession(...bound)
      },
    })
    const fields = new URLSearchParams([...stepForm(theirs, 'sign-out-everywhere').fields])
    for (const [name, value] of Object.entries({ resource: issuer.photos, name: 'Drive', scope: 'photos:read' }))
      fields.set(name, value)
    const answer = await fetch(`${issuer.url}/account/app-password`, {
      method: 'POST',
      redirect: 'manual',
      headers: { cookie: cookieHeader(phone), origin: issuer.url },
      body: fields,
    })
    assert.deepEqual([answer.status, answer.headers.get('location')], [303, '/account'])
    assert.deepEqual(await issuer.store.appPasswords({ sub }), [])
  })

  const uidOf = async (person: Person): Promise<string> => {
    const { gid } = await connect(issuer, person, 'viewer')
    const [record] = await issuer.store.authorizations({ gid })
    assert.ok(record !== undefined)
    const jti = [...person.cookies()].find(([name]) => /session$/.test(name))?.[1] ?? ''
    const payload = await issuer.store.model('Session', jti)
    return String(payload?.uid)
  }

  it('a session that an act has ended is not brought back by a request that was under way', async () => {
    const { sub, phone, person, page } = await twoBrowsers()
    const jti = [...phone.cookies()].find(([name]) => /session$/.test(name))?.[1] ?? ''
    const payload = (await issuer.store.model('Session', jti)) ?? {}
    await confirmStep(person, page, stepForm(page, 'end-browser'))
    await issuer.store.putModel('Session', jti, payload, { accountId: sub, uid: String(payload.uid) }, 4_000_000_000)
    assert.equal(await isSignedIn(phone), false)
  })

  it('shows the last 50 events about the person, newest first, and nobody else’s', async () => {
    const { person, sub, username } = await twoBrowsers()
    for (let n = 0; n < 60; n += 1) await issuer.store.audit('consent.granted', { sub, client: `app-${n}` }, 1_000 + n)
    await issuer.store.audit('consent.granted', { sub: 'somebody-else', client: 'not-mine' }, 2_000)
    const { text } = await person.open('/account')
    assert.equal(text.match(/You allowed an app something/g)?.length, 50)
    assert.ok(text.indexOf('app-59') < text.indexOf('app-58'))
    assert.doesNotMatch(text, /not-mine|app-9</)
    assert.ok(username)
  })

  it('says what the person may use, in words, with the address of the service', async () => {
    const { page } = await twoBrowsers()
    assert.match(page.text, /What you may use[\s\S]*Photo library[\s\S]*See photos/)
    assert.ok(page.text.includes(issuer.photos))
    assert.doesNotMatch(page.text, /File store/)
  })

  it('hands out all that is kept of the person as JSON, without any password, hash or key, to that person only', async () => {
    const { person, phone, sub } = await twoBrowsers()
    await connect(issuer, phone, 'viewer')
    const answer = await fetch(`${issuer.url}/account/my-data`, { headers: { cookie: cookieHeader(person) } })
    assert.match(answer.headers.get('content-disposition') ?? '', /^attachment/)
    assert.equal(answer.headers.get('cache-control'), 'no-store')
    const text = await answer.text()
    const data = JSON.parse(text)
    assert.equal(data.account.sub, sub)
    assert.equal(data.account.email, 'twin@example.com')
    assert.equal(data.authorizations.length, 1)
    assert.equal(data.browsers.length, 2)
    assert.ok(data.events.some(({ event }: { event: string }) => event === 'login.success'))
    assert.doesNotMatch(text, /argon2|\$[a-z0-9]+\$|hash/i)
    const nobody = await fetch(`${issuer.url}/account/my-data`, { redirect: 'manual' })
    assert.equal(nobody.headers.get('location'), '/account')
    const script = { cookie: cookieHeader(person), 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }
    assert.equal((await fetch(`${issuer.url}/account/my-data`, { headers: script })).status, 403)
  })

  it('a browser that was not seen for a while says so, and is not written down at each request', async () => {
    const { person, sub } = await twoBrowsers()
    const seen = async () =>
      (await issuer.store.sessions(sub)).map(({ seenAt }) => seenAt ?? 0).sort((a, b) => b - a)[0] ?? 0
    const first = await seen()
    aheadMs += 30_000
    await person.open('/account')
    assert.equal(await seen(), first)
    aheadMs += 60_000
    await person.open('/account')
    assert.ok((await seen()) >= first + 89)
  })
})
