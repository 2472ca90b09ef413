/**
 * CPU cost per request of audgate beside nginx (plain proxying), HAProxy (jwt_verify ES256) and a Fastify gateway, as medians
 * of alternating rounds on one core, with load and upstream on the other. Figures compare within one run only.
 *
 *   npm run bench -- [--rounds 5] [--seconds 3] [--json FILE] [--only known,64k,…] [--quick]
 *   npm run bench -- issuer [--followers 2,10,50] [--only operations,reach,starts] [--json FILE] [--quick]
 *   npm run bench -- issuer --authorizations 10000000: plans and sizes of a database with so many (some minutes, 6 GB of disk)
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import {
  audgateCommand,
  audgateFile,
  type Entry,
  LOAD_CORE,
  startAudgate,
  startFastify,
  startHaproxy,
  startNginx,
  startSink,
  startUpstream,
} from './contestants.ts'
import { credentialCosts } from './credentials.ts'
import { coldStart, idleConnections, latencies, workerScaling } from './extras.ts'
import { issuerCosts } from './issuer.ts'
import { type Load, wrk } from './load.ts'
import { plansAndSizes } from './plans.ts'
import { median, printTable, type Row } from './report.ts'
import { createMinter, type Minter } from './tokens.ts'

interface Scenario {
  readonly key: string
  readonly title: string
  readonly load: Omit<Load, 'url' | 'tokenFile'> & { readonly path: string }
  readonly tokens: 'known' | 'first' | 'none' | 'garbage'
  /** Contestants that the scenario makes sense for. */
  readonly fits: (entry: Entry) => boolean
  /** Uploads end in a sink; everything else comes from files. */
  readonly upstream?: 'sink'
  /** CPU is stated per request, or per GiB moved. */
  readonly perBytes?: number
}

const KNOWN_TOKENS = 2_000
const WARM_UP_SECONDS = 4
const everyone = (): boolean => true
const checking = (entry: Entry): boolean => entry.checksTokens
const get = (path: string, seconds: number, connections = 32): Scenario['load'] => ({
  path,
  seconds,
  connections,
  once: false,
  method: 'GET',
  bodyBytes: 0,
})

function scenarios(seconds: number): readonly Scenario[] {
  const mib10 = 10_485_760
  return [
    { key: 'known', title: '1 KiB, known tokens', load: get('/1k', seconds), tokens: 'known', fits: everyone },
    { key: '64k', title: '64 KiB, known tokens', load: get('/64k', seconds), tokens: 'known', fits: everyone },
    {
      key: '10m',
      title: '10 MiB down',
      load: get('/10m', seconds, 4),
      tokens: 'known',
      fits: everyone,
      perBytes: mib10,
    },
    {
      key: 'upload',
      title: '10 MiB up',
      load: { path: '/sink', seconds, connections: 4, once: false, method: 'PUT', bodyBytes: mib10 },
      tokens: 'known',
      fits: (entry) => !entry.name.startsWith('Fastify'),
      perBytes: mib10,
      upstream: 'sink',
    },
    {
      key: 'first',
      title: '1 KiB, first use of each token',
      load: { ...get('/1k', seconds), once: true },
      tokens: 'first',
      fits: checking,
    },
    { key: 'none', title: '401, no token', load: get('/1k', seconds), tokens: 'none', fits: checking },
    { key: 'garbage', title: '401, garbage', load: get('/1k', seconds), tokens: 'garbage', fits: checking },
  ]
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      followers: { type: 'string', default: '2,10' },
      authorizations: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
      json: { type: 'string' },
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
    },
  })
  const rounds = values.quick ? 2 : Number(values.rounds)
  const seconds = values.quick ? 1 : Number(values.seconds)
  const wanted = values.only?.split(',')
  const wants = (key: string): boolean => wanted === undefined || wanted.includes(key)
  const issuer = async (): Promise<readonly Row[]> =>
    values.authorizations === undefined
      ? issuerCosts({ quick: values.quick, followers: values.followers.split(',').map(Number), wants })
      : plansAndSizes(Number(values.authorizations))
  const rows = positionals[0] === 'issuer' ? await issuer() : await measure({ rounds, seconds, wants })
  printTable(rows)
  if (values.json !== undefined) {
    const report = { at: new Date().toISOString(), rounds, seconds, rows }
    writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)
  }
}

interface Run {
  readonly rounds: number
  readonly seconds: number
  readonly wants: (key: string) => boolean
}

async function measure(run: Run): Promise<readonly Row[]> {
  const folder = mkdtempSync(`${tmpdir()}/audgate-bench-`)
  const minter = createMinter(folder)
  const upstream = await startUpstream(folder)
  try {
    const rows = [...(await measureFiles(run, folder, upstream.port, minter))]
    if (run.wants('upload')) rows.push(...(await measureUploads(run, folder, minter)))
    if (run.wants('credentials')) rows.push(...(await credentialCosts(folder, upstream.port, run)))
    if (run.wants('start')) rows.push(...(await measureStart(folder, upstream.port, minter)))
    if (run.wants('workers')) rows.push(...(await workerScaling(folder, upstream.port)))
    return rows
  } finally {
    await upstream.process.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measureFiles(run: Run, folder: string, port: number, minter: Minter): Promise<readonly Row[]> {
  const rows: Row[] = []
  const entries = await startAll(folder, port, minter)
  try {
    for (const scenario of scenarios(run.seconds)) {
      if (scenario.upstream === undefined && run.wants(scenario.key)) {
        rows.push(...(await play(scenario, entries, run.rounds, folder, minter)))
      }
    }
    if (run.wants('latency')) rows.push(...(await latencies(entries, minter.mint(`${folder}/latency`, 500))))
    if (run.wants('idle')) rows.push(...(await idleConnections(entries)))
    return rows
  } finally {
    for (const entry of entries) await entry.process.stop()
  }
}

async function measureUploads(run: Run, outer: string, minter: Minter): Promise<readonly Row[]> {
  const folder = `${outer}/uploads`
  mkdirSync(folder)
  const sink = await startSink()
  const entries = await startAll(folder, sink.port, minter)
  const rows: Row[] = []
  try {
    for (const scenario of scenarios(run.seconds)) {
      if (scenario.upstream === 'sink') rows.push(...(await play(scenario, entries, run.rounds, folder, minter)))
    }
    return rows
  } finally {
    for (const entry of entries) await entry.process.stop()
    await sink.process.stop()
  }
}

async function measureStart(folder: string, upstreamPort: number, minter: Minter): Promise<readonly Row[]> {
  const options = { workers: 1, accessLog: 'off' } as const
  const { file, management } = await audgateFile(folder, upstreamPort, minter, options)
  return coldStart(audgateCommand(file), management)
}

async function startAll(folder: string, port: number, minter: Minter): Promise<readonly Entry[]> {
  return [
    await startNginx(folder, port),
    await startHaproxy(folder, port, minter),
    await startAudgate(folder, port, minter, { workers: 1, accessLog: 'off' }),
    await startAudgate(folder, port, minter, { workers: 1, accessLog: 'all' }),
    await startFastify(folder, port, minter),
  ]
}

/** Alternating rounds, so that a loud neighbour hits everyone; the median of each contestant's rounds counts. */
async function play(
  scenario: Scenario,
  entries: readonly Entry[],
  rounds: number,
  folder: string,
  minter: Minter,
): Promise<readonly Row[]> {
  const fitting = entries.filter(scenario.fits)
  const costs = new Map<string, number[]>(fitting.map((entry) => [entry.name, []]))
  const known = tokenFile(scenario, folder, minter)
  for (const entry of fitting) await warmUp(scenario, entry, known, folder, minter)
  for (let i = 0; i < rounds; i += 1) {
    for (const entry of fitting) {
      const tokens = scenario.tokens === 'first' ? tokenFile(scenario, folder, minter) : known
      costs.get(entry.name)?.push(await round(scenario, entry, tokens, folder, scenario.load.seconds))
    }
  }
  process.stderr.write(
    `${scenario.title}: ${[...costs].map(([name, all]) => `${name} ${median(all).toFixed(1)}`).join(' · ')}\n`,
  )
  const perGiB = scenario.perBytes === undefined ? 1 : 1_073_741_824 / scenario.perBytes
  return [...costs].map(([name, all]) => ({
    scenario: scenario.title,
    name,
    unit: scenario.perBytes === undefined ? 'CPU µs/request' : 'CPU ms/GiB',
    value: scenario.perBytes === undefined ? median(all) : (median(all) * perGiB) / 1_000,
  }))
}

/** What compiles as it runs is measured once it has; how long a start takes is another scenario. */
async function warmUp(
  scenario: Scenario,
  entry: Entry,
  known: string | undefined,
  folder: string,
  minter: Minter,
): Promise<void> {
  const tokens = scenario.tokens === 'first' ? tokenFile(scenario, folder, minter) : known
  await round(scenario, entry, tokens, folder, WARM_UP_SECONDS)
}

function tokenFile(scenario: Scenario, folder: string, minter: Minter): string | undefined {
  const file = `${folder}/${scenario.key}.tokens`
  switch (scenario.tokens) {
    case 'none':
      return undefined
    case 'garbage':
      writeFileSync(file, Array.from({ length: KNOWN_TOKENS }, (_, i) => `garbage-${i}-${'x'.repeat(500)}`).join('\n'))
      return file
    case 'known':
      minter.mint(file, KNOWN_TOKENS)
      return file
    case 'first':
      minter.mint(file, Math.ceil(Math.max(WARM_UP_SECONDS, scenario.load.seconds) * 9_000))
      return file
  }
}

/** CPU µs per request in one round. Throws when answers are not what the scenario is about: a broken round measures nothing. */
async function round(
  scenario: Scenario,
  entry: Entry,
  tokens: string | undefined,
  folder: string,
  seconds: number,
): Promise<number> {
  const before = entry.process.cpuMicros()
  const result = await wrk(LOAD_CORE, folder, {
    ...scenario.load,
    seconds,
    url: `${entry.url}${scenario.load.path}`,
    tokenFile: tokens,
  })
  const cost = (entry.process.cpuMicros() - before) / result.requests
  const expectRefused = scenario.tokens === 'none' || scenario.tokens === 'garbage'
  const refused = result.refused / result.requests
  if (expectRefused ? refused < 0.99 : refused > 0.001) {
    throw new Error(`${entry.name}, ${scenario.title}: ${result.refused} of ${result.requests} refused`)
  }
  return cost
}

await main()
