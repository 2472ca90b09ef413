import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Secret, TOTP } from 'otpauth'
import { createSecondFactors } from '../../../../src/issuer/people/second-factors.ts'
import {
  authorizationAttempt,
  claimsOf,
  formsOf,
  formWith,
  type Page,
  Person,
  redeem,
} from '../../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, PASSWORD, startIssuer } from '../../../support/issuer/issuer-under-test.ts'

const redirectUri = 'https://app.example.com/cb'
const clock = { aheadMs: 0 }
const nowMs = () => Date.now() + clock.aheadMs

describe('An authenticator app and recovery codes', () => {
  let box: IssuerUnderTest

  before(async () => {
    box = await startIssuer({ now: nowMs })
    await box.addClient({ id: 'app', type: 'native', redirectUris: [redirectUri] })
  })
  after(() => box.close())

  const codeFor = (secret: string, steps = 0) =>
    new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: nowMs() + steps * 30_000 })
  /** Codes are used once each: the next one comes half a minute later. */
  const nextCode = (secret: string) => {
    clock.aheadMs += 60_000
    return codeFor(secret)
  }
  const press = (person: Person, page: Page, step: string, fields: Record<string, string> = {}, button?: string) => {
    const form = formsOf(page).find(({ action }) => action.endsWith(`/${step}`))
    if (form === undefined) assert.fail(`no form for ${step}: ${page.text}`)
    return person.send(page, form, fields, button)
  }
  const enrol = async (name: string) => {
    await box.addPerson(name, ['photos'])
    const person = new Person(box.url, name)
    const account = await person.signIn(await person.open(`${box.url}/account`))
    const page = await press(person, account, 'authenticator-add')
    const secret = (/class="secret">([A-Z2-7 ]+)</.exec(page.text)?.[1] ?? '').replaceAll(' ', '')
    assert.equal(secret.length, 32)
    const wrong = await press(person, page, 'authenticator-confirm', { code: '000000' })
    assert.equal(wrong.status, 400)
    const done = await press(person, wrong, 'authenticator-confirm', { code: codeFor(secret) })
    const codes = [...done.text.matchAll(/<code>([A-Z2-7]{5}(?:-[A-Z2-7]{5}){4})<\/code>/g)].map(
      ([, code = '']) => code,
    )
    assert.equal(new Set(codes).size, 8)
    return { person, secret, codes }
  }
  const toCodePage = async (person: Person, more: Record<string, string> = {}) => {
    const { url, ...attempt } = authorizationAttempt(box.url, {
      clientId: 'app',
      redirectUri,
      scope: 'photos:read',
      more,
    })
    return { page: await person.signIn(await person.open(url)), attempt }
  }
  const type = (person: Person, page: Page, code: string) => person.send(page, formWith(page, 'code'), { code })
  const isAway = (page: Page) => new URL(page.url).origin === 'https://app.example.com'

  it('a password and a code make a sign-in of level mfa, without any script', async () => {
    const { secret } = await enrol('alice')
    const person = new Person(box.url, 'alice')
    const { page, attempt } = await toCodePage(person, { acr_values: 'mfa' })
    assert.match(page.text, /Enter your code/)
    const away = await type(person, page, nextCode(secret))
    const code = new URL(away.url).searchParams.get('code') ?? ''
    const { body } = await redeem(box.url, { ...attempt, code }, { clientId: 'app', redirectUri })
    const { acr, amr } = claimsOf(body.access_token)
    assert.deepEqual([acr, amr], ['mfa', ['pwd', 'otp', 'mfa']])
    const account = new Person(box.url, 'alice')
    const asked = await account.signIn(await account.open(`${box.url}/account`))
    assert.match((await type(account, asked, nextCode(secret))).text, /An authenticator app is asked for/)
  })

  it('one code, tried twenty times in parallel, counts once, and never again', async () => {
    const factors = createSecondFactors(box.store, Buffer.alloc(32, 7), nowMs)
    const mine = factors.makeSecret()
    assert.ok(Array.isArray(await factors.enrol('usr_one', mine, codeFor(mine))))
    const next = nextCode(mine)
    const tries = await Promise.all(Array.from({ length: 20 }, () => factors.spend('usr_one', next)))
    assert.equal(tries.filter((each) => each === 'code').length, 1)
    assert.equal(await factors.spend('usr_one', next), undefined)
    assert.equal(await factors.spend('usr_one', codeFor(mine, -1)), undefined, 'an earlier step')
  })

  it('one code, posted several times in parallel, signs in once', async () => {
    const { secret } = await enrol('bob')
    const people = Array.from({ length: 6 }, () => new Person(box.url, 'bob'))
    const pages: Page[] = []
    for (const person of people) pages.push((await toCodePage(person)).page)
    const code = nextCode(secret)
    const done = await Promise.all(
      people.map(async (person, i) => {
        const page = pages[i]
        return page === undefined ? false : isAway(await type(person, page, code))
      }),
    )
    assert.equal(done.filter(Boolean).length, 1)
  })

  it('after a wrong password nothing tells whether the account has a second factor', async () => {
    await box.addPerson('plain', ['photos'])
    const texts: string[] = []
    for (const name of ['plain', 'alice']) {
      const person = new Person(box.url, name)
      const page = await person.signIn(await person.open(`${box.url}/account`), 'wrong password here')
      texts.push(`${page.status} ${page.text.replaceAll(name, 'NAME')}`)
    }
    assert.equal(texts[0], texts[1])
  })

  it('a recovery code works once, only after the password, and makes amr pwd mfa', async () => {
    const { codes } = await enrol('carol')
    const [code = ''] = codes
    const typed = code.toLowerCase().replaceAll('-', ' ')
    for (const works of [true, false]) {
      const person = new Person(box.url, 'carol')
      const { page, attempt } = await toCodePage(person)
      const away = await type(person, page, typed)
      assert.equal(isAway(away), works)
      if (!works) continue
      const granted = { ...attempt, code: new URL(away.url).searchParams.get('code') ?? '' }
      const { body } = await redeem(box.url, granted, { clientId: 'app', redirectUri })
      assert.deepEqual(claimsOf(body.access_token).amr, ['pwd', 'mfa'])
    }
    const stranger = new Person(box.url, 'carol')
    const page = await stranger.open(`${box.url}/account`)
    const forged = await stranger.send(
      page,
      { ...formWith(page, 'password'), action: '/account/sign-in-code' },
      {
        passed: 'x',
        code: codes[1] ?? '',
      },
    )
    assert.match(forged.text, /name="password"/)
  })

  it('a code page lasts five minutes, and no longer than the password', async () => {
    const { secret } = await enrol('dora')
    const person = new Person(box.url, 'dora')
    const { page } = await toCodePage(person)
    clock.aheadMs += 6 * 60_000
    assert.match((await type(person, page, codeFor(secret))).text, /name="password"/)
    const { page: other } = await toCodePage(person)
    const sub = (await box.store.userByName('dora'))?.sub ?? ''
    await box.store.updateUser(sub, { passwordHash: 'another' })
    assert.ok(!isAway(await type(person, other, nextCode(secret))))
  })

  it('adding, removing, new codes and a new password need a sign-in of the last ten minutes', async () => {
    const { person, secret, codes } = await enrol('erin')
    // The session is from before the app: by password alone.
    const account = await person.open(`${box.url}/account`)
    for (const step of ['factor-remove', 'recovery-codes']) {
      const refused = await press(person, account, step)
      assert.equal(refused.status, 403, step)
      assert.match(refused.text, /needs a sign-in of the last 10 minutes/)
    }
    const kept = {
      current_password: PASSWORD,
      new_password: 'kitchen window giraffe',
      repeat_password: 'kitchen window giraffe',
    }
    assert.equal((await press(person, account, 'password', kept)).status, 403)
    const strong = new Person(box.url, 'erin')
    const asked = await strong.signIn(await strong.open(`${box.url}/account`))
    const own = await type(strong, asked, nextCode(secret))
    const made = await press(strong, own, 'recovery-codes')
    assert.match(made.text, /Your recovery codes/)
    assert.ok(!made.text.includes(codes[0] ?? '-'))
    clock.aheadMs += 11 * 60_000
    assert.equal((await press(strong, own, 'factor-remove')).status, 403)
    const again = await strong.signIn(
      await strong.open(`${box.url}/account/sign-in`).then(() => press(strong, own, 'recovery-codes')),
    )
    const fresh = await type(strong, again, nextCode(secret))
    const confirm = await press(strong, fresh, 'factor-remove')
    const wrong = { current_password: 'wrong horse' }
    const refused = await strong.send(confirm, formWith(confirm, 'current_password'), wrong, 'decision=approve')
    assert.equal(refused.status, 400)
    assert.equal((await box.store.audits(1))[0]?.event, 'login.failure', 'a wrong try leaves its audit line here, too')
    const gone = await strong.send(
      refused,
      formWith(refused, 'current_password'),
      { current_password: PASSWORD },
      'decision=approve',
    )
    assert.match(gone.text, /Your password alone opens your account/)
    assert.ok(isAway((await toCodePage(new Person(box.url, 'erin'))).page))
  })

  it('a new password makes a sign-in by code no younger', async () => {
    const { secret } = await enrol('ida')
    const person = new Person(box.url, 'ida')
    const asked = await person.signIn(await person.open(`${box.url}/account`))
    const own = await type(person, asked, nextCode(secret))
    clock.aheadMs += 9 * 60_000
    const next = 'kitchen window giraffe'
    const fields = { current_password: PASSWORD, new_password: next, repeat_password: next }
    const changed = await press(person, own, 'password', fields)
    assert.match(changed.text, /Your password was changed/)
    assert.match((await press(person, changed, 'recovery-codes')).text, /Your recovery codes/)
    clock.aheadMs += 2 * 60_000
    assert.equal((await press(person, changed, 'recovery-codes')).status, 403)
  })
})
