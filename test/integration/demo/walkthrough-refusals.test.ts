import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { answers, type DemoFolder, demoFolder, startDemo } from '../../support/demo-under-test.ts'
import { until } from '../../support/gateway-under-test.ts'

/** Listens on a port so that nobody else can; answers how to stop. */
async function take(port: number): Promise<() => void> {
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  return () => server.close()
}

describe('serve --demo refuses', () => {
  const SERVE = [process.execPath, 'src/cli/audgate.js', 'serve', 'routes.yaml', '--demo']
  const cases: readonly (readonly [
    rule: string,
    bend: (folder: DemoFolder) => Promise<() => void> | undefined,
    says: RegExp,
  ])[] = [
    [
      'to listen where others can reach it',
      (folder) => folder.bend('LISTEN:-localhost', 'LISTEN:-0.0.0.0'),
      /^--demo: refuses to listen on 0\.0\.0\.0: /,
    ],
    [
      'a public address',
      (folder) => folder.bend(`http://localhost:${folder.port}`, `https://gate.example.com:${folder.port}`),
      /^--demo: refuses the public address https:\/\/gate\.example\.com/,
    ],
    [
      'a broken routes.yaml',
      (folder) => folder.bend('strip_path', 'strip_paht'),
      /^routes\.yaml:\d+:\d+: .*strip_paht.*\nroutes\.yaml:\d+:\d+: .*strip_paht/,
    ],
    [
      'a taken port',
      (folder) => take(folder.port),
      /^listen: localhost:\d+ is taken: stop what listens there, or choose/,
    ],
    [
      'a taken port of a sample server',
      (folder) => take(folder.upstreamPorts[1] ?? 0),
      /^--demo: upstream of route files: 127\.0\.0\.1:\d+ is taken: /,
    ],
    [
      'a data folder that can’t be written',
      (folder) => folder.bend('sqlite:./data/audgate.db', 'sqlite:package.json/audgate.db'),
      /package\.json\/audgate\.db: a part of its path is no folder: correct the path under `store:`/,
    ],
  ]

  for (const [rule, bend, says] of cases) {
    it(`${rule}, in a line that says what to do, and leaves nothing running`, async () => {
      const folder = await demoFolder()
      const undo = await bend(folder)
      try {
        const demo = startDemo(folder, SERVE)
        assert.equal(await demo.ended(), 2, demo.stderr)
        assert.match(demo.stderr, says)
        assert.equal(demo.stderr.trim().split('\n').length, rule.includes('routes.yaml') ? 2 : 1, demo.stderr)
        assert.equal(demo.stderr.includes('    at '), false)
      } finally {
        undo?.()
        folder.remove()
      }
    })
  }
})

describe('serve without --demo', () => {
  it('starts none of it', async () => {
    const folder = await demoFolder()
    const server = startDemo(folder, [process.execPath, 'src/cli/audgate.js', 'serve', 'routes.yaml'])
    try {
      await until(() => answers(folder.url), 'the server answers', 20_000)
      assert.equal(existsSync(join(folder.path, 'data/demo.json')), false)
      assert.equal((await fetch(`${folder.url}/`)).status, 502)
      for (const port of folder.upstreamPorts) assert.equal(await answers(`http://127.0.0.1:${port}/`), false)
    } finally {
      await server.interrupt()
      folder.remove()
    }
  })
})
