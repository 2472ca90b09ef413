import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { performance } from 'node:perf_hooks'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface Load {
  readonly url: string
  readonly seconds: number
  readonly connections: number
  /** One token a line; undefined: no Authorization. */
  readonly tokenFile: string | undefined
  /** Each token once, then the load ends early. */
  readonly once: boolean
  readonly method: 'GET' | 'PUT'
  /** Bytes of the request's body. */
  readonly bodyBytes: number
  /** What the lines of `tokenFile` stand in; default: Authorization as Bearer. */
  readonly field?: { readonly name: string; readonly prefix: string }
  /** Default: the URL's. */
  readonly host?: string
}

export interface LoadResult {
  readonly requests: number
  readonly seconds: number
  /** Answers by status class other than 2xx, and socket errors. */
  readonly refused: number
  readonly socketErrors: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** One round of wrk with one thread on `core`. Throws when wrk can't run. */
export async function wrk(core: number, folder: string, load: Load): Promise<LoadResult> {
  const script = `${folder}/load.lua`
  writeFileSync(script, luaFor(load))
  const options = ['-t1', `-c${load.connections}`, `-d${load.seconds}s`, '--timeout', '20s', '-s', script, load.url]
  const { stdout } = await run('taskset', ['-c', String(core), 'wrk', ...options], { maxBuffer: 1 << 20 })
  const line = stdout.split('\n').find((candidate) => candidate.startsWith('RESULT '))
  if (line === undefined) throw new Error(`wrk printed no result: ${stdout}`)
  return JSON.parse(line.slice(7))
}

function luaFor(load: Load): string {
  const { name, prefix } = load.field ?? { name: 'Authorization', prefix: 'Bearer ' }
  return `
local heads, n, i = {}, 0, 0
${load.tokenFile === undefined ? '' : `for line in io.lines(${JSON.stringify(load.tokenFile)}) do n = n + 1; heads[n] = line end`}
wrk.method = ${JSON.stringify(load.method)}
${load.host === undefined ? '' : `wrk.headers["Host"] = ${JSON.stringify(load.host)}`}
${load.bodyBytes > 0 ? `local body = string.rep("x", ${load.bodyBytes})` : 'local body = nil'}
local made = {}
function request()
  if n == 0 then return wrk.format(nil, nil, nil, body) end
  i = i + 1
  ${load.once ? 'if i > n then wrk.thread:stop(); i = n end' : 'if i > n then i = 1 end'}
  local ready = made[i]
  if ready == nil then
    ready = wrk.format(nil, nil, { [${JSON.stringify(name)}] = ${JSON.stringify(prefix)} .. heads[i] }, body)
    ${load.once ? '' : 'made[i] = ready'}
  end
  return ready
end
function done(summary, latency)
  local e = summary.errors
  print(string.format('RESULT {"requests":%d,"seconds":%f,"refused":%d,"socketErrors":%d,"p50Ms":%f,"p99Ms":%f}',
    summary.requests, summary.duration / 1e6, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
`
}

/** A GET at a fixed rate, see {@link openLoop}; the tokens take turns. */
export async function fixedRate(
  url: string,
  tokens: readonly string[],
  rate: number,
  seconds: number,
): Promise<Latency> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const get = (n: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const authorization = `Bearer ${tokens[n % tokens.length] ?? ''}`
      const one = request(url, { agent, headers: { authorization } }, (response) => {
        response.resume()
        response.once('end', () => resolve())
      })
      one.once('error', reject)
      one.end()
    })
  return openLoop(get, rate, seconds).finally(() => agent.destroy())
}

export interface Latency {
  readonly p50Ms: number
  readonly p99Ms: number
}

/**
 * Latency at a fixed rate, open loop: a request is due every 1/`rate` s whether or not earlier ones were answered, and its
 * time counts from when it was due (no coordinated omission). Rejects with the first fault of `send`.
 */
export async function openLoop(send: (n: number) => Promise<unknown>, rate: number, seconds: number): Promise<Latency> {
  const times: number[] = []
  const total = rate * seconds
  const start = performance.now() + 50
  let sent = 0
  await new Promise<void>((resolve, reject) => {
    const timer = setInterval(() => {
      // The first is due at the start itself.
      const due = Math.min(total, Math.floor(((performance.now() - start) / 1_000) * rate) + 1)
      for (; sent < due; sent += 1) fire(sent, start + (sent / rate) * 1_000)
      if (sent >= total) clearInterval(timer)
    }, 1)
    const fire = (n: number, dueAt: number): void => {
      send(n).then(
        () => {
          times.push(performance.now() - dueAt)
          if (times.length === total) resolve()
        },
        (fault: unknown) => {
          clearInterval(timer)
          reject(fault)
        },
      )
    }
  })
  return percentiles(times)
}

/** @param times milliseconds. */
export function percentiles(times: readonly number[]): Latency {
  const sorted = times.toSorted((a, b) => a - b)
  return { p50Ms: sorted[Math.floor(sorted.length * 0.5)] ?? 0, p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0 }
}
