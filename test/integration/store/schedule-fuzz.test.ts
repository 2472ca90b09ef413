import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createRevocationActs, type RevocationActs } from '../../../src/issuer/revocation-acts.ts'
import { openPostgresStore } from '../../../src/store/postgres.ts'
import type { Store } from '../../../src/store/store.ts'
import { until } from '../../support/gateway-under-test.ts'
import { claimsOf, Person, type TokenAnswer } from '../../support/issuer/browser-less-person.ts'
import { freePorts } from '../../support/programs/free-ports.ts'
import { PAIR_SETTINGS, type PostgresPair, startPair } from '../../support/programs/postgres-pair.ts'
import type { Serving } from '../../support/serving.ts'
import { type SeveralInstances, startSeveralInstances, statusOf } from '../../support/several-instances.ts'
import { look } from '../../support/split-audgate.ts'

const ROUNDS = Number(process.env.AUDGATE_FUZZ_ROUNDS ?? 50)
const SEED = Number(process.env.AUDGATE_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31))
/** An answer is kept for 30 s: a repeat that a loud machine lets come later may find none. */
const REPEATED_MS = 25_000

/** Numbers from 0 to 1 that a seed determines (mulberry32). */
function chanceOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const ENDINGS = ['authorization', 'client of the person', 'person', 'group', 'nothing', 'nothing'] as const
const QUIET = Array.from({ length: 8 }, () => 'no fault' as const)
const CUTS = Array.from({ length: 3 }, () => 'P is cut' as const)
const FAULTS = [...QUIET, ...CUTS, 'A is killed', 'A is killed', 'postgres is killed', 'S is promoted'] as const

type Ending = (typeof ENDINGS)[number]
type Fault = (typeof FAULTS)[number]

let several: SeveralInstances
let pair: PostgresPair
let store: Store
let acts: RevocationActs
let a: Serving
let b: Serving
let portOfA = 0
let sub = ''

before(async () => {
  several = await startSeveralInstances('', PAIR_SETTINGS)
  pair = await startPair(several.postgres)
  portOfA = (await freePorts(1))[0] ?? 0
  await startA()
  b = await several.start('b', { store: storeUrl() })
  await several.addPerson('alice')
  await several.addApp('app')
  const options = await several.postgres.database()
  store = await openPostgresStore({ ...options, hosts: pair.hosts, database: several.database, origin: 'command' })
  acts = createRevocationActs({ store, now: Date.now })
  sub = (await store.userByName('alice'))?.sub ?? ''
})
after(async () => {
  await store?.close()
  await several.close()
  await pair.close()
})

function storeUrl(): string {
  return `postgres://audgate@${pair.hosts.map(({ host, port }) => `${host}:${port}`).join(',')}/${several.database}`
}

async function startA(): Promise<void> {
  a = await several.start('a', { store: storeUrl(), port: portOfA })
  several.targets = [...new Set(several.targets)]
}

/** Makes the fault and mends it; resolves when both instances issue tokens again. */
async function suffer(fault: Fault): Promise<void> {
  if (fault === 'no fault') return
  if (fault === 'P is cut') pair.cut()
  if (fault === 'postgres is killed') await pair.kill()
  if (fault === 'S is promoted') await pair.promote()
  if (fault === 'A is killed') {
    a.signal('SIGKILL')
    await a.ended()
    await startA()
  }
}

/** Ends what the name says. */
async function end(ending: Ending, gid: string): Promise<void> {
  if (ending === 'authorization') await acts.revokeAuthorization(gid, 'fuzz')
  if (ending === 'client of the person') await acts.revokeUserClient(sub, 'app', 'fuzz')
  if (ending === 'person') await acts.revokeUser(sub, 'fuzz')
  if (ending === 'group') await acts.changeGroups(sub, ['others'], 'fuzz')
}

/** Again until it is answered: of an act that failed nobody knows whether it is in force. */
async function insist(work: () => Promise<unknown>): Promise<void> {
  const done = (): Promise<boolean> =>
    work().then(
      () => true,
      () => false,
    )
  await until(done, 'an act is answered', 30_000)
}

/** Again while the database is away: a connection that was lost while it lay idle shows at the next request. */
async function answered(work: () => Promise<TokenAnswer>): Promise<TokenAnswer> {
  let answer = await work()
  const done = async (): Promise<boolean> => {
    if (answer.status !== 503) return true
    answer = await work()
    return false
  }
  await until(done, 'a request is answered', 10_000)
  return answer
}

/** A code of a sign-in, begun anew where the database was away. */
async function codeFor(person: Person): ReturnType<SeveralInstances['code']> {
  const got: Awaited<ReturnType<SeveralInstances['code']>>[] = []
  const done = async (): Promise<boolean> => {
    const code = await several.code(person).catch(() => undefined)
    if (code !== undefined) got.push(code)
    return code !== undefined
  }
  await until(done, 'a sign-in gives a code', 10_000)
  const [code] = got
  if (code === undefined) throw new TypeError('no code')
  return code
}

type Answers = readonly (TokenAnswer | undefined)[]

const good = (answers: Answers): readonly TokenAnswer['body'][] =>
  answers.flatMap((answer) => (answer?.status === 200 ? [answer.body] : []))

const distinct = (bodies: readonly TokenAnswer['body'][]): number =>
  new Set(bodies.map(({ refresh_token: token }) => token)).size

interface Had {
  readonly family: readonly TokenAnswer['body'][]
  readonly redeemed: readonly TokenAnswer['body'][]
}

interface Tried {
  readonly first: TokenAnswer['body']
  readonly attempt: { readonly code: string; readonly verifier: string }
  readonly refreshes: Answers
  readonly redemptions: Answers
}

/** One family and one code: refreshes, redemptions, an act and a fault, each at a moment that chance says. */
async function schedule(person: Person, ending: Ending, fault: Fault, chance: () => number): Promise<Tried> {
  const code = await codeFor(person)
  const given = await answered(() => several.redeem(a.url, code))
  assert.equal(given.status, 200, JSON.stringify(given.body))
  const first = given.body
  const attempt = await codeFor(person)
  const gid = String(claimsOf(first.access_token).gid)
  const some = (work: (url: string) => Promise<TokenAnswer>): Promise<Answers> =>
    Promise.all(
      Array.from({ length: 1 + Math.floor(chance() * 3) }, async () => {
        const url = chance() < 0.5 ? a.url : b.url
        await delay(chance() * 40)
        return work(url).catch(() => undefined)
      }),
    )
  const refreshing = some((url) => several.refresh(url, first.refresh_token))
  const redeeming = some((url) => several.redeem(url, attempt))
  const [tillFault, tillEnd] = [chance() * 50, chance() * 60]
  const suffering = delay(tillFault).then(() => suffer(fault))
  const ended = delay(tillEnd).then(() => insist(() => end(ending, gid)))
  const [refreshes, redemptions] = await Promise.all([refreshing, redeeming, suffering, ended])
  for (const { managementUrl } of [a, b]) {
    const ready = async () => (await statusOf(`${managementUrl}/readyz/issuer`)) === 200
    await until(ready, `${fault}: the issuer at ${managementUrl} is back`, 30_000)
  }
  return { first, attempt, refreshes, redemptions }
}

async function round(person: Person, chance: () => number): Promise<string> {
  const ending = ENDINGS[Math.floor(chance() * ENDINGS.length)] ?? 'nothing'
  const fault = FAULTS[Math.floor(chance() * FAULTS.length)] ?? 'no fault'
  const begun = performance.now()
  const { first, attempt, refreshes, redemptions } = await schedule(person, ending, fault, chance)
  const refreshed = good(refreshes)
  const redeemed = good(redemptions)
  const counts = `${refreshed.length} of ${refreshes.length} refreshed, ${redeemed.length} of ${redemptions.length} redeemed`
  const said = `${ending}, ${fault}: ${counts}, ${Math.round(performance.now() - begun)} ms`
  assert.ok(distinct(refreshed) <= 1, `${said}: one refresh token has two successors`)
  assert.ok(redeemed.length <= 1, `${said}: a code was used twice`)
  if (ending === 'nothing') await goesOn({ family: [first, ...refreshed], redeemed }, begun, said)
  else await hasEnded(ending, { family: [first, ...refreshed], redeemed }, said)
  const again = good([await answered(() => several.redeem(b.url, attempt))])
  assert.ok(redeemed.length + again.length <= 1, `${said}: a code was used twice`)
  if (ending === 'person' || ending === 'client of the person')
    assert.equal(again.length, 0, `${said}: a code outlived`)
  const heads = `SELECT gid FROM models WHERE model = 'RefreshToken' AND consumed_at IS NULL GROUP BY gid HAVING count(*) > 1`
  assert.deepEqual(await pair.primary.query(several.database, heads), [], `${said}: a family has two living heads`)
  if (ending === 'group') await insist(() => acts.changeGroups(sub, ['photos'], 'fuzz'))
  return said
}

/** What nobody ended works at both instances; a client that did not hear the answer repeats, and gets the one successor. */
async function goesOn({ family }: Had, begun: number, said: string): Promise<void> {
  const [first, ...refreshed] = family
  for (const { url } of [a, b])
    await until(async () => (await look(url, family.at(-1)?.access_token ?? '')) === '200', `${said}: taken at ${url}`)
  if (performance.now() - begun > REPEATED_MS) return
  const repeated = await answered(() => several.refresh(b.url, first?.refresh_token))
  assert.equal(repeated.status, 200, `${said}: the repeat got ${JSON.stringify(repeated.body)}`)
  assert.equal(distinct([...refreshed, repeated.body]), 1, `${said}: the repeat got another refresh token`)
  const next = await answered(() => several.refresh(a.url, repeated.body.refresh_token))
  assert.equal(next.status, 200, `${said}: its successor got ${JSON.stringify(next.body)}`)
}

/** No token that the act ended is taken, at either instance. */
async function hasEnded(ending: Ending, { family, redeemed }: Had, said: string): Promise<void> {
  const ended = ending === 'authorization' ? family : [...family, ...redeemed]
  for (const { access_token: token = '' } of ended) {
    for (const { url } of [a, b]) {
      await until(async () => (await look(url, token)).startsWith('40'), `${said}: refused at ${url}`, 3_000)
    }
  }
  if (ending === 'group') return
  for (const { refresh_token: token } of ended) {
    const { body } = await answered(() => several.refresh(b.url, token))
    assert.equal(body.error, 'invalid_grant', `${said}: a refresh token outlived the act`)
  }
}

describe('random schedules of refreshes, redemptions, acts and faults over two instances', () => {
  it(`hold in ${ROUNDS} rounds; seed ${SEED}`, { timeout: 60_000 + ROUNDS * 12_000 }, async (context) => {
    const chance = chanceOf(SEED)
    let person = new Person(several.publicUrl, 'alice')
    for (let n = 0; n < ROUNDS; n += 1) {
      const said = await round(person, chance).catch((error: unknown) => {
        throw new Error(`round ${n} of AUDGATE_FUZZ_SEED=${SEED}`, { cause: error })
      })
      context.diagnostic(said)
      if (said.startsWith('person')) person = new Person(several.publicUrl, 'alice')
    }
    const faults = [...a.log(), ...b.log()].filter(({ event }) => event === 'process.fault')
    assert.deepEqual(faults, [])
  })
})
