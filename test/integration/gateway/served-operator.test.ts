// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what looks like templates is the notation of routes.yaml
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { GATE, PHOTOS, requestText, routeOf, type ServedGate, serveGate } from '../../support/gate.ts'
import { until } from '../../support/gateway-under-test.ts'
import { listenOnLoopback, rawRequest, startUpstream, stopServer, type TestUpstream } from '../../support/upstreams.ts'

const SECRET = 'upstream-secret-1234567890'

describe('what the operator sees, from outside', () => {
  let upstream: TestUpstream
  let gate: ServedGate

  before(async () => {
    upstream = await startUpstream()
    gate = await serveGate(
      routeOf('photos', upstream.url, '    set_headers: { X-Api-Key: "${KEY}" }\n    public: [/open/**]'),
      { env: { KEY: SECRET } },
    )
  })
  after(async () => {
    await gate.close()
    await upstream.close()
  })

  const idOf = (body: string): string => {
    const { rawHeaders } = JSON.parse(body) as { rawHeaders: string[] }
    return rawHeaders[rawHeaders.findIndex((name) => /^x-request-id$/i.test(name)) + 1] ?? ''
  }

  it('one JSON line per request says who, what, where, how and how long', async () => {
    const answer = await gate.ask('/photos/a?secret=query', { method: 'PUT', token: gate.token(), body: 'hello' })
    const line = await gate.line(idOf(answer.body))
    assert.deepEqual(
      [
        line.route,
        line.resource,
        line.method,
        line.status,
        line.outcome,
        line.sub,
        line.client,
        line.bytes_in,
        line.bytes_out,
      ],
      ['photos', PHOTOS, 'PUT', 200, 'ok', 'sub-alice', 'cli', 5, answer.body.length],
    )
    assert.ok(line.time !== undefined)
    for (const name of ['decide_ms', 'upstream_ms', 'total_ms']) assert.equal(typeof line[name], 'number', name)
  })

  it('never a token, cookie, password or query string', async () => {
    const token = gate.token()
    const lines = ['Cookie: session=cookie-secret', 'Referer: http://x/?referer-secret']
    await gate.ask('/photos/a?query-secret=1', { token, lines })
    await gate.ask('/nowhere?query-secret=1', { token, lines })
    await gate.ask('/photos/open/a?query-secret', { lines: [...lines, 'Authorization: Basic cGFzc3dvcmQtc2VjcmV0'] })
    await gate.ask('/photos/a', { token: `${token}x` })
    await gate.ask('/photos/a', { lines: [`Authorization: Bearer ${token} x`] })
    const last = await gate.ask('/photos/last', { token })
    await gate.line(idOf(last.body))
    const text = JSON.stringify(gate.log())
    for (const word of [
      'query-secret',
      'cookie-secret',
      'referer-secret',
      'cGFzc3dvcmQtc2VjcmV0',
      SECRET,
      token.split('.')[1] ?? '?',
      token.split('.')[2] ?? '?',
      'query',
    ]) {
      assert.ok(!text.includes(word), word)
    }
  })

  it('/metrics has every name, labelled by route, outcome and reason', async () => {
    await gate.ask('/photos/a', { token: gate.token() })
    await gate.ask('/photos/a')
    await gate.ask('/nowhere/with/a/path')
    const text = await gate.metrics()
    for (const name of [
      'audgate_requests_total',
      'audgate_request_duration_seconds_bucket',
      'audgate_decision_duration_seconds_bucket',
      'audgate_upstream_duration_seconds_bucket',
      'audgate_requests_in_flight',
      'audgate_tunnels_open',
      'audgate_bytes_total',
      'audgate_token_cache_hits_total',
      'audgate_jwks_age_seconds',
      'audgate_jwks_failures_total',
      'audgate_tokens_total',
      'audgate_revocations_in_force',
    ]) {
      assert.match(text, new RegExp(`^# TYPE ${name.replace('_bucket', '')} `, 'm'), name)
    }
    assert.match(text, /^audgate_requests_total\{route="photos",outcome="refused",reason="no_token"\} \d+$/m)
    assert.match(text, /^audgate_requests_total\{route="photos",outcome="ok",reason="[^"]*"\} \d+$/m)
    assert.match(text, /^audgate_requests_total\{route="[^"]*",outcome="refused",reason="no_route"\} \d+$/m)
    assert.ok(!text.includes('/with/a/path'))
  })

  it('/healthz and /readyz answer on the management listener, never on the public one', async () => {
    for (const path of ['/healthz', '/readyz']) {
      assert.equal((await fetch(`${gate.managementUrl}${path}`)).status, 200)
      assert.equal((await gate.ask(path)).status, 404)
    }
    assert.equal((await gate.ask('/metrics')).status, 404)
    assert.equal((await fetch(`${gate.managementUrl}/photos/a`)).status, 404)
  })

  it('headers of 32 KiB or 100 fields at most: 431', async () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => `X-${i}: 1`)
    // Host and Authorization count too.
    assert.equal((await gate.ask('/photos/a', { token: gate.token(), lines: many(98) })).status, 200)
    for (const lines of [many(100), many(1_500), [`X: ${'x'.repeat(33_000)}`]]) {
      const answer = await gate.ask('/photos/a', { token: gate.token(), lines })
      assert.equal(answer.status, 431, answer.text.slice(0, 200))
      assert.equal(answer.headers.get('content-type'), 'application/problem+json')
      assert.equal(JSON.parse(answer.body).reason, 'headers_too_large')
    }
    assert.equal(
      (await gate.ask('/photos/a', { token: gate.token(), lines: [`X: ${'x'.repeat(30_000)}`] })).status,
      200,
    )
    const long = await gate.ask(`/photos/${'x'.repeat(40_000)}`)
    assert.equal(long.status, 431, long.text.slice(0, 200))
  })

  it('10 s for a request’s headers: 408', async () => {
    const began = Date.now()
    const answer = await rawRequest(gate.port, `GET /photos/a HTTP/1.1\r\nHost: ${GATE}\r\nX-Slow: `)
    assert.equal(answer.status, 408, answer.text)
    assert.equal(JSON.parse(answer.body).reason, 'headers_timeout')
    const took = Date.now() - began
    assert.ok(took > 9_000 && took < 13_000, `${took} ms`)
  })
})

describe('saving the file, from outside', () => {
  let upstream: TestUpstream
  let gate: ServedGate
  const invalid = () => gate.log().filter(({ level }) => level === 'error' || level === 'warn').length
  const statusOf = async (path: string) =>
    (await gate.ask(path, { token: gate.token({ claims: { scope: 'photos:read' } }) })).status
  const file = () => join(gate.folder, 'routes.yaml')
  let good = ''

  before(async () => {
    upstream = await startUpstream()
    good = routeOf('photos', upstream.url)
    gate = await serveGate(good)
  })
  after(async () => {
    await gate.close()
    await upstream.close()
  })

  it('valid: swapped in at once; the log says what changed', async () => {
    assert.equal(await statusOf('/second/a'), 404)
    gate.save(good + routeOf('second', upstream.url))
    await until(async () => (await statusOf('/second/a')) === 200, 'the new route')
    await until(
      () => gate.log().some((line) => line.event === 'reload' && /second/.test(JSON.stringify(line))),
      'the log',
    )
  })

  it('invalid: the old one stays in force and the log shows the problems', async () => {
    writeFileSync(file(), 'public_url: http://gate.example.com\nroutez: []\n')
    await until(() => gate.log().some((line) => /routez/.test(JSON.stringify(line))), 'the problems')
    assert.equal(await statusOf('/second/a'), 200)
    const before = invalid()
    writeFileSync(file(), '')
    await until(() => invalid() > before, 'the problem of an empty file')
    assert.equal(await statusOf('/second/a'), 200)
  })

  it('what a change narrows holds for the next request on a kept connection', async () => {
    gate.save(good)
    await until(async () => (await statusOf('/second/a')) === 404, 'the route to go')
    assert.equal(await statusOf('/photos/a'), 200)
    gate.save(
      good.replace(
        '{ methods: [read], scopes: [photos:read] }',
        '{ methods: [read], scopes: [photos:read, photos:write] }',
      ),
    )
    await until(async () => (await statusOf('/photos/a')) === 403, 'the rule to narrow')
  })

  it('a file that is replaced, as editors do, is noticed again and again', async () => {
    for (let i = 0; i < 3; i += 1) {
      gate.save(good + routeOf(`r${i}`, upstream.url))
      const text = file()
      renameSync(text, `${text}~`)
      writeFileSync(`${text}.tmp`, execFileSync('cat', [`${text}~`]))
      renameSync(`${text}.tmp`, text)
      await until(async () => (await statusOf(`/r${i}/a`)) === 200, `route r${i}`)
    }
    rmSync(file())
    assert.equal(await statusOf('/r2/a'), 200)
    gate.save(good)
    await until(async () => (await statusOf('/r2/a')) === 404, 'the file after its absence')
  })

  it('a save while another is being put in force is not lost, with workers either', async (t) => {
    const busy = await serveGate(good, { settings: 'workers: 2' })
    t.after(() => busy.close())
    const becomes = (status: number) => until(async () => (await busy.ask('/second/a')).status === status, `${status}`)
    for (let i = 0; i < 4; i += 1) {
      busy.save(good + routeOf('second', upstream.url))
      await becomes(401)
      busy.save(good)
      await becomes(404)
    }
  })

  it('a running request is not dropped', async (t) => {
    const held: { release?: () => void } = {}
    const slow = createServer((_request, response) => {
      response.write('begun ')
      held.release = () => response.end('done')
    })
    const port = await listenOnLoopback(slow)
    t.after(() => stopServer(slow))
    gate.save(good + routeOf('slow', `http://127.0.0.1:${port}`))
    await until(async () => (await gate.ask('/slow/a')).status === 401, 'the route')
    const answer = await fetch(`http://127.0.0.1:${gate.port}/slow/a`, {
      headers: { authorization: `Bearer ${gate.token()}` },
    })
    gate.save(good)
    await until(async () => (await gate.ask('/slow/a')).status === 404, 'the route to go')
    held.release?.()
    assert.equal(await answer.text(), 'begun done')
  })
})

describe('settings of the listener, from outside', () => {
  const certificate = (folder: string, name: string) => {
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-keyout',
        join(folder, 'key.pem'),
        '-out',
        join(folder, 'cert.pem'),
        '-days',
        '2',
        '-subj',
        `/CN=${name}`,
        '-addext',
        `subjectAltName=DNS:${name}`,
      ],
      { stdio: 'ignore' },
    )
  }
  const nameAt = (port: number) =>
    new Promise<string>((resolve, reject) => {
      const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
        resolve(String(socket.getPeerCertificate().subject.CN))
        socket.end()
      })
      socket.on('error', reject)
    })

  it('tls: the listener speaks TLS, and the certificate is reloaded when the files change', async (t) => {
    const upstream = await startUpstream()
    t.after(() => upstream.close())
    const folder = execFileSync('mktemp', ['-d']).toString().trim()
    t.after(() => rmSync(folder, { recursive: true }))
    certificate(folder, 'one.example.com')
    const gate = await serveGate(routeOf('photos', upstream.url), {
      settings: `tls: { cert: ${folder}/cert.pem, key: ${folder}/key.pem }`,
    })
    t.after(() => gate.close())
    assert.equal(await nameAt(gate.port), 'one.example.com')
    const plain = await rawRequest(gate.port, 'GET /photos/a HTTP/1.1\r\nHost: x\r\n\r\n')
    assert.notEqual(plain.status, 200)
    certificate(folder, 'two.example.com')
    await until(async () => (await nameAt(gate.port)) === 'two.example.com', 'the new certificate')
    const text = await new Promise<string>((resolve) => {
      let all = ''
      const socket = connectTls({ port: gate.port, host: '127.0.0.1', rejectUnauthorized: false })
      socket.on('data', (chunk) => {
        all += chunk
      })
      socket.on('close', () => resolve(all))
      socket.write(requestText('/photos/a', { token: gate.token(), lines: ['Connection: close'] }))
    })
    assert.match(text, /^HTTP\/1\.1 200 /)
    assert.match(text, /"X-Forwarded-Proto","https"/)
  })

  it('access_log: refused | off; max_connections', async (t) => {
    const upstream = await startUpstream()
    t.after(() => upstream.close())
    const routes = routeOf('photos', upstream.url)
    const gate = await serveGate(routes, { settings: 'access_log: refused\nmax_connections: 3' })
    t.after(() => gate.close())
    await gate.ask('/photos/good', { token: gate.token() })
    const refused = await gate.ask('/photos/refused')
    await gate.line(JSON.parse(refused.body).request_id)
    const lines = () => gate.log().filter((line) => 'outcome' in line)
    assert.deepEqual(
      lines().map(({ status }) => status),
      [401],
    )
    const sockets = Array.from({ length: 3 }, () => connect(gate.port, '127.0.0.1').on('error', () => undefined))
    await until(async () => /audgate_connections_open 3/.test(await gate.metrics()), 'three connections')
    assert.equal((await gate.ask('/photos/a')).status, 0)
    for (const socket of sockets) socket.destroy()
    await until(async () => (await gate.ask('/photos/a')).status === 401, 'room again')
    gate.save(routes, { settings: 'access_log: off\nmax_connections: 10' })
    await until(() => gate.log().some(({ event }) => event === 'reload'), 'the reload')
    const before = lines().length
    const silent = await gate.ask('/photos/silent')
    assert.equal(silent.status, 401)
    await gate.metrics()
    assert.equal(lines().filter((line) => line.request_id === JSON.parse(silent.body).request_id).length, 0)
    assert.ok(lines().length >= before)
  })

  it('SIGTERM: ready turns false, no new connections, running requests and uploads finish, exit 0', async (t) => {
    const held: { release?: () => void } = {}
    const slow: Server = createServer((request, response) => {
      request.resume()
      request.on('end', () => {
        response.write('begun ')
        held.release = () => response.end('done')
      })
    })
    const port = await listenOnLoopback(slow)
    t.after(() => stopServer(slow))
    const gate = await serveGate(routeOf('slow', `http://127.0.0.1:${port}`))
    t.after(() => gate.close())
    const answer = await fetch(`http://127.0.0.1:${gate.port}/slow/a`, {
      headers: { authorization: `Bearer ${gate.token()}` },
    })
    gate.serving.signal('SIGTERM')
    await until(async () => (await fetch(`${gate.managementUrl}/readyz`)).status === 503, 'not ready')
    await assert.rejects(fetch(`http://127.0.0.1:${gate.port}/slow/a`))
    held.release?.()
    assert.equal(await answer.text(), 'begun done')
    assert.deepEqual(await gate.serving.ended(), { code: 0, stderr: '' })
  })
})
