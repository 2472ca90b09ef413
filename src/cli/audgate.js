#!/usr/bin/env node
// Old syntax on purpose: an old Node must be able to read this file far enough to say that it is too old.
import fs from 'node:fs'
import module from 'node:module'
import url from 'node:url'

const [major, minor] = process.versions.node.split('.').map(Number)

// Half of V8's default for its young generation, which may become three of it: a third less memory under load, at hardly any cost.
const YOUNG_GENERATION = '--max-semi-space-size'

// Percents of live memory that V8 lets die beside it before it looks. By default so much, on a large machine, that big requests hold four times as much.
const OLD_GENERATION = '--heap-growing-percent'

// Said here, so that code cached under it is good at the next start; src/server/quiet-memory.ts turns it while the server has nothing to do.
const NO_MEMORY_SAVER = '--no-memory-saver-mode'

// Whoever may send this process a signal could read its keys by the debugger that Node opens on SIGUSR1.
const NO_DEBUGGER = '--disable-sigusr1'
process.on('SIGUSR1', () => undefined)

if (major < 24 || (major === 24 && minor < 21)) {
  process.stderr.write(
    'audgate: Node ' +
      process.versions.node +
      ' is too old: run it by `npx audgate` or `npm start`, which bring the right Node, or install Node 24.21\n',
  )
  process.exitCode = 2
} else if (process.argv[2] === 'serve' && canStartAnew()) {
  // V8 takes the size at its start only. The process stays the same one: its id, its files, its place under a supervisor.
  const [node, ...args] = process.argv
  process.execve(
    node,
    [node, `${YOUNG_GENERATION}=8`, `${OLD_GENERATION}=30`, NO_MEMORY_SAVER, NO_DEBUGGER, ...process.execArgv, ...args],
    process.env,
  )
} else {
  // Not Node's default folder under the shared temp folder, where another user of the machine could plant code.
  module.enableCompileCache(url.fileURLToPath(new URL('../../node_modules/.cache/audgate', import.meta.url)))
  import(mainModule()).then((cli) => cli.main(process.argv.slice(2)))
}

/** A checkout runs its TypeScript. Node strips no types below node_modules, so a package brings JavaScript beside it. */
function mainModule() {
  const checkout = new URL('./main.ts', import.meta.url)
  return (fs.existsSync(checkout) ? checkout : new URL('../../dist/cli/main.js', import.meta.url)).href
}

/** Not when the operator has chosen a size, in either spelling that V8 takes, nor where a channel to a parent process or a socket that was handed over would be lost. */
function canStartAnew() {
  const options = [...process.execArgv, process.env.NODE_OPTIONS || '']
  const chosen = options.some((text) => text.replace(/_/g, '-').includes(YOUNG_GENERATION))
  return (
    !chosen &&
    process.platform !== 'win32' &&
    process.execve !== undefined &&
    !process.connected &&
    !hasSockets() &&
    mayRunNode()
  )
}

/** Node closes every descriptor above 2 when it replaces itself, a listening socket that systemd opened among them. */
function hasSockets() {
  if (process.env.LISTEN_FDS) return true
  try {
    return fs.readdirSync('/proc/self/fd').some((fd) => Number(fd) > 2 && isSocket(Number(fd)))
  } catch {
    return false
  }
}

function isSocket(fd) {
  try {
    return fs.fstatSync(fd).isSocket()
  } catch {
    return false
  }
}

/** Node ends with an abort where the system refuses it. */
function mayRunNode() {
  try {
    fs.accessSync(process.execPath, fs.constants.X_OK)
    return true
  } catch {
    return false
  }
}
