import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { askToken, Person, redeem as redeemAt, type TokenAnswer } from '../support/browser-less-person.ts'
import { runAudgate } from '../support/command-line.ts'
import { until } from '../support/gateway-under-test.ts'
import { serve } from '../support/serving.ts'
import { look } from '../support/split-audgate.ts'
import { REDIRECT, SECRETS, startTwoInstances, type TwoInstances } from '../support/two-instances.ts'

let two: TwoInstances

before(async () => {
  two = await startTwoInstances()
})
after(() => two.close())

type Asked = ReturnType<typeof asked>

const asked = () => ({
  clientId: 'app',
  redirectUri: REDIRECT,
  scope: 'photos:read',
  resource: `${two.publicUrl}/photos`,
})

/** A code, by pages that come from one instance and go to the other. */
const code = () => new Person(two.publicUrl, 'alice').authorize(asked())

/** A connection of its own for each: one that has been idle may be closed in the very moment in which it is used. */
const headers = { connection: 'close' }

const refresh = (origin: string, token: string | undefined): Promise<TokenAnswer> =>
  askToken(origin, { grant_type: 'refresh_token', refresh_token: token, client_id: 'app' }, headers)

const redeem = (origin: string, attempt: { readonly code: string; readonly verifier: string }, options: Asked) =>
  redeemAt(origin, attempt, { ...options, headers })

async function signedIn(): Promise<TokenAnswer['body']> {
  const { status, body } = await redeem(two.b.url, await code(), asked())
  assert.equal(status, 200, JSON.stringify(body))
  return body
}

describe('two instances on one database', () => {
  it('a sign-in goes from one to the other at every step, and its tokens open both', async () => {
    const { access_token: token = '' } = await signedIn()
    assert.equal(await look(two.a.url, token), '200')
    assert.equal(await look(two.b.url, token), '200')
  })

  it('twenty redemptions of one code at both give one set of tokens, which works', async () => {
    const attempt = await code()
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => redeem(n % 2 === 0 ? two.a.url : two.b.url, attempt, asked())),
    )
    const good = answers.filter(({ status }) => status === 200)
    assert.deepEqual([good.length, answers.filter(({ body }) => body.error === 'invalid_grant').length], [1, 19])
    assert.equal((await refresh(two.a.url, good[0]?.body.refresh_token)).status, 200)
  })

  it('refreshes of one token at both at once get the same answer, and never end the family', async () => {
    let token = (await signedIn()).refresh_token
    for (let round = 0; round < 15; round += 1) {
      const [one, other] = await Promise.all([
        refresh(two.a.url, token),
        new Promise<void>((resolve) => setTimeout(resolve, round)).then(() => refresh(two.b.url, token)),
      ])
      assert.deepEqual([one.status, one.body], [200, other?.body], JSON.stringify([one.body, other?.body]))
      token = one.body.refresh_token
    }
  })

  it('a code that is redeemed at one and again later at the other ends what came of it at both', async () => {
    const attempt = await code()
    const { body } = await redeem(two.a.url, attempt, asked())
    // A request that is the first on its connection may have been on its way for half a second.
    await new Promise((resolve) => setTimeout(resolve, 700))
    assert.equal((await redeem(two.b.url, attempt, asked())).body.error, 'invalid_grant')
    await until(async () => (await look(two.a.url, body.access_token ?? '')) === '401 revoked', 'refused at A', 1_000)
    await until(async () => (await look(two.b.url, body.access_token ?? '')) === '401 revoked', 'refused at B', 1_000)
    assert.equal((await refresh(two.b.url, body.refresh_token)).body.error, 'invalid_grant')
  })

  it('an act by command is in force at both within a second', async () => {
    const { access_token: token = '' } = await signedIn()
    assert.equal(await look(two.b.url, token), '200')
    await two.command(['revoke', '--client', 'app'])
    for (const { url } of [two.a, two.b]) {
      await until(async () => (await look(url, token)) === '401 revoked', `refused at ${url}`, 1_000)
    }
  })

  it('an instance with another secret does not start, and says why', async () => {
    const third = await serve(two.fileOf(`store: ${two.storeUrl}\ninstance: c`), {
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
    const { refresh_token: token, access_token: access = '' } = await signedIn()
    const statements = await counted(() => refresh(two.a.url, token))
    assert.ok(statements.length <= 16, statements.join('\n'))
    assert.equal(statements.filter((each) => each === 'COMMIT').length, 1)
    const asking = await counted(() => askIntrospection(two.a.url, access))
    assert.ok(asking.length <= 3, asking.join('\n'))
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
    const { access_token: token = '' } = await signedIn()
    assert.match(await two.command(['revoke', '--client', 'app', '--everywhere']), /Every instance has it/)
    assert.deepEqual([await look(two.a.url, token), await look(two.b.url, token)], ['401 revoked', '401 revoked'])
  })

  it('`store check` says that it can be read and written; after `store restored` everybody signs in again', async () => {
    assert.match(await two.command(['store', 'check']), /can be read and written: 1 users, \d clients/)
    assert.match(await two.command(['store', 'migrate']), /up to date/)
    const { access_token: token = '', refresh_token: renewal } = await signedIn()
    await two.command(['store', 'restored'])
    await until(async () => (await look(two.b.url, token)) === '401 revoked', 'the token of before', 1_500)
    assert.equal((await refresh(two.a.url, renewal)).body.error, 'invalid_grant')
    assert.equal(await look(two.a.url, (await signedIn()).access_token ?? ''), '200')
  })
})

describe('a database that goes away', () => {
  const probe = async (path: string): Promise<number> => {
    const answer = await fetch(`${two.b.managementUrl}${path}`)
    await answer.text()
    return answer.status
  }

  it('for a moment: known tokens go on, sign-in and tokens say 503 and when to come back; nothing is lost', async () => {
    const { access_token: token = '', refresh_token: renewal } = await signedIn()
    assert.deepEqual([await probe('/readyz'), await probe('/readyz/issuer')], [200, 200])
    await two.postgres.crash(false)
    assert.equal(await look(two.b.url, token), '200')
    assert.deepEqual([await probe('/readyz'), await probe('/readyz/issuer')], [200, 503])
    const refused = await refresh(two.b.url, renewal)
    assert.deepEqual([refused.status, Number(refused.headers.get('retry-after')) > 0], [503, true])
    await two.postgres.start()
    assert.equal((await refresh(two.a.url, renewal)).status, 200)
    await until(async () => (await probe('/readyz/issuer')) === 200, 'the issuer answers', 5_000)
    assert.equal(await look(two.b.url, token), '200')
  })
})

async function askIntrospection(origin: string, token: string): Promise<void> {
  const body = new URLSearchParams({ token, client_id: 'app' })
  await (await fetch(`${origin}/oauth/introspect`, { method: 'POST', body })).text()
}

/** What the database was asked meanwhile, but for what instances ask all the time. */
async function counted(work: () => Promise<unknown>): Promise<readonly string[]> {
  const { postgres } = two
  await postgres.query('postgres', "ALTER SYSTEM SET log_statement = 'all'")
  await postgres.query('postgres', 'SELECT pg_reload_conf()')
  await new Promise((resolve) => setTimeout(resolve, 300))
  const from = postgres.log().length
  await work()
  await new Promise((resolve) => setTimeout(resolve, 100))
  const text = postgres.log().slice(from)
  await postgres.query('postgres', 'ALTER SYSTEM RESET log_statement')
  await postgres.query('postgres', 'SELECT pg_reload_conf()')
  return [...text.matchAll(/(?:statement|execute <unnamed>): (.*)/g)]
    .map(([, statement = '']) => statement.trim())
    .filter(
      (each) =>
        !/FROM feed|FROM revocations|FROM audits|pg_reload_conf|ALTER SYSTEM|named_values|instances|sweep/.test(each),
    )
}
