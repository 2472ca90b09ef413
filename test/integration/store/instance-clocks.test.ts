import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { until } from '../../support/gateway-under-test.ts'
import { askToken, claimsOf, Person, redeem } from '../../support/issuer/browser-less-person.ts'
import { type Serving, serve } from '../../support/serving.ts'
import { REDIRECT, SECRETS, startTwoInstances, type TwoInstances } from '../../support/several-instances.ts'
import { look } from '../../support/split-audgate.ts'

const headers = { connection: 'close' }

/** Environment of a process whose wall clock is off. */
function off(ms: number): Record<string, string> {
  const preload = `--import ${join(import.meta.dirname, '../../support/programs/wrong-clock.ts')}`
  return { NODE_OPTIONS: preload, CLOCK_OFF_MS: String(ms) }
}

let two: TwoInstances
let behind: Serving
let ahead: Serving

before(async () => {
  two = await startTwoInstances('', (name) => off(name === 'a' ? -3_000 : 3_000))
  behind = two.a
  ahead = two.b
})
after(() => two.close())

const asked = () => ({
  clientId: 'app',
  redirectUri: REDIRECT,
  scope: 'photos:read',
  resource: `${two.publicUrl}/photos`,
})

async function signedIn(at: Serving) {
  const attempt = await new Person(two.publicUrl, 'alice').authorize(asked())
  const { status, body } = await redeem(at.url, attempt, { ...asked(), headers })
  assert.equal(status, 200, JSON.stringify(body))
  return body
}

const refresh = (at: Serving, token: string | undefined) =>
  askToken(at.url, { grant_type: 'refresh_token', refresh_token: token, client_id: 'app' }, headers)

async function probe({ managementUrl }: Serving, path: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(managementUrl + path)
  return { status: answer.status, text: await answer.text() }
}

/** Takes a group from alice and gives it back. */
async function loseGroup(): Promise<void> {
  await two.command(['user', 'groups', 'alice', 'others'])
  await two.command(['user', 'groups', 'alice', 'photos'])
}

describe('instances whose clocks differ', () => {
  it('three seconds apart: a token made before an act ends, one made after it is good, at either', async () => {
    for (const [maker, other] of [
      [ahead, behind],
      [behind, ahead],
    ] as const) {
      const { access_token: before = '', refresh_token: renewal } = await signedIn(maker)
      assert.equal(await look(other.url, before), '200')
      await loseGroup()
      for (const { url } of [maker, other]) {
        await until(async () => (await look(url, before)) === '401 revoked', `refused at ${url}`, 1_500)
      }
      const { body } = await refresh(maker, renewal)
      assert.equal(await look(maker.url, body.access_token ?? ''), '200', JSON.stringify(body))
      assert.equal(await look(other.url, body.access_token ?? ''), '200')
    }
  })

  it('tokens carry the database’s time', async () => {
    const { access_token: token } = await signedIn(ahead)
    const [row] = await two.postgres.query('postgres', 'SELECT extract(epoch FROM clock_timestamp()) AS now')
    assert.ok(Math.abs(Number(claimsOf(token).iat) - Number(row?.now)) <= 2)
  })

  it('more than one second off is said in the log and as a metric', async () => {
    assert.ok(
      ahead.log().some(({ event, level, audit }) => event === 'clock.off' && level === 'warn' && audit === true),
    )
    const { text } = await probe(behind, '/metrics')
    const [, offset] = /^audgate_clock_offset_seconds (\S+)$/m.exec(text) ?? []
    assert.ok(Math.abs(Number(offset) + 3) < 0.5, offset)
  })

  it('every line of the log names its instance; that of a request its trace, too', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    await (await fetch(`${ahead.url}/photos/1`, { headers: { traceparent } })).text()
    await until(async () => ahead.log().some((line) => line.traceparent === traceparent), 'the line', 2_000)
    assert.deepEqual([...new Set(ahead.log().map(({ instance }) => instance))], ['b'])
  })

  it('metrics say what the store, its connections and the knowledge of revocations are like, and who says so', async () => {
    const { text } = await probe(ahead, '/metrics')
    for (const name of [
      'audgate_store_seconds_count{op="read"}',
      'audgate_store_seconds_count{op="write"}',
      'audgate_store_seconds_count{op="transaction"}',
      'audgate_store_seconds_count{op="watch"}',
      'audgate_units_total{outcome="commit"}',
      'audgate_turn_wait_seconds_count',
      'audgate_pool_open',
      'audgate_pool_waiting',
      'audgate_revocation_age_seconds',
      'audgate_revocation_position',
    ])
      assert.match(text, new RegExp(`^${name.replace(/[{}]/g, '\\$&')} [0-9.]+$`, 'm'))
    assert.match(text, /^audgate_config_digest_info\{instance="b",version="[^"]+",digest="[0-9a-f]{12}"\} 1$/m)
    assert.ok(Number(/^audgate_revocation_age_seconds (\S+)$/m.exec(text)?.[1]) < 3)
  })

  it('more than five seconds off an instance issues nothing and says why; it still checks, and serves', async () => {
    const wrong = await serve(two.fileOf('wrong'), { ...SECRETS, ...off(6_000) })
    after(() => wrong.remove())
    const { access_token: token = '', refresh_token: renewal } = await signedIn(behind)
    const refused = await refresh(wrong, renewal)
    assert.deepEqual(
      [refused.status, refused.body.error, Number(refused.headers.get('retry-after')) > 0],
      [503, 'temporarily_unavailable', true],
    )
    const page = await fetch(`${wrong.url}/oauth/authorize?client_id=app`)
    assert.deepEqual([page.status, /clock of this server is wrong/.test(await page.text())], [503, true])
    assert.equal(await look(wrong.url, token), '200')
    assert.equal((await probe(wrong, '/readyz')).status, 200)
    const { status, text } = await probe(wrong, '/readyz/issuer')
    assert.deepEqual([status, /ahead of the database's: set the clock/.test(text)], [503, true])
    assert.equal((await refresh(behind, renewal)).status, 200)
  })
})
