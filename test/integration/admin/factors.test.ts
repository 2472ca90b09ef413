import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { aUser } from '../../contract/store-records.ts'
import { type AdminGateway, startAdminGateway } from '../../support/admin-gateway.ts'

const PASSKEY = { publicKey: 'k', counter: 0, backupEligible: false, backedUp: false, transports: [], createdAt: 5 }

describe('factors, as the operator’s API has them', () => {
  let gate: AdminGateway
  let alice = ''
  const admin = (path: string, method = 'GET', body?: object) => gate.call(alice, path, method, body)
  before(async () => {
    // Passkeys need a name.
    gate = await startAdminGateway({ host: 'localhost' })
    alice = await gate.signIn('alice')
  })
  after(() => gate.close())

  it('a factor is listed and taken away with the sessions, and the last way to sign in never', async () => {
    const sub = await gate.addPerson('gus', ['photos'])
    const photos = await gate.signIn('gus', 'photos:read', `${gate.url}/photos`)
    const passkey = { ...PASSKEY, id: 'pk_1', sub, credentialId: 'c1', name: 'Phone', lastUsedAt: 7 }
    await gate.store.addPasskey(passkey, 20)
    await gate.store.addAuthenticator({ sub, sealed: 'never told', lastStep: 2, createdAt: 6 }, ['a', 'b'])
    const listed = (await admin('/people/gus/factors')).body
    assert.deepEqual(listed.items, [
      { id: 'password', kind: 'password' },
      {
        id: 'pk_1',
        kind: 'passkey',
        name: 'Phone',
        created_at: '1970-01-01T00:00:05.000Z',
        last_used_at: '1970-01-01T00:00:07.000Z',
      },
      {
        id: 'authenticator',
        kind: 'authenticator',
        created_at: '1970-01-01T00:00:06.000Z',
        last_used_at: '1970-01-01T00:01:00.000Z',
      },
      { id: 'recovery_codes', kind: 'recovery_codes', left: 2 },
    ])
    assert.deepEqual((await admin('/people/gus')).body.factors, listed.items)
    assert.equal(((await admin('/people/gus/sessions')).body.items as object[]).length, 1)
    const removed = await admin('/people/gus/factors/authenticator', 'DELETE')
    assert.equal(removed.status, 204)
    assert.deepEqual((await admin('/people/gus/sessions')).body.items, [])
    assert.equal((await admin('/people/gus/factors/authenticator', 'DELETE')).reason, 'not_found')
    const { items } = (await admin('/audit?event=factor.removed')).body as {
      items: { detail: { by?: string; request_id?: string } }[]
    }
    assert.deepEqual(
      items.map(({ detail }) => [detail.by, detail.request_id]),
      [['usr_alice', removed.headers.get('x-request-id')]],
    )
    assert.equal((await gate.call(photos, '/people')).reason, 'revoked')
  })
  it('a passkey that is the only way to sign in stays: 409 last_sign_in', async () => {
    const sub = 'usr_hal'
    await gate.store.addUser(aUser({ sub, username: 'hal' }))
    await gate.store.addPasskey(
      { ...PASSKEY, id: 'pk_2', sub, credentialId: 'c2', name: 'Key', lastUsedAt: undefined },
      20,
    )
    const refused = await admin('/people/hal/factors/pk_2', 'DELETE')
    assert.deepEqual([refused.status, refused.reason], [409, 'last_sign_in'])
    assert.equal(((await admin('/people/hal/factors')).body.items as object[]).length, 1)
  })
  it('a password goes where a passkey is left, the codes go any time, each with all sessions; what is not there is 404', async () => {
    const sub = await gate.addPerson('ivy', ['photos'])
    const token = await gate.signIn('ivy', 'photos:read', `${gate.url}/photos`)
    const refused = await admin('/people/ivy/factors/password', 'DELETE')
    assert.deepEqual([refused.status, refused.reason], [409, 'last_sign_in'])
    assert.equal((await admin('/people/ivy/factors/recovery_codes', 'DELETE')).status, 404)
    await gate.store.addPasskey(
      { ...PASSKEY, id: 'pk_3', sub, credentialId: 'c3', name: 'Key', lastUsedAt: undefined },
      20,
    )
    await gate.store.putRecoveryCodes(sub, ['a', 'b'])
    for (const id of ['recovery_codes', 'password']) {
      assert.equal((await admin(`/people/ivy/factors/${id}`, 'DELETE')).status, 204)
      assert.equal((await admin(`/people/ivy/factors/${id}`, 'DELETE')).reason, 'not_found')
      assert.equal((await gate.call(token, '/people')).reason, 'revoked')
    }
    const { items } = (await admin('/people/ivy/factors')).body as { items: { id: string }[] }
    assert.deepEqual(
      items.map(({ id }) => id),
      ['pk_3'],
    )
    const lines = (await admin('/audit?event=factor.removed&person=ivy')).body.items as { detail: object }[]
    assert.deepEqual(
      lines.map(({ detail }) => Reflect.get(detail, 'factor')),
      ['password', 'recovery_codes'],
    )
  })
})
