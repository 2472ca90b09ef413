import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { until } from '../../support/gateway-under-test.ts'
import { type Serving, serve } from '../../support/serving.ts'
import { listenOnLoopback, startUpstream, stopServer } from '../../support/upstreams.ts'

const started: Serving[] = []

function yamlFor(upstream: string, settings = 'listen: 127.0.0.1:0\nmanagement: 127.0.0.1:0'): string {
  return `
public_url: http://localhost:8080
${settings}
issuer: false
routes:
  - { id: open, path: /open, public: true, upstream: "${upstream}" }
`
}

async function serving(yaml: string): Promise<Serving> {
  const one = await serve(yaml)
  started.push(one)
  return one
}

after(async () => {
  for (const one of started) await one.remove()
})

describe('the end', () => {
  it('SIGTERM: ready turns false, no new connections, the running request finishes, exit 0', async () => {
    const held: { release?: () => void } = {}
    const upstream = createServer((_request, response) => {
      response.writeHead(200)
      response.write('begun ')
      held.release = () => response.end('done')
    })
    const port = await listenOnLoopback(upstream)
    const server = await serving(yamlFor(`http://127.0.0.1:${port}`))
    const answer = await fetch(`${server.url}/open/slow`)
    assert.equal((await fetch(`${server.managementUrl}/readyz`)).status, 200)
    server.signal('SIGTERM')
    await until(async () => (await fetch(`${server.managementUrl}/readyz`)).status === 503, 'not ready')
    assert.equal((await fetch(`${server.managementUrl}/healthz`)).status, 200)
    await assert.rejects(fetch(`${server.url}/open/new`))
    held.release?.()
    assert.equal(await answer.text(), 'begun done')
    assert.deepEqual(await server.ended(), { code: 0, stderr: '' })
    await stopServer(upstream)
  })

  it('SIGINT ends it too; idle connections don’t hold it up', async () => {
    const upstream = await startUpstream()
    const server = await serving(yamlFor(upstream.url))
    await (await fetch(`${server.url}/open/a`)).text()
    const idle = connect(Number(new URL(server.url).port), '127.0.0.1')
    idle.on('error', () => undefined)
    await new Promise((resolve) => idle.once('connect', resolve))
    const at = Date.now()
    server.signal('SIGINT')
    assert.equal((await server.ended()).code, 0)
    assert.ok(Date.now() - at < 5_000)
    idle.destroy()
    await upstream.close()
  })

  it('a second signal ends it at once', async () => {
    const upstream = createServer(() => undefined)
    const port = await listenOnLoopback(upstream)
    const server = await serving(yamlFor(`http://127.0.0.1:${port}`))
    const stuck = fetch(`${server.url}/open/stuck`).catch(() => 'cut')
    await until(
      async () => /in_flight 1\n/.test(await (await fetch(`${server.managementUrl}/metrics`)).text()),
      'a request',
    )
    server.signal('SIGTERM')
    await until(() => server.log().some(({ event }) => event === 'shutdown'), 'the end to begin')
    server.signal('SIGTERM')
    assert.equal((await server.ended()).code, 0)
    assert.equal(await stuck, 'cut')
    await stopServer(upstream)
  })

  it('every log line of requests is written out before the end', async () => {
    const upstream = await startUpstream()
    const server = await serving(yamlFor(upstream.url))
    await Promise.all(Array.from({ length: 100 }, async (_, i) => (await fetch(`${server.url}/open/${i}`)).text()))
    server.signal('SIGTERM')
    await server.ended()
    assert.equal(server.log().filter(({ outcome }) => outcome === 'ok').length, 100)
    await upstream.close()
  })

  it('SIGHUP reads the file anew', async () => {
    const upstream = await startUpstream()
    const server = await serving(yamlFor(upstream.url))
    server.signal('SIGHUP')
    await until(() => server.log().some(({ event }) => event === 'reload'), 'the reload')
    server.signal('SIGTERM')
    assert.equal((await server.ended()).code, 0)
    await upstream.close()
  })

  it('a reader of the log that goes away takes nothing with it', async () => {
    const upstream = await startUpstream()
    const server = await serving(yamlFor(upstream.url))
    server.child.stdout?.destroy()
    for (let i = 0; i < 20; i++) await (await fetch(`${server.url}/open/${i}`)).text()
    assert.equal(server.child.exitCode, null)
    server.signal('SIGTERM')
    assert.equal((await server.ended()).code, 0)
    await upstream.close()
  })
})

describe('a start that can’t be', () => {
  async function fails(yaml: string, prepare: (folder: string) => void = () => undefined): Promise<string> {
    const server = await serving(yaml)
    prepare(server.folder)
    const { code, stderr } = await server.ended()
    assert.equal(code, 2, stderr)
    assert.equal(stderr.trim().split('\n').length, 1, stderr)
    return stderr
  }

  it('a port that is taken: one line that says what to do, exit 2', async () => {
    const taken = createServer()
    const port = await listenOnLoopback(taken)
    assert.match(
      await fails(yamlFor('http://127.0.0.1:9', `listen: 127.0.0.1:${port}`)),
      /listen: 127\.0\.0\.1:\d+ is taken: stop what listens there/,
    )
    const settings = `listen: 127.0.0.1:0\nmanagement: 127.0.0.1:${port}`
    assert.match(await fails(yamlFor('http://127.0.0.1:9', settings)), /^management: .* is taken/)
    await stopServer(taken)
  })

  it('an address that this machine doesn’t have', async () => {
    assert.match(await fails(yamlFor('http://127.0.0.1:9', 'listen: 192.0.2.1:8080')), /no address of this machine/)
  })

  it('certificates that are not there, or no good', async () => {
    const settings = (cert: string) => `listen: 127.0.0.1:0\ntls: { cert: ${cert}, key: key.pem }`
    assert.match(
      await fails(yamlFor('http://127.0.0.1:9', settings('cert.pem'))),
      /tls: .*cert\.pem: there is no such file/,
    )
    assert.match(await fails(yamlFor('http://127.0.0.1:9', settings('routes.yaml'))), /tls: .*key\.pem/)
  })

  it('a store that can’t be written', async () => {
    const yaml = yamlFor('http://127.0.0.1:9', 'listen: 127.0.0.1:0\nstore: sqlite:/dev/null/data/audgate.db').replace(
      'issuer: false',
      '',
    )
    assert.match(await fails(yaml), /\/dev\/null\/data/)
  })

  it('a bad file: every problem, exit 2', async () => {
    const server = await serving('public_url: nonsense\nnonsense: 1\n')
    const { code, stderr } = await server.ended()
    assert.equal(code, 2)
    assert.match(stderr, /^routes\.yaml:\d+:\d+: /m)
    writeFileSync(join(server.folder, 'routes.yaml'), '')
  })
})

describe('listen: localhost', () => {
  it('means both loopback addresses, with one port', async () => {
    const upstream = await startUpstream()
    const server = await serving(yamlFor(upstream.url, 'listen: localhost:0'))
    const { port } = new URL(server.url)
    assert.equal((await fetch(`http://127.0.0.1:${port}/open/a`)).status, 200)
    const [, six] = (server.log()[0]?.listening ?? []) as string[]
    if (six !== undefined) assert.equal((await fetch(`http://[::1]:${port}/open/a`)).status, 200)
    await upstream.close()
  })
})
