import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { claimsOf, type Page, redeem } from '../../../support/issuer/browser-less-person.ts'
import { authorizeBy, providerEntry, traveller } from '../../../support/issuer/federated-issuer.ts'
import { startProvider, type TestProvider } from '../../../support/issuer/identity-provider.ts'
import { type IssuerUnderTest, startIssuer } from '../../../support/issuer/issuer-under-test.ts'

const APP = { clientId: 'cli', redirectUri: 'http://127.0.0.1:7001/cb' }
const _JSON_TYPE = { 'content-type': 'application/json' }

let gate: IssuerUnderTest
let provider: TestProvider
let count = 0
let sub = ''

before(async () => {
  gate = await startIssuer()
  provider = await startProvider({ kind: 'authentik', callback: '*' })
  await gate.addClient({ id: 'cli', type: 'native', redirectUris: [APP.redirectUri] })
})
after(async () => {
  await gate.close()
  await provider.close()
})
beforeEach(async () => {
  count += 1
  sub = `guest-${count}`
  provider.setAccount({ sub, username: sub, groups: ['photos'] })
  provider.person = sub
  Object.assign(provider.defects, { token: undefined, metadata: undefined, instead: undefined, callback: undefined })
  // Another name each time, so that nothing of the provider is remembered.
  await gate.reconfigure({ providers: [providerEntry(provider, `name: "Home ${count}"`)] })
})

const authorize = () =>
  authorizeBy(traveller(gate.url, provider), { ...APP, scope: 'photos:read', resource: gate.photos })

/** Why the page says that nobody was let in. */
const reasonOf = (page: Pick<Page, 'text'>): string => /\w+_\w+(?=\)|<\/code>)/.exec(page.text)?.[0] ?? page.text

async function refusal(): Promise<string> {
  const answer = await authorize()
  return answer.code === '' ? reasonOf(answer) : ''
}

describe('names and addresses', () => {
  const rows: readonly (readonly [string, Record<string, unknown>, string, string | undefined])[] = [
    ['a name of two words', { preferred_username: 'Alice Home' }, '', 'Alice Home'],
    ['a name in full-width letters', { preferred_username: 'ａｌｉｃｅ-wide' }, '', 'alice-wide'],
    ['a suffix', { preferred_username: 'suffixed' }, 'username: { suffix: "@home" }', 'suffixed@home'],
    ['no name', { preferred_username: undefined }, '', undefined],
    ['an empty name', { preferred_username: '' }, 'username: { suffix: "@home" }', undefined],
    ['a number', { preferred_username: 42 }, '', undefined],
    ['a name with a line break', { preferred_username: 'a\nb' }, '', undefined],
    ['an invisible character', { preferred_username: 'al\u200bice' }, '', undefined],
    ['a space at its end', { preferred_username: 'alice ' }, '', undefined],
    ['another claim', { preferred_username: 'no', upn: 'by-upn' }, 'username: { claim: upn }', 'by-upn'],
  ]
  for (const [what, claims, more, expected] of rows) {
    it(`${what}: ${expected ?? 'name_taken'}`, async () => {
      provider.setAccount({ sub, groups: ['photos'] })
      provider.defects.token = async (body) => ({
        ...body,
        id_token: await provider.sign({ ...claimsOf(String(body.id_token)), ...claims }),
      })
      // Userinfo says nothing of it.
      provider.defects.metadata = (body) => ({ ...body, userinfo_endpoint: undefined })
      await gate.reconfigure({
        providers: [providerEntry(provider, [`name: "Home ${count}"`, more].filter(Boolean).join(', '))],
      })
      const answer = await authorize()
      if (expected === undefined) return assert.equal(reasonOf(answer), 'name_taken')
      const { body } = await redeem(gate.url, answer, APP)
      assert.equal(claimsOf(body.access_token).username, expected)
    })
  }
  it('`email: none` enters no account, and its domain may still be asked for', async () => {
    const more = `name: "Home ${count}", email: none, allow: { email_domains: [Home.example] }`
    await gate.reconfigure({ providers: [providerEntry(provider, more)] })
    const mail = `${sub}@HOME.example`
    provider.setAccount({ sub, username: sub, groups: ['photos'], email: mail, emailVerified: false })
    assert.equal(await refusal(), 'not_allowed')
    provider.setAccount({ sub, username: sub, groups: ['photos'], email: mail, emailVerified: true })
    assert.equal(await refusal(), '')
    const link = await gate.store.providerLink(provider.issuer, sub)
    assert.equal((await gate.store.userBySub(link?.sub ?? ''))?.email, undefined)
  })
})
