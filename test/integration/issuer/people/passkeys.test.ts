import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
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
import { type Quirks, SoftwarePasskey } from '../../../support/issuer/software-passkey.ts'

const redirectUri = 'https://app.example.com/cb'
const clock = { aheadMs: 0 }

describe('Passkeys', () => {
  let box: IssuerUnderTest

  before(async () => {
    box = await startIssuer({ host: 'localhost', now: () => Date.now() + clock.aheadMs })
    await box.addClient({ id: 'app', type: 'native', redirectUris: [redirectUri] })
  })
  after(() => box.close())

  const account = async (person: Person): Promise<Page> => person.open(`${box.url}/account`)
  const signedIn = async (name: string): Promise<{ person: Person; page: Page }> => {
    const person = new Person(box.url, name)
    return { person, page: await person.signIn(await account(person)) }
  }
  /** A new person with a passkey, and the browser in which it was made. */
  const enrolled = async (name: string, quirks: Quirks = {}) => {
    const user = await box.addPerson(name, ['photos'])
    const { person, page } = await signedIn(name)
    const passkey = new SoftwarePasskey(box.url)
    const made = await answer(person, await press(person, page, 'passkey-add'), passkey, quirks, { name: `of ${name}` })
    assert.match(made.text, /Your recovery codes/)
    return { user, person, passkey }
  }
  const bySignIn = async (passkey: SoftwarePasskey, quirks: Quirks = {}) => {
    const person = new Person(box.url, '')
    return { person, page: await answer(person, await account(person), passkey, quirks) }
  }
  const isIn = (page: Page) => page.status === 200 && page.text.includes('<h1>Your account</h1>')
  const REFUSED = /That passkey was not accepted/

  it('a passkey signs in alone, at level phr, with the audience of the client that asked', async () => {
    const { passkey, user } = await enrolled('alice')
    const person = new Person(box.url, '')
    const { url, ...attempt } = authorizationAttempt(box.url, { clientId: 'app', redirectUri, scope: 'photos:read' })
    const away = await answer(person, await person.open(url), passkey)
    const code = new URL(away.url).searchParams.get('code') ?? ''
    const { body } = await redeem(box.url, { ...attempt, code }, { clientId: 'app', redirectUri })
    const { sub, acr, amr, aud } = claimsOf(body.access_token)
    assert.deepEqual([sub, acr, amr, aud], [user.sub, 'phr', ['pop', 'user', 'mfa'], box.photos])
  })

  it('assertions without user verification, with a bogus signature, another origin or RP ID, a used or 6-minute-old challenge, a removed or another person’s credential: refused with one page', async () => {
    const { passkey, person, user } = await enrolled('bob')
    const strip = (page: Page) => page.text.replace(/(?:value|data-options)="[^"]*"/g, '')
    const pages = new Set<string>()
    const refused = (page: Page, what: string) => {
      assert.equal(page.status, 400, what)
      assert.match(page.text, REFUSED, what)
      pages.add(strip(page))
    }
    const wrongs: Readonly<Record<string, Quirks>> = {
      'no user verification': { verified: false },
      'a bogus signature': { bogus: true },
      'another origin': { origin: 'http://localhost:1' },
      'another RP ID': { party: 'example.com' },
      'another challenge': { challenge: 'AAAA' },
      'in a frame': { crossOrigin: true },
      'a registration’s answer': { type: 'webauthn.create' },
      'another handle': { userHandle: Buffer.from('usr_other').toString('base64url') },
      'no handle': { userHandle: null },
      'a changed backup-eligible flag': { backupEligible: true },
    }
    for (const [what, quirks] of Object.entries(wrongs)) refused((await bySignIn(passkey, quirks)).page, what)

    const once = new Person(box.url, '')
    const shown = await account(once)
    assert.ok(isIn(await answer(once, shown, passkey)))
    const other = new Person(box.url, '')
    await account(other)
    refused(await answer(other, shown, passkey), 'of another browser')
    await press(once, await account(once), 'sign-out')
    refused(await answer(once, shown, passkey), 'used')

    const late = new Person(box.url, '')
    const old = await account(late)
    clock.aheadMs += 6 * 60_000
    refused(await answer(late, old, passkey), 'six minutes old')

    await enrolled('bobby')
    const asked = new Person(box.url, 'bobby')
    const code = await asked.signIn(await account(asked))
    const page = await answer(asked, code, passkey)
    assert.deepEqual([page.status, REFUSED.test(page.text)], [400, true], 'another person’s')

    await box.store.removePasskey(user.sub, (await box.store.passkeys(user.sub))[0]?.id ?? '')
    refused((await bySignIn(passkey)).page, 'removed')
    assert.equal(pages.size, 1)
    assert.ok(person.username)
  })

  it('a counter that went back refuses; 0 for ever works', async () => {
    const { passkey, user } = await enrolled('counting', { counter: 5 })
    assert.ok(isIn((await bySignIn(passkey, { counter: 7 })).page))
    for (const counter of [7, 6, 0]) assert.match((await bySignIn(passkey, { counter })).page.text, REFUSED)
    assert.ok(isIn((await bySignIn(passkey, { counter: 8 })).page))
    const lines = await box.store.audits(20)
    const told = lines.filter(({ event, detail }) => event === 'passkey.counter_regressed' && detail.sub === user.sub)
    assert.equal(told.length, 3)
    const { passkey: still } = await enrolled('synced', { backupEligible: true, backedUp: true })
    for (let i = 0; i < 3; i += 1)
      assert.ok(isIn((await bySignIn(still, { backupEligible: true, backedUp: true })).page))
  })

  it('registration refuses without user verification, another origin or RP ID, a used challenge, another session’s', async () => {
    await box.addPerson('carol', ['photos'])
    const { person, page } = await signedIn('carol')
    const add = await press(person, page, 'passkey-add')
    for (const quirks of [{ verified: false }, { origin: 'http://localhost:1' }, { party: 'example.com' }]) {
      const fresh = await press(person, await account(person), 'passkey-add')
      assert.equal((await answer(person, fresh, new SoftwarePasskey(box.url), quirks)).status, 400)
    }
    const elsewhere = await signedIn('carol')
    const theirs = await press(elsewhere.person, elsewhere.page, 'passkey-add')
    const passkey = new SoftwarePasskey(box.url)
    const made = passkey.create(askedOn(theirs) ?? '')
    assert.equal((await person.send(add, formWith(add, 'ceremony'), { passkey: made })).status, 400)
    const again = await press(person, await account(person), 'passkey-add')
    assert.equal((await answer(person, again, passkey)).status, 200)
    const strong = await bySignIn(passkey)
    assert.equal((await answer(person, again, new SoftwarePasskey(box.url))).status, 403, 'by the password alone now')
    const next = await press(strong.person, strong.page, 'passkey-add')
    assert.equal((await answer(strong.person, next, passkey)).status, 400, 'somebody has it')
  })

  it('a password-only session of a person with a passkey can’t enrol a factor, make codes or change the password without the passkey', async () => {
    const { person, passkey } = await enrolled('dave')
    const page = await account(person)
    const password = {
      current_password: PASSWORD,
      new_password: 'kitchen window giraffe',
      repeat_password: 'kitchen window giraffe',
    }
    for (const [step, fields] of [
      ['passkey-add', {}],
      ['authenticator-add', {}],
      ['recovery-codes', {}],
      ['factor-remove', {}],
      ['password', password],
    ] as const) {
      const refused = await press(person, page, step, fields)
      assert.equal(refused.status, 403, step)
      assert.match(refused.text, /needs a sign-in of the last 10 minutes/)
      assert.ok(askedOn(refused) !== undefined, 'the passkey is asked for')
    }
    const asked = await press(person, page, 'recovery-codes')
    const strong = await answer(person, asked, passkey)
    assert.match((await press(person, strong, 'recovery-codes')).text, /Your recovery codes/)
    assert.match((await press(person, await account(person), 'password', password)).text, /Your password was changed/)
  })

  it('after the password a passkey is asked for, or a recovery code, and nobody is signed in before', async () => {
    const { passkey } = await enrolled('erin')
    const person = new Person(box.url, 'erin')
    const page = await person.signIn(await account(person))
    assert.match(page.text, /Recovery code/)
    assert.ok(!isIn(await account(person)))
    assert.ok(isIn(await answer(person, page, passkey)))
  })

  it('a passkey is renamed and removed; removing the last way in answers last_sign_in', async () => {
    const { passkey, user } = await enrolled('fay')
    const { person, page } = await bySignIn(passkey)
    const renamed = await press(person, page, 'passkey-rename', { name: 'Kitchen tablet' })
    assert.match(renamed.text, /Kitchen tablet/)
    await box.store.updateUser(user.sub, { passwordHash: undefined })
    const alone = { ...user, passwordHash: undefined }
    const why = { by: 'usr_admin', requestId: 'r', address: '127.0.0.1' }
    const [{ id } = { id: '' }] = await box.store.passkeys(user.sub)
    assert.equal(await box.issuer().operations.removeFactor(alone, 'pk_none', why), 'unknown')
    await box.reconfigure({ password: 'off' })
    assert.equal(await box.issuer().operations.removeFactor(alone, id, why), 'last_sign_in')
    const confirm = await press(person, await account(person), 'factor-remove')
    const refused = await person.decide(confirm, 'approve')
    assert.deepEqual([refused.status, /last_sign_in/.test(refused.text)], [409, true])
    await box.reconfigure({ password: 'on' })
    assert.equal((await box.store.passkeys(user.sub)).length, 1)
  })

  it('at most 20 passkeys are kept of a person', async () => {
    const { user } = await enrolled('gil')
    const [first] = await box.store.passkeys(user.sub)
    assert.ok(first)
    for (let i = 1; i < 20; i += 1) await box.store.addPasskey({ ...first, id: `pk_${i}`, credentialId: `c${i}` }, 20)
    assert.equal(await box.store.addPasskey({ ...first, id: 'pk_x', credentialId: 'cx' }, 20), 'too_many')
    assert.equal((await box.store.passkeys(user.sub)).length, 20)
  })

  it('with passkeys off no page offers one, and those that are there open nothing', async () => {
    const { passkey } = await enrolled('hal')
    const person = new Person(box.url, '')
    const shown = await account(person)
    await box.reconfigure({ passkeys: false })
    try {
      assert.equal(askedOn(await account(new Person(box.url, ''))), undefined)
      assert.match((await answer(person, shown, passkey)).text, REFUSED)
      const { sub = '' } = (await box.store.userByName('hal')) ?? {}
      await box.store.putRecoveryCodes(sub, [])
      const other = new Person(box.url, 'hal')
      const stuck = await other.signIn(await other.open(`${box.url}/account`))
      assert.match(stuck.text, /takes no passkeys at the moment.*Ask whoever runs it for a recovery link/s)
      assert.doesNotMatch(stuck.text, /<form/)
    } finally {
      await box.reconfigure({ passkeys: true })
    }
  })
})

describe('At an address instead of a name', () => {
  it('no page offers a passkey: browsers make none there', async () => {
    const box = await startIssuer()
    try {
      await box.addPerson('alice', ['photos'])
      const person = new Person(box.url, 'alice')
      const page = await person.open(`${box.url}/account`)
      assert.doesNotMatch(page.text, /passkey|webauthn|<script/i)
      const inside = await person.signIn(page)
      assert.doesNotMatch(inside.text, /Add a passkey|data-passkey|passkey\.[^"]*\.js/)
    } finally {
      await box.close()
    }
  })
})
