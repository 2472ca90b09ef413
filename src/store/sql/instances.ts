import type { InstanceRecord, Store } from '../store.ts'
import type { Database } from './database.ts'
import { integer, type Row, text } from './row.ts'

type Instances = Pick<Store, 'noteInstance' | 'instances' | 'forgetInstance' | 'clock'>

/** Processes that hold the store open, and how far each has read. Times are the database's. */
export function instanceQueries(database: Database): Instances {
  // By the connection that reads the revocations: an instance that is heard of is one that hears, however many wait for the others.
  const noting = database.kind === 'postgres' ? database.watch : database
  const note = `INSERT INTO instances VALUES (?, ?, ?, ?, ?, ?, ${database.nowMs}) ON CONFLICT (id) DO UPDATE SET
    digest = excluded.digest, position = excluded.position, stale_after_ms = excluded.stale_after_ms,
    seen_at_ms = excluded.seen_at_ms`
  return {
    noteInstance: async ({ id, name, version, digest, position, staleAfterMs }) => {
      await noting.run(note, id, name, version, digest, position, staleAfterMs)
    },
    instances: async () => {
      const sql = `SELECT instances.*, ${database.nowMs} - seen_at_ms AS silent_ms FROM instances ORDER BY name, id`
      return (await database.all(sql)).map(instanceOf)
    },
    forgetInstance: async (id) => {
      await database.run('DELETE FROM instances WHERE id = ?', id)
    },
    clock: async () => {
      // A file's processes are all on one machine.
      if (database.kind === 'sqlite') return undefined
      const row = await database.watch.get(`SELECT ${database.nowMs} AS now`)
      return row === undefined ? undefined : integer(row, 'now')
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
