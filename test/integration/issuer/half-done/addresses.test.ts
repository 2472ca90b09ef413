import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { authorizationAttempt, Person, post } from '../../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../../../support/issuer/issuer-under-test.ts'

const redirectUri = 'http://127.0.0.1:7001/cb'
const other = 'http://127.0.0.1:7001/other'
const why = { by: 'test', requestId: 'r', address: '127.0.0.1' }
let issuer: IssuerUnderTest
before(async () => {
  issuer = await startIssuer()
  await issuer.addPerson('alice', ['photos'])
})
after(() => issuer.close())

const attemptOf = (clientId: string) =>
  authorizationAttempt(issuer.url, { clientId, redirectUri, scope: 'photos:read' })

let count = 0
const added = async (): Promise<string> => {
  count += 1
  const redirectUris = [redirectUri, other]
  const { client } = await issuer.addClient({ id: `app-${count}`, type: 'native', redirectUris, thirdParty: true })
  return client.id
}

describe('an address that was taken from a client', () => {
  const takeAway = async (id: string): Promise<void> => {
    const client = await issuer.store.client(id)
    assert.ok(client !== undefined)
    assert.equal(
      await issuer.issuer().operations.replaceClient(client, { ...client, redirectUris: [other] }, why),
      true,
    )
  }
  const begun = async (id: string, person: Person) => {
    const { url, verifier } = attemptOf(id)
    return { page: await person.open(url), verifier }
  }
  it('gets no code of a sign-in that was begun before', async () => {
    const id = await added()
    const person = new Person(issuer.url, 'alice')
    const { page } = await begun(id, person)
    await takeAway(id)
    let next = await person.signIn(page)
    if (/value="approve"/.test(next.text)) next = await person.decide(next, 'approve')
    assert.ok(!next.url.startsWith(redirectUri), next.url)
  })
  it('gets nothing of a consent that is refused', async () => {
    const id = await added()
    const person = new Person(issuer.url, 'alice')
    const { page } = await begun(id, person)
    const asked = await person.signIn(page)
    await takeAway(id)
    const next = await person.decide(asked, 'deny')
    assert.ok(!next.url.startsWith(redirectUri), next.url)
  })
  for (const decision of ['approve', 'deny'] as const) {
    it(`gets nothing of a decision to ${decision} that was not taken up`, async () => {
      const id = await added()
      const person = new Person(issuer.url, 'alice')
      const { page } = await begun(id, person)
      const asked = await person.signIn(page)
      person.follows = false
      const left = await person.decide(asked, decision)
      person.follows = true
      await takeAway(id)
      const next = await person.open(left.url)
      assert.ok(!next.url.startsWith(redirectUri), next.url)
      assert.match(next.text, /This sign-in has expired/)
    })
  }
  it('gets no code of a request that was pushed before', async () => {
    const id = await added()
    const { url } = attemptOf(id)
    const pushed = await post(`${issuer.url}/oauth/par`, Object.fromEntries(new URL(url).searchParams))
    await takeAway(id)
    const query = new URLSearchParams({ client_id: id, request_uri: String(pushed.body.request_uri) })
    const person = new Person(issuer.url, 'alice')
    const next = await person.open(`/oauth/authorize?${query}`)
    assert.ok(!next.url.startsWith(redirectUri) && !/name="password"/.test(next.text), next.url)
  })
})
