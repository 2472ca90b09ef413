import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const AUDGATE = fileURLToPath(new URL('../../../src/cli/audgate.js', import.meta.url))
const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** @param closeEarly Closes our end of the command's output before it writes. */
function audgate(args: readonly string[], closeEarly = false): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [AUDGATE, ...args], { cwd: ROOT, env: { PATH: process.env.PATH ?? '' } })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
    if (closeEarly) child.stdout.destroy()
    child.on('error', reject)
    child.on('close', (code) => {
      resolve({ code, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() })
    })
  })
}

describe('audgate', () => {
  let folder: string
  const write = (text: string) => {
    const file = join(folder, 'routes.yaml')
    writeFileSync(file, text)
    return file
  }

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'audgate-cli-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  it('--help lists every command with a line', async () => {
    const { code, out } = await audgate(['--help'])
    assert.equal(code, 0)
    for (const name of ['serve', 'check', 'explain', 'schema', 'user', 'client', 'token', 'revoke', 'keys']) {
      assert.match(out, new RegExp(`^  ${name} +\\S`, 'm'))
    }
  })

  it('every command has --help, also as `help COMMAND`', async () => {
    for (const args of [
      ['check', '--help'],
      ['help', 'check'],
      ['schema', '--help'],
    ]) {
      const { code, out } = await audgate(args)
      assert.equal(code, 0)
      assert.match(out, /^Usage: (audgate )?(check|schema)/)
    }
  })

  it('bad arguments end with 2 and say what to do', async () => {
    const none = await audgate([])
    assert.equal(none.code, 2)
    const unknown = await audgate(['chek'])
    assert.equal(unknown.code, 2)
    assert.match(unknown.err, /Did you mean check\?/)
    const option = await audgate(['check', '--fast'])
    assert.equal(option.code, 2)
    assert.match(option.err, /Run `audgate check --help`/)
    assert.equal((await audgate(['check', 'a', 'b'])).code, 2)
  })

  it('`check` of a good file is one line, and 0, with what it warns of on stderr as FILE:LINE:COL: warning: message', async () => {
    const bare = await audgate(['check', write('public_url: https://a.example.com\n')])
    assert.deepEqual([bare.code, bare.err], [0, ''])
    const { code, out, err } = await audgate(['check'])
    assert.equal(code, 0)
    for (const line of err.trimEnd().split('\n'))
      assert.match(line, /^\.\/routes\.yaml:\d+:5: warning: the route shares/)
    assert.match(out, /^\.\/routes\.yaml: good; \d+ routes, 2 resources, issuer http:\/\/localhost:8080.*\n$/)
  })

  it('`check` prints every problem as FILE:LINE:COL: message on stderr, and ends with 2', async () => {
    const file = write('public_url: http://a.example.com\nroute: []\n')
    for (const args of [
      ['check', file],
      ['check', '--config', file],
    ]) {
      const { code, out, err } = await audgate(args)
      assert.deepEqual({ code, out }, { code: 2, out: '' })
      const lines = err.trimEnd().split('\n')
      assert.equal(lines.length, 2)
      assert.ok(lines[0]?.startsWith(`${file}:1:13: \`public_url\` must be https`))
      assert.equal(lines[1], `${file}:2:1: unknown key \`route\`; did you mean \`routes\`?`)
    }
  })

  it('`check --json` prints data for programs, good or not', async () => {
    const good = await audgate(['check', '--json'])
    const { warnings, ...others } = JSON.parse(good.out)
    assert.deepEqual([good.code, others], [0, { file: './routes.yaml', ok: true, problems: [] }])
    assert.deepEqual([warnings[0].file, warnings[0].column], ['./routes.yaml', 5])
    const file = write('public_url: https://a.example.com\nroute: []\n')
    const bad = await audgate(['check', '--json', file])
    assert.equal(bad.code, 2)
    const [problem] = JSON.parse(bad.out).problems
    assert.deepEqual([problem.file, problem.line, problem.column], [file, 2, 1])
  })

  it('`check` of a file that is not there says so', async () => {
    const { code, err } = await audgate(['check', join(folder, 'none.yaml')])
    assert.equal(code, 2)
    assert.match(err, /none\.yaml:1:1: there is no such file/)
  })

  it('`schema` prints a JSON Schema, the same for every file', async () => {
    const { code, out } = await audgate(['schema', '--config', 'none.yaml'])
    assert.equal(code, 0)
    assert.equal(JSON.parse(out).$schema, 'https://json-schema.org/draft/2020-12/schema')
  })

  it('a reader that leaves early is no failure', async () => {
    const { code, err } = await audgate(['schema'], true)
    assert.deepEqual({ code, err }, { code: 0, err: '' })
  })

  it('--version prints the version of the package', async () => {
    assert.match((await audgate(['--version'])).out, /^\d+\.\d+\.\d+\n$/)
  })

  const linuxOnly = { skip: process.platform !== 'linux' && 'reads /proc' }
  it('`serve` bounds the garbage that it keeps, in the process that was started', linuxOnly, async () => {
    const file = write(
      'public_url: http://localhost:8080\nlisten: 127.0.0.1:0\nissuer: false\nroutes:\n  - { id: open, public: true, upstream: "http://127.0.0.1:1" }\n',
    )
    const sizeOf = async (env: Readonly<Record<string, string>>, flags: readonly string[] = []) => {
      const child = spawn(process.execPath, [...flags, AUDGATE, 'serve', file], { cwd: ROOT, env })
      const ended = once(child, 'exit')
      try {
        for await (const chunk of child.stdout) if (String(chunk).includes('"listening"')) break
        const given = readFileSync(`/proc/${child.pid}/cmdline`, 'utf8').split('\0')
        return given.filter((text) => /semi-space|heap-growing/.test(text))
      } finally {
        child.kill('SIGTERM')
        assert.deepEqual(await ended, [0, null])
      }
    }
    assert.deepEqual(await sizeOf({}), ['--max-semi-space-size=8', '--heap-growing-percent=30'])
    assert.deepEqual(await sizeOf({}, ['--max-semi-space-size=32']), ['--max-semi-space-size=32'])
    assert.deepEqual(await sizeOf({ NODE_OPTIONS: '--max-semi-space-size=32' }), [])
    assert.deepEqual(await sizeOf({ NODE_OPTIONS: '--max_semi_space_size=32' }), [])
  })

  it('no signal opens a debugger that would show keys and tokens', { skip: process.platform === 'win32' }, async () => {
    const file = write(
      'public_url: http://localhost:8080\nlisten: 127.0.0.1:0\nissuer: false\nworkers: 2\nroutes:\n  - { id: open, public: true, upstream: "http://127.0.0.1:1" }\n',
    )
    // The second can't start anew with the flag that keeps Node from it.
    for (const env of [{}, { NODE_OPTIONS: '--max-semi-space-size=8' }]) {
      const child = spawn(process.execPath, [AUDGATE, 'serve', file], { cwd: ROOT, env })
      const ended = once(child, 'exit')
      let err = ''
      child.stderr.on('data', (chunk) => {
        err += chunk
      })
      let out = ''
      for await (const chunk of child.stdout) {
        out += chunk
        if (out.includes('"listening"')) break
      }
      const workers = [...out.matchAll(/"worker\.listening","pid":(\d+)/g)].map(([, pid]) => Number(pid))
      assert.equal(workers.length, 2)
      for (const pid of [child.pid ?? 0, ...workers]) process.kill(pid, 'SIGUSR1')
      child.kill('SIGTERM')
      assert.deepEqual(await ended, [0, null])
      assert.doesNotMatch(err, /ebugger/)
    }
  })
})
