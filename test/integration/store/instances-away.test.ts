import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../../support/gateway-under-test.ts'
import { Person, post } from '../../support/issuer/browser-less-person.ts'
import { type PgbouncerUnderTest, startPgbouncer } from '../../support/programs/pgbouncer.ts'
import { type StallProxy, startStallProxy } from '../../support/programs/stall-proxy.ts'
import type { Serving } from '../../support/serving.ts'
import { type SeveralInstances, startSeveralInstances, statusOf } from '../../support/several-instances.ts'
import { look } from '../../support/split-audgate.ts'

const STALE_MS = 5_000
/** What a loud machine may add to a bound. */
const SLACK_MS = 1_500

let several: SeveralInstances
let a: Serving
/** Reaches the database by the proxy, and takes it for a pooler. */
let b: Serving
/** Follows B. */
let gateway: Serving
let proxy: StallProxy
let pooler: PgbouncerUnderTest
const alice = () => new Person(several.publicUrl, 'alice')

before(async () => {
  several = await startSeveralInstances('stale_after: 5s')
  pooler = await startPgbouncer(several.postgres)
  proxy = await startStallProxy(several.postgres.port)
  a = await several.start('a')
  const url = several.storeUrl.replace(/:\d+\//, `:${proxy.port}/`)
  b = await several.start('b', { store: `{ url: "${url}", pooler: transaction }` })
  await several.addPerson('alice')
  await several.addApp('app')
  gateway = await several.startGateway([b.url])
})
after(async () => {
  await several.close()
  await proxy.close()
  await pooler.close()
})

/** Revokes an access or refresh token at an instance, as its client does; the act has been answered when this resolves. */
async function revokeAt({ url }: Serving, token: string): Promise<void> {
  const { status } = await post(`${url}/oauth/revoke`, { token, client_id: 'app' }, { connection: 'close' })
  assert.equal(status, 200)
}

/** Access tokens of one family; each is good for itself. */
async function accessTokens(count: number): Promise<readonly string[]> {
  const tokens: string[] = []
  let { access, refresh } = await several.signIn(alice())
  for (; tokens.length < count; tokens.push(access)) {
    const { body } = await several.refresh(a.url, refresh)
    access = body.access_token ?? ''
    refresh = body.refresh_token ?? ''
  }
  return tokens
}

/** The longest time from an act's answer at `by` to its refusal at any of `at`. */
async function slowestRefusal(by: Serving, at: readonly Serving[], tokens: readonly string[]): Promise<number> {
  const lines = 5
  const times: number[] = []
  const line = async (own: readonly string[]): Promise<void> => {
    for (const token of own) {
      for (const { url } of at) assert.equal(await look(url, token), '200')
      await revokeAt(by, token)
      const answered = performance.now()
      for (const { url } of at) await until(async () => (await look(url, token)) === '401 revoked', `at ${url}`)
      times.push(performance.now() - answered)
    }
  }
  await Promise.all(Array.from({ length: lines }, (_, n) => line(tokens.filter((_, m) => m % lines === n))))
  return Math.max(...times)
}

describe('an act at one instance', () => {
  it('answered at A is refused at B within a second, and at a gateway that follows B', async () => {
    const slowest = await slowestRefusal(a, [b, gateway], await accessTokens(50))
    assert.ok(slowest <= 1_000 + SLACK_MS, `${slowest} ms`)
  })

  it('… and so it is through pgbouncer in transaction mode, in both directions', async () => {
    proxy.target = pooler.port
    proxy.cut()
    await until(async () => (await statusOf(`${b.managementUrl}/readyz/issuer`)) === 200, 'B is back', 10_000)
    const tokens = await accessTokens(50)
    const slowest = await slowestRefusal(a, [b, gateway], tokens.slice(0, 25))
    const back = await slowestRefusal(b, [a], tokens.slice(25))
    const { refresh } = await several.signIn(alice())
    assert.equal((await several.refresh(b.url, refresh)).status, 200)
    assert.ok(Math.max(slowest, back) <= 1_000 + SLACK_MS, `${slowest} ms, ${back} ms`)
    proxy.target = several.postgres.port
    proxy.cut()
  })
})

interface Seen {
  readonly atMs: number
  readonly own: string
  readonly victim: string
}

/** Asks with both tokens until `over`, one after the other, `own` first. */
async function watch(
  { url }: Serving,
  tokens: { readonly own: string; readonly victim: string },
  over: () => boolean,
): Promise<readonly Seen[]> {
  const seen: Seen[] = []
  while (!over()) {
    const own = await look(url, tokens.own)
    const atMs = performance.now()
    seen.push({ atMs, own, victim: await look(url, tokens.victim) })
    await delay(20)
  }
  return seen
}

describe('an instance that the database stalls for', () => {
  it('refuses own tokens when its knowledge is too old, goes on with all else, and refuses what was revoked before it admits any other', async () => {
    const [own, victim] = [(await several.signIn(alice())).access, await several.signIn(alice())]
    for (const { url } of [b, gateway]) {
      assert.deepEqual([await look(url, own), await look(url, victim.access)], ['200', '200'])
    }
    const state = { over: false }
    const watching = [b, gateway].map((each) => watch(each, { own, victim: victim.access }, () => state.over))
    proxy.stall()
    const stalled = performance.now()
    await revokeAt(a, victim.refresh)
    const answered = performance.now()
    for (const { url } of [b, gateway]) {
      await until(async () => (await look(url, own)) === '503 verifier_unavailable', `stale at ${url}`, 10_000)
      assert.equal(await statusOf(`${url}/open/1`), 200)
      const foreign = { headers: { authorization: `Bearer ${several.foreignToken()}` } }
      const answer = await fetch(`${url}/files/1`, foreign)
      assert.equal(answer.status, 200, await answer.text())
    }
    assert.equal(await statusOf(`${b.managementUrl}/readyz/issuer`), 503)
    await delay(1_000)
    proxy.resume()
    const resumed = performance.now()
    for (const { url } of [b, gateway]) {
      await until(async () => (await look(url, own)) === '200', `back at ${url}`, 15_000)
      assert.equal(await look(url, victim.access), '401 revoked')
    }
    state.over = true
    const refusedAt: number[] = []
    for (const seen of await Promise.all(watching)) {
      const admitted = seen.filter(({ victim: said }) => said === '200').map(({ atMs }) => atMs - answered)
      const latest = Math.max(...admitted)
      assert.ok(latest <= STALE_MS + 1_000 + SLACK_MS, `the revoked token was taken ${latest} ms after the act`)
      const during = seen.filter(({ atMs }) => atMs > answered && atMs < resumed)
      const first = during.findIndex(({ own: said }) => said === '503 verifier_unavailable')
      assert.ok(first > 0)
      refusedAt.push((during[first]?.atMs ?? 0) - stalled)
      assert.ok(during.slice(first).every(({ own: said }) => said === '503 verifier_unavailable'))
      const after = seen.filter(({ own: said, atMs }) => said === '200' && atMs > resumed)
      assert.ok(after.every(({ victim: said }) => said === '401 revoked'))
    }
    const [atB = 0, atGateway = 0] = refusedAt
    assert.ok(atB >= STALE_MS - 1_000 && atB <= STALE_MS + 1_000 + SLACK_MS, `B refused own tokens after ${atB} ms`)
    // What a look takes on a busy machine.
    assert.ok(atGateway <= atB + 300, `the gateway behind B after ${atGateway} ms, B after ${atB} ms`)
  })

  it('a database that stops for less than that fails no request of the data path; for longer, own tokens are 503, and good a second after it goes on', async () => {
    const { access: own } = await several.signIn(alice())
    for (const { url } of [a, b, gateway]) assert.equal(await look(url, own), '200')
    several.postgres.pause()
    const stopped = performance.now()
    try {
      while (performance.now() - stopped < STALE_MS - 2_500) {
        for (const { url } of [a, b, gateway]) assert.equal(await look(url, own), '200')
        await delay(50)
      }
      for (const { url } of [a, b, gateway]) {
        await until(async () => (await look(url, own)) === '503 verifier_unavailable', `stale at ${url}`, 10_000)
        assert.ok(performance.now() - stopped > STALE_MS - 1_000)
      }
    } finally {
      several.postgres.resume()
    }
    const resumed = performance.now()
    for (const { url } of [a, b, gateway]) await until(async () => (await look(url, own)) === '200', `back at ${url}`)
    const took = performance.now() - resumed
    assert.ok(took <= 1_000 + SLACK_MS, `${took} ms`)
  })
})

describe('connections that break', () => {
  it('a cut that nobody is told of is noticed within seven seconds, by all connections', async () => {
    const families = await Promise.all(Array.from({ length: 9 }, () => several.signIn(alice())))
    // Each has a connection of its own.
    await Promise.all(families.map(({ refresh }) => several.refresh(b.url, refresh)))
    const { access } = await several.signIn(alice())
    assert.equal(await look(b.url, access), '200')
    proxy.forget()
    const cut = performance.now()
    await revokeAt(a, access)
    await until(async () => (await look(b.url, access)) === '401 revoked', 'B reads again', 12_000)
    const took = performance.now() - cut
    assert.ok(took <= 7_000 + SLACK_MS, `${took} ms`)
    const { refresh } = await several.signIn(alice())
    const answers = await Promise.all(
      [...families, { refresh }].map((family) => several.refresh(b.url, family.refresh).then(({ status }) => status)),
    )
    assert.deepEqual(new Set(answers), new Set([200]))
  })

  it('fifty cuts leave descriptors and memory as they were', async () => {
    const { refresh } = await several.signIn(alice())
    const cuts = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n += 1) {
        proxy.cut()
        await until(async () => (await several.refresh(b.url, refresh)).status === 200, 'B issues again', 10_000)
      }
    }
    await cuts(5)
    const before = footprint(b)
    await cuts(50)
    const now = footprint(b)
    assert.ok(now.descriptors <= before.descriptors + 10, `${before.descriptors} → ${now.descriptors} descriptors`)
    assert.ok(now.bytes <= before.bytes + 40e6, `${before.bytes} → ${now.bytes} bytes`)
  })
})

/** What the kernel says of a process. */
function footprint({ child }: Serving): { readonly descriptors: number; readonly bytes: number } {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
  const descriptors = readdirSync(`/proc/${child.pid}/fd`).length
  return { descriptors, bytes: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024 }
}

/** What a process has used of processors so far. The kernel counts in hundredths of a second. */
function processorSeconds({ child }: Serving): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

describe('`revoke --everywhere`', () => {
  it('with an instance that is stopped returns when that one has stopped trusting itself; woken, it does not take what was revoked', async () => {
    const { access } = await several.signIn(alice())
    for (const { url } of [b, gateway]) assert.equal(await look(url, access), '200')
    b.signal('SIGSTOP')
    const asked = look(b.url, access)
    const begin = performance.now()
    several.targets = [a.url]
    try {
      assert.match(await several.command(['revoke', '--user', 'alice', '--everywhere']), /Every instance has it/)
      const took = performance.now() - begin
      assert.ok(took >= STALE_MS - 1_500, `${took} ms: B knew nothing yet`)
      assert.ok(took <= STALE_MS + 2_000 + 2 * SLACK_MS, `${took} ms`)
      assert.match(await look(gateway.url, access), /^503|^401 revoked/)
    } finally {
      b.signal('SIGCONT')
      several.targets = [a.url, b.url]
    }
    assert.match(await asked, /^503|^401 revoked/)
    for (const { url } of [b, gateway]) await until(async () => (await look(url, access)) === '401 revoked', url, 5_000)
  })
})

describe('100,000 entries in force', () => {
  it('a new gateway serves within five seconds, and its memory grows by less than 60 MiB', async () => {
    const before = footprint(gateway).bytes
    await several.postgres.query(
      several.database,
      `WITH moved AS (UPDATE feed SET position = position + 100000, nonce = 'many' RETURNING position)
       INSERT INTO revocations (id, kind, key, not_before_ms, expires_at)
       SELECT position - 100000 + n, 'jti', md5(n::text) || md5((n + 1)::text), 0, extract(epoch FROM now())::bigint + 600
       FROM moved, generate_series(1, 100000) AS n`,
    )
    const [last] = await several.postgres.query(several.database, 'SELECT position FROM feed')
    await until(async () => (await positionOf('a')) === Number(last?.position), 'A has them', 20_000)
    const begin = performance.now()
    const fresh = await several.startGateway([a.url])
    const took = performance.now() - begin
    // Its own work says whether five seconds are kept where nobody else is at work.
    const worked = processorSeconds(fresh)
    assert.ok(worked < 5, `${worked} s of a processor`)
    assert.ok(took < 30_000, `${took} ms`)
    const grown = footprint(fresh).bytes - before
    assert.ok(grown < 60 * 2 ** 20, `${grown} bytes`)
  })
})

async function positionOf(name: string): Promise<number> {
  const sql = `SELECT position FROM instances WHERE name = '${name}'`
  return Number((await several.postgres.query(several.database, sql))[0]?.position)
}
