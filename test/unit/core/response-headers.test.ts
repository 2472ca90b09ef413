import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { clientResponseHeaders } from '../../../src/core/response-headers.ts'
import type { Route } from '../../../src/core/route.ts'
import { upstreamTarget } from '../../../src/core/upstream-target.ts'
import { clientOf } from './clients.ts'
import { sampleRoute, sampleUpstream, target } from './samples.ts'

function answered(rawHeaders: readonly string[], change: Partial<Route> = {}, upgrade = false): string[] {
  return clientResponseHeaders({
    route: sampleRoute(change),
    client: clientOf(),
    requestHeaders: [],
    rawHeaders,
    upgrade,
  })
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
    assert.deepEqual(answered(raw, {}, true), [
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
  ]
  for (const [value, expected] of cases)
    it(`${JSON.stringify(value)} becomes ${expected}`, () => assert.equal(located(value), expected))
  it('and so does Content-Location, and nothing else', () => {
    assert.deepEqual(answered(['content-location', '/a', 'Link', '</a>', 'X-Location', '/a']), [
      'content-location',
      '/photos/a',
      'Link',
      '</a>',
      'X-Location',
      '/a',
    ])
  })
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
