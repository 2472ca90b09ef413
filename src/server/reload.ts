import { isDeepStrictEqual } from 'node:util'
import type { Config, ConfigResult } from '../config/config.ts'
import { watchFiles } from '../config/watch.ts'
import type { Log } from '../observe/log.ts'
import { digestOf } from './file-history.ts'
import type { Server } from './server.ts'
import { StartFault } from './start-fault.ts'

/** What watching routes.yaml leaves to its owner. */
interface ReloadOptions {
  readonly server: Server
  readonly log: Log
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Reads and checks the file anew. */
  readonly load: () => ConfigResult
}

/** Problems of one file that its audit line repeats. */
const MOST_KEPT = 20

export interface Reloading {
  /** Reads the file now, whether it has changed or not. */
  now(): Promise<void>
  close(): void
}

/** Watches routes.yaml, the files that its values come from and the certificates that it names. A file with problems changes nothing; the log shows them all. */
export function keepReloading({ server, log, now: clock, load }: ReloadOptions): Reloading {
  const watch = (files: readonly string[]) => ({ files, stop: watchFiles(files, () => void now()) })
  const state = { watching: watch(filesOf(server)), closed: false }
  const refuse = (problems: readonly string[]): void => {
    server.refusedFile(problems)
    log.error('reload.refused', { problems, detail: 'the old file stays in force' })
    keep('config.refused', { problems: problems.slice(0, MOST_KEPT) })
  }
  const keep = (event: string, detail: Readonly<Record<string, unknown>>): void => {
    const told = { file: server.config.file, digest: digestOf(server.config.file), by: 'cli', ...detail }
    log.audit(event, told)
    server.store
      ?.audit(event, told, Math.floor(clock() / 1_000))
      .catch((error: unknown) => log.warn('store.fault', { fault: String(error) }))
  }
  const now = async (): Promise<void> => {
    const result = load()
    if (!result.ok) return refuse(result.problems.map(problemText))
    try {
      await server.reload(result.config)
    } catch (error) {
      return refuse([error instanceof StartFault ? error.message : String(error)])
    }
    keep('config.reloaded', {})
    tellWarnings(result.config, log)
    const files = filesOf(server)
    // A new watcher takes what it finds for known: one that has seen a save meanwhile must not be given up for it.
    if (state.closed || isDeepStrictEqual(files, state.watching.files)) return
    state.watching.stop()
    state.watching = watch(files)
    await now()
  }
  return {
    now,
    close: () => {
      state.closed = true
      state.watching.stop()
    },
  }
}

function filesOf({ config }: Server): string[] {
  const { file, files, tls } = config
  return [file, ...files, ...(tls === undefined ? [] : [tls.cert, tls.key])]
}

/** Says what a file warns of: at every start, and whenever it is read again. */
export function tellWarnings({ warnings }: Config, log: Log): void {
  for (const { file, line, column, message } of warnings)
    log.warn('config.warning', { place: `${file}:${line}:${column}`, detail: message })
}

function problemText({ file, line, column, message }: { file: string; line: number; column: number; message: string }) {
  return `${file}:${line}:${column}: ${message}`
}
