import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { until } from '../../support/gateway-under-test.ts'
import { claimsOf, Person, post } from '../../support/issuer/browser-less-person.ts'
import { runAudgate } from '../../support/programs/command-line.ts'
import { type PostgresUnderTest, startPostgres } from '../../support/programs/postgres.ts'
import { type StallProxy, startStallProxy } from '../../support/programs/stall-proxy.ts'
import type { Serving } from '../../support/serving.ts'
import { SECRETS, type SeveralInstances, startSeveralInstances, statusOf } from '../../support/several-instances.ts'
import { look } from '../../support/split-audgate.ts'

/** What a loud machine may add to a bound. */
const SLACK_MS = 2_500

let several: SeveralInstances
let standby: PostgresUnderTest
/** Before the primary, for both instances. */
let proxy: StallProxy
let a: Serving
let b: Serving
const alice = () => new Person(several.publicUrl, 'alice')

before(async () => {
  several = await startSeveralInstances('stale_after: 5s')
  standby = await startPostgres(['fsync=off'], several.postgres)
  proxy = await startStallProxy(several.postgres.port)
  const store = `postgres://audgate@127.0.0.1:${proxy.port},127.0.0.1:${standby.port}/${several.database}`
  a = await several.start('a', { store })
  b = await several.start('b', { store })
  await several.addPerson('alice')
  await several.addApp('app')
})
after(async () => {
  await several.close()
  await proxy.close()
  await standby.close()
})

/** Ends a family at an instance, as its client does. */
async function revokeAt({ url }: Serving, token: string): Promise<void> {
  const { status } = await post(`${url}/oauth/revoke`, { token, client_id: 'app' }, { connection: 'close' })
  assert.equal(status, 200)
}

describe('a standby', () => {
  it('that is all an instance reaches leaves it stale, and it says "read-only"', async () => {
    const { access, refresh } = await several.signIn(alice())
    for (const { url } of [a, b]) assert.equal(await look(url, access), '200')
    proxy.refuse(true)
    for (const { url } of [a, b]) {
      await until(async () => (await look(url, access)) === '503 verifier_unavailable', `stale at ${url}`, 10_000)
    }
    assert.equal((await several.refresh(b.url, refresh)).status, 503)
    assert.equal(await statusOf(`${b.managementUrl}/readyz/issuer`), 503)
    const stale = b.log().findLast(({ event }) => event === 'revocations.stale')
    assert.match(JSON.stringify(stale ?? b.log().slice(-5)), /read-only/)
    const checked = await runAudgate(b.folder, ['store', 'check'], '', SECRETS)
    assert.notEqual(checked.code, 0)
    assert.match(checked.stderr, /read-only/)
    proxy.refuse(false)
    for (const { url } of [a, b]) {
      await until(async () => (await look(url, access)) === '200', `back at ${url}`, 10_000)
    }
    assert.equal((await several.refresh(b.url, refresh)).status, 200)
  })

  it('is promoted: A and B are back within five seconds, nothing revoked is let through, and an act that B heard and the standby lost comes back', async () => {
    const [kept, heard, lost] = [
      await several.signIn(alice()),
      await several.signIn(alice()),
      await several.signIn(alice()),
    ]
    await revokeAt(a, heard.refresh)
    await until(() => caughtUp(), 'the standby has it', 10_000)
    await standby.stopFollowing()
    await revokeAt(a, lost.refresh)
    for (const { url } of [a, b]) await until(async () => (await look(url, lost.access)) === '401 revoked', url)
    const state = { over: false }
    const watching = Promise.all(
      [a, b].flatMap(({ url }) =>
        [heard, lost].map(async ({ access }) => {
          while (!state.over) assert.notEqual(await look(url, access), '200')
        }),
      ),
    )
    await several.postgres.crash(false)
    await standby.promote()
    const promoted = performance.now()
    for (const { url } of [a, b]) {
      await until(async () => (await look(url, kept.access)) === '200', `tokens at ${url}`, 15_000)
      await until(async () => (await several.refresh(url, kept.refresh)).status === 200, `refresh at ${url}`, 15_000)
    }
    const took = performance.now() - promoted
    assert.ok(took <= 5_000 + SLACK_MS, `${took} ms`)
    const { gid } = claimsOf(lost.access)
    const entries = `SELECT count(*)::int AS count FROM revocations WHERE kind = 'gid' AND key = '${gid}'`
    const writtenBack = async () => Number((await standby.query(several.database, entries))[0]?.count) === 1
    await until(writtenBack, 'what the standby had lost is written back', 10_000)
    const told = () => [...a.log(), ...b.log()].some(({ event }) => event === 'revocations.rewound')
    await until(told, 'the log says so', 10_000)
    for (const { url } of [a, b]) assert.equal((await several.refresh(url, lost.refresh)).body.error, 'invalid_grant')
    const gateway = await several.startGateway([b.url])
    for (const { access } of [heard, lost]) assert.equal(await look(gateway.url, access), '401 revoked')
    state.over = true
    await watching
  })
})

async function caughtUp(): Promise<boolean> {
  const at = async (server: PostgresUnderTest): Promise<number> =>
    Number((await server.query(several.database, 'SELECT position FROM feed'))[0]?.position)
  return (await at(several.postgres)) === (await at(standby))
}
