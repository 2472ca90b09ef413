import { execFileSync } from 'node:child_process'
import { cpSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Makes `dist`, what a package runs: Node strips the types of a checkout's TypeScript, but never below `node_modules`. Compiles `src` and
 * takes along the files that are read at run time. Throws when the compiler finds a fault.
 */
function build(): void {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  const dist = join(root, 'dist')
  rmSync(dist, { recursive: true, force: true })
  const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')
  const project = join(root, 'src', 'deploy', 'tsconfig.json')
  execFileSync(process.execPath, [compiler, '--project', project], { stdio: 'inherit' })
  const left = new Set([join(root, 'src', 'deploy'), join(root, 'src', 'cli', 'audgate.js')])
  const isAsset = (path: string): boolean => extname(path) !== '.ts' && !left.has(path)
  cpSync(join(root, 'src'), dist, { recursive: true, filter: isAsset })
  rmSync(join(dist, 'deploy'), { recursive: true, force: true })
}

build()
