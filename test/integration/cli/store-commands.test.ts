import assert from 'node:assert/strict'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { Store } from '../../../src/store/store.ts'
import { aClient, anAuthorization, aUser } from '../../contract/store-records.ts'
import { type CommandLine, commandLine } from '../../support/programs/command-line.ts'
import { photosFile } from '../../support/split-audgate.ts'

/** More than one act holds. */
const PEOPLE = 450
const CLIENTS = 210
const FAR = 2_000_000_000

describe('`audgate store`', () => {
  let shell: CommandLine
  let store: Store
  const done = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await shell.run(args)
    assert.equal(code, 0, stderr)
    return stdout
  }
  before(async () => {
    shell = commandLine(photosFile('http://localhost:8080', 'http://127.0.0.1:9', ''))
    mkdirSync(join(shell.folder, 'data'), { mode: 0o700 })
    store = await openSqliteStore(join(shell.folder, 'data/audgate.db'))
    for (let n = 0; n < PEOPLE; n += 1) await store.addUser(aUser({ sub: `sub-${n}`, username: `Person${n}` }))
    for (let n = 0; n < CLIENTS; n += 1) await store.addClient(aClient({ id: `client-${n}` }))
  })
  after(async () => {
    await store.close()
    shell.close()
  })

  it('`check` counts people and clients', async () => {
    assert.match(await done('store', 'check'), /can be read and written: 450 users, 210 clients/)
  })

  it('`migrate` makes no store where a gateway follows an issuer', async () => {
    const issuer = 'issuer: { upstream: http://127.0.0.1:8181 }'
    const gateway = commandLine(photosFile('http://localhost:8080', 'http://127.0.0.1:9', issuer), {
      AUDGATE_FEED_TOKEN: 'a-feed-token-that-is-long-enough',
    })
    const { code, stderr } = await gateway.run(['store', 'migrate'])
    assert.deepEqual([code, existsSync(join(gateway.folder, 'data'))], [2, false])
    assert.match(stderr, /follows another audgate/)
    gateway.close()
  })

  it('`restored` ends every authorization, app password and one-time link, of people and clients in a few acts', async () => {
    const last = { sub: `sub-${PEOPLE - 1}`, clientId: `client-${CLIENTS - 1}` }
    await store.putAuthorization(anAuthorization({ gid: 'g', ...last }))
    const password = { id: 'p', hash: 'h', gid: 'pg', sub: last.sub, resource: 'http://localhost:8080/photos' }
    const times = { createdAt: 1, expiresAt: FAR, lastUsedAt: undefined }
    assert.equal(await store.addAppPassword({ ...password, scopes: [], name: 'mail', ...times }, 9), 'added')
    const link = { id: 'l', secretHash: 's', kind: 'recover', sub: last.sub, madeBy: 'cli', reset: [] } as const
    assert.equal(await store.addLink({ ...link, createdAt: 1, expiresAt: FAR }, 9), 'added')

    assert.match(await done('store', 'restored'), /of 450 people; 1 one-time links are void/)

    assert.deepEqual(
      (await store.authorizations(last)).map(({ ended }) => ended),
      [true],
    )
    assert.deepEqual(await store.appPasswords({ sub: last.sub }), [])
    assert.equal(await store.useLink('l', 1), false)
    const inForce = new Set((await store.revocations(0, 1)).map(({ kind, key }) => `${kind} ${key}`))
    const people = Array.from({ length: PEOPLE }, (_, n) => `sub sub-${n}`)
    const clients = Array.from({ length: CLIENTS }, (_, n) => `client client-${n}`)
    for (const each of [...people, ...clients, 'gid g', 'gid pg', 'client browser', 'client app-password']) {
      assert.ok(inForce.has(each), each)
    }
    const acts = (await store.audits(1_000)).filter(({ event }) => event === 'store.restored')
    assert.equal(acts.length, 6)
    const sum = (key: string): number => acts.reduce((all, { detail }) => all + Number(detail[key] ?? 0), 0)
    assert.deepEqual([sum('people'), sum('clients')], [PEOPLE, CLIENTS + 2])
    assert.equal((await store.counts()).users, PEOPLE)
  })
})
