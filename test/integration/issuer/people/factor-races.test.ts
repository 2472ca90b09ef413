import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { removeFactor } from '../../../../src/issuer/people/factor-removal.ts'
import { formsOf, type Page, Person } from '../../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../../../support/issuer/issuer-under-test.ts'
import { answer, press } from '../../../support/issuer/passkey-person.ts'
import { SoftwarePasskey } from '../../../support/issuer/software-passkey.ts'

describe('Factors that are removed at the same time', () => {
  let box: IssuerUnderTest

  before(async () => {
    box = await startIssuer({ host: 'localhost' })
  })
  after(() => box.close())

  /** A person with two passkeys, signed in by one of them. */
  const withTwo = async (name: string) => {
    const { sub } = await box.addPerson(name, ['photos'])
    const person = new Person(box.url, name)
    const open = () => person.open(`${box.url}/account`)
    const first = new SoftwarePasskey(box.url)
    const page = await press(person, await person.signIn(await open()), 'passkey-add')
    await answer(person, page, first, {}, { name: 'one' })
    const again = new Person(box.url, name)
    const strong = await answer(again, await again.open(`${box.url}/account`), first)
    await answer(again, await press(again, strong, 'passkey-add'), new SoftwarePasskey(box.url), {}, { name: 'two' })
    assert.equal((await box.store.passkeys(sub)).length, 2)
    return { sub, person: again }
  }
  /** Both questions are answered at once. */
  const removeBoth = async (person: Person): Promise<readonly Page[]> => {
    const page = await person.open(`${box.url}/account`)
    const asked = formsOf(page).filter(({ action }) => action.endsWith('/factor-remove'))
    const questions = await Promise.all(asked.map((form) => person.send(page, form)))
    return Promise.all(questions.map((question) => person.decide(question, 'approve')))
  }

  it('leave the last one until the password has been asked for, which may be too short to stand alone', async () => {
    const { sub, person } = await withTwo('alice')
    const pages = await removeBoth(person)
    assert.equal((await box.store.passkeys(sub)).length, 1)
    const asked = pages.find(({ status }) => status === 400)
    assert.match(asked?.text ?? '', /name="current_password"/)
  })

  it('are judged each by what the other has left, whatever was there when they were asked for', async () => {
    const { sub } = await withTwo('dora')
    const user = await box.store.userBySub(sub)
    assert.ok(user)
    const ways = { password: 'on', providers: [] } as const
    const common = {
      user,
      ways,
      offered: true,
      mayEndLast: true,
      thenByLink: false,
      detail: {},
      at: 1,
      staysSecond: true,
    }
    const ids = (await box.store.passkeys(sub)).map(({ id }) => id)
    const removed = await Promise.all(ids.map((id) => removeFactor(box.store, { ...common, id })))
    assert.deepEqual([removed.sort(), (await box.store.passkeys(sub)).length], [['alone', 'removed'], 1])
  })

  it('leave the last way to sign in', async () => {
    const { sub, person } = await withTwo('bob')
    await box.store.updateUser(sub, { passwordHash: undefined })
    const pages = await removeBoth(person)
    assert.equal((await box.store.passkeys(sub)).length, 1)
    assert.deepEqual(pages.map(({ status }) => status).sort(), [200, 409])
  })

  it('leave one to whoever must have one', async () => {
    const { sub, person } = await withTwo('carol')
    await box.reconfigure({ secondFactor: 'required' })
    const pages = await removeBoth(person)
    await box.reconfigure({ secondFactor: 'optional' })
    assert.equal((await box.store.passkeys(sub)).length, 1)
    assert.deepEqual(pages.map(({ status }) => status).sort(), [200, 409])
  })
})
