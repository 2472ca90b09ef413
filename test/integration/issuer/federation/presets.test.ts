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
  /** The kind, what is written besides, and the preset that is taken. */
  const rows: readonly (readonly [KindName, string, string])[] = [
    ['authentik', '', 'authentik'],
    ['keycloak', '', 'keycloak'],
    ['authelia', '', 'generic'],
    ['pocket-id', '', 'generic'],
    ['kanidm', '', 'kanidm'],
    ['keycloak', 'groups: { map: { /photos: photos } }', 'keycloak'],
    ['authelia', 'preset: authelia', 'authelia'],
    ['pocket-id', 'preset: pocket-id', 'pocket-id'],
    ['zitadel', 'preset: zitadel', 'zitadel'],
    ['entra', 'preset: entra', 'entra'],
  ]
  for (const [kind, more, preset] of rows) {
    it(`${kind}${more === '' ? '' : `, with ${more}`}`, async () => {
      // Keycloak's mapper sends the name alone where "Full group path" is off.
      const change = kind === 'keycloak' && more === '' ? { groupsOf: (names: readonly string[]) => names } : {}
      const callback = `${gate.url}/oauth/providers/${preset}/callback`
      const provider = await startProvider({ kind, change, callback })
      providers.push(provider)
      const id = `${kind}-alice-${providers.length}`
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
      assert.equal(claimsOf(body.id_token).idp, preset)
      const claims = claimsOf(body.access_token)
      assert.deepEqual(
        [claims.username, claims.groups, claims.idp, body.scope],
        [id, ['photos'], preset, 'photos:read'],
      )
    })
  }
})
