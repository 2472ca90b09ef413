import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  type AuthorizeOptions,
  authorizationAttempt,
  claimsOf,
  formsOf,
  type Page,
  Person,
  redeem,
} from '../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../../support/issuer/issuer-under-test.ts'

const redirectUri = 'https://print.example.com/cb'
let issuer: IssuerUnderTest

before(async () => {
  issuer = await startIssuer()
  await issuer.addPerson('alice', ['photos-editors', 'files'])
  await issuer.addClient({
    id: 'print',
    type: 'spa',
    name: 'Postcard printer',
    redirectUris: [redirectUri],
    thirdParty: true,
  })
  await issuer.addClient({ id: 'own', type: 'spa', redirectUris: ['https://app.example.com/cb'] })
})
after(() => issuer.close())

const asked: AuthorizeOptions = { clientId: 'print', redirectUri, scope: 'photos:read photos:write' }

async function consentPage(person: Person, options: AuthorizeOptions = asked): Promise<Page> {
  const page = await person.authorize(options, ['stop here'])
  assert.match(page.text, /value="approve"/)
  return page
}

function boxes(page: Page): readonly string[] {
  return formsOf(page).flatMap((form) => form.boxes)
}

async function newPerson(name: string, groups = ['photos-editors', 'files']): Promise<Person> {
  await issuer.addPerson(name, groups)
  return new Person(issuer.url, name)
}

describe('consent', () => {
  it('is asked of a third-party client: its name, whether it is verified, where it sends people back, a box per scope', async () => {
    const page = await consentPage(await newPerson('c1'))
    assert.match(page.text, /Postcard printer/)
    assert.match(page.text, /Verified/)
    assert.match(page.text, /print\.example\.com/)
    assert.match(page.text, /Photo library/)
    assert.deepEqual(boxes(page), ['photos:read', 'photos:write'])
  })

  it('is not asked of a first-party client', async () => {
    const person = await newPerson('c2')
    const own = { clientId: 'own', redirectUri: 'https://app.example.com/cb', scope: 'photos:read' }
    const page = await person.open(authorizationAttempt(issuer.url, own).url)
    const after = await person.signIn(page)
    assert.equal(new URL(after.url).origin, 'https://app.example.com')
  })

  it('is remembered per person, not per browser', async () => {
    const person = await newPerson('c3')
    assert.notEqual((await person.authorize(asked)).code, '')
    const elsewhere = new Person(issuer.url, 'c3')
    const page = await elsewhere.authorize(asked, ['never shown'])
    assert.notEqual(page.code, '')
  })

  it('may be given in part; what was left out is not asked again', async () => {
    const person = await newPerson('c4')
    const answer = await person.authorize(asked, ['photos:read'])
    assert.equal((await redeem(issuer.url, answer, asked)).body.scope, 'photos:read')
    const again = await person.authorize(asked, ['never shown'])
    assert.equal((await redeem(issuer.url, again, asked)).body.scope, 'photos:read')
  })

  it('is asked again, and for all of it, when the client says prompt=consent', async () => {
    const person = await newPerson('c5')
    await person.authorize(asked, ['photos:read'])
    const page = await consentPage(person, { ...asked, more: { prompt: 'consent' } })
    assert.deepEqual(boxes(page), ['photos:read', 'photos:write'])
    const after = await person.decide(page, 'approve', ['photos:write'])
    assert.match(after.url, /code=/)
    const [consent] = await issuer.store.consents({ clientId: 'print', sub: await subOf('c5') })
    assert.deepEqual(consent?.granted, ['photos:write'])
    assert.deepEqual(consent?.rejected, ['photos:read'])
  })

  it('for something new asks for that, and not for what was left out', async () => {
    const person = await newPerson('c6')
    await person.authorize(asked, ['photos:read'])
    const page = await consentPage(person, { ...asked, scope: 'photos:read photos:write files:read' })
    assert.deepEqual(boxes(page), ['photos:read', 'files:read'])
  })

  it('shows what the person may not have as not available, without a box', async () => {
    const page = await consentPage(await newPerson('c7', ['photos']))
    assert.deepEqual(boxes(page), ['photos:read'])
    assert.match(page.text, /Not available to you/)
    assert.match(page.text, /photos-editors/)
  })

  it('refused is access_denied at the client', async () => {
    const person = await newPerson('c8')
    const after = await person.decide(await consentPage(person), 'deny')
    const { searchParams } = new URL(after.url)
    assert.equal(searchParams.get('error'), 'access_denied')
    assert.equal((await issuer.store.consents({ sub: await subOf('c8') })).length, 0)
  })

  it('with nothing ticked stays on the page and says so', async () => {
    const person = await newPerson('c9')
    const page = await person.decide(await consentPage(person), 'approve', [])
    assert.equal(page.status, 400)
    assert.match(page.text, /role="alert"/)
    assert.deepEqual(boxes(page), ['photos:read', 'photos:write'])
  })

  it('gives no scope that was not on the page', async () => {
    const person = await newPerson('d1', ['photos'])
    const page = await consentPage(person)
    const after = await person.decide(page, 'approve', ['photos:read', 'photos:write', 'files:write', 'openid'])
    const code = new URL(after.url).searchParams.get('code') ?? ''
    const [consent] = await issuer.store.consents({ sub: await subOf('d1') })
    assert.deepEqual(consent?.granted, ['photos:read'])
    assert.notEqual(code, '')
  })

  it('can be left for another account, without carrying anything over', async () => {
    const person = await newPerson('d2')
    const page = await consentPage(person)
    const other = formsOf(page).find(({ action }) => action.endsWith('/switch'))
    assert.ok(other)
    await issuer.addPerson('d3', ['photos'])
    const signIn = await person.send(page, other)
    assert.match(signIn.text, /name="password"/)
    const form = formsOf(signIn).find(({ fields }) => fields.has('password'))
    assert.ok(form)
    const consent = await person.send(signIn, form, { username: 'd3', password: person.password })
    assert.match(consent.text, /Signed in as <bdi class="name">d3</)
    const done = await person.decide(consent, 'approve')
    const code = new URL(done.url).searchParams.get('code')
    assert.ok(code)
  })

  it('taken back is asked anew', async () => {
    const person = await newPerson('d4')
    await person.authorize(asked)
    await issuer.acts.revokeConsent(await subOf('d4'), 'print', 'test')
    await consentPage(person)
  })

  it('prompt=none where it has to be asked is consent_required', async () => {
    const person = await newPerson('d5')
    await person.authorize({ ...asked, clientId: 'own', redirectUri: 'https://app.example.com/cb' })
    const page = await person.authorize({ ...asked, more: { prompt: 'none' } })
    assert.equal(new URL(page.url).searchParams.get('error'), 'consent_required')
  })

  it('covers OpenID scopes too', async () => {
    const person = await newPerson('d6')
    const options = { ...asked, scope: 'openid profile email photos:read' }
    const page = await consentPage(person, options)
    assert.deepEqual(boxes(page), ['photos:read', 'openid', 'profile', 'email'])
    const answer = await person.authorize(options, ['photos:read', 'openid'])
    const { body } = await redeem(issuer.url, answer, options)
    assert.equal('preferred_username' in claimsOf(String(body.id_token)), false)
  })
})

async function subOf(username: string): Promise<string> {
  return (await issuer.store.userByName(username))?.sub ?? ''
}
