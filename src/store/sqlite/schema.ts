import { LATER_MIGRATIONS } from '../sql/schema.ts'

/**
 * Migrations in order; `user_version` is how many of them a database has had. One that has been released is never edited:
 * a change is a further one at the end.
 */
export const MIGRATIONS: readonly string[] = [
  `
CREATE TABLE users (
  sub TEXT PRIMARY KEY,
  username TEXT NOT NULL,
  username_key TEXT NOT NULL UNIQUE,
  display_name TEXT,
  email TEXT,
  groups TEXT NOT NULL,
  password_hash TEXT,
  disabled INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE clients (
  id TEXT PRIMARY KEY,
  type TEXT NOT NULL,
  name TEXT NOT NULL,
  redirect_uris TEXT NOT NULL,
  post_logout_redirect_uris TEXT NOT NULL,
  third_party INTEGER NOT NULL,
  origin TEXT NOT NULL,
  secret_hash TEXT,
  allow TEXT NOT NULL,
  revoked INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  metadata TEXT NOT NULL
) STRICT;

CREATE TABLE consents (
  sub TEXT NOT NULL,
  client_id TEXT NOT NULL,
  resource TEXT NOT NULL,
  granted TEXT NOT NULL,
  rejected TEXT NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (sub, client_id, resource)
) STRICT, WITHOUT ROWID;
CREATE INDEX consents_by_client ON consents (client_id);

CREATE TABLE authorizations (
  gid TEXT PRIMARY KEY,
  sub TEXT NOT NULL,
  client_id TEXT NOT NULL,
  resources TEXT NOT NULL,
  label TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  last_used_at INTEGER,
  ended INTEGER NOT NULL
) STRICT;
CREATE INDEX authorizations_by_sub ON authorizations (sub, client_id);
CREATE INDEX authorizations_by_client ON authorizations (client_id);

CREATE TABLE models (
  model TEXT NOT NULL,
  key TEXT NOT NULL,
  payload TEXT NOT NULL,
  account_id TEXT,
  client_id TEXT,
  gid TEXT,
  uid_key TEXT,
  user_code_key TEXT,
  sealed_id TEXT,
  consumed_at INTEGER,
  expires_at INTEGER,
  PRIMARY KEY (model, key)
) STRICT;
CREATE INDEX models_by_account ON models (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX models_by_client ON models (client_id) WHERE client_id IS NOT NULL;
CREATE INDEX models_by_gid ON models (gid) WHERE gid IS NOT NULL;
CREATE INDEX models_by_uid ON models (model, uid_key) WHERE uid_key IS NOT NULL;
CREATE INDEX models_by_user_code ON models (model, user_code_key) WHERE user_code_key IS NOT NULL;
CREATE INDEX models_by_expiry ON models (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE replays (
  key TEXT PRIMARY KEY,
  sealed TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX replays_by_expiry ON replays (expires_at);

CREATE TABLE signing_keys (
  kid TEXT PRIMARY KEY,
  alg TEXT NOT NULL,
  state TEXT NOT NULL,
  public_jwk TEXT NOT NULL,
  sealed_private_jwk TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  activate_at INTEGER NOT NULL,
  retire_at INTEGER
) STRICT;

CREATE TABLE named_values (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE throttles (
  key TEXT PRIMARY KEY,
  failures INTEGER NOT NULL,
  last_at_ms INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX throttles_by_expiry ON throttles (expires_at);

CREATE TABLE revocations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  not_before_ms INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX revocations_by_key ON revocations (kind, key);
CREATE INDEX revocations_by_expiry ON revocations (expires_at);

CREATE TABLE audits (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  event TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;

CREATE TABLE changes (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL) STRICT;
INSERT INTO changes VALUES (1, 0);
${['users', 'clients', 'consents', 'signing_keys', 'revocations'].map(announce).join('\n')}
`,
  // U+0000 parted the halves of these keys; SQLite's text functions end there, so they are taken apart as bytes.
  `
UPDATE revocations SET key = CAST(substr(CAST(key AS BLOB), 1, instr(CAST(key AS BLOB), x'00') - 1) AS TEXT)
  || ' ' || CAST(substr(CAST(key AS BLOB), instr(CAST(key AS BLOB), x'00') + 1) AS TEXT)
  WHERE instr(CAST(key AS BLOB), x'00') > 0;
`,
  `
CREATE TABLE feed (one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL) STRICT;
INSERT INTO feed SELECT 1, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'revocations'), 0);
ALTER TABLE revocations ADD COLUMN nonce TEXT NOT NULL DEFAULT '';
ALTER TABLE models ADD COLUMN spent_at_ms INTEGER;
${['users', 'clients', 'consents'].map(silence).join('\n')}
`,
  ...LATER_MIGRATIONS,
]

/** Nobody listens for changes of these: a count of them is one row that every sign-in would wait for. */
function silence(table: string): string {
  return ['insert', 'update', 'delete'].map((verb) => `DROP TRIGGER ${table}_${verb};`).join('\n')
}

/** Triggers keep the count, so that no statement can forget to. */
function announce(table: string): string {
  return ['INSERT', 'UPDATE', 'DELETE']
    .map(
      (verb) =>
        `CREATE TRIGGER ${table}_${verb.toLowerCase()} AFTER ${verb} ON ${table} ` +
        'BEGIN UPDATE changes SET number = number + 1; END;',
    )
    .join('\n')
}
