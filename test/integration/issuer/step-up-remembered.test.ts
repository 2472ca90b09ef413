import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { authorizationAttempt, Person } from '../../support/issuer/browser-less-person.ts'
import { CALLBACK, startBlackBox } from '../../support/issuer/served-issuer.ts'

describe('A client that ignores the challenge of a rule', () => {
  it('gets a sign-in page when it authorizes anew, because the gateway told the issuer; another client does not', async () => {
    const box = await startBlackBox()
    try {
      await box.addUser('alice', 'photos-editors')
      await box.addApp('app')
      await box.addApp('other')
      await box.restart(async () => {
        const file = join(box.folder, 'routes.yaml')
        const text = readFileSync(file, 'utf8')
        writeFileSync(
          file,
          text.replace(
            '{ methods: [write], scopes: ["photos:write"] }',
            '{ methods: [PUT], scopes: ["photos:write"], acr: mfa }\n      - { methods: [write], scopes: ["photos:write"] }',
          ),
        )
      })
      const alice = new Person(box.url, 'alice')
      const scope = 'photos:read photos:write'
      const ask = (clientId: string) =>
        alice.open(authorizationAttempt(box.url, { clientId, redirectUri: CALLBACK, scope, resource: box.photos }).url)
      const { access } = await box.signIn('alice', { clientId: 'app', scope }, alice)
      assert.equal((await box.call(access)).status, 200)
      assert.doesNotMatch((await ask('app')).text, /name="password"/)
      const refused = await box.call(access, undefined, 'PUT')
      assert.deepEqual([refused.status, refused.reason], [401, 'insufficient_authentication'])
      assert.match(refused.headers.get('www-authenticate') ?? '', /acr_values="mfa", error="insufficient_user_auth/)
      assert.match((await ask('app')).text, /name="password"/)
      assert.doesNotMatch((await ask('other')).text, /name="password"/)
    } finally {
      await box.close()
    }
  })
})
