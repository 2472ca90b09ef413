import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { FILES, GATE, routeOf, type ServedGate, serveGate } from '../../support/gate.ts'
import { fieldOf, type RawAnswer, startUpstream, type TestUpstream } from '../../support/upstreams.ts'

describe('WebDAV through the gateway, from outside', () => {
  let upstream: TestUpstream
  let gate: ServedGate

  before(async () => {
    upstream = await startUpstream((request, response, seen) => {
      const path = (request.url ?? '').split('?')[0]
      if (path?.endsWith('/moved')) {
        const location = decodeURIComponent((request.url ?? '').split('?')[1] ?? '')
        response.writeHead(302, { Location: location, 'Content-Location': location, 'Content-Length': 0 }).end()
        return
      }
      if (request.method !== 'PROPFIND') {
        response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(seen))
        return
      }
      const href = (text: string) =>
        `<D:response><D:href>${text}</D:href><D:status>HTTP/1.1 200 OK</D:status></D:response>`
      const own = `http://127.0.0.1:${upstream.port}`
      const xml = `<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">${[path ?? '', '/a%20b/', `${own}/c&amp;d`, 'http://other.example/x', 'rel'].map(href).join('')}</D:multistatus>`
      const gzip = String(request.headers['accept-encoding'] ?? '').includes('gzip')
      const body = gzip ? gzipSync(xml) : Buffer.from(xml)
      response.writeHead(207, {
        'Content-Type': 'application/xml; charset=utf-8',
        'Content-Length': body.length,
        ...(gzip ? { 'Content-Encoding': 'gzip' } : {}),
      })
      // In pieces that cut the names and addresses.
      for (let i = 0; i < body.length; i += 7) response.write(body.subarray(i, i + 7))
      response.end()
    })
    gate = await serveGate(
      [
        routeOf('dav', upstream.url, '    strip_path: true'),
        routeOf('kept', upstream.url),
        routeOf('based', `${upstream.url}/base`, '    strip_path: true'),
        `
  - id: ruled
    path: /ruled
    strip_path: true
    resource: ${FILES}
    upstream: ${upstream.url}
    rules:
      - { methods: [read], scopes: [files:read] }
      - { methods: [write], paths: [/locked/**], scopes: [files:write] }
      - { methods: [write], paths: [/free/**], scopes: [files:read] }`,
      ].join(''),
    )
  })
  after(async () => {
    await gate.close()
    await upstream.close()
  })

  const ask = (method: string, path: string, lines: readonly string[] = [], claims: object = {}): Promise<RawAnswer> =>
    gate.ask(path, { method, lines, token: gate.token({ claims: { ...claims } }) })
  const move = (destination: string, path = '/dav/a', method = 'MOVE') =>
    ask(method, path, [`Destination: ${destination}`])
  async function arrives(answer: RawAnswer): Promise<unknown> {
    assert.equal(answer.status, 200, answer.text)
    return fieldOf(JSON.parse(dechunk(answer)), 'destination')
  }
  function refused(answer: RawAnswer, status: number, reason: string): void {
    assert.equal(answer.status, status, answer.text)
    assert.equal(JSON.parse(answer.body).reason, reason)
  }

  it('Destination reaches the upstream in the upstream’s own terms', async () => {
    const own = `http://127.0.0.1:${upstream.port}`
    for (const [path, destination, wanted] of [
      ['/dav/a', '/dav/b%20c', '/b%20c'],
      ['/dav/a', `http://${GATE}/dav/b`, '/b'],
      ['/dav/a', `https://${GATE}/dav/b`, '/b'],
      ['/kept/a', '/kept/b', '/kept/b'],
      ['/kept/a', `http://${GATE}/kept/b`, '/kept/b'],
      ['/based/a', '/based/b', '/base/b'],
    ] as const) {
      for (const method of ['MOVE', 'COPY']) {
        const seen = String(await arrives(await move(destination, path, method)))
        assert.ok([wanted, `${own}${wanted}`].includes(seen), `${destination} became ${seen}`)
      }
    }
  })

  it('Destination on another host: 502 destination_elsewhere', async () => {
    for (const destination of [
      'http://other.example/dav/b',
      `http://${GATE}.evil.example/dav/b`,
      `http://user@other.example/dav/b`,
      `http://${GATE}:81/dav/b`,
      '//other.example/dav/b',
    ]) {
      const answer = await move(destination)
      assert.ok([502, 400].includes(answer.status), `${destination}: ${answer.text}`)
      if (!destination.startsWith('//')) refused(answer, 502, 'destination_elsewhere')
    }
  })

  it('Destination on another route, or not allowed: 403 destination_not_allowed', async () => {
    refused(await move('/kept/b'), 403, 'destination_not_allowed')
    refused(await move(`http://${GATE}/nowhere`), 403, 'destination_not_allowed')
    refused(await move('/davish/b'), 403, 'destination_not_allowed')
    const claims = { aud: FILES, scope: 'files:read' }
    refused(
      await ask('MOVE', '/ruled/free/a', ['Destination: /ruled/locked/b'], claims),
      403,
      'destination_not_allowed',
    )
    refused(
      await ask('MOVE', '/ruled/free/a', ['Destination: /ruled/unruled/b'], claims),
      403,
      'destination_not_allowed',
    )
    assert.match(
      String(await arrives(await ask('MOVE', '/ruled/free/a', ['Destination: /ruled/free/b'], claims))),
      /\/free\/b$/,
    )
  })

  it('Destination is judged like a request’s path; two of them, or none that can be read: 400', async () => {
    for (const destination of [
      '/dav/../kept/b',
      '/dav/%2e%2e/b',
      '/dav/%252e%252e/b',
      '/dav//b',
      '/dav/a\\b',
      '/dav/%00',
      '/dav/b#f',
      '',
      'b',
      `ftp://${GATE}/dav/b`,
    ]) {
      const answer = await move(destination)
      assert.equal(answer.status, 400, `${destination}: ${answer.text}`)
      assert.match(JSON.parse(answer.body).reason, /^(ambiguous_path|malformed_request)$/)
    }
    const two = await ask('MOVE', '/dav/a', ['Destination: /dav/b', 'Destination: /dav/c'])
    refused(two, 400, 'malformed_request')
  })

  it('the tagged lists of If are put in the upstream’s terms', async () => {
    const answer = await ask('PUT', '/dav/a', [
      `If: <http://${GATE}/dav/a%20b> (<urn:uuid:1> ["e"]) (Not <urn:uuid:2>) </dav/c> (<urn:uuid:3>)`,
    ])
    const seen = String(fieldOf(JSON.parse(dechunk(answer)), 'if'))
    assert.match(
      seen,
      /^<(http:\/\/127\.0\.0\.1:\d+)?\/a%20b> \(<urn:uuid:1> \["e"\]\) \(Not <urn:uuid:2>\) <(http:\/\/127\.0\.0\.1:\d+)?\/c> \(<urn:uuid:3>\)$/,
    )
    const untagged = await ask('PUT', '/dav/a', ['If: (<urn:uuid:1>)'])
    assert.equal(fieldOf(JSON.parse(dechunk(untagged)), 'if'), '(<urn:uuid:1>)')
  })

  it('the hrefs of 207 answers get the prefix back as they stream, and the request asks for identity encoding', async () => {
    const answer = await ask('PROPFIND', '/dav/x', ['Depth: 1', 'Accept-Encoding: gzip, br'])
    assert.equal(answer.status, 207)
    assert.equal(answer.headers.get('content-encoding'), undefined)
    const seen = upstream.seen.at(-1)
    assert.match(String(fieldOf(seen, 'accept-encoding') ?? 'identity'), /^identity$/)
    const text = dechunk(answer)
    assert.match(text, /<D:href>\/dav\/x<\/D:href>/)
    assert.match(text, /<D:href>\/dav\/a%20b\/<\/D:href>/)
    assert.match(text, /<D:href>(http:\/\/gate\.example\.com)?\/dav\/c&amp;d<\/D:href>/)
    assert.match(text, /<D:href>http:\/\/other\.example\/x<\/D:href>/)
  })

  it('207 of a route that strips nothing passes as it came', async () => {
    const answer = await ask('PROPFIND', '/kept/x', ['Accept-Encoding: gzip'])
    assert.equal(answer.headers.get('content-encoding'), 'gzip')
    const text = gunzipSync(Buffer.from(answer.body, 'latin1')).toString()
    assert.match(text, /<D:href>\/kept\/x<\/D:href>/)
  })

  it('Location and Content-Location get the prefix back', async () => {
    const own = `http://127.0.0.1:${upstream.port}`
    for (const [location, wanted] of [
      ['/b?c#d', '/dav/b?c#d'],
      [`${own}/b`, `http://${GATE}/dav/b`],
      ['b', 'b'],
      ['?x', '?x'],
      ['https://other.example/b', 'https://other.example/b'],
      ['/', '/dav/'],
    ] as const) {
      const answer = await ask('GET', `/dav/moved?${encodeURIComponent(location)}`)
      for (const name of ['location', 'content-location']) {
        const seen = answer.headers.get(name)
        assert.ok(seen === wanted || seen === wanted.replace(`http://${GATE}`, ''), `${location}: ${name} ${seen}`)
      }
    }
    const based = await ask('GET', `/based/moved?${encodeURIComponent('/base/b')}`)
    assert.equal(based.headers.get('location'), '/based/b')
    const kept = await ask('GET', `/kept/moved?${encodeURIComponent('/kept/b')}`)
    assert.equal(kept.headers.get('location'), '/kept/b')
  })

  it('read and write cover WebDAV’s methods', async () => {
    const reads = ['GET', 'HEAD', 'OPTIONS', 'PROPFIND', 'REPORT', 'SEARCH']
    const writes = [
      'PUT',
      'POST',
      'PATCH',
      'DELETE',
      'MKCOL',
      'PROPPATCH',
      'LOCK',
      'UNLOCK',
      'ACL',
      'MKCALENDAR',
      'FOO',
    ]
    for (const [methods, scope, other] of [
      [reads, 'photos:read', 'photos:write'],
      [writes, 'photos:write', 'photos:read'],
    ] as const) {
      for (const method of methods) {
        const good = await ask(method, '/kept/a', [], { scope })
        if (method === 'FOO') assert.ok([200, 400].includes(good.status), `${method}: ${good.text}`)
        else assert.ok([200, 207].includes(good.status), `${method}: ${good.text}`)
        if (method !== 'FOO') assert.equal((await ask(method, '/kept/a', [], { scope: other })).status, 403, method)
      }
    }
  })
})

/** The body of an answer that may be chunked. */
function dechunk({ headers, body }: RawAnswer): string {
  if (headers.get('transfer-encoding') !== 'chunked') return body
  let text = ''
  for (let at = 0; ; ) {
    const end = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.slice(at, end), 16)
    if (!(size > 0)) return text
    text += body.slice(end + 2, end + 2 + size)
    at = end + 4 + size
  }
}
