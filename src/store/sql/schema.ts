/**
 * Migrations of every engine, in order, after those that each began with. One that has been released is never edited: a change
 * is a further one at the end. They are written for SQLite; `postgres/schema.ts` says what becomes of which word. Each must
 * leave the release before it working: what is not used any more goes a release later.
 */
export const LATER_MIGRATIONS: readonly string[] = [
  `
CREATE TABLE provider_attempts (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT NOT NULL UNIQUE,
  sealed TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX provider_attempts_by_expiry ON provider_attempts (expires_at);

CREATE TABLE provider_links (
  issuer TEXT NOT NULL,
  person TEXT NOT NULL,
  sub TEXT NOT NULL,
  email TEXT,
  linked_at INTEGER NOT NULL,
  groups TEXT NOT NULL,
  stated_at_ms INTEGER NOT NULL,
  PRIMARY KEY (issuer, person)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX provider_links_by_sub ON provider_links (sub, issuer);

CREATE TABLE provider_sign_ins (
  id TEXT PRIMARY KEY,
  provider TEXT NOT NULL,
  issuer TEXT NOT NULL,
  person TEXT NOT NULL,
  sub TEXT NOT NULL,
  sid TEXT,
  session_key TEXT,
  sealed TEXT NOT NULL,
  asked_at_ms INTEGER NOT NULL,
  ends_at_ms INTEGER,
  due_at_ms INTEGER,
  claimed_until_ms INTEGER NOT NULL,
  ended INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX provider_sign_ins_by_person ON provider_sign_ins (issuer, person);
CREATE INDEX provider_sign_ins_by_session ON provider_sign_ins (session_key) WHERE session_key IS NOT NULL;
CREATE INDEX provider_sign_ins_by_asking ON provider_sign_ins (asked_at_ms) WHERE ended = 0;

CREATE TABLE provider_authorizations (
  gid TEXT PRIMARY KEY,
  client_id TEXT NOT NULL,
  sign_in TEXT NOT NULL
) STRICT;
CREATE INDEX provider_authorizations_by_sign_in ON provider_authorizations (sign_in);
`,
  `
ALTER TABLE audits ADD COLUMN origin TEXT NOT NULL DEFAULT 'server';
CREATE INDEX audits_by_origin ON audits (origin, id);
`,
  'ALTER TABLE clients ADD COLUMN used_at INTEGER;',
  `
ALTER TABLE feed ADD COLUMN epoch TEXT NOT NULL DEFAULT '';
ALTER TABLE feed ADD COLUMN nonce TEXT NOT NULL DEFAULT '';
ALTER TABLE feed ADD COLUMN swept_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE feed ADD COLUMN keys_version INTEGER NOT NULL DEFAULT 0;
UPDATE feed SET epoch = lower(hex(randomblob(8)));
`,
  `
CREATE TABLE browser_sessions (
  id TEXT PRIMARY KEY,
  generation INTEGER NOT NULL,
  id_hash TEXT NOT NULL UNIQUE,
  previous_hash TEXT,
  replaced_at INTEGER NOT NULL,
  origin TEXT NOT NULL,
  browser TEXT NOT NULL,
  sub TEXT NOT NULL,
  issuer_session TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  moved_at INTEGER NOT NULL,
  signed_in_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX browser_sessions_by_previous ON browser_sessions (previous_hash) WHERE previous_hash IS NOT NULL;
CREATE INDEX browser_sessions_by_browser ON browser_sessions (origin, browser);
CREATE INDEX browser_sessions_by_sub ON browser_sessions (sub, created_at);
CREATE INDEX browser_sessions_by_issuer ON browser_sessions (issuer_session);
CREATE INDEX browser_sessions_by_age ON browser_sessions (created_at);
CREATE INDEX browser_sessions_by_expiry ON browser_sessions (expires_at);

CREATE TABLE browser_session_resources (
  session TEXT NOT NULL REFERENCES browser_sessions (id) ON DELETE CASCADE,
  resource TEXT NOT NULL,
  gid TEXT NOT NULL,
  auth_time INTEGER,
  amr TEXT NOT NULL,
  acr TEXT,
  PRIMARY KEY (session, resource)
) STRICT;
CREATE INDEX browser_session_resources_by_gid ON browser_session_resources (gid);

CREATE TABLE app_passwords (
  id TEXT PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  gid TEXT NOT NULL UNIQUE,
  sub TEXT NOT NULL,
  resource TEXT NOT NULL,
  scopes TEXT NOT NULL,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  last_used_at INTEGER
) STRICT;
CREATE INDEX app_passwords_by_sub ON app_passwords (sub);
CREATE INDEX app_passwords_by_expiry ON app_passwords (expires_at);
`,
  `
CREATE TABLE links (
  id TEXT PRIMARY KEY,
  secret_hash TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  sub TEXT NOT NULL,
  made_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  reset TEXT NOT NULL,
  state TEXT NOT NULL
) STRICT;
CREATE INDEX links_by_sub ON links (sub);
CREATE INDEX links_by_maker ON links (made_by);
CREATE INDEX links_by_expiry ON links (expires_at);
`,
  `
ALTER TABLE replays ADD COLUMN successor TEXT;
CREATE INDEX replays_by_successor ON replays (successor) WHERE successor IS NOT NULL;
CREATE TABLE instances (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  digest TEXT NOT NULL,
  position INTEGER NOT NULL,
  stale_after_ms INTEGER NOT NULL,
  seen_at_ms INTEGER NOT NULL
) STRICT;
`,
  `
CREATE TABLE refusals (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  request_id TEXT NOT NULL UNIQUE,
  facts TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX refusals_by_expiry ON refusals (expires_at);
CREATE INDEX audits_by_event ON audits (event, id);
`,
  'ALTER TABLE clients ADD COLUMN step_up TEXT;',
  `
CREATE TABLE authenticators (
  sub TEXT PRIMARY KEY,
  sealed TEXT NOT NULL,
  last_step INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE recovery_codes (
  sub TEXT NOT NULL,
  hash TEXT NOT NULL,
  PRIMARY KEY (sub, hash)
) STRICT;
`,
  `
CREATE TABLE passkeys (
  id TEXT PRIMARY KEY,
  sub TEXT NOT NULL,
  credential_id TEXT NOT NULL UNIQUE,
  public_key TEXT NOT NULL,
  counter INTEGER NOT NULL,
  backup_eligible INTEGER NOT NULL,
  backed_up INTEGER NOT NULL,
  transports TEXT NOT NULL,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  last_used_at INTEGER
) STRICT;
CREATE INDEX passkeys_by_sub ON passkeys (sub, created_at);
CREATE TABLE factor_resets (
  sub TEXT PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT;
CREATE TABLE remembered_browsers (
  hash TEXT PRIMARY KEY,
  sub TEXT NOT NULL,
  bound TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX remembered_browsers_by_sub ON remembered_browsers (sub);
CREATE INDEX remembered_browsers_by_expiry ON remembered_browsers (expires_at);
CREATE TABLE recoveries (
  sub TEXT PRIMARY KEY,
  at INTEGER NOT NULL,
  address TEXT NOT NULL
) STRICT;
CREATE TABLE weak_sign_ins (
  sub TEXT NOT NULL,
  client_id TEXT NOT NULL,
  acr TEXT,
  max_age INTEGER,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (sub, client_id)
) STRICT;
CREATE INDEX weak_sign_ins_by_expiry ON weak_sign_ins (expires_at);
`,
  `
CREATE TABLE session_facts (
  issuer_session TEXT PRIMARY KEY,
  sub TEXT NOT NULL,
  browser TEXT NOT NULL,
  address TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  ended INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX session_facts_by_expiry ON session_facts (expires_at);
CREATE TABLE session_authorizations (
  gid TEXT PRIMARY KEY,
  issuer_session TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX session_authorizations_by_session ON session_authorizations (issuer_session);
CREATE TABLE passwords_due (
  sub TEXT PRIMARY KEY,
  since INTEGER NOT NULL
) STRICT;
ALTER TABLE audits ADD COLUMN sub TEXT;
CREATE INDEX audits_by_person ON audits (sub, id) WHERE sub IS NOT NULL;
`,
  // Nobody knows what earlier keys have signed for: a day is the longest that may be set.
  'ALTER TABLE signing_keys ADD COLUMN token_seconds INTEGER NOT NULL DEFAULT 86400;',
  `
ALTER TABLE audits ADD COLUMN actor TEXT;
ALTER TABLE audits ADD COLUMN client TEXT;
UPDATE audits SET sub = json_extract(detail, '$.sub'), actor = json_extract(detail, '$.by'), client = json_extract(detail, '$.client');
CREATE INDEX audits_by_actor ON audits (actor, id) WHERE actor IS NOT NULL;
CREATE INDEX audits_by_client ON audits (client, id) WHERE client IS NOT NULL;
CREATE INDEX IF NOT EXISTS audits_by_time ON audits (at);
DROP INDEX authorizations_by_client;
CREATE INDEX authorizations_of_client ON authorizations (client_id, gid);
CREATE INDEX authorizations_of_person ON authorizations (sub, gid);
CREATE TABLE secret_uses (
  client_id TEXT NOT NULL,
  id TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (client_id, id)
) STRICT;
`,
]
