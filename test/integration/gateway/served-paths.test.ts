import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { GATE, PHOTOS, routeOf, type ServedGate, serveGate } from '../../support/gate.ts'
import { type RawAnswer, rawRequest, startUpstream, type TestUpstream } from '../../support/upstreams.ts'

describe('paths and hosts, from outside', () => {
  let upstream: TestUpstream
  let gate: ServedGate

  before(async () => {
    upstream = await startUpstream()
    const open = (id: string, more: string, target = '') =>
      `\n  - { id: ${id}, public: true, upstream: "${upstream.url}${target}", ${more} }`
    gate = await serveGate(
      [
        routeOf('photos', upstream.url, '    strip_path: true\n    public: [/share/**]'),
        open('whole', 'path: /whole'),
        open('whole-deep', 'path: /whole/deep'),
        open('based', 'path: /based', '/base/'),
        open('based-strip', 'path: /based-strip, strip_path: true', '/base'),
        open('strict', 'path: /strict, encoded_slash: reject'),
        open('hosted', 'host: photos.example.com'),
        open('hosted-deep', 'host: photos.example.com, path: /deep'),
        open('assets-elsewhere', 'host: photos.example.com, path: /assets'),
        open('echo', 'path: /echo, set_headers: { X-Route: echo }'),
      ].join(''),
    )
  })
  after(async () => {
    await gate.close()
    await upstream.close()
  })

  async function reason(answer: RawAnswer): Promise<string> {
    if (answer.status === 200) return 'forward'
    return `${answer.status} ${JSON.parse(answer.body).reason}`
  }
  const host = (name: string) => [`Host: ${name}`]

  it('a path is matched by whole segments, the longest first', async () => {
    assert.equal(await reason(await gate.ask('/whole')), 'forward')
    assert.equal(await reason(await gate.ask('/whole/')), 'forward')
    assert.equal(await reason(await gate.ask('/whole?x=/../y')), 'forward')
    for (const path of ['/wholesome', '/wholE', '/whole.', '/', '/Whole/a']) {
      assert.equal(await reason(await gate.ask(path)), '404 no_route', path)
    }
  })

  it('the path that is matched is the path that is forwarded, byte for byte', async () => {
    for (const path of [
      '/whole/%7Euser',
      '/whole/~user',
      '/whole/a%20b',
      '/whole/%41',
      '/whole/a;b=c',
      '/whole/%2F',
      '/whole/a%2fb?q=%2e%2e/..&//',
      '/whole/100%25',
      '/whole/é'.replace('é', '%C3%A9'),
      "/whole/a:b@c!$&'()*+,=",
      '/whole/?',
      '/whole/a/',
    ]) {
      const answer = await gate.ask(path)
      assert.equal(answer.status, 200, `${path}: ${answer.text}`)
      assert.equal(JSON.parse(answer.body).url, path)
    }
  })

  it('a path that two readers could understand differently: 400 ambiguous_path', async () => {
    for (const path of [
      '/whole/../photos',
      '/whole/./a',
      '/whole/..',
      '/whole/.',
      '/../whole',
      '/whole/%2e%2e/a',
      '/whole/.%2e/a',
      '/whole/%2E/a',
      '/whole/%252e%252e/a',
      '/whole/%25252e%25252e/a',
      '/whole/..;/a',
      '/whole/..;x=y/a',
      '/whole/%2e%2e;/a',
      '/whole/.;/a',
      '/whole\\a',
      '/whole/a%5Cb',
      '/whole/a%5cb',
      '/whole/a%255cb',
      '//whole',
      '/whole//a',
      '/whole/a//',
      '/whole/%00',
      '/whole/a%0d%0aX',
      '/whole/%7f',
      '/whole/%1F',
      '/whole/%',
      '/whole/%zz',
      '/whole/%4',
      '/whole%2Fdeep/a',
      '/whole/%2e%2e%2fphotos',
      '/whole/%64eep/a',
      '/%77hole/a',
    ]) {
      const verdict = await reason(await gate.ask(path))
      assert.match(verdict, /^400 (ambiguous_path|malformed_request)$/, `${path}: ${verdict}`)
    }
  })

  it('a path that percent-decoding leads to a public pattern or to a reserved path is ambiguous', async () => {
    for (const path of [
      '/photos/%73hare/a',
      '/photos/share%2fa',
      '/%6fauth/token',
      '/oauth%2Ftoken',
      '/.well-known%2fx',
      '/%61dmin',
    ]) {
      const verdict = await reason(await gate.ask(path))
      assert.match(verdict, /^400 ambiguous_path|^404 no_route/, `${path}: ${verdict}`)
      assert.notEqual(verdict, 'forward')
    }
  })

  it('encoded_slash: an ordinary character, or 400', async () => {
    assert.equal(await reason(await gate.ask('/whole/a%2Fb')), 'forward')
    assert.equal(await reason(await gate.ask('/strict/a%2Fb')), '400 ambiguous_path')
    assert.equal(await reason(await gate.ask('/strict/a%2fb')), '400 ambiguous_path')
    assert.equal(await reason(await gate.ask('/strict/a?x=%2F')), 'forward')
  })

  it('bytes that no request target has: 400', async () => {
    for (const target of [
      '/whole/a#b',
      '/whole/a\x01b',
      '/whole/\xe9',
      'http://other.example.com/whole',
      'gate.example.com:443',
      '*',
      'whole',
      '',
    ]) {
      const answer = await rawRequest(gate.port, `GET ${target} HTTP/1.1\r\nHost: ${GATE}\r\n\r\n`)
      assert.equal(answer.status, 400, `${target}: ${answer.text}`)
    }
    const connect = await rawRequest(gate.port, `CONNECT ${GATE}:443 HTTP/1.1\r\nHost: ${GATE}\r\n\r\n`)
    assert.equal(connect.status, 400, connect.text)
    assert.equal(JSON.parse(connect.body).reason, 'malformed_request')
    const star = await rawRequest(gate.port, `OPTIONS * HTTP/1.1\r\nHost: ${GATE}\r\n\r\n`)
    assert.equal(star.status, 204, star.text)
  })

  it('a missing or doubled Host: 400', async () => {
    for (const head of [
      '',
      `Host: ${GATE}\r\nHost: ${GATE}\r\n`,
      'Host: a b\r\n',
      'Host: a,b\r\n',
      'Host: user@a\r\n',
      'Host: \r\n',
      'Host: a/b\r\n',
    ]) {
      const answer = await rawRequest(gate.port, `GET /whole HTTP/1.1\r\n${head}\r\n`)
      assert.equal(answer.status, 400, `${head}: ${answer.text}`)
      assert.equal(answer.headers.get('content-type'), 'application/problem+json')
      assert.equal(JSON.parse(answer.body).reason, 'malformed_request')
    }
  })

  it('a request that two readers could frame differently: 400, and nothing goes upstream', async () => {
    const heads = upstream.heads
    for (const text of [
      'POST /whole HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'POST /whole HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!',
      'POST /whole HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello',
      'POST /whole HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello',
      'POST /whole HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
      'POST /whole HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n',
      'POST /whole HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n',
      'GET /whole HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n',
      'GET /whole HTTP/1.1\nHost: a\n\n',
      'GET /whole HTTP/1.1\r\nHost: a\r\nX\x00: b\r\n\r\n',
      'GET /whole HTTP/2.0\r\nHost: a\r\n\r\n',
      'GET /whole\r\n\r\n',
      '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n',
    ]) {
      const answer = await rawRequest(gate.port, text)
      assert.ok(answer.status === 400 || answer.status === 0, `${text}: ${answer.text}`)
      if (answer.status === 400) assert.equal(JSON.parse(answer.body).reason, 'malformed_request')
    }
    assert.equal(upstream.heads, heads)
  })

  it('a route that names the host stands before one that names none; port and case don’t matter', async () => {
    for (const name of ['photos.example.com', 'PHOTOS.example.COM', 'photos.example.com:8443']) {
      const answer = await gate.ask('/whole/deep/a', { lines: host(name) })
      const line = await gate.line(
        JSON.parse(answer.body).rawHeaders[JSON.parse(answer.body).rawHeaders.indexOf('X-Request-Id') + 1],
      )
      assert.equal(line.route, 'hosted', name)
    }
    const answer = await gate.ask('/echo', { lines: host('other.example.com') })
    assert.match(answer.body, /"X-Route","echo"/)
  })

  it('reserved paths belong to the issuer on hosts that no route names; a named host has its own', async () => {
    assert.equal(await reason(await gate.ask('/assets/x', { lines: host('photos.example.com') })), 'forward')
    assert.equal(await reason(await gate.ask('/oauth/token', { lines: host('photos.example.com') })), 'forward')
    assert.equal((await gate.ask('/oauth/token')).status, 404)
    const metadata = await gate.ask('/.well-known/oauth-protected-resource/photos', {
      lines: host('photos.example.com'),
    })
    assert.equal(JSON.parse(metadata.body).resource, PHOTOS)
  })

  it('strip_path takes the route’s path off, and keeps the rest byte for byte', async () => {
    const token = gate.token()
    for (const [path, seen] of [
      ['/photos', '/'],
      ['/photos/', '/'],
      ['/photos/a%20b?c=%2F', '/a%20b?c=%2F'],
      ['/photos?x', '/?x'],
      ['/photos/photos', '/photos'],
      ['/photos/?x', '/?x'],
    ] as const) {
      const answer = await gate.ask(path, { token })
      assert.equal(JSON.parse(answer.body).url, seen, path)
    }
  })

  it('an upstream with a path has it put before', async () => {
    for (const [path, seen] of [
      ['/based/a', '/base/based/a'],
      ['/based-strip/a?b', '/base/a?b'],
      ['/based-strip', '/base/'],
      ['/based-strip/', '/base/'],
    ] as const) {
      const answer = await gate.ask(path)
      assert.equal(JSON.parse(answer.body).url, seen, path)
    }
  })
})
