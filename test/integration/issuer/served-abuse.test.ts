import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type AuthorizeOptions, type Page, post, redeem } from '../../support/issuer/browser-less-person.ts'
import { askPage, askPageSignedIn, PRINT_SHOP_ASKS, startPrintShop } from '../../support/issuer/print-shop.ts'
import { type BlackBox, CALLBACK, callUrl, PASSWORD, Person, within } from '../../support/issuer/served-issuer.ts'

const asked = PRINT_SHOP_ASKS
let box: BlackBox

before(async () => {
  box = await startPrintShop()
})
after(() => box.close())

const ask = (person: Person, options: AuthorizeOptions): Promise<Page> => askPage(box, person, options)
const askSignedIn = (name: string, options: AuthorizeOptions): Promise<[Person, Page]> =>
  askPageSignedIn(box, name, options)

describe('twenty at once', () => {
  it('redemptions of one code give one set of tokens, the rest invalid_grant', async () => {
    const options = { clientId: 'cli', redirectUri: CALLBACK, scope: 'photos:read' }
    const attempt = await new Person(box.url, 'alice').authorize(options)
    const answers = await Promise.all(Array.from({ length: 20 }, () => redeem(box.url, attempt, options)))
    const good = answers.filter(({ status }) => status === 200)
    assert.equal(good.length, 1)
    for (const { status, body } of answers)
      if (status !== 200) assert.deepEqual([status, body.error], [400, 'invalid_grant'])
    assert.equal((await box.call(good[0]?.body.access_token)).status, 200)
  })

  it('refreshes with one refresh token give one set of tokens', async () => {
    const { refresh } = await box.signIn('alice')
    const answers = await Promise.all(Array.from({ length: 20 }, () => box.refresh(refresh)))
    const sets = new Set(answers.filter(({ status }) => status === 200).map(({ body }) => JSON.stringify(body)))
    assert.equal(sets.size, 1)
    const { access_token, refresh_token } = JSON.parse([...sets][0] ?? '{}')
    assert.equal((await box.call(access_token)).status, 200)
    assert.equal((await box.refresh(refresh_token)).status, 200)
  })
})

describe('a code or refresh token of one client', () => {
  it('is useless to another, and such a try costs its owner nothing', async () => {
    const options = { clientId: 'cli', redirectUri: CALLBACK, scope: 'photos:read' }
    const attempt = await new Person(box.url, 'alice').authorize(options)
    const stolen = await redeem(box.url, attempt, { ...options, clientId: 'asker' })
    assert.deepEqual([stolen.status, stolen.body.error], [400, 'invalid_grant'])
    const guessed = await redeem(box.url, { ...attempt, verifier: 'x'.repeat(43) }, options)
    assert.deepEqual([guessed.status, guessed.body.error], [400, 'invalid_grant'])
    const { status, body } = await redeem(box.url, attempt, options)
    assert.equal(status, 200, JSON.stringify(body))
    const used = await box.refresh(body.refresh_token ?? '', { client_id: 'asker' })
    assert.deepEqual([used.status, used.body.error], [400, 'invalid_grant'])
    assert.equal((await box.call(body.access_token)).status, 200)
    assert.equal((await box.refresh(body.refresh_token ?? '')).status, 200)
  })

  it('asked again with other parameters is invalid_grant, and nothing is lost', async () => {
    const { refresh } = await box.signIn('alice', { scope: 'photos:read files:read' })
    const first = await box.refresh(refresh, { resource: box.files })
    assert.equal((await box.refresh(refresh, { resource: box.photos })).body.error, 'invalid_grant')
    assert.deepEqual((await box.refresh(refresh, { resource: box.files })).body, first.body)
    assert.equal((await box.call(first.body.access_token, '/files/a')).status, 200)
    assert.equal((await box.refresh(first.body.refresh_token ?? '')).status, 200)
  })
})

describe("a stranger's bad input", () => {
  it('gets a clear answer of 4xx at every endpoint', async () => {
    const bodies = [
      '',
      'a',
      '%',
      '%00',
      '=',
      '&&&',
      'grant_type=',
      'grant_type=refresh_token&refresh_token=%00',
      'client_id=cli&client_id=cli',
      '\u0000',
      `a=${'x'.repeat(100_000)}`,
      '{"a":1}',
      'token=%ff',
      'user_code=%00',
      'client_id=__proto__&token=constructor&grant_type=toString',
    ]
    const paths = [
      'token',
      'revoke',
      'introspect',
      'par',
      'device_authorization',
      'device',
      'register',
      'logout',
      'logout/confirm',
      'userinfo',
      'interaction/x/sign-in',
      'interaction/%00/sign-in',
      'authorize',
      'nothing',
    ]
    for (const path of paths) {
      for (const body of bodies) {
        for (const type of [
          'application/x-www-form-urlencoded',
          'application/json',
          'text/plain',
          'multipart/form-data',
        ]) {
          const answer = await callUrl(`${box.url}/oauth/${path}`, { 'content-type': type }, 'POST', body)
          const known = answer.status >= 400 && answer.status < 500
          // RFC 7009 §2.2: a token that nobody knows has been revoked; signing out needs no session.
          assert.ok(
            known || [200, 303].includes(answer.status),
            `${path} ${body.slice(0, 40)} ${type}: ${answer.status}`,
          )
        }
      }
    }
    for (const query of [
      'client_id=%00',
      'client_id=cli&response_type=code&prompt=%ff',
      'client_id=__proto__',
      'request=a.b.c',
      'client_id=cli&request_uri=urn:x',
      'client_id=cli&claims=%7B',
      'client_id=cli&max_age=-1&response_type=code',
      `client_id=${'c'.repeat(5_000)}`,
    ]) {
      const answer = await callUrl(`${box.url}/oauth/authorize?${query}`, {})
      assert.ok(answer.status === 303 || (answer.status >= 400 && answer.status < 500), `${query}: ${answer.status}`)
    }
    assert.deepEqual(
      box.log().filter(({ status, level }) => Number(status) >= 500 || level === 'error'),
      [],
    )
  })

  it('a Host that is not ours changes nothing that is said or made', async () => {
    const headers = {
      'x-forwarded-host': 'evil.example.com',
      forwarded: 'host=evil.example.com',
      'x-forwarded-proto': 'https',
    }
    for (const path of ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']) {
      const { body } = await callUrl(`${box.url}${path}`, headers)
      assert.equal(body.issuer, box.url)
      assert.doesNotMatch(JSON.stringify(body), /evil/)
    }
    const begun = await post(
      `${box.url}/oauth/device_authorization`,
      { client_id: 'cli', scope: 'photos:read' },
      headers,
    )
    assert.ok(String(begun.body.verification_uri).startsWith(box.url))
  })
})

describe('twelve wrong tries by others', () => {
  it('leave the owner in within 8 s', async () => {
    await box.addUser('frank', 'photos')
    const guess = new Person(box.url, 'frank', 'a wrong guess')
    let page = await ask(guess, { ...asked, clientId: 'cli' })
    for (let turn = 0; turn < 12; turn += 1) page = await guess.signIn(page)
    const begin = performance.now()
    const owner = new Person(box.url, 'frank')
    let tried = await owner.signIn(await ask(owner, { ...asked, clientId: 'cli' }))
    while (!tried.url.startsWith(CALLBACK)) {
      assert.ok(performance.now() - begin < 8_000, tried.text)
      await new Promise((resolve) => setTimeout(resolve, 500))
      tried = await owner.signIn(tried)
    }
  })
})

describe('logs', () => {
  it('hold a line for what happens at the issuer, and never a secret', async () => {
    const secret = await box.addSecretClient('site', 'web', '--redirect-uri', 'http://localhost:7003/cb')
    const { access, refresh } = await box.signIn('alice')
    await box.refresh(refresh)
    const spent = { grant_type: 'authorization_code', code: 'x', client_id: 'site', client_secret: secret }
    await post(`${box.url}/oauth/token`, spent)
    const wrong = new Person(box.url, 'alice', 'not this one')
    await wrong.signIn(await ask(wrong, asked))
    const [yes, question] = await askSignedIn('alice', asked)
    await yes.decide(question, 'approve')
    const [no, again] = await askSignedIn('bob', asked)
    await no.decide(again, 'deny')
    await askSignedIn('eve', { ...asked, clientId: 'cli' })
    await post(`${box.url}/oauth/revoke`, { token: access, client_id: 'cli' })
    const events = ['login.success', 'login.failure', 'consent.granted', 'consent.denied', 'authorization.granted']
    for (const event of [...events, 'authorization.denied', 'token.refused', 'token.revoked']) {
      await within(2_000, async () => {
        const found = box.log().some((line) => line.event === event && line.audit === true)
        return found ? undefined : `no line for ${event}`
      })
    }
    const { stdout, stderr } = box.output()
    assert.equal(stderr, '', 'no warning of a library')
    assert.ok(box.log().every(({ path }) => path === undefined || !String(path).includes('?')))
    for (const text of [PASSWORD, secret, access, refresh, 'not this one', 'a wrong guess']) {
      assert.equal(stdout.includes(text), false, text)
    }
  })
})
