import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { after, before, describe, it } from 'node:test'
import { photosRoute, startGateway, type TestGateway, until, yamlOf } from '../../support/gateway-under-test.ts'
import { rawRequest, startUpstream, type TestUpstream } from '../../support/upstreams.ts'

const SECRET = 'upstream-secret-1234567890'

describe('what the operator is told', () => {
  let upstream: TestUpstream
  let gateway: TestGateway

  before(async () => {
    upstream = await startUpstream()
    const more = `    set_headers: { X-Api-Key: "\${KEY}" }\n    public: [/open/**]`
    gateway = await startGateway({ yaml: yamlOf(photosRoute(upstream.url, more)), env: { KEY: SECRET } })
    const authorization = `Bearer ${gateway.token()}`
    await (
      await fetch(`${gateway.url}/photos/a?secret=query`, { headers: { authorization, cookie: 'sid=secret-cookie' } })
    ).text()
    await (await fetch(`${gateway.url}/photos/a`, { headers: { authorization } })).text()
    await (await fetch(`${gateway.url}/photos/a`)).text()
  })
  after(async () => {
    await gateway.close()
    await upstream.close()
  })

  it('every metric of the product is there', async () => {
    const answer = await fetch(`${gateway.managementUrl}/metrics`)
    assert.match(answer.headers.get('content-type') ?? '', /^text\/plain/)
    const text = await answer.text()
    assert.match(text, /^audgate_requests_total\{route="photos",outcome="ok",reason="ok"\} 2$/m)
    assert.match(text, /^audgate_requests_total\{route="photos",outcome="refused",reason="no_token"\} 1$/m)
    for (const name of [
      'audgate_request_duration_seconds_count 3',
      'audgate_decision_duration_seconds_count 3',
      'audgate_upstream_duration_seconds_count 2',
      'audgate_requests_in_flight 0',
      'audgate_tunnels_open 0',
      'audgate_token_cache_hits_total 1',
      'audgate_revocations_in_force 0',
      '# TYPE audgate_tokens_total counter',
      ...['request', 'decision', 'upstream'].map((what) => `# TYPE audgate_${what}_duration_seconds histogram`),
      'audgate_jwks_failures_total{issuer="https://issuer.example.com"} 0',
    ]) {
      assert.ok(text.includes(`\n${name}\n`), `${name} in\n${text}`)
    }
    assert.match(text, /^audgate_bytes_total\{direction="out"\} [1-9]/m)
    assert.match(text, /^audgate_jwks_age_seconds\{issuer="https:\/\/issuer\.example\.com"\} \d/m)
    assert.match(text, /^audgate_request_duration_seconds_bucket\{/m)
    await (await fetch(`${gateway.url}/nowhere/with/a/path`)).text()
    const later = await (await fetch(`${gateway.managementUrl}/metrics`)).text()
    assert.match(later, /^audgate_requests_total\{route="[^"]*",outcome="refused",reason="no_route"\} 1$/m)
    assert.ok(!later.includes('/with/a/path'))
    // Nobody revokes anything here: a position would seem to lag behind those of other gateways.
    assert.doesNotMatch(text, /^audgate_revocation_(?:age_seconds|position) /m)
  })

  it('healthz says it lives, readyz that it can serve', async () => {
    assert.equal((await fetch(`${gateway.managementUrl}/healthz`)).status, 200)
    assert.equal((await fetch(`${gateway.managementUrl}/readyz`)).status, 200)
    for (const path of ['/else', '/photos/a']) {
      assert.equal((await fetch(`${gateway.managementUrl}${path}`)).status, 404, path)
    }
    assert.equal((await fetch(`${gateway.managementUrl}/metrics`, { method: 'POST' })).status, 405)
  })

  it('is told to who asks by an address or a name of this machine, so that no other site’s name leads here', async () => {
    const { port } = new URL(gateway.managementUrl)
    const statusOf = async (host: string) =>
      (await rawRequest(Number(port), `GET /metrics HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)).status
    for (const own of [`127.0.0.1:${port}`, 'localhost', `LOCALHOST:${port}`, `[::1]:${port}`, '10.1.2.3', hostname()])
      assert.equal(await statusOf(own), 200, own)
    for (const other of [
      'evil.example',
      `evil.example:${port}`,
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      '',
    ])
      assert.equal(await statusOf(other), 421, other)
  })

  it('is told at its own paths in their one spelling, to GET and HEAD only, and kept by nobody', async () => {
    const { port } = new URL(gateway.managementUrl)
    const ask = (method: string, path: string) =>
      rawRequest(Number(port), `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
    for (const path of ['/', '/healthz/', '//healthz', '/HEALTHZ', '/%68ealthz', '/%zz', '/healthz;a', '*'])
      assert.equal((await ask('GET', path)).status, 404, path)
    for (const method of ['POST', 'OPTIONS', 'PROPFIND', 'DELETE', 'TRACE'])
      assert.equal((await ask(method, '/healthz')).status, 405, method)
    const head = await fetch(`${gateway.managementUrl}/healthz?probe`, { method: 'HEAD' })
    assert.equal(head.status, 200)
    assert.equal(head.headers.get('content-length'), '3')
    assert.equal(head.headers.get('cache-control'), 'no-store')
  })

  it('nothing of it is on the public listener', async () => {
    for (const path of ['/metrics', '/healthz', '/readyz']) {
      assert.equal((await fetch(`${gateway.url}${path}`)).status, 404)
    }
  })

  it('one line per request, with who, where, what and why', async () => {
    const [passed, , refused] = gateway.requests()
    assert.equal(passed?.route, 'photos')
    assert.equal(passed?.resource, 'https://gate.example.com/photos')
    assert.equal(passed?.method, 'GET')
    assert.equal(passed?.status, 200)
    assert.equal(passed?.outcome, 'ok')
    assert.equal(passed?.sub, 'sub-alice')
    assert.equal(passed?.client, 'cli')
    for (const field of ['decide_ms', 'upstream_ms', 'total_ms', 'bytes_in', 'bytes_out'])
      assert.equal(typeof passed?.[field], 'number')
    assert.match(String(passed?.time), /^\d{4}-.*Z$/)
    assert.equal(refused?.reason, 'no_token')
    assert.equal(refused?.outcome, 'refused')
    const authorization = `Bearer ${gateway.token({ claims: { scope: 'photos:write' } })}`
    const put = { method: 'PUT', headers: { authorization }, body: 'hello' }
    const answer = await (await fetch(`${gateway.url}/photos/upload`, put)).text()
    const upload = () => gateway.requests().find(({ method }) => method === 'PUT')
    await until(() => upload() !== undefined, 'its line')
    assert.deepEqual([upload()?.status, upload()?.bytes_in, upload()?.bytes_out], [200, 5, answer.length])
  })

  it('never a token, cookie, password, secret of the file or query string', async () => {
    const token = gateway.token()
    const kept = { cookie: 'sid=secret-cookie', referer: 'http://x/?secret-referer' }
    const ask = async (path: string, authorization: string) =>
      (await fetch(`${gateway.url}${path}`, { headers: { ...kept, authorization } })).text()
    await ask('/nowhere?secret=query', `Bearer ${token}`)
    await ask('/photos/open/a?secret=query', 'Basic cGFzc3dvcmQtc2VjcmV0')
    await ask('/photos/a', `Bearer ${token}x`)
    await ask('/photos/a', `Bearer ${token} x`)
    await ask('/photos/last?secret=query', `Bearer ${token}`)
    await until(() => gateway.requests().some(({ path }) => path === '/photos/last'), 'the last line')
    const text = JSON.stringify(gateway.log)
    for (const word of ['secret-cookie', 'secret-referer', 'cGFzc3dvcmQtc2VjcmV0', SECRET, ...token.split('.')]) {
      assert.ok(!text.includes(word), word)
    }
    assert.doesNotMatch(text, /eyJ|query/)
  })
})

describe('access_log', () => {
  for (const [kind, outcomes] of [
    ['refused', ['refused']],
    ['off', []],
  ] as const) {
    it(`${kind}: ${outcomes.length === 0 ? 'no lines of requests' : 'lines of refused requests only'}`, async () => {
      const upstream = await startUpstream()
      const gateway = await startGateway({
        yaml: yamlOf(photosRoute(upstream.url, '    public: [/open]'), `access_log: ${kind}`),
      })
      try {
        await (await fetch(`${gateway.url}/photos/open`)).text()
        await (await fetch(`${gateway.url}/photos/a`)).text()
        const { text } = { text: await (await fetch(`${gateway.managementUrl}/metrics`)).text() }
        assert.match(text, /audgate_request_duration_seconds_count 2/)
        assert.deepEqual(
          gateway.requests().map(({ outcome }) => outcome),
          outcomes,
        )
      } finally {
        await gateway.close()
        await upstream.close()
      }
    })
  }
})
