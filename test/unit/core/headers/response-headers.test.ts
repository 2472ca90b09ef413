import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  type ClientHeadersInput,
  clientFieldLines,
  clientResponseHeaders,
} from '../../../../src/core/headers/response-headers.ts'
import { upstreamTarget } from '../../../../src/core/paths/upstream-target.ts'
import type { Route } from '../../../../src/core/route.ts'
import { clientOf } from '../clients.ts'
import { sampleRoute, sampleUpstream, target } from '../samples.ts'

function answered(rawHeaders: readonly string[], change: Partial<Route> = {}, more: Partial<ClientHeadersInput> = {}) {
  const facts = { client: clientOf(), requestHeaders: [], path: '/photos/a/b', onPublicHost: false, upgrade: false }
  return clientResponseHeaders({ route: sampleRoute(change), rawHeaders, ...facts, ...more })
}

function located(value: string, change: Partial<Route> = {}): string | undefined {
  return answered(['Location', value], change)[1]
}

const based = { upstreams: [sampleUpstream({ basePath: '/app' })] }

describe('the path for the upstream', () => {
  const cases: readonly [string, Partial<Route>, string][] = [
    ['/photos/a%20b%2Fc;v=1?x=//', {}, '/a%20b%2Fc;v=1?x=//'],
    ['/photos', {}, '/'],
    ['/photos/', {}, '/'],
    ['/photos?q', {}, '/?q'],
    ['/photos/a', { stripPath: false }, '/photos/a'],
    ['/photos', { stripPath: false }, '/photos'],
    ['/photos/a', based, '/app/a'],
    ['/photos', based, '/app/'],
    ['/photos/a', { ...based, stripPath: false }, '/app/photos/a'],
    ['/my%20files/a', { path: '/my files' }, '/a'],
    ['/a', { path: '/' }, '/a'],
  ]
  for (const [path, change, expected] of cases) {
    it(`${path} is ${expected} with ${JSON.stringify(change)}`, () => {
      const route = sampleRoute(change)
      assert.equal(upstreamTarget(route, route.upstreams[0] ?? sampleUpstream(), target(path)), expected)
    })
  }
})

describe('an answer\u2019s headers', () => {
  it('keep order, case and duplicates', () => {
    const raw = [
      'Set-Cookie',
      'a',
      'ETag',
      '"x"',
      'set-cookie',
      'b',
      'Content-Range',
      'bytes 0-1/2',
      'Date',
      'd',
      'Trailer',
      'X-Sum',
    ]
    assert.deepEqual(answered(raw), raw)
  })
  it('lose what is hop-by-hop and what Connection names, never Content-Length', () => {
    const raw = [
      'Connection',
      'close, X-Hop, Content-Length',
      'Keep-Alive',
      'x',
      'Transfer-Encoding',
      'chunked',
      'Upgrade',
      'h2c',
      'X-Hop',
      '1',
      'Content-Length',
      '3',
      'Proxy-Authenticate',
      'x',
      'connection',
      'x-other',
      'X-Other',
      '1',
    ]
    assert.deepEqual(answered(raw), ['Content-Length', '3'])
  })
  it('keep Upgrade where a tunnel opens', () => {
    const raw = ['Upgrade', 'websocket', 'Connection', 'Upgrade', 'Sec-WebSocket-Accept', 'x']
    assert.deepEqual(answered(raw, {}, { upgrade: true }), [
      'Upgrade',
      'websocket',
      'Sec-WebSocket-Accept',
      'x',
      'Connection',
      'Upgrade',
    ])
  })
})

describe('with strip_path, Location gets the prefix back', () => {
  const gate = 'https://gate.example.com:8443'
  const cases: readonly [string, string][] = [
    ['/login?next=/x', '/photos/login?next=/x'],
    ['/', '/photos/'],
    ['http://127.0.0.1:2283/a?b#c', `${gate}/photos/a?b#c`],
    ['http://127.0.0.1:2283', `${gate}/photos/`],
    ['http://127.0.0.1:2283?x', `${gate}/photos/?x`],
    ['HTTP://127.0.0.1:2283/a', `${gate}/photos/a`],
    ['//127.0.0.1:2283/a', `${gate}/photos/a`],
    ['relative', 'relative'],
    ['../up', '../up'],
    ['?q', '?q'],
    ['#f', '#f'],
    ['', ''],
    ['https://elsewhere.example/a', 'https://elsewhere.example/a'],
    ['http://127.0.0.1:2284/a', 'http://127.0.0.1:2284/a'],
    ['https://127.0.0.1:2283/a', 'https://127.0.0.1:2283/a'],
    ['http://127.0.0.1:2283@evil.example/a', 'http://127.0.0.1:2283@evil.example/a'],
    ['//evil.example/a', '//evil.example/a'],
    ['/\\evil.example', '/photos/\\evil.example'],
    ['mailto:a@b', 'mailto:a@b'],
    ['http:/a', '/photos/a'],
    ['http:a', 'a'],
    ['/\\127.0.0.1:2283/a', `${gate}/photos/a`],
    ['https:/a', 'https:/a'],
  ]
  for (const [value, expected] of cases)
    it(`${JSON.stringify(value)} becomes ${expected}`, () => assert.equal(located(value), expected))
  it('and so do Content-Location and maps of sources, and nothing else', () => {
    const raw = ['content-location', '/a', 'SourceMap', '/a.map', 'X-Location', '/a']
    assert.deepEqual(answered(raw), ['content-location', '/photos/a', 'SourceMap', '/photos/a.map', 'X-Location', '/a'])
  })
  it('and so do the targets and anchors of Link', () => {
    const link = '</a>; rel=next; title="</b>, <c>", <http://127.0.0.1:2283/d?e>; anchor="/f", <g>; rel="x"'
    const there =
      '</photos/a>; rel=next; title="</b>, <c>", <https://gate.example.com:8443/photos/d?e>; anchor="/photos/f", <g>; rel="x"'
    assert.deepEqual(answered(['Link', link]), ['Link', there])
  })
  for (const [value, expected] of [
    ['5; url=/a', '5; url=/photos/a'],
    ["0;URL='/a?b'", "0;URL='/photos/a?b'"],
    ['0, url = "/a" x', '0, url = "/photos/a" x'],
    ['3;/a', '3;/photos/a'],
    ['3', '3'],
    ['3; url=https://elsewhere.example/a', '3; url=https://elsewhere.example/a'],
    ['nonsense', 'nonsense'],
  ] as const)
    it(`and so does Refresh: ${value}`, () => assert.deepEqual(answered(['Refresh', value]), ['Refresh', expected]))
  it('from the client\u2019s host too, where preserve_host showed it to the upstream', () => {
    assert.equal(located('http://gate.example.com:8443/a', { preserveHost: true }), `${gate}/photos/a`)
    assert.equal(located(`${gate}/a`), `${gate}/a`)
  })
  it('without the upstream\u2019s base path', () => {
    assert.equal(located('/app/a', based), '/photos/a')
    assert.equal(located('/app', based), '/photos')
    assert.equal(located('http://127.0.0.1:2283/app?x', based), `${gate}/photos?x`)
    assert.equal(located('/apple', based), '/apple')
  })
  it('from any of several upstreams', () => {
    const upstreams = [sampleUpstream(), sampleUpstream({ protocol: 'https:', authority: 'b.internal', port: 443 })]
    assert.equal(located('https://b.internal:443/a', { upstreams }), `${gate}/photos/a`)
  })
  it('written as URLs are', () => assert.equal(located('/a', { path: '/my \u00fc&' }), '/my%20%C3%BC&/a'))
})

describe('without strip_path', () => {
  it('only the upstream\u2019s own address is hidden', () => {
    assert.equal(located('/a', { stripPath: false }), '/a')
    assert.equal(
      located('http://127.0.0.1:2283/photos/a', { stripPath: false }),
      'https://gate.example.com:8443/photos/a',
    )
    assert.equal(
      located('http://gate.example.com:8443/a', { stripPath: false, preserveHost: true }),
      'http://gate.example.com:8443/a',
    )
  })
})

describe('a reference without the upstream\u2019s base path', () => {
  const references: readonly (readonly [string, string, string])[] = [
    ['/app//evil.example', '/.//evil.example', '/photos//evil.example'],
    ['/app/\\evil.example', '/./\\evil.example', '/photos/\\evil.example'],
    ['/app/\t/evil.example', '/.//evil.example', '/photos//evil.example'],
    ['/app\t//evil.example', '/.//evil.example', '/photos//evil.example'],
    [' /app//evil.example', '/.//evil.example', '/photos//evil.example'],
    ['/app/.//evil.example', '/.//evil.example', '/photos//evil.example'],
    ['/app/x/..//evil.example', '/.//evil.example', '/photos//evil.example'],
    ['/app/%2e//evil.example', '/.//evil.example', '/photos//evil.example'],
    ['/app?x', '/?x', '/photos?x'],
    ['/app#x', '/#x', '/photos#x'],
    ['/app', '/', '/photos'],
    ['/app/', '/', '/photos/'],
    ['/app/../app/a', '/a', '/photos/a'],
    ['/app/../admin', '/app/../admin', '/app/../admin'],
    ['/apple', '/apple', '/apple'],
    [
      '//127.0.0.1:2283/app//evil.example',
      'https://gate.example.com:8443//evil.example',
      'https://gate.example.com:8443/photos//evil.example',
    ],
    ['http://127.0.0.1:2283/app?x', 'https://gate.example.com:8443/?x', 'https://gate.example.com:8443/photos?x'],
  ]
  const site = 'https://gate.example.com:8443'
  for (const [value, plain, stripped] of references) {
    it(`stays on the site: ${JSON.stringify(value)}`, () => {
      for (const [change, expected] of [
        [{ path: '/' }, plain],
        [{}, stripped],
      ] as const) {
        const all = [
          'Location',
          value,
          'Content-Location',
          value,
          'Link',
          `<${value}>`,
          'Refresh',
          `0; url=${value.trim()}`,
        ]
        const got = answered(all, { ...based, ...change })
        assert.deepEqual(got, [
          'Location',
          expected,
          'Content-Location',
          expected,
          'Link',
          `<${expected}>`,
          'Refresh',
          `0; url=${expected}`,
        ])
        assert.equal(new URL(expected, `${site}/photos/x`).origin, site)
      }
    })
  }
})

describe('a cookie in the client\u2019s terms', () => {
  const cookie = (value: string, change: Partial<Route> = {}, path = '/photos/a/b') =>
    answered(['Set-Cookie', value], change, { path })[1]
  const cases: readonly (readonly [string, string, Partial<Route>])[] = [
    ['a=b; Path=/; HttpOnly', 'a=b; HttpOnly; Path=/photos', {}],
    ['a=b; path=/x', 'a=b; Path=/photos/x', {}],
    ['a=b; Path=/x/', 'a=b; Path=/photos/x/', {}],
    ['a=b; Path = /x ;Secure', 'a=b;Secure; Path=/photos/x', {}],
    ['a=b; Path=/y; Path=/x', 'a=b; Path=/photos/x', {}],
    ['a=b; Path=x', 'a=b', {}],
    ['a=b', 'a=b', {}],
    ['a=b; Domain=127.0.0.1; Path=/', 'a=b; Path=/photos', {}],
    ['a=b; Domain=example.com; Path=/', 'a=b; Domain=example.com; Path=/photos', {}],
    ['__Host-a=b; Secure; Path=/', '__Host-a=b; Secure; Path=/', {}],
    ['a=b; Path=/app', 'a=b; Path=/photos', based],
    ['a=b; Path=/app/x', 'a=b; Path=/photos/x', based],
    ['a=b; Path=/', 'a=b; Path=/photos', based],
    ['a=b; Path=/app/x', 'a=b; Path=/x', { ...based, path: '/' }],
    ['a=b; Path=/', 'a=b; Path=/', { ...based, path: '/' }],
    ['a=b; Path=/elsewhere', 'a=b; Path=/elsewhere', based],
    ['a=b; path=/x', 'a=b; path=/x', { stripPath: false }],
  ]
  for (const [value, expected, change] of cases)
    it(`${value} is ${expected} with ${JSON.stringify(change)}`, () => assert.equal(cookie(value, change), expected))
  it('has a path of its own where browsers would take the whole host', () => {
    assert.equal(cookie('a=b', {}, '/photos'), 'a=b; Path=/photos')
    assert.equal(cookie('a=b', {}, '/photos/x'), 'a=b')
  })
})

describe('what an upstream has no say in', () => {
  const both = (raw: readonly string[], onPublicHost: boolean) => {
    const lines = raw.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${raw[i + 1]}\r\n`] : [])).join('')
    const route = { stripPath: false }
    return [answered(raw, route, { onPublicHost }), clientFieldLines(sampleRoute(route), lines, onPublicHost)]
  }
  it('is the gateway\u2019s address and keys: what speaks of ports and certificates goes', () => {
    const raw = [
      'Alt-Svc',
      'h3=":8443"',
      'Public-Key-Pins',
      'x',
      'Public-Key-Pins-Report-Only',
      'x',
      'Expect-CT',
      'x',
      'X-A',
      '1',
    ]
    assert.deepEqual(both(raw, false), [['X-A', '1'], 'X-A: 1\r\n'])
  })
  it('is the whole host where the issuer\u2019s pages are', () => {
    const raw = ['Clear-Site-Data', '"*"', 'Service-Worker-Allowed', '/', 'X-A', '1']
    assert.deepEqual(both(raw, true), [['X-A', '1'], 'X-A: 1\r\n'])
    assert.deepEqual(both(raw, false)[0], raw)
    assert.deepEqual(answered(raw)[3], '/photos/')
  })
  it('is a login of the connection, which other clients use too', () => {
    const challenges: readonly (readonly [string, string | undefined])[] = [
      ['Negotiate', undefined],
      ['NTLM TlRMTVNTUAACAAAA==', undefined],
      ['negotiate YII=, Basic realm="a, NTLM", charset="UTF-8"', 'Basic realm="a, NTLM", charset="UTF-8"'],
      ['Basic realm="x", NTLM, Negotiate, Digest realm="y", nonce="z"', 'Basic realm="x", Digest realm="y", nonce="z"'],
      ['Bearer realm="ntlm"', 'Bearer realm="ntlm"'],
      ['Basic realm="x"', 'Basic realm="x"'],
    ]
    for (const [value, expected] of challenges) {
      const kept = expected === undefined ? [] : ['WWW-Authenticate', expected]
      assert.deepEqual(answered(['WWW-Authenticate', value, 'Persistent-Auth', 'true']), kept)
    }
  })
})
