import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const AUDGATE = join(import.meta.dirname, '../../src/cli/audgate.js')

/** `audgate serve` in a process of its own. */
export interface Serving {
  readonly child: ChildProcess
  readonly folder: string
  /** What the log says it listens on; rejects when the process ends before. */
  readonly url: string
  readonly managementUrl: string
  /** Lines of stdout so far. */
  log(): readonly Record<string, unknown>[]
  signal(signal: NodeJS.Signals): void
  /** Exit code and everything on stderr. */
  ended(): Promise<{ readonly code: number | null; readonly stderr: string }>
  /** Ends it at once and removes the folder. */
  remove(): Promise<void>
}

/** Starts `audgate serve` on this text and waits until it listens, or has ended. */
export async function serve(yaml: string, env: Readonly<Record<string, string>> = {}): Promise<Serving> {
  const folder = mkdtempSync(join(tmpdir(), 'audgate-serve-'))
  writeFileSync(join(folder, 'routes.yaml'), yaml)
  const child = spawn(process.execPath, [AUDGATE, 'serve', 'routes.yaml'], {
    cwd: folder,
    env: { ...process.env, ...env },
  })
  const text = { stdout: '', stderr: '' }
  child.stdout?.on('data', (chunk: Buffer) => {
    text.stdout += chunk
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    text.stderr += chunk
  })
  const closed = exitOf(child)
  const log = () =>
    text.stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line))
  const listening = await firstOf(() => log().find(({ event }) => event === 'listening'), closed)
  return {
    child,
    folder,
    url: listening?.listening?.[0] ?? '',
    managementUrl: listening?.management ?? '',
    log,
    signal: (signal) => void child.kill(signal),
    ended: async () => ({ code: await closed, stderr: text.stderr }),
    remove: async () => {
      child.kill('SIGKILL')
      await closed
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The exit code, when everything that was written has been read too. */
async function exitOf(child: ChildProcess): Promise<number | null> {
  const code = new Promise<number | null>((resolve) => child.once('exit', resolve))
  // The child's own `close` waits for ever for a stream that the test has destroyed.
  const streams = [child.stdout, child.stderr].map(
    (stream) => stream && new Promise((resolve) => stream.once('close', resolve)),
  )
  await Promise.all(streams)
  return code
}

async function firstOf(
  find: () => { listening?: string[]; management?: string } | undefined,
  closed: Promise<unknown>,
): Promise<{ listening?: string[]; management?: string } | undefined> {
  const state = { closed: false }
  void closed.then(() => {
    state.closed = true
  })
  for (const deadline = Date.now() + 60_000; Date.now() < deadline && !state.closed; ) {
    const found = find()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return undefined
}
