import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { Store } from '../../../../src/store/store.ts'
import { addApp, atAccount, connect, cookieHeader, stepForm } from '../../../support/issuer/account-page.ts'
import { askToken, type Page, Person } from '../../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, PASSWORD, startIssuer } from '../../../support/issuer/issuer-under-test.ts'

const NEXT = 'a better battery of words'

describe('/account: changing the password', () => {
  let issuer: IssuerUnderTest
  before(async () => {
    issuer = await startIssuer()
    await addApp(issuer, 'printer', { thirdParty: true })
  })
  // All of these people come from one address, which is slowed after some wrong tries.
  beforeEach(() => issuer.store.clearThrottle('address 127.0.0.1'))
  after(() => issuer.close())

  let people = 0
  const newPerson = async () => {
    people += 1
    return issuer.addPerson(`person${people}`, ['photos'])
  }
  const change = (person: Person, page: Page, fields: { current?: string; next?: string; repeat?: string } = {}) => {
    const { current = PASSWORD, next = NEXT, repeat = next } = fields
    const typed = { current_password: current, new_password: next, repeat_password: repeat }
    return person.send(page, stepForm(page, 'password'), typed)
  }
  const isSignedIn = async (cookie: string): Promise<boolean> =>
    /<h1>Your account<\/h1>/.test(await (await fetch(`${issuer.url}/account`, { headers: { cookie } })).text())

  it('keeps this browser signed in and ends everything else', async () => {
    const { username, sub } = await newPerson()
    const { person, page } = await atAccount(issuer, username)
    const { person: elsewhere } = await atAccount(issuer, username)
    const { refreshToken, gid } = await connect(issuer, elsewhere, 'printer')
    const done = await change(person, page)
    assert.match(done.url, /\/account\?notice=/)
    assert.match(done.text, /Your password was changed[^<]*at \d\d:\d\d:\d\d UTC\./)
    assert.match((await person.open('/account')).text, /<h1>Your account<\/h1>/)
    assert.match((await elsewhere.open('/account')).text, /<h1>Sign in<\/h1>/)
    const answer = await askToken(issuer.url, {
      grant_type: 'refresh_token',
      refresh_token: refreshToken,
      client_id: 'printer',
    })
    assert.equal(answer.body.error, 'invalid_grant')
    const entries = await issuer.store.revocations(0, Date.now() / 1000)
    assert.ok(entries.some(({ kind, key }) => kind === 'sub' && key === sub))
    assert.ok(entries.some(({ kind, key }) => kind === 'gid' && key === gid))
    const line = (await issuer.store.audits(20)).find(({ event }) => event === 'user.password_changed')
    assert.deepEqual(line?.detail, { sub, by: sub, address: '127.0.0.1' })
  })

  it('takes the new one and no longer the old one', async () => {
    const { username } = await newPerson()
    const { person, page } = await atAccount(issuer, username)
    await change(person, page)
    const old = new Person(issuer.url, username)
    assert.equal((await old.signIn(await old.open('/account'))).status, 400)
    const next = new Person(issuer.url, username, NEXT)
    assert.match((await next.signIn(await next.open('/account'))).text, /<h1>Your account<\/h1>/)
  })

  it('goes on in a new session: a copy of the cookie is worth nothing', async () => {
    const { username } = await newPerson()
    const { person, page } = await atAccount(issuer, username)
    const stolen = cookieHeader(person)
    assert.equal(await isSignedIn(stolen), true)
    await change(person, page)
    assert.equal(await isSignedIn(stolen), false)
    assert.equal(await isSignedIn(cookieHeader(person)), true)
  })

  const bad: readonly (readonly [string, Parameters<typeof change>[2], RegExp, string])[] = [
    ['the current one is wrong', { current: 'wrong horse' }, /not your password now/, 'current_password'],
    ['the new one is short', { next: 'short77' }, /at least 15 characters/, 'new_password'],
    ['the new one is endless', { next: 'x'.repeat(1000) }, /at most 256 characters/, 'new_password'],
    ['the two new ones differ', { repeat: 'a better battery of worms' }, /not the same/, 'repeat_password'],
  ]
  for (const [what, fields, words, field] of bad) {
    it(`says beside the field when ${what}, keeps no password on the page and changes nothing`, async () => {
      const { username, passwordHash } = await newPerson()
      const { person, page } = await atAccount(issuer, username)
      const answer = await change(person, page, fields)
      assert.equal(answer.status, 400)
      assert.match(answer.text, /<title>Problem: Your account/)
      assert.match(
        /<p class="problem" id="([a-z_]+)-problem" role="alert">/.exec(answer.text)?.[1] ?? '',
        new RegExp(field),
      )
      assert.match(answer.text, words)
      for (const typed of [PASSWORD, NEXT, 'wrong horse', 'short77']) assert.ok(!answer.text.includes(typed), typed)
      assert.equal((await issuer.store.userByName(username))?.passwordHash, passwordHash)
      assert.match((await person.open('/account')).text, /<h1>Your account<\/h1>/)
    })
  }

  it('slows wrong tries as sign-ins are slowed, and keeps an audit line of each', async () => {
    const { username, sub } = await newPerson()
    const { person, page } = await atAccount(issuer, username)
    for (let tries = 0; tries < 6; tries++) await change(person, page, { current: `wrong ${tries}` })
    await issuer.store.clearThrottle('address 127.0.0.1')
    const failures = (await issuer.store.audits(6)).map(({ event, detail }) => `${event} ${detail.sub}`)
    assert.deepEqual(
      failures,
      Array.from({ length: 6 }, () => `login.failure ${sub}`),
    )
    const started = performance.now()
    assert.equal((await change(person, page, { current: 'wrong again' })).status, 400)
    assert.ok(performance.now() - started > 450, 'the seventh wrong one waits for half a second')
    assert.match((await change(person, page)).url, /notice=/, 'its owner is never locked out')
  })

  it('changes nothing for a session that is ended while the try is under way', async () => {
    const { username, sub, passwordHash } = await newPerson()
    const { person, page } = await atAccount(issuer, username)
    const { userByName } = issuer.store
    const endingFirst: Store['userByName'] = async (name) => {
      await issuer.acts.signOutEverywhere(sub, 'test')
      return userByName(name)
    }
    Object.assign(issuer.store, { userByName: endingFirst })
    const answer = await change(person, page).finally(() => Object.assign(issuer.store, { userByName }))
    assert.equal(answer.status, 403)
    assert.match(answer.text, /Your password was not changed/)
    assert.equal((await issuer.store.userBySub(sub))?.passwordHash, passwordHash)
    assert.match((await person.open('/account')).text, /<h1>Sign in<\/h1>/)
  })
})
