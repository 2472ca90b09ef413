import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Gate, mounts, PHOTOS, routeOf } from '../../support/gate.ts'
import { freePorts } from '../../support/programs/free-ports.ts'
import { fieldsOf, startUpstream, type TestUpstream } from '../../support/upstreams.ts'

const APP = 'https://app.example.com'
const EVIL = 'https://evil.example.com'

for (const { mount, open } of mounts) {
  describe(`a CORS route, ${mount}`, () => {
    let upstream: TestUpstream
    let gate: Gate

    before(async () => {
      upstream = await startUpstream((_request, response) => {
        const theirs = { Origin: '*', Methods: 'EVIL', Credentials: 'true' }
        for (const [name, value] of Object.entries(theirs)) response.setHeader(`Access-Control-Allow-${name}`, value)
        response.setHeader('Access-Control-Expose-Headers', 'X')
        response.writeHead(200, { ETag: '"1"', 'X-Total': '5', 'Content-Length': 5 }).end('photo')
      })
      const [dead] = await freePorts(1)
      const cors = `    cors: { origins: [${APP}] }`
      gate = await open(`${routeOf('photos', upstream.url, `    public: [/open/**]\n${cors}`)}
${routeOf('dead', `http://127.0.0.1:${dead}`, cors)}
  - id: narrow
    path: /narrow
    resource: ${PHOTOS}
    upstream: ${upstream.url}
    rules:
      - { methods: [GET, PUT], paths: [/a/**], scopes: [photos:read, photos:write] }
      - { methods: [DELETE], paths: ["/a/*.jpg"], scopes: [photos:write] }
${cors}`)
    })
    after(async () => {
      await gate.close()
      await upstream.close()
    })

    function preflight(path: string, origin = APP) {
      const asked = ['Access-Control-Request-Method: PUT', 'Access-Control-Request-Headers: authorization, x-mine']
      return gate.ask(path, { method: 'OPTIONS', lines: [`Origin: ${origin}`, ...asked] })
    }

    it('answers a preflight itself, without a token, and lists the methods that have a rule', async () => {
      const { heads } = upstream
      const methodsOf = async (path: string) => {
        const answer = await preflight(path)
        assert.equal(answer.status, 204, answer.text)
        assert.equal(answer.headers.get('access-control-allow-origin'), APP)
        assert.match(answer.headers.get('access-control-allow-headers') ?? '', /Authorization/i)
        assert.match(answer.headers.get('access-control-allow-headers') ?? '', /x-mine/)
        return answer.headers.get('access-control-allow-methods')?.split(', ') ?? []
      }
      const all = await methodsOf('/photos/a')
      assert.ok(['GET', 'HEAD', 'PUT', 'PROPFIND', 'MOVE'].every((method) => all.includes(method)))
      assert.deepEqual(new Set(await methodsOf('/narrow/a/x')), new Set(['GET', 'HEAD', 'PUT']))
      await methodsOf('/photos/open/a')
      assert.equal(upstream.heads, heads)
    })

    it('refuses a preflight of an origin that is not listed: 403 origin_not_allowed', async () => {
      const answer = await preflight('/photos/a', EVIL)
      assert.equal(answer.status, 403)
      assert.equal(answer.headers.get('content-type'), 'application/problem+json')
      const { reason, request_id } = JSON.parse(answer.body)
      assert.equal(reason, 'origin_not_allowed')
      assert.equal((await gate.line(request_id)).reason, 'origin_not_allowed')
      assert.equal(answer.headers.get('access-control-allow-origin'), undefined)
      assert.equal(answer.headers.get('www-authenticate'), undefined)
    })

    it('an OPTIONS that is no preflight is judged like any request', async () => {
      const refused = await gate.ask('/photos/a', { method: 'OPTIONS' })
      assert.deepEqual([refused.status, JSON.parse(refused.body).reason], [401, 'no_token'])
      assert.equal((await gate.ask('/photos/a', { method: 'OPTIONS', token: gate.token() })).status, 200)
    })

    it('every answer carries the CORS headers with WWW-Authenticate exposed: 200, 401, 403, 502 too', async () => {
      const token = gate.token()
      for (const [path, bearer, status] of [
        ['/photos/a', token, 200],
        ['/photos/a', undefined, 401],
        ['/photos/a', 'x', 401],
        ['/photos/a', gate.token({ claims: { scope: '' } }), 403],
        ['/narrow/b', token, 403],
        ['/dead/a', token, 502],
      ] as const) {
        const sent = bearer === undefined ? {} : { token: bearer }
        const answer = await gate.ask(path, { lines: [`Origin: ${APP}`], ...sent })
        assert.equal(answer.status, status, answer.text)
        assert.equal(answer.headers.get('access-control-allow-origin'), APP)
        assert.match(answer.headers.get('access-control-expose-headers') ?? '', /WWW-Authenticate/)
        assert.match(answer.headers.get('vary') ?? '', /Origin/)
      }
    })

    it('the upstream’s own CORS headers are replaced, its other fields exposed', async () => {
      const answer = await gate.ask('/photos/a', { token: gate.token(), lines: [`Origin: ${APP}`] })
      assert.equal(answer.status, 200)
      assert.equal(answer.headers.get('access-control-allow-origin'), APP)
      assert.equal((answer.head.match(/access-control-allow-origin/gi) ?? []).length, 1)
      assert.equal(answer.headers.get('access-control-allow-methods'), undefined)
      assert.equal(answer.headers.get('access-control-allow-credentials'), undefined)
      assert.match(answer.headers.get('access-control-expose-headers') ?? '', /ETag.*X-Total/)
      assert.deepEqual(fieldsOf(upstream.seen.at(-1)?.rawHeaders ?? [], 'origin'), [APP])
    })

    it('another origin, and none, gets the answer without the permission to read it', async () => {
      for (const lines of [[`Origin: ${EVIL}`], []]) {
        const answer = await gate.ask('/photos/a', { token: gate.token(), lines })
        assert.equal(answer.status, 200)
        assert.equal(answer.headers.get('access-control-allow-origin'), undefined)
        assert.equal(answer.headers.get('vary'), 'Origin')
      }
    })
  })
}
