import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  askToken,
  authorizationAttempt,
  formWith,
  type Page,
  Person,
  post,
  redeem,
} from '../../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../../../support/issuer/issuer-under-test.ts'

const redirectUri = 'http://127.0.0.1:7001/cb'
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
let issuer: IssuerUnderTest
before(async () => {
  issuer = await startIssuer()
  await issuer.addPerson('alice', ['photos'])
})
after(() => issuer.close())

const app = (id: string) => ({
  id,
  type: 'native' as const,
  redirectUris: [redirectUri],
  thirdParty: true,
})

/** Goes on as far as a browser would by itself and with whatever buttons say yes. */
async function finish(person: Person, page: Page, clientId: string, verifier: string): Promise<boolean> {
  let next = /name="password"/.test(page.text) ? await person.signIn(page) : page
  if (/value="approve"/.test(next.text)) next = await person.decide(next, 'approve')
  const code = next.url.startsWith(redirectUri) ? new URL(next.url).searchParams.get('code') : null
  if (code === null) return false
  return (await redeem(issuer.url, { code, verifier }, { clientId, redirectUri })).status === 200
}

type Stage = (clientId: string) => Promise<() => Promise<boolean>>

const attemptOf = (clientId: string) =>
  authorizationAttempt(issuer.url, { clientId, redirectUri, scope: 'photos:read' })

const STAGES: Readonly<Record<string, Stage>> = {
  'a pushed request that nobody has come with': async (clientId) => {
    const { url, verifier } = attemptOf(clientId)
    const pushed = await post(`${issuer.url}/oauth/par`, Object.fromEntries(new URL(url).searchParams))
    assert.equal(pushed.status, 201, JSON.stringify(pushed.body))
    const query = new URLSearchParams({ client_id: clientId, request_uri: String(pushed.body.request_uri) })
    const person = new Person(issuer.url, 'alice')
    return async () => finish(person, await person.open(`/oauth/authorize?${query}`), clientId, verifier)
  },
  'a sign-in page that is open': async (clientId) => {
    const { url, verifier } = attemptOf(clientId)
    const person = new Person(issuer.url, 'alice')
    const page = await person.open(url)
    return () => finish(person, page, clientId, verifier)
  },
  'a device’s code that nobody has typed': async (clientId) => {
    const asked = await post(`${issuer.url}/oauth/device_authorization`, { client_id: clientId, scope: 'photos:read' })
    const person = new Person(issuer.url, 'alice')
    return async () => {
      const page = await person.open('/oauth/device')
      const fields = { user_code: String(asked.body.user_code) }
      let next = await person.send(page, formWith(page, 'user_code'), fields)
      if (/name="password"/.test(next.text)) next = await person.signIn(next)
      if (/value="approve"/.test(next.text)) await person.decide(next, 'approve')
      const device = { grant_type: DEVICE, client_id: clientId, device_code: String(asked.body.device_code) }
      return (await askToken(issuer.url, device)).status === 200
    }
  },
  'a device’s code page that shows it': async (clientId) => {
    const asked = await post(`${issuer.url}/oauth/device_authorization`, { client_id: clientId, scope: 'photos:read' })
    const person = new Person(issuer.url, 'alice')
    const page = await person.open('/oauth/device')
    const typed = await person.send(page, formWith(page, 'user_code'), { user_code: String(asked.body.user_code) })
    return async () => {
      if (!/name="password"/.test(typed.text)) return false
      const next = await person.signIn(typed)
      if (/value="approve"/.test(next.text)) await person.decide(next, 'approve')
      const device = { grant_type: DEVICE, client_id: clientId, device_code: String(asked.body.device_code) }
      return (await askToken(issuer.url, device)).status === 200
    }
  },
}

const why = { by: 'test', requestId: 'r', address: '127.0.0.1' }
const ACTS: Readonly<Record<string, (id: string) => Promise<unknown>>> = {
  'its tokens were revoked': (id) => issuer.acts.endClient(id, 'test'),
  'it was revoked and restored': async (id) => {
    await issuer.acts.revokeClient(id, 'test')
    await issuer.acts.restoreClient(id, 'test')
  },
  'it was revoked and deleted, and another was added by its name': async (id) => {
    await issuer.acts.revokeClient(id, 'test')
    assert.equal(await issuer.issuer().operations.deleteClient(id, why), true)
    await issuer.addClient(app(id))
  },
}

let count = 0
const added = async (): Promise<string> => {
  count += 1
  const { client } = await issuer.addClient(app(`app-${count}`))
  return client.id
}

describe('what a client has begun', () => {
  for (const [what, stage] of Object.entries(STAGES)) {
    it(`goes on where nothing comes between: ${what}`, async () => {
      assert.equal(await (await stage(await added()))(), true)
    })
    for (const [name, act] of Object.entries(ACTS)) {
      it(`gives nothing once ${name}: ${what}`, async () => {
        const id = await added()
        const goOn = await stage(id)
        await act(id)
        assert.equal(await goOn(), false)
      })
    }
  }
})
