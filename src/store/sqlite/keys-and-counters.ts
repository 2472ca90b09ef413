import { lookupKey } from '../sealed-payload.ts'
import type { SigningKeyRecord, Store } from '../store.ts'
import type { Database } from './database.ts'
import { integer, object, oneOf, optionalInteger, type Row, text } from './row.ts'

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
  | 'deleteReplay'
  | 'throttle'
  | 'countFailure'
  | 'clearThrottle'
>

const PUT_KEY = `INSERT INTO signing_keys VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
  state = excluded.state, activate_at = excluded.activate_at, retire_at = excluded.retire_at`

/** Signing keys, small values, kept refresh answers and throttling counters in SQLite. */
export function sqliteKeys(database: Database): Keys {
  return { ...signingKeys(database), ...values(database), ...replays(database), ...throttles(database) }
}

function signingKeys(database: Database): Pick<Store, 'signingKeys' | 'putSigningKeys' | 'addSigningKey'> {
  return {
    signingKeys: () =>
      database.read(() => database.all('SELECT * FROM signing_keys ORDER BY created_at, kid').map(keyOf)),
    putSigningKeys: (keys, drop) =>
      database.write(() => {
        for (const key of keys) putKey(database, key)
        for (const kid of drop) database.run('DELETE FROM signing_keys WHERE kid = ?', kid)
      }),
    addSigningKey: (key) =>
      database.write(() => {
        const sql = 'SELECT 1 FROM signing_keys WHERE alg = ? AND state = ?'
        if (database.get(sql, key.alg, key.state) !== undefined) return false
        putKey(database, key)
        return true
      }),
  }
}

function values(database: Database): Pick<Store, 'value' | 'valueOr' | 'putValue'> {
  const value = (name: string): string | undefined => {
    const row = database.get('SELECT value FROM named_values WHERE name = ?', name)
    return row === undefined ? undefined : text(row, 'value')
  }
  return {
    value: (name) => database.read(() => value(name)),
    valueOr: (name, make) =>
      database.write(() => {
        database.run('INSERT INTO named_values VALUES (?, ?) ON CONFLICT DO NOTHING', name, make)
        return value(name) ?? make
      }),
    putValue: (name, next) =>
      database.write(() => {
        database.run(
          'INSERT INTO named_values VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
          name,
          next,
        )
      }),
  }
}

function replays(database: Database): Pick<Store, 'putReplay' | 'replay' | 'deleteReplay'> {
  const put = `INSERT INTO replays VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET
    sealed = excluded.sealed, expires_at = excluded.expires_at`
  return {
    putReplay: (key, sealed, expiresAt) =>
      database.write(() => {
        database.run(put, lookupKey(key), sealed, expiresAt)
      }),
    replay: (key, now) =>
      database.read(() => {
        const row = database.get('SELECT sealed FROM replays WHERE key = ? AND expires_at > ?', lookupKey(key), now)
        return row === undefined ? undefined : text(row, 'sealed')
      }),
    deleteReplay: (key) =>
      database.write(() => {
        database.run('DELETE FROM replays WHERE key = ?', lookupKey(key))
      }),
  }
}

/** Their keys are hashed, because people type a password where the name belongs. */
function throttles(database: Database): Pick<Store, 'throttle' | 'countFailure' | 'clearThrottle'> {
  const count = `INSERT INTO throttles VALUES (?, 1, ?, ?) ON CONFLICT DO UPDATE SET
    failures = CASE WHEN last_at_ms < ? THEN 1 ELSE failures + 1 END,
    last_at_ms = max(last_at_ms, excluded.last_at_ms), expires_at = max(expires_at, excluded.expires_at)
    RETURNING failures`
  return {
    throttle: (key) =>
      database.read(() => {
        const row = database.get('SELECT failures, last_at_ms FROM throttles WHERE key = ?', lookupKey(key))
        return row === undefined
          ? undefined
          : { failures: integer(row, 'failures'), lastAtMs: integer(row, 'last_at_ms') }
      }),
    countFailure: (key, atMs, forgetBeforeMs, expiresAt) =>
      database.write(() => {
        const row = database.get(count, lookupKey(key), atMs, expiresAt, forgetBeforeMs)
        return row === undefined ? 1 : integer(row, 'failures')
      }),
    clearThrottle: (key) =>
      database.write(() => {
        database.run('DELETE FROM throttles WHERE key = ?', lookupKey(key))
      }),
  }
}

function putKey(database: Database, key: SigningKeyRecord): void {
  database.run(
    PUT_KEY,
    key.kid,
    key.alg,
    key.state,
    JSON.stringify(key.publicJwk),
    key.sealedPrivateJwk,
    key.createdAt,
    key.activateAt,
    key.retireAt ?? null,
  )
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
  }
}
