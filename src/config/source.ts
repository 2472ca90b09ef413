import type { LineCounter } from 'yaml'
import type { ConfigProblem } from './config.ts'

/** A key of the file, or an index into a list. */
export type Path = readonly (string | number)[]

/** A value of the file with its place. `at` is an offset into the text. */
export type SourceNode = SourceScalar | SourceUnknown | SourceList | SourceMap

export interface SourceScalar {
  readonly kind: 'scalar'
  readonly at: number
  readonly value: string | number | boolean | null
  /** What stands in the file, before the environment was filled in; this may be shown, the value may not. */
  readonly written: string
  /** The environment was filled in. */
  readonly interpolated: boolean
}

/** A value that couldn't be had and whose problem is reported; nothing more is said of it. */
export interface SourceUnknown {
  readonly kind: 'unknown'
  readonly at: number
  readonly written: string
}

interface SourceList {
  readonly kind: 'list'
  readonly at: number
  readonly items: readonly SourceNode[]
}

export interface SourceMap {
  readonly kind: 'map'
  readonly at: number
  readonly entries: ReadonlyMap<string, SourceEntry>
}

export interface SourceEntry {
  readonly keyAt: number
  readonly value: SourceNode
}

/** Where the value of `path` stands, or the nearest value around it that is there. */
export function placeOfValue(root: SourceNode, path: Path): number {
  return walk(root, path).node.at
}

/** Where the key of `path` stands; for what is no map's value, {@link placeOfValue}. */
export function placeOfKey(root: SourceNode, path: Path): number {
  const { node, keyAt } = walk(root, path)
  return keyAt ?? node.at
}

/** The text of `path` as it stands in the file, fit for a message; '' when there is none. */
export function writtenAt(root: SourceNode, path: Path): string {
  const { node, whole } = walk(root, path)
  return whole && (node.kind === 'scalar' || node.kind === 'unknown') ? node.written : ''
}

/** Whether `path` stands in the file. */
export function isWritten(root: SourceNode, path: Path): boolean {
  return walk(root, path).whole
}

/** `routes[0].timeouts.connect` in backticks, as messages name a value. */
export function nameOf(path: Path): string {
  if (path.length === 0) return 'the file'
  const name = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('')
  return quoted(name.startsWith('.') ? name.slice(1) : name)
}

/** A text of the file in backticks, for a message: shortened, and harmless to a terminal. */
export function quoted(text: string): string {
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text
  return `\`${shown.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, '?')}\``
}

interface Step {
  readonly node: SourceNode
  readonly keyAt: number | undefined
  /** Nothing of the path was missing. */
  readonly whole: boolean
}

function walk(root: SourceNode, path: Path): Step {
  let step: Step = { node: root, keyAt: undefined, whole: true }
  for (const part of path) {
    const next = childOf(step.node, part)
    if (next === undefined) return { ...step, whole: false }
    step = next
  }
  return step
}

function childOf(node: SourceNode, part: string | number): Step | undefined {
  if (node.kind === 'map' && typeof part === 'string') {
    const entry = node.entries.get(part)
    return entry === undefined ? undefined : { node: entry.value, keyAt: entry.keyAt, whole: true }
  }
  const item = node.kind === 'list' && typeof part === 'number' ? node.items[part] : undefined
  return item === undefined ? undefined : { node: item, keyAt: undefined, whole: true }
}

/** Collects what is wrong, in any order. `at` is an offset into the text of the file. */
export interface Problems {
  add(at: number, message: string): void
  /** What leaves the file good. */
  warn(at: number, message: string): void
  /** Without warnings. */
  readonly count: number
  lineOf(at: number): number
  /** In order of lines; the same message at the same place stands once. */
  list(): readonly ConfigProblem[]
  /** In the same form. */
  warnings(): readonly ConfigProblem[]
}

/** @param file The path as the person gave it: it stands at the start of each line they read. */
export function createProblems(file: string, lines: LineCounter): Problems {
  const found: Found = new Map()
  const warned: Found = new Map()
  const inOrder = (all: Found): readonly ConfigProblem[] =>
    [...all.values()].sort((a, b) => a.at - b.at).map(({ at, message }) => ({ file, ...placeOf(lines, at), message }))
  return {
    add: (at, message) => void found.set(`${at} ${message}`, { at, message }),
    warn: (at, message) => void warned.set(`${at} ${message}`, { at, message }),
    get count() {
      return found.size
    },
    lineOf: (at) => placeOf(lines, at).line,
    list: () => inOrder(found),
    warnings: () => inOrder(warned),
  }
}

type Found = Map<string, { readonly at: number; readonly message: string }>

function placeOf(lines: LineCounter, at: number): { readonly line: number; readonly column: number } {
  const { line, col } = lines.linePos(at)
  return { line: Math.max(1, line), column: Math.max(1, col) }
}
