import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { formsOf } from '../../support/issuer/browser-less-person.ts'
import {
  type BlackBox,
  claimsOf,
  PASSWORD,
  Person,
  refusedWithin,
  startBlackBox,
} from '../../support/issuer/served-issuer.ts'

describe('/account', () => {
  let box: BlackBox
  before(async () => {
    box = await startBlackBox()
    await box.addUser('alice', 'photos')
    await box.addApp('cli', '--name', 'Command line')
    await box.addApp('app', '--name', 'Other app')
  })
  after(() => box.close())

  it('ends one app within 50 ms, and others go on', async () => {
    const person = new Person(box.url, 'alice')
    const [mine, other] = [
      await box.signIn('alice', {}, person),
      await box.signIn('alice', { clientId: 'app' }, person),
    ]
    let page = await person.open(`${box.url}/account`)
    for (const words of ['alice', 'Command line', 'Other app', 'The photos'])
      assert.ok(page.text.includes(words), words)
    const form = formsOf(page).find(({ fields }) => fields.get('client') === 'cli')
    assert.ok(form, page.text)
    page = await person.send(page, form, {}, form.buttons[0])
    if (/value="approve"/.test(page.text)) page = await person.decide(page, 'approve')
    await refusedWithin(box, mine.access, 'revoked', 50)
    assert.equal((await box.refresh(mine.refresh)).body.error, 'invalid_grant')
    assert.equal((await box.call(other.access)).status, 200)
    assert.equal(claimsOf(other.access).client_id, 'app')
  })

  it('changing the password ends all sessions and tokens but the session in hand', async () => {
    const [here, there] = [new Person(box.url, 'alice'), new Person(box.url, 'alice')]
    const mine = await box.signIn('alice', {}, there)
    let page = await here.signIn(await here.open(`${box.url}/account`))
    const form = formsOf(page).find(({ action }) => /password/.test(action))
    assert.ok(form, page.text)
    const names = [...form.fields.keys()].filter((name) => !/csrf/.test(name))
    const next = 'a brand new password'
    page = await here.send(
      page,
      form,
      Object.fromEntries(
        names.map((name) => [name, /current|old/.test(name) || name === 'password' ? PASSWORD : next]),
      ),
    )
    await refusedWithin(box, mine.access, 'revoked', 50)
    assert.match((await there.open(`${box.url}/account`)).text, /name="password"/)
    assert.match((await here.open(`${box.url}/account`)).text, /Command line|Other app|alice/)
    assert.equal((await box.signIn('alice', {}, new Person(box.url, 'alice', next))).answer.status, 200)
  })
})
