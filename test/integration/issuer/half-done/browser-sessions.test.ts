import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  ALICE,
  type Answered,
  type BrowserGateway,
  Jar,
  startBrowserGateway,
} from '../../../support/browser-gateway.ts'
import { formsOf } from '../../../support/issuer/browser-less-person.ts'

let box: BrowserGateway
before(async () => {
  box = await startBrowserGateway()
})
after(() => box.close())

const PAGE = {
  accept: 'text/html',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
  'sec-fetch-site': 'none',
}

/** The URL of the callback, which is not followed, in a browser that is signed in at the issuer. */
async function heldCallback(jar: Jar): Promise<string> {
  let next = `${box.photos}/held`
  for (let hop = 0; hop < 8; hop += 1) {
    const answer = await jar.send(next, { headers: PAGE })
    assert.ok(answer.location !== undefined, answer.text)
    next = new URL(answer.location, next).href
    if (next.includes('/.audgate/callback')) return next
  }
  throw new Error('no callback')
}

async function press(jar: Jar, page: Answered, action: string, fields: Readonly<Record<string, string>> = {}) {
  const form = formsOf(page).find((each) => each.action.endsWith(action))
  assert.ok(form !== undefined, page.text)
  const body = new URLSearchParams(form.fields)
  for (const [name, value] of Object.entries(fields)) body.set(name, value)
  const origin = new URL(page.url).origin
  const headers = { 'content-type': 'application/x-www-form-urlencoded', origin, 'sec-fetch-site': 'same-origin' }
  return jar.send(new URL(form.action, page.url).href, { method: 'POST', headers, body: body.toString() })
}

/** Another session of the issuer takes the place of the browser's. */
async function signInAnew(jar: Jar): Promise<void> {
  const headers = { 'content-type': 'application/x-www-form-urlencoded', origin: box.publicUrl }
  const body = new URLSearchParams(ALICE).toString()
  const answer = await jar.send(`${box.publicUrl}/account/sign-in`, { method: 'POST', headers, body })
  assert.equal(answer.status, 303, answer.text)
}

type Act = (jar: Jar) => Promise<unknown>
const sub = (): string => box.people.alice ?? ''

/** Ends another browser's session from a browser of its own. */
const fromElsewhere =
  (step: string): Act =>
  async () => {
    const account = `${box.publicUrl}/account`
    const other = new Jar()
    const page = await other.signIn(account)
    const question = await press(other, page, `/account/${step}`)
    await press(other, question, `/account/${step}`, { decision: 'approve' })
  }

const ACTS: Readonly<Record<string, Act>> = {
  'a sign-out on the account page': async (jar) => {
    await press(jar, await jar.open(`${box.publicUrl}/account`), '/account/sign-out')
  },
  'a sign-in anew and a sign-out on the account page': async (jar) => {
    await signInAnew(jar)
    await press(jar, await jar.open(`${box.publicUrl}/account`), '/account/sign-out')
  },
  'a sign-out at the issuer': async (jar) => {
    await press(jar, await jar.open(`${box.publicUrl}/oauth/logout`), '/oauth/logout/confirm', { logout: 'yes' })
  },
  'a sign-out at another host': async (jar) => {
    const page = await jar.open(`${box.files}/x`)
    assert.equal(page.status, 200, page.text)
    await press(jar, await jar.open(`${box.files}/.audgate/sign-out`), '/.audgate/sign-out')
  },
  'a sign-out by another browser': fromElsewhere('end-browser'),
  'signing out everywhere': () => box.acts.signOutEverywhere(sub(), 'test'),
  'a revocation of the browser client': () => box.acts.endClient('browser', 'test'),
  'a revocation of the person’s browsers': () => box.acts.revokeUserClient(sub(), 'browser', 'test'),
  'a revocation of the person': () => box.acts.revokeUser(sub(), 'test'),
  'disabling and enabling': async () => {
    await box.acts.disableUser(sub(), 'test')
    await box.acts.enableUser(sub(), 'test')
  },
  // Last: a new password is due after it.
  'another browser’s word that it wasn’t them': fromElsewhere('not-me'),
}

const sessionsEnd = async (): Promise<void> => {
  for (const { issuerSession } of await box.store.sessions(sub()))
    await box.acts.signOutBrowser(sub(), issuerSession, 'test')
}

describe('what was made in a session before its person signed in anew there', () => {
  it('ends with the word that it wasn’t them', async () => {
    await sessionsEnd()
    const jar = new Jar()
    const page = await jar.signIn(`${box.publicUrl}/account`)
    const resource = `${box.publicUrl}/photos`
    await press(jar, page, '/account/app-password', { name: 'drive', resource, scope: 'photos:read' })
    assert.equal((await box.store.appPasswords({ sub: sub() })).length, 1)
    await signInAnew(jar)
    await fromElsewhere('not-me')(jar)
    assert.deepEqual(await box.store.appPasswords({ sub: sub() }), [])
    await box.acts.changePassword(sub(), (await box.store.userBySub(sub()))?.passwordHash ?? '', {}, 'test')
  })
})

describe('a sign-in at a host that waits for its callback', () => {
  it('opens a session where nothing comes between', async () => {
    const jar = new Jar()
    await jar.signIn(`${box.publicUrl}/account`)
    const page = await jar.open(await heldCallback(jar))
    assert.equal(page.status, 200, page.text)
  })
  for (const [name, act] of Object.entries(ACTS)) {
    it(`opens none after ${name}`, async () => {
      await sessionsEnd()
      const jar = new Jar()
      await jar.signIn(`${box.publicUrl}/account`, ALICE)
      const callback = await heldCallback(jar)
      await act(jar)
      await jar.send(callback, { headers: PAGE })
      const opened = await jar.send(`${box.photos}/x`, { headers: { accept: 'application/json' } })
      assert.equal(opened.status, 401, opened.text)
    })
  }
})
