import { spawn } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { audgateCommand, audgateFile, type Entry, LOAD_CORE, MEASURED_CORE } from './contestants.ts'
import { fixedRate, wrk } from './load.ts'
import { startPinned } from './processes.ts'
import { median, type Row } from './report.ts'
import { createMinter } from './tokens.ts'

/** p50 and p99 at 500 requests a second, open loop. */
export async function latencies(entries: readonly Entry[], tokens: readonly string[]): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (const entry of entries) {
    await fixedRate(`${entry.url}/1k`, tokens, 500, 1)
    const { p50Ms, p99Ms } = await fixedRate(`${entry.url}/1k`, tokens, 500, 5)
    rows.push({ scenario: '500 requests/s', name: entry.name, unit: 'p50 ms', value: p50Ms })
    rows.push({ scenario: '500 requests/s', name: entry.name, unit: 'p99 ms', value: p99Ms })
  }
  return rows
}

/** Memory that 1,000 connections cost which have made a request each and stay open; and what is resident after everything. */
export async function idleConnections(entries: readonly Entry[]): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (const entry of entries) {
    const before = entry.process.rssBytes()
    const sockets = await Promise.all(Array.from({ length: 1_000 }, () => openIdle(Number(new URL(entry.url).port))))
    await delay(1_000)
    rows.push({
      scenario: '1,000 idle connections',
      name: entry.name,
      unit: 'MiB more',
      value: (entry.process.rssBytes() - before) / 1_048_576,
    })
    for (const socket of sockets) socket.destroy()
    rows.push({
      scenario: 'resident after everything',
      name: entry.name,
      unit: 'MiB',
      value: entry.process.rssBytes() / 1_048_576,
    })
  }
  return rows
}

function openIdle(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('GET /1k HTTP/1.1\r\nHost: localhost\r\n\r\n'))
    socket.once('error', reject)
    socket.once('data', () => {
      socket.resume()
      resolve(socket)
    })
  })
}

/** From the start of the process to the first 200 of /readyz; five starts, the median. */
export async function coldStart(command: readonly string[], management: number): Promise<readonly Row[]> {
  const times: number[] = []
  for (let i = 0; i < 5; i += 1) {
    const began = performance.now()
    const child = spawn('taskset', ['-c', String(MEASURED_CORE), ...command], { stdio: 'ignore' })
    while (!(await ready(management))) await delay(5)
    times.push(performance.now() - began)
    const exited = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await exited
  }
  return [{ scenario: 'cold start, to ready', name: 'audgate', unit: 'ms', value: median(times) }]
}

async function ready(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok
  } catch {
    return false
  }
}

/**
 * What a second worker adds on two cores. Load and upstream need the same two, so that only requests that cost the gateway much more than them can
 * show it: each is the first use of an ES512 token, a few milliseconds of a worker's.
 */
export async function workerScaling(folder: string, upstreamPort: number): Promise<readonly Row[]> {
  const minter = createMinter(folder, 'ES512')
  const rows: Row[] = []
  const rates: number[] = []
  for (const workers of [1, 2]) {
    const { file, port } = await audgateFile(folder, upstreamPort, minter, { workers, accessLog: 'off' })
    const cores = `${MEASURED_CORE},${LOAD_CORE}`
    const process = await startPinned(MEASURED_CORE, ['taskset', '-c', cores, ...audgateCommand(file)], port)
    const run = async (seconds: number) => {
      const tokenFile = `${folder}/workers.tokens`
      minter.mint(tokenFile, seconds * MOST_ES512_A_SECOND)
      const load = { url: `http://127.0.0.1:${port}/1k`, seconds, connections: 64, tokenFile, once: true }
      return wrk(LOAD_CORE, folder, { ...load, method: 'GET', bodyBytes: 0 })
    }
    await run(1)
    const before = process.cpuMicros()
    const result = await run(4)
    const scenario = `first use of ES512, ${workers} worker${workers > 1 ? 's' : ''} on two cores`
    const rate = result.requests / result.seconds
    rates.push(rate)
    rows.push({ scenario, name: 'audgate', unit: 'requests/s', value: rate })
    const cost = (process.cpuMicros() - before) / result.requests
    rows.push({ scenario, name: 'audgate', unit: 'CPU µs/request', value: cost })
    await process.stop()
  }
  const [one = 1, two = 0] = rates
  return [...rows, { scenario: 'second worker', name: 'audgate', unit: 'times one', value: two / one }]
}

/** More than two cores can verify. */
const MOST_ES512_A_SECOND = 1_500
