import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Person } from '../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../support/issuer/issuer-under-test.ts'

const redirectUri = 'https://app.example.com/cb'
let issuer: IssuerUnderTest

before(async () => {
  issuer = await startIssuer()
  await issuer.addPerson('alice', ['photos'])
  await issuer.addClient({ id: 'app', type: 'spa', redirectUris: [redirectUri] })
})
after(() => issuer.close())

describe('RFC 9207: the issuer in authorization responses', () => {
  it('§2: stands in good responses', async () => {
    const options = { clientId: 'app', redirectUri, scope: 'photos:read' }
    const { url } = await new Person(issuer.url, 'alice').authorize(options)
    assert.equal(new URL(url).searchParams.get('iss'), issuer.url)
  })

  it('§2: stands in error responses', async () => {
    const options = { clientId: 'app', redirectUri, scope: 'photos:read', more: { prompt: 'none' } }
    const { searchParams } = new URL((await new Person(issuer.url, 'alice').authorize(options)).url)
    assert.equal(searchParams.get('error'), 'login_required')
    assert.equal(searchParams.get('iss'), issuer.url)
  })
})
