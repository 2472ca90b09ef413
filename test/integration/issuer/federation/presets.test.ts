import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { claimsOf, redeem } from '../../../support/issuer/browser-less-person.ts'
import { authorizeBy, providerEntry, traveller } from '../../../support/issuer/federated-issuer.ts'
import { type KindName, startProvider, type TestProvider } from '../../../support/issuer/identity-provider.ts'
import { type IssuerUnderTest, startIssuer } from '../../../support/issuer/issuer-under-test.ts'

const APP = { clientId: 'cli', redirectUri: 'http://127.0.0.1:7001/cb' }

describe('1 `issuer`, `client_id`, `client_secret` alone sign a person in, with their groups, at a fixture of', () => {
  let gate: IssuerUnderTest
  const providers: TestProvider[] = []
  before(async () => {
    gate = await startIssuer()
    await gate.addClient({ id: 'cli', type: 'native', redirectUris: [APP.redirectUri] })
  })
  after(async () => {
    await gate.close()
    for (const provider of providers) await provider.close()
  })
  const rows: readonly (readonly [KindName, string])[] = [
    ['authentik', ''],
    ['keycloak', 'groups: { map: { /photos: photos } }'],
    ['authelia', 'preset: authelia'],
    ['pocket-id', 'preset: pocket-id'],
    ['kanidm', ''],
    ['zitadel', 'preset: zitadel'],
    ['entra', 'preset: entra'],
  ]
  for (const [kind, more] of rows) {
    it(kind, async () => {
      const provider = await startProvider({ kind, callback: `${gate.url}/oauth/providers/${kind}/callback` })
      providers.push(provider)
      const id = `${kind}-alice`
      const entra = { oid: 'oid-1', tid: '8d1a2f5c-0000-4000-8000-0123456789ab' }
      provider.setAccount({
        sub: id,
        username: id,
        name: 'Alice',
        groups: ['photos'],
        claims: kind === 'entra' ? entra : {},
      })
      provider.person = id
      await gate.reconfigure({ providers: [providerEntry(provider, more)] })
      const answer = await authorizeBy(traveller(gate.url, provider), {
        ...APP,
        scope: 'openid photos:read',
        resource: gate.photos,
      })
      assert.notEqual(answer.code, '', answer.text)
      const { body } = await redeem(gate.url, answer, APP)
      assert.equal(claimsOf(body.id_token).idp, kind)
      const claims = claimsOf(body.access_token)
      assert.deepEqual([claims.username, claims.groups, claims.idp, body.scope], [id, ['photos'], kind, 'photos:read'])
    })
  }
})
