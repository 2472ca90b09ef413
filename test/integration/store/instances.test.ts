import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../../support/gateway-under-test.ts'
import {
  askToken,
  authorizationAttempt,
  claimsOf,
  formWith,
  Person,
  post,
  redeem,
} from '../../support/issuer/browser-less-person.ts'
import { makeKey, mintProof } from '../../support/keys.ts'
import type { Serving } from '../../support/serving.ts'
import { REDIRECT, startTwoInstances, type TwoInstances } from '../../support/several-instances.ts'
import { look } from '../../support/split-audgate.ts'

let two: TwoInstances

before(async () => {
  two = await startTwoInstances()
  await two.addApp('print-shop', '--third-party')
})
after(() => two.close())

/** More of them by hand: `AUDGATE_ROUNDS=1000`. */
const ROUNDS = Number(process.env.AUDGATE_ROUNDS ?? 40)

describe('two instances on one database', () => {
  it('two instances on an empty store have one key', async () => {
    const [one, other] = await Promise.all([keysAt(two.a.url), keysAt(two.b.url)])
    assert.deepEqual(one, other)
    assert.equal(one.length, 1)
  })

  it('a sign-in goes from one to the other at every step, and its tokens open both', async () => {
    const { access } = await two.signIn()
    assert.equal(await look(two.a.url, access), '200')
    assert.equal(await look(two.b.url, access), '200')
  })

  it('a sign-in page from A is posted to B, consent is given at A, the code redeemed at B', async () => {
    const person = new Person(two.publicUrl, 'alice')
    const all = two.targets
    const at = ({ url }: Serving): void => {
      two.targets = [url]
    }
    try {
      at(two.a)
      const attempt = authorizationAttempt(two.publicUrl, {
        clientId: 'print-shop',
        redirectUri: REDIRECT,
        scope: 'photos:read',
        resource: `${two.publicUrl}/photos`,
      })
      const page = await person.open(attempt.url)
      at(two.b)
      const consent = await person.signIn(page)
      at(two.a)
      const { url } = await person.decide(consent, 'approve')
      const code = new URL(url).searchParams.get('code') ?? ''
      const { status, body } = await two.redeem(two.b.url, { ...attempt, code }, 'print-shop')
      assert.deepEqual([status, await look(two.a.url, body.access_token ?? '')], [200, '200'], JSON.stringify(body))
    } finally {
      two.targets = all
    }
  })

  it('a device code made at A is approved at B and polled at A', async () => {
    const begun = await post(`${two.a.url}/oauth/device_authorization`, { client_id: 'app', scope: 'photos:read' })
    const all = two.targets
    two.targets = [two.b.url]
    try {
      const person = new Person(two.publicUrl, 'alice')
      const empty = await person.open('/oauth/device')
      const typed = await person.send(empty, formWith(empty, 'user_code'), { user_code: String(begun.body.user_code) })
      await person.decide(await person.signIn(typed), 'approve')
    } finally {
      two.targets = all
    }
    const { status, body } = await askToken(two.a.url, {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      device_code: String(begun.body.device_code),
      client_id: 'app',
    })
    assert.equal(status, 200, JSON.stringify(body))
    assert.equal(await look(two.b.url, body.access_token ?? ''), '200')
  })

  it('of codes that four processes redeem at once over A and B each is redeemed once', async () => {
    const person = new Person(two.publicUrl, 'alice')
    await two.code(person)
    // The first of more would have expired when the last is made.
    const attempts = await inLines(Math.min(ROUNDS, 200), 4, () => two.code(person))
    const resource = `${two.publicUrl}/photos`
    const job = JSON.stringify({ origins: [two.a.url, two.b.url], resource, attempts })
    const won = (await Promise.all(Array.from({ length: 4 }, () => redeemingProcess(job)))).flat()
    assert.deepEqual(
      won.sort((one, other) => one - other),
      attempts.map((_, n) => n),
    )
  })

  it('twenty parallel redemptions of one code over A and B: one set of tokens, 19 invalid_grant, the set works a second later', async () => {
    const attempt = await two.code()
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => two.redeem(n % 2 === 0 ? two.a.url : two.b.url, attempt)),
    )
    const good = answers.filter(({ status }) => status === 200)
    assert.deepEqual([good.length, answers.filter(({ body }) => body.error === 'invalid_grant').length], [1, 19])
    await delay(1_000)
    const { access_token: access = '', refresh_token: renewal } = good[0]?.body ?? {}
    assert.deepEqual([await look(two.a.url, access), await look(two.b.url, access)], ['200', '200'])
    assert.equal((await two.refresh(two.a.url, renewal)).status, 200)
  })

  it('a code redeemed at B three seconds after A: invalid_grant, and the family has ended at both', async () => {
    const attempt = await two.code()
    const { body } = await two.redeem(two.a.url, attempt)
    await delay(3_000)
    assert.equal((await two.redeem(two.b.url, attempt)).body.error, 'invalid_grant')
    for (const { url } of [two.a, two.b]) {
      await until(async () => (await look(url, body.access_token ?? '')) === '401 revoked', `refused at ${url}`, 1_000)
      assert.equal((await two.refresh(url, body.refresh_token)).body.error, 'invalid_grant')
    }
  })

  it('two refreshes of one token at A and B, 0 to 20 ms apart, get byte-equal answers, and no family ever ends', async () => {
    let token = (await two.signIn()).refresh
    for (let round = 0; round < ROUNDS; round += 1) {
      const [one, other] = await Promise.all([
        two.refresh(two.a.url, token),
        delay(round % 21).then(() => two.refresh(two.b.url, token)),
      ])
      assert.deepEqual([one.status, JSON.stringify(one.body)], [200, JSON.stringify(other.body)])
      token = one.body.refresh_token ?? ''
    }
  })

  it('group changes by two instances at once: no token keeps a group that the person no longer has', async () => {
    const [one, other] = [await two.openActs(), await two.openActs()]
    await two.addPerson('carol', 'photos,editors')
    const { sub = '' } = (await one.store.userByName('carol')) ?? {}
    for (let round = 0; round < 10; round += 1) {
      await one.acts.changeGroups(sub, ['photos', 'editors'], 'test')
      const { access } = await two.signIn(new Person(two.publicUrl, 'carol'))
      assert.deepEqual(claimsOf(access).groups, ['photos', 'editors'])
      await Promise.all([
        one.acts.changeGroups(sub, round % 3 === 0 ? ['photos'] : ['photos', 'x'], 'test'),
        delay(round % 4).then(() => other.acts.changeGroups(sub, ['photos', 'editors', 'y'], 'test')),
        two.refresh(two.a.url, (await two.signIn(new Person(two.publicUrl, 'carol'))).refresh),
      ])
      const { groups = [] } = (await one.store.userBySub(sub)) ?? {}
      if (groups.includes('editors')) continue
      for (const { url } of [two.a, two.b]) {
        await until(async () => (await look(url, access)) === '401 revoked', `refused at ${url}`, 1_000)
      }
    }
  })

  it('wrong passwords half to A, half to B are counted as if all had come to A, and slow one another alike', async () => {
    await two.addPerson('bob')
    await two.addPerson('erin')
    const attempt = authorizationAttempt(two.publicUrl, {
      clientId: 'app',
      redirectUri: REDIRECT,
      scope: 'photos:read',
    })
    const all = two.targets
    const wrongAt = async ({ url }: Serving, name: string): Promise<number> => {
      two.targets = [url]
      const person = new Person(two.publicUrl, name)
      const page = await person.open(attempt.url)
      const begin = performance.now()
      await person.signIn(page, 'not the password of anybody')
      return performance.now() - begin
    }
    // The sixth holds its place for a second; an instance that has seen half of them holds none.
    const tries = ROUNDS >= 1_000 ? 30 : 7
    const held = (took: readonly number[]): readonly number[] => took.flatMap((ms, n) => (ms >= 1_000 ? [n] : []))
    try {
      const apart: number[] = []
      for (let n = 0; n < tries; n += 1) apart.push(await wrongAt(n % 2 === 0 ? two.a : two.b, 'bob'))
      const together: number[] = []
      for (let n = 0; n < tries; n += 1) together.push(await wrongAt(two.a, 'erin'))
      for (let n = 5; n < tries; n += 1)
        assert.ok(held(apart).includes(n) && held(together).includes(n), `${n}: ${apart}, ${together}`)
      const failures = await two.postgres.query(two.database, 'SELECT failures FROM throttles ORDER BY failures')
      assert.deepEqual(
        failures.map((row) => Number(row.failures)).filter((count) => count === tries),
        [tries, tries],
        JSON.stringify(failures),
      )
    } finally {
      two.targets = all
    }
  })

  it('a DPoP proof used at the token endpoint of A is refused at B', async () => {
    const proof = mintProof(makeKey(), { method: 'POST', url: `${two.publicUrl}/oauth/token` })
    const headers = { dpop: proof, connection: 'close' }
    const asked = { clientId: 'app', redirectUri: REDIRECT, resource: `${two.publicUrl}/photos`, headers }
    const { status, body } = await redeem(two.a.url, await two.code(), asked)
    assert.deepEqual([status, body.token_type], [200, 'DPoP'], JSON.stringify(body))
    const parameters = { grant_type: 'refresh_token', refresh_token: body.refresh_token, client_id: 'app' }
    const again = await askToken(two.b.url, parameters, headers)
    assert.deepEqual([again.status, again.body.error], [400, 'invalid_grant'], JSON.stringify(again.body))
  })
})

/** Key ids that an instance publishes. */
async function keysAt(origin: string): Promise<readonly string[]> {
  const { keys }: { readonly keys: readonly { readonly kid: string }[] } = JSON.parse(
    await (await fetch(`${origin}/oauth/jwks`)).text(),
  )
  return keys.map(({ kid }) => kid).sort()
}

/** `count` results of `make`, of which `lines` are made side by side. */
async function inLines<T>(count: number, lines: number, make: () => Promise<T>): Promise<readonly T[]> {
  const made: T[] = []
  let begun = 0
  const line = async (): Promise<void> => {
    while (begun < count) {
      begun += 1
      made.push(await make())
    }
  }
  await Promise.all(Array.from({ length: lines }, line))
  return made
}

/** Which codes of the job a process of its own got tokens for. */
async function redeemingProcess(job: string): Promise<readonly number[]> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../support/programs/redeeming-process.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  child.stdin.end(job)
  return JSON.parse(await text(child.stdout))
}
