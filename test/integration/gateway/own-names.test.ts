import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { startGateway, type TestGateway, yamlOf } from '../../support/gateway-under-test.ts'
import { makeKey, mintProof, mintToken } from '../../support/keys.ts'
import { fieldsOf, rawRequest, startUpstream, type TestUpstream } from '../../support/upstreams.ts'

const RULES = 'resource: "https://gate.example.com/photos", rules: [{ methods: [any], scopes: [photos:read] }]'

describe('what a request says of our own name', () => {
  let upstream: TestUpstream
  let gateway: TestGateway
  let yaml: string
  const key = makeKey()
  const clock = { ms: 0 }
  const { kid: _, alg: __, use: ___, ...jwk } = key.publicJwk
  const { crv, kty, x, y } = jwk as Record<string, string>
  const jkt = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url')

  before(async () => {
    upstream = await startUpstream((request, response, seen) => {
      if (request.url?.endsWith('/moved') === true)
        response.writeHead(302, { Location: `http://127.0.0.1:${upstream.port}/to`, 'Content-Length': '0' }).end()
      else response.end(JSON.stringify(seen))
    })
    yaml = yamlOf(`
  - { id: photos, path: /photos, upstream: "${upstream.url}", ${RULES} }
  - { id: named, host: photos.example.org, path: /named, upstream: "${upstream.url}", ${RULES} }
  - { id: open, path: /open, public: true, upstream: "${upstream.url}" }`)
    gateway = await startGateway({ yaml, now: () => Date.now() + clock.ms })
    clock.ms = 30_000
  })
  after(async () => {
    await gateway.close()
    await upstream.close()
  })

  async function proven(host: string, path: string, url: string, at = gateway, iat?: number) {
    const now = Math.floor((Date.now() + clock.ms) / 1_000)
    const token = mintToken(at.key, { claims: { cnf: { jkt } }, now })
    const proof = mintProof(key, { token, url, now: iat ?? now })
    const head = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: DPoP ${token}\r\nDPoP: ${proof}\r\nConnection: close\r\n\r\n`
    return { head, answer: await rawRequest(at.port, head) }
  }

  it('RFC 9449 §4.3: a DPoP proof counts for an authority that is ours, and the request’s', async () => {
    const own = [
      ['gate.example.com', '/photos/a'],
      ['GATE.example.com:80', '/photos/a'],
      [`127.0.0.1:${gateway.port}`, '/photos/a'],
      ['photos.example.org', '/named/a'],
      ['photos.example.org:8443', '/named/a'],
    ] as const
    for (const [host, path] of own)
      assert.equal((await proven(host, path, `http://${host}${path}`)).answer.status, 200, host)
    for (const host of ['evil.example', 'gate.example.com:81', 'gate.example.com.evil.example', '192.0.2.1'])
      assert.equal((await proven(host, '/photos/a', `http://${host}/photos/a`)).answer.status, 401, host)
    assert.equal((await proven('evil.example', '/photos/a', 'http://gate.example.com/photos/a')).answer.status, 401)
    assert.equal((await proven('gate.example.com', '/photos/a', 'http://evil.example/photos/a')).answer.status, 401)
  })

  it('a name that is none of ours is not told the upstream, nor repeated in a Location', async () => {
    const forwarded = async (host: string) => {
      const { body } = await rawRequest(
        gateway.port,
        `GET /open/a HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      )
      return fieldsOf(JSON.parse(body).rawHeaders, 'X-Forwarded-Host')
    }
    assert.deepEqual(await forwarded('evil.example'), ['gate.example.com'])
    assert.deepEqual(await forwarded('gate.example.com'), ['gate.example.com'])
    assert.deepEqual(await forwarded(`localhost:${gateway.port}`), [`localhost:${gateway.port}`])
    const location = async (host: string) =>
      (
        await rawRequest(gateway.port, `GET /open/moved HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
      ).headers.get('location')
    assert.equal(await location('evil.example'), '/to')
    assert.equal(await location('gate.example.com'), 'http://gate.example.com/to')
  })

  it('a DPoP proof is used once, over a restart too: one that isn’t younger than the start is refused', async () => {
    const { head, answer } = await proven('gate.example.com', '/photos/a', 'http://gate.example.com/photos/a')
    assert.equal(answer.status, 200)
    assert.equal((await rawRequest(gateway.port, head)).status, 401)
    const iat = Math.floor((Date.now() + clock.ms) / 1_000)
    const anew = await startGateway({ yaml, now: () => Date.now() + clock.ms })
    const now = Math.floor((Date.now() + clock.ms) / 1_000)
    const url = 'http://gate.example.com/photos/a'
    const old = await proven('gate.example.com', '/photos/a', url, anew, iat)
    const young = await proven('gate.example.com', '/photos/a', url, anew, now + 1)
    await anew.close()
    assert.equal(old.answer.status, 401)
    assert.match(old.answer.text, /before this server started/)
    assert.equal(young.answer.status, 200)
  })
})
