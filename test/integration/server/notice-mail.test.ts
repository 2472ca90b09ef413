import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Secret, TOTP } from 'otpauth'
import { formWith, type Page } from '../../support/issuer/browser-less-person.ts'
import { press } from '../../support/issuer/passkey-person.ts'
import { type BlackBox, PASSWORD, Person, startBlackBox, within } from '../../support/issuer/served-issuer.ts'
import { type MailServer, startMailServer } from '../../support/programs/mail-server.ts'

describe('notices by mail', () => {
  const under: { box: BlackBox; server: MailServer } = { box: undefined as never, server: undefined as never }
  before(async () => {
    under.server = await startMailServer()
    under.box = await startBlackBox({
      settings: `mail: { smtp: "smtp://127.0.0.1:${under.server.port}", from: gate@example.com }`,
    })
  })
  after(async () => {
    await under.box.close()
    await under.server.close()
  })

  const signIn = async (name: string): Promise<{ readonly person: Person; readonly page: Page }> => {
    const person = new Person(under.box.url, name)
    return { person, page: await person.signIn(await person.open(`${under.box.url}/account`)) }
  }
  /** Adds an app to an account; the codes that were shown. */
  const enrol = async (name: string): Promise<readonly string[]> => {
    const { person, page } = await signIn(name)
    const add = await press(person, page, 'authenticator-add')
    const secret = (/class="secret">([A-Z2-7 ]+)</.exec(add.text)?.[1] ?? '').replaceAll(' ', '')
    const code = new TOTP({ secret: Secret.fromBase32(secret) }).generate()
    const made = await press(person, add, 'authenticator-confirm', { code })
    return [...made.text.matchAll(/<code>([A-Z2-7]{5}(?:-[A-Z2-7]{5}){4})<\/code>/g)].map(([, each = '']) => each)
  }
  const mails = (to: string) => under.server.received.filter((mail) => mail.to.includes(to))
  const mailed = (to: string, subject: RegExp) =>
    within(5_000, async () =>
      mails(to).some(({ headers }) => subject.test(headers.get('subject') ?? '')) ? undefined : 'no such mail',
    )

  it('tell a person of a recovery code that was used, from where, and of a factor that was added', async () => {
    const { box, server } = under
    await box.addUser('alice', 'photos', '--email', 'alice@example.org', '--name', 'Alice Ray')
    const [code = ''] = await enrol('alice')
    await mailed('alice@example.org', /^A way to sign in was added \(127\.0\.0\.1:\d+\)$/)
    const { person, page } = await signIn('alice')
    const inside = await person.send(page, formWith(page, 'code'), { code })
    assert.match(inside.text, /A recovery code was used/)
    await mailed('alice@example.org', /^A recovery code was used/)
    const { text = '', headers } = mails('alice@example.org').at(-1) ?? {}
    assert.match(
      text,
      /^Hello Alice Ray,\r\n\r\nA recovery code was used to sign in: your account alice at 127\.0\.0\.1/,
    )
    assert.match(text, /UTC, from 127\.0\.0\.1\./)
    assert.ok(text.includes(`${box.url}/account\r\n`), text)
    assert.equal(headers?.get('auto-submitted'), 'auto-generated')
    await press(person, inside, 'recovery-codes')
    await mailed('alice@example.org', /^New recovery codes were made/)
    const next = 'kitchen window giraffe'
    const fields = { current_password: PASSWORD, new_password: next, repeat_password: next }
    await press(person, await person.open(`${box.url}/account`), 'password', fields)
    await mailed('alice@example.org', /^The password was changed/)
    const told = JSON.stringify([server.received, box.output()])
    for (const secret of [code, PASSWORD, next]) assert.ok(!told.includes(secret))
    assert.ok(!JSON.stringify(box.output()).includes('alice@example.org'))
  })

  it('go to nobody without an address, and a mail server that is away keeps nobody from signing in', async () => {
    const { box, server } = under
    await box.addUser('bob', 'photos')
    await box.addUser('carol', 'photos', '--email', 'carol@example.org')
    const before = server.received.length
    assert.equal((await enrol('bob')).length, 8)
    const codes = await enrol('carol')
    await mailed('carol@example.org', /added/)
    assert.equal(server.received.length, before + 1)
    await server.close()
    const { person, page } = await signIn('carol')
    const inside = await person.send(page, formWith(page, 'code'), { code: codes[1] ?? '' })
    assert.match(inside.text, /A recovery code was used/, 'the account says it all the same')
    await within(25_000, async () =>
      box.log().some(({ event, kind }) => event === 'mail.failed' && kind === 'recovery_code.used')
        ? undefined
        : 'no line',
    )
  })
})
