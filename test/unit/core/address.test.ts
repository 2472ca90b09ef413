import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseAuthority, parseHost } from '../../../src/core/address.ts'

describe('an authority', () => {
  it('has one spelling, however it was written', () => {
    for (const text of ['[::1]', '[0:0::1]', '[0:0:0:0:0:0:0:1]', '[::0001]']) assert.equal(parseHost(text), '[::1]')
    for (const text of ['[::ffff:127.0.0.1]', '[::FFFF:7f00:1]']) assert.equal(parseHost(text), '[::ffff:7f00:1]')
    for (const text of ['GATE.example.com', 'gate.example.com.']) assert.equal(parseHost(text), 'gate.example.com')
    for (const text of ['gate:80', 'gate:080', 'gate:00080'])
      assert.deepEqual(parseAuthority(text), { host: 'gate', port: '80' })
    for (const text of ['gate', 'gate:']) assert.deepEqual(parseAuthority(text), { host: 'gate', port: '' })
  })

  for (const text of [
    ...['', '.', 'a..b', 'gate..', 'u@gate', 'u:p@gate', 'ga te', 'gate:65536', 'gate:080000', 'gate:8O', 'gate:80:80'],
    ...['[::1%eth0]', '[::1%25eth0]', '[::1', '::1', '[127.0.0.1]', 'gate%2eexample', 'm\u00fcnchen.de', 'gate\0'],
  ]) {
    it(`is none: ${JSON.stringify(text)}`, () => assert.equal(parseAuthority(text), undefined))
  }
})
