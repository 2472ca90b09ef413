import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  type AuthorizeOptions,
  askToken,
  authorizationAttempt,
  formsOf,
  formWith,
  type Page,
  redeem,
} from '../../support/issuer/browser-less-person.ts'
import { askPage, askPageSignedIn, PRINT_SHOP_ASKS, startPrintShop } from '../../support/issuer/print-shop.ts'
import { type BlackBox, CALLBACK, claimsOf, PASSWORD, Person } from '../../support/issuer/served-issuer.ts'

const asked = PRINT_SHOP_ASKS
let box: BlackBox

before(async () => {
  box = await startPrintShop()
})
after(() => box.close())

const ask = (person: Person, options: AuthorizeOptions): Promise<Page> => askPage(box, person, options)
const askSignedIn = (name: string, options: AuthorizeOptions): Promise<[Person, Page]> =>
  askPageSignedIn(box, name, options)

describe('every page', () => {
  it('has a strict CSP, is never framed, sniffed or stored, and holds no script but of our own files', async () => {
    const person = new Person(box.url, 'alice')
    const signIn = await ask(person, asked)
    const consent = await person.signIn(signIn)
    const wrong = await ask(person, { ...asked, clientId: 'nobody' })
    const denied = (await askSignedIn('eve', { ...asked, clientId: 'cli' }))[1]
    const account = await person.open(`${box.url}/account`)
    const device = await person.open(`${box.url}/oauth/device`)
    const logout = await person.open(`${box.url}/oauth/logout`)
    for (const page of [signIn, consent, wrong, denied, account, device, logout]) {
      const policy = page.headers.get('content-security-policy') ?? ''
      for (const directive of [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
      ]) {
        assert.ok(policy.includes(directive), `${page.url}: ${policy}`)
      }
      assert.doesNotMatch(policy, /unsafe|script-src (?!'self';)/)
      assert.equal(page.headers.get('x-frame-options'), 'DENY')
      assert.equal(page.headers.get('x-content-type-options'), 'nosniff')
      assert.match(page.headers.get('cache-control') ?? '', /no-store/)
      assert.doesNotMatch(
        page.text,
        /<script(?! type="module" src="\/oauth\/assets\/[^"]+"><\/script>)|\son\w+=|style="/,
      )
    }
  })

  it('that hands a code over by form_post has them too, and lets its one script run by hash', async () => {
    const person = new Person(box.url, 'alice')
    const page = await person.signIn(
      await ask(person, { ...asked, clientId: 'cli', more: { response_mode: 'form_post' } }),
    )
    assert.ok(formWith(page, 'code').action === CALLBACK)
    const policy = page.headers.get('content-security-policy') ?? ''
    assert.match(policy, /default-src 'none'.*frame-ancestors 'none'.*script-src 'sha256-[\w+/]{43}='$/)
    assert.ok(policy.includes("form-action 'self' *"), 'wherever the client leads on to')
    assert.equal(page.headers.get('x-frame-options'), 'DENY')
  })

  it("sets cookies that scripts and other sites can't use", async () => {
    const [person] = await askSignedIn('alice', asked)
    const response = await fetch(authorizationAttempt(box.url, asked).url, { redirect: 'manual' })
    const lines = response.headers.getSetCookie()
    assert.ok(lines.length > 0 && person.cookies().size > 0)
    for (const line of lines) assert.match(line, /httponly.*|samesite=lax/i)
    for (const line of lines) assert.match(line, /httponly/i)
    for (const line of lines) assert.match(line, /samesite=(lax|strict)/i)
  })
})

describe('signing in', () => {
  it('says the same to a wrong password and an unknown name, on the page, with the name kept', async () => {
    const tried = async (name: string): Promise<Page> => (await askSignedIn(name, asked))[1]
    const wrong = await new Person(box.url, 'alice', 'not this one').signIn(await ask(new Person(box.url, 'x'), asked))
    assert.ok(wrong.status >= 400, 'without its cookies the form is of no use')
    const [stranger, alice] = [await tried('stranger'), new Person(box.url, 'alice', 'not this one')]
    const mistyped = await alice.signIn(await ask(alice, asked))
    const without = (page: Page, name: string) =>
      page.text
        .replaceAll(name, 'NAME')
        .replace(/interaction\/[\w-]+/g, '')
        .replace(/value="[\w-]{43}"/g, '')
    assert.equal(without(stranger, 'stranger'), without(mistyped, 'alice'))
    assert.equal(stranger.status, mistyped.status)
    assert.match(mistyped.text, /value="alice"/)
    assert.doesNotMatch(mistyped.text, /not this one/)
  })

  it('begins a new session each time, and prompt=login asks again', async () => {
    const [person] = await askSignedIn('alice', { ...asked, clientId: 'cli' })
    const before = [...person.cookies()].filter(([name]) => name.includes('session'))
    const page = await ask(person, { ...asked, clientId: 'cli', more: { prompt: 'login' } })
    assert.match(page.text, /name="password"/)
    await person.signIn(page)
    const after = [...person.cookies()].filter(([name]) => name.includes('session'))
    assert.ok(before.length > 0 && after.length > 0)
    assert.notDeepEqual(before, after)
  })

  it('never leads elsewhere than to a registered address', async () => {
    for (const redirectUri of [
      'https://evil.example.com/',
      `${CALLBACK}/`,
      `${CALLBACK}?a=b`,
      `${CALLBACK}#a`,
      'javascript:alert(1)',
      '//evil',
    ]) {
      const page = await ask(new Person(box.url, 'alice'), { ...asked, redirectUri })
      assert.equal(page.status, 400, redirectUri)
      assert.ok(page.url.startsWith(box.url))
    }
    const port = await ask(new Person(box.url, 'alice'), { ...asked, redirectUri: 'http://127.0.0.1:65000/cb' })
    assert.equal(port.status, 200, 'loopback ports are free for native clients')
  })
})

describe('consent', () => {
  it("shows the client's name, where it leads, each resource's name, and a box per scope", async () => {
    const [, page] = await askSignedIn('alice', asked)
    for (const words of ['Print Shop', '127.0.0.1:7001', 'The photos', 'The files', 'See photos', 'Change files']) {
      assert.ok(page.text.includes(words) || page.text.includes(words.split(':')[0] ?? ''), words)
    }
    const [form] = formsOf(page)
    assert.deepEqual(form?.boxes, ['photos:read', 'files:read', 'files:write'])
    assert.deepEqual(form?.buttons, ['decision=approve', 'decision=deny'])
  })

  it('given in part is remembered for the person in another browser; what was left out is asked at prompt=consent only', async () => {
    const [person, page] = await askSignedIn('alice', asked)
    assert.ok((await person.decide(page, 'approve', ['files:read'])).url.startsWith(CALLBACK))
    const elsewhere = new Person(box.url, 'alice')
    const silent = await elsewhere.authorize(asked)
    const { body } = await redeem(box.url, silent, { clientId: 'asker', redirectUri: CALLBACK })
    assert.deepEqual([body.scope, claimsOf(body.access_token).aud], ['files:read', box.files])
    const wider = await askToken(box.url, {
      grant_type: 'refresh_token',
      refresh_token: body.refresh_token,
      client_id: 'asker',
      resource: box.photos,
    })
    assert.equal(wider.body.error, 'invalid_target')
    const again = await ask(elsewhere, { ...asked, more: { prompt: 'consent' } })
    assert.deepEqual(formsOf(again)[0]?.boxes, ['photos:read', 'files:read', 'files:write'])
    const more = await elsewhere.decide(again, 'approve')
    assert.ok(more.url.startsWith(CALLBACK))
  })

  it('refused is access_denied at the client', async () => {
    const [person, page] = await askSignedIn('bob', asked)
    const back = new URL((await person.decide(page, 'deny')).url)
    assert.deepEqual([back.searchParams.get('error'), back.searchParams.get('iss')], ['access_denied', box.url])
  })

  it('offers the part that the person may have', async () => {
    const [person, page] = await askSignedIn('bob', asked)
    assert.deepEqual(formsOf(page)[0]?.boxes, ['files:read'])
    const back = new URL((await person.decide(page, 'approve', ['photos:read', 'files:read', 'files:write'])).url)
    const attempt = authorizationAttempt(box.url, asked)
    assert.ok(back.searchParams.get('code') && attempt)
  })

  it('is not asked of a first-party client', async () => {
    const [, page] = await askSignedIn('alice', { ...asked, clientId: 'cli' })
    assert.ok(page.url.startsWith(CALLBACK))
  })
})

describe('a person who may have none of what is asked', () => {
  it('sees why and which groups would do, and from there the client gets access_denied', async () => {
    const [person, page] = await askSignedIn('eve', { clientId: 'cli', redirectUri: CALLBACK, scope: 'photos:write' })
    assert.equal(page.url.startsWith(box.url), true)
    for (const words of ['photos-editors', 'The photos']) assert.ok(page.text.includes(words), page.text)
    assert.doesNotMatch(page.text, /<strong class="group">photos<\/strong>/, 'a group that would not do')
    const back = new URL((await person.decide(page, 'deny')).url)
    assert.deepEqual([back.origin + back.pathname, back.searchParams.get('error')], [CALLBACK, 'access_denied'])
  })

  it('can go on as somebody else', async () => {
    const [person, page] = await askSignedIn('eve', { clientId: 'cli', redirectUri: CALLBACK, scope: 'photos:read' })
    const form = formsOf(page).find(({ action }) => action.endsWith('/switch'))
    assert.ok(form)
    const signIn = await person.send(page, form)
    const done = await person.send(signIn, formWith(signIn, 'password'), { username: 'alice', password: PASSWORD })
    assert.ok(done.url.startsWith(`${CALLBACK}?code=`))
  })
})
