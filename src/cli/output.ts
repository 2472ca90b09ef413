import { Option } from 'commander'
import type { Config, ConfigProblem } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'

/** Exit codes of every command: 1 failure, 2 a bad file or bad arguments; `explain` has 3 of its own. */
type ExitCode = 1 | 2 | 3

/** Ends a command. The message goes to stderr as it is, a line each; it says what to do. */
export class CommandFailure extends Error {
  readonly exitCode: ExitCode

  constructor(message: string, exitCode: ExitCode) {
    super(message)
    this.exitCode = exitCode
  }
}

/** Ends the command with `message` on stderr. Throws, so that `finally` blocks run. */
export function fail(message: string, exitCode: ExitCode): never {
  throw new CommandFailure(message, exitCode)
}

/** `--config FILE`, the same in every command. */
export function configOption(): Option {
  return new Option('--config <file>', 'the routes.yaml to use').default('./routes.yaml')
}

/** `--json`, the same in every command that prints data. */
export function jsonOption(): Option {
  return new Option('--json', 'print JSON')
}

/** The checked file; or all its problems on stderr and exit code 2. */
export function readConfigOrExit(file: string): Config {
  const result = loadConfig(file, process.env)
  if (result.ok) return result.config
  return fail(result.problems.map(problemLine).join('\n'), 2)
}

/** `FILE:LINE:COL: message`. */
export function problemLine(problem: ConfigProblem): string {
  return `${problem.file}:${problem.line}:${problem.column}: ${problem.message}`
}

/** `FILE:LINE:COL: warning: message`, on stderr. */
export function printWarning(warning: ConfigProblem): void {
  process.stderr.write(`${withoutControls(problemLine({ ...warning, message: `warning: ${warning.message}` }))}\n`)
}

/** One line on stdout. Control characters are shown as `?`: names come from strangers, and terminals obey them. */
export function printLine(line: string): void {
  process.stdout.write(`${withoutControls(line)}\n`)
}

/** Data for programs, on stdout. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}

/** Columns as wide as their longest cell. A row that is shorter than `headings` ends early. */
export function printTable(headings: readonly string[], rows: readonly (readonly string[])[]): void {
  const lines = [headings, ...rows].map((row) => row.map(withoutControls))
  const widths = headings.map((_, column) => Math.max(...lines.map((row) => row[column]?.length ?? 0)))
  for (const row of lines) {
    const cells = row.map((cell, column) => cell.padEnd(widths[column] ?? 0))
    process.stdout.write(`${cells.join('  ').trimEnd()}\n`)
  }
}

function withoutControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, '?')
}
