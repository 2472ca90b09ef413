import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type DestinationInput, judgeDestination } from '../../../../src/core/paths/dav.ts'
import { createRouter } from '../../../../src/core/paths/router.ts'
import type { Route } from '../../../../src/core/route.ts'
import type { VerifiedToken } from '../../../../src/core/token.ts'
import { clientOf } from '../clients.ts'
import { permitFor } from '../permits.ts'
import { NOW, protectedBy, RESERVED, rule, sampleRoute, sampleToken, sampleUpstream } from '../samples.ts'

const files = sampleRoute({
  id: 'files',
  path: '/files',
  access: {
    ...protectedBy(
      [rule(new Set(['MOVE']), ['photos:write'], ['/locked/**', '/in/**']), rule('any', ['photos:read'])],
      ['/drop/**'],
    ),
    publicMethods: 'any',
  },
})
const inner = sampleRoute({ id: 'inner', path: '/files/inner' })

function judged(
  rawHeaders: readonly string[],
  change: Partial<Route> = {},
  token: VerifiedToken | undefined = sampleToken(),
  path?: string,
) {
  const route = { ...files, ...change }
  const input: DestinationInput = {
    rawHeaders,
    method: 'MOVE',
    permit: permitFor(route, token, path ?? '/files/a', 'MOVE'),
    client: clientOf(),
    router: createRouter([route, inner], RESERVED),
    publicHost: 'gate.example.com',
    upstream: route.upstreams[0] ?? sampleUpstream(),
    now: NOW,
  }
  return judgeDestination(input)
}

function destination(value: string, change: Partial<Route> = {}, token?: VerifiedToken): string | undefined {
  const result = judged(['Destination', value], change, token)
  return result.kind === 'deny' ? `${result.denial.status} ${result.denial.reason}` : result.dav.destination
}

function condition(value: string, change: Partial<Route> = {}): string | undefined {
  const result = judged(['If', value], change)
  return result.kind === 'deny' ? `${result.denial.status} ${result.denial.reason}` : result.dav.if
}

describe('Destination', () => {
  it('reaches the upstream in its own terms, with strip_path', () => {
    assert.equal(destination('/files/b%20c?x'), 'http://127.0.0.1:2283/b%20c?x')
    assert.equal(destination('https://gate.example.com:8443/files/b'), 'http://127.0.0.1:2283/b')
    assert.equal(destination('/files/b?audgate%5Fticket=x&c=1'), 'http://127.0.0.1:2283/b?c=1')
    assert.equal(destination('HTTP://GATE.example.com:8443/files'), 'http://127.0.0.1:2283/')
  })
  it('and without', () => {
    assert.equal(
      destination('https://gate.example.com:8443/files/b', { stripPath: false }),
      'http://127.0.0.1:2283/files/b',
    )
    assert.equal(
      destination('/files/b', { stripPath: false, preserveHost: true }),
      'http://gate.example.com:8443/files/b',
    )
    assert.equal(
      destination('/files/b', { upstreams: [sampleUpstream({ basePath: '/dav' })] }),
      'http://127.0.0.1:2283/dav/b',
    )
  })
  for (const value of [
    'https://evil.example/files/b',
    'https://gate.example.com/files/b',
    'http://127.0.0.1:2283/b',
    'https://user@gate.example.com:8443/files/b',
    'https://gate.example.com:8443.evil.example/files/b',
  ]) {
    it(`on another host gets 502 destination_elsewhere: ${value}`, () =>
      assert.equal(destination(value), '502 destination_elsewhere'))
  }
  for (const value of ['/photos/b', '/', '/files/inner/b', '/filesx', '/oauth/token', '/admin/api']) {
    it(`on another route gets 403 destination_not_allowed: ${value}`, () =>
      assert.equal(destination(value), '403 destination_not_allowed'))
  }
  it('in a reserved path is not allowed, though the route has all paths', () => {
    assert.equal(destination('/account/x', { path: '/' }), '403 destination_not_allowed')
  })
  it('needs a rule for the method there, with scopes that the token has', () => {
    assert.equal(destination('/files/locked/b'), '403 destination_not_allowed')
    const editor = sampleToken({ scope: new Set(['photos:read', 'photos:write']), groups: ['photo-editors'] })
    assert.equal(destination('/files/locked/b', {}, editor), 'http://127.0.0.1:2283/locked/b')
  })
  for (const value of [
    '/files/../admin',
    '/files/%2e%2e/x',
    '/files//b',
    '/files/b%00',
    '/files/%69nner/b',
    '/files/%6cocked/b',
    '/files\\b',
    '//evil.example/b',
  ]) {
    it(`that is ambiguous gets 400: ${value}`, () => assert.equal(destination(value), '400 ambiguous_path'))
  }
  for (const value of ['', 'b', 'ftp://gate.example.com/x', '/files/b#c', '/files/a b', 'https:/files/b']) {
    it(`that is malformed gets 400: ${JSON.stringify(value)}`, () =>
      assert.equal(destination(value), '400 malformed_request'))
  }
  it('twice gets 400', () => {
    const result = judged(['Destination', '/files/b', 'destination', '/files/b'])
    assert.equal(result.kind === 'deny' && result.denial.status, 400)
  })
  it('from a public path must stay on public paths: nobody is known there', () => {
    const denied = judgeDestination({ ...inputOnPublic(), rawHeaders: ['Destination', '/files/b'] })
    assert.equal(denied.kind === 'deny' && denied.denial.reason, 'destination_not_allowed')
    assert.equal(denied.kind === 'deny' && denied.denial.challenge, undefined)
    const allowed = judgeDestination({ ...inputOnPublic(), rawHeaders: ['Destination', '/files/drop/b'] })
    assert.equal(allowed.kind === 'allowed' && allowed.dav.destination, 'http://127.0.0.1:2283/drop/b')
  })
  it('is absent where none came', () =>
    assert.deepEqual(judged([]), { kind: 'allowed', dav: { destination: undefined, if: undefined } }))
})

function inputOnPublic(): DestinationInput {
  return {
    rawHeaders: [],
    method: 'MOVE',
    permit: permitFor(files, undefined, '/files/drop/a', 'MOVE'),
    client: clientOf(),
    router: createRouter([files], RESERVED),
    publicHost: 'gate.example.com',
    upstream: sampleUpstream(),
    now: NOW,
  }
}

describe('the tagged lists of If', () => {
  it('get their tags in the upstream\u2019s terms, conditions as they came', () => {
    const value =
      '<https://gate.example.com:8443/files/a> (<urn:uuid:1> ["a)b<"]) (Not <DAV:no-lock>) </files/b> ([W/"x"])'
    const expected =
      '<http://127.0.0.1:2283/a> (<urn:uuid:1> ["a)b<"]) (Not <DAV:no-lock>) <http://127.0.0.1:2283/b> ([W/"x"])'
    assert.equal(condition(value), expected)
  })
  it('that are untagged pass as they came', () => {
    const value = '(<urn:uuid:1>) (Not <DAV:no-lock> ["x"])'
    assert.equal(condition(value), value)
  })
  it('are judged like Destination', () => {
    assert.equal(condition('<https://evil.example/a> (<urn:1>)'), '502 destination_elsewhere')
    assert.equal(condition('</photos/a> (<urn:1>)'), '403 destination_not_allowed')
    assert.equal(condition('</files/../a> (<urn:1>)'), '400 ambiguous_path')
  })
  it('are a hundred at most: each is judged like a request', () => {
    const tags = (count: number) => '</files/a> (<urn:1>) '.repeat(count).trim()
    assert.match(condition(tags(100)) ?? '', /^<http/)
    assert.equal(condition(tags(101)), '400 malformed_request')
    assert.equal(condition(`(${'<urn:1> '.repeat(200)})`), `(${'<urn:1> '.repeat(200)})`)
  })
  for (const value of ['', 'x', '<', '</files/a>', '(', '(<urn:1>', '(["x])', '(<a>) x', '((<a>))', '*']) {
    it(`that are malformed get 400: ${JSON.stringify(value)}`, () =>
      assert.equal(condition(value), '400 malformed_request'))
  }
  it('twice get 400', () => {
    const result = judged(['If', '(<a>)', 'if', '(<a>)'])
    assert.equal(result.kind === 'deny' && result.denial.status, 400)
  })
})
