import type { InstanceRecord, Store } from '../store.ts'
import type { Database } from './database.ts'
import { integer, type Row, text } from './row.ts'

type Instances = Pick<Store, 'noteInstance' | 'instances' | 'forgetInstance'>

/** Processes that hold the store open, and how far each has read. Times are the database's. */
export function instanceQueries(database: Database): Instances {
  const note = `INSERT INTO instances VALUES (?, ?, ?, ?, ?, ?, ${database.nowMs}) ON CONFLICT (id) DO UPDATE SET
    digest = excluded.digest, position = excluded.position, stale_after_ms = excluded.stale_after_ms,
    seen_at_ms = excluded.seen_at_ms`
  return {
    noteInstance: async ({ id, name, version, digest, position, staleAfterMs }) => {
      await database.run(note, id, name, version, digest, position, staleAfterMs)
    },
    instances: async () => {
      const sql = `SELECT instances.*, ${database.nowMs} - seen_at_ms AS silent_ms FROM instances ORDER BY name, id`
      return (await database.all(sql)).map(instanceOf)
    },
    forgetInstance: async (id) => {
      await database.run('DELETE FROM instances WHERE id = ?', id)
    },
  }
}

function instanceOf(row: Row): InstanceRecord {
  return {
    id: text(row, 'id'),
    name: text(row, 'name'),
    version: text(row, 'version'),
    digest: text(row, 'digest'),
    position: integer(row, 'position'),
    staleAfterMs: integer(row, 'stale_after_ms'),
    silentMs: integer(row, 'silent_ms'),
  }
}
