import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Secret, TOTP } from 'otpauth'
import { authorizationAttempt, formWith, type Page, Person } from '../../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../../../support/issuer/issuer-under-test.ts'
import { answer, press } from '../../../support/issuer/passkey-person.ts'
import { SoftwarePasskey } from '../../../support/issuer/software-passkey.ts'

const redirectUri = 'https://app.example.com/cb'
const clock = { aheadMs: 0 }
const nowMs = () => Date.now() + clock.aheadMs

describe('Wrong codes', () => {
  let box: IssuerUnderTest

  before(async () => {
    box = await startIssuer({ host: 'localhost', now: nowMs })
    await box.addClient({ id: 'app', type: 'native', redirectUris: [redirectUri] })
  })
  after(() => box.close())

  const nextCode = (secret: string) => {
    clock.aheadMs += 60_000
    return new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: nowMs() })
  }
  const type = (person: Person, page: Page, code: string) => person.send(page, formWith(page, 'code'), { code })
  const isAway = (page: Page) => new URL(page.url).origin === 'https://app.example.com'
  const account = async (person: Person) => person.signIn(await person.open(`${box.url}/account`))
  const toCodePage = async (name: string) => {
    const person = new Person(box.url, name)
    const { url } = authorizationAttempt(box.url, { clientId: 'app', redirectUri, scope: 'photos:read' })
    return { person, page: await person.signIn(await person.open(url)) }
  }
  /** An account with an app and, where it is asked for, a passkey. */
  const enrol = async (name: string, passkey?: SoftwarePasskey) => {
    await box.addPerson(name, ['photos'])
    const person = new Person(box.url, name)
    const add = await press(person, await account(person), 'authenticator-add')
    const secret = (/class="secret">([A-Z2-7 ]+)</.exec(add.text)?.[1] ?? '').replaceAll(' ', '')
    await press(person, add, 'authenticator-confirm', { code: nextCode(secret) })
    const other = new Person(box.url, name)
    const own = await type(other, await account(other), nextCode(secret))
    if (passkey !== undefined) await answer(other, await press(other, own, 'passkey-add'), passkey, {}, { name: 'its' })
    return { secret, person: other }
  }

  it('twelve wrong codes slow the account’s code page, not its passkey; the owner is in within 8 s of a right one', async () => {
    const passkey = new SoftwarePasskey(box.url)
    const { secret } = await enrol('fay', passkey)
    const attacker = await toCodePage('fay')
    const [owner, keyed] = [await toCodePage('fay'), await toCodePage('fay')]
    const taken: number[] = []
    const begun = performance.now()
    const tries = Array.from({ length: 12 }, async () => {
      const { status } = await type(attacker.person, attacker.page, '000000')
      taken.push(performance.now() - begun)
      return status
    })
    while (taken.length < 5) await new Promise((resolve) => setTimeout(resolve, 10))
    const [code, beganMs] = [nextCode(secret), performance.now()]
    const [byKey, byCode] = await Promise.all([
      answer(keyed.person, keyed.page, passkey).then((page) => ({ page, ms: performance.now() - beganMs })),
      type(owner.person, owner.page, code).then((page) => ({ page, ms: performance.now() - beganMs })),
    ])
    assert.ok(isAway(byKey.page) && isAway(byCode.page))
    assert.ok(byCode.ms < 8_000, `${byCode.ms} ms`)
    assert.ok(byKey.ms < byCode.ms, `a passkey waits for no code: ${byKey.ms} ms and ${byCode.ms} ms`)
    assert.deepEqual([...new Set(await Promise.all(tries))], [400])
    assert.ok((taken.at(-1) ?? 0) > 3_000, `the last of twelve came after ${taken.at(-1)} ms`)
  })

  it('are told to the person as what they are: somebody knows the password', async () => {
    const { person } = await enrol('gia')
    const stranger = await toCodePage('gia')
    assert.equal((await type(stranger.person, stranger.page, '000000')).status, 400)
    const { text } = await person.open(`${box.url}/account`)
    assert.match(text, /Somebody who typed your password was refused for a wrong code/)
    assert.doesNotMatch(text, /Somebody tried to sign in with a wrong password/)
  })
})
