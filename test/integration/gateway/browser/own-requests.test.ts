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
    const before = box.arrived.length
    for (const site of ['cross-site', 'same-site']) {
      for (const method of ['POST', 'PUT', 'DELETE', 'PROPFIND']) {
        const answer = await jar.send(`${box.photos}/a`, { method, headers: { 'sec-fetch-site': site } })
        assert.equal(answer.status, 403)
        assert.match(answer.text, /cross_origin_request/)
      }
      const socket = {
        'sec-fetch-site': site,
        connection: 'Upgrade',
        upgrade: 'websocket',
        origin: 'https://x.example',
      }
      assert.equal((await jar.send(`${box.photos}/s`, { headers: socket })).status, 403)
    }
    assert.equal(box.arrived.length, before)
    const { password } = await appPassword(shared.box, 'photos', ['photos:read', 'photos:write'])
    const bearer = { authorization: `Bearer ${password}`, 'sec-fetch-site': 'cross-site' }
    assert.equal((await get(`${box.photos}/a`, bearer, 'POST')).status, 200)
  })
  it('Without Sec-Fetch-Site: `Origin` with another scheme, port, or `null` → 403', async () => {
    const { box } = shared
    const jar = new Jar()
    await jar.signIn(`${box.photos}/`)
    for (const origin of [box.photos.replace('http:', 'https:'), box.photos.replace(/\d+$/, '1'), 'null']) {
      assert.equal((await jar.send(`${box.photos}/a`, { method: 'POST', headers: { origin } })).status, 403)
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
