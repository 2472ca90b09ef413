import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Secret, TOTP } from 'otpauth'
import {
  authorizationAttempt,
  claimsOf,
  formWith,
  type Page,
  Person,
  redeem,
} from '../../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, PASSWORD, startIssuer } from '../../../support/issuer/issuer-under-test.ts'
import { answer, askedOn, press } from '../../../support/issuer/passkey-person.ts'
import { SoftwarePasskey } from '../../../support/issuer/software-passkey.ts'

const redirectUri = 'https://app.example.com/cb'
const clock = { aheadMs: 0 }
const nowMs = () => Date.now() + clock.aheadMs
const DAY_MS = 86_400_000
const WHY = { by: 'cli', requestId: 'r', address: '127.0.0.1' }

describe('Second factors by rule', () => {
  let box: IssuerUnderTest

  before(async () => {
    box = await startIssuer({ host: 'localhost', now: nowMs, settings: { secondFactor: ['guarded'] } })
    await box.addClient({ id: 'app', type: 'native', redirectUris: [redirectUri] })
  })
  after(() => box.close())

  const nextCode = (secret: string) => {
    clock.aheadMs += 60_000
    return new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: nowMs() })
  }
  const secretOn = (page: Page) => (/class="secret">([A-Z2-7 ]+)</.exec(page.text)?.[1] ?? '').replaceAll(' ', '')
  const isAccount = (page: Page) => page.status === 200 && page.text.includes('<h1>Your account</h1>')
  const account = (person: Person) => person.open(`${box.url}/account`)
  const signedIn = async (name: string) => {
    const person = new Person(box.url, name)
    return { person, page: await person.signIn(await account(person)) }
  }
  const authorize = async (person: Person, more: Record<string, string> = {}) => {
    const { url, ...attempt } = authorizationAttempt(box.url, {
      clientId: 'app',
      redirectUri,
      scope: 'photos:read',
      more,
    })
    const page = await person.signIn(await person.open(url))
    return { page, attempt }
  }
  const tokenOf = async (away: string, attempt: { readonly verifier: string }) => {
    const code = new URL(away).searchParams.get('code') ?? ''
    const { body } = await redeem(box.url, { ...attempt, code }, { clientId: 'app', redirectUri })
    return claimsOf(body.access_token)
  }

  it('somebody who must have a second factor gets only the enrolment page, adds an app there, and goes on to the client', async () => {
    await box.addPerson('alice', ['photos', 'guarded'])
    const person = new Person(box.url, 'alice')
    const { page, attempt } = await authorize(person)
    assert.match(page.text, /Add a second factor/)
    assert.match((await account(person)).text, /name="password"/, 'nobody is signed in yet')
    const app = await press(person, page, 'enrol-app')
    const wrong = await press(person, app, 'enrol-app-confirm', { code: '000000' })
    assert.equal(wrong.status, 400)
    const codes = await press(person, wrong, 'enrol-app-confirm', { code: nextCode(secretOn(wrong)) })
    assert.match(codes.text, /Your recovery codes/)
    const [, next = ''] = /class="button primary" href="([^"]*)"/.exec(codes.text) ?? []
    const away = await person.open(next)
    const { acr, amr } = await tokenOf(away.url, attempt)
    assert.deepEqual([acr, amr], ['mfa', ['pwd', 'otp', 'mfa']])
    assert.equal(
      (await press(person, wrong, 'enrol-app-confirm', { code: '1' })).status,
      400,
      'its interaction is over',
    )
  })

  it('a passkey counts, and is made in the same place', async () => {
    await box.addPerson('bob', ['photos', 'guarded'])
    const { person, page } = await signedIn('bob')
    assert.match(page.text, /Add a second factor/)
    const made = await answer(person, page, new SoftwarePasskey(box.url))
    assert.match(made.text, /Your recovery codes/)
    assert.ok(isAccount(await account(person)))
  })

  it('a session from before the rule opens nothing until there is one', async () => {
    await box.addPerson('carol', ['photos', 'later'])
    const { person } = await signedIn('carol')
    await box.reconfigure({ secondFactor: ['guarded', 'later'] })
    assert.match((await account(person)).text, /name="password"/)
    const data = await person.open(`${box.url}/account/my-data`)
    assert.match(data.text, /name="password"/, 'nor does it tell what is kept')
    const { url } = authorizationAttempt(box.url, { clientId: 'app', redirectUri, scope: 'photos:read' })
    assert.match((await person.open(url)).text, /name="password"/)
    await box.reconfigure({ secondFactor: ['guarded'] })
    assert.ok(isAccount(await account(person)))
  })

  it('after an administrator removed the last second factor of someone in a second_factor group, signing in offers no enrolment; the link does', async () => {
    const user = await box.addPerson('dave', ['photos', 'guarded'])
    const { person, page } = await signedIn('dave')
    await answer(person, page, new SoftwarePasskey(box.url))
    const [{ id } = { id: '' }] = await box.store.passkeys(user.sub)
    assert.equal(await box.issuer().operations.removeFactor(user, id, WHY), 'removed')
    assert.match((await account(person)).text, /name="password"/, 'sessions have ended')
    const again = await signedIn('dave')
    assert.equal(again.page.status, 403)
    assert.match(again.page.text, /needs a link/)
    assert.equal(askedOn(again.page), undefined)
    const made = await box.issuer().operations.makeLink({ kind: 'recover', user, seconds: undefined, reset: [] }, WHY)
    const url = made.kind === 'made' ? made.url : ''
    const visitor = new Person(box.url, 'dave')
    const passkey = new SoftwarePasskey(box.url)
    const refused = await answer(visitor, await visitor.open(url), passkey, { verified: false })
    assert.equal(refused.status, 400)
    assert.match((await answer(visitor, refused, passkey)).text, /Your account is set up/)
    assert.match((await visitor.open(url)).text, /does nothing any more/)
    const shown = await account(visitor)
    assert.ok(isAccount(await answer(visitor, shown, passkey)))
  })

  it('a link may make an account without a password, which a passkey alone opens; its first POST takes away what it resets', async () => {
    const user = await box.addPerson('erin', ['photos'])
    const { person, page } = await signedIn('erin')
    const lost = new SoftwarePasskey(box.url)
    await answer(person, await press(person, page, 'passkey-add'), lost, {}, { name: 'lost' })
    const reset = ['password', 'passkeys']
    const made = await box.issuer().operations.makeLink({ kind: 'recover', user, seconds: undefined, reset }, WHY)
    const visitor = new Person(box.url, 'erin')
    const passkey = new SoftwarePasskey(box.url)
    await answer(visitor, await visitor.open(made.kind === 'made' ? made.url : ''), passkey)
    const after = await box.store.userBySub(user.sub)
    assert.equal(after?.passwordHash, undefined)
    assert.deepEqual(
      (await box.store.passkeys(user.sub)).map(({ credentialId }) => credentialId),
      [passkey.id],
    )
    const shown = await account(visitor)
    const inside = await answer(visitor, shown, passkey)
    assert.ok(isAccount(inside))
    assert.match(inside.text, /Your account has no password/)
    const confirm = await press(visitor, inside, 'factor-remove')
    const refused = await visitor.decide(confirm, 'approve')
    assert.deepEqual([refused.status, /last_sign_in/.test(refused.text)], [409, true])
  })

  it('a link that leaves a second factor standing makes no passkey', async () => {
    const user = await box.addPerson('fay', ['photos'])
    const { person, page } = await signedIn('fay')
    await answer(person, await press(person, page, 'passkey-add'), new SoftwarePasskey(box.url), {}, { name: 'one' })
    const made = await box
      .issuer()
      .operations.makeLink({ kind: 'recover', user, seconds: undefined, reset: ['password'] }, WHY)
    const visitor = new Person(box.url, 'fay')
    const shown = await visitor.open(made.kind === 'made' ? made.url : '')
    assert.equal(askedOn(shown), undefined)
    assert.match(shown.text, /minlength="8"/, 'beside a second factor eight characters do')
  })

  it('nobody who must have one removes the last second factor; another app may take its place', async () => {
    await box.addPerson('gil', ['photos', 'guarded'])
    const { person, page } = await signedIn('gil')
    const app = await press(person, page, 'enrol-app')
    await press(person, app, 'enrol-app-confirm', { code: nextCode(secretOn(app)) })
    const inside = await account(person)
    const confirm = await press(person, inside, 'factor-remove')
    const typed = { current_password: PASSWORD }
    const refused = await person.send(confirm, formWith(confirm, 'current_password'), typed, 'decision=approve')
    assert.deepEqual([refused.status, /has to have a second factor/.test(refused.text)], [409, true])
    const moved = await press(person, inside, 'authenticator-add')
    const secret = secretOn(moved)
    assert.ok(isAccount(await press(person, moved, 'authenticator-confirm', { code: nextCode(secret) })))
    const again = await signedIn('gil')
    assert.ok(isAccount(await again.person.send(again.page, formWith(again.page, 'code'), { code: nextCode(secret) })))
  })

  it('removing the last second factor under a password shorter than password_min asks for a longer one in the same form', async () => {
    const user = await box.addPerson('hal', ['photos'])
    const { person, page } = await signedIn('hal')
    const passkey = new SoftwarePasskey(box.url)
    await answer(person, await press(person, page, 'passkey-add'), passkey, {}, { name: 'one' })
    const strong = await answer(person, await press(person, await account(person), 'recovery-codes'), passkey)
    const short = { current_password: PASSWORD, new_password: 'vQ7#xk2Zp!', repeat_password: 'vQ7#xk2Zp!' }
    assert.match((await press(person, strong, 'password', short)).text, /Your password was changed/)
    const confirm = await press(person, await account(person), 'factor-remove')
    const asked = await person.send(
      confirm,
      formWith(confirm, 'current_password'),
      { current_password: short.new_password },
      'decision=approve',
    )
    assert.equal(asked.status, 400)
    assert.match(asked.text, /too short to stand alone/)
    assert.equal((await box.store.passkeys(user.sub)).length, 1)
    const longer = {
      current_password: short.new_password,
      new_password: 'kitchen window giraffe',
      repeat_password: 'kitchen window giraffe',
    }
    const gone = await person.send(asked, formWith(asked, 'new_password'), longer, 'decision=approve')
    assert.match(gone.text, /was removed/)
    assert.deepEqual([await box.store.passkeys(user.sub), await box.store.recoveryCodes(user.sub)], [[], 0])
    const next = new Person(box.url, 'hal', longer.new_password)
    assert.ok(isAccount(await next.signIn(await account(next))))
  })

  it('a remembered browser is asked for no code at sign-in, as pwd, and never where acr is asked for; a change of factor or password forgets it', async () => {
    await box.reconfigure({ rememberBrowserSeconds: 30 * 86_400 })
    const user = await box.addPerson('ida', ['photos'])
    const first = await signedIn('ida')
    const add = await press(first.person, first.page, 'authenticator-add')
    const secret = secretOn(add)
    await press(first.person, add, 'authenticator-confirm', { code: nextCode(secret) })
    const person = new Person(box.url, 'ida')
    const { page } = await authorize(person)
    assert.match(page.text, /Ask for no code in this browser for 30 days/)
    await person.send(page, formWith(page, 'code'), { code: nextCode(secret), remember: 'yes' })
    const signOut = async () => press(person, await account(person), 'sign-out')
    await signOut()
    const spared = await authorize(person)
    const { acr } = await tokenOf(spared.page.url, spared.attempt)
    assert.equal(acr, 'pwd')
    assert.match((await press(person, await account(person), 'recovery-codes')).text, /needs a sign-in of the last 10/)
    assert.match(
      (await person.signIn(await press(person, await account(person), 'recovery-codes'))).text,
      /Enter your code/,
    )
    await signOut()
    assert.match((await authorize(person, { acr_values: 'mfa' })).page.text, /Enter your code/)
    assert.match((await authorize(new Person(box.url, 'ida'))).page.text, /Enter your code/, 'another browser')
    clock.aheadMs += 31 * DAY_MS
    assert.match((await authorize(person)).page.text, /Enter your code/, 'too long ago')
    clock.aheadMs -= 31 * DAY_MS
    await box.acts.signOutEverywhere(user.sub, 'cli')
    assert.match((await authorize(person)).page.text, /Enter your code/, 'signed out everywhere')
    const fresh = await authorize(person)
    await person.send(fresh.page, formWith(fresh.page, 'code'), { code: nextCode(secret), remember: 'yes' })
    await signOut()
    await box.store.addPasskey({ ...blank, sub: user.sub, id: 'pk_new', credentialId: 'new' }, 20)
    assert.match((await authorize(person)).page.text, /Enter your code|Use a passkey/, 'a factor was added')
    await box.reconfigure({ rememberBrowserSeconds: 0 })
  })

  it('a browser that asks to be remembered while its person signs out everywhere is not', async () => {
    await box.reconfigure({ rememberBrowserSeconds: 30 * 86_400 })
    const { sub } = await box.addPerson('ike', ['photos'])
    const first = await signedIn('ike')
    const add = await press(first.person, first.page, 'authenticator-add')
    const secret = secretOn(add)
    await press(first.person, add, 'authenticator-confirm', { code: nextCode(secret) })
    const person = new Person(box.url, 'ike')
    const { page } = await authorize(person)
    const { store } = box
    const original = store.rememberBrowser.bind(store)
    const signingOut: typeof original = async (record) => {
      Object.assign(store, { rememberBrowser: original })
      await box.acts.signOutEverywhere(sub, 'cli')
      await original(record)
    }
    Object.assign(store, { rememberBrowser: signingOut })
    await person.send(page, formWith(page, 'code'), { code: nextCode(secret), remember: 'yes' })
    assert.equal(store.rememberBrowser, original, 'it came to that')
    assert.match((await authorize(person)).page.text, /Enter your code/)
    await box.reconfigure({ rememberBrowserSeconds: 0 })
  })

  it('the password before an enrolment counts for five minutes, however many steps follow', async () => {
    await box.addPerson('ivy', ['photos', 'guarded'])
    const person = new Person(box.url, 'ivy')
    const { page } = await authorize(person)
    clock.aheadMs += 3 * 60_000
    const app = await press(person, page, 'enrol-app')
    assert.match(app.text, /class="secret"/)
    clock.aheadMs += 3 * 60_000
    assert.match((await press(person, app, 'enrol-app-confirm', { code: '000000' })).text, /name="password"/)
  })

  it('scopes whose every rule needs a level ask for it at authorize; left out, with the reason, when the person can’t', async () => {
    await box.reconfigure({ scopeLevels: new Map([[box.photos, new Map([['photos:write', 'mfa'] as const])]]) })
    await box.addClient({ id: 'other', type: 'native', redirectUris: [redirectUri], thirdParty: true })
    const ask = (clientId: string) =>
      authorizationAttempt(box.url, { clientId, redirectUri, scope: 'photos:read photos:write' })
    await box.addPerson('kim', ['photos-editors'])
    const kim = new Person(box.url, 'kim')
    const { url, ...attempt } = ask('app')
    const { scope } = await tokenOf((await kim.signIn(await kim.open(url))).url, attempt)
    assert.equal(scope, 'photos:read')
    const consent = await kim.open(ask('other').url)
    assert.match(consent.text, /Not available to you\.<\/strong> It needs a sign-in with a passkey/)
    const passkey = new SoftwarePasskey(box.url)
    const add = await press(kim, await account(kim), 'passkey-add')
    await answer(kim, add, passkey, {}, { name: 'one' })
    const again = ask('app')
    const shown = await kim.open(again.url)
    assert.ok(askedOn(shown) !== undefined, 'the session is a password’s')
    const full = await tokenOf((await answer(kim, shown, passkey)).url, again)
    assert.deepEqual([full.scope, full.acr], ['photos:read photos:write', 'phr'])
    await box.reconfigure({ scopeLevels: new Map() })
  })

  it('the person is told of a recovery code that was used', async () => {
    await box.addPerson('jan', ['photos'])
    const { person, page } = await signedIn('jan')
    const add = await press(person, page, 'authenticator-add')
    const made = await press(person, add, 'authenticator-confirm', { code: nextCode(secretOn(add)) })
    const [, code = ''] = /<code>([A-Z2-7]{5}(?:-[A-Z2-7]{5}){4})<\/code>/.exec(made.text) ?? []
    const other = await signedIn('jan')
    const inside = await other.person.send(other.page, formWith(other.page, 'code'), { code })
    assert.match(inside.text, /A recovery code was used/)
    assert.match((await account(person)).text, /A recovery code was used/, 'everywhere')
    await press(other.person, inside, 'recovery-codes')
    assert.doesNotMatch((await account(person)).text, /A recovery code was used/, 'until there are new ones')
  })
})

const blank = {
  publicKey: '',
  counter: 0,
  backupEligible: false,
  backedUp: false,
  transports: [],
  name: 'x',
  createdAt: 0,
  lastUsedAt: undefined,
}
