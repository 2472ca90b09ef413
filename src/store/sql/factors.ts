import type { FactorStore } from '../factor-store.ts'
import type { Database, Queries } from './database.ts'
import { integer, text } from './row.ts'

/** Authenticator apps and recovery codes. */
export function factorQueries(database: Database): FactorStore {
  return {
    authenticator: async (sub) => {
      const row = await database.get('SELECT * FROM authenticators WHERE sub = ?', sub)
      if (row === undefined) return undefined
      const [lastStep, createdAt] = [integer(row, 'last_step'), integer(row, 'created_at')]
      return { sub, sealed: text(row, 'sealed'), lastStep, createdAt }
    },
    addAuthenticator: ({ sub, sealed, lastStep, createdAt }, codeHashes) =>
      database.write(async (transaction) => {
        const sql = `INSERT INTO authenticators (sub, sealed, last_step, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (sub) DO NOTHING`
        if ((await transaction.run(sql, sub, sealed, lastStep, createdAt)) !== 1) return false
        await replaceCodes(transaction, sub, codeHashes)
        return true
      }, 'disk'),
    spendStep: async (sub, sealed, step) => {
      const sql = 'UPDATE authenticators SET last_step = ? WHERE sub = ? AND sealed = ? AND last_step < ?'
      return (await database.run(sql, step, sub, sealed, step)) === 1
    },
    removeAuthenticator: (sub) =>
      database.write(async (transaction) => {
        await transaction.run('DELETE FROM recovery_codes WHERE sub = ?', sub)
        return (await transaction.run('DELETE FROM authenticators WHERE sub = ?', sub)) === 1
      }, 'disk'),
    putRecoveryCodes: (sub, hashes) => database.write((transaction) => replaceCodes(transaction, sub, hashes), 'disk'),
    spendRecoveryCode: async (sub, hash) =>
      (await database.run('DELETE FROM recovery_codes WHERE sub = ? AND hash = ?', sub, hash)) === 1,
    recoveryCodes: async (sub) => {
      const row = await database.get('SELECT count(*) AS number FROM recovery_codes WHERE sub = ?', sub)
      return row === undefined ? 0 : integer(row, 'number')
    },
  }
}

async function replaceCodes(queries: Queries, sub: string, hashes: readonly string[]): Promise<void> {
  await queries.run('DELETE FROM recovery_codes WHERE sub = ?', sub)
  for (const hash of hashes) await queries.run('INSERT INTO recovery_codes (sub, hash) VALUES (?, ?)', sub, hash)
}
