import { dirname, resolve } from 'node:path'
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  type Scalar,
  type YAMLError,
} from 'yaml'
import { type Environment, interpolate, readValueFile, type ValueOfFile, type ValueSources } from './interpolation.ts'
import {
  createProblems,
  type Problems,
  quoted,
  type SourceEntry,
  type SourceMap,
  type SourceNode,
  type SourceScalar,
  type SourceUnknown,
} from './source.ts'

// A file of a thousand routes is a tenth of this. Aliases count every time they are used: nine lines can mean a billion values.
const MAX_CHARACTERS = 1024 * 1024
const MAX_VALUES = 200_000
const MAX_DEPTH = 40

/** @property root Undefined when the text is no YAML that could be read further. */
interface ReadYaml {
  readonly root: SourceNode | undefined
  readonly problems: Problems
  /** Absolute paths of the files that values came from. */
  readonly files: readonly string[]
}

/**
 * Reads one YAML 1.2 document with the environment and files filled into its texts. Never throws. Does NOT know any key.
 * @param valueFile reads the file of a value.
 */
export function readYaml(
  text: string,
  file: string,
  env: Environment,
  valueFile: typeof readValueFile = readValueFile,
): ReadYaml {
  const lines = new LineCounter()
  const problems = createProblems(file, lines)
  if (text.length > MAX_CHARACTERS) {
    problems.add(0, 'the file is too large; routes.yaml may have 1 MiB')
    return { root: undefined, problems, files: [] }
  }
  const document = parse(text, lines, problems)
  if (document === undefined) return { root: undefined, problems, files: [] }
  const read = new Map<string, ValueOfFile>()
  const sources = { env, file: (path: string) => fileBeside(file, path, read, valueFile) }
  const root = new Reader(document, sources, problems).read(document.contents, 0, 0)
  return { root, problems, files: [...read.keys()] }
}

/** Each file is read once: all values of one reading are of one moment. */
function fileBeside(
  file: string,
  path: string,
  read: Map<string, ValueOfFile>,
  valueFile: typeof readValueFile,
): ValueOfFile {
  const absolute = resolve(dirname(file), path)
  const known = read.get(absolute) ?? valueFile(absolute)
  read.set(absolute, known)
  return known
}

function parse(text: string, lines: LineCounter, problems: Problems): Document.Parsed | undefined {
  try {
    const [first, second] = parseDocuments(text, lines)
    const faults = [...(first?.errors ?? []), ...(first?.warnings ?? [])]
    if (faults.some(({ code }) => code === 'RESOURCE_EXHAUSTION')) return tooDeep(problems)
    for (const fault of faults) problems.add(fault.pos[0], faultMessage(fault))
    if (second !== undefined)
      problems.add(second.range[0], 'a second document begins here; routes.yaml is one document')
    if (first === undefined) problems.add(0, 'the file is empty; at least `public_url` is needed')
    // What is left of a broken text would give problems that nobody made; a doubled key leaves the rest readable.
    return faults.every((fault) => fault.code === 'DUPLICATE_KEY') ? first : undefined
  } catch {
    return tooDeep(problems)
  }
}

/** The library recurses as deep as the text is nested, and comes to the end of the stack. */
function tooDeep(problems: Problems): undefined {
  problems.add(0, 'this YAML is nested too deeply to be read')
}

function faultMessage(fault: YAMLError): string {
  if (fault.code === 'DUPLICATE_KEY') return 'this key stands here twice; remove one'
  return `${fault.message.replace(/\s+/g, ' ')} (YAML)`
}

function parseDocuments(text: string, lines: LineCounter): Document.Parsed[] {
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, version: '1.2' })
  return 'empty' in documents ? [] : documents
}

/** Turns the library's tree into ours, within bounds. */
class Reader {
  readonly #document: Document.Parsed
  readonly #sources: ValueSources
  readonly #problems: Problems
  #values = 0
  #full = false

  constructor(document: Document.Parsed, sources: ValueSources, problems: Problems) {
    this.#document = document
    this.#sources = sources
    this.#problems = problems
  }

  read(node: Node | null | undefined, at: number, depth: number): SourceNode {
    this.#values += 1
    if (depth > MAX_DEPTH || this.#values > MAX_VALUES) return this.#tooMuch(at)
    if (isAlias(node)) return this.read(node.resolve(this.#document), node.range?.[0] ?? at, depth + 1)
    const place = node?.range?.[0] ?? at
    if (isSeq(node)) {
      const items = node.items.map((item) => this.read(item as Node | null, place, depth + 1))
      return { kind: 'list', at: place, items }
    }
    if (isMap(node)) return { kind: 'map', at: place, entries: this.#entries(node.items, place, depth) }
    return isScalar(node) ? this.#scalar(node, place) : emptyScalar(place)
  }

  #entries(pairs: readonly { key: unknown; value: unknown }[], at: number, depth: number): SourceMap['entries'] {
    const entries = new Map<string, SourceEntry>()
    for (const { key, value } of pairs) {
      const keyAt = (isScalar(key) ? key.range?.[0] : undefined) ?? at
      if (this.#values > MAX_VALUES) break
      if (!isScalar(key)) this.#problems.add(keyAt, 'a key must be plain text')
      else if (key.value === '<<') this.#problems.add(keyAt, 'merge keys (<<) are not read; write the keys out')
      else entries.set(keyText(key), { keyAt, value: this.read(value as Node | null, keyAt, depth + 1) })
    }
    return entries
  }

  #scalar(node: Scalar, at: number): SourceScalar | SourceUnknown {
    const { value } = node
    if (typeof value === 'string') return this.#text(value, at)
    const written = node.source ?? String(value)
    if (typeof value === 'number' || typeof value === 'boolean' || value === null) {
      return { kind: 'scalar', at, value, written, interpolated: false }
    }
    this.#problems.add(at, 'this kind of value is not read; put it in quotes')
    return { kind: 'unknown', at, written }
  }

  #text(written: string, at: number): SourceScalar | SourceUnknown {
    const filled = interpolate(written, this.#sources)
    switch (filled.kind) {
      case 'plain':
        return { kind: 'scalar', at, value: written, written, interpolated: false }
      case 'filled':
        return { kind: 'scalar', at, value: filled.text, written, interpolated: true }
      case 'missing':
        for (const name of filled.names) {
          this.#problems.add(at, `the environment has no ${name}; set it, or write a default: \${${name}:-default}`)
        }
        return { kind: 'unknown', at, written }
      case 'unread':
        for (const [path, fault] of filled.files) this.#problems.add(at, `the file ${quoted(path)} ${fault}`)
        return { kind: 'unknown', at, written }
      case 'broken':
        this.#problems.add(at, `write \${NAME}, \${NAME:-default} or \${file:PATH}; $\${ stands for a plain \${`)
        return { kind: 'unknown', at, written }
    }
  }

  #tooMuch(at: number): SourceNode {
    if (!this.#full) this.#problems.add(at, 'too many or too deeply nested values; an alias (*) may repeat too much')
    this.#full = true
    return { kind: 'unknown', at, written: '' }
  }
}

function emptyScalar(at: number): SourceScalar {
  return { kind: 'scalar', at, value: null, written: '', interpolated: false }
}

/** Keys are texts to us: `404:` is the key 404 as it is written. */
function keyText(key: Scalar): string {
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value))
}
