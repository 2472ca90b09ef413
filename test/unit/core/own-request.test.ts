import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isOwnRequest } from '../../../src/core/own-request.ts'

type Fields = Readonly<Record<string, string>>

const ORIGIN = 'https://photos.example.com'
const APP = 'https://app.example.com'

const own = (method: string, fields: Fields, allowed: readonly string[] = []) =>
  isOwnRequest({ method, rawHeaders: Object.entries(fields).flat(), origin: ORIGIN, allowed })

const site = (value: string, more: Fields = {}): Fields => ({ 'Sec-Fetch-Site': value, ...more })
const link = (value: string, dest: string): Fields =>
  site(value, { 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': dest })

describe('whose request with a cookie it is', () => {
  it('a page of this origin, and the person, may do everything', () => {
    for (const method of ['GET', 'POST', 'PROPFIND'])
      for (const value of ['same-origin', 'none']) assert.ok(own(method, site(value, { Origin: APP })))
  })
  for (const value of ['same-site', 'cross-site', 'something new', ''])
    it(`from ${value || 'nowhere'} it is GET and HEAD of a followed link alone`, () => {
      for (const dest of ['document', 'empty'])
        for (const method of ['GET', 'HEAD']) assert.ok(own(method, link(value, dest)))
      for (const method of ['POST', 'PUT', 'DELETE', 'PROPFIND', 'OPTIONS', 'get'])
        assert.ok(!own(method, link(value, 'document')), method)
      for (const dest of ['iframe', 'image', 'embed', 'worker']) assert.ok(!own('GET', link(value, dest)), dest)
      assert.ok(!own('GET', site(value)))
      assert.ok(!own('GET', site(value, { 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Dest': 'empty' })))
      assert.ok(!own('GET', { ...link(value, 'document'), Upgrade: 'websocket' }))
    })
  it('an origin that the file lists may, exactly as it is written', () => {
    assert.ok(own('PUT', site('same-site', { Origin: APP }), [APP]))
    assert.ok(own('PUT', { Origin: APP }, [APP]))
    for (const other of ['https://app.example.com:444', 'http://app.example.com', 'null', `${APP}.evil.example`])
      assert.ok(!own('PUT', site('same-site', { Origin: other }), [APP]), other)
    assert.ok(!own('PUT', site('same-site'), [APP]))
  })
  describe('without Sec-Fetch-Site', () => {
    it('reads count, whoever asks', () => {
      assert.ok(own('GET', { Origin: APP }))
      assert.ok(own('HEAD', {}))
    })
    for (const sender of ['http://photos.example.com', `${ORIGIN}:444`, 'null', 'https://files.example.com', ''])
      it(`an unsafe method or an upgrade from ${JSON.stringify(sender)} does not`, () => {
        for (const method of ['POST', 'PROPFIND', 'OPTIONS']) assert.ok(!own(method, { Origin: sender }))
        assert.ok(!own('GET', { Origin: sender, Upgrade: 'websocket' }))
      })
    it('it does from this origin, and where no browser is', () => {
      assert.ok(own('POST', { Origin: ORIGIN }))
      assert.ok(own('GET', { Origin: ORIGIN, Upgrade: 'websocket' }))
      assert.ok(own('POST', {}))
    })
  })
  it('several fields of one name, which no browser sends, never help', () => {
    const twice = (name: string, a: string, b: string) =>
      isOwnRequest({ method: 'POST', rawHeaders: [name, a, name, b], origin: ORIGIN, allowed: [] })
    assert.ok(!twice('Sec-Fetch-Site', 'cross-site', 'same-origin'))
    assert.ok(!twice('Origin', ORIGIN, APP))
  })
})
