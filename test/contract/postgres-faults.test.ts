import assert from 'node:assert/strict'
import { execFile, execFileSync, spawn } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { openPostgresStore } from '../../src/store/postgres.ts'
import { createRevocationReader } from '../../src/store/revocation-reader.ts'
import { StoreError } from '../../src/store/store.ts'
import { type PostgresUnderTest, startPostgres } from '../support/programs/postgres.ts'
import { anAct } from './store-records.ts'

const WRITER = join(import.meta.dirname, 'store-writer.ts')
const EXPIRES = 2_000_000_000
const run = promisify(execFile)

let postgres: PostgresUnderTest
before(async () => {
  postgres = await startPostgres()
})
after(() => postgres.close())

const data = () => join(postgres.folder, 'server')
const isStoreError = (message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof StoreError, String(error))
  assert.match(error.message, message)
  assert.ok(error.hint.length > 10)
  assert.doesNotMatch(JSON.stringify([error.message, error.hint]), /hunter/)
  return true
}

/** Puts a file into the server's folder, as the server's own. */
function place(name: string, content: string | Buffer): void {
  const path = join(data(), name)
  writeFileSync(path, content)
  chmodSync(path, 0o600)
  const { uid, gid } = statSync(data())
  chownSync(path, uid, gid)
}

async function reload(): Promise<void> {
  await postgres.query('postgres', 'SELECT pg_reload_conf()')
  await delay(200)
}

describe('several processes on PostgreSQL', () => {
  it('of 200 codes that four processes redeem at once, amid acts of others, each is redeemed once', async () => {
    const options = await postgres.database()
    const store = await openPostgresStore(options)
    for (let n = 0; n < 200; n++) await store.putModel('AuthorizationCode', `code-${n}`, {}, {}, EXPIRES)
    const place = JSON.stringify(options)
    const acts = run(process.execPath, [WRITER, place, 'acts', '50'])
    const outputs = await Promise.all([1, 2, 3, 4].map(() => run(process.execPath, [WRITER, place, 'consume'])))
    const won = outputs.flatMap(({ stdout }): number[] => JSON.parse(stdout))
    assert.deepEqual([won.length, new Set(won).size], [200, 200])
    await acts
    assert.equal((await store.revocations(0, 1)).length, 150)
    await store.close()
  })

  it('a process that is killed in the middle of acts leaves whole acts only', async () => {
    const options = await postgres.database()
    const store = await openPostgresStore(options)
    const child = spawn(process.execPath, [WRITER, JSON.stringify(options), 'acts'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let seen = 0
    for await (const chunk of child.stdout) {
      seen += String(chunk).split('\n').length - 1
      if (seen >= 20) child.kill('SIGKILL')
    }
    const lines = await store.audits(10_000)
    assert.ok(lines.length >= seen, `${lines.length} acts for ${seen} that were confirmed`)
    assert.equal((await store.revocations(0, 1)).length, lines.length * 3)
    await store.close()
  })
})

describe('the position of the revocations', () => {
  it('a reader of 500 acts by two processes has all in ascending order without a gap; an act that is held open is never overtaken; a foreign transaction delays nothing', async () => {
    const options = await postgres.database()
    const store = await openPostgresStore(options)
    const { folder: host, port } = postgres
    const client = () => new pg.Client({ host, port, user: 'audgate', database: options.database })
    const [foreign, held] = [client(), client()]
    await Promise.all([foreign.connect(), held.connect()])
    // It has a number of its own among the transactions, older than all that follow.
    await foreign.query('CREATE TABLE foreign_rows (n int)')
    await foreign.query('BEGIN')
    await foreign.query('INSERT INTO foreign_rows VALUES (1)')
    const reader = createRevocationReader(store)
    const ids: number[] = []
    const read = async (): Promise<void> => {
      const page = await reader.read(1)
      assert.equal(page.rewound, false)
      ids.push(...page.entries.map(({ id }) => id))
      if (page.more) await read()
    }
    const place = JSON.stringify(options)
    const state = { over: false }
    const acts = Promise.all([1, 2].map(() => run(process.execPath, [WRITER, place, 'acts', '250']))).finally(() => {
      state.over = true
    })
    while (ids.length < 100) await read()
    await held.query('BEGIN')
    const { rows } = await held.query('UPDATE feed SET position = position + 1 RETURNING position')
    const number = Number(rows[0]?.position)
    for (const until = performance.now() + 500; performance.now() < until; await read()) {
      assert.ok((ids.at(-1) ?? 0) < number, 'overtaken')
    }
    await held.query(`INSERT INTO revocations VALUES (${number}, 'jti', 'held', 1, ${EXPIRES})`)
    await held.query('COMMIT')
    while (!state.over) await read()
    await acts
    await read()
    await foreign.query('ROLLBACK')
    await Promise.all([foreign.end(), held.end(), store.close()])
    assert.deepEqual(
      ids,
      Array.from({ length: 500 * 3 + 1 }, (_, n) => n + 1),
    )
  })
})

describe('a pool whose connections are all in use', () => {
  it('is waited for once, however many hosts there are, and the error names the pool', async (context) => {
    const options = await postgres.database({ pool: 2 })
    const hosts = [...options.hosts, { host: '127.0.0.1', port: 9 }, { host: '127.0.0.1', port: 10 }]
    const codes: string[] = []
    const meter = { failed: (code: string) => void codes.push(code), took() {}, ended() {}, waited() {} }
    const store = await openPostgresStore({ ...options, hosts, meter })
    const free = Promise.withResolvers<void>()
    const held = Promise.withResolvers<void>()
    const holding = store.unit(
      async () => {
        await store.putValue('held', 'yes')
        held.resolve()
        await free.promise
      },
      () => true,
    )
    await held.promise
    const connect = context.mock.method(pg.Pool.prototype, 'connect')
    await assert.rejects(store.putValue('other', 'no'), isStoreError(/no connection was free in time/))
    assert.equal(connect.mock.callCount(), 1)
    assert.deepEqual(codes, ['POOL_FULL'])
    free.resolve()
    await holding
    assert.equal(await store.value('held'), 'yes')
    await store.close()
  })
})

describe('a password', () => {
  it('is asked for, and taken; without it or with a wrong one the error says what to do and shows none', async () => {
    const hba = readFileSync(join(data(), 'pg_hba.conf'), 'utf8')
    place('pg_hba.conf', `host all guarded 127.0.0.1/32 scram-sha-256\n${hba}`)
    await reload()
    await postgres.query('postgres', "CREATE ROLE guarded LOGIN PASSWORD 'hunter2 is right'")
    await postgres.query('postgres', 'CREATE DATABASE guarded OWNER guarded')
    const options = await postgres.database({
      hosts: [{ host: '127.0.0.1', port: postgres.port }],
      user: 'guarded',
      database: 'guarded',
    })
    await assert.rejects(openPostgresStore(options), isStoreError(/wants a password/))
    await assert.rejects(
      openPostgresStore({ ...options, password: 'hunter2 is wrong' }),
      isStoreError(/password is refused/),
    )
    const store = await openPostgresStore({ ...options, password: 'hunter2 is right' })
    await store.act(anAct({ revocations: [{ kind: 'jti', key: 'j', notBeforeMs: 1, expiresAt: EXPIRES }] }))
    assert.equal((await store.position()).id, 1)
    await store.close()
  })
})

describe('TLS to the database', () => {
  /** 127.0.0.1 by names that are none of those that need no TLS. */
  const [NAMED, MISNAMED] = ['LOCALHOST', '127.1']

  it('is wanted of every host that is not this machine, and verified: authority and name', async () => {
    const over = { hosts: [{ host: NAMED, port: postgres.port }] }
    await assert.rejects(openPostgresStore(await postgres.database(over)), isStoreError(/has no TLS/))
    certify(postgres.folder, NAMED)
    for (const name of ['server.crt', 'server.key']) place(name, readFileSync(join(postgres.folder, name)))
    await postgres.query('postgres', 'ALTER SYSTEM SET ssl = on')
    await reload()
    const ca = join(postgres.folder, 'ca.crt')
    const store = await openPostgresStore(await postgres.database({ ...over, ca, instance: 'over-tls' }))
    const [row] = await postgres.query(
      'postgres',
      "SELECT bool_and(ssl) AS ssl, count(*)::int AS count FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'audgate/over-tls'",
    )
    assert.deepEqual([row?.ssl, Number(row?.count) > 0], [true, true])
    await store.close()
    await assert.rejects(openPostgresStore(await postgres.database(over)), isStoreError(/not trusted/))
    const misnamed = { hosts: [{ host: MISNAMED, port: postgres.port }], ca }
    await assert.rejects(openPostgresStore(await postgres.database(misnamed)), isStoreError(/for another name/))
  })

  /** An authority, and a certificate of it for `name`. */
  function certify(folder: string, name: string): void {
    const path = (file: string): string => join(folder, file)
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' })
    const authority = ['-keyout', path('ca.key'), '-out', path('ca.crt'), '-subj', '/CN=Test authority']
    openssl('req', '-x509', ...key, ...authority)
    openssl('req', ...key, '-keyout', path('server.key'), '-out', path('server.csr'), '-subj', `/CN=${name}`)
    writeFileSync(path('names'), `subjectAltName=DNS:${name.toLowerCase()}`)
    const signing = ['-CA', path('ca.crt'), '-CAkey', path('ca.key'), '-CAcreateserial', '-extfile', path('names')]
    openssl('x509', '-req', '-in', path('server.csr'), ...signing, '-out', path('server.crt'))
  }
})

const canMount = process.getuid?.() === 0

describe('a disk that is full', { skip: canMount ? false : 'only root can mount a small disk' }, () => {
  it('acts fail and say so; when there is room again, everything works', async () => {
    const disk = join(postgres.folder, 'disk')
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m,mode=777', 'tmpfs', disk])
    try {
      const space = join(disk, 'space')
      mkdirSync(space)
      const { uid, gid } = statSync(data())
      chownSync(space, uid, gid)
      await postgres.query('postgres', `CREATE TABLESPACE small LOCATION '${space}'`)
      await postgres.query('postgres', 'CREATE DATABASE small TABLESPACE small')
      const options = await postgres.database({ database: 'small' })
      const store = await openPostgresStore(options)
      const act = (n: number) =>
        store.act(
          anAct({ revocations: [{ kind: 'jti', key: `${n}`.padEnd(900, '.'), notBeforeMs: 1, expiresAt: EXPIRES }] }),
        )
      await act(0)
      fill(join(disk, 'ballast'))
      let done = 0
      await assert.rejects(
        async () => {
          for (; done < 10_000; done += 1) await act(done + 1)
        },
        isStoreError(/disk is full/),
      )
      const before = (await store.revocations(0, 1)).length
      assert.equal(before, done + 1, 'an act that failed left nothing')
      assert.equal((await store.position()).id, before)
      rmSync(join(disk, 'ballast'))
      for (let n = 0; n < 20; n += 1) await act(20_000 + n)
      assert.equal((await store.revocations(0, 1)).length, before + 20)
      await store.close()
    } finally {
      execFileSync('umount', ['-l', disk])
    }
  })

  /** Writes until there is no room. */
  function fill(path: string): void {
    const piece = Buffer.alloc(2 ** 16)
    for (let size = piece.length; size >= 4_096; ) {
      try {
        writeFileSync(path, piece.subarray(0, size), { flag: 'a' })
      } catch {
        size /= 2
      }
    }
  }
})
