import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { PHOTOS, photosRoute, startGateway, type TestGateway, yamlOf } from '../../../support/gateway-under-test.ts'
import { mintProof } from '../../../support/keys.ts'
import { listenOnLoopback } from '../../../support/upstreams.ts'

const ENV = { AUDGATE_FEED_TOKEN: 'a-feed-token-that-is-long-enough' }

describe('dpop_replay: store', () => {
  const upstream = createServer((_request, response) => response.end('photo'))
  let issuer: TestGateway
  let gateway: TestGateway

  before(async () => {
    const routes = photosRoute(`http://127.0.0.1:${await listenOnLoopback(upstream)}`)
    const file = (kind: string) =>
      yamlOf(routes, 'dpop_replay: store\ntrusted_proxies: [127.0.0.1/32]').replace('issuer: false', kind)
    issuer = await startGateway({ yaml: file('store: sqlite:./audgate.db'), env: ENV })
    const following = file(`issuer: { upstream: "${issuer.url}" }`).replace('$KEYS', join(issuer.folder, 'keys.json'))
    gateway = await startGateway({ yaml: following, env: ENV })
  })
  after(async () => {
    await gateway?.close()
    await issuer?.close()
    upstream.closeAllConnections()
    upstream.close()
  })

  /** Statuses of one proof, shown at each in turn. */
  async function show(...places: readonly TestGateway[]): Promise<number[]> {
    const token = issuer.token({ claims: { cnf: { jkt: issuer.key.jkt } } })
    // Proofs have to be younger than the servers' start, which was just now.
    const now = Math.floor(Date.now() / 1_000) + 1
    const dpop = mintProof(issuer.key, { token, url: `${PHOTOS}/1`, now })
    const statuses = []
    for (const { url } of places) {
      const headers = {
        authorization: `DPoP ${token}`,
        dpop,
        'x-forwarded-host': 'gate.example.com',
        'x-forwarded-proto': 'https',
      }
      const answer = await fetch(`${url}/photos/1`, { headers })
      await answer.text()
      statuses.push(answer.status)
    }
    return statuses
  }

  it('a proof counts once over an instance and the gateways that follow it', async () => {
    assert.deepEqual(await show(issuer, gateway, issuer), [200, 401, 401])
    assert.deepEqual(await show(gateway, issuer, gateway), [200, 401, 401])
  })

  it('a gateway that can’t ask refuses with 503, and never lets a proof pass', async () => {
    await issuer.server.close(0)
    assert.deepEqual(await show(gateway), [503])
  })
})
