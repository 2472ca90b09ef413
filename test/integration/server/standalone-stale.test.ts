import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { decodeConfig } from '../../../src/config/load.ts'
import { logTo } from '../../../src/observe/log.ts'
import { createServer, type Server } from '../../../src/server/server.ts'
import { type LogLine, until } from '../../support/gateway-under-test.ts'
import { freePorts } from '../../support/programs/free-ports.ts'
import { addPeople, command, FEED_ENV, look, photosFile, signIn } from '../../support/split-audgate.ts'
import { listenOnLoopback } from '../../support/upstreams.ts'

const TIMING = { heartbeatMs: 50, staleAfterMs: 400 }

interface Running {
  readonly server: Server
  readonly url: string
  readonly log: readonly LogLine[]
}

describe('a gateway on its own whose feed falls silent', () => {
  let folder: string
  let upstream: HttpServer
  let publicUrl: string
  let issuerUrl: string
  let issuer: Running
  let gateway: Running
  let fileOf: (settings: string) => string

  before(async () => {
    upstream = createHttpServer((_, response) => response.end('photo'))
    const photos = `http://127.0.0.1:${await listenOnLoopback(upstream)}`
    const [publicPort, issuerPort] = await freePorts(2)
    publicUrl = `http://127.0.0.1:${publicPort}`
    issuerUrl = `http://127.0.0.1:${issuerPort}`
    fileOf = (settings) => photosFile(publicUrl, photos, `management: 127.0.0.1:0\n${settings}`)
  })
  after(() => {
    upstream.closeAllConnections()
    upstream.close()
  })

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'audgate-standalone-'))
    issuer = await start(issuerFile())
    gateway = await start(gatewayFile('refuse'))
    await until(() => isReady(), 'the gateway follows')
  })
  afterEach(async () => {
    await gateway.server.close(500)
    await issuer.server.close(500)
    rmSync(folder, { recursive: true, force: true })
  })

  const issuerFile = (): string => fileOf(`listen: ${new URL(issuerUrl).host}\ntrusted_proxies: [127.0.0.1/32]`)
  const gatewayFile = (stale: string, upstreamUrl = issuerUrl): string =>
    fileOf(`listen: ${new URL(publicUrl).host}\nissuer: { upstream: "${upstreamUrl}", on_stale_revocations: ${stale} }`)

  function configOf(yaml: string) {
    const result = decodeConfig(yaml, join(folder, 'routes.yaml'), FEED_ENV)
    if (result.ok) return result.config
    throw new Error(JSON.stringify(result.problems))
  }

  async function start(yaml: string): Promise<Running> {
    const log: LogLine[] = []
    const sink = { write: (line: string) => log.push(JSON.parse(line)) }
    const server = await createServer(configOf(yaml), { log: logTo(sink), now: Date.now, feedTiming: TIMING })
    return { server, log, url: `http://127.0.0.1:${server.addresses[0]?.port}` }
  }

  async function isReady(): Promise<boolean> {
    const answer = await fetch(`http://127.0.0.1:${gateway.server.management?.port}/readyz`)
    await answer.text()
    return answer.ok
  }

  /** People are added by hand: commands want the file on disk. */
  async function token(): Promise<string> {
    writeFileSync(join(folder, 'routes.yaml'), issuerFile())
    await addPeople(folder)
    return signIn(publicUrl, publicUrl, 'app')
  }

  const revoke = (): Promise<string> => command(folder, ['revoke', '--client', 'app'])
  const seen = (event: string): boolean => gateway.log.some((line) => line.event === event)

  it('refuse: 503 for that issuer’s tokens, unready, and the log says so; catch-up misses nothing', async () => {
    const live = await token()
    assert.equal(await look(gateway.url, live), '200')
    await issuer.server.close(0)
    assert.equal(await look(gateway.url, live), '200', 'a short break is none')
    await until(async () => (await look(gateway.url, live)) === '503 verifier_unavailable', 'refused')
    assert.equal(await isReady(), false)
    assert.ok(seen('feed.stale'))
    await revoke()
    issuer = await start(issuerFile())
    await until(async () => (await look(gateway.url, live)) === '401 revoked', 'caught up')
    assert.equal(await isReady(), true)
    assert.ok(seen('feed.following'))
  })

  it('refuse: a 503 says when to come back', async () => {
    const live = await token()
    await issuer.server.close(0)
    await until(async () => (await look(gateway.url, live)) === '503 verifier_unavailable', 'refused')
    const answer = await fetch(`${gateway.url}/photos/1`, { headers: { authorization: `Bearer ${live}` } })
    assert.ok(Number(answer.headers.get('retry-after')) > 0)
    await answer.text()
  })

  it('allow: goes on, and says so in the metrics; saving the file changes which', async () => {
    const live = await token()
    assert.equal(await look(gateway.url, live), '200', 'its keys are here')
    await gateway.server.reload(configOf(gatewayFile('allow')))
    await issuer.server.close(0)
    const metrics = async () => (await fetch(`http://127.0.0.1:${gateway.server.management?.port}/metrics`)).text()
    await until(async () => /^audgate_revocation_feed_stale 1$/m.test(await metrics()), 'stale')
    assert.equal(await look(gateway.url, live), '200')
    assert.equal(await isReady(), true)
    await gateway.server.reload(configOf(gatewayFile('refuse')))
    assert.equal(await look(gateway.url, live), '503 verifier_unavailable')
    await gateway.server.reload(configOf(gatewayFile('allow')))
    assert.equal(await look(gateway.url, live), '200')
  })

  it('a gateway that starts without its issuer serves, and refuses that issuer’s tokens until it has caught up', async () => {
    const live = await token()
    await gateway.server.close(0)
    await issuer.server.close(0)
    await revoke()
    gateway = await start(gatewayFile('refuse'))
    assert.equal(await look(gateway.url, live), '503 verifier_unavailable')
    issuer = await start(issuerFile())
    await until(async () => (await look(gateway.url, live)) === '401 revoked', 'caught up')
  })

  it('an issuer that is not there is a 502 at the reserved paths', async () => {
    await issuer.server.close(0)
    const answer = await fetch(`${gateway.url}/oauth/jwks`)
    assert.equal(answer.status, 502)
    assert.equal(JSON.parse(await answer.text()).reason, 'upstream_refused')
  })

  it('the issuer’s TLS is verified: a certificate that nobody vouches for is refused', async () => {
    const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')]
    const kind = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
    execFileSync('openssl', [...kind, ...files, ...name], { stdio: 'ignore' })
    const [key, cert] = ['key.pem', 'cert.pem'].map((file) => readFileSync(join(folder, file)))
    const asked: string[] = []
    const impostor = createHttpsServer({ key, cert }, (request, response) => {
      asked.push(request.url ?? '')
      response.end('{"keys":[]}')
    })
    const port = await listenOnLoopback(impostor as unknown as HttpServer)
    await gateway.server.close(0)
    gateway = await start(gatewayFile('refuse', `https://localhost:${port}`))
    assert.equal((await fetch(`${gateway.url}/oauth/jwks`)).status, 502)
    assert.equal(await isReady(), false)
    assert.deepEqual(asked, [], 'no byte of a request came through')
    impostor.closeAllConnections()
    impostor.close()
  })
})
