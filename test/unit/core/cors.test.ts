import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { corsHeaders, judgePreflight } from '../../../src/core/cors.ts'
import { clientResponseHeaders } from '../../../src/core/headers/response-headers.ts'
import { clientOf } from './clients.ts'
import { protectedBy, READ, rule, sampleRoute, target } from './samples.ts'

const APP = 'https://app.example.com'
const cors = { origins: [APP, 'http://localhost:5173'], credentials: false }
const route = sampleRoute({
  cors,
  access: protectedBy(
    [rule(READ, ['photos:read']), rule(new Set(['PUT', 'PURGE']), ['photos:write'], ['/api/**'])],
    ['/share/**'],
  ),
})

function asRecord(headers: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    headers.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), headers[i + 1] ?? '']] : [])),
  )
}

function preflight(path: string, change: readonly string[] = [], origin = APP) {
  return judgePreflight(route, 'OPTIONS', target(path), [
    'Origin',
    origin,
    'Access-Control-Request-Method',
    'PUT',
    ...change,
  ])
}

function methodsOf(path: string, on = route, wanted = 'PUT'): string[] {
  const answer = judgePreflight(on, 'OPTIONS', target(path), ['Origin', APP, 'Access-Control-Request-Method', wanted])
  assert.ok(answer.kind === 'answer')
  return asRecord(answer.headers)['access-control-allow-methods']?.split(', ') ?? []
}

describe('a preflight', () => {
  it('lists the methods that have a rule for the path', () => {
    assert.deepEqual(methodsOf('/photos/api/1'), [
      'GET',
      'HEAD',
      'PUT',
      'OPTIONS',
      'PROPFIND',
      'REPORT',
      'SEARCH',
      'PURGE',
    ])
    assert.deepEqual(methodsOf('/photos/1'), ['GET', 'HEAD', 'OPTIONS', 'PROPFIND', 'REPORT', 'SEARCH'])
  })
  it('lists every known method where a rule is for any, and what public paths let in', () => {
    const any = sampleRoute({ cors, access: protectedBy([rule('any', ['photos:read'])]) })
    const methods = methodsOf('/photos/1', any)
    for (const method of ['GET', 'PATCH', 'DELETE', 'MOVE', 'LOCK']) assert.ok(methods.includes(method), method)
    for (const method of READ) assert.ok(methodsOf('/photos/share/x').includes(method), method)
    assert.ok(methodsOf('/photos/1', any, 'BREW').includes('BREW'))
    assert.ok(!methodsOf('/photos/1', any, 'X, Y').join().includes('X'))
  })
  it('allows what was asked for, Authorization and DPoP', () => {
    const answer = preflight('/photos/1', ['Access-Control-Request-Headers', 'authorization, x-upload, bad header, ,'])
    assert.ok(answer.kind === 'answer')
    const headers = asRecord(answer.headers)
    assert.equal(headers['access-control-allow-headers'], 'authorization, DPoP, x-upload')
    assert.equal(headers['access-control-allow-origin'], APP)
    assert.equal(headers['access-control-max-age'], '600')
    assert.match(headers.vary ?? '', /^Origin,/)
    assert.equal(headers['access-control-allow-credentials'], undefined)
  })
  it('of an origin that is not listed gets 403 origin_not_allowed', () => {
    for (const origin of [
      'https://evil.example',
      'null',
      `${APP}.evil.example`,
      `${APP}:444`,
      'https://APP.example.com',
      '',
    ]) {
      const answer = preflight('/photos/1', [], origin)
      assert.equal(
        answer.kind === 'deny' && `${answer.denial.status} ${answer.denial.reason}`,
        '403 origin_not_allowed',
        origin,
      )
    }
  })
  it('is only OPTIONS with one Origin and a method asked for, on a route with cors', () => {
    const headers = ['Origin', APP, 'Access-Control-Request-Method', 'PUT']
    assert.equal(judgePreflight(route, 'GET', target('/photos/1'), headers).kind, 'none')
    assert.equal(judgePreflight(route, 'OPTIONS', target('/photos/1'), headers.slice(0, 2)).kind, 'none')
    assert.equal(judgePreflight(route, 'OPTIONS', target('/photos/1'), headers.slice(2)).kind, 'none')
    assert.equal(judgePreflight(route, 'OPTIONS', target('/photos/1'), [...headers, 'origin', APP]).kind, 'none')
    assert.equal(judgePreflight(sampleRoute(), 'OPTIONS', target('/photos/1'), headers).kind, 'none')
  })
})

describe('every other answer on a CORS route', () => {
  it('of the gateway lets the listed origin read it, WWW-Authenticate too', () => {
    assert.deepEqual(corsHeaders(route, ['Origin', APP]), [
      ...['Access-Control-Allow-Origin', APP],
      ...['Access-Control-Expose-Headers', 'WWW-Authenticate'],
      ...['Vary', 'Origin'],
    ])
    assert.deepEqual(corsHeaders(route, ['Origin', 'https://evil.example']), ['Vary', 'Origin'])
    assert.deepEqual(corsHeaders(route, []), ['Vary', 'Origin'])
    assert.deepEqual(corsHeaders(sampleRoute(), ['Origin', APP]), [])
  })
  it('of the upstream has its own CORS headers replaced, and its field names exposed', () => {
    const rawHeaders = [
      'ETag',
      '"1"',
      'Access-Control-Allow-Origin',
      '*',
      'access-control-allow-credentials',
      'true',
      'Content-Type',
      'x',
      'X-Total',
      '7',
      'Set-Cookie',
      'a',
      'etag',
      '"2"',
      'Vary',
      'Accept',
    ]
    const headers = clientResponseHeaders({
      route,
      client: clientOf(),
      requestHeaders: ['Origin', APP],
      rawHeaders,
      path: '/photos/a',
      onPublicHost: false,
      upgrade: false,
    })
    assert.deepEqual(
      headers.filter((_, i) => i % 2 === 0 && headers[i]?.toLowerCase() === 'access-control-allow-origin').length,
      1,
    )
    assert.ok(!headers.includes('access-control-allow-credentials'))
    assert.equal(asRecord(headers)['access-control-allow-origin'], APP)
    assert.equal(asRecord(headers)['access-control-expose-headers'], 'WWW-Authenticate, etag, X-Total')
    assert.deepEqual(headers.slice(-2), ['Vary', 'Origin'])
    assert.ok(headers.includes('Accept'))
  })
  it('keeps the upstream\u2019s own where the route has no cors', () => {
    const rawHeaders = ['Access-Control-Allow-Origin', '*']
    const input = {
      route: sampleRoute(),
      client: clientOf(),
      requestHeaders: ['Origin', APP],
      rawHeaders,
      path: '/photos/a',
      onPublicHost: false,
      upgrade: false,
    }
    assert.deepEqual(clientResponseHeaders(input), rawHeaders)
  })
})
