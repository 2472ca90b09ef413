/** Exit codes of every command: 1 failure, 2 a bad file or bad arguments; `explain` has 3 of its own. */
export type ExitCode = 1 | 2 | 3

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
