import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { until } from '../../support/gateway-under-test.ts'
import { freePorts } from '../../support/programs/free-ports.ts'
import { type Serving, serve } from '../../support/serving.ts'
import { addPeople, command, FEED_ENV, look, photosFile, signIn } from '../../support/split-audgate.ts'
import { listenOnLoopback } from '../../support/upstreams.ts'

for (const workers of [1, 2])
  describe(`one issuer, two gateways on their own, workers: ${workers}`, () => {
    let upstream: Server
    let issuer: Serving
    let one: Serving
    let two: Serving
    let publicUrl: string

    before(async () => {
      upstream = createServer((request, response) => response.end(JSON.stringify(request.headers)))
      upstream.on('upgrade', (_, socket) => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
      })
      const photos = `http://127.0.0.1:${await listenOnLoopback(upstream)}`
      const [port] = await freePorts(1)
      publicUrl = `http://127.0.0.1:${port}`
      const alone = (settings: string) =>
        photosFile(publicUrl, photos, `workers: ${workers}\nmanagement: 127.0.0.1:0\n${settings}`)
      issuer = await serve(alone('listen: 127.0.0.1:0\ntrusted_proxies: [127.0.0.1/32]'), FEED_ENV)
      const following = `issuer: { upstream: "${issuer.url}" }`
      one = await serve(alone(`listen: 127.0.0.1:${port}\n${following}`), FEED_ENV)
      two = await serve(alone(`listen: 127.0.0.1:0\nadmin: { from: [10.0.0.0/8] }\n${following}`), FEED_ENV)
      await addPeople(issuer.folder)
      for (const gateway of [one, two]) await until(() => isReady(gateway), 'the gateway follows the feed')
    })
    after(async () => {
      for (const serving of [one, two, issuer]) await serving?.remove()
      upstream.closeAllConnections()
      upstream.close()
    })

    async function isReady({ managementUrl }: Serving): Promise<boolean> {
      const answer = await fetch(`${managementUrl}/readyz`)
      await answer.text()
      return answer.ok
    }

    async function metric({ managementUrl }: Serving, name: string): Promise<number> {
      const text = await (await fetch(`${managementUrl}/metrics`)).text()
      return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
    }

    it('a person signs in through a gateway, and the token is good at both', async () => {
      const token = await signIn(publicUrl, publicUrl, 'app')
      for (const { url } of [one, two]) assert.equal(await look(url, token), '200')
      const answer = await fetch(`${two.url}/photos/1`, { headers: { authorization: `Bearer ${token}` } })
      const seen: Record<string, string> = JSON.parse(await answer.text())
      assert.equal(seen['x-auth-username'], 'alice')
      assert.equal(seen['x-auth-issuer'], publicUrl)
    })

    it('clients see one origin: metadata and keys come through the gateway', async () => {
      const path = '/.well-known/oauth-authorization-server'
      const metadata = JSON.parse(await (await fetch(`${publicUrl}${path}`)).text())
      assert.equal(metadata.issuer, publicUrl)
      assert.equal(metadata.token_endpoint, `${publicUrl}/oauth/token`)
      assert.equal((await fetch(`${publicUrl}/oauth/jwks`)).status, 200)
    })

    it('the operator’s page and API come through the gateway, except where its own file says otherwise', async () => {
      const status = async (origin: string, path: string) => {
        const answer = await fetch(`${origin}${path}`, { redirect: 'manual', headers: { accept: 'text/html' } })
        await answer.text()
        return answer.status
      }
      for (const path of ['/admin', '/admin/people', '/admin/api/v1/overview']) {
        const there = await status(issuer.url, path)
        assert.notEqual(there, 404, path)
        assert.equal(await status(one.url, path), there, path)
        assert.equal(await status(two.url, path), 404, path)
      }
      const denied = () => two.log().find(({ path }) => path === '/admin')
      await until(() => denied()?.reason === 'no_route', 'the log line of the refusal')
    })

    it('a revocation by command reaches both within a second; other clients go on; open tunnels close', async () => {
      const [token, other] = [await signIn(publicUrl, publicUrl, 'app'), await signIn(publicUrl, publicUrl, 'other')]
      const port = Number(new URL(two.url).port)
      const tunnel = connect(port, '127.0.0.1')
      tunnel.write(
        `GET /photos/live HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      )
      const [head] = await once(tunnel, 'data')
      assert.match(String(head), /^HTTP\/1\.1 101 /)
      const closed = once(tunnel, 'close')
      for (const { url } of [one, two]) assert.equal(await look(url, token), '200')
      await command(issuer.folder, ['revoke', '--client', 'app'])
      for (const { url } of [one, two]) {
        await until(async () => (await look(url, token)) === '401 revoked', `refused at ${url}`, 1_000)
        assert.equal(await look(url, other), '200')
      }
      await closed
      assert.equal(await look(two.url, await signIn(publicUrl, publicUrl, 'app')), '200', 'signing in anew works')
    })

    it('keys that are rotated are known at both', async () => {
      await command(issuer.folder, ['keys', 'rotate'])
      const token = await signIn(publicUrl, publicUrl, 'app')
      for (const { url } of [one, two]) assert.equal(await look(url, token), '200')
    })

    it('the metrics say who follows, and how long the feed has been silent', async () => {
      assert.equal(await metric(issuer, 'audgate_feed_followers'), 2)
      assert.equal(await metric(one, 'audgate_revocation_feed_stale'), 0)
      assert.ok((await metric(one, 'audgate_revocation_feed_silent_seconds')) < 15)
    })

    it('the feed refuses a wrong token, through a gateway too', async () => {
      for (const origin of [issuer.url, one.url]) {
        for (const authorization of ['', 'Bearer wrong']) {
          const answer = await fetch(`${origin}/oauth/revocations`, { headers: { authorization } })
          assert.equal(answer.status, 401, await answer.text())
        }
      }
    })

    it('the issuer hears the client’s address from the gateway, not from the client', async () => {
      await fetch(`${one.url}/oauth/jwks`, { headers: { 'x-forwarded-for': '9.9.9.9', forwarded: 'for=9.9.9.9' } })
      const line = () => issuer.log().findLast(({ path }) => path === '/oauth/jwks')
      await until(() => line() !== undefined, 'the issuer’s log line')
      assert.equal(line()?.address, '127.0.0.1')
    })
  })
