import type { Store } from '../store.ts'
import type { Database } from './database.ts'
import { integer, text } from './row.ts'

type Refusals = Pick<Store, 'keepRefusals' | 'refusal' | 'refusalsBefore'>

const MOST_ROWS = 20_000

/** Refusals that are kept for the operator. */
export function refusalQueries(database: Database): Refusals {
  return {
    keepRefusals: (rows, expiresAt) =>
      database.write(async (queries) => {
        const insert = 'INSERT INTO refusals (request_id, facts, expires_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING'
        for (const { requestId, facts } of rows) await queries.run(insert, requestId, facts, expiresAt)
        const surplus = await queries.get('SELECT id FROM refusals ORDER BY id DESC LIMIT 1 OFFSET ?', MOST_ROWS)
        if (surplus !== undefined) await queries.run('DELETE FROM refusals WHERE id <= ?', integer(surplus, 'id'))
      }),
    refusal: async (requestId) => {
      const row = await database.get('SELECT facts FROM refusals WHERE request_id = ?', requestId)
      return row === undefined ? undefined : text(row, 'facts')
    },
    refusalsBefore: async (id, limit) => {
      const rows = await database.all('SELECT * FROM refusals WHERE id < ? ORDER BY id DESC LIMIT ?', id, limit)
      return rows.map((row) => ({ id: integer(row, 'id'), facts: text(row, 'facts') }))
    },
  }
}
