import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { startGateway, type TestGateway, until } from '../../support/gateway-under-test.ts'
import { type JwksServer, startJwksServer } from '../../support/jwks-server.ts'
import { makeKey, mintToken } from '../../support/keys.ts'
import { startUpstream, type TestUpstream } from '../../support/upstreams.ts'

const ISSUER = 'https://slow.example.com'
const RESOURCE = 'https://gate.example.com/photos'

describe('a request that waits for the keys of its issuer', () => {
  const key = makeKey()
  let keys: JwksServer
  let upstream: TestUpstream
  const asked: ServerResponse[] = []

  before(async () => {
    keys = await startJwksServer()
    keys.on('/jwks', (_request, response) => void asked.push(response))
    upstream = await startUpstream()
  })
  after(async () => {
    await keys.close()
    await upstream.close()
  })

  const yamlFor = (rules: string, trusted = ISSUER) => `
public_url: https://gate.example.com
management: 127.0.0.1:0
issuer: false
trusted_issuers:
  - { issuer: "${trusted}", jwks_uri: "${keys.origin}/jwks", algorithms: [ES256] }
resources:
  - { id: "${RESOURCE}", name: Photos, scopes: { photos:read: See }, issuers: ["${trusted}"] }
routes:
  - { id: photos, path: /photos, resource: "${RESOURCE}", upstream: "${upstream.url}", ${rules} }
`
  const READ = 'rules: [{ methods: [read], scopes: [photos:read] }]'

  /** What becomes of a request when `meanwhile` happens while it waits. */
  async function statusAfter(meanwhile: (gateway: TestGateway, clock: { ms: number }) => Promise<void>) {
    const clock = { ms: 0 }
    const gateway = await startGateway({ yaml: yamlFor(READ), now: () => Date.now() + clock.ms })
    asked.length = 0
    const heads = upstream.heads
    const now = Math.floor(Date.now() / 1_000)
    const authorization = `Bearer ${mintToken(key, { claims: { iss: ISSUER, exp: now + 300 } })}`
    const answering = fetch(`${gateway.url}/photos/a`, { headers: { authorization, connection: 'close' } })
    await until(() => asked.length === 1, 'the keys are asked for')
    await meanwhile(gateway, clock)
    asked[0]?.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ keys: [key.publicJwk] }))
    const answer = await answering
    await answer.text()
    await gateway.close()
    return { status: answer.status, sent: upstream.heads - heads }
  }

  it('is let through when nothing has changed', async () => {
    assert.deepEqual(await statusAfter(async () => undefined), { status: 200, sent: 1 })
  })

  it('is refused when its token expires meanwhile', async () => {
    const got = await statusAfter(async (_gateway, clock) => {
      clock.ms = 600_000
    })
    assert.deepEqual(got, { status: 401, sent: 0 })
  })

  it('is judged by the rules that came into force meanwhile', async () => {
    const none = 'rules: [{ methods: [MKCOL], scopes: [photos:read] }]'
    const got = await statusAfter((gateway) => gateway.server.reload(gateway.decode(yamlFor(none))))
    assert.deepEqual(got, { status: 405, sent: 0 })
  })

  it('is refused when its issuer is trusted no longer', async () => {
    const got = await statusAfter((gateway) =>
      gateway.server.reload(gateway.decode(yamlFor(READ, 'https://other.example.com'))),
    )
    assert.equal(got.sent, 0)
    assert.notEqual(got.status, 200)
  })
})
