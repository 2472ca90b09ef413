import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { photosRoute, startGateway, type TestGateway, yamlOf } from '../../support/gateway-under-test.ts'
import { rawRequest, startUpstream, type TestUpstream } from '../../support/upstreams.ts'

describe('paths', () => {
  let upstream: TestUpstream
  let gateway: TestGateway

  before(async () => {
    upstream = await startUpstream()
    const routes = `${photosRoute(upstream.url, '    public: [/healthz, /share/**]')}
  - { id: hosted, host: photos.example.com, path: /, public: true, upstream: "${upstream.url}/hosted" }
  - { id: stripped, path: /s, strip_path: true, public: true, upstream: "${upstream.url}" }
  - { id: deep, path: /photos/deep, public: true, upstream: "${upstream.url}" }
  - { id: closed, path: /closed, public: true, upstream: "${upstream.url}", encoded_slash: reject }`
    gateway = await startGateway({ yaml: yamlOf(routes) })
  })
  after(async () => {
    await gateway.close()
    await upstream.close()
  })

  function get(path: string, host = 'gate.example.com', more = '') {
    return rawRequest(gateway.port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`)
  }

  const AMBIGUOUS = [
    '/photos/share/../secret',
    '/photos/share/./x',
    '/photos/share/..',
    '/photos/share/%2e%2e/secret',
    '/photos/share/.%2e/secret',
    '/photos/share/%252e%252e/secret',
    '/photos/share/%25252e%25252e/secret',
    '/photos/share/..;/secret',
    '/photos/share/..;x=1/secret',
    '/photos/share/%2e%2e%3b/secret',
    '/photos/share\\..\\secret',
    '/photos/share/%5c..%5csecret',
    '/photos/share/..%2fsecret',
    '/photos/share/..%5csecret',
    '/photos//share/x',
    '//photos/share/x',
    '//evil.example.com/photos',
    '/photos/share/%00',
    '/photos/share/%0d%0aX-A:%20b',
    '/photos/share/%7f',
    '/photos/share/%',
    '/photos/share/%2',
    '/photos/share/%zz',
    '/photos/share/%c0%ae%c0%ae/secret',
    '/photos%2fdeep/x',
    '/photos/%64eep%2fx',
    '/.well-known%2foauth-protected-resource',
    '/closed/a%2fb',
    '/closed/a%252fb',
  ]
  for (const path of AMBIGUOUS) {
    it(`${path} could be read differently: 400, and nothing is sent upstream`, async () => {
      const heads = upstream.heads
      const answer = await get(path)
      assert.equal(answer.status, 400, answer.text)
      assert.equal(upstream.heads, heads)
    })
  }

  const SAME_BYTES = [
    '/photos/share/100%25',
    '/photos/share/a%20b',
    '/photos/share/%C3%A9',
    '/photos/share/a%2Fb',
    "/photos/share/a;b=c,d!$&'()*+=:@~",
    '/photos/share/a?x=../../etc&y=%2e%2e//',
    '/photos/share/',
    '/photos/share/...',
    '/photos/share/.hidden',
    '/photos/share/%41',
  ]
  for (const path of SAME_BYTES) {
    it(`${path} is forwarded byte for byte`, async () => {
      const answer = await get(path)
      assert.equal(answer.status, 200, answer.text)
      assert.equal(JSON.parse(answer.body).url, path)
    })
  }

  it('matches whole segments: /photosx is not below /photos', async () => {
    assert.equal((await get('/photosx')).status, 404)
  })

  it('a public pattern never matches the query', async () => {
    assert.equal((await get('/photos/secret?x=/photos/share/y')).status, 401)
  })

  it('a route that names the host comes before one that names none', async () => {
    const answer = await get('/photos/share/x', 'PHOTOS.example.com:8443')
    assert.equal(JSON.parse(answer.body).url, '/hosted/photos/share/x')
  })

  it('a final dot of the host is the same host', async () => {
    assert.equal(JSON.parse((await get('/a', 'photos.example.com.')).body).url, '/hosted/a')
  })

  it('the longest path wins', async () => {
    assert.equal((await get('/photos/deep/x')).status, 200)
    assert.equal((await get('/photos/dee/x')).status, 401)
  })

  it('strip_path: the upstream sees the path without it, / when nothing remains, and X-Forwarded-Prefix', async () => {
    const answer = await get('/s/a%20b?c')
    const seen = JSON.parse(answer.body)
    assert.equal(seen.url, '/a%20b?c')
    assert.equal(seen.rawHeaders[seen.rawHeaders.indexOf('X-Forwarded-Prefix') + 1], '/s')
    assert.equal(JSON.parse((await get('/s')).body).url, '/')
    assert.equal(JSON.parse((await get('/s?x')).body).url, '/?x')
  })

  it('reserved paths are not a route’s on hosts that no route names; resource metadata is on every host', async () => {
    assert.equal((await get('/oauth/token')).status, 404)
    assert.equal((await get('/account')).status, 404)
    const metadata = await get('/.well-known/oauth-protected-resource/photos', 'photos.example.com')
    assert.equal(metadata.status, 200)
    assert.equal(JSON.parse(metadata.body).resource, 'https://gate.example.com/photos')
    assert.equal(metadata.headers.get('access-control-allow-origin'), '*')
  })

  it('a host that a route names has the other reserved paths for itself', async () => {
    assert.equal(JSON.parse((await get('/account', 'photos.example.com')).body).url, '/hosted/account')
  })

  it('X-Forwarded-Host and -Proto of an untrusted peer choose no route', async () => {
    const answer = await get('/photos/x', 'gate.example.com', 'X-Forwarded-Host: photos.example.com\r\n')
    assert.equal(answer.status, 401)
  })
})
