import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { StoreError } from '../../../src/store/store.ts'
import {
  authorizationAttempt,
  formWith,
  leadOnOf,
  type Page,
  Person,
} from '../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, PASSWORD, startIssuer } from '../../support/issuer/issuer-under-test.ts'

const redirectUri = 'https://app.example.com/cb'
const options = { clientId: 'app', redirectUri, scope: 'photos:read' }
let issuer: IssuerUnderTest

before(async () => {
  issuer = await startIssuer()
  for (const name of ['alice', 'bob']) await issuer.addPerson(name, ['photos'])
  await issuer.addClient({ id: 'app', type: 'spa', redirectUris: [redirectUri] })
})
after(() => issuer.close())

function signInPage(person: Person, more: Record<string, string> = {}): Promise<Page> {
  return person.open(authorizationAttempt(issuer.url, { ...options, more }).url)
}

describe('the sign-in page', () => {
  it('is a plain form that works without JavaScript, with fields username and password', async () => {
    const page = await signInPage(new Person(issuer.url, 'alice'))
    assert.equal(page.status, 200)
    assert.doesNotMatch(page.text, /<script/)
    assert.ok(formWith(page, 'username').fields.has('password'))
  })

  it('has a strict CSP, no framing, no store, no sniffing', async () => {
    const { headers } = await signInPage(new Person(issuer.url, 'alice'))
    const csp = headers.get('content-security-policy') ?? ''
    assert.match(csp, /default-src 'none'/)
    assert.match(csp, /frame-ancestors 'none'/)
    assert.doesNotMatch(csp, /script-src|unsafe/)
    assert.match(csp, /form-action 'self'$/)
    assert.equal(headers.get('x-frame-options'), 'DENY')
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
  })

  it('stays with an error beside the fields and the typed username kept; the password is not', async () => {
    const alice = new Person(issuer.url, 'alice')
    const page = await alice.signIn(await signInPage(alice), 'wrong password')
    assert.equal(page.status, 400)
    assert.match(page.text, /role="alert"/)
    const { fields } = formWith(page, 'username')
    assert.equal(fields.get('username'), 'alice')
    assert.equal(fields.get('password'), '')
    assert.match((await alice.signIn(page)).url, /^https:\/\/app\.example\.com\/cb\?code=/)
  })

  it('says the same of an unknown name', async () => {
    const [alice, nobody] = [new Person(issuer.url, 'alice'), new Person(issuer.url, 'nobody')]
    const known = await alice.signIn(await signInPage(alice), 'wrong password')
    const unknown = await nobody.signIn(await signInPage(nobody))
    const words = (page: Page) => /role="alert">([^<]*)</.exec(page.text)?.[1]
    assert.equal(words(unknown), words(known))
  })

  it('answers a POST that ends at a client with a page that leads on by itself and by a link, without a redirect', async () => {
    const alice = new Person(issuer.url, 'alice')
    const page = await signInPage(alice)
    const form = formWith(page, 'password')
    const cookie = [...alice.cookies()].map(([name, value]) => `${name}=${value}`).join('; ')
    form.fields.set('username', 'alice')
    form.fields.set('password', PASSWORD)
    const response = await fetch(new URL(form.action, issuer.url), {
      method: 'POST',
      body: form.fields,
      redirect: 'manual',
      headers: { cookie },
    })
    assert.deepEqual([response.status, response.headers.get('location')], [200, null])
    const text = await response.text()
    const next = leadOnOf(text) ?? ''
    assert.match(next, /\/oauth\/authorize\/[\w-]+$/)
    assert.ok(text.includes(`href="${next}"`))
    assert.doesNotMatch(text, /<script/)
  })

  it('gives up with access_denied at the client', async () => {
    const alice = new Person(issuer.url, 'alice')
    const after = await alice.decide(await signInPage(alice), 'deny')
    assert.equal(new URL(after.url).searchParams.get('error'), 'access_denied')
  })

  it("keeps the client's hint in the username", async () => {
    const page = await signInPage(new Person(issuer.url, 'alice'), { login_hint: 'al"><b>ice' })
    assert.equal(formWith(page, 'username').fields.get('username'), 'al"><b>ice')
    assert.doesNotMatch(page.text, /<b>ice/)
  })

  it('HEAD and reloads are harmless', async () => {
    const alice = new Person(issuer.url, 'alice')
    const page = await signInPage(alice)
    const again = await alice.open(`${page.url}/sign-in`)
    assert.equal(again.url, page.url)
    assert.equal((await alice.open(page.url, { method: 'HEAD' })).status, 200)
  })
})

describe('forms are CSRF-safe', () => {
  it('a form without its anti-forgery value is refused', async () => {
    const alice = new Person(issuer.url, 'alice')
    const page = await signInPage(alice)
    const form = formWith(page, 'password')
    form.fields.set('csrf', 'forged')
    const after = await alice.send(page, form, { username: 'alice', password: PASSWORD })
    assert.equal(after.status, 403)
  })

  it('a form that another site sends is refused', async () => {
    for (const headers of [
      { origin: 'https://evil.example.com' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'null' },
    ] as Record<string, string>[]) {
      const alice = new Person(issuer.url, 'alice')
      const page = await signInPage(alice)
      const { action, fields } = formWith(page, 'password')
      fields.set('username', 'alice')
      fields.set('password', PASSWORD)
      const after = await alice.open(new URL(action, page.url).href, {
        method: 'POST',
        body: fields.toString(),
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      })
      assert.equal(after.status, 403, JSON.stringify(headers))
    }
  })

  it('an interaction of another browser is unusable', async () => {
    const [alice, mallory] = [new Person(issuer.url, 'alice'), new Person(issuer.url, 'alice')]
    const page = await signInPage(mallory)
    const opened = await alice.open(page.url)
    assert.equal(opened.status, 400)
    assert.match(opened.text, /expired/)
    const sent = await alice.send(page, formWith(page, 'password'), { username: 'alice', password: PASSWORD })
    assert.equal(sent.status, 400)
  })

  it("several sign-ins side by side in one browser do not get in each other's way: one password is enough for all", async () => {
    const alice = new Person(issuer.url, 'alice')
    const [first, second] = [await signInPage(alice), await signInPage(alice)]
    assert.match((await alice.signIn(first)).url, /code=/)
    assert.equal((await alice.open(second.url)).status, 303)
  })
})

describe('sessions', () => {
  const sessionOf = (person: Person) => person.cookies().get('audgate_session')

  it('begin with a new id at every sign-in', async () => {
    const alice = new Person(issuer.url, 'alice')
    await alice.authorize(options)
    const first = sessionOf(alice)
    assert.ok(first)
    const page = await signInPage(alice, { prompt: 'login' })
    await alice.signIn(page)
    assert.notEqual(sessionOf(alice), first)
  })

  it('do not pass to another person who signs in in the same browser', async () => {
    const browser = new Person(issuer.url, 'alice')
    await browser.authorize(options)
    const first = sessionOf(browser)
    const page = await signInPage(browser, { prompt: 'login' })
    const after = await browser.send(page, formWith(page, 'password'), { username: 'bob', password: PASSWORD })
    assert.match(after.url, /^https:\/\/app\.example\.com\/cb\?code=/)
    assert.notEqual(sessionOf(browser), first)
  })

  it('of a disabled account end, and the next request asks to sign in', async () => {
    const user = await issuer.addPerson('carl', ['photos'])
    const carl = new Person(issuer.url, 'carl')
    await carl.authorize(options)
    await issuer.acts.disableUser(user.sub, 'test')
    const page = await signInPage(carl)
    assert.match(page.text, /name="password"/)
    const tried = await carl.signIn(page)
    assert.match(tried.text, /role="alert"/)
  })

  it('an altered session cookie is no session', async () => {
    const alice = new Person(issuer.url, 'alice')
    await alice.authorize(options)
    const cookie = `audgate_session=${sessionOf(alice)}`
    const url = authorizationAttempt(issuer.url, options).url
    const answer = await fetch(url, { redirect: 'manual', headers: { cookie } })
    assert.match(answer.headers.get('location') ?? '', /interaction/, 'unsigned')
  })
})

describe('on https', () => {
  it('cookies are __Host- or __Secure-, Secure, HttpOnly and SameSite=Lax, whatever Host and X-Forwarded-* say', async () => {
    const origin = 'https://gate.example.com'
    const secure = await startIssuer({ settings: { identifier: origin, origin } })
    try {
      await secure.addClient({ id: 'app', type: 'spa', redirectUris: [redirectUri] })
      const answer = await fetch(authorizationAttempt(secure.url, options).url, {
        redirect: 'manual',
        headers: { host: 'evil.example.com', 'x-forwarded-host': 'evil.example.com', 'x-forwarded-proto': 'http' },
      })
      const cookies = answer.headers.getSetCookie()
      assert.ok(cookies.length > 0)
      for (const cookie of cookies) {
        assert.match(cookie, /^__(?:Host|Secure)-/)
        assert.match(cookie, /; secure/i)
        assert.match(cookie, /; httponly/i)
        assert.match(cookie, /; samesite=lax/i)
        if (cookie.startsWith('__Host-')) assert.match(cookie, /; path=\/(?:;|$)/i)
      }
    } finally {
      await secure.close()
    }
  })
})

describe('the front door', () => {
  it('knows its paths and nothing else', async () => {
    for (const path of [
      '/oauth/nothing',
      '/oauth',
      '/OAUTH/TOKEN',
      '/oauth/token/',
      '/oauth/assets/nothing.css',
      '/oauth/register',
    ]) {
      assert.equal((await fetch(`${issuer.url}${path}`)).status, 404, path)
    }
    const { text } = await signInPage(new Person(issuer.url, 'alice'))
    const style = /href="(\/oauth\/assets\/[^"]+\.css)"/.exec(text)?.[1]
    assert.equal((await fetch(`${issuer.url}${style}`)).status, 200)
  })

  it('a store that fails is 503 with Retry-After, never a pass', async () => {
    const broken = await startIssuer()
    try {
      await broken.addClient({ id: 'app', type: 'spa', redirectUris: [redirectUri] })
      const fails = () => Promise.reject(new StoreError('disk full', 'make room'))
      Object.assign(broken.store, { client: fails })
      const answer = await fetch(`${broken.url}/oauth/token`, {
        method: 'POST',
        body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'x', client_id: 'app' }),
      })
      assert.equal(answer.status, 503)
      assert.equal(((await answer.json()) as { error: string }).error, 'temporarily_unavailable')
      assert.ok(answer.headers.get('retry-after'))
      const page = await new Person(broken.url, 'alice').open(authorizationAttempt(broken.url, options).url)
      assert.equal(page.status, 503)
      assert.match(page.headers.get('content-type') ?? '', /text\/html/)
    } finally {
      await broken.close()
    }
  })
})
