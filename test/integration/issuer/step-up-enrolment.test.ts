import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Secret, TOTP } from 'otpauth'
import {
  authorizationAttempt,
  claimsOf,
  formsOf,
  type Page,
  Person,
  redeem,
} from '../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../../support/issuer/issuer-under-test.ts'
import { answer, askedOn, press } from '../../support/issuer/passkey-person.ts'
import { SoftwarePasskey } from '../../support/issuer/software-passkey.ts'

const redirectUri = 'https://app.example.com/cb'
const clock = { aheadMs: 0 }
const nowMs = () => Date.now() + clock.aheadMs

describe('A level that the account has no factor for', () => {
  let box: IssuerUnderTest

  before(async () => {
    box = await startIssuer({ host: 'localhost', now: nowMs })
    await box.addClient({ id: 'app', type: 'native', redirectUris: [redirectUri] })
  })
  after(() => box.close())

  const secretOn = (page: Page) => (/class="secret">([A-Z2-7 ]+)</.exec(page.text)?.[1] ?? '').replaceAll(' ', '')
  const codeOf = (secret: string) => {
    clock.aheadMs += 60_000
    return new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: nowMs() })
  }
  const has = (page: Page, step: string) => page.text.includes(`/${step}"`)
  /** Somebody new who has just signed in by the password, for a client that asks for `acr`. */
  const unmet = async (name: string, acr: string) => {
    const user = await box.addPerson(name, ['photos'])
    const person = new Person(box.url, name)
    const more = { acr_values: acr }
    const { url, ...attempt } = authorizationAttempt(box.url, {
      clientId: 'app',
      redirectUri,
      scope: 'photos:read',
      more,
    })
    const page = await person.signIn(await person.open(url))
    assert.match(page.text, /A stronger sign-in is needed/)
    return { user, person, page, attempt }
  }
  const goOn = (person: Person, codes: Page) => {
    assert.match(codes.text, /Your recovery codes/)
    const [, next = ''] = /class="button primary" href="([^"]*)"/.exec(codes.text) ?? []
    return person.open(next)
  }
  const howSignedIn = async (away: Page, attempt: { readonly verifier: string }) => {
    const code = new URL(away.url).searchParams.get('code') ?? ''
    const { body } = await redeem(box.url, { ...attempt, code }, { clientId: 'app', redirectUri })
    const { acr, amr } = claimsOf(body.access_token)
    return [acr, amr]
  }

  it('an app is added in its place, and the person ends at the client with a token of that level', async () => {
    const { person, page, attempt } = await unmet('alice', 'mfa')
    const app = await press(person, page, 'enrol-app')
    const wrong = await press(person, app, 'enrol-app-confirm', { code: '000000' })
    assert.equal(wrong.status, 400)
    const codes = await press(person, wrong, 'enrol-app-confirm', { code: codeOf(secretOn(wrong)) })
    assert.deepEqual(await howSignedIn(await goOn(person, codes), attempt), ['mfa', ['pwd', 'otp', 'mfa']])
  })

  it('for a passkey’s level nothing but a passkey is offered, made, and in the token', async () => {
    const { person, page, attempt } = await unmet('bob', 'phr')
    assert.ok(!has(page, 'enrol-app'))
    const refused = await answer(person, page, new SoftwarePasskey(box.url), { verified: false })
    assert.match(refused.text, /That passkey was not accepted/)
    const codes = await answer(person, refused, new SoftwarePasskey(box.url))
    assert.deepEqual(await howSignedIn(await goOn(person, codes), attempt), ['phr', ['pop', 'user', 'mfa']])
  })

  it('whoever has an app adds the passkey after its code alone; the recovery codes stand', async () => {
    const { user, person, page } = await unmet('carol', 'mfa')
    const app = await press(person, page, 'enrol-app')
    const secret = secretOn(app)
    await goOn(person, await press(person, app, 'enrol-app-confirm', { code: codeOf(secret) }))
    const other = new Person(box.url, 'carol')
    const more = { acr_values: 'phr' }
    const { url, ...attempt } = authorizationAttempt(box.url, {
      clientId: 'app',
      redirectUri,
      scope: 'photos:read',
      more,
    })
    const asked = await other.signIn(await other.open(url))
    assert.deepEqual([askedOn(asked), /Enter your code/.test(asked.text)], [undefined, true])
    const offered = await press(other, asked, 'code', { code: codeOf(secret) })
    const away = await answer(other, offered, new SoftwarePasskey(box.url))
    assert.deepEqual(await howSignedIn(away, attempt), ['phr', ['pop', 'user', 'mfa']])
    assert.equal(await box.store.recoveryCodes(user.sub), 8)
  })

  it('a refusal that is remembered, of a client that asks for nothing, leads to the same place', async () => {
    const user = await box.addPerson('dave', ['photos'])
    const person = new Person(box.url, 'dave')
    await person.authorize({ clientId: 'app', redirectUri, scope: 'photos:read' })
    await box.issuer().noteWeakSignIn({ sub: user.sub, clientId: 'app', need: { acr: 'mfa' } })
    const { url, ...attempt } = authorizationAttempt(box.url, { clientId: 'app', redirectUri, scope: 'photos:read' })
    const page = await person.signIn(await person.open(url))
    const codes = await answer(person, page, new SoftwarePasskey(box.url))
    assert.equal((await howSignedIn(await goOn(person, codes), attempt))[0], 'phr')
  })

  it('the sign-in counts for five minutes there, and its page for ten', async () => {
    const { user, person, page } = await unmet('erin', 'mfa')
    const app = await press(person, page, 'enrol-app')
    clock.aheadMs += 5 * 60_000
    const late = await press(person, app, 'enrol-app-confirm', { code: codeOf(secretOn(app)) })
    assert.equal(await box.store.authenticator(user.sub), undefined)
    assert.match(late.text, /A stronger sign-in is needed/)
    clock.aheadMs += 5 * 60_000
    const old = await press(person, late, 'enrol-app')
    assert.deepEqual([has(old, 'enrol-app'), has(old, 'again')], [false, true], 'a fresh sign-in comes first')
    assert.ok(has(await person.signIn(await press(person, old, 'again')), 'enrol-app'))
  })

  it('what was offered here opens no code page and no enrolment of another sign-in', async () => {
    const { user, person, page } = await unmet('fay', 'mfa')
    const app = await press(person, page, 'enrol-app')
    const [, passed = ''] = /name="passed" value="([^"]*)"/.exec(page.text) ?? []
    const form = formsOf(page).find(({ action }) => action.endsWith('/enrol-app'))
    assert.ok(form !== undefined)
    const signIn = await person.send(page, { ...form, action: form.action.replace('enrol-app', 'again') }, {})
    const pages = [
      await press(person, app, 'enrol-app-confirm', { code: codeOf(secretOn(app)) }),
      await person.send(
        page,
        { ...form, action: form.action.replace('enrol-app', 'code') },
        { passed, code: '000000' },
      ),
    ]
    for (const each of [signIn, ...pages]) assert.match(each.text, /name="password"/)
    assert.equal(await box.store.authenticator(user.sub), undefined)
  })

  it('after an administrator took the last factor away it is offered by a link alone', async () => {
    const { user, person, page } = await unmet('gil', 'mfa')
    const codes = await answer(person, page, new SoftwarePasskey(box.url))
    await goOn(person, codes)
    const [{ id } = { id: '' }] = await box.store.passkeys(user.sub)
    const why = { by: 'cli', requestId: 'r', address: '127.0.0.1' }
    assert.equal(await box.issuer().operations.removeFactor(user, id, why), 'removed')
    const more = { acr_values: 'mfa' }
    const { url } = authorizationAttempt(box.url, { clientId: 'app', redirectUri, scope: 'photos:read', more })
    const refused = await person.signIn(await person.open(url))
    assert.deepEqual([askedOn(refused), has(refused, 'enrol-app')], [undefined, false])
    assert.match(refused.text, /Ask whoever runs this service for a recovery link/)
  })

  it('with nothing to add, the client gets unmet_authentication_requirements', async () => {
    await box.reconfigure({ passkeys: false, authenticator: false })
    const { person, page } = await unmet('hal', 'mfa')
    assert.deepEqual([askedOn(page), has(page, 'enrol-app')], [undefined, false])
    assert.match(page.text, /Ask whoever runs this service for a recovery link.*Sign in again<.*Go back to/s)
    const back = await person.decide(page, 'deny')
    assert.equal(new URL(back.url).searchParams.get('error'), 'unmet_authentication_requirements')
    const other = await unmet('ina', 'mfa')
    assert.match((await press(other.person, other.page, 'switch')).text, /name="password"/, 'another account')
    await box.reconfigure({ passkeys: true, authenticator: true })
  })
})
