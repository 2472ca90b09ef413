import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** A process under measurement, with all its child processes. */
export interface Footprint {
  /** CPU time of the process and its children so far, microseconds (user and system). */
  cpuMicros(): number
  /** Resident memory of all of them, bytes. */
  rssBytes(): number
}

/** A program that was started to be measured. */
export interface Contestant extends Footprint {
  readonly pid: number
  stop(): Promise<void>
}

/** Of a process that others have started. What children that have ended took does not count. */
export function footprintOf(pid: number): Footprint {
  return {
    cpuMicros: () => family(pid).reduce((sum, member) => sum + cpuOf(member), 0),
    rssBytes: () => family(pid).reduce((sum, member) => sum + rssOf(member), 0),
  }
}

/**
 * Starts `command` on one core and answers when `port` accepts connections; fails after 20 s.
 * @param core which core, counted from 0
 */
export async function startPinned(
  core: number,
  command: readonly string[],
  port: number,
  env = process.env,
): Promise<Contestant> {
  const child = spawn('taskset', ['-c', String(core), ...command], { stdio: ['ignore', 'ignore', 'pipe'], env })
  const errors: Buffer[] = []
  child.stderr?.on('data', (chunk: Buffer) => errors.push(chunk))
  const pid = child.pid
  if (pid === undefined) throw new Error(`cannot start ${command[0]}`)
  await untilListening(port, child, () => Buffer.concat(errors).toString())
  return {
    pid,
    ...footprintOf(pid),
    stop: () => stop(child),
  }
}

async function untilListening(port: number, child: ChildProcess, errors: () => string): Promise<void> {
  const deadline = Date.now() + 20_000
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`exited with ${child.exitCode}: ${errors()}`)
    if (await accepts(port)) return
    await delay(20)
  }
  child.kill('SIGKILL')
  throw new Error(`nothing listens on port ${port}: ${errors()}`)
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const hard = setTimeout(() => child.kill('SIGKILL'), 5_000)
  await exited
  clearTimeout(hard)
}

function family(root: number): readonly number[] {
  const members = [root]
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const parent = field(Number(entry), 3)
    if (parent !== undefined && members.includes(Number(parent))) members.push(Number(entry))
  }
  return members
}

/** Field `index` of /proc/PID/stat, counted from 0; the command name in brackets is one field. */
function field(pid: number, index: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const afterName = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return afterName[index - 2]
  } catch {
    return undefined
  }
}

/** Nanosecond-exact run time of all threads (schedstat); ticks of 10 ms would be too coarse for short rounds. */
function cpuOf(pid: number): number {
  let nanos = 0
  try {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      nanos += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0])
    }
  } catch {
    return 0
  }
  return nanos / 1_000
}

function rssOf(pid: number): number {
  return Number(field(pid, 23) ?? 0) * 4_096
}
