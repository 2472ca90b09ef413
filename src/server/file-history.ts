import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** What became of the file since the start. Times are milliseconds since the epoch. */
export interface FileHistory {
  /** The file was put in force. @param restartFor Settings that wait for a restart. */
  applied(file: string, restartFor: readonly string[]): void
  refused(problems: readonly string[]): void
  facts(): {
    readonly digest: string
    readonly since: number
    readonly lastRefused: { readonly at: number; readonly problems: readonly string[] } | undefined
    readonly restartFor: readonly string[]
  }
}

/** @param now Milliseconds since the epoch. */
export function createFileHistory(file: string, now: () => number): FileHistory {
  const state: { -readonly [K in keyof ReturnType<FileHistory['facts']>]: ReturnType<FileHistory['facts']>[K] } = {
    digest: digestOf(file),
    since: now(),
    lastRefused: undefined,
    restartFor: [],
  }
  return {
    applied: (next, restartFor) => {
      state.digest = digestOf(next)
      state.since = now()
      state.restartFor = [...new Set([...state.restartFor, ...restartFor])]
    },
    refused: (problems) => {
      state.lastRefused = { at: now(), problems }
    },
    facts: () => ({ ...state }),
  }
}

/** The beginning of the SHA-256 of a file's text; '' where it can't be read. */
export function digestOf(file: string): string {
  try {
    return createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 16)
  } catch {
    return ''
  }
}
