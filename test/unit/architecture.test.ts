import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { posix } from 'node:path'
import { describe, it } from 'node:test'

interface Room {
  /** Other rooms that it may import. */
  readonly rooms: readonly string[]
  /** Packages from the registry. */
  readonly packages: readonly string[]
  /** Modules of Node that it must do without; '*' is all. */
  readonly without: readonly string[]
}

const NETWORK = ['node:http', 'node:https', 'node:http2', 'node:net', 'node:tls', 'node:dgram', 'node:dns']
const BELOW_GATEWAY = ['core', 'config', 'token', 'proxy', 'observe']
const BELOW_SERVER = [...BELOW_GATEWAY, 'store', 'issuer', 'gateway', 'explain', 'admin', 'office']
const BELOW_CLI = [...BELOW_SERVER, 'server', 'workers']

const ROOMS: Readonly<Record<string, Room>> = {
  core: { rooms: [], packages: [], without: ['*'] },
  config: { rooms: ['core'], packages: ['yaml', 'zod'], without: NETWORK },
  token: { rooms: ['core'], packages: ['undici'], without: ['node:sqlite'] },
  proxy: { rooms: ['core'], packages: [], without: ['node:sqlite', 'node:fs', 'node:child_process'] },
  observe: { rooms: ['core', 'config'], packages: ['fastify', 'pino', 'prom-client'], without: ['node:sqlite'] },
  store: { rooms: ['core'], packages: ['pg'], without: NETWORK },
  issuer: {
    rooms: ['core', 'store'],
    packages: [
      'oidc-provider',
      'jose',
      'openid-client',
      'undici',
      'otpauth',
      'uqr',
      '@simplewebauthn/server',
      '@zxcvbn-ts/core',
      '@zxcvbn-ts/language-common',
      '@zxcvbn-ts/language-en',
    ],
    without: ['node:sqlite'],
  },
  gateway: { rooms: BELOW_GATEWAY, packages: [], without: ['node:sqlite', 'node:fs'] },
  server: {
    rooms: BELOW_SERVER,
    packages: ['fastify', '@fastify/http-proxy', 'undici', 'nodemailer'],
    without: ['node:sqlite'],
  },
  workers: { rooms: [...BELOW_SERVER, 'server'], packages: ['http-proxy', 'prom-client'], without: ['node:sqlite'] },
  explain: { rooms: [...BELOW_GATEWAY, 'gateway'], packages: [], without: ['node:sqlite', 'node:fs'] },
  admin: {
    rooms: ['core', 'store'],
    packages: ['fastify', '@fastify/swagger', 'fastify-type-provider-zod', 'zod'],
    without: ['node:sqlite', 'node:fs'],
  },
  office: { rooms: ['core', 'issuer', 'admin'], packages: ['zod'], without: ['node:sqlite', 'node:fs'] },
  samples: { rooms: [], packages: [], without: ['node:sqlite'] },
  demo: { rooms: [...BELOW_SERVER, 'server', 'samples'], packages: [], without: ['node:sqlite'] },
  deploy: { rooms: [], packages: [], without: NETWORK },
  cli: { rooms: [...BELOW_CLI, 'demo'], packages: ['commander'], without: ['node:sqlite'] },
}

const SPECIFIER = /^(?:import|export)\b[^'";]*?\bfrom\s*['"]([^'"]+)|^import\s*['"]([^'"]+)|\bimport\(\s*['"]([^'"]+)/gm
const COMPUTED_IMPORT = /\bimport\(\s*(?!['"])/
const IMPURE =
  /\b(?:async|await|Date|Math\.random|performance|process|console|globalThis|Buffer|fetch|crypto|setTimeout|setInterval|setImmediate|queueMicrotask|Promise|throw)\b/
const VAGUE_NAME = /^(?:index|utils?|helpers?|shared|common|types)\.[jt]s$/

const files = globSync('src/**/*.{ts,js}').map((file) => file.replaceAll('\\', '/'))
const tests = globSync('test/**/*.ts').map((file) => file.replaceAll('\\', '/'))

/** The sample servers are a room of their own below the demo. */
function roomOf(file: string): string {
  const [, room = '', inner] = file.split('/')
  return inner === 'samples' ? inner : room
}

/** The folder of a file inside its room, by name; a file that stands in none goes by its own. */
function folderOf(file: string): string {
  return file.split('/').slice(2, 3).join()
}

/** Without comments, texts and templates, so that prose is no code. */
function codeOf(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g, ' ')
}

/** Why `room` may not import `specifier`; undefined when it may. */
function trespass(file: string, specifier: string): string | undefined {
  const room = ROOMS[roomOf(file)]
  if (room === undefined) return 'no such room'
  if (specifier.startsWith('.')) {
    const other = roomOf(posix.join(posix.dirname(file), specifier))
    return other === roomOf(file) || room.rooms.includes(other) ? undefined : `room ${other}`
  }
  if (isBuiltin(specifier)) {
    if (!specifier.startsWith('node:')) return 'a module of Node without node:'
    return room.without.includes('*') || room.without.includes(specifier) ? specifier : undefined
  }
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
  return room.packages.includes(name) ? undefined : `package ${name}`
}

function specifiersIn(text: string): string[] {
  return [...text.matchAll(SPECIFIER)].map(([, from, bare, lazy]) => from ?? bare ?? lazy ?? '')
}

/** Files of ours that `file` imports, types and lazily loaded ones among them. */
function importsOf(file: string): readonly string[] {
  const specifiers = specifiersIn(readFileSync(file, 'utf8')).filter((specifier) => specifier.startsWith('.'))
  return specifiers.map((specifier) => posix.join(posix.dirname(file), specifier))
}

/** The circles of a graph, each as the way that leads back to its start; one for every edge that closes one. */
function cycles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = []
  const done = new Set<string>()
  const walk = (node: string, path: readonly string[]): void => {
    const start = path.indexOf(node)
    if (start !== -1) found.push([...path.slice(start), node])
    if (start !== -1 || done.has(node)) return
    for (const next of graph.get(node) ?? []) walk(next, [...path, node])
    done.add(node)
  }
  for (const node of graph.keys()) walk(node, [])
  return found
}

/** Only cli and config read the environment, only cli speaks on the console, only the command's frame imports what it computes. */
function holdHabits(file: string, code: string, text: string): void {
  const room = roomOf(file)
  if (room !== 'cli' && room !== 'config') assert.doesNotMatch(code, /\bprocess\s*\.\s*env\b/, 'reads the environment')
  if (room !== 'cli') assert.doesNotMatch(code, /\bconsole\s*\./, 'writes to the console')
  if (room !== 'cli') assert.doesNotMatch(text, COMPUTED_IMPORT, 'imports what nobody can read')
}

/** Whether a sentence stands over the first thing that a file declares, or over the first that others may use. */
function saysWhatItIsFor(text: string): boolean {
  const body = text.replace(/^(?:#!.*\n)?(?:\s*import\b[^'"]*['"][^'"]+['"]\n?)*\s*/, '')
  return /^\/[/*]/.test(body) || /^(?:[^\n]*\n)*?(?=\S*export )/.exec(body)?.[0].trimEnd().endsWith('*/') === true
}

describe('the rooms', () => {
  for (const file of files) {
    it(`${file} stays in its room`, () => {
      const text = readFileSync(file, 'utf8')
      const found = specifiersIn(text).map((specifier) => trespass(file, specifier))
      assert.deepEqual(
        found.filter((fault) => fault !== undefined),
        [],
        'must not import',
      )
      assert.ok(text.split('\n').length <= 301, 'longer than 300 lines')
      assert.doesNotMatch(posix.basename(file), VAGUE_NAME, 'a file is named by its noun')
      assert.ok(saysWhatItIsFor(text), 'has nothing said of its first declaration')
      holdHabits(file, codeOf(text), text)
    })
  }
  it('have files of a page or two: half of them have more than 80 lines, half fewer than 140', () => {
    const lines = files
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(file, 'utf8').split('\n').length)
    const median = lines.sort((one, other) => one - other)[Math.floor(lines.length / 2)] ?? 0
    assert.ok(median >= 80 && median <= 140, `the median is ${median}`)
    const short = lines.filter((count) => count < 41)
    assert.ok(short.length <= lines.length / 10, `${short.length} of ${lines.length} have fewer than 40 lines`)
  })
  it('have no folder with more than 26 files', () => {
    const folders = Map.groupBy([...files, ...tests], (file) => posix.dirname(file))
    const full = [...folders].filter(([, inside]) => inside.length > 26).map(([folder]) => folder)
    assert.deepEqual(full, [])
  })
  it('lend their names to the folders of their tests', () => {
    const folders = tests
      .map((file) => posix.dirname(file).split('/').slice(1))
      .filter(([kind]) => kind === 'unit' || kind === 'integration')
    const strange = folders.filter(([, room]) => room !== undefined && !(room in ROOMS))
    assert.deepEqual(strange, [])
  })
  it('are all there is', () => {
    assert.deepEqual(
      files.filter((file) => !(roomOf(file) in ROOMS)),
      [],
    )
  })
  it('have no cycle among them', () => {
    const height = (room: string, seen: readonly string[]): number => {
      assert.ok(!seen.includes(room), [...seen, room].join(' → '))
      return 1 + Math.max(0, ...(ROOMS[room]?.rooms ?? []).map((below) => height(below, [...seen, room])))
    }
    for (const room of Object.keys(ROOMS)) height(room, [])
  })
  it('have no cycle inside', () => {
    assert.deepEqual(
      cycles(new Map(files.map((file) => [file, importsOf(file)]))).map((cycle) => cycle.join(' → ')),
      [],
    )
  })
  it('have no cycle among the folders of the issuer', () => {
    const folders = new Map<string, readonly string[]>()
    // What stands in none holds the folders together: it is what they share, and who puts them together.
    const inFolder = (file: string) => roomOf(file) === 'issuer' && !folderOf(file).endsWith('.ts')
    for (const file of files.filter(inFolder)) {
      const inner = importsOf(file).filter(inFolder)
      folders.set(folderOf(file), [...(folders.get(folderOf(file)) ?? []), ...inner.map(folderOf)])
    }
    const others = [...folders].map(([folder, into]): [string, string[]] => [
      folder,
      [...new Set(into)].filter((each) => each !== folder),
    ])
    assert.deepEqual(cycles(new Map(others)), [])
  })
  it('and a planted cycle is found, however long, and once', () => {
    const graph = { a: ['b', 'x'], b: ['c'], c: ['a', 'x'], d: ['a'], e: ['e'], x: [] }
    assert.deepEqual(cycles(new Map(Object.entries(graph))), [
      ['a', 'b', 'c', 'a'],
      ['e', 'e'],
    ])
  })
  it('and their walls hold: a planted import is found', () => {
    assert.equal(trespass('src/proxy/a.ts', '../token/b.ts'), 'room token')
    assert.equal(trespass('src/core/a.ts', 'node:fs'), 'node:fs')
    assert.equal(trespass('src/issuer/a.ts', '@fastify/http-proxy/x'), 'package @fastify/http-proxy')
    assert.equal(trespass('src/server/a.ts', '../core/b.ts'), undefined)
    assert.deepEqual(
      specifiersIn(
        `import type { a,\n b } from 'x'\nimport 'y'\n  await import('z')\nexport * from "w"\nselect * from 'table'`,
      ),
      ['x', 'y', 'z', 'w'],
    )
  })
})

describe('the core is pure', () => {
  for (const file of files.filter((each) => roomOf(each) === 'core')) {
    it(`${file} has no clock, chance, I/O, promise, throw or state of its own`, () => {
      const code = codeOf(readFileSync(file, 'utf8'))
      assert.doesNotMatch(code, IMPURE)
      assert.doesNotMatch(code, /^(?:export )?(?:let|var)\b/m)
    })
  }
  it('and what is impure is found', () => {
    assert.match(codeOf('const now = Date.now() // no'), IMPURE)
    assert.doesNotMatch(codeOf("// Date\nconst a = 'await' /* throw */"), IMPURE)
  })
})
