import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { photosRoute, startGateway, type TestGateway, yamlOf } from '../../support/gateway-under-test.ts'
import { makeKey, mintToken } from '../../support/keys.ts'
import { type RawAnswer, rawRequest, startUpstream, type TestUpstream } from '../../support/upstreams.ts'

const METADATA = 'resource_metadata="https://gate.example.com/.well-known/oauth-protected-resource/photos"'
const READ = 'scope="photos:read"'

describe('answers of the gateway', () => {
  let upstream: TestUpstream
  let gateway: TestGateway

  before(async () => {
    upstream = await startUpstream()
    const routes = `${photosRoute(upstream.url, '    cors: { origins: [https://app.example.com] }\n    max_body: 10')}
  - id: narrow
    path: /narrow
    resource: https://gate.example.com/photos
    upstream: ${upstream.url}
    rules:
      - { methods: [GET], paths: [/a/**], scopes: [photos:read] }
    public: [/healthz]
  - { id: dead, path: /dead, public: true, upstream: "http://127.0.0.1:9" }
  - id: late
    path: /late
    resource: https://gate.example.com/photos
    upstream: ${upstream.url}
    rules: [{ methods: [any], scopes: [photos:read] }]`
    gateway = await startGateway({
      yaml: yamlOf(routes)
        .replace('resources:', UNREACHABLE_ISSUER)
        .replace(
          'issuers: ["https://issuer.example.com"]',
          'issuers: ["https://issuer.example.com", "https://down.example.com"]',
        ),
    })
  })
  after(async () => {
    await gateway.close()
    await upstream.close()
  })

  // Keys of this issuer can never be had.
  const UNREACHABLE_ISSUER = `  - { issuer: "https://down.example.com", jwks_uri: "http://127.0.0.1:9/jwks", algorithms: [ES256] }
resources:`

  function ask(path: string, options: { method?: string; token?: string; headers?: Record<string, string> } = {}) {
    const { method = 'GET', token, headers = {} } = options
    const authorization: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` }
    const lines = Object.entries({ Host: 'gate.example.com', ...authorization, ...headers }).map(
      ([n, v]) => `${n}: ${v}`,
    )
    return rawRequest(gateway.port, `${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
  }

  /** That an answer is in the one form, and of this reason. */
  function holds(answer: RawAnswer, status: number, reason: string, challenge?: string): void {
    assert.equal(answer.status, status, answer.text)
    const problem = JSON.parse(answer.body)
    assert.equal(problem.reason, reason)
    assert.equal(problem.status, status)
    assert.equal(typeof problem.error, 'string')
    assert.equal(typeof problem.error_description, 'string')
    assert.equal(answer.headers.get('content-type'), 'application/problem+json')
    assert.equal(answer.headers.get('cache-control'), 'no-store')
    assert.equal(answer.headers.get('www-authenticate'), challenge)
    assert.equal(answer.headers.get('x-request-id'), problem.request_id)
    const line = gateway.requests().findLast(({ request_id }) => request_id === problem.request_id)
    assert.equal(line?.reason, reason, 'the log names the reason under the same request id')
    assert.equal(line?.status, status)
  }

  it('whatever the gateway answers itself names its request, as the log does', async () => {
    const preflight = { Origin: 'https://app.example.com', 'Access-Control-Request-Method': 'GET' }
    const answers = [
      await ask('/photos/a', { method: 'OPTIONS', headers: preflight }),
      await ask('/.well-known/oauth-protected-resource/photos', { headers: { Connection: 'close' } }),
      await ask('/.well-known/oauth-protected-resource/nothing', { headers: { Connection: 'close' } }),
      await ask('/photos/a', { headers: { Upgrade: 'websocket', Connection: 'Upgrade' } }),
      await ask('/photos/a', { method: 'HEAD' }),
      await ask('/photos/a', { headers: { 'Sec-Fetch-Mode': 'navigate' } }),
      await rawRequest(gateway.port, 'nonsense\r\n\r\n'),
    ]
    for (const answer of answers) {
      const line = gateway.requests().find(({ request_id }) => request_id === answer.headers.get('x-request-id'))
      assert.equal(line?.status, answer.status, answer.head)
    }
  })

  it('no route: 404 no_route', async () => {
    holds(await ask('/nowhere'), 404, 'no_route')
  })

  it('an ambiguous path: 400 ambiguous_path', async () => {
    holds(await ask('/photos/%2e%2e/narrow'), 400, 'ambiguous_path')
  })

  it('a malformed request: 400 malformed_request', async () => {
    holds(await ask('http://else.example.com/photos'), 400, 'malformed_request')
  })

  it('a good token but no rule for the method: 405 with Allow', async () => {
    const answer = await ask('/narrow/a/b', { method: 'DELETE', token: gateway.token() })
    holds(answer, 405, 'method_not_allowed')
    assert.equal(answer.headers.get('allow'), 'GET, HEAD')
  })

  it('a good token but no rule for the path at all: 403 path_not_allowed', async () => {
    holds(await ask('/narrow/b', { token: gateway.token() }), 403, 'path_not_allowed')
  })

  it('no credential: 401 without error', async () => {
    holds(await ask('/photos/a'), 401, 'no_token', `Bearer ${METADATA}, ${READ}`)
  })

  it('who has no good token learns 401, whatever the rules say', async () => {
    holds(await ask('/narrow/b'), 401, 'no_token', `Bearer ${METADATA}`)
    holds(await ask('/narrow/a/b', { method: 'DELETE' }), 401, 'no_token', `Bearer ${METADATA}`)
  })

  it('another scheme counts as no credential', async () => {
    holds(
      await ask('/photos/a', { headers: { Authorization: 'Basic YTpi' } }),
      401,
      'no_token',
      `Bearer ${METADATA}, ${READ}`,
    )
  })

  it('two credentials: 400 invalid_request', async () => {
    const text = `GET /photos/a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n`
    const answer = await rawRequest(gateway.port, text)
    assert.equal(JSON.parse(answer.body).reason, 'malformed_credential')
    assert.match(answer.headers.get('www-authenticate') ?? '', /error="invalid_request"/)
    assert.equal(answer.status, 400)
  })

  it('a credential in bad syntax: 400 invalid_request', async () => {
    const answer = await ask('/photos/a', { headers: { Authorization: 'Bearer a b' } })
    assert.equal(answer.status, 400)
    assert.equal(JSON.parse(answer.body).error, 'invalid_request')
  })

  const now = Math.floor(Date.now() / 1000)
  const other = makeKey()
  const faults: Readonly<Record<string, () => string>> = {
    malformed_token: () => 'abc',
    untrusted_issuer: () => gateway.token({ claims: { iss: 'https://else.example.com' } }),
    unknown_key: () => mintToken(other),
    bad_signature: () => `${gateway.token().slice(0, -8)}AAAAAAAA`,
    wrong_type: () => gateway.token({ header: { typ: 'JWT' } }),
    expired: () => gateway.token({ now: now - 3600 }),
    not_yet_valid: () => gateway.token({ claims: { nbf: now + 3600 } }),
    missing_claim: () => gateway.token({ claims: { sub: undefined } }),
    audience_mismatch: () => gateway.token({ claims: { aud: 'https://gate.example.com/files' } }),
    not_bound: () => gateway.token({ claims: { cnf: { jkt: other.jkt } } }),
  }
  for (const [reason, token] of Object.entries(faults)) {
    it(`a bad token (${reason}): 401 invalid_token, for any path and method`, async () => {
      for (const path of ['/photos/a', '/narrow/b']) {
        const answer = await ask(path, { token: token() })
        assert.equal(answer.status, 401)
        assert.equal(JSON.parse(answer.body).reason, reason)
        assert.match(
          answer.headers.get('www-authenticate') ?? '',
          /^Bearer .*error="invalid_token", error_description="/,
        )
        assert.ok(answer.headers.get('www-authenticate')?.includes(METADATA))
      }
    })
  }

  it('a token of an issuer that this resource does not take: 401 issuer_mismatch', async () => {
    const files = `
  - { id: files, path: /files, resource: "https://gate.example.com/files", upstream: "${upstream.url}", rules: [{ methods: [any], scopes: [files:read] }] }`
    const second = makeKey()
    const gate = await startGateway({
      yaml: yamlOf(files)
        .replace('issuers: ["https://issuer.example.com"]\nroutes', 'issuers: ["https://two.example.com"]\nroutes')
        .replace(
          'resources:',
          `  - { issuer: "https://two.example.com", jwks_file: $KEYS, algorithms: [ES256] }\nresources:`,
        ),
    })
    try {
      assert.notEqual(second.kid, gate.key.kid)
      const token = gate.token({ claims: { aud: 'https://gate.example.com/files', scope: 'files:read' } })
      const answer = await rawRequest(
        gate.port,
        `GET /files HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`,
      )
      assert.equal(answer.status, 401)
      assert.equal(JSON.parse(answer.body).reason, 'issuer_mismatch')
    } finally {
      await gate.close()
    }
  })

  it('a wrong audience says which was expected and which came, and names a trailing slash', async () => {
    const answer = await ask('/photos/a', {
      token: gateway.token({ claims: { aud: 'https://gate.example.com/photos/' } }),
    })
    const { detail } = JSON.parse(answer.body)
    assert.match(detail, /for https:\/\/gate\.example\.com\/photos\/; expected https:\/\/gate\.example\.com\/photos/)
    assert.match(detail, /trailing slash/)
  })

  it('a claim with control bytes: 401 malformed_claim; over 8 KiB: 403 identity_too_large', async () => {
    const bad = await ask('/photos/a', { token: gateway.token({ claims: { username: 'a\r\nX-Admin: 1' } }) })
    assert.equal(bad.status, 401)
    assert.equal(JSON.parse(bad.body).reason, 'malformed_claim')
    const large = await ask('/photos/a', { token: gateway.token({ claims: { username: 'ü'.repeat(2000) } }) })
    assert.equal(large.status, 403)
    assert.equal(JSON.parse(large.body).reason, 'identity_too_large')
    assert.equal(large.headers.get('www-authenticate'), undefined)
  })

  it('a missing scope: 403 insufficient_scope with exactly what this request needs', async () => {
    const answer = await ask('/photos/a', { method: 'DELETE', token: gateway.token() })
    assert.equal(answer.status, 403)
    assert.equal(JSON.parse(answer.body).reason, 'insufficient_scope')
    assert.match(answer.headers.get('www-authenticate') ?? '', /scope="photos:write", error="insufficient_scope"/)
  })

  it('keys that can’t be had: 503 verifier_unavailable with Retry-After, never a pass', async () => {
    const heads = upstream.heads
    const answer = await ask('/late/a', { token: mintToken(other, { claims: { iss: 'https://down.example.com' } }) })
    holds(answer, 503, 'verifier_unavailable')
    assert.match(answer.headers.get('retry-after') ?? '', /^[1-9]\d*$/)
    assert.equal(upstream.heads, heads)
  })

  it('an upstream that refuses: 502 upstream_refused', async () => {
    holds(await ask('/dead/a'), 502, 'upstream_refused')
  })

  it('a body over max_body: 413 body_too_large, readable, then closed; nothing is sent upstream', async () => {
    const heads = upstream.heads
    const token = gateway.token({ claims: { scope: 'photos:write' } })
    const answer = await rawRequest(
      gateway.port,
      `PUT /photos/a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(100000)}`,
    )
    assert.equal(answer.status, 413)
    assert.equal(JSON.parse(answer.body).reason, 'body_too_large')
    assert.equal(answer.headers.get('connection'), 'close')
    assert.equal(upstream.heads, heads)
  })

  it('a chunked body that grows over max_body: 413, readable, then closed', async () => {
    const token = gateway.token({ claims: { scope: 'photos:write' } })
    const chunk = `${(4096).toString(16)}\r\n${'x'.repeat(4096)}\r\n`
    const answer = await rawRequest(
      gateway.port,
      `PUT /photos/a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(20)}0\r\n\r\n`,
    )
    assert.equal(answer.status, 413, answer.text)
    assert.equal(answer.headers.get('connection'), 'close')
  })

  it('a preflight of an origin that is not listed: 403 origin_not_allowed', async () => {
    const headers = { Origin: 'https://evil.example.com', 'Access-Control-Request-Method': 'GET' }
    holds(await ask('/photos/a', { method: 'OPTIONS', headers }), 403, 'origin_not_allowed')
  })

  it('Destination on another host: 502; on another route: 403; two of them: 400', async () => {
    const token = gateway.token({ claims: { scope: 'photos:write photos:read' } })
    const move = (destination: string) =>
      ask('/photos/a', { method: 'MOVE', token, headers: { Destination: destination } })
    holds(await move('https://else.example.com/photos/b'), 502, 'destination_elsewhere')
    holds(await move('/narrow/a/b'), 403, 'destination_not_allowed')
    holds(await move('/photos/../narrow'), 400, 'ambiguous_path')
    const two = await rawRequest(
      gateway.port,
      `MOVE /photos/a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nDestination: /photos/b\r\nDestination: /photos/c\r\n\r\n`,
    )
    assert.equal(two.status, 400)
  })

  it('headers over 32 KiB, or more than 100 fields: 431 headers_too_large', async () => {
    const large = await ask('/photos/a', { headers: { 'X-Large': 'x'.repeat(40_000) } })
    assert.equal(large.status, 431)
    assert.equal(JSON.parse(large.body).reason, 'headers_too_large')
    const fields = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`X-${i}`, '1']))
    assert.equal((await ask('/photos/a', { headers: fields })).status, 431)
  })

  it('HEAD gets no body, and the length that GET would have', async () => {
    const head = await ask('/photos/a', { method: 'HEAD' })
    const get = await ask('/photos/a')
    assert.equal(head.status, 401)
    assert.equal(head.body, '')
    assert.equal(head.headers.get('content-length')?.length, get.headers.get('content-length')?.length)
  })

  it('a browser’s page load gets a small HTML page instead; not with Authorization', async () => {
    const accept = 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8'
    const page = await ask('/photos/a', { headers: { Accept: accept } })
    assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8')
    assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'/)
    assert.match(page.headers.get('www-authenticate') ?? '', /^Bearer /)
    const problem = await ask('/photos/a', { headers: { Accept: accept, Authorization: 'Bearer abc' } })
    assert.equal(problem.headers.get('content-type'), 'application/problem+json')
  })

  it('a request that used DPoP is challenged for DPoP', async () => {
    const answer = await ask('/photos/a', { headers: { Authorization: 'DPoP abc', DPoP: 'x' } })
    assert.equal(answer.status, 401)
    assert.match(answer.headers.get('www-authenticate') ?? '', /^DPoP .*algs="/)
  })

  it('nothing is sent upstream for what is refused', async () => {
    const heads = upstream.heads
    await ask('/photos/a')
    await ask('/photos/a', { token: 'abc' })
    await ask('/narrow/b', { token: gateway.token() })
    assert.equal(upstream.heads, heads)
  })

  it('TRACE is never passed on, whatever the token may do', async () => {
    const heads = upstream.heads
    const answer = await ask('/late/a', { method: 'TRACE', token: gateway.token() })
    assert.equal(answer.status, 405)
    assert.equal(upstream.heads, heads)
  })
})
