import type { FactorStore } from '../factor-store.ts'
import type { Database, Queries } from './database.ts'
import { dropIdleCodes, passkeyQueries } from './passkeys.ts'
import { integer, optionalInteger, optionalText, text } from './row.ts'

/** Authenticator apps, recovery codes, and what belongs to second factors; passkeys are beside it. */
export function factorQueries(database: Database): FactorStore {
  return {
    ...passkeyQueries(database),
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
        if (codeHashes !== undefined) await replaceCodes(transaction, sub, codeHashes)
        return true
      }, 'disk'),
    spendStep: async (sub, sealed, step) => {
      const sql = 'UPDATE authenticators SET last_step = ? WHERE sub = ? AND sealed = ? AND last_step < ?'
      return (await database.run(sql, step, sub, sealed, step)) === 1
    },
    removeAuthenticator: (sub) =>
      database.write(async (transaction) => {
        if ((await transaction.run('DELETE FROM authenticators WHERE sub = ?', sub)) !== 1) return false
        await dropIdleCodes(transaction, sub)
        return true
      }, 'disk'),
    replaceAuthenticator: async ({ sub, sealed, lastStep, createdAt }) => {
      const sql = 'UPDATE authenticators SET sealed = ?, last_step = ?, created_at = ? WHERE sub = ?'
      return (await database.run(sql, sealed, lastStep, createdAt, sub)) === 1
    },
    markFactorReset: async (sub, at) => {
      await database.run('INSERT INTO factor_resets (sub, at) VALUES (?, ?) ON CONFLICT (sub) DO NOTHING', sub, at)
    },
    isFactorReset: async (sub) => (await database.get('SELECT at FROM factor_resets WHERE sub = ?', sub)) !== undefined,
    clearFactorReset: async (sub) => {
      await database.run('DELETE FROM factor_resets WHERE sub = ?', sub)
    },
    noteWeakSignIn: (weak, most) =>
      database.write(async (queries) => {
        const { sub, clientId, acr, maxAge, expiresAt } = weak
        const sql = `INSERT INTO weak_sign_ins (sub, client_id, acr, max_age, expires_at) VALUES (?, ?, ?, ?, ?)
          ON CONFLICT (sub, client_id) DO UPDATE SET acr = excluded.acr, max_age = excluded.max_age,
          expires_at = excluded.expires_at`
        await queries.run(sql, sub, clientId, acr ?? null, maxAge ?? null, expiresAt)
        const surplus = 'SELECT expires_at FROM weak_sign_ins ORDER BY expires_at DESC LIMIT 1 OFFSET ?'
        await queries.run(`DELETE FROM weak_sign_ins WHERE expires_at <= (${surplus})`, most)
      }),
    weakSignIn: async (sub, clientId, now) => {
      const sql = 'SELECT * FROM weak_sign_ins WHERE sub = ? AND client_id = ? AND expires_at > ?'
      const row = await database.get(sql, sub, clientId, now)
      if (row === undefined) return undefined
      const [acr, maxAge] = [optionalText(row, 'acr'), optionalInteger(row, 'max_age')]
      return { sub, clientId, acr, maxAge, expiresAt: integer(row, 'expires_at') }
    },
    rememberBrowser: async ({ hash, sub, bound, createdAt, expiresAt }) => {
      const sql = 'INSERT INTO remembered_browsers (hash, sub, bound, created_at, expires_at) VALUES (?, ?, ?, ?, ?)'
      await database.run(sql, hash, sub, bound, createdAt, expiresAt)
    },
    rememberedBrowser: async (hash, now) => {
      const row = await database.get('SELECT * FROM remembered_browsers WHERE hash = ? AND expires_at > ?', hash, now)
      if (row === undefined) return undefined
      const [createdAt, expiresAt] = [integer(row, 'created_at'), integer(row, 'expires_at')]
      return { hash, sub: text(row, 'sub'), bound: text(row, 'bound'), createdAt, expiresAt }
    },
    noteRecovery: async (sub, at, address) => {
      const sql = `INSERT INTO recoveries (sub, at, address) VALUES (?, ?, ?)
        ON CONFLICT (sub) DO UPDATE SET at = excluded.at, address = excluded.address`
      await database.run(sql, sub, at, address)
    },
    recovery: async (sub) => {
      const row = await database.get('SELECT at, address FROM recoveries WHERE sub = ?', sub)
      return row === undefined ? undefined : { at: integer(row, 'at'), address: text(row, 'address') }
    },
    forgetRecovery: async (sub) => {
      await database.run('DELETE FROM recoveries WHERE sub = ?', sub)
    },
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
