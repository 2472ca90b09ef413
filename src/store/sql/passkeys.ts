import type { FactorStore, PasskeyRecord } from '../factor-store.ts'
import type { Database, Queries } from './database.ts'
import { personLock } from './locks.ts'
import { fact, integer, optionalInteger, type Row, strings, text } from './row.ts'

type Passkeys = Pick<
  FactorStore,
  'passkeys' | 'passkeyByCredential' | 'addPasskey' | 'usePasskey' | 'renamePasskey' | 'removePasskey'
>

/** Passkeys. */
export function passkeyQueries(database: Database): Passkeys {
  return {
    passkeys: async (sub) =>
      (await database.all('SELECT * FROM passkeys WHERE sub = ? ORDER BY created_at, id', sub)).map(passkeyOf),
    passkeyByCredential: async (credentialId) => {
      const row = await database.get('SELECT * FROM passkeys WHERE credential_id = ?', credentialId)
      return row === undefined ? undefined : passkeyOf(row)
    },
    addPasskey: (record, most) =>
      database.write(async (queries) => {
        await queries.lock('exclusive', [personLock(record.sub)])
        const row = await queries.get('SELECT count(*) AS number FROM passkeys WHERE sub = ?', record.sub)
        if (row !== undefined && integer(row, 'number') >= most) return 'too_many'
        const [sql, values] = insertion(record)
        return (await queries.run(sql, ...values)) === 1 ? 'added' : 'there'
      }, 'disk'),
    usePasskey: async (id, before, { counter, backedUp, at }) => {
      const sql = 'UPDATE passkeys SET counter = ?, backed_up = ?, last_used_at = ? WHERE id = ? AND counter = ?'
      return (await database.run(sql, counter, backedUp ? 1 : 0, at, id, before)) === 1
    },
    renamePasskey: async (sub, id, name) =>
      (await database.run('UPDATE passkeys SET name = ? WHERE id = ? AND sub = ?', name, id, sub)) === 1,
    removePasskey: (sub, id) =>
      database.write(async (queries) => {
        if ((await queries.run('DELETE FROM passkeys WHERE id = ? AND sub = ?', id, sub)) !== 1) return false
        await dropIdleCodes(queries, sub)
        return true
      }, 'disk'),
  }
}

/** Recovery codes stand for a second factor: they go with the last one. */
export async function dropIdleCodes(queries: Queries, sub: string): Promise<void> {
  await queries.run(
    `DELETE FROM recovery_codes WHERE sub = ? AND NOT EXISTS (SELECT 1 FROM authenticators WHERE sub = ?)
      AND NOT EXISTS (SELECT 1 FROM passkeys WHERE sub = ?)`,
    sub,
    sub,
    sub,
  )
}

function insertion(record: PasskeyRecord): readonly [string, readonly (string | number | null)[]] {
  const columns: Readonly<Record<string, string | number | null>> = {
    id: record.id,
    sub: record.sub,
    credential_id: record.credentialId,
    public_key: record.publicKey,
    counter: record.counter,
    backup_eligible: record.backupEligible ? 1 : 0,
    backed_up: record.backedUp ? 1 : 0,
    transports: JSON.stringify(record.transports),
    name: record.name,
    created_at: record.createdAt,
    last_used_at: record.lastUsedAt ?? null,
  }
  const names = Object.keys(columns)
  const sql = `INSERT INTO passkeys (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})
    ON CONFLICT (credential_id) DO NOTHING`
  return [sql, Object.values(columns)]
}

function passkeyOf(row: Row): PasskeyRecord {
  return {
    id: text(row, 'id'),
    sub: text(row, 'sub'),
    credentialId: text(row, 'credential_id'),
    publicKey: text(row, 'public_key'),
    counter: integer(row, 'counter'),
    backupEligible: fact(row, 'backup_eligible'),
    backedUp: fact(row, 'backed_up'),
    transports: strings(row, 'transports'),
    name: text(row, 'name'),
    createdAt: integer(row, 'created_at'),
    lastUsedAt: optionalInteger(row, 'last_used_at'),
  }
}
