import { setTimeout as delay } from 'node:timers/promises'
import { askToken, Person, post, redeem } from '../support/issuer/browser-less-person.ts'
import type { Serving } from '../support/serving.ts'
import { look } from '../support/split-audgate.ts'
import { type Deployment, deploy, type Instance, REDIRECT } from './deployment.ts'
import { openLoop, percentiles } from './load.ts'
import { footprintOf } from './processes.ts'
import type { Row } from './report.ts'

export interface IssuerRun {
  /** Fewer of everything: about three minutes instead of fifteen. */
  readonly quick: boolean
  /** How many gateways follow at once, each number a figure of its own. */
  readonly followers: readonly number[]
  readonly wants: (part: 'operations' | 'reach' | 'starts') => boolean
}

const ENTRIES = 100_000
const LANES = 4
const LATENCY_RATE = 40

/** What the issuer costs on either store: each operation, latencies, how fast an act reaches followers, and a start with much in force. */
export async function issuerCosts(run: IssuerRun): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (const name of ['SQLite', 'PostgreSQL'] as const) {
    const deployment = await deploy(name)
    try {
      const instance = await deployment.start('a')
      if (run.wants('operations')) rows.push(...(await operationCosts(deployment, instance, run)))
      if (run.wants('reach')) rows.push(...(await reach(deployment, instance, run)))
      if (run.wants('starts')) rows.push(...(await starts(deployment, instance)))
    } finally {
      await deployment.close()
    }
  }
  return rows
}

interface Family {
  readonly access: string
  readonly refresh: string
}

type Attempt = Awaited<ReturnType<Person['authorize']>>

/** Requests to an issuer; each throws when the answer is not what is measured. */
function requestsTo({ publicUrl, secret }: Deployment) {
  const asked = {
    clientId: 'app',
    redirectUri: REDIRECT,
    scope: 'photos:read',
    resource: `${publicUrl}/photos`,
  }
  const expectTokens = async (answer: ReturnType<typeof askToken>): Promise<Family> => {
    const { status, body } = await answer
    if (status !== 200) throw new Error(`no tokens: ${status} ${JSON.stringify(body)}`)
    return { access: body.access_token ?? '', refresh: body.refresh_token ?? '' }
  }
  const machine = { client_id: 'machine', client_secret: secret }
  return {
    code: async (person: Person): Promise<Attempt> => {
      const attempt = await person.authorize(asked)
      if (attempt.code === '') throw new Error(`no code: ${attempt.url} ${attempt.text}`)
      return attempt
    },
    redeem: (attempt: Attempt) => expectTokens(redeem(publicUrl, attempt, asked)),
    refresh: ({ refresh }: Family) =>
      expectTokens(askToken(publicUrl, { grant_type: 'refresh_token', refresh_token: refresh, client_id: 'app' })),
    machineToken: () =>
      expectTokens(askToken(publicUrl, { grant_type: 'client_credentials', resource: asked.resource, ...machine })),
    introspect: async ({ access }: Family): Promise<void> => {
      const { body } = await post(`${publicUrl}/oauth/introspect`, { token: access, client_id: 'app' })
      if (body.active !== true) throw new Error(`not active: ${JSON.stringify(body)}`)
    },
    revoke: async ({ refresh }: Family): Promise<void> => {
      const { status } = await post(`${publicUrl}/oauth/revoke`, { token: refresh, client_id: 'app' })
      if (status !== 200) throw new Error(`not revoked: ${status}`)
    },
  }
}

async function operationCosts(deployment: Deployment, instance: Instance, run: IssuerRun): Promise<readonly Row[]> {
  const many = run.quick ? 24 : 200
  const requests = requestsTo(deployment)
  const rows: Row[] = []
  const measure = async <A, B>(
    scenario: string,
    all: readonly A[],
    work: (one: A) => Promise<B>,
  ): Promise<readonly B[]> => {
    const { results, cost } = await costOf(deployment, instance, all, work)
    rows.push(...cost.map(([unit, value]) => ({ scenario, name: deployment.name, unit, value })))
    process.stderr.write(
      `${deployment.name}, ${scenario}: ${cost.map(([u, v]) => `${v.toFixed(1)} ${u}`).join(' · ')}\n`,
    )
    return results
  }
  const browsers = Array.from({ length: many }, () => new Person(deployment.publicUrl, 'alice'))
  // What compiles as it runs is measured once it has.
  const warm = await inLanes(
    browsers.slice(0, 8).map(() => new Person(deployment.publicUrl, 'alice')),
    requests.code,
  )
  let families = await inLanes(warm, requests.redeem)
  for (let turn = 0; turn < 10; turn += 1) families = await inLanes(families, requests.refresh)
  for (let turn = 0; turn < 10; turn += 1) await inLanes(families, requests.introspect)
  await inLanes(families, requests.revoke)
  const codes = await measure('sign-in, to the code', browsers, requests.code)
  families = await measure('code', codes, requests.redeem)
  for (let turn = 0; turn < 3; turn += 1) families = await inLanes(families, requests.refresh)
  families = await measure('refresh', families, requests.refresh)
  await measure('client-credentials token', families, requests.machineToken)
  await measure('introspection', families, requests.introspect)
  await measure('revocation', families, requests.revoke)
  return [...rows, ...(await latencies(deployment, run))]
}

type Cost = readonly (readonly [unit: string, value: number])[]

/** What one of `work` takes, on average; what the processes do all the time in the same span is not counted. */
async function costOf<A, B>(
  { database }: Pick<Deployment, 'database'>,
  instance: Instance,
  all: readonly A[],
  work: (one: A) => Promise<B>,
): Promise<{ readonly results: readonly B[]; readonly cost: Cost }> {
  const now = async () => ({
    at: performance.now(),
    process: instance.cpuMicros(),
    database: database?.cpuMicros() ?? 0,
    ...(await instance.counts()),
  })
  const idle = await now()
  await delay(1_000)
  const before = await now()
  const results = await inLanes(all, work)
  const after = await now()
  const times = (after.at - before.at) / (before.at - idle.at)
  const per = (key: Exclude<keyof typeof idle, 'at'>): number =>
    (after[key] - before[key] - (before[key] - idle[key]) * times) / all.length
  return {
    results,
    cost: [
      ['CPU ms, process', per('process') / 1_000],
      ...(database === undefined ? [] : [['CPU ms, database', per('database') / 1_000] as const]),
      ['statements', per('statements')],
      ['commits', per('commits')],
    ],
  }
}

/** Results in the order of `all`. */
async function inLanes<A, B>(all: readonly A[], work: (one: A) => Promise<B>): Promise<readonly B[]> {
  const results = new Map<number, B>()
  const waiting = all.entries()
  const lane = async (): Promise<void> => {
    for (const [n, one] of waiting) results.set(n, await work(one))
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  return [...results].sort(([a], [b]) => a - b).map(([, result]) => result)
}

async function latencies(deployment: Deployment, { quick }: IssuerRun): Promise<readonly Row[]> {
  const { name } = deployment
  const requests = requestsTo(deployment)
  const person = new Person(deployment.publicUrl, 'alice')
  const families: Promise<Family>[] = []
  while (families.length < 20) families.push(Promise.resolve(await requests.redeem(await requests.code(person))))
  const rows: Row[] = []
  for (const [scenario, send] of [
    ['client-credentials token', requests.machineToken],
    ['introspection', async (n: number) => requests.introspect(await familyAt(families, n))],
    // A family's next refresh needs the answer of the one before.
    ['refresh', (n: number) => (families[n % families.length] = familyAt(families, n).then(requests.refresh))],
  ] as const) {
    const { p50Ms, p99Ms } = await openLoop(send, LATENCY_RATE, quick ? 3 : 20)
    rows.push({ scenario: `${scenario}, ${LATENCY_RATE}/s`, name, unit: 'ms, p50', value: p50Ms })
    rows.push({ scenario: `${scenario}, ${LATENCY_RATE}/s`, name, unit: 'ms, p99', value: p99Ms })
  }
  return rows
}

function familyAt(families: readonly Promise<Family>[], n: number): Promise<Family> {
  const family = families[n % families.length]
  if (family === undefined) throw new TypeError('no families')
  return family
}

/** From the answer of an act to the last of so many followers' refusal; with PostgreSQL they follow another instance. */
async function reach(deployment: Deployment, instance: Instance, run: IssuerRun): Promise<readonly Row[]> {
  const { name } = deployment
  const requests = requestsTo(deployment)
  const person = new Person(deployment.publicUrl, 'alice')
  const followed = name === 'SQLite' ? instance : await deployment.start('b')
  const followers: Serving[] = []
  const rows: Row[] = []
  for (const count of run.followers.toSorted((a, b) => a - b)) {
    while (followers.length < count) followers.push(await deployment.follow([followed.serving.url]))
    const times: number[] = []
    for (let act = 0; act < (run.quick ? 12 : 100); act += 1) {
      const family = await requests.redeem(await requests.code(person))
      // Each has met the token: what it knows of it is what the act has to end.
      await Promise.all(followers.map(({ url }) => look(url, family.access)))
      await requests.revoke(family)
      const since = performance.now()
      await Promise.all(followers.map(({ url }) => untilRefused(url, family.access)))
      times.push(performance.now() - since)
    }
    const { p50Ms, p99Ms } = percentiles(times)
    const scenario = `an act’s answer to the last of ${count} followers’ refusal`
    rows.push({ scenario, name, unit: 'ms, p50', value: p50Ms }, { scenario, name, unit: 'ms, p99', value: p99Ms })
    process.stderr.write(`${name}, ${scenario}: ${p50Ms.toFixed(0)} ms, p99 ${p99Ms.toFixed(0)} ms\n`)
  }
  await Promise.all([...followers, ...(followed === instance ? [] : [followed.serving])].map((each) => each.remove()))
  return rows
}

async function untilRefused(origin: string, token: string): Promise<void> {
  while ((await look(origin, token)) !== '401 revoked') await delay(2)
}

/** Starts of an instance and of a follower with nothing but what the run has left, then with much in force. */
async function starts(deployment: Deployment, instance: Instance): Promise<readonly Row[]> {
  const { name } = deployment
  const rows: Row[] = []
  let running = instance
  for (const entries of [0, ENTRIES]) {
    if (entries > 0) await deployment.putInForce(entries)
    running.serving.signal('SIGTERM')
    await running.serving.ended()
    const since = performance.now()
    running = await deployment.start('a')
    const served = performance.now()
    const gateway = await deployment.follow([running.serving.url])
    const followed = performance.now()
    const scenario = (what: string): string => `${what} starts, ${entries} entries put in force`
    rows.push({ scenario: scenario('an instance'), name, unit: 'ms', value: served - since })
    rows.push({ scenario: scenario('an instance'), name, unit: 'MiB resident', value: running.rssBytes() / 2 ** 20 })
    rows.push({ scenario: scenario('a follower'), name, unit: 'ms', value: followed - served })
    const { rssBytes } = footprintOf(gateway.child.pid ?? 0)
    rows.push({ scenario: scenario('a follower'), name, unit: 'MiB resident', value: rssBytes() / 2 ** 20 })
  }
  return rows
}
