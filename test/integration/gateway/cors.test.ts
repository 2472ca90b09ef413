import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { photosRoute, startGateway, type TestGateway, yamlOf } from '../../support/gateway-under-test.ts'
import { fieldsOf, startUpstream, type TestUpstream } from '../../support/upstreams.ts'

const APP = 'https://app.example.com'

describe('a CORS route', () => {
  let upstream: TestUpstream
  let gateway: TestGateway

  before(async () => {
    upstream = await startUpstream((_request, response) => {
      response.writeHead(200, {
        'Access-Control-Allow-Origin': '*',
        'Access-Control-Allow-Methods': 'EVIL',
        ETag: '"1"',
        'X-Total': '5',
      })
      response.end('photo')
    })
    gateway = await startGateway({
      yaml: yamlOf(photosRoute(upstream.url, `    public: [/open/**]\n    cors: { origins: [${APP}] }`)),
    })
  })
  after(async () => {
    await gateway.close()
    await upstream.close()
  })

  function preflight(path: string, method: string, origin = APP) {
    return fetch(`${gateway.url}${path}`, {
      method: 'OPTIONS',
      headers: {
        Origin: origin,
        'Access-Control-Request-Method': method,
        'Access-Control-Request-Headers': 'authorization, x-mine',
      },
    })
  }

  it('answers a preflight itself, without a token, and lists the methods that have a rule', async () => {
    const heads = upstream.heads
    const answer = await preflight('/photos/a', 'PUT')
    assert.equal(answer.status, 204)
    assert.equal(answer.headers.get('access-control-allow-origin'), APP)
    const methods = answer.headers.get('access-control-allow-methods')?.split(', ') ?? []
    assert.ok(['GET', 'HEAD', 'PUT', 'PROPFIND', 'MOVE'].every((method) => methods.includes(method)))
    assert.match(answer.headers.get('access-control-allow-headers') ?? '', /Authorization/i)
    assert.match(answer.headers.get('access-control-allow-headers') ?? '', /x-mine/)
    assert.equal(upstream.heads, heads)
    assert.equal((await preflight('/photos/open/a', 'PUT')).status, 204)
  })

  it('refuses a preflight of an origin that is not listed', async () => {
    const answer = await preflight('/photos/a', 'PUT', 'https://evil.example.com')
    assert.equal(answer.status, 403)
    assert.equal(answer.headers.get('access-control-allow-origin'), null)
  })

  it('an OPTIONS that is no preflight is a request like any other', async () => {
    assert.equal((await fetch(`${gateway.url}/photos/a`, { method: 'OPTIONS' })).status, 401)
  })

  it('every answer carries the CORS headers with WWW-Authenticate exposed: 401, 403, 502 too', async () => {
    const refused = await fetch(`${gateway.url}/photos/a`, { headers: { Origin: APP } })
    assert.equal(refused.status, 401)
    assert.equal(refused.headers.get('access-control-allow-origin'), APP)
    assert.match(refused.headers.get('access-control-expose-headers') ?? '', /WWW-Authenticate/)
    assert.match(refused.headers.get('vary') ?? '', /Origin/)
  })

  it('the upstream’s own CORS headers are replaced, its other fields exposed', async () => {
    const answer = await fetch(`${gateway.url}/photos/a`, {
      headers: { Origin: APP, Authorization: `Bearer ${gateway.token()}` },
    })
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('access-control-allow-origin'), APP)
    assert.equal(answer.headers.get('access-control-allow-methods'), null)
    assert.match(answer.headers.get('access-control-expose-headers') ?? '', /ETag.*X-Total/)
    const seen = upstream.seen.at(-1)
    assert.deepEqual(fieldsOf(seen?.rawHeaders ?? [], 'origin'), [APP])
  })

  it('another origin gets the answer without the permission to read it', async () => {
    const headers = { Origin: 'https://evil.example.com', Authorization: `Bearer ${gateway.token()}` }
    const answer = await fetch(`${gateway.url}/photos/a`, { headers })
    assert.equal(answer.headers.get('access-control-allow-origin'), null)
    assert.equal(answer.headers.get('vary'), 'Origin')
  })
})
