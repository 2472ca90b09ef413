import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { until } from '../../support/gateway-under-test.ts'
import { freePorts } from '../../support/programs/free-ports.ts'
import { serve } from '../../support/serving.ts'
import { fieldOf, type Seen, startUpstream } from '../../support/upstreams.ts'

const AUDGATE = join(import.meta.dirname, '../../../src/cli/audgate.js')

let folder: string
let upstream: Awaited<ReturnType<typeof startUpstream>>

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'audgate-sockets-'))
  upstream = await startUpstream()
})

after(async () => {
  await upstream.close()
  rmSync(folder, { recursive: true })
})

const yamlFor = (listen: string, settings = ''): string => `
public_url: http://localhost:8080
listen: ${listen}
issuer: false
${settings}
routes:
  - { id: open, path: /, public: true, upstream: "${upstream.url}" }
`

/** What the upstream saw of a request that came over a unix socket. */
async function seenOver(socketPath: string, headers: Record<string, string> = {}): Promise<Seen | undefined> {
  await new Promise<void>((resolve, reject) => {
    const sent = request({ socketPath, path: '/echo', headers: { host: 'localhost:8080', ...headers } })
    sent.on('response', (response) => response.resume().on('end', resolve)).on('error', reject)
    sent.end()
  })
  return upstream.seen.at(-1)
}

describe('listen: unix:PATH', () => {
  for (const workers of [1, 2]) {
    it(`serves on a socket that owner and group may open, and takes it away at its end (workers: ${workers})`, async () => {
      const path = join(folder, `gate-${workers}.sock`)
      const server = await serve(yamlFor(`unix:${path}`, `workers: ${workers}`))
      try {
        assert.equal(server.url, `unix:${path}`)
        assert.equal(statSync(path).mode & 0o777, 0o660)
        assert.equal(fieldOf(await seenOver(path), 'x-forwarded-for'), 'unknown')
      } finally {
        server.signal('SIGTERM')
        assert.deepEqual(await server.ended(), { code: 0, stderr: '' })
        await server.remove()
      }
      assert.equal(statSync(path, { throwIfNoEntry: false }), undefined)
    })
  }

  it('believes the forwarding headers of its peers only where trusted_proxies has unix:', async () => {
    const forwarded = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https' }
    for (const [settings, address, protocol] of [
      ['', 'unknown', 'http'],
      ['trusted_proxies: ["unix:"]', '203.0.113.7', 'https'],
    ] as const) {
      const path = join(folder, 'believed.sock')
      const server = await serve(yamlFor(`unix:${path}`, settings))
      const seen = await seenOver(path, forwarded)
      await server.remove()
      assert.equal(fieldOf(seen, 'x-forwarded-for'), address)
      assert.equal(fieldOf(seen, 'x-forwarded-proto'), protocol)
    }
  })

  it('takes the place of a socket that a killed process has left, never of one that is served', async () => {
    const path = join(folder, 'left.sock')
    const first = await serve(yamlFor(`unix:${path}`))
    const second = await serve(yamlFor(`unix:${path}`))
    const refused = await second.ended()
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, /left\.sock is taken: stop what listens there, or choose another path/)
    await second.remove()
    await first.remove()
    assert.ok(statSync(path).isSocket())
    const third = await serve(yamlFor(`unix:${path}`))
    assert.equal(fieldOf(await seenOver(path), 'x-forwarded-for'), 'unknown')
    await third.remove()
  })
})

describe('listen: fd:N', () => {
  it('serves on a socket that systemd hands over', async () => {
    const [port = 0] = await freePorts(1)
    writeFileSync(join(folder, 'routes.yaml'), yamlFor('fd:3'))
    const activate = ['-l', `127.0.0.1:${port}`, '-E', 'PATH', process.execPath, AUDGATE, 'serve', 'routes.yaml']
    const child = spawn('systemd-socket-activate', activate, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
    const ended = new Promise((resolve) => child.once('exit', resolve))
    try {
      const ask = () => fetch(`http://127.0.0.1:${port}/echo`, { signal: AbortSignal.timeout(30_000) })
      await until(
        () =>
          ask().then(
            ({ status }) => status === 200,
            () => false,
          ),
        'an answer',
        40_000,
      )
    } finally {
      child.kill('SIGTERM')
    }
    assert.equal(await ended, 0)
  })

  it('tells systemd that it is ready, and that it ends', async () => {
    const heard = join(folder, 'notify.sock')
    const listen =
      'import os, socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("bound", flush=True)\nwhile True: print(s.recv(4096).decode(), flush=True)'
    const python = spawn('python3', ['-c', listen, heard], { stdio: ['ignore', 'pipe', 'inherit'] })
    const said = { text: '' }
    python.stdout.on('data', (chunk: Buffer) => {
      said.text += chunk
    })
    await until(() => said.text.includes('bound'), 'a socket', 20_000)
    const server = await serve(yamlFor('127.0.0.1:0'), { NOTIFY_SOCKET: heard })
    await until(() => said.text.includes('READY=1'), 'READY=1', 20_000)
    server.signal('SIGTERM')
    await until(() => said.text.includes('STOPPING=1'), 'STOPPING=1', 20_000)
    await server.ended()
    await server.remove()
    python.kill()
  })

  it('ends with 1 when the last worker that holds it is gone: a supervisor can hand it over again, nobody else', async () => {
    const owner = createServer().listen(0, '127.0.0.1')
    await once(owner, 'listening')
    const { fd } = (owner as unknown as { readonly _handle: { readonly fd: number } })._handle
    writeFileSync(join(folder, 'routes.yaml'), yamlFor('fd:3', 'workers: 2'))
    const child = spawn(process.execPath, [AUDGATE, 'serve', 'routes.yaml'], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit', fd],
    })
    const ended = once(child, 'exit')
    const said = { text: '' }
    child.stdout?.on('data', (chunk: Buffer) => {
      said.text += chunk
    })
    try {
      const pids = () =>
        [...said.text.matchAll(/"event":"worker.listening","pid":(\d+)/g)].map(([, pid]) => Number(pid))
      await until(() => said.text.includes('"event":"listening"'), 'it listens', 40_000)
      for (const pid of pids()) process.kill(pid, 'SIGKILL')
      assert.deepEqual([await ended, /"event":"server.lost"/.test(said.text)], [[1, null], true])
    } finally {
      child.kill('SIGKILL')
      owner.close()
    }
  })

  it('says what is wrong when one of Node’s own descriptors is named', async () => {
    // The number of the event loop's own, or of what it watches.
    for (const fd of [5, 7, 10]) {
      const server = await serve(yamlFor(`fd:${fd}`))
      const { code, stderr } = await server.ended()
      assert.deepEqual([code, /is no open socket/.test(stderr)], [2, true], `fd:${fd}: ${stderr}`)
      await server.remove()
    }
  })

  it('says what is wrong when nothing was handed over', async () => {
    const server = await serve(yamlFor('fd:9'))
    const { code, stderr } = await server.ended()
    await server.remove()
    assert.equal(code, 2)
    assert.match(stderr, /^listen: fd:9 is no open socket: start audgate by its socket unit, or write an address\n$/)
  })
})
