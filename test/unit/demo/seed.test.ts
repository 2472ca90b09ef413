import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { demoSecrets, secretsFile } from '../../../src/demo/secrets.ts'
import { seedDemo } from '../../../src/demo/seed.ts'
import { matchingSecret } from '../../../src/issuer/clients/client-secrets.ts'
import { passwordProblem } from '../../../src/issuer/people/password-judgement.ts'
import { createPasswords } from '../../../src/issuer/people/passwords.ts'
import { StartFault } from '../../../src/server/start-fault.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { Store } from '../../../src/store/store.ts'
import { shippedPlan } from './demo-files.ts'

const NOW = Date.UTC(2026, 0, 1)

describe('the sample people and clients', () => {
  let folder: string
  let store: Store

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'audgate-demo-'))
    store = await openSqliteStore(join(folder, 'audgate.db'))
  })
  after(async () => {
    await store.close()
    rmSync(folder, { recursive: true })
  })

  it('are alice in photos and files, and bob in files, with passwords that are made at the first start', async () => {
    const secrets = await demoSecrets(folder)
    const people = await seedDemo(store, shippedPlan(folder), secrets, NOW)
    assert.deepEqual(
      people.map(({ username, groups, password }) => [username, groups, password]),
      [
        ['alice', ['photos', 'files', 'admins'], secrets.alice],
        ['bob', ['files'], secrets.bob],
      ],
    )
    assert.notEqual(secrets.alice, secrets.bob)
    const alice = await store.userByName('alice')
    assert.equal(await createPasswords().verify(alice?.passwordHash, secrets.alice), 'right')
    assert.equal(await passwordProblem(secrets.alice, { min: 15, names: ['alice'] }), undefined)
  })

  it('are a native, a web, a spa, a third-party and a service client', async () => {
    const clients = new Map((await store.clients()).map((client) => [client.id, client]))
    const secrets = await demoSecrets(folder)
    assert.deepEqual([...clients.values()].map(({ id, type, thirdParty }) => `${id} ${type} ${thirdParty}`).sort(), [
      'album-web web false',
      'gallery-spa spa false',
      'photo-backup service false',
      'photos-cli native false',
      'print-shop spa true',
    ])
    assert.deepEqual(clients.get('gallery-spa')?.redirectUris, ['http://localhost:8080/demo/'])
    assert.deepEqual(clients.get('photo-backup')?.allow, [
      { resource: 'http://localhost:8080/photos', scopes: ['photos:read'] },
    ])
    for (const id of ['album-web', 'photo-backup'] as const) {
      assert.ok(matchingSecret(clients.get(id)?.secretHash ?? '', secrets[id]), `${id} has another secret`)
    }
  })

  it('are the same at the next start, with the same passwords', async () => {
    const before = [await store.users(), await store.clients(), await store.audits(100)]
    const secrets = await demoSecrets(folder)
    await seedDemo(store, shippedPlan(folder), secrets, NOW + 60_000)
    assert.deepEqual([await store.users(), await store.clients(), await store.audits(100)], before)
  })

  it('keep what a person or an operator changed; a password that nobody knows is not printed', async () => {
    const bob = await store.userByName('bob')
    await store.updateUser(bob?.sub ?? '', { passwordHash: await createPasswords().hash('another one'), groups: [] })
    const cli = await store.client('photos-cli')
    assert.ok(cli)
    await store.putClient({ ...cli, revoked: true })
    const [, again] = await seedDemo(store, shippedPlan(folder), await demoSecrets(folder), NOW)
    assert.deepEqual(again, { username: 'bob', groups: [], password: undefined })
    assert.equal((await store.client('photos-cli'))?.revoked, true)
  })

  it('follow the addresses of the file', async () => {
    await seedDemo(store, shippedPlan(folder, ':8080', ':8181'), await demoSecrets(folder), NOW)
    assert.deepEqual((await store.client('gallery-spa'))?.redirectUris, [
      'http://localhost:8080/demo/',
      'http://localhost:8181/demo/',
    ])
    assert.equal((await store.client('photo-backup'))?.allow[0]?.resource, 'http://localhost:8181/photos')
  })

  it('leave a client of that name but of another kind alone', async () => {
    const shop = await store.client('print-shop')
    assert.ok(shop)
    const mine = { ...shop, type: 'native' as const, redirectUris: [], postLogoutRedirectUris: [] }
    await store.putClient(mine)
    await seedDemo(store, shippedPlan(folder), await demoSecrets(folder), NOW)
    assert.deepEqual(await store.client('print-shop'), mine)
  })
})

describe('the file of their passwords', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'audgate-demo-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  it('is for its owner alone, also when it was opened to others since', async () => {
    const inside = join(folder, 'new', 'data')
    const secrets = await demoSecrets(inside)
    assert.equal(statSync(secretsFile(inside)).mode & 0o777, 0o600)
    chmodSync(secretsFile(inside), 0o644)
    assert.deepEqual(await demoSecrets(inside), secrets)
    assert.equal(statSync(secretsFile(inside)).mode & 0o777, 0o600)
    assert.equal(readFileSync(secretsFile(inside), 'utf8').includes(secrets.bob), true)
  })

  for (const [what, text] of [
    ['no JSON', 'alice'],
    ['no object', 'null'],
    ['incomplete', '{"alice":"x","bob":7}'],
  ] as const) {
    it(`that is ${what} gives one line that says what to do`, async () => {
      writeFileSync(secretsFile(folder), text)
      await assert.rejects(demoSecrets(folder), (error) => {
        assert.ok(error instanceof StartFault)
        assert.match(error.message, /^--demo: \S+demo\.json can't be read: [^\n]*delete it$/)
        return true
      })
    })
  }
})
