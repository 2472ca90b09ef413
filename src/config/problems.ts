import type { LineCounter } from 'yaml'
import type { ConfigProblem } from './config.ts'

/** Collects what is wrong, in any order. `at` is an offset into the text of the file. */
export interface Problems {
  add(at: number, message: string): void
  readonly count: number
  lineOf(at: number): number
  /** In order of lines; the same message at the same place stands once. */
  list(): readonly ConfigProblem[]
}

/** @param file The path as the person gave it: it stands at the start of each line they read. */
export function createProblems(file: string, lines: LineCounter): Problems {
  const found = new Map<string, { readonly at: number; readonly message: string }>()
  return {
    add: (at, message) => void found.set(`${at} ${message}`, { at, message }),
    get count() {
      return found.size
    },
    lineOf: (at) => placeOf(lines, at).line,
    list: () => {
      const sorted = [...found.values()].sort((a, b) => a.at - b.at)
      return sorted.map(({ at, message }) => ({ file, ...placeOf(lines, at), message }))
    },
  }
}

function placeOf(lines: LineCounter, at: number): { readonly line: number; readonly column: number } {
  const { line, col } = lines.linePos(at)
  return { line: Math.max(1, line), column: Math.max(1, col) }
}
