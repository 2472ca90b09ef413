import { AsyncLocalStorage } from 'node:async_hooks'
import { gidOf, lookupKey, openUnder, sealUnder } from '../sealed-payload.ts'
import type { ModelColumns, Store } from '../store.ts'
import type { Database } from './database.ts'
import { optionalInteger, optionalText, type Row, text } from './row.ts'

type Models = Pick<
  Store,
  | 'putModel'
  | 'addModel'
  | 'model'
  | 'modelByUserCode'
  | 'modelByUid'
  | 'consumeModel'
  | 'stampSpent'
  | 'sinceSpentMs'
  | 'deleteModel'
  | 'deleteModelsByGrant'
>

const INSERT = `INSERT INTO models (model, key, payload, account_id, client_id, gid, uid_key, user_code_key, sealed_id,
  expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
// `consumed_at` stays: a stale copy that is saved again must not make a used code fresh.
const UPSERT = `${INSERT} ON CONFLICT (model, key) DO UPDATE SET payload = excluded.payload,
  account_id = excluded.account_id, client_id = excluded.client_id, gid = excluded.gid, uid_key = excluded.uid_key,
  user_code_key = excluded.user_code_key, sealed_id = excluded.sealed_id, expires_at = excluded.expires_at`

const CONSUME = 'UPDATE models SET consumed_at = ? WHERE model = ? AND key = ? AND consumed_at IS NULL'

/** What is rotated: one that was spent shows a theft when it comes again, and so is kept for a while. */
const ROTATED = 'RefreshToken'
const CONSUME_ROTATED = `UPDATE models SET consumed_at = ?, expires_at = CASE WHEN expires_at > ? THEN ? ELSE expires_at END
  WHERE model = '${ROTATED}' AND key = ? AND consumed_at IS NULL`
const SPENT_SECONDS = 7 * 86_400
/** Spent refresh tokens that are kept of one family: a day's worth for a client that refreshes every five minutes. */
export const MOST_SPENT = 288
export const SPENT = "model = 'RefreshToken' AND consumed_at IS NOT NULL"
/** Parameters: the family, and how many rows at most. */
export const PRUNE_FAMILY = `DELETE FROM models WHERE model = 'RefreshToken' AND key IN (SELECT key FROM models WHERE gid = ? AND ${SPENT}
  ORDER BY consumed_at DESC, key LIMIT ? OFFSET ${MOST_SPENT})`
/** Of the 64 characters that a key may begin with, the one whose token has its family pruned when it is spent; the sweep finds the rest. */
const PRUNES = 'A'
const PRUNED_ROWS = 500

/** The authorization server library's rows. Payloads are sealed under the id that finds them. */
export function modelQueries(database: Database): Models {
  const bySecondKey = async (column: 'uid_key' | 'user_code_key', model: string, secret: string) => {
    // Of several the one that lives longest is the newest.
    const sql = `SELECT * FROM models WHERE model = ? AND ${column} = ? ORDER BY expires_at DESC LIMIT 1`
    const row = await database.get(sql, model, lookupKey(secret))
    return row === undefined ? undefined : payloadOf(row, openUnder(secret, text(row, 'sealed_id')))
  }
  const outsideOfUnits = AsyncLocalStorage.snapshot()
  // Behind the request, which has its answer by then. Whatever keeps it from being done, the sweep will do it.
  const pruneSoon = (key: string): void => {
    const prune = async (): Promise<void> => {
      const row = await database.get(`SELECT gid FROM models WHERE model = '${ROTATED}' AND key = ?`, key)
      const gid = row === undefined ? undefined : optionalText(row, 'gid')
      if (gid !== undefined) await database.run(PRUNE_FAMILY, gid, PRUNED_ROWS)
    }
    setImmediate(() => outsideOfUnits(prune).catch(() => undefined))
  }
  return {
    putModel: async (model, id, payload, columns, expiresAt) => {
      await database.run(UPSERT, ...columnsOf(model, id, payload, columns, expiresAt))
    },
    addModel: async (model, id, payload, expiresAt) => {
      const columns = columnsOf(model, id, payload, {}, expiresAt)
      return (await database.run(`${INSERT} ON CONFLICT DO NOTHING`, ...columns)) === 1
    },
    model: async (model, id) => {
      const row = await database.get('SELECT * FROM models WHERE model = ? AND key = ?', model, lookupKey(id))
      return row === undefined ? undefined : payloadOf(row, id)
    },
    modelByUserCode: (model, userCode) => bySecondKey('user_code_key', model, userCode),
    modelByUid: (model, uid) => bySecondKey('uid_key', model, uid),
    consumeModel: async (model, id, at) => {
      const key = lookupKey(id)
      if (model !== ROTATED) return (await database.run(CONSUME, at, model, key)) === 1
      const until = at + SPENT_SECONDS
      if ((await database.run(CONSUME_ROTATED, at, until, until, key)) !== 1) return false
      if (key.startsWith(PRUNES)) pruneSoon(key)
      return true
    },
    stampSpent: (model, id) =>
      database.write(async (transaction) => {
        transaction.atCommit(async (queries) => {
          const sql = `UPDATE models SET spent_at_ms = ${database.nowMs} WHERE model = ? AND key = ?`
          await queries.run(sql, model, lookupKey(id))
        })
      }),
    sinceSpentMs: async (model, id) => {
      const sql = `SELECT ${database.nowMs} - spent_at_ms AS since FROM models WHERE model = ? AND key = ?`
      const row = await database.get(sql, model, lookupKey(id))
      return row === undefined ? undefined : optionalInteger(row, 'since')
    },
    deleteModel: async (model, id) => {
      await database.run('DELETE FROM models WHERE model = ? AND key = ?', model, lookupKey(id))
    },
    deleteModelsByGrant: async (grantId) => {
      await database.run('DELETE FROM models WHERE gid = ?', gidOf(grantId))
    },
  }
}

function columnsOf(
  model: string,
  id: string,
  payload: Record<string, unknown>,
  columns: ModelColumns,
  expiresAt: number | undefined,
): (string | number | null)[] {
  const grantId = model === 'Grant' ? id : columns.grantId
  const secondKey = columns.uid ?? columns.userCode
  return [
    model,
    lookupKey(id),
    sealUnder(id, JSON.stringify(payload)),
    columns.accountId ?? null,
    columns.clientId ?? null,
    grantId === undefined ? null : gidOf(grantId),
    columns.uid === undefined ? null : lookupKey(columns.uid),
    columns.userCode === undefined ? null : lookupKey(columns.userCode),
    secondKey === undefined ? null : sealUnder(secondKey, id),
    expiresAt ?? null,
  ]
}

function payloadOf(row: Row, id: string): Record<string, unknown> {
  const payload: Record<string, unknown> = JSON.parse(openUnder(id, text(row, 'payload')))
  const consumed = optionalInteger(row, 'consumed_at')
  return consumed === undefined ? payload : { ...payload, consumed }
}
