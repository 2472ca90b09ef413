import { createRevocationActs } from '../../src/issuer/revocation-acts.ts'
import { Person, post } from '../support/issuer/browser-less-person.ts'
import type { PostgresUnderTest } from '../support/programs/postgres.ts'
import { type SeveralInstances, startSeveralInstances } from '../support/several-instances.ts'
import type { Row } from './report.ts'

/** Each statement is logged with its plan. What is written is not waited for: nothing of that is measured here. */
const SETTINGS = [
  'fsync=off',
  'session_preload_libraries=auto_explain',
  'auto_explain.log_min_duration=0',
  'auto_explain.log_analyze=off',
  'max_wal_size=8GB',
  'maintenance_work_mem=256MB',
  'autovacuum=off',
]
const NAME = 'PostgreSQL'
/** Clients that generated authorizations are of. */
const CLIENTS = 1_000
/** Generated authorizations of one person, and how many there are for each that has its refresh token. */
const OF_A_PERSON = 10

/**
 * Fills a database with so many authorizations, of a tenth as many people, of which each has one live refresh token; then does
 * what an issuer does, and looks at the plan of every statement. Sizes are those of fresh tables and indices. Throws when a
 * statement reads one of the large tables from end to end.
 */
export async function plansAndSizes(authorizations: number): Promise<readonly Row[]> {
  const several = await startSeveralInstances('', SETTINGS)
  try {
    const a = await several.start('a')
    await several.addPerson('alice')
    await several.addApp('app')
    const family = await several.signIn()
    const since = performance.now()
    const sizes = await fill(several, authorizations)
    process.stderr.write(`filled in ${((performance.now() - since) / 1_000).toFixed(0)} s\n`)
    const from = several.postgres.log().length
    await doEverything(several, a.url, family)
    // The sweep comes once a minute.
    await new Promise((resolve) => setTimeout(resolve, 65_000))
    return [...sizes, ...plansIn(several.postgres.log().slice(from), authorizations)]
  } finally {
    await several.close()
  }
}

interface Generated {
  readonly table: string
  readonly rows: number
  /** Which row of alice's is repeated. */
  readonly like: string
  /** Columns that differ from row to row; `n` is its number. */
  readonly columns: Readonly<Record<string, string>>
}

function generatedRows(authorizations: number): readonly Generated[] {
  const people = Math.ceil(authorizations / OF_A_PERSON)
  const person = (n: string): string => `'usr_' || md5('person' || (${n}) % ${people})::uuid`
  const gid = "translate(left(encode(sha256(('gid' || n)::bytea), 'base64'), 22), '+/', '-_')"
  const model = { key: "encode(sha256((model || n)::bytea), 'hex')", account_id: person('n'), gid }
  return [
    {
      table: 'users',
      rows: people,
      like: "username = 'alice'",
      columns: { sub: person('n'), username: "'person-' || n", username_key: "'person-' || n" },
    },
    {
      table: 'consents',
      rows: people,
      like: 'true',
      columns: { sub: person('n'), client_id: `'client-' || n % ${CLIENTS}` },
    },
    {
      table: 'authorizations',
      rows: authorizations,
      like: 'true',
      columns: { gid, sub: person('n'), client_id: `'client-' || n % ${CLIENTS}` },
    },
    ...['Grant', 'RefreshToken'].map((name) => ({
      table: 'models',
      rows: people,
      like: `model = '${name}'`,
      columns: { ...model, client_id: `'client-' || n % ${CLIENTS}` },
    })),
  ]
}

async function fill({ postgres, database }: SeveralInstances, authorizations: number): Promise<readonly Row[]> {
  const query = (sql: string) => postgres.query(database, sql)
  const generated = generatedRows(authorizations)
  const tables = [...new Set(generated.map(({ table }) => table))]
  const template = { consents: "INSERT INTO consents VALUES ('s', 'c', '', '[\"photos:read\"]', '[]', 1)" }
  await query(template.consents)
  const restore = await withoutIndices(postgres, database, tables)
  for (const each of generated) await query(await generation(query, each))
  for (const statement of restore) await query(statement)
  const rows: Row[] = []
  for (const table of tables) {
    await query(`VACUUM (ANALYZE) ${table}`)
    const [size] = await query(`SELECT pg_table_size('${table}') AS own, pg_indexes_size('${table}') AS indices,
      (SELECT count(*) FROM ${table}) AS rows`)
    const count = Number(size?.rows)
    const scenario = `${table}, ${count} rows`
    rows.push({ scenario, name: NAME, unit: 'bytes a row', value: Number(size?.own) / count })
    rows.push({ scenario, name: NAME, unit: 'bytes a row in indices', value: Number(size?.indices) / count })
  }
  return rows
}

type Query = (sql: string) => ReturnType<PostgresUnderTest['query']>

async function generation(query: Query, { table, rows, like, columns }: Generated): Promise<string> {
  const known = await query(`SELECT column_name AS name FROM information_schema.columns WHERE table_name = '${table}'`)
  const names = known.map(({ name }) => String(name))
  const values = names.map((name) => columns[name] ?? `t.${name}`)
  return `INSERT INTO ${table} (${names.join(', ')}) SELECT ${values.join(', ')}
    FROM generate_series(1, ${rows}) AS n, (SELECT * FROM ${table} WHERE ${like} LIMIT 1) AS t`
}

/** Takes indices away while rows come; answers what makes them anew. */
async function withoutIndices(
  postgres: PostgresUnderTest,
  database: string,
  tables: readonly string[],
): Promise<readonly string[]> {
  const names = tables.map((table) => `'${table}'::regclass`).join(', ')
  const constraints = await postgres.query(
    database,
    `SELECT conrelid::regclass::text AS table, conname AS name, pg_get_constraintdef(oid) AS definition
     FROM pg_constraint WHERE contype IN ('p', 'u') AND conrelid IN (${names})`,
  )
  const indices = await postgres.query(
    database,
    `SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
     WHERE indrelid IN (${names}) AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)`,
  )
  for (const { name } of indices) await postgres.query(database, `DROP INDEX ${name}`)
  for (const { table, name } of constraints)
    await postgres.query(database, `ALTER TABLE ${table} DROP CONSTRAINT ${name}`)
  return [
    ...constraints.map(({ table, name, definition }) => `ALTER TABLE ${table} ADD CONSTRAINT ${name} ${definition}`),
    ...indices.map(({ definition }) => String(definition)),
  ]
}

/** What requests, acts, pages and commands ask a store, once each at least. */
async function doEverything(
  several: SeveralInstances,
  origin: string,
  family: { readonly access: string; readonly refresh: string },
): Promise<void> {
  const person = new Person(several.publicUrl, 'alice')
  const { refresh } = await several.signIn(person)
  await several.refresh(origin, refresh)
  await several.refresh(origin, family.refresh)
  await post(`${origin}/oauth/introspect`, { token: family.access, client_id: 'app' })
  await post(`${origin}/oauth/revoke`, { token: family.access, client_id: 'app' })
  await person.open('/account')
  const { store } = await several.openActs()
  const acts = createRevocationActs({ store, now: Date.now })
  const [someone, other] = await store.usersAfter('', 2)
  if (someone === undefined || other === undefined) throw new Error('nobody is there')
  await store.userByName(someone.username)
  for (const wanted of [{ sub: someone.sub }, { sub: other.sub, clientId: 'client-7' }])
    await store.authorizations(wanted)
  await acts.revokeUserClient(other.sub, 'client-7', 'bench')
  await acts.changeGroups(other.sub, [], 'bench')
  await acts.revokeUser(other.sub, 'bench')
  await acts.disableUser(someone.sub, 'bench')
  await acts.endClient('app', 'bench')
  await store.clientsAfter('', 100)
}

const LARGE = /Seq Scan on (users|consents|authorizations|models)\b/

function plansIn(log: string, authorizations: number): readonly Row[] {
  const plans = log.split(/^.*?LOG: {2}duration: /m).slice(1)
  const bad = plans.filter((plan) => LARGE.test(plan))
  const times = plans.map((plan) => Number(/^([\d.]+) ms {2}plan:/.exec(plan)?.[1] ?? 0))
  const distinct = new Set(plans.map((plan) => /Query Text: ([\s\S]*?)\n\t(?! {4})/.exec(plan)?.[1] ?? plan))
  if (bad.length > 0) throw new Error(`read from end to end:\n${[...new Set(bad)].slice(0, 5).join('\n')}`)
  const scenario = `plans at ${authorizations} authorizations`
  return [
    { scenario, name: NAME, unit: 'statements', value: plans.length },
    { scenario, name: NAME, unit: 'different statements', value: distinct.size },
    { scenario, name: NAME, unit: 'that read a large table from end to end', value: bad.length },
    { scenario, name: NAME, unit: 'ms, the slowest', value: Math.max(...times) },
  ]
}
