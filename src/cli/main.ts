import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { CommandFailure } from './output.ts'

/** Every command and its line in `audgate --help`. Each is a file of that name here, loaded only when it is asked for. */
const COMMANDS: Readonly<Record<string, string>> = {
  serve: 'run the gateway and the issuer',
  check: 'read routes.yaml and print every problem',
  explain: 'walk one request through the gateway and say what it would answer, and why',
  schema: 'print the JSON Schema of routes.yaml, for editors',
  user: 'accounts of the embedded issuer',
  provider: 'OpenID providers that people sign in at',
  client: 'registered clients',
  'app-password': 'passwords for one resource each, for programs that can’t sign in',
  token: 'sign in by the device flow and print an access token',
  revoke: 'end what a client, a user or one token holds',
  keys: 'signing keys',
  store: 'the store as a whole: check, migrate, after a restore',
  instances: 'the processes that hold the store open',
  audit: 'what was done and refused, by whichever process',
}

/**
 * Runs the command that `args` (without node and script) name and sets the exit code: 0 good, 1 failure, 2 a bad file or bad
 * arguments, or what the command itself sets. Never throws.
 */
export async function main(args: readonly string[]): Promise<void> {
  survivePipes()
  try {
    await run(args[0] === 'help' && args[1] !== undefined ? [args[1], '--help'] : [...args])
  } catch (error) {
    process.exitCode = report(error)
  }
}

async function run(args: readonly string[]): Promise<void> {
  const program = new Command('audgate')
    .description('Reverse-proxy gateway that lets a request through only with a token made for that resource.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
  for (const [name, summary] of Object.entries(COMMANDS)) {
    program.addCommand(name === args[0] ? await load(name) : new Command(name).description(summary))
  }
  throwInsteadOfExit(program, 'audgate')
  await program.parseAsync(args, { from: 'user' })
}

async function load(name: string): Promise<Command> {
  const { command }: { command: () => Command } = await import(`./${name}.ts`)
  return command()
}

/** Commander exits with 1 for bad arguments; 1 is taken for failures. */
function throwInsteadOfExit(command: Command, name: string): void {
  command.exitOverride().showHelpAfterError(`Run \`${name} --help\` to see what it takes.`)
  for (const sub of command.commands) throwInsteadOfExit(sub, `${name} ${sub.name()}`)
}

/** Prints what the person has to know and gives the exit code. */
function report(error: unknown): number {
  // Commander has printed its own message already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  const lines = error instanceof CommandFailure ? error.message.split('\n') : [String(error)]
  for (const line of lines) process.stderr.write(`${line}\n`)
  return error instanceof CommandFailure ? error.exitCode : 1
}

/** `audgate user list | head -1` closes our output early; that is no failure, and must not end a server either. */
function survivePipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
    })
  }
}

function packageVersion(): string {
  const { version }: { version: string } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  )
  return version
}
