#!/usr/bin/env node
// Old syntax on purpose: an old Node must be able to read this file far enough to say that it is too old.
import module from 'node:module'
import url from 'node:url'

const [major, minor] = process.versions.node.split('.').map(Number)

if (major < 24 || (major === 24 && minor < 12)) {
  process.stderr.write(
    'audgate: Node ' +
      process.versions.node +
      ' is too old: run it by `npx audgate` or `npm start`, which bring the right Node, or install Node 24\n',
  )
  process.exitCode = 2
} else {
  // Not Node's default folder under the shared temp folder, where another user of the machine could plant code.
  module.enableCompileCache(url.fileURLToPath(new URL('../../node_modules/.cache/audgate', import.meta.url)))
  import('./main.ts').then((cli) => cli.main(process.argv.slice(2)))
}
