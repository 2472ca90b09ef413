import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../../support/gateway-under-test.ts'
import { Person, type TokenAnswer } from '../../support/issuer/browser-less-person.ts'
import { type StallProxy, startStallProxy } from '../../support/programs/stall-proxy.ts'
import type { Serving } from '../../support/serving.ts'
import { type Family, type SeveralInstances, startSeveralInstances } from '../../support/several-instances.ts'
import { look } from '../../support/split-audgate.ts'

/** More of them by hand: `AUDGATE_ROUNDS=1000`. */
const ROUNDS = Number(process.env.AUDGATE_ROUNDS ?? 60)

let several: SeveralInstances
/** Whose database is what a test makes of the way there. */
let proxy: StallProxy
let b: Serving
let person: Person

before(async () => {
  several = await startSeveralInstances()
  proxy = await startStallProxy(several.postgres.port)
  b = await several.start('b')
  await several.addPerson('alice')
  await several.addApp('app')
  person = new Person(several.publicUrl, 'alice')
  await several.signIn(person)
})
after(async () => {
  await several.close()
  await proxy.close()
})

const atProxy = () => ({ store: several.storeUrl.replace(/:\d+\//, `:${proxy.port}/`) })

/** Starts an instance behind the proxy that the balancer does not lead to. */
async function startAside(name: string): Promise<Serving> {
  const instance = await several.start(name, atProxy())
  several.targets = [b.url]
  return instance
}

interface Step {
  /** Which of the transaction's messages; undefined: COMMIT. Now and then a refresh has one more, which tidies up. */
  readonly number: number | undefined
  /** Whether the database hears it: its answer is lost then. */
  readonly heard: boolean
}

/** Calls `strike` at a step of the next transaction that a request has; nothing passes there any more. Answers whether that step was reached. */
function striking({ number, heard }: Step, strike: () => void): { readonly reached: () => boolean } {
  const state = { seen: 0, committing: false, transaction: undefined as number | undefined, struck: false }
  const isNow = (): boolean => (number === undefined ? state.committing : state.seen === number)
  const hit = async (): Promise<void> => {
    state.struck = true
    strike()
    await delay(60_000, undefined, { ref: false })
  }
  proxy.onward = async (chunk, link) => {
    if (state.transaction === undefined && chunk.includes('BEGIN')) state.transaction = link
    if (state.transaction !== link || state.struck) return
    state.seen += 1
    state.committing ||= chunk.includes('COMMIT')
    if (isNow() && !heard) await hit()
  }
  proxy.back = async (_chunk, link) => {
    if (state.transaction === link && isNow() && heard && !state.struck) await hit()
  }
  return { reached: () => state.struck }
}

function passAll(): void {
  proxy.onward = undefined
  proxy.back = undefined
}

/** How many messages the transaction of a refresh has, COMMIT included. */
async function stepsOfRefresh(a: Serving, family: Family): Promise<number> {
  const state = { transaction: undefined as number | undefined, seen: 0, steps: 0 }
  proxy.onward = (chunk, link) => {
    if (state.transaction === undefined && chunk.includes('BEGIN')) state.transaction = link
    if (state.transaction !== link) return
    state.seen += 1
    if (chunk.includes('COMMIT')) state.steps ||= state.seen
  }
  assert.equal((await several.refresh(a.url, family.refresh)).status, 200)
  passAll()
  assert.ok(state.steps > 5, `${state.steps} steps`)
  return state.steps
}

/** Each message before COMMIT, then COMMIT on its way, then its answer. */
function stepsUpTo(commit: number): readonly Step[] {
  const before = Array.from({ length: commit - 1 }, (_, n) => ({ number: n + 1, heard: false }))
  return [...before, { number: undefined, heard: false }, { number: undefined, heard: true }]
}

/** A refresh whose instance may not live to answer it. */
async function refreshAt(origin: string, token: string): Promise<TokenAnswer | undefined> {
  return several.refresh(origin, token).catch(() => undefined)
}

describe('a refresh', () => {
  it('whose connection to the database breaks at any step is 503, and repeated, it gets tokens', async () => {
    const a = await startAside('cut')
    const steps = await stepsOfRefresh(a, await several.signIn(person))
    let { refresh } = await several.signIn(person)
    let struck = 0
    for (const step of stepsUpTo(steps)) {
      const strike = striking(step, () => proxy.cut())
      const first = await several.refresh(a.url, refresh)
      passAll()
      const again = await several.refresh(b.url, refresh)
      // An instance has transactions of its own now and then: one of those may have been struck instead.
      if (first.status === 503 && strike.reached()) struck += 1
      else assert.deepEqual([first.status, first.body], [200, again.body], JSON.stringify(step))
      assert.equal(again.status, 200, JSON.stringify([step, again.body]))
      refresh = again.body.refresh_token ?? ''
    }
    assert.ok(struck > steps / 2, `${struck} of ${steps}`)
    assert.equal((await several.refresh(b.url, refresh)).status, 200)
    // Whoever holds the connection hears of it, and nobody else: a command would end at once.
    assert.deepEqual(
      a.log().filter(({ event }) => event === 'process.fault'),
      [],
    )
    await a.remove()
  })

  it('whose instance is killed at any step gets tokens when it is repeated at another', async () => {
    let next = startAside('killed')
    const steps = await stepsOfRefresh(await next, await several.signIn(person))
    let { refresh } = await several.signIn(person)
    // What the database sees of a kill is a connection that breaks: by default every third step, and all around the commit.
    const isChosen = ({ number = 1 }: Step): boolean => ROUNDS >= 1_000 || number % 3 === 1
    for (const step of stepsUpTo(steps).filter(isChosen)) {
      const a = await next
      const strike = striking(step, () => a.signal('SIGKILL'))
      const first = await refreshAt(a.url, refresh)
      assert.ok(strike.reached() || first?.status === 200, JSON.stringify(step))
      passAll()
      next = startAside('killed')
      const again = await several.refresh(b.url, refresh)
      assert.equal(again.status, 200, JSON.stringify([step, again.body]))
      refresh = again.body.refresh_token ?? ''
      await a.remove()
    }
    await next
    assert.equal((await several.refresh(b.url, refresh)).status, 200)
  })
})

describe('a code', () => {
  it('whose commit is lost on the way is good still; whose commit’s answer is lost is spent, and gives nothing', async () => {
    const a = await startAside('code')
    for (let tries = 0, heard = false; tries < 6; tries += 1) {
      const attempt = await several.code(person)
      const state = { transaction: undefined as number | undefined, struck: false, committing: false }
      proxy.onward = async (chunk, link) => {
        if (state.transaction === undefined && chunk.includes('BEGIN')) state.transaction = link
        if (state.transaction !== link || !chunk.includes('COMMIT') || state.struck) return
        state.committing = true
        if (heard) return
        state.struck = true
        proxy.cut()
        await delay(60_000, undefined, { ref: false })
      }
      proxy.back = async (_chunk, link) => {
        if (!state.committing || state.transaction !== link || state.struck) return
        state.struck = true
        proxy.cut()
        await delay(60_000, undefined, { ref: false })
      }
      const first = await several.redeem(a.url, attempt)
      passAll()
      // A transaction of the instance’s own was struck instead.
      if (first.status === 200) continue
      assert.deepEqual([first.status, state.struck], [503, true], JSON.stringify(first.body))
      // Later than a double of the first could come.
      await delay(2_000)
      const again = await several.redeem(b.url, attempt)
      const said: unknown = heard ? again.body.error : again.status
      assert.equal(said, heard ? 'invalid_grant' : 200, JSON.stringify(again.body))
      if (heard) return a.remove()
      heard = true
    }
    assert.fail('no commit of a code was struck')
  })
})

describe('an act that disables a person, held between its locks and its commit', () => {
  const AT_ONCE = 8

  it('while their codes are redeemed: no tokens, or tokens that are refused at once', async () => {
    await several.addPerson('mallory')
    const a = await several.start('a')
    several.targets = [b.url]
    const { store, acts } = await several.openActs()
    const { sub = '' } = (await store.userByName('mallory')) ?? {}
    await several.postgres.query(
      several.database,
      `CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN PERFORM pg_sleep(random() * 0.03); RETURN NEW; END $$;
       CREATE TRIGGER linger BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION linger()`,
    )
    const outcomes = new Set<number>()
    for (let round = 0; round * AT_ONCE < ROUNDS; round += 1) {
      await acts.enableUser(sub, 'test')
      const mallory = new Person(several.publicUrl, 'mallory')
      const attempts = [await several.code(mallory)]
      while (attempts.length < AT_ONCE) attempts.push(await several.code(mallory))
      const redeemNext = (): Promise<TokenAnswer> => {
        const attempt = attempts.pop()
        assert.ok(attempt)
        return several.redeem((attempts.length % 2 === 0 ? a : b).url, attempt)
      }
      // One before the act and one after it; the rest amid it.
      const first = await redeemNext()
      const amid = Array.from({ length: AT_ONCE - 2 }, (_, n) => delay(n * 6).then(redeemNext))
      const act = delay(round % 7).then(() => acts.disableUser(sub, 'test'))
      const answers = [first, ...(await Promise.all(amid))]
      await act
      answers.push(await redeemNext())
      for (const { status, body } of answers) {
        outcomes.add(status)
        if (status !== 200) continue
        for (const { url } of [a, b]) {
          await until(async () => (await look(url, body.access_token ?? '')) === '401 revoked', url, 2_000)
          assert.equal((await several.refresh(url, body.refresh_token)).body.error, 'invalid_grant')
        }
      }
    }
    assert.deepEqual(outcomes, new Set([200, 400]))
  })
})
