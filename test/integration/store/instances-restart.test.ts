import assert from 'node:assert/strict'
import { get } from 'node:http'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../../support/gateway-under-test.ts'
import { Person, post } from '../../support/issuer/browser-less-person.ts'
import { type StallProxy, startStallProxy } from '../../support/programs/stall-proxy.ts'
import { startTwoInstances, statusOf, type TwoInstances } from '../../support/several-instances.ts'
import { look } from '../../support/split-audgate.ts'

let two: TwoInstances
before(async () => {
  two = await startTwoInstances()
})
after(() => two.close())

const alice = () => new Person(two.publicUrl, 'alice')
const probe = (path: string): Promise<number> => statusOf(`${two.b.managementUrl}${path}`)

/** As a browser asks that goes to a page. */
async function navigate(url: string): Promise<{ status: number; type: string; retryAfter: number; page: string }> {
  const headers = {
    accept: 'text/html,application/xhtml+xml',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
  }
  return new Promise((resolve, reject) => {
    get(url, { headers, agent: false }, async (answer) => {
      const type = String(answer.headers['content-type'])
      const retryAfter = Number(answer.headers['retry-after'])
      resolve({ status: answer.statusCode ?? 0, type, retryAfter, page: await text(answer) })
    }).on('error', reject)
  })
}

async function metricsOfB(): Promise<string> {
  const answer = await fetch(`${two.b.managementUrl}/metrics`)
  const page = await answer.text()
  assert.equal(answer.status, 200, page)
  return page
}

describe('a database that goes away', () => {
  it('for less than five seconds: whoever signs in, refreshes or asks meanwhile waits, and is served', async () => {
    const person = alice()
    const [{ refresh, access }, attempt] = [await two.signIn(person), await two.code(person)]
    await two.postgres.crash(false)
    const waiting = Promise.all([
      two.refresh(two.b.url, refresh),
      two.redeem(two.a.url, attempt),
      post(`${two.b.url}/oauth/introspect`, { token: access, client_id: 'app' }),
      two.code(person),
    ])
    await delay(1_000)
    assert.equal(await look(two.b.url, access), '200')
    await two.postgres.start()
    const [refreshed, redeemed, introspected, code] = await waiting
    assert.deepEqual([refreshed.status, redeemed.status, introspected.body.active], [200, 200, true])
    assert.notEqual(code.code, '')
  })

  it('for longer: known tokens go on, programs get 503 and people a page, both with the time to come back; nothing is lost', async () => {
    const { access: token, refresh: renewal } = await two.signIn()
    assert.deepEqual([await probe('/readyz'), await probe('/readyz/issuer')], [200, 200])
    await two.postgres.crash(false)
    assert.equal(await look(two.b.url, token), '200')
    assert.deepEqual([await probe('/readyz'), await probe('/readyz/issuer')], [200, 503])
    const began = performance.now()
    const [refused, ...pages] = await Promise.all([
      two.refresh(two.b.url, renewal),
      ...['/oauth/authorize?client_id=app', '/account', '/oauth/device'].map((path) => navigate(two.b.url + path)),
    ])
    const took = performance.now() - began
    assert.ok(took > 3_000 && took < 8_000, `${took} ms`)
    assert.deepEqual([refused.status, Number(refused.headers.get('retry-after')) > 0], [503, true])
    for (const { status, type, retryAfter, page } of pages) {
      assert.deepEqual([status, type, retryAfter > 0], [503, 'text/html; charset=utf-8', true], page)
      assert.match(page, /Try again in a moment/)
    }
    await two.postgres.start()
    assert.equal((await two.refresh(two.a.url, renewal)).status, 200)
    await until(async () => (await probe('/readyz/issuer')) === 200, 'the issuer answers', 5_000)
    assert.equal(await look(two.b.url, token), '200')
  })

  it('shows in the metrics, which are there all the time, and once in the log', async () => {
    const told = (event: string): number => two.b.log().filter((line) => line.event === event).length
    const before = told('store.unwritable')
    await two.postgres.crash(false)
    await until(() => told('store.unwritable') === before + 1, 'the log says so', 15_000)
    const away = await metricsOfB()
    assert.match(away, /^audgate_store_errors_total\{code="ECONNREFUSED"\} [1-9]/m)
    assert.ok(Number(/^audgate_revocation_age_seconds (\S+)$/m.exec(away)?.[1]) > 1)
    const faults = told('store.fault')
    await delay(3_000)
    assert.ok(told('store.fault') <= faults + 1, `${told('store.fault') - faults} lines in three seconds`)
    await two.postgres.start()
    two.postgres.pause()
    try {
      const began = performance.now()
      await metricsOfB()
      assert.ok(performance.now() - began < 4_000, 'a scrape does not wait for a database that stalls')
    } finally {
      two.postgres.resume()
    }
    await until(async () => (await probe('/readyz/issuer')) === 200, 'the issuer answers', 15_000)
  })
})

describe('a connection that is cut by the first word on it', () => {
  let proxy: StallProxy
  before(async () => {
    proxy = await startStallProxy(two.postgres.port)
  })
  after(() => proxy.close())

  /** Cuts every connection when `word` is next said on one: nobody has answered by then. Answers whether that was. */
  function cutAt(word: string): () => boolean {
    const state = { cut: false }
    proxy.onward = async (chunk) => {
      if (state.cut || !chunk.includes(word)) return
      state.cut = true
      proxy.cut()
      await delay(60_000, undefined, { ref: false })
    }
    return () => state.cut
  }

  it('is replaced by another, and the request is answered', async () => {
    const third = await two.start('behind', { store: two.storeUrl.replace(/:\d+\//, `:${proxy.port}/`) })
    two.targets = [two.a.url, two.b.url]
    const { refresh, access } = await two.signIn(alice())
    const begins = cutAt('BEGIN')
    const refreshed = await two.refresh(third.url, refresh)
    assert.deepEqual([refreshed.status, begins()], [200, true], JSON.stringify(refreshed.body))
    const looks = cutAt('FROM clients')
    const introspected = await post(`${third.url}/oauth/introspect`, { token: access, client_id: 'app' })
    assert.deepEqual([introspected.status, introspected.body.active, looks()], [200, true, true])
    proxy.onward = undefined
    await third.remove()
  })
})

describe('SIGKILL of PostgreSQL', () => {
  it('amid fifty refreshes: every client that repeats has exactly one live refresh token', async () => {
    const person = alice()
    await two.signIn(person)
    const families = await Promise.all(Array.from({ length: 50 }, () => two.signIn(person)))
    const going = families.map(async ({ refresh }, n) => {
      const origin = n % 2 === 0 ? two.a.url : two.b.url
      await delay(n * 5)
      for (let tries = 0; tries < 200; tries += 1) {
        const answer = await two.refresh(origin, refresh)
        if (answer.status !== 503) return answer
        await delay(100)
      }
      throw new Error('503 for ever')
    })
    await delay(100)
    await two.postgres.kill()
    const answers = await Promise.all(going)
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
    const again = await Promise.all(families.map(({ refresh }) => two.refresh(two.a.url, refresh)))
    assert.deepEqual(
      again.map(({ body }) => body.refresh_token),
      answers.map(({ body }) => body.refresh_token),
    )
    const [row] = await two.postgres.query(
      two.database,
      `SELECT count(*) AS live FROM models JOIN authorizations USING (gid)
       WHERE model = 'RefreshToken' AND consumed_at IS NULL AND ended = 0`,
    )
    const [all] = await two.postgres.query(
      two.database,
      'SELECT count(*) AS families FROM authorizations WHERE ended = 0',
    )
    assert.equal(Number(row?.live), Number(all?.families))
  })
})
