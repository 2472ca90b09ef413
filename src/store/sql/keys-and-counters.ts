import { lookupKey } from '../sealed-payload.ts'
import type { SigningKeyRecord, Store } from '../store.ts'
import type { Database, Queries } from './database.ts'
import { integer, object, oneOf, optionalInteger, type Row, type SqlValue, text } from './row.ts'

type Keys = Pick<
  Store,
  | 'signingKeys'
  | 'putSigningKeys'
  | 'addSigningKey'
  | 'value'
  | 'valueOr'
  | 'putValue'
  | 'putReplay'
  | 'replay'
  | 'deleteReplayThatBrought'
  | 'throttle'
  | 'countFailure'
  | 'clearThrottle'
>

const PUT_KEY = `INSERT INTO signing_keys
  (kid, alg, state, public_jwk, sealed_private_jwk, created_at, activate_at, retire_at, token_seconds)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kid) DO UPDATE SET
  state = excluded.state, activate_at = excluded.activate_at, retire_at = excluded.retire_at, token_seconds =
  CASE WHEN excluded.token_seconds > signing_keys.token_seconds THEN excluded.token_seconds ELSE signing_keys.token_seconds END`

/** Who reads keys to change them holds this name. */
const KEYS = ['signing keys']

/** Signing keys, small values, kept refresh answers and throttling counters. */
export function keyAndCounterQueries(database: Database): Keys {
  return { ...signingKeys(database), ...values(database), ...replays(database), ...throttles(database) }
}

function signingKeys(database: Database): Pick<Store, 'signingKeys' | 'putSigningKeys' | 'addSigningKey'> {
  return {
    signingKeys: async () => (await database.all('SELECT * FROM signing_keys ORDER BY created_at, kid')).map(keyOf),
    putSigningKeys: (keys, drop) =>
      database.write(async (transaction) => {
        await transaction.lock('exclusive', KEYS)
        for (const key of keys) await transaction.run(PUT_KEY, ...keyColumns(key))
        for (const kid of drop) await transaction.run('DELETE FROM signing_keys WHERE kid = ?', kid)
        transaction.atCommit(announceKeys)
      }),
    addSigningKey: (key) =>
      database.write(async (transaction) => {
        await transaction.lock('exclusive', KEYS)
        const sql = 'SELECT 1 FROM signing_keys WHERE alg = ? AND state = ?'
        if ((await transaction.get(sql, key.alg, key.state)) !== undefined) return false
        await transaction.run(PUT_KEY, ...keyColumns(key))
        transaction.atCommit(announceKeys)
        return true
      }),
  }
}

/** Other instances look at this number all the time. */
async function announceKeys(queries: Queries): Promise<void> {
  await queries.run('UPDATE feed SET keys_version = keys_version + 1')
}

function values(database: Database): Pick<Store, 'value' | 'valueOr' | 'putValue'> {
  const value = async (queries: Queries, name: string): Promise<string | undefined> => {
    const row = await queries.get('SELECT value FROM named_values WHERE name = ?', name)
    return row === undefined ? undefined : text(row, 'value')
  }
  const insert = 'INSERT INTO named_values VALUES (?, ?)'
  return {
    value: (name) => value(database, name),
    valueOr: (name, make) =>
      database.write(async (queries) => {
        await queries.run(`${insert} ON CONFLICT DO NOTHING`, name, make)
        return (await value(queries, name)) ?? make
      }),
    putValue: async (name, next) => {
      await database.run(`${insert} ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, next)
    },
  }
}

function replays(database: Database): Pick<Store, 'putReplay' | 'replay' | 'deleteReplayThatBrought'> {
  const put = `INSERT INTO replays (key, sealed, expires_at, successor) VALUES (?, ?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET sealed = excluded.sealed, expires_at = excluded.expires_at,
    successor = excluded.successor`
  return {
    putReplay: async (key, sealed, expiresAt, successor) => {
      await database.run(put, lookupKey(key), sealed, expiresAt, successor === undefined ? null : lookupKey(successor))
    },
    replay: async (key, now) => {
      const sql = 'SELECT sealed FROM replays WHERE key = ? AND expires_at > ?'
      const row = await database.get(sql, lookupKey(key), now)
      return row === undefined ? undefined : text(row, 'sealed')
    },
    deleteReplayThatBrought: async (successor) => {
      await database.run('DELETE FROM replays WHERE successor = ?', lookupKey(successor))
    },
  }
}

/** Their keys are hashed, because people type a password where the name belongs. */
function throttles(database: Database): Pick<Store, 'throttle' | 'countFailure' | 'clearThrottle'> {
  const count = `INSERT INTO throttles VALUES (?, 1, ?, ?) ON CONFLICT (key) DO UPDATE SET
    failures = CASE WHEN throttles.last_at_ms < ? THEN 1 ELSE throttles.failures + 1 END,
    last_at_ms = CASE WHEN throttles.last_at_ms > excluded.last_at_ms
      THEN throttles.last_at_ms ELSE excluded.last_at_ms END,
    expires_at = CASE WHEN throttles.expires_at > excluded.expires_at
      THEN throttles.expires_at ELSE excluded.expires_at END
    RETURNING failures`
  return {
    throttle: async (key) => {
      const row = await database.get('SELECT failures, last_at_ms FROM throttles WHERE key = ?', lookupKey(key))
      return row === undefined
        ? undefined
        : { failures: integer(row, 'failures'), lastAtMs: integer(row, 'last_at_ms') }
    },
    countFailure: (key, atMs, forgetBeforeMs, expiresAt) =>
      database.write(async (queries) => {
        const row = await queries.get(count, lookupKey(key), atMs, expiresAt, forgetBeforeMs)
        return row === undefined ? 1 : integer(row, 'failures')
      }),
    clearThrottle: async (key) => {
      await database.run('DELETE FROM throttles WHERE key = ?', lookupKey(key))
    },
  }
}

function keyColumns(key: SigningKeyRecord): readonly SqlValue[] {
  return [
    key.kid,
    key.alg,
    key.state,
    JSON.stringify(key.publicJwk),
    key.sealedPrivateJwk,
    key.createdAt,
    key.activateAt,
    key.retireAt ?? null,
    key.tokenSeconds,
  ]
}

function keyOf(row: Row): SigningKeyRecord {
  return {
    kid: text(row, 'kid'),
    alg: oneOf(row, 'alg', ['ES256', 'RS256', 'EdDSA']),
    state: oneOf(row, 'state', ['pending', 'active', 'retiring']),
    publicJwk: object(row, 'public_jwk'),
    sealedPrivateJwk: text(row, 'sealed_private_jwk'),
    createdAt: integer(row, 'created_at'),
    activateAt: integer(row, 'activate_at'),
    retireAt: optionalInteger(row, 'retire_at'),
    tokenSeconds: integer(row, 'token_seconds'),
  }
}
