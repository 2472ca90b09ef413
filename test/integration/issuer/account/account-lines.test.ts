import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { AuditRecord } from '../../../../src/store/store.ts'
import { type AdminGateway, startAdminGateway } from '../../../support/admin-gateway.ts'
import { confirmStep, stepForms } from '../../../support/issuer/account-page.ts'
import { formWith, type Page, Person } from '../../../support/issuer/browser-less-person.ts'
import { PASSWORD } from '../../../support/issuer/issuer-under-test.ts'

const NEXT = 'a better battery of words'

describe('audit lines of what people do under /account', () => {
  let gate: AdminGateway
  before(async () => {
    gate = await startAdminGateway()
  })
  after(() => gate.close())

  const linesOf = async (sub: string, event: string): Promise<readonly AuditRecord[]> =>
    (await gate.store.auditsBy('sub', sub, Number.MAX_SAFE_INTEGER, 200)).filter((line) => line.event === event)

  const signedIn = async (username: string, userAgent?: string): Promise<{ person: Person; page: Page }> => {
    const person = new Person(gate.url, username, PASSWORD, userAgent)
    await person.signIn(await person.open('/account'))
    return { person, page: await person.open('/account') }
  }

  for (const [step, event] of [
    ['disconnect', 'consent.revoked'],
    ['end-device', 'authorization.ended'],
    ['end-browser', 'session.ended'],
    ['not-me', 'session.disowned'],
    ['sign-out', 'session.ended'],
    ['sign-out-everywhere', 'session.ended'],
  ] as const) {
    it(`${step} is one ${event}, with who, from where and the request`, async () => {
      const username = `by-${step}`
      const sub = await gate.addPerson(username, ['photos'])
      await gate.signIn(username, 'photos:read', `${gate.url}/photos`)
      await signedIn(username, 'Mozilla/5.0 (iPhone) Version/17.0 Safari/605.1')
      const { person, page } = await signedIn(username)
      const [form] = stepForms(page, step)
      assert.ok(form, page.text)
      if (step === 'sign-out') await person.send(page, form)
      else await confirmStep(person, page, form)
      const lines = await linesOf(sub, event)
      assert.equal(lines.length, 1)
      const { by, address, request_id: id } = lines[0]?.detail ?? {}
      assert.deepEqual([by, address], [sub, '127.0.0.1'])
      assert.match(String(id), /^[\w-]+-\w+$/)
    })
  }

  it('a new password is one user.password_changed, likewise', async () => {
    const sub = await gate.addPerson('changer', ['photos'])
    const { person, page } = await signedIn('changer')
    const form = formWith(page, 'current_password')
    for (const [name, value] of [
      ['current_password', PASSWORD],
      ['new_password', NEXT],
      ['repeat_password', NEXT],
    ] as const)
      form.fields.set(name, value)
    await person.send(page, form)
    const lines = await linesOf(sub, 'user.password_changed')
    assert.deepEqual(
      lines.map(({ detail }) => [detail.by, detail.address, typeof detail.request_id]),
      [[sub, '127.0.0.1', 'string']],
    )
  })

  it('wrong passwords at the sign-in are among the person’s events as one row with a number, and push nothing out', async () => {
    const sub = await gate.addPerson('target', ['photos'])
    await signedIn('target')
    for (let round = 0; round < 120; round += 1) {
      const from = { username: 'target', sub, address: `203.0.113.${round}` }
      await gate.store.audit('login.failure', round % 2 === 0 ? from : { ...from, count: 9 }, 5, true)
    }
    const wrong = new Person(gate.url, 'target', 'wrong horse')
    await wrong.signIn(await wrong.open('/account'))
    const [line] = await linesOf(sub, 'login.failure')
    assert.deepEqual([line?.origin, line?.detail.address], ['stranger', '127.0.0.1'])
    const { page } = await signedIn('target')
    assert.match(page.text, /wrong password \(661 times\)/)
    assert.equal(page.text.match(/You signed in</g)?.length, 2)
  })
})
