import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { openPostgresStore } from '../../src/store/postgres.ts'
import { type PostgresUnderTest, startPostgres } from '../support/postgres.ts'
import { storeContract } from './store.contract.ts'

describe('PostgreSQL store', () => {
  let postgres: PostgresUnderTest
  before(async () => {
    postgres = await startPostgres()
  })
  after(() => postgres.close())

  describe('the contract', () => {
    let database = ''
    const makeStore = async () => {
      const options = await postgres.database()
      database = options.database
      return openPostgresStore(options)
    }
    const rows = `SELECT 'token.refused', 'stranger', 100, '{"n":' || n || '}' FROM generate_series(0, 20009) AS n`
    const fill = async () => {
      await postgres.query(database, `INSERT INTO audits (event, origin, at, detail) ${rows}`)
    }
    storeContract(makeStore, fill)
  })

  it('answers', async () => {
    const store = await openPostgresStore(await postgres.database())
    assert.deepEqual(await store.users(), [])
    await store.close()
  })
})
