import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { FILES, type Gate, mounts, PHOTOS, routeOf } from '../../support/gate.ts'
import { makeKey, mintToken } from '../../support/keys.ts'
import { freePorts } from '../../support/programs/free-ports.ts'
import { type RawAnswer, startUpstream, type TestUpstream } from '../../support/upstreams.ts'

const METADATA = 'resource_metadata="https://gate.example.com/.well-known/oauth-protected-resource/photos"'
const NO_TOKEN = `Bearer ${METADATA}, scope="photos:read"`
const ACCEPT = 'Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8'

function routesTo(upstream: string, dead: number): string {
  return `
${routeOf('photos', upstream, '    cors: { origins: ["https://app.example.com"] }\n    max_body: 10')}
  - id: narrow
    path: /narrow
    resource: ${PHOTOS}
    upstream: ${upstream}
    rules:
      - { methods: [GET, PUT], paths: [/a/**], scopes: [photos:read, photos:write] }
      - { methods: [DELETE], paths: ["/a/*.jpg"], scopes: [photos:write] }
    public: [/healthz]
  - { id: any, path: /any, resource: "${PHOTOS}", upstream: "${upstream}", rules: [{ methods: [any], scopes: [photos:read] }] }
  - { id: dead, path: /dead, public: true, upstream: "http://127.0.0.1:${dead}" }`
}

for (const { mount, open } of mounts) {
  describe(`answers of the gateway, ${mount}`, () => {
    let upstream: TestUpstream
    let gate: Gate

    before(async () => {
      upstream = await startUpstream()
      const [dead = 0] = await freePorts(1)
      gate = await open(routesTo(upstream.url, dead))
    })
    after(async () => {
      await gate.close()
      await upstream.close()
    })

    /** What the log has to say, too. */
    const answered: { readonly id: string; readonly status: number; readonly reason: string }[] = []
    /** That an answer is in the one form, and of this reason. */
    function holds(answer: RawAnswer, status: number, reason: string, challenge?: string | RegExp) {
      assert.equal(answer.status, status, answer.text)
      assert.equal(answer.headers.get('content-type'), 'application/problem+json')
      assert.equal(answer.headers.get('cache-control'), 'no-store')
      const problem = JSON.parse(answer.body)
      assert.deepEqual([problem.reason, problem.status], [reason, status])
      for (const name of ['error', 'error_description', 'request_id'])
        assert.equal(typeof problem[name], 'string', name)
      const challenged = answer.headers.get('www-authenticate')
      if (challenge instanceof RegExp) assert.match(challenged ?? '', challenge)
      else assert.equal(challenged, challenge)
      assert.equal(answer.headers.get('x-request-id'), problem.request_id)
      answered.push({ id: problem.request_id, status, reason })
      return problem
    }
    /** That nothing is sent upstream meanwhile. */
    async function unsent(during: () => Promise<void>): Promise<void> {
      const { heads } = upstream
      await during()
      assert.equal(upstream.heads, heads)
    }

    it('whatever the gateway answers itself names its request, as the log does', async () => {
      const preflight = ['Origin: https://app.example.com', 'Access-Control-Request-Method: GET']
      const close = ['Connection: close']
      for (const answer of [
        await gate.ask('/photos/a', { method: 'OPTIONS', lines: preflight }),
        await gate.ask('/.well-known/oauth-protected-resource/photos', { lines: close }),
        await gate.ask('/.well-known/oauth-protected-resource/nothing', { lines: close }),
        await gate.ask('/photos/a', { lines: ['Upgrade: websocket', 'Connection: Upgrade'] }),
        await gate.ask('/photos/a', { method: 'HEAD' }),
        await gate.ask('/photos/a', { lines: ['Sec-Fetch-Mode: navigate'] }),
        await gate.send('nonsense\r\n\r\n'),
      ]) {
        const line = await gate.line(answer.headers.get('x-request-id') ?? '')
        assert.equal(line.status, answer.status, answer.head)
      }
    })

    it('no route: 404 no_route, without challenge', async () => {
      holds(await gate.ask('/nowhere'), 404, 'no_route')
    })

    it('an ambiguous path: 400 ambiguous_path', async () => {
      holds(await gate.ask('/photos/%2e%2e/narrow'), 400, 'ambiguous_path')
    })

    it('a malformed request: 400 malformed_request', async () => {
      holds(await gate.ask('http://else.example.com/photos'), 400, 'malformed_request')
    })

    it('no credential: 401 no_token with resource_metadata and scope, without error', async () => {
      holds(await gate.ask('/photos/a'), 401, 'no_token', NO_TOKEN)
    })

    it('the challenge names every scope of the rule that fits, and none where none fits: who has no good token learns 401, whatever the rules say', async () => {
      holds(await gate.ask('/narrow/a'), 401, 'no_token', `Bearer ${METADATA}, scope="photos:read photos:write"`)
      holds(await gate.ask('/narrow/b'), 401, 'no_token', `Bearer ${METADATA}`)
      holds(await gate.ask('/narrow/a/b', { method: 'DELETE' }), 401, 'no_token', `Bearer ${METADATA}`)
    })

    it('a token in the query or the body is none, and stays out of the log', async () => {
      const token = gate.token()
      const lines = ['Content-Type: application/x-www-form-urlencoded']
      const body = `access_token=${token}`
      holds(await gate.ask(`/photos/a?${body}`), 401, 'no_token', NO_TOKEN)
      const posted = await gate.ask('/photos/a', { method: 'POST', lines, body })
      const { request_id } = holds(posted, 401, 'no_token', `Bearer ${METADATA}, scope="photos:write"`)
      await gate.line(request_id)
      assert.ok(!JSON.stringify(gate.log()).includes(token))
    })

    it('another scheme counts as no credential', async () => {
      for (const value of ['Basic YTpi', 'Digest a=b', 'Negotiate abc']) {
        holds(await gate.ask('/photos/a', { lines: [`Authorization: ${value}`] }), 401, 'no_token', NO_TOKEN)
      }
    })

    it('two Authorization fields, or a token with bad syntax: 400 invalid_request', async () => {
      const token = gate.token()
      for (const values of [
        ['Bearer a', 'Bearer b'],
        [`Bearer ${token}`, `Bearer ${token}`],
        [`Bearer ${token}`, 'Basic YTpi'],
        [`Bearer ${token} x`],
        ['Bearer a b'],
        ['Bearer a"b'],
        ['Bearer'],
        ['Bearer a,b'],
      ]) {
        const answer = await gate.ask('/photos/a', { lines: values.map((value) => `Authorization: ${value}`) })
        const problem = holds(answer, 400, 'malformed_credential', /^Bearer .*error="invalid_request"/)
        assert.equal(problem.error, 'invalid_request')
        assert.ok(answer.headers.get('www-authenticate')?.includes(METADATA))
      }
    })

    it('the scheme is compared without case, and one or more spaces follow it', async () => {
      for (const scheme of ['bearer', 'BEARER', 'Bearer ']) {
        const answer = await gate.ask('/photos/a', { lines: [`Authorization: ${scheme} ${gate.token()}`] })
        assert.equal(answer.status, 200, answer.text)
      }
    })

    const now = Math.floor(Date.now() / 1000)
    const other = makeKey()
    const faults: Readonly<Record<string, () => string>> = {
      malformed_token: () => 'abc',
      untrusted_issuer: () => gate.token({ claims: { iss: 'https://else.example.com' } }),
      unknown_key: () => mintToken(other, { claims: { iss: gate.issuer } }),
      bad_signature: () => `${gate.token().slice(0, -8)}AAAAAAAA`,
      wrong_type: () => gate.token({ header: { typ: 'JWT' } }),
      expired: () => gate.token({ now: now - 3600 }),
      not_yet_valid: () => gate.token({ claims: { nbf: now + 3600 } }),
      missing_claim: () => gate.token({ claims: { sub: undefined } }),
      audience_mismatch: () => gate.token({ claims: { aud: FILES } }),
      not_bound: () => gate.token({ claims: { cnf: { jkt: other.jkt } } }),
    }
    for (const [reason, token] of Object.entries(faults)) {
      it(`a bad token (${reason}): 401 invalid_token with a description, for any path and method`, async () => {
        const described = /^Bearer .*error="invalid_token", error_description="[^"]+"/
        for (const [path, scope] of [
          ['/photos/a', 'scope="photos:read"'],
          ['/narrow/b', ''],
        ] as const) {
          const answer = await gate.ask(path, { token: token() })
          holds(answer, 401, reason, described)
          const challenge = answer.headers.get('www-authenticate') ?? ''
          assert.ok(challenge.includes(METADATA) && challenge.includes(scope), challenge)
        }
      })
    }

    it('a wrong audience says which was expected and which came, and names a trailing slash', async () => {
      for (const [aud, said] of [
        [FILES, new RegExp(`for ${FILES}; expected ${PHOTOS}`)],
        [`${PHOTOS}/`, new RegExp(`for ${PHOTOS}/; expected ${PHOTOS}.*trailing slash`)],
      ] as const) {
        const answer = await gate.ask('/photos/a', { token: gate.token({ claims: { aud } }) })
        const problem = holds(answer, 401, 'audience_mismatch', /error="invalid_token"/)
        assert.match(problem.detail, said)
        assert.match(problem.error_description, said)
      }
    })

    it('a good token, but no rule for this method on this path: 405 with Allow', async () => {
      for (const [path, allow] of [
        ['/narrow/a/x.jpg', 'GET, HEAD, PUT, DELETE'],
        ['/narrow/a', 'GET, HEAD, PUT'],
      ] as const) {
        const answer = await gate.ask(path, { method: 'POST', token: gate.token(), body: '' })
        holds(answer, 405, 'method_not_allowed')
        assert.equal(answer.headers.get('allow'), allow)
      }
    })

    it('a good token, but no rule for the path at all: 403 path_not_allowed', async () => {
      const answer = await gate.ask('/narrow/b', { token: gate.token() })
      holds(answer, 403, 'path_not_allowed')
      assert.equal(answer.headers.get('allow'), undefined)
    })

    it('a missing scope: 403 insufficient_scope with exactly what this request needs', async () => {
      const token = gate.token({ claims: { scope: 'photos:read' } })
      for (const [method, path, scope] of [
        ['GET', '/narrow/a', 'photos:read photos:write'],
        ['DELETE', '/photos/a', 'photos:write'],
      ] as const) {
        const answer = await gate.ask(path, { method, token })
        holds(answer, 403, 'insufficient_scope', new RegExp(`scope="${scope}", error="insufficient_scope"`))
        assert.ok(answer.headers.get('www-authenticate')?.includes(METADATA))
      }
    })

    it('an upstream that refuses: 502 upstream_refused', async () => {
      holds(await gate.ask('/dead/a'), 502, 'upstream_refused')
    })

    it('max_body is a boundary: its size passes, a byte more is 413, announced or chunked; readable, then closed', async () => {
      const token = gate.token()
      const put = (body: string) => gate.ask('/photos/a', { method: 'PUT', token, body })
      const lines = ['Transfer-Encoding: chunked', `Authorization: Bearer ${token}`]
      const head = `PUT /photos/a HTTP/1.1\r\nHost: gate.example.com\r\n${lines.join('\r\n')}\r\n\r\n`
      assert.equal((await put('0123456789')).status, 200)
      assert.equal((await gate.send(`${head}a\r\n0123456789\r\n0\r\n\r\n`)).status, 200)
      function tooLarge(answer: RawAnswer): void {
        holds(answer, 413, 'body_too_large')
        assert.equal(answer.headers.get('connection'), 'close')
      }
      await unsent(async () => {
        tooLarge(await put('0123456789a'))
        tooLarge(await put('x'.repeat(100_000)))
      })
      const chunk = `${(4096).toString(16)}\r\n${'x'.repeat(4096)}\r\n`
      for (const body of ['6\r\n012345\r\n5\r\n6789a\r\n', chunk.repeat(20)]) {
        tooLarge(await gate.send(`${head}${body}0\r\n\r\n`))
      }
    })

    it('HEAD gets no body, and the headers that GET would have', async () => {
      for (const path of ['/nowhere', '/photos/a', '/dead/a']) {
        const [get, head] = [await gate.ask(path), await gate.ask(path, { method: 'HEAD' })]
        assert.deepEqual([head.status, head.body], [get.status, ''])
        for (const name of ['www-authenticate', 'content-type', 'content-length', 'cache-control']) {
          assert.equal(head.headers.get(name), get.headers.get(name), `${path}: ${name}`)
        }
        assert.equal(head.headers.get('cache-control'), 'no-store')
      }
    })

    it('a browser’s page load gets a small HTML page instead, with the same status and challenge; not with Authorization', async () => {
      for (const [path, status, challenge] of [
        ['/nowhere', 404, undefined],
        ['/photos/a', 401, NO_TOKEN],
        ['/dead/a', 502, undefined],
      ] as const) {
        for (const lines of [[ACCEPT], [ACCEPT, 'Sec-Fetch-Mode: navigate']]) {
          const answer = await gate.ask(path, { lines })
          assert.equal(answer.status, status)
          assert.equal(answer.headers.get('content-type'), 'text/html; charset=utf-8')
          assert.match(answer.headers.get('content-security-policy') ?? '', /default-src 'none'/)
          assert.equal(answer.headers.get('cache-control'), 'no-store')
          assert.match(answer.body, /^<!doctype html>/i)
          assert.equal(answer.headers.get('www-authenticate'), challenge)
        }
      }
      const sent = await gate.ask('/photos/a', { lines: [ACCEPT, 'Authorization: Bearer abc'] })
      holds(sent, 401, 'malformed_token', /^Bearer /)
    })

    it('what a request says is not written into the page', async () => {
      const answer = await gate.ask('/nowhere/<script>alert(1)</script>', {
        lines: [ACCEPT, 'Sec-Fetch-Mode: navigate'],
      })
      assert.ok(!answer.body.includes('<script>'), answer.body)
    })

    it('a request that used DPoP is challenged for DPoP', async () => {
      const answer = await gate.ask('/photos/a', { lines: ['Authorization: DPoP abc', 'DPoP: x'] })
      assert.equal(answer.status, 401)
      assert.match(answer.headers.get('www-authenticate') ?? '', /^DPoP .*algs="/)
    })

    it('nothing is sent upstream for what is refused', () =>
      unsent(async () => {
        await gate.ask('/photos/a')
        await gate.ask('/photos/a', { token: 'abc' })
        await gate.ask('/narrow/b', { token: gate.token() })
      }))

    it('TRACE is never passed on, whatever the token may do', () =>
      unsent(async () => {
        assert.equal((await gate.ask('/any/a', { method: 'TRACE', token: gate.token() })).status, 405)
      }))

    it('public paths need no token', async () => {
      assert.equal((await gate.ask('/narrow/healthz')).status, 200)
      holds(await gate.ask('/narrow/healthz/a'), 401, 'no_token', `Bearer ${METADATA}`)
      holds(await gate.ask('/narrow/HEALTHZ'), 400, 'ambiguous_path')
    })

    it('resource metadata stands for each resource on every host, with CORS *', async () => {
      for (const [id, name, scopes] of [
        ['photos', 'Photo library', ['photos:read', 'photos:write']],
        ['files', 'Files', ['files:read', 'files:write']],
      ] as const) {
        for (const host of ['gate.example.com', 'other.example']) {
          const answer = await gate.ask(`/.well-known/oauth-protected-resource/${id}`, { lines: [`Host: ${host}`] })
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
      }
      assert.equal((await gate.ask('/.well-known/oauth-protected-resource/nothing')).status, 404)
      const typed = ['Content-Type: application/x-www-form-urlencoded']
      const posted = await gate.ask('/.well-known/oauth-protected-resource/photos', {
        method: 'POST',
        lines: typed,
        body: 'a=1',
      })
      assert.deepEqual([posted.status, posted.headers.get('allow')], [405, 'GET, HEAD, OPTIONS'], posted.text)
      assert.equal(posted.headers.get('cache-control'), 'no-store')
    })

    it('the log names status and reason of each of these answers, under its request id', async () => {
      assert.ok(answered.length > 0)
      for (const { id, status, reason } of answered) {
        const line = await gate.line(id)
        assert.deepEqual([line.status, line.reason, line.outcome === 'ok'], [status, reason, false])
      }
    })
  })
}
