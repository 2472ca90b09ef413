import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { RevocationActs } from '../../../src/issuer/revocation-acts.ts'
import { until } from '../../support/gateway-under-test.ts'
import { askToken, claimsOf, Person, redeem, type TokenAnswer } from '../../support/issuer/browser-less-person.ts'
import { REDIRECT, startTwoInstances, type TwoInstances } from '../../support/several-instances.ts'
import { look } from '../../support/split-audgate.ts'

const ROUNDS = Number(process.env.AUDGATE_FUZZ_ROUNDS ?? 50)
const SEED = Number(process.env.AUDGATE_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31))
const headers = { connection: 'close' }

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

let two: TwoInstances
let acts: RevocationActs
let sub = ''

before(async () => {
  two = await startTwoInstances()
  const opened = await two.openActs()
  acts = opened.acts
  sub = (await opened.store.userByName('alice'))?.sub ?? ''
})
after(() => two.close())

const asked = () => ({
  clientId: 'app',
  redirectUri: REDIRECT,
  scope: 'photos:read',
  resource: `${two.publicUrl}/photos`,
})

async function codeOf(person: Person) {
  const attempt = await person.authorize(asked())
  return attempt.code === '' ? new Person(two.publicUrl, 'alice').authorize(asked()) : attempt
}

type Ending = (typeof ENDINGS)[number]

/** Ends what the name says; undefined: nothing. */
async function end(ending: Ending, gid: string): Promise<void> {
  if (ending === 'authorization') await acts.revokeAuthorization(gid, 'fuzz')
  if (ending === 'client of the person') await acts.revokeUserClient(sub, 'app', 'fuzz')
  if (ending === 'person') await acts.revokeUser(sub, 'fuzz')
  if (ending === 'group') await acts.changeGroups(sub, ['others'], 'fuzz')
}

const good = (answers: readonly TokenAnswer[]): readonly TokenAnswer['body'][] =>
  answers.filter(({ status }) => status === 200).map(({ body }) => body)

const distinct = (bodies: readonly TokenAnswer['body'][]): number =>
  new Set(bodies.map(({ refresh_token: token }) => token)).size

/** One family, one code, and an act: refreshes and redemptions at both instances, each at a moment that chance says. */
async function round(person: Person, chance: () => number): Promise<string> {
  const first = await redeem(two.a.url, await codeOf(person), { ...asked(), headers })
  assert.equal(first.status, 200, JSON.stringify(first.body))
  const attempt = await codeOf(person)
  const gid = String(claimsOf(first.body.access_token).gid)
  const ending = ENDINGS[Math.floor(chance() * ENDINGS.length)] ?? 'nothing'
  const some = <T>(work: (url: string) => Promise<T>): Promise<T>[] =>
    Array.from({ length: 1 + Math.floor(chance() * 3) }, async () => {
      const url = chance() < 0.5 ? two.a.url : two.b.url
      await delay(chance() * 40)
      return work(url)
    })
  const refreshes = some((url) =>
    askToken(url, { grant_type: 'refresh_token', refresh_token: first.body.refresh_token, client_id: 'app' }, headers),
  )
  const redemptions = some((url) => redeem(url, attempt, { ...asked(), headers }))
  await delay(chance() * 60)
  await end(ending, gid)
  const refreshed = good(await Promise.all(refreshes))
  const redeemed = good(await Promise.all(redemptions))
  const said = `${ending}: ${refreshed.length} of ${refreshes.length} refreshed, ${redeemed.length} of ${redemptions.length} redeemed`
  assert.ok(distinct(refreshed) <= 1, `${said}: one refresh token has two successors`)
  assert.ok(redeemed.length <= 1, `${said}: a code was used twice`)
  await holds(ending, { family: [first.body, ...refreshed], redeemed }, said)
  const heads = `SELECT gid FROM models WHERE model = 'RefreshToken' AND consumed_at IS NULL GROUP BY gid HAVING count(*) > 1`
  assert.deepEqual(await two.postgres.query(two.database, heads), [], `${said}: a family has two living heads`)
  if (ending === 'group') await acts.changeGroups(sub, ['photos'], 'fuzz')
  return said
}

interface Had {
  readonly family: readonly TokenAnswer['body'][]
  readonly redeemed: readonly TokenAnswer['body'][]
}

/** No token that the act ended is taken, at either instance; what it did not end works. */
async function holds(ending: Ending, { family, redeemed }: Had, said: string): Promise<void> {
  if (ending === 'nothing') {
    const last = family.at(-1)?.access_token ?? ''
    assert.equal(await look(two.b.url, last), '200', said)
    return
  }
  const ended = ending === 'authorization' ? family : [...family, ...redeemed]
  for (const { access_token: token = '' } of ended) {
    for (const { url } of [two.a, two.b]) {
      await until(async () => (await look(url, token)).startsWith('40'), `${said}: refused at ${url}`, 3_000)
    }
  }
  if (ending === 'group') return
  for (const { refresh_token: token } of ended) {
    const { body } = await askToken(
      two.b.url,
      { grant_type: 'refresh_token', refresh_token: token, client_id: 'app' },
      headers,
    )
    assert.equal(body.error, 'invalid_grant', `${said}: a refresh token outlived the act`)
  }
}

describe('random schedules of refreshes, redemptions and acts over two instances', () => {
  it(`hold in ${ROUNDS} rounds; seed ${SEED}`, { timeout: 600_000 }, async (context) => {
    const chance = chanceOf(SEED)
    let person = new Person(two.publicUrl, 'alice')
    for (let n = 0; n < ROUNDS; n += 1) {
      const said = await round(person, chance).catch((error: unknown) => {
        throw new Error(`round ${n} of AUDGATE_FUZZ_SEED=${SEED}`, { cause: error })
      })
      context.diagnostic(said)
      if (said.startsWith('person')) person = new Person(two.publicUrl, 'alice')
    }
  })
})
