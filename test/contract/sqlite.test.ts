import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { openSqlite, type SqliteEngine } from '../../src/store/sqlite/engine.ts'
import { MIGRATIONS } from '../../src/store/sqlite/schema.ts'
import { openSqliteStore, sqliteStore } from '../../src/store/sqlite.ts'
import { type Store, StoreError } from '../../src/store/store.ts'
import { storeContract } from './store.contract.ts'
import { aClient, anAct, aUser } from './store-records.ts'

const WRITER = join(import.meta.dirname, 'store-writer.ts')
const EXPIRES = 2_000_000_000
const run = promisify(execFile)

describe('SQLite store', () => {
  const folder = mkdtempSync(join(tmpdir(), 'audgate-store-'))
  let files = 0
  const freshPath = (): string => join(folder, `${files++}`, 'audgate.db')
  after(() => rmSync(folder, { recursive: true, force: true }))

  describe('the contract', () => storeContract(() => openSqliteStore(freshPath())))
  describe('on disk', () => onDisk(freshPath))
  describe('several processes', () => severalProcesses(freshPath))
  describe('faults', () => faults(freshPath))
})

function onDisk(freshPath: () => string): void {
  it('makes folder and files for its owner alone', { skip: process.platform === 'win32' }, async () => {
    const path = freshPath()
    const store = await openSqliteStore(path)
    await store.addUser(aUser())
    const folder = join(path, '..')
    assert.equal(statSync(folder).mode & 0o777, 0o700)
    for (const file of readdirSync(folder)) assert.equal(statSync(join(folder, file)).mode & 0o777, 0o600, file)
    await store.close()
  })

  it('keeps everything over a restart', async () => {
    const path = freshPath()
    const first = await openSqliteStore(path)
    await first.addClient(aClient({ id: 'c' }))
    await first.putModel('RefreshToken', 'rt', { n: 1 }, { grantId: 'G' }, EXPIRES)
    const entries = await first.act(
      anAct({ revocations: [{ kind: 'client', key: 'c', notBeforeMs: 7, expiresAt: EXPIRES }] }),
    )
    await first.close()
    const second = await openSqliteStore(path, { create: false })
    assert.deepEqual(await second.revocations(0, 1), entries)
    assert.deepEqual(await second.model('RefreshToken', 'rt'), { n: 1 })
    assert.notEqual(await second.client('c'), undefined)
    await second.close()
  })

  it('a copy of the file gives away no code, token, session or user code', async () => {
    const path = freshPath()
    const store = await openSqliteStore(path)
    const secrets = [
      'SECRET-refresh',
      'SECRET-grant',
      'SECRET-session',
      'SECRET-uid',
      'SECRET-user-code',
      'SECRET-name',
    ]
    const [refresh = '', grantId = '', session = '', uid = '', userCode = '', name = ''] = secrets
    await store.putModel('RefreshToken', refresh, { jti: refresh, grantId }, { grantId }, EXPIRES)
    await store.putModel('Grant', grantId, { jti: grantId }, {}, EXPIRES)
    await store.putModel('Session', session, { jti: session, uid }, { uid, accountId: 'u' }, EXPIRES)
    await store.putModel('DeviceCode', 'SECRET-device', { userCode }, { userCode }, EXPIRES)
    await store.countFailure(`account ${name}`, 1, 0, EXPIRES)
    await store.close()
    assert.equal(readFileSync(path).includes('SECRET'), false)
  })

  it('keys of revocations that an earlier release parted by U+0000 are parted by a space', async () => {
    const path = freshPath()
    mkdirSync(join(path, '..'))
    const old = new DatabaseSync(path)
    old.exec(MIGRATIONS[0] ?? '')
    old.exec('PRAGMA user_version = 1; PRAGMA application_id = 1635083367')
    const put = old.prepare('INSERT INTO revocations (kind, key, not_before_ms, expires_at) VALUES (?, ?, 1, ?)')
    for (const [kind, key] of [
      ['sub_group', 'usr_1\0photos of all'],
      ['sub_client', 'usr_1\0cli'],
      ['jti', 'plain'],
    ] as const)
      put.run(kind, key, EXPIRES)
    old.close()
    const store = await openSqliteStore(path)
    const keys = (await store.revocations(0, 1)).map(({ key }) => key)
    assert.deepEqual(keys, ['usr_1 photos of all', 'usr_1 cli', 'plain'])
    await store.close()
  })

  it('an act waits until the disk has it; codes and counters do not', async () => {
    const engine = await openSqlite(freshPath(), true)
    const steps: string[] = []
    const begin: SqliteEngine['begin'] = async () => {
      const open = await engine.begin()
      return { ...open, commit: (durability) => open.commit(durability).finally(() => steps.push(durability)) }
    }
    const store = sqliteStore({ ...engine, begin }, Date.now)
    await store.act(anAct({ revocations: [{ kind: 'jti', key: 'j', notBeforeMs: 1, expiresAt: EXPIRES }] }))
    await store.countFailure('key', 1, 0, EXPIRES)
    assert.deepEqual(steps, ['disk', 'usual'])
    await store.close()
  })

  it('prints nothing on its own, no notice about SQLite either', async () => {
    const script = `import { openSqliteStore } from ${JSON.stringify(join(import.meta.dirname, '../../src/store/sqlite.ts'))}
      await (await openSqliteStore(':memory:')).close()`
    const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', script])
    assert.equal(stdout + stderr, '')
  })
}

function severalProcesses(freshPath: () => string): void {
  it('of 200 codes that four processes redeem at once, each is redeemed once', async () => {
    const path = freshPath()
    const store = await openSqliteStore(path)
    for (let n = 0; n < 200; n++) await store.putModel('AuthorizationCode', `code-${n}`, {}, {}, EXPIRES)
    const outputs = await Promise.all([1, 2, 3, 4].map(() => run(process.execPath, [WRITER, path, 'consume'])))
    const won = outputs.flatMap(({ stdout }): number[] => JSON.parse(stdout))
    assert.equal(won.length, 200)
    assert.equal(new Set(won).size, 200)
    await store.close()
  })

  it('stores that are opened side by side on a new file agree on its tables', async () => {
    const path = freshPath()
    const stores = await Promise.all([1, 2, 3, 4].map(() => openSqliteStore(path)))
    await stores[0]?.addUser(aUser())
    assert.equal((await stores[3]?.users())?.length, 1)
    await Promise.all(stores.map((store) => store.close()))
  })

  it('tells of another connection’s change within 250 ms', async () => {
    const path = freshPath()
    const [one, other] = [await openSqliteStore(path), await openSqliteStore(path)]
    const changed = new Promise<number>((resolve) => {
      one.subscribe(() => resolve(performance.now()))
    })
    await other.putModel('AccessToken', 'quiet', {}, {}, EXPIRES)
    const at = performance.now()
    await other.act(anAct({ revocations: [{ kind: 'jti', key: 'j', notBeforeMs: 1, expiresAt: EXPIRES }] }))
    assert.ok((await changed) - at < 250)
    await Promise.all([one.close(), other.close()])
  })

  it('a process that is killed in the middle of acts leaves whole acts only', async () => {
    const path = freshPath()
    const child = spawn(process.execPath, [WRITER, path, 'acts'], { stdio: ['ignore', 'pipe', 'inherit'] })
    const seen = await killAfter(child, 40)
    const store = await openSqliteStore(path, { create: false })
    const lines = await store.audits(10_000)
    const entries = await store.revocations(0, 1)
    assert.ok(lines.length >= seen, `${lines.length} acts for ${seen} that were confirmed`)
    assert.equal(entries.length, lines.length * 3)
    await store.close()
  })

  it('waits for another writer instead of failing', async () => {
    const path = freshPath()
    const store = await openSqliteStore(path)
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    const adding = store.addUser(aUser())
    // Reads go on meanwhile, and so does the event loop.
    assert.deepEqual(await store.users(), [])
    other.exec('COMMIT')
    other.close()
    assert.equal(await adding, 'added')
    await store.close()
  })
}

async function killAfter(child: ChildProcess, lines: number): Promise<number> {
  let output = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString()
    if (output.split('\n').length > lines) child.kill('SIGKILL')
  })
  await once(child, 'close')
  return output.split('\n').length - 1
}

function faults(freshPath: () => string): void {
  const isStoreError = (message: RegExp) => (error: unknown) => {
    assert.ok(error instanceof StoreError, String(error))
    assert.match(error.message, message)
    assert.ok(error.hint.length > 10)
    return true
  }

  it('an act of which one statement fails leaves nothing behind', async () => {
    const path = freshPath()
    const store = await openSqliteStore(path)
    await store.addUser(aUser({ sub: 'u' }))
    const other = new DatabaseSync(path)
    // The audit line is the last thing that an act writes.
    other.exec("CREATE TRIGGER fault BEFORE INSERT ON audits BEGIN SELECT RAISE(ABORT, 'fault'); END")
    other.close()
    const act = anAct({
      revocations: [{ kind: 'sub', key: 'u', notBeforeMs: 1, expiresAt: EXPIRES }],
      setUser: { sub: 'u', disabled: true },
    })
    await assert.rejects(store.act(act), StoreError)
    assert.deepEqual(await store.revocations(0, 1), [])
    assert.equal((await store.userBySub('u'))?.disabled, false)
    await store.close()
  })

  it('says that the disk is full, and goes on when there is room again', async () => {
    const engine = await openSqlite(freshPath(), true)
    const store = sqliteStore(engine, Date.now)
    const pages = Number(Object.values(engine.pragma('page_count') ?? {})[0])
    engine.pragma(`max_page_count = ${pages + 2}`)
    const fill = async (): Promise<void> => {
      for (let n = 0; n < 50; n++) await store.putValue(`v${n}`, 'x'.repeat(4000))
    }
    await assert.rejects(fill(), isStoreError(/disk is full/))
    engine.pragma('max_page_count = 100000')
    await fill()
    await store.close()
  })

  it('says that the file is read-only', async () => {
    const engine = await openSqlite(freshPath(), true)
    const store: Store = sqliteStore(engine, Date.now)
    engine.pragma('query_only = 1')
    await assert.rejects(store.addUser(aUser()), isStoreError(/read-only/))
    assert.deepEqual(await store.users(), [])
    await store.close()
  })

  it('says that another process holds the lock, after five seconds in which the event loop was free', async () => {
    const path = freshPath()
    const store = await openSqliteStore(path)
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    let turns = 0
    const timer = setInterval(() => {
      turns += 1
    }, 10)
    await assert.rejects(store.addUser(aUser()), isStoreError(/locked/))
    clearInterval(timer)
    assert.ok(turns > 20, `${turns} turns`)
    other.close()
    await store.close()
  })

  it('forty who wait for a lock of another process hold up nobody else', async () => {
    const path = freshPath()
    const store = await openSqliteStore(path)
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    const delays = monitorEventLoopDelay({ resolution: 1 })
    delays.enable()
    const cpu = process.cpuUsage()
    const adding = Array.from({ length: 40 }, (_, n) => store.addUser(aUser({ sub: `${n}`, username: `${n}` })))
    for (let n = 0; n < 50; n++) await store.users()
    await new Promise((resolve) => setTimeout(resolve, 400))
    delays.disable()
    const { user, system } = process.cpuUsage(cpu)
    other.exec('COMMIT')
    other.close()
    assert.deepEqual([...new Set(await Promise.all(adding))], ['added'])
    // Waiting costs no time of this process: it neither blocks nor spins.
    assert.ok(user + system < 350_000, `${user + system} µs of CPU, delays up to ${delays.max / 1e6} ms`)
    await store.close()
  })

  it('says that a file is no database', async () => {
    const path = freshPath()
    mkdirSync(join(path, '..'))
    writeFileSync(path, 'resources:\n'.repeat(100))
    await assert.rejects(openSqliteStore(path), isStoreError(/not a database/))
  })

  it('says at the start of a server that the file is damaged', async () => {
    const path = freshPath()
    const store = await openSqliteStore(path)
    for (let n = 0; n < 200; n++) await store.audit('x', { text: 'y'.repeat(500) }, n)
    await store.close()
    const bytes = readFileSync(path)
    bytes.fill(0x5a, bytes.length - 8192, bytes.length - 4096)
    writeFileSync(path, bytes)
    await assert.rejects(openSqliteStore(path, { checked: true }), isStoreError(/damaged/))
  })

  it('says that a database is another program’s, and leaves it alone', async () => {
    const path = freshPath()
    mkdirSync(join(path, '..'))
    const other = new DatabaseSync(path)
    other.exec('CREATE TABLE users (a)')
    other.close()
    await assert.rejects(openSqliteStore(path), isStoreError(/another program/))
  })

  it('says that a database was made by a newer audgate', async () => {
    const path = freshPath()
    await (await openSqliteStore(path)).close()
    const other = new DatabaseSync(path)
    other.exec('PRAGMA user_version = 99')
    other.close()
    await assert.rejects(openSqliteStore(path), isStoreError(/newer audgate/))
  })

  it('says that a part of the path is a file', async () => {
    const path = freshPath()
    mkdirSync(join(path, '..'))
    writeFileSync(path, '')
    await assert.rejects(openSqliteStore(join(path, 'deeper', 'audgate.db')), isStoreError(/no folder/))
  })

  it('does not make a file when it was told not to', async () => {
    await assert.rejects(openSqliteStore(freshPath(), { create: false }), isStoreError(/not there/))
  })

  describe('without the right to write', { skip: process.getuid?.() === 0 ? 'root may write anywhere' : false }, () => {
    let path = ''
    before(() => {
      path = freshPath()
      mkdirSync(join(path, '..'), { mode: 0o500 })
    })
    after(() => chmodSync(join(path, '..'), 0o700))
    it('says so', () => assert.rejects(openSqliteStore(path), isStoreError(/no permission/)))
  })
}
