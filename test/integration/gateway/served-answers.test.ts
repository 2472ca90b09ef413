import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { FILES, PHOTOS, routeOf, type ServedGate, serveGate } from '../../support/gate.ts'
import { freePorts } from '../../support/programs/free-ports.ts'
import { type RawAnswer, rawRequest, startUpstream, type TestUpstream } from '../../support/upstreams.ts'

const METADATA = 'resource_metadata="https://gate.example.com/.well-known/oauth-protected-resource/photos"'
const BROWSER = ['Accept: text/html,application/xhtml+xml,*/*;q=0.8', 'Sec-Fetch-Mode: navigate']

describe('answers of the gateway, from outside', () => {
  let upstream: TestUpstream
  let gate: ServedGate

  before(async () => {
    upstream = await startUpstream()
    const [dead] = await freePorts(1)
    gate = await serveGate(`
${routeOf('photos', upstream.url, '    cors: { origins: ["https://app.example.com"] }\n    max_body: 10')}
  - id: narrow
    path: /narrow
    resource: ${PHOTOS}
    upstream: ${upstream.url}
    rules:
      - { methods: [GET, PUT], paths: [/a/**], scopes: [photos:read, photos:write] }
      - { methods: [DELETE], paths: ["/a/*.jpg"], scopes: [photos:write] }
    public: [/healthz]
    cors: { origins: ["https://app.example.com"] }
  - { id: dead, path: /dead, public: true, upstream: "http://127.0.0.1:${dead}" }`)
  })
  after(async () => {
    await gate.close()
    await upstream.close()
  })

  async function refused(answer: RawAnswer, status: number, reason: string): Promise<Record<string, unknown>> {
    assert.equal(answer.status, status, answer.text)
    assert.equal(answer.headers.get('content-type'), 'application/problem+json')
    assert.equal(answer.headers.get('cache-control'), 'no-store')
    const problem = JSON.parse(answer.body)
    assert.equal(problem.reason, reason)
    for (const name of ['error', 'error_description', 'request_id']) assert.equal(typeof problem[name], 'string', name)
    const line = await gate.line(problem.request_id)
    assert.deepEqual([line.status, line.reason, line.outcome === 'ok'], [status, reason, false])
    return problem
  }

  it('404 no_route, without challenge', async () => {
    const answer = await gate.ask('/nowhere')
    await refused(answer, 404, 'no_route')
    assert.equal(answer.headers.get('www-authenticate'), undefined)
  })

  it('401 no_token: resource_metadata and scope, no error', async () => {
    const answer = await gate.ask('/photos/a')
    await refused(answer, 401, 'no_token')
    assert.equal(answer.headers.get('www-authenticate'), `Bearer ${METADATA}, scope="photos:read"`)
  })

  it('the challenge names every scope of the rule that fits, and none where none fits', async () => {
    assert.match(
      (await gate.ask('/narrow/a')).headers.get('www-authenticate') ?? '',
      /scope="photos:read photos:write"/,
    )
    const unruled = await gate.ask('/narrow/b')
    await refused(unruled, 401, 'no_token')
    assert.equal(unruled.headers.get('www-authenticate'), `Bearer ${METADATA}`)
  })

  it('a token in the query or the body is none', async () => {
    await refused(await gate.ask(`/photos/a?access_token=${gate.token()}`), 401, 'no_token')
    const form = ['Content-Type: application/x-www-form-urlencoded']
    await refused(
      await gate.ask('/photos/a', { method: 'POST', lines: form, body: `access_token=${gate.token()}` }),
      401,
      'no_token',
    )
  })

  it('another scheme, and an empty one, count as none', async () => {
    for (const value of ['Basic YTpi', 'Digest a=b', 'Negotiate abc']) {
      await refused(await gate.ask('/photos/a', { lines: [`Authorization: ${value}`] }), 401, 'no_token')
    }
  })

  it('two Authorization fields, or a token with bad syntax: 400 invalid_request', async () => {
    const token = gate.token()
    for (const lines of [
      [`Authorization: Bearer ${token}`, `Authorization: Bearer ${token}`],
      [`Authorization: Bearer ${token}`, 'Authorization: Basic YTpi'],
      [`Authorization: Bearer ${token} x`],
      ['Authorization: Bearer a"b'],
      ['Authorization: Bearer'],
      ['Authorization: Bearer a,b'],
    ]) {
      const answer = await gate.ask('/photos/a', { lines })
      await refused(answer, 400, 'malformed_credential')
      assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer .*error="invalid_request"/)
      assert.match(answer.headers.get('www-authenticate') ?? '', /resource_metadata=/)
    }
  })

  it('the scheme is compared without case, and one or more spaces follow it', async () => {
    for (const scheme of ['bearer', 'BEARER', 'Bearer ']) {
      const answer = await gate.ask('/photos/a', { lines: [`Authorization: ${scheme} ${gate.token()}`] })
      assert.equal(answer.status, 200, answer.text)
    }
  })

  it('a bad token: 401 invalid_token with a description', async () => {
    const answer = await gate.ask('/photos/a', { token: gate.token({ claims: { exp: 1 } }) })
    await refused(answer, 401, 'expired')
    assert.match(answer.headers.get('www-authenticate') ?? '', /error="invalid_token", error_description="[^"]+"/)
    assert.match(answer.headers.get('www-authenticate') ?? '', /scope="photos:read"/)
  })

  it('a good token, but no rule for this method on this path: 405 with Allow', async () => {
    const answer = await gate.ask('/narrow/a/x.jpg', { method: 'POST', token: gate.token(), body: '' })
    await refused(answer, 405, 'method_not_allowed')
    assert.equal(answer.headers.get('www-authenticate'), undefined)
    assert.deepEqual(new Set(answer.headers.get('allow')?.split(', ')), new Set(['GET', 'HEAD', 'PUT', 'DELETE']))
    const deeper = await gate.ask('/narrow/a', { method: 'POST', token: gate.token(), body: '' })
    assert.deepEqual(new Set(deeper.headers.get('allow')?.split(', ')), new Set(['GET', 'HEAD', 'PUT']))
  })

  it('a good token, but no rule for the path at all: 403 path_not_allowed', async () => {
    const answer = await gate.ask('/narrow/b', { token: gate.token() })
    await refused(answer, 403, 'path_not_allowed')
    assert.equal(answer.headers.get('www-authenticate'), undefined)
    assert.equal(answer.headers.get('allow'), undefined)
  })

  it('scope missing: 403 insufficient_scope, with exactly what this request needs', async () => {
    const answer = await gate.ask('/narrow/a', { token: gate.token({ claims: { scope: 'photos:read' } }) })
    await refused(answer, 403, 'insufficient_scope')
    const challenge = answer.headers.get('www-authenticate') ?? ''
    assert.match(challenge, /error="insufficient_scope"/)
    assert.match(challenge, /scope="photos:read photos:write"/)
    assert.match(challenge, /resource_metadata=/)
  })

  it('a wrong audience says which was expected and which came', async () => {
    const problem = await refused(
      await gate.ask('/photos/a', { token: gate.token({ claims: { aud: FILES } }) }),
      401,
      'audience_mismatch',
    )
    assert.match(String(problem.error_description), new RegExp(`${PHOTOS}.*${FILES}|${FILES}.*${PHOTOS}`))
  })

  it('a trailing-slash difference of the audience is named', async () => {
    const problem = await refused(
      await gate.ask('/photos/a', { token: gate.token({ claims: { aud: `${PHOTOS}/` } }) }),
      401,
      'audience_mismatch',
    )
    assert.match(String(problem.error_description), /slash/)
  })

  it('an upstream that refuses: 502 upstream_refused', async () => {
    await refused(await gate.ask('/dead/a'), 502, 'upstream_refused')
  })

  it('max_body is a boundary: its size passes, a byte more is 413, announced or chunked; readable, then closed', async () => {
    const token = gate.token()
    assert.equal((await gate.ask('/photos/a', { method: 'PUT', token, body: '0123456789' })).status, 200)
    const more = await gate.ask('/photos/a', { method: 'PUT', token, body: '0123456789a' })
    await refused(more, 413, 'body_too_large')
    assert.equal(more.headers.get('connection'), 'close')
    const lines = ['Transfer-Encoding: chunked', `Authorization: Bearer ${token}`]
    const head = `PUT /photos/a HTTP/1.1\r\nHost: gate.example.com\r\n${lines.join('\r\n')}\r\n\r\n`
    assert.equal((await rawRequest(gate.port, `${head}a\r\n0123456789\r\n0\r\n\r\n`)).status, 200)
    await refused(await rawRequest(gate.port, `${head}6\r\n012345\r\n5\r\n6789a\r\n0\r\n\r\n`), 413, 'body_too_large')
  })

  it('HEAD gets no body, and the headers of GET', async () => {
    for (const path of ['/nowhere', '/photos/a', '/dead/a']) {
      const [get, head] = [await gate.ask(path), await gate.ask(path, { method: 'HEAD' })]
      assert.equal(head.status, get.status)
      assert.equal(head.body, '')
      assert.equal(head.headers.get('www-authenticate'), get.headers.get('www-authenticate'))
      assert.equal(head.headers.get('cache-control'), 'no-store')
    }
  })

  it('a browser’s page load gets a small HTML page instead, with the same status and challenge', async () => {
    for (const [path, status] of [
      ['/nowhere', 404],
      ['/photos/a', 401],
      ['/dead/a', 502],
    ] as const) {
      const answer = await gate.ask(path, { lines: BROWSER })
      assert.equal(answer.status, status)
      assert.match(answer.headers.get('content-type') ?? '', /^text\/html/)
      assert.equal(answer.headers.get('cache-control'), 'no-store')
      assert.match(answer.body, /^<!doctype html>/i)
      if (status === 401) assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer /)
    }
  })

  it('what a request says is not written into the page', async () => {
    const answer = await gate.ask('/nowhere/<script>alert(1)</script>', { lines: BROWSER })
    assert.ok(!answer.body.includes('<script>'), answer.body)
  })

  it('CORS: every answer carries the headers, with WWW-Authenticate exposed', async () => {
    const lines = ['Origin: https://app.example.com']
    for (const options of [
      { lines },
      { lines, token: gate.token() },
      { lines, token: 'x' },
      { lines, token: gate.token({ claims: { scope: '' } }) },
    ]) {
      const answer = await gate.ask('/photos/a', options)
      assert.equal(answer.headers.get('access-control-allow-origin'), 'https://app.example.com', answer.text)
      assert.match(answer.headers.get('access-control-expose-headers') ?? '', /WWW-Authenticate/i)
      assert.match(answer.headers.get('vary') ?? '', /Origin/i)
    }
    const unruled = await gate.ask('/narrow/b', { lines, token: gate.token() })
    assert.equal(unruled.headers.get('access-control-allow-origin'), 'https://app.example.com')
  })

  it('CORS: a preflight needs no token and lists the methods that have a rule', async () => {
    const lines = [
      'Origin: https://app.example.com',
      'Access-Control-Request-Method: PUT',
      'Access-Control-Request-Headers: authorization, x-thing',
    ]
    const answer = await gate.ask('/narrow/a/x', { method: 'OPTIONS', lines })
    assert.ok([200, 204].includes(answer.status), answer.text)
    const methods = new Set(answer.headers.get('access-control-allow-methods')?.split(/, */))
    assert.deepEqual(methods, new Set(['GET', 'HEAD', 'PUT']))
    assert.match(answer.headers.get('access-control-allow-headers') ?? '', /authorization/i)
    assert.match(answer.headers.get('access-control-allow-headers') ?? '', /x-thing/i)
  })

  it('CORS: a preflight of an origin that is not listed: 403 origin_not_allowed', async () => {
    const lines = ['Origin: https://evil.example.com', 'Access-Control-Request-Method: GET']
    const answer = await gate.ask('/photos/a', { method: 'OPTIONS', lines })
    await refused(answer, 403, 'origin_not_allowed')
    assert.equal(answer.headers.get('access-control-allow-origin'), undefined)
  })

  it('OPTIONS that is no preflight is judged like any request', async () => {
    await refused(await gate.ask('/photos/a', { method: 'OPTIONS' }), 401, 'no_token')
    assert.equal((await gate.ask('/photos/a', { method: 'OPTIONS', token: gate.token() })).status, 200)
  })

  it('public paths need no token', async () => {
    assert.equal((await gate.ask('/narrow/healthz')).status, 200)
    await refused(await gate.ask('/narrow/healthz/a'), 401, 'no_token')
    await refused(await gate.ask('/narrow/HEALTHZ'), 400, 'ambiguous_path')
  })

  it('resource metadata stands for each resource, with CORS *', async () => {
    for (const [id, name, scopes] of [
      ['photos', 'Photo library', ['photos:read', 'photos:write']],
      ['files', 'Files', ['files:read', 'files:write']],
    ] as const) {
      const answer = await gate.ask(`/.well-known/oauth-protected-resource/${id}`)
      assert.equal(answer.status, 200)
      assert.equal(answer.headers.get('access-control-allow-origin'), '*')
      assert.match(answer.headers.get('content-type') ?? '', /^application\/json/)
      assert.deepEqual(JSON.parse(answer.body), {
        resource: `https://gate.example.com/${id}`,
        resource_name: name,
        authorization_servers: [gate.issuer],
        scopes_supported: scopes,
        bearer_methods_supported: ['header'],
        dpop_signing_alg_values_supported: ['ES256', 'ES384', 'ES512', 'PS256', 'RS256', 'EdDSA', 'Ed25519'],
      })
    }
    assert.equal((await gate.ask('/.well-known/oauth-protected-resource/nothing')).status, 404)
    const elsewhere = await gate.ask('/.well-known/oauth-protected-resource/photos', { lines: ['Host: other.example'] })
    assert.equal(elsewhere.status, 200, 'resource metadata on every host')
  })
})
