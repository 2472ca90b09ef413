import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../../support/gateway-under-test.ts'
import { Person } from '../../support/issuer/browser-less-person.ts'
import { runAudgate } from '../../support/programs/command-line.ts'
import { type Serving, serve } from '../../support/serving.ts'
import { type Family, SECRETS, startTwoInstances, type TwoInstances } from '../../support/several-instances.ts'
import { look } from '../../support/split-audgate.ts'

let two: TwoInstances

before(async () => {
  two = await startTwoInstances()
})
after(() => two.close())

describe('instances of one database', () => {
  it('`keys rotate` beside A: B publishes the new key before anybody signs with it', async () => {
    const before = await keysAt(two.b.url)
    await two.command(['keys', 'rotate'])
    for (const { url } of [two.a, two.b])
      await until(async () => (await keysAt(url)).length === before.length + 1, `published at ${url}`, 5_000)
    const { access } = await two.signIn()
    const { kid } = JSON.parse(Buffer.from(access.split('.')[0] ?? '', 'base64url').toString('utf8'))
    assert.ok(before.includes(kid), 'the old key signs until every gateway knows the new one')
    assert.deepEqual(await keysAt(two.a.url), await keysAt(two.b.url))
  })

  it('an act by command is in force at both within a second', async () => {
    const { access: token } = await two.signIn()
    assert.equal(await look(two.b.url, token), '200')
    await two.command(['revoke', '--client', 'app'])
    for (const { url } of [two.a, two.b]) {
      await until(async () => (await look(url, token)) === '401 revoked', `refused at ${url}`, 1_000)
    }
  })

  it('a secret in a file with a line end is the same as in the variable', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'audgate-secret-'))
    const file = join(folder, 'secret')
    writeFileSync(file, `${SECRETS.AUDGATE_SECRET}\n`)
    try {
      const env = { AUDGATE_SECRET: '', AUDGATE_SECRET_FILE: file }
      const checked = await runAudgate(two.a.folder, ['store', 'check'], '', env)
      assert.equal(checked.code, 0, checked.stderr)
      const third = await two.start('file', { env })
      const { refresh, access } = await two.signIn()
      assert.equal(await look(third.url, access), '200')
      assert.equal((await two.refresh(third.url, refresh)).status, 200)
      two.targets = [two.a.url, two.b.url]
      await leave(third)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('a pool of one connection and 100 parallel refreshes: no deadlock', async () => {
    const third = await two.start('narrow', { store: `{ url: "${two.storeUrl}", pool: 1 }` })
    const person = new Person(two.publicUrl, 'alice')
    await two.signIn(person)
    const families: Family[] = []
    while (families.length < 20) families.push(await two.signIn(person))
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, n) => two.refresh(third.url, families[n % families.length]?.refresh)),
    )
    const statuses = answers.map(({ status }) => status)
    assert.ok(
      statuses.every((status) => status === 200 || status === 503),
      `${statuses}`,
    )
    // Who was told to come back does, and has the answer of the others.
    for (const { refresh } of families) assert.equal((await two.refresh(third.url, refresh)).status, 200)
    await leave(third)
  })

  it('an instance with another secret does not start, and says why', async () => {
    const third = await serve(two.fileOf('c'), {
      ...SECRETS,
      AUDGATE_SECRET: 'quite another secret',
    })
    const { code: exit, stderr } = await third.ended()
    await third.remove()
    assert.equal(exit, 2)
    assert.match(stderr, /sealed with another secret/)
  })

  it('without a secret the file is refused', async () => {
    const checked = await runAudgate(two.a.folder, ['check'], '', { AUDGATE_SECRET: '' })
    assert.notEqual(checked.code, 0)
    assert.match(checked.stdout + checked.stderr, /needs AUDGATE_SECRET/)
  })

  it('a refresh is one transaction of at most 16 statements, an introspection at most three that write nothing', async () => {
    const { refresh: token, access } = await two.signIn()
    let renewal: string | undefined = token
    let refreshing: readonly string[] = []
    // Now and then one of them tidies up what is kept of the family.
    const tidies = (sql: string): boolean => sql.startsWith("DELETE FROM models WHERE model = 'RefreshToken'")
    // Instances ask for themselves, too, now and then: one time without that tells.
    for (let tries = 0; tries < 5; tries += 1) {
      const statements = await asked(async () => {
        renewal = (await two.refresh(two.a.url, renewal)).body.refresh_token
      })
      refreshing = statements.map(({ sql }) => sql).filter((sql) => isRequests(sql) && !tidies(sql))
      if (refreshing.length <= 16) break
    }
    assert.ok(refreshing.length > 5 && refreshing.length <= 16, refreshing.join('\n'))
    assert.deepEqual(
      refreshing.filter((sql) => sql === 'BEGIN' || sql === 'COMMIT'),
      ['BEGIN', 'COMMIT'],
    )
    let asking: readonly string[] = []
    for (let tries = 0; tries < 5; tries += 1) {
      asking = (await asked(() => askIntrospection(two.a.url, access))).map(({ sql }) => sql).filter(isRequests)
      if (asking.length <= 3) break
    }
    assert.ok(asking.length > 0 && asking.length <= 3, asking.join('\n'))
    assert.ok(!asking.some((each) => /INSERT|UPDATE|DELETE/.test(each)), asking.join('\n'))
  })
})

describe('commands over all instances', () => {
  it('`instances` shows both, current and with one file', async () => {
    await until(async () => (await two.command(['instances'])).match(/ current/g)?.length === 2, 'both current', 10_000)
    const { instances } = JSON.parse(await two.command(['instances', '--json']))
    assert.deepEqual(
      instances.map(({ name }: { readonly name: string }) => name),
      ['a', 'b'],
    )
    assert.equal(new Set(instances.map(({ digest }: { readonly digest: string }) => digest)).size, 1)
  })

  it('`revoke --everywhere` returns when every instance has it', async () => {
    const { access: token } = await two.signIn()
    assert.match(await two.command(['revoke', '--client', 'app', '--everywhere']), /Every instance has it/)
    assert.deepEqual([await look(two.a.url, token), await look(two.b.url, token)], ['401 revoked', '401 revoked'])
  })

  it('`store check` says that it can be read and written; after `store restored` everybody signs in again', async () => {
    assert.match(await two.command(['store', 'check']), /can be read and written: \d users, \d clients/)
    assert.match(await two.command(['store', 'migrate']), /up to date/)
    const { access: token, refresh: renewal } = await two.signIn()
    await two.command(['store', 'restored'])
    await until(async () => (await look(two.b.url, token)) === '401 revoked', 'the token of before', 1_500)
    assert.equal((await two.refresh(two.a.url, renewal)).body.error, 'invalid_grant')
    assert.equal(await look(two.a.url, (await two.signIn()).access), '200')
  })
})

async function askIntrospection(origin: string, token: string): Promise<void> {
  const body = new URLSearchParams({ token, client_id: 'app' })
  await (await fetch(`${origin}/oauth/introspect`, { method: 'POST', body })).text()
}

interface Statement {
  /** Of the database's process, which is one connection. */
  readonly pid: string
  readonly sql: string
}

/** What the database was asked meanwhile. */
async function asked(work: () => Promise<unknown>): Promise<readonly Statement[]> {
  const { postgres } = two
  const set = async (...lines: string[]): Promise<void> => {
    for (const line of [...lines, 'SELECT pg_reload_conf()']) await postgres.query('postgres', line)
    await delay(200)
  }
  await set("ALTER SYSTEM SET log_line_prefix = '%p '", "ALTER SYSTEM SET log_statement = 'all'")
  const from = postgres.log().length
  await work()
  await delay(100)
  const logged = postgres.log().slice(from)
  await set('ALTER SYSTEM RESET log_statement')
  return [...logged.matchAll(/^(\d+) LOG: {2}(?:statement|execute <unnamed>): (.*)/gm)].map(
    ([, pid = '', sql = '']) => ({ pid, sql: sql.trim() }),
  )
}

/** Not what instances ask all the time, whatever is requested. */
function isRequests(sql: string): boolean {
  return !/FROM feed|FROM revocations|FROM audits|pg_reload_conf|ALTER SYSTEM|named_values|instances|sweep/.test(sql)
}

/** Ends an instance that a test has started for itself. */
async function leave(instance: Serving): Promise<void> {
  two.targets = two.targets.filter((url) => url !== instance.url)
  instance.signal('SIGTERM')
  await instance.ended()
  await instance.remove()
}

/** Key ids that an instance publishes. */
async function keysAt(origin: string): Promise<readonly string[]> {
  const { keys }: { readonly keys: readonly { readonly kid: string }[] } = JSON.parse(
    await (await fetch(`${origin}/oauth/jwks`)).text(),
  )
  return keys.map(({ kid }) => kid).sort()
}
