import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { openPostgresStore } from '../../../src/store/postgres.ts'
import type { Store } from '../../../src/store/store.ts'
import { authorizationAttempt, formWith, Person } from '../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../../support/issuer/issuer-under-test.ts'
import { type PostgresUnderTest, startPostgres } from '../../support/programs/postgres.ts'

const CALLBACK = 'http://127.0.0.1:7001/cb'
let issuer: IssuerUnderTest
let postgres: PostgresUnderTest | undefined

async function start(openStore?: () => Promise<Store>): Promise<void> {
  issuer = await startIssuer({ settings: { registration: 'open' }, ...(openStore === undefined ? {} : { openStore }) })
  await issuer.addClient({ id: 'cli', type: 'native', redirectUris: [CALLBACK] })
  await issuer.addPerson('alice', ['photos'])
}

const request = { client_id: 'cli', response_type: 'code', redirect_uri: CALLBACK, scope: 'photos:read', state: 's' }
const form = (path: string, parameters: Record<string, string>) =>
  fetch(`${issuer.url}${path}`, { method: 'POST', body: new URLSearchParams(parameters), redirect: 'manual' })

for (const kind of ['SQLite', 'PostgreSQL'])
  describe(`U+0000, with the store in ${kind}`, () => {
    before(async () => {
      if (kind === 'SQLite') return start()
      postgres = await startPostgres()
      const options = await postgres.database()
      return start(() => openPostgresStore(options))
    })
    after(async () => {
      await issuer.close()
      await postgres?.close()
    })

    for (const member of ['client_id', 'scope', 'state', 'login_hint', 'redirect_uri', 'resource', 'refresh_token']) {
      it(`in ${member} is 400 invalid_request at every endpoint that takes it`, async () => {
        const sent = { ...request, grant_type: 'refresh_token', [member]: 'a\0b' }
        const answers = await Promise.all([
          fetch(`${issuer.url}/oauth/authorize?${new URLSearchParams(sent)}`, { redirect: 'manual' }),
          ...['/oauth/par', '/oauth/token', '/oauth/device_authorization', '/oauth/revoke', '/oauth/introspect'].map(
            (path) => form(path, sent),
          ),
        ])
        for (const answer of answers) {
          assert.equal(answer.status, 400)
          assert.match(await answer.text(), /control characters/)
        }
      })
    }

    it('in a name or password at sign-in is a wrong password, with the page again', async () => {
      for (const typed of [{ username: 'alice\0' }, { username: '\0' }, { password: 'a\0b' }]) {
        const person = new Person(issuer.url, 'alice')
        const { url } = authorizationAttempt(issuer.url, {
          clientId: 'cli',
          redirectUri: CALLBACK,
          scope: 'photos:read',
        })
        const page = await person.open(url)
        const answer = await person.send(page, formWith(page, 'password'), {
          username: 'alice',
          password: 'wrong',
          ...typed,
        })
        assert.equal(answer.status, 400)
        assert.match(answer.text, /belong together/)
      }
      const account = await form('/account/sign-in', { username: 'alice\0', password: 'x\0y' })
      assert.equal(account.status, 400)
    })

    it('in what an app registers is refused or left out', async () => {
      const register = (metadata: unknown) =>
        fetch(`${issuer.url}/oauth/register`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(metadata),
        })
      assert.equal((await register({ redirect_uris: ['https://a.example/\0'] })).status, 400)
      const named = await register({ redirect_uris: ['https://a.example/cb'], client_name: 'A\0pp' })
      assert.equal(named.status, 201)
      assert.equal(JSON.parse(await named.text()).client_name, 'App')
    })

    it('never reaches the rows of clients, people and audit lines', async () => {
      const { store } = issuer
      const rows = [await store.clients(), await store.users(), await store.auditsAfter(0, 1000)]
      JSON.stringify(rows, (name, value: unknown) => {
        assert.ok(typeof value !== 'string' || !value.includes('\0'), name)
        return value
      })
    })
  })
