import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isTrustedPeer, parseCidr, parseTrustedPeers, resolveClient } from '../../../../src/core/headers/forwarded.ts'

const TRUSTED = parseTrustedPeers(['10.0.0.0/8', 'fd00::/8'])

function resolved(peerAddress: string, rawHeaders: readonly string[], tls = false) {
  return resolveClient({ peerAddress, rawHeaders, trusted: TRUSTED, tls, hostHeader: 'gate.example.com' })
}

describe('a block of addresses', () => {
  const inside: readonly [string, string][] = [
    ['10.0.0.0/8', '10.255.255.255'],
    ['10.0.0.0/8', '::ffff:10.1.2.3'],
    ['10.0.0.0/8', '::ffff:0a01:0203'],
    ['192.0.2.7', '192.0.2.7'],
    ['192.0.2.6/31', '192.0.2.7'],
    ['0.0.0.0/0', '203.0.113.9'],
    ['::/0', '2001:db8::1'],
    ['fd00::/8', 'fdff::1'],
    ['fe80::/10', 'fe80::1%eth0'],
    ['2001:db8::/33', '2001:db8:7fff::'],
    ['::1', '0:0:0:0:0:0:0:1'],
    ['::ffff:10.0.0.0/104', '10.9.9.9'],
  ]
  for (const [block, address] of inside)
    it(`${block} has ${address}`, () => assert.ok(isTrustedPeer(address, parseTrustedPeers([block]))))
  const outside: readonly [string, string][] = [
    ['10.0.0.0/8', '11.0.0.0'],
    ['10.0.0.0/8', '010.0.0.1'],
    ['10.0.0.0/8', '10.1'],
    ['10.0.0.0/8', '167772161'],
    ['10.0.0.0/8', '::10.0.0.1'],
    ['10.0.0.0/8', 'x'],
    ['10.0.0.0/8', ''],
    ['192.0.2.6/31', '192.0.2.8'],
    ['::/0', '203.0.113.9'],
    ['::/0', '::ffff:203.0.113.9'],
    ['2001:db8::/33', '2001:db8:8000::'],
  ]
  for (const [block, address] of outside)
    it(`${block} lacks ${JSON.stringify(address)}`, () =>
      assert.ok(!isTrustedPeer(address, parseTrustedPeers([block]))))
  for (const text of [
    '10.0.0.0/33',
    '10.0.0/8',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '::/129',
    ':::/8',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    'fe80::1%eth0',
    '',
    '/8',
    '10.0.0.0/1e1',
    '::ffff:10.0.0.0/95',
  ]) {
    it(`${JSON.stringify(text)} is none`, () => assert.equal(parseCidr(text), undefined))
  }
})

describe('the client', () => {
  it('is the socket\u2019s peer unless that is trusted, whatever it says', () => {
    const forged = [
      'X-Forwarded-For',
      '1.1.1.1',
      'X-Forwarded-Host',
      'evil',
      'X-Forwarded-Proto',
      'https',
      'X-Request-Id',
      'x',
    ]
    assert.deepEqual(resolved('::ffff:203.0.113.9', forged), {
      address: '203.0.113.9',
      peerAddress: '203.0.113.9',
      protocol: 'http',
      host: 'gate.example.com',
      trusted: false,
      requestId: undefined,
      forwardedFor: '203.0.113.9',
      forwardedPrefix: '',
      authority: 'gate.example.com',
      own: false,
    })
  })
  const chains: readonly [string, string[], string][] = [
    ['the only one named', ['X-Forwarded-For', '203.0.113.9'], '203.0.113.9'],
    ['the right-most that is not trusted', ['X-Forwarded-For', '1.1.1.1, 203.0.113.9, 10.0.0.2'], '203.0.113.9'],
    [
      'read over several lines',
      ['X-Forwarded-For', '203.0.113.9', 'x-forwarded-for', '10.0.0.2, 10.0.0.3'],
      '203.0.113.9',
    ],
    ['the left-most when all are trusted', ['X-Forwarded-For', '10.0.0.9, 10.0.0.2'], '10.0.0.9'],
    ['the last good hop before nonsense', ['X-Forwarded-For', '203.0.113.9, nonsense, 10.0.0.2'], '10.0.0.2'],
    ['named with a port', ['X-Forwarded-For', '203.0.113.9:4711'], '203.0.113.9'],
    ['an IPv6 address with a port', ['X-Forwarded-For', '[2001:DB8::9]:4711'], '2001:db8::9'],
    ['the proxy itself when it names nobody', [], '10.0.0.1'],
  ]
  for (const [what, headers, address] of chains) {
    it(`behind a trusted proxy is ${what}`, () => assert.equal(resolved('10.0.0.1', headers).address, address))
  }
  it('has come below a prefix that the trusted proxy says, where every reader takes that for a path', () => {
    const prefixOf = (value: string) => resolved('10.0.0.1', ['X-Forwarded-Prefix', value]).forwardedPrefix
    assert.deepEqual(['/a', '/a/b/', '/', '/a%20b'].map(prefixOf), ['/a', '/a/b', '', '/a%20b'])
    for (const value of [
      '//evil.example',
      '/\\evil.example',
      'https://evil.example',
      'a',
      '/a/../b',
      '/a?b',
      '/a#b',
      '/%0d',
    ])
      assert.equal(prefixOf(value), '', value)
  })
  it('used the host and protocol that the trusted proxy says', () => {
    const client = resolved('10.0.0.1', ['X-Forwarded-Host', 'Photos.example.com', 'X-Forwarded-Proto', 'HTTPS'])
    assert.deepEqual([client.host, client.protocol, client.trusted], ['Photos.example.com', 'https', true])
  })
  it('can not put its own host in front of the one that an appending proxy wrote', () => {
    const client = resolved('10.0.0.1', [
      'X-Forwarded-For',
      '203.0.113.9',
      'X-Forwarded-Host',
      'evil.example, real.example',
    ])
    assert.equal(client.host, 'real.example')
    const two = [
      'X-Forwarded-For',
      '203.0.113.9, 10.0.0.2',
      'X-Forwarded-Host',
      'evil.example, real.example, inner.example',
    ]
    assert.equal(resolved('10.0.0.1', two).host, 'real.example')
  })
  it('has the socket\u2019s protocol when the proxy names nonsense', () => {
    assert.equal(resolved('10.0.0.1', ['X-Forwarded-Proto', 'gopher'], true).protocol, 'https')
  })
  it('may bring a request id through a trusted proxy, of plain characters', () => {
    assert.equal(resolved('10.0.0.1', ['X-Request-Id', 'a-1_B.2']).requestId, 'a-1_B.2')
    assert.equal(resolved('10.0.0.1', ['X-Request-Id', 'a b"']).requestId, undefined)
    assert.equal(resolved('10.0.0.1', ['X-Request-Id', 'a'.repeat(129)]).requestId, undefined)
  })
})
