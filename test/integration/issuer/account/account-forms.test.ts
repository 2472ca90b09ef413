import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { GUARD_FIELD } from '../../../../src/issuer/http/form-guard.ts'
import {
  addApp,
  atAccount,
  confirmStep,
  connect,
  cookieHeader,
  stepForm,
} from '../../../support/issuer/account-page.ts'
import { type IssuerUnderTest, PASSWORD, startIssuer } from '../../../support/issuer/issuer-under-test.ts'

const STEPS = ['disconnect', 'end-device', 'password', 'sign-out', 'sign-out-everywhere']

describe('/account: forms and addresses', () => {
  let issuer: IssuerUnderTest
  let aheadMs = 0
  before(async () => {
    issuer = await startIssuer({ now: () => Date.now() + aheadMs })
    await addApp(issuer, 'printer', { thirdParty: true })
  })
  after(() => issuer.close())

  let people = 0
  const signedIn = async () => {
    people += 1
    const { username, sub } = await issuer.addPerson(`person${people}`, ['photos'])
    return { ...(await atAccount(issuer, username)), username, sub }
  }
  const send = (path: string, fields: Record<string, string>, headers: Record<string, string>, method = 'POST') =>
    fetch(`${issuer.url}${path}`, {
      method,
      redirect: 'manual',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      ...(method === 'POST' ? { body: new URLSearchParams(fields).toString() } : {}),
    })

  it('answers an act with 303, and every page with a strict policy, no framing and no storing', async () => {
    const { person, page } = await signedIn()
    const fields = Object.fromEntries(stepForm(page, 'sign-out').fields)
    const done = await send('/account/sign-out', fields, { cookie: cookieHeader(person), origin: issuer.url })
    assert.equal(done.status, 303)
    assert.match(done.headers.get('location') ?? '', /^\/account\?notice=[\w-]+$/)
    assert.equal(done.headers.get('cache-control'), 'no-store')
    const pages = ['/account', '/account/nothing', done.headers.get('location') ?? ''].map((path) =>
      fetch(`${issuer.url}${path}`),
    )
    for (const { headers } of [...(await Promise.all(pages)), page]) {
      assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'.*frame-ancestors 'none'/)
      assert.match(headers.get('content-security-policy') ?? '', /form-action 'self'$/)
      assert.equal(headers.get('x-frame-options'), 'DENY')
      assert.equal(headers.get('cache-control'), 'no-store')
    }
  })

  const forgeries: readonly (readonly [string, Record<string, string>])[] = [
    ['a page of another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    ['a page of another host of this site', { 'sec-fetch-site': 'same-site' }],
    ['an old browser on another site', { origin: 'https://evil.example' }],
    ['a sandboxed page', { origin: 'null' }],
  ]
  for (const [what, headers] of forgeries) {
    it(`refuses every form that ${what} sends, be its fields right or not`, async () => {
      const { person, page, sub } = await signedIn()
      const { gid } = await connect(issuer, person, 'printer')
      const fields = { ...Object.fromEntries(stepForm(page, 'sign-out').fields), client: 'printer', gid }
      for (const step of STEPS) {
        const path = `/account/${step}`
        const answer = await send(
          path,
          { ...fields, decision: 'approve' },
          { cookie: cookieHeader(person), ...headers },
        )
        assert.equal(answer.status, 403, step)
      }
      const credentials = { username: person.username, password: PASSWORD }
      const signIn = await send('/account/sign-in', credentials, headers)
      assert.equal(signIn.status, 403)
      assert.deepEqual(signIn.headers.getSetCookie(), [])
      assert.equal((await issuer.store.consents({ sub })).length, 1)
      assert.match((await person.open('/account')).text, /printer/)
    })
  }

  it('takes a form with the value that belongs to this sign-in of this person only', async () => {
    const mallory = await signedIn()
    const { person, page, username } = await signedIn()
    const earlier = stepForm(page, 'sign-out').fields.get(GUARD_FIELD) ?? ''
    await person.send(page, stepForm(page, 'sign-out'))
    await person.signIn(await person.open('/account'))
    const theirs = stepForm(mallory.page, 'sign-out').fields.get(GUARD_FIELD) ?? ''
    const elsewhere = stepForm((await atAccount(issuer, username)).page, 'sign-out').fields.get(GUARD_FIELD) ?? ''
    for (const guard of ['', 'x', earlier, theirs, elsewhere]) {
      for (const step of STEPS) {
        const headers = { cookie: cookieHeader(person), origin: issuer.url, 'sec-fetch-site': 'same-origin' }
        const answer = await send(`/account/${step}`, { [GUARD_FIELD]: guard, decision: 'approve' }, headers)
        assert.equal(answer.status, 403, step)
        assert.match(await answer.text(), /Nothing was changed/)
      }
    }
    assert.match((await person.open('/account')).text, /<h1>Your account<\/h1>/)
  })

  it('leads who is not signed in to the sign-in, and from there back to /account only', async () => {
    for (const step of STEPS) {
      const answer = await send(`/account/${step}`, { decision: 'approve' }, { origin: issuer.url })
      assert.deepEqual([answer.status, answer.headers.get('location')], [303, '/account'])
    }
    const { username } = await signedIn()
    const path = '/account/sign-in?return_to=https://evil.example&redirect_uri=//evil.example'
    const fields = { username, password: PASSWORD, return_to: 'https://evil.example', next: '//evil.example' }
    const answer = await send(path, fields, { origin: issuer.url })
    assert.deepEqual([answer.status, answer.headers.get('location')], [303, '/account'])
  })

  it('has a 404 page for unknown paths and 405 with Allow for wrong methods; a form’s address reloads to the page', async () => {
    for (const path of ['/account/', '/account/nothing', '/account/sign-out/x', '/account/__proto__', '/account/%00']) {
      const answer = await fetch(`${issuer.url}${path}`)
      assert.equal(answer.status, 404, path)
      assert.match(answer.headers.get('content-type') ?? '', /^text\/html/)
    }
    for (const [method, path, allow] of [
      ['POST', '/account', 'GET, HEAD'],
      ['PUT', '/account', 'GET, HEAD'],
      ['DELETE', '/account/disconnect', 'GET, HEAD, POST'],
      ['OPTIONS', '/account/sign-in', 'GET, HEAD, POST'],
    ] as const) {
      const answer = await send(path, {}, {}, method)
      assert.deepEqual([answer.status, answer.headers.get('allow')], [405, allow], `${method} ${path}`)
    }
    for (const step of [...STEPS, 'sign-in']) {
      const answer = await send(`/account/${step}`, {}, {}, 'GET')
      assert.deepEqual([answer.status, answer.headers.get('location')], [303, '/account'])
    }
    const head = await send('/account', {}, {}, 'HEAD')
    assert.deepEqual([head.status, await head.text()], [200, ''])
  })

  it('says what was done to who did it, for ten minutes, and never what somebody made up', async () => {
    const { person, username } = await signedIn()
    await connect(issuer, person, 'printer')
    const page = await person.open('/account')
    const done = await confirmStep(person, page, stepForm(page, 'disconnect'))
    const says = async (by: typeof person, url: string) => /no access any more/.test((await by.open(url)).text)
    assert.equal(await says(person, done.url), true)
    assert.equal(await says((await signedIn()).person, done.url), false, 'nobody else')
    assert.equal(await says((await atAccount(issuer, username)).person, done.url), true, 'the same person elsewhere')
    const sealed = new URL(done.url).searchParams.get('notice') ?? ''
    for (const notice of [
      '',
      '<script>',
      sealed.slice(1),
      `${sealed}AA`,
      sealed.slice(0, 20),
      '%00',
      'a'.repeat(4000),
    ]) {
      const answer = await person.open(`/account?notice=${encodeURIComponent(notice)}`)
      assert.equal(answer.status, 200)
      assert.doesNotMatch(answer.text, /class="notice|<script>/)
    }
    aheadMs = 11 * 60_000
    assert.equal(await says(person, done.url), false, 'not for ever')
    aheadMs = 0
  })

  it('shows names from outside as text, whatever they hold', async () => {
    const { person, sub } = await signedIn()
    const clientId = 'evil'
    await addApp(issuer, clientId, { thirdParty: true })
    const client = await issuer.store.client(clientId)
    assert.ok(client)
    await issuer.store.putClient({ ...client, name: '<img src=x onerror=alert(1)>"\u202E', origin: 'registration' })
    await issuer.store.putConsents([
      { sub, clientId, resource: '"><script>', granted: ['<b>'], rejected: [], since: 1 },
      { sub, clientId, resource: 'javascript:alert(1)', granted: ['a'], rejected: [], since: 1 },
    ])
    const page = await person.open('/account')
    const question = await person.send(page, stepForm(page, 'disconnect'))
    const done = await person.decide(question, 'approve')
    for (const { text } of [page, question, done]) {
      assert.match(text, /&#60;img src=x onerror=alert\(1\)&#62;/)
      assert.doesNotMatch(text, /<img src=x|<script>|<b>|\u202E|href="javascript/)
    }
    assert.match(page.text, /Not verified/)
  })

  it('meets whatever is posted with an answer, never with a fault', async () => {
    const { person, page } = await signedIn()
    const guard = stepForm(page, 'sign-out').fields.get(GUARD_FIELD) ?? ''
    const names = fc.constantFrom(
      'client',
      'gid',
      'current_password',
      'new_password',
      'repeat_password',
      GUARD_FIELD,
      'x',
    )
    const steps = fc.constantFrom('disconnect', 'end-device', 'password', 'sign-out-everywhere')
    const fields = fc.array(fc.tuple(names, fc.string({ unit: 'binary', maxLength: 60 })), { maxLength: 6 })
    const property = fc.asyncProperty(steps, fields, fc.boolean(), async (step, sent, guarded) => {
      const body = new URLSearchParams(sent)
      if (guarded) body.set(GUARD_FIELD, guard)
      body.delete('current_password')
      const headers = { cookie: cookieHeader(person), 'content-type': 'application/x-www-form-urlencoded' }
      const init = { method: 'POST', redirect: 'manual', headers, body: body.toString() } as const
      const { status } = await fetch(`${issuer.url}/account/${step}`, init)
      assert.ok(status >= 200 && status < 500, String(status))
    })
    await fc.assert(property, { numRuns: 150 })
    for (const body of ['\0', '%', '%ff=%ff', '&&&', '{"a":1}', Buffer.from([0xff, 0xfe])]) {
      const headers = { cookie: cookieHeader(person), 'content-type': 'text/plain' }
      const answer = await fetch(`${issuer.url}/account/disconnect`, { method: 'POST', body, headers })
      assert.equal(answer.status, 403)
    }
    const large = await send(
      '/account/password',
      { new_password: 'x'.repeat(60_000) },
      { cookie: cookieHeader(person) },
    )
    assert.equal(large.status, 413)
    assert.match((await person.open('/account')).text, /<h1>Your account<\/h1>/)
  })

  it('on https, keeps its cookie to this host and to https', async () => {
    const secure = await startIssuer({
      settings: { identifier: 'https://gate.example.com', origin: 'https://gate.example.com' },
    })
    try {
      await secure.addPerson('alice', ['photos'])
      const answer = await fetch(`${secure.url}/account/sign-in`, {
        method: 'POST',
        redirect: 'manual',
        headers: { origin: 'https://gate.example.com' },
        body: new URLSearchParams({ username: 'alice', password: PASSWORD }),
      })
      const cookies = answer.headers.getSetCookie()
      const session = cookies.find((cookie) => cookie.startsWith('__Host-audgate_session=')) ?? ''
      for (const attribute of ['path=/', 'secure', 'httponly', 'samesite=lax']) {
        assert.ok(session.toLowerCase().includes(`; ${attribute}`), `${attribute} in ${session}`)
      }
      assert.doesNotMatch(session, /domain=/i)
      assert.ok(
        cookies.every((cookie) => /; secure/i.test(cookie) && /; httponly/i.test(cookie)),
        cookies.join('\n'),
      )
    } finally {
      await secure.close()
    }
  })
})
