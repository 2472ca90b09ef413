import assert from 'node:assert/strict'
import { copyFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { openPostgres } from '../../../src/store/postgres/engine.ts'
import { migrate, schemaVersion } from '../../../src/store/postgres/migrate.ts'
import { MIGRATIONS } from '../../../src/store/postgres/schema.ts'
import { until } from '../../support/gateway-under-test.ts'
import { post } from '../../support/issuer/browser-less-person.ts'
import { type BlackBox, CALLBACK, Person, startBlackBox } from '../../support/issuer/served-issuer.ts'
import { type Serving, serve } from '../../support/serving.ts'
import { SECRETS, type SeveralInstances, startSeveralInstances, statusOf } from '../../support/several-instances.ts'
import { FEED_ENV, look, photosFile } from '../../support/split-audgate.ts'
import { listenOnLoopback } from '../../support/upstreams.ts'

let several: SeveralInstances
before(async () => {
  several = await startSeveralInstances()
})
after(() => several.close())

describe('a store in a file', () => {
  let box: BlackBox
  let upstream: Server
  let photos: string
  let gateway: Serving
  const path = () => join(box.folder, 'data/audgate.db')

  before(async () => {
    box = await startBlackBox({ env: SECRETS })
    upstream = createServer((_, response) => response.end('photo'))
    photos = `http://127.0.0.1:${await listenOnLoopback(upstream)}`
    // By another name: a gateway does not follow what it takes for itself.
    const issuer = box.url.replace('127.0.0.1', 'localhost')
    const following = `listen: 127.0.0.1:0\nmanagement: 127.0.0.1:0\nissuer: { upstream: "${issuer}" }`
    gateway = await serve(photosFile(box.url, photos, following), FEED_ENV)
    await box.addUser('alice', 'photos')
    await box.addApp('cli')
    await until(async () => (await statusOf(`${gateway.managementUrl}/readyz`)) === 200, 'the gateway follows', 20_000)
  })
  after(async () => {
    await gateway.remove()
    await box.close()
    upstream.closeAllConnections()
    upstream.close()
  })

  const revoke = async (token: string): Promise<void> => {
    assert.equal((await post(`${box.url}/oauth/revoke`, { token, client_id: 'cli' })).status, 200)
  }

  it('that is copied back from a backup while a gateway follows: acts after the restore reach it', async () => {
    const [early, late, kept] = [await box.signIn('alice'), await box.signIn('alice'), await box.signIn('alice')]
    await revoke(early.refresh)
    const backup = join(box.folder, 'backup.db')
    const file = new DatabaseSync(path())
    file.exec(`VACUUM INTO '${backup}'`)
    file.close()
    const tokens = await Promise.all([1, 2, 3].map(() => box.signIn('alice')))
    for (const { refresh, access } of tokens) {
      await revoke(refresh)
      await until(async () => (await look(gateway.url, access)) === '401 revoked', 'the gateway hears', 2_000)
    }
    await box.restart(async () => {
      for (const end of ['', '-wal', '-shm']) rmSync(`${path()}${end}`, { force: true })
      copyFileSync(backup, path())
    })
    await until(async () => (await look(gateway.url, kept.access)) === '200', 'the gateway follows again', 10_000)
    await revoke(late.refresh)
    await until(async () => (await look(gateway.url, late.access)) === '401 revoked', 'the act after', 5_000)
    // Nobody ran `store restored`.
    const warned = () => String(box.log().find(({ event }) => event === 'revocations.rewound')?.detail)
    await until(() => /a gateway knows later acts: .*`audgate store restored`/.test(warned()), 'the log warns', 5_000)
    for (const { access } of [early, ...tokens]) assert.equal(await look(gateway.url, access), '401 revoked')
    assert.equal(await look(gateway.url, kept.access), '200')
  })

  it('of 100,000 rows is copied into PostgreSQL in under a minute; sessions, refresh tokens and revocations of before work after', async () => {
    const person = new Person(box.url, 'alice')
    const [kept, revoked] = [await box.signIn('alice', {}, person), await box.signIn('alice')]
    await revoke(revoked.refresh)
    const options = await several.postgres.database()
    const to = several.postgres.url(options)
    let moved: Serving | undefined
    await box.restart(async () => {
      const file = new DatabaseSync(path())
      file.exec(`WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000)
        INSERT INTO audits (at, event, detail) SELECT 1900000000, 'test', '{"n":' || n || '}' FROM n`)
      file.close()
      const begin = performance.now()
      const { code, stdout, stderr } = await box.audgate(['store', 'copy', '--from', `sqlite:${path()}`, '--to', to])
      assert.equal(code, 0, stderr)
      assert.ok(Number(/^(\d+) rows/.exec(stdout)?.[1]) > 100_000, stdout)
      const took = performance.now() - begin
      assert.ok(took < 60_000, `${took} ms`)
      const listening = `listen: ${new URL(box.url).host}\nmanagement: 127.0.0.1:0\nstore: ${to}`
      moved = await serve(photosFile(box.url, photos, listening), SECRETS)
      try {
        assert.equal(await look(box.url, kept.access), '200')
        assert.equal(await look(box.url, revoked.access), '401 revoked')
        const again = await box.refresh(kept.refresh)
        assert.equal(again.status, 200, JSON.stringify(again.body))
        assert.equal((await box.refresh(revoked.refresh)).body.error, 'invalid_grant')
        // Who is not signed in any more would have to type it.
        Object.assign(person, { password: 'not the password of anybody' })
        const asked = { clientId: 'cli', redirectUri: CALLBACK, scope: 'photos:read' }
        assert.notEqual((await person.authorize(asked)).code, '')
      } finally {
        await moved.remove()
      }
    })
  })
})

describe('instances that start', () => {
  it('ten at once on an empty database: one migrates, ten serve, with one key', async () => {
    const url = several.postgres.url(await several.postgres.database())
    const ten = await Promise.all(Array.from({ length: 10 }, (_, n) => several.start(`i${n}`, { store: url })))
    const keys = await Promise.all(ten.map(async (each) => (await fetch(`${each.url}/oauth/jwks`)).text()))
    assert.equal(new Set(keys).size, 1)
    assert.equal(JSON.parse(keys[0] ?? '').keys.length, 1)
    await Promise.all(ten.map((each) => each.remove()))
    several.targets = []
  })
})

describe('the migration of the next release', () => {
  const next = `
ALTER TABLE users ADD COLUMN next_column text;
CREATE TABLE next_rows (id bigint PRIMARY KEY, value text);
CREATE INDEX models_next ON models (client_id, expires_at);
`

  it('runs while this one goes on: no sign-in fails, and an instance of this release starts on what it made', async () => {
    const a = await several.start('a')
    await several.addPerson('alice')
    await several.addApp('app')
    const state = { over: false, done: 0 }
    const line = async (): Promise<void> => {
      while (!state.over) {
        const { refresh } = await several.signIn()
        assert.equal((await several.refresh(a.url, refresh)).status, 200)
        state.done += 1
      }
    }
    const lines = Promise.all([line(), line(), line(), line()])
    const options = { ...(await several.postgres.database()), database: several.database }
    const engine = openPostgres(options, 'here')
    await delay(500)
    await migrate(engine, 'auto', 'here', [...MIGRATIONS, next])
    assert.equal((await schemaVersion(engine)).schema, MIGRATIONS.length + 1)
    const before = state.done
    await until(() => state.done > before + 10, 'sign-ins go on', 20_000)
    state.over = true
    await lines
    const b = await several.start('b')
    const { refresh } = await several.signIn()
    assert.equal((await several.refresh(b.url, refresh)).status, 200)
    await engine.single?.run('UPDATE audgate_schema SET oldest = version')
    await engine.close()
    const late = await serve(several.fileOf('late'), SECRETS)
    const { code, stderr } = await late.ended()
    await late.remove()
    assert.notEqual(code, 0)
    assert.match(stderr, /run a newer audgate/)
  })
})
