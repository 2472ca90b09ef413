import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { describe, it } from 'node:test'
import type { Database } from '../../../src/store/sql/database.ts'
import { listQueries, refusalQueries } from '../../../src/store/sql/lists.ts'
import { MIGRATIONS } from '../../../src/store/sqlite/schema.ts'

describe('What the operator’s lists ask of the store', () => {
  const connection = new DatabaseSync(':memory:')
  for (const migration of MIGRATIONS) connection.exec(migration)
  const asked: string[] = []
  const note = async (sql: string): Promise<readonly never[]> => {
    asked.push(sql)
    return []
  }
  const database = { all: note, get: async (sql: string) => void (await note(sql)) } as unknown as Database
  const lists = listQueries(database)
  const refusals = refusalQueries(database)

  it('is found by an index, in the order that is wanted, without sorting', async () => {
    await lists.usersAfter('a', 1)
    await lists.clientsAfter('a', 1)
    await lists.authorizationsAfter({}, 'a', 1)
    await lists.authorizationsAfter({ sub: 'u' }, 'a', 1)
    await lists.authorizationsAfter({ clientId: 'c' }, 'a', 1)
    await lists.revocationsAfter(1, 1, 1)
    for (const key of ['event', 'sub', 'by', 'client'] as const) await lists.auditsBy(key, 'x', 9, 1)
    await lists.auditIdAt(1)
    await lists.countAuthorizations({ clientId: 'c' }, 1)
    await lists.countAuthorizations({ sub: 'u' }, 1)
    await lists.secretUses('c')
    await refusals.refusal('r')
    await refusals.refusalsBefore(9, 1)
    assert.equal(asked.length, 16)
    for (const sql of asked) {
      const steps = connection.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...Array.from(sql.matchAll(/\?/g), () => 1))
      const plan = steps.map(({ detail }) => String(detail)).join('; ')
      assert.match(plan, /SEARCH .* USING /, `${sql}: ${plan}`)
      assert.doesNotMatch(plan, /SCAN (?!counted)|TEMP B-TREE/, `${sql}: ${plan}`)
    }
  })
  it('is swept by time without looking at what stays', () => {
    const sql = 'SELECT id FROM audits WHERE at < ? ORDER BY at LIMIT ?'
    const plan = connection.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(1, 1)
    assert.match(String(plan[0]?.detail), /SEARCH audits USING .*INDEX audits_by_time/)
  })
})
