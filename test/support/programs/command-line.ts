import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const AUDGATE = join(import.meta.dirname, '../../../src/cli/audgate.js')

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A folder with a routes.yaml, in which commands are run as an operator runs them. */
export interface CommandLine {
  readonly folder: string
  /** Runs `audgate` with these arguments; `input` is its stdin, which is no terminal. */
  run(args: readonly string[], input?: string): Promise<Ended>
  close(): void
}

/** @param routesYaml the text of routes.yaml. */
export function commandLine(routesYaml: string, env: Readonly<Record<string, string>> = {}): CommandLine {
  const folder = mkdtempSync(join(tmpdir(), 'audgate-cli-'))
  writeFileSync(join(folder, 'routes.yaml'), routesYaml)
  return {
    folder,
    run: (args, input = '') => runAudgate(folder, args, input, env),
    close: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** Runs `audgate` with these arguments in a folder; `input` is its stdin. */
export function runAudgate(
  folder: string,
  args: readonly string[],
  input = '',
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [AUDGATE, ...args], { cwd: folder, env: { ...process.env, ...env } })
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  return ended(child)
}

/** Runs `audgate` with these arguments in a folder. */
export function runIn(
  folder: string,
  args: readonly string[],
  input = '',
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [AUDGATE, ...args], { cwd: folder, env: { ...process.env, ...env } })
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  return ended(child)
}

async function ended(child: ChildProcess): Promise<Ended> {
  let [stdout, stderr] = ['', '']
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  await once(child, 'close')
  return { code: child.exitCode, stdout, stderr }
}
