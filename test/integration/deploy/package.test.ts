import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { freePorts } from '../../support/programs/free-ports.ts'

const run = promisify(execFile)
const ROOT = join(import.meta.dirname, '../../..')

const routes = (port: number, management: number): string => `
public_url: http://localhost:${port}
listen: 127.0.0.1:${port}
management: 127.0.0.1:${management}
workers: 2
resources:
  - id: http://localhost:${port}/photos
    name: Photos
    scopes: { photos:read: See photos }
    grants: [{ groups: [photos], scopes: [photos:read] }]
routes:
  - id: photos
    path: /photos
    resource: http://localhost:${port}/photos
    upstream: http://127.0.0.1:9
    rules: [{ methods: [read], scopes: [photos:read] }]
`

describe('the packed file, installed into an empty folder', () => {
  let folder: string
  let audgate: string
  let packed: readonly string[]

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'audgate-package-'))
    const pack = ['pack', '--json', '--pack-destination', folder]
    const { stdout } = await run('npm', pack, { cwd: ROOT })
    const [made]: { filename: string; files: { path: string }[] }[] = JSON.parse(stdout.slice(stdout.indexOf('[')))
    assert.ok(made)
    packed = made.files.map(({ path }) => path)
    writeFileSync(join(folder, 'package.json'), '{ "private": true }')
    const install = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', made.filename]
    await run('npm', install, { cwd: folder })
    audgate = join(folder, 'node_modules', '.bin', 'audgate')
  })

  after(() => rmSync(folder, { recursive: true, force: true }))

  it('holds JavaScript and what it reads, no TypeScript and no tests', () => {
    assert.deepEqual(
      packed.filter((path) => /\.ts$|^test\//.test(path)),
      [],
    )
    assert.ok(packed.includes('dist/cli/main.js') && packed.includes('dist/issuer/assets/forms.css'))
  })

  it('checks and explains a file', async () => {
    writeFileSync(join(folder, 'routes.yaml'), routes(8080, 9090))
    await run(audgate, ['check'], { cwd: folder })
    const explained = await run(audgate, ['explain', 'GET', 'http://localhost:8080/photos/1'], { cwd: folder }).catch(
      (error: { code: number; stdout: string }) => error,
    )
    assert.equal('code' in explained && explained.code, 3)
    assert.match(explained.stdout, /no_token/)
  })

  it('serves with workers, asks for a token, and ends by SIGTERM with 0', async () => {
    const [port = 0, management = 0] = await freePorts(2)
    writeFileSync(join(folder, 'routes.yaml'), routes(port, management))
    const child = spawn(audgate, ['serve'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
    try {
      await new Promise<void>((resolve) => {
        child.stdout.on('data', (chunk: Buffer) => String(chunk).includes('"listening"') && resolve())
        void ended.then(() => resolve())
      })
      const refused = await fetch(`http://localhost:${port}/photos/1`)
      assert.equal(refused.status, 401)
      const page = await fetch(`http://localhost:${port}/account`)
      assert.equal(page.status, 200)
      assert.match(await page.text(), /<form/)
    } finally {
      child.kill('SIGTERM')
    }
    assert.equal(await ended, 0)
  })

  it('names the version that was packed', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    assert.equal((await run(audgate, ['--version'], { cwd: folder })).stdout.trim(), version)
  })
})
