import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type BrowserGateway, Jar, PAGE, startBrowserGateway } from '../../../support/browser-gateway.ts'
import { appPassword, get } from '../../../support/issuer/app-password.ts'

const shared: { box: BrowserGateway } = { box: undefined as never }
before(async () => {
  shared.box = await startBrowserGateway()
})
after(() => shared.box.close())

describe('whose request it is', () => {
  it('POST, PUT, DELETE, PROPFIND and a WebSocket with the cookie from `cross-site` or `same-site` → 403, upstream untouched; the same with a Bearer and no cookie → as today', async () => {
    const { box } = shared
    const jar = new Jar()
    await jar.signIn(`${box.photos}/`)
    const { password } = await appPassword(box, 'photos', ['photos:read', 'photos:write'])
    const socket = { connection: 'Upgrade', upgrade: 'websocket', origin: 'https://x.example' }
    const asked = ['cross-site', 'same-site'].flatMap((site) => [
      ...['POST', 'PUT', 'DELETE', 'PROPFIND'].map((method) => ({ method, headers: { 'sec-fetch-site': site } })),
      { method: 'GET', headers: { 'sec-fetch-site': site, ...socket } },
    ])
    const before = box.arrived.length
    for (const { method, headers } of asked) {
      const answer = await jar.send(`${box.photos}/a`, { method, headers })
      assert.equal(answer.status, 403, method)
      assert.match(answer.text, /cross_origin_request/)
    }
    assert.equal(box.arrived.length, before)
    for (const { method, headers } of asked) {
      const shown = { ...headers, authorization: `Bearer ${password}` }
      const { status } = await get(`${box.photos}/a`, shown, method)
      assert.equal(status, 'upgrade' in headers ? 101 : 200, method)
    }
    assert.equal(box.arrived.length, before + asked.length)
  })
  it('Without Sec-Fetch-Site: `Origin` with another scheme, port, or `null` → 403', async () => {
    const { box } = shared
    const jar = new Jar()
    await jar.signIn(`${box.photos}/`)
    for (const origin of [box.photos.replace('http:', 'https:'), box.photos.replace(/\d+$/, '1'), 'null']) {
      assert.equal((await jar.send(`${box.photos}/a`, { method: 'POST', headers: { origin } })).status, 403)
    }
    // A WebSocket is a GET, and no page is held to its own origin with it.
    for (const origin of [box.photos.replace('http:', 'https:'), box.files, 'null', '']) {
      const headers = { origin, connection: 'Upgrade', upgrade: 'websocket' }
      assert.equal((await jar.send(`${box.photos}/a`, { headers })).status, 403, origin)
    }
    assert.equal((await jar.send(`${box.photos}/a`, { method: 'POST', headers: { origin: box.photos } })).status, 200)
    assert.equal((await jar.send(`${box.photos}/a`, { method: 'POST' })).status, 200)
  })
  it('A link from a mail opens at once', async () => {
    const { box } = shared
    const jar = new Jar()
    await jar.signIn(`${box.photos}/`)
    for (const dest of ['document', 'empty']) {
      const headers = { ...PAGE, 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': dest }
      assert.equal((await jar.send(`${box.photos}/a`, { headers })).status, 200)
    }
  })
  it('A preflight is never answered on the strength of a cookie', async () => {
    const box = await startBrowserGateway({
      photos: 'cors: { origins: ["https://app.example.com"], credentials: true }',
    })
    try {
      const jar = new Jar()
      await jar.signIn(`${box.photos}/`)
      const ask = { origin: 'https://app.example.com', 'access-control-request-method': 'PUT' }
      const [with_, without] = [
        await jar.send(`${box.photos}/a`, { method: 'OPTIONS', headers: ask }),
        await get(`${box.photos}/a`, ask, 'OPTIONS'),
      ]
      assert.equal(with_.status, 204)
      assert.equal(without.status, 204)
      assert.equal(with_.headers['access-control-allow-credentials'], 'true')
      const other = { ...ask, origin: 'https://evil.example' }
      assert.equal((await jar.send(`${box.photos}/a`, { method: 'OPTIONS', headers: other })).status, 403)
      const listed = { origin: 'https://app.example.com', 'sec-fetch-site': 'same-site' }
      assert.equal((await jar.send(`${box.photos}/a`, { method: 'PUT', headers: listed })).status, 200)
    } finally {
      await box.close()
    }
  })
})
