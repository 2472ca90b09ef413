import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from './programs/free-ports.ts'

/** What has not ended by itself by then is ended. */
const DEADLINE_MS = 20_000
const ROOT = join(import.meta.dirname, '../..')

/** A folder like the repository's root, with a data folder of its own and the shipped routes.yaml on free ports. */
export interface DemoFolder {
  readonly path: string
  /** Where its gateway will be: `http://localhost:PORT`. */
  readonly url: string
  readonly port: number
  /** Those of the photo server, the file server and the site. */
  readonly upstreamPorts: readonly number[]
  /** Replaces in routes.yaml. */
  bend(from: string, to: string): undefined
  remove(): void
}

export interface DemoProcess {
  /** Everything on stderr so far. */
  readonly stderr: string
  /** Everything on stdout so far: the log. */
  readonly stdout: string
  /** Resolves when the walk-through has been printed; rejects when the process ends before. */
  ready(): Promise<string>
  /** As Ctrl-C in its terminal; answers when every process of it has ended. */
  interrupt(): Promise<void>
  /** The exit code, once it has ended by itself; null when it had to be ended. */
  ended(): Promise<number | null>
}

export async function demoFolder(): Promise<DemoFolder> {
  const path = mkdtempSync(join(tmpdir(), 'audgate-demo-'))
  for (const name of ['src', 'node_modules']) symlinkSync(join(ROOT, name), join(path, name))
  cpSync(join(ROOT, 'package.json'), join(path, 'package.json'))
  const [port = 0, ...upstreamPorts] = await freePorts(4)
  const file = join(path, 'routes.yaml')
  const shipped = readFileSync(join(ROOT, 'routes.yaml'), 'utf8')
  const moved = upstreamPorts.reduce((text, each, i) => text.replaceAll(`:${9081 + i}`, `:${each}`), shipped)
  writeFileSync(file, moved.replaceAll(':8080', `:${port}`))
  return {
    path,
    url: `http://localhost:${port}`,
    port,
    upstreamPorts,
    bend: (from, to) => {
      const text = readFileSync(file, 'utf8')
      if (!text.includes(from)) throw new Error(`routes.yaml has no ${from}`)
      writeFileSync(file, text.replaceAll(from, to))
      return undefined
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  }
}

/** Runs `npm start`, or another command, in the folder, in a process group of its own. */
export function startDemo(folder: DemoFolder, command: readonly string[] = ['npm', 'start']): DemoProcess {
  const [program = '', ...args] = command
  const child = spawn(program, args, { cwd: folder.path, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { stderr: '', stdout: '' }
  child.stderr.on('data', (chunk: Buffer) => {
    said.stderr += chunk.toString()
  })
  child.stdout.on('data', (chunk: Buffer) => {
    said.stdout += chunk.toString()
  })
  // `close`: nobody holds its output any more, so whatever it started has ended too.
  const closed = once(child, 'close')
  return {
    get stderr() {
      return said.stderr
    },
    get stdout() {
      return said.stdout
    },
    ready: () => ready(child, () => said.stderr),
    interrupt: async () => {
      if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGINT')
      await closed
    },
    ended: async () => {
      const late = setTimeout(() => child.pid && process.kill(-child.pid, 'SIGKILL'), DEADLINE_MS)
      await closed
      clearTimeout(late)
      return child.exitCode
    },
  }
}

function ready(child: ChildProcess, stderr: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (stderr().includes('Ctrl-C ends it')) resolve(stderr())
    }
    child.stderr?.on('data', look)
    child.once('close', () => reject(new Error(`it ended: ${stderr()}`)))
    look()
  })
}

/** Whether anything answers there, whatever it says. */
export function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    () => true,
    () => false,
  )
}

/** The password that a printed walk-through says. */
export function passwordIn(text: string, username: string): string {
  return new RegExp(`^ +${username} +/ (\\S+)  \\(in `, 'm').exec(text)?.[1] ?? ''
}
