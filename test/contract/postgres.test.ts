import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { copyStore } from '../../src/store/copy-store.ts'
import { openPostgresStore } from '../../src/store/postgres.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { type PostgresUnderTest, startPostgres } from '../support/programs/postgres.ts'
import { storeContract } from './store.contract.ts'
import { aClient, anAct, aUser } from './store-records.ts'

describe('PostgreSQL store', () => {
  let postgres: PostgresUnderTest
  before(async () => {
    postgres = await startPostgres()
  })
  after(() => postgres.close())

  describe('the contract, on one database', () => {
    let options: Awaited<ReturnType<PostgresUnderTest['database']>>
    before(async () => {
      options = await postgres.database()
      await (await openPostgresStore(options)).close()
    })
    const makeStore = async () => {
      await empty(options.database)
      return openPostgresStore(options)
    }
    const rows = `SELECT 'token.refused', 'stranger', 100, '{"n":' || n || '}' FROM generate_series(0, 20009) AS n`
    const fill = async () => {
      await postgres.query(options.database, `INSERT INTO audits (event, origin, at, detail) ${rows}`)
    }
    for (const time of ['once', 'and again']) describe(time, () => storeContract(makeStore, fill))
  })

  /** All rows of ours go; counters begin anew. */
  async function empty(database: string): Promise<void> {
    const tables = await postgres.query(
      database,
      `SELECT quote_ident(tablename) AS name FROM pg_tables
       WHERE schemaname = 'public' AND tablename NOT IN ('audgate_schema', 'feed')`,
    )
    const names = tables.map(({ name }) => name).join(', ')
    await postgres.query(database, `TRUNCATE ${names} RESTART IDENTITY; UPDATE feed SET position = 0, swept_at = 0`)
  }

  it('`migrate: never` starts on tables that are up to date, and on others names the command', async () => {
    const options = await postgres.database()
    const never = { ...options, migrate: 'never' } as const
    const command = { hint: 'run `audgate store migrate`' }
    await assert.rejects(openPostgresStore(never), { message: /has no tables yet/, ...command })
    await (await openPostgresStore(options)).close()
    await (await openPostgresStore(never)).close()
    await postgres.query(options.database, 'UPDATE audgate_schema SET version = version - 1')
    await assert.rejects(openPostgresStore(never), { message: /has tables of version \d+, \d+ is needed/, ...command })
  })

  it('a position names the timeline: a promoted standby’s history is another one', async () => {
    const store = await openPostgresStore(await postgres.database())
    assert.match((await store.position()).epoch, /^[0-9a-f]+\.00000001$/)
    await store.close()
  })

  it('a copy of a file has everything that was in it, and goes on from there', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'audgate-copy-'))
    const path = join(folder, 'audgate.db')
    const file = await openSqliteStore(path)
    await file.addUser(aUser({ sub: 'u' }))
    await file.addClient(aClient({ id: 'c' }))
    await file.putModel('RefreshToken', 'rt', { n: 1 }, { grantId: 'G', accountId: 'u' }, 2_000_000_000)
    const entry = { kind: 'client', key: 'c', notBeforeMs: 7, expiresAt: 2_000_000_000 } as const
    const entries = await file.act(anAct({ revocations: [entry] }))
    const lines = await file.audits(9)
    await file.unit(
      async () => {
        for (let n = 0; n < 1_203; n += 1) await file.putModel('AccessToken', `at-${n}`, { n }, {}, 2_000_000_000)
      },
      () => true,
    )
    const line = { id: 'i', name: 'still-here', version: '1', digest: 'd', position: 0, staleAfterMs: 1 }
    await file.noteInstance(line)
    await file.keepRefusals([{ requestId: 'r1', facts: '{}' }], 2_000_000_000)
    await file.close()
    const options = await postgres.database()
    const copied = await copyStore({ kind: 'sqlite', path }, { kind: 'postgres', options })
    assert.ok(copied.rows >= 1_210)
    assert.deepEqual(copied.running, ['still-here'])
    const store = await openPostgresStore(options)
    assert.deepEqual(await store.userBySub('u'), aUser({ sub: 'u' }))
    assert.deepEqual(await store.model('RefreshToken', 'rt'), { n: 1 })
    assert.deepEqual(await store.revocations(0, 1), entries)
    assert.deepEqual(await store.audits(9), lines)
    for (const n of [0, 499, 500, 1_202]) assert.deepEqual(await store.model('AccessToken', `at-${n}`), { n })
    await store.keepRefusals([{ requestId: 'r2', facts: '{}' }], 2_000_000_000)
    assert.equal(await store.refusal('r2'), '{}', 'ids go on behind those that were copied')
    const back = join(folder, 'back.db')
    assert.ok((await copyStore({ kind: 'postgres', options }, { kind: 'sqlite', path: back })).rows >= 1_211)
    const again = await openSqliteStore(back)
    assert.deepEqual(await again.model('AccessToken', 'at-1202'), { n: 1_202 })
    assert.deepEqual(await again.revocations(0, 1), entries)
    await again.close()
    const [next] = await store.act(anAct({ revocations: [{ ...entry, key: 'd' }] }))
    assert.equal(next?.id, (entries[0]?.id ?? 0) + 1)
    await store.close()
    await assert.rejects(copyStore({ kind: 'sqlite', path }, { kind: 'postgres', options }), /has users already/)
    rmSync(folder, { recursive: true })
  })
})
