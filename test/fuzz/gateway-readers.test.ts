import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { photosRoute, startGateway, type TestGateway, yamlOf } from '../support/gateway-under-test.ts'
import { startUpstream, type TestUpstream } from '../support/upstreams.ts'

const LAST = 'GET /open/last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'

/** Mostly what clients send, and what is sent by who tries where readers differ. */
const METHODS = fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'POST', 'PUT', 'OPTIONS', 'TRACE', 'get', 'FOO', '')
const TARGETS = fc.constantFrom(
  ...['/open/a', '/open/a', '/open/b?c=/../d', '/photos/a', '/nowhere', '/open/%2e%2e/a', '/open//a', '/open/./a'],
  ...[
    '/open/a%2Fb',
    '/open/a;b',
    '/open/%zz',
    '/oauth/token',
    '/%6fauth/token',
    '/.well-known/oauth-protected-resource/photos',
  ],
  ...['http://x/open/a', 'x:80', '*', '/open/a#b', '/open/a b', '', '//open/a', '/open/a\\b', '/open/\x80', '/open/é'],
)
const VERSIONS = fc.constantFrom(
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'http/1.1',
  'HTTP/1.1 ',
)
const BODY = 'GET /open/smuggled HTTP/1.1\r\nHost: x\r\n\r\n'
const FIELDS = fc.constantFrom(
  ...['X-A: b', 'X-A:b', 'X-A: \t b \t', 'X-A:', 'x-a: B, c', 'X-Auth-Username: root', 'Cookie: a=b', 'Accept: */*'],
  ...[
    'X-A : b',
    ' X-A: b',
    'X-A: b\r\n c',
    'X-A: b\r\n\tc',
    ': b',
    'X-A',
    'X-A: b\0c',
    'X-A: b\rc',
    'X-A: b\nX-C: d',
    'X-A: \x80\xff',
  ],
  ...[
    'Host: x',
    'host: y',
    'Host:',
    'Host: x:99999',
    'Host : x',
    'Connection: keep-alive',
    'Connection: close',
    'Connection: X-A, Host',
  ],
  ...[
    'Content-Length: 0',
    `Content-Length: ${BODY.length}`,
    `Content-Length: 0${BODY.length}`,
    `content-length: +${BODY.length}`,
  ],
  ...[
    'Content-Length: 0, 0',
    'Content-Length:',
    'Content-Length: -1',
    'Content-Length: 1e1',
    `Content-Length:\t${BODY.length} `,
  ],
  ...[
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: identity',
    'Transfer-Encoding: gzip, chunked',
    'transfer-encoding: Chunked',
  ],
  ...[
    'Transfer-Encoding: chunked\r\nContent-Length: 5',
    'Transfer_Encoding: chunked',
    'Upgrade: h2c',
    'HTTP2-Settings: a',
  ],
  ...[
    'Authorization: Bearer a',
    'Authorization: Bearer  a',
    'Authorization: Basic YTpi',
    'authorization:Bearer a b',
    'Authorization: Bearer',
  ],
  ...['DPoP: a', 'Via: 1.1 us', 'Expect: 100-continue', 'Expect: else', 'TE: trailers', 'Proxy-Connection: close'],
)
const BODIES = fc.constantFrom(
  '',
  '',
  '',
  BODY,
  `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`,
  '0\r\n\r\n',
  '\r\n',
)

const REQUEST = fc
  .record({
    ...{ method: METHODS, target: TARGETS, version: VERSIONS, body: BODIES },
    fields: fc.array(FIELDS, { maxLength: 4 }),
    host: fc.constantFrom('Host: x\r\n', 'Host: x\r\n', 'Host: x\r\n', ''),
  })
  .map(({ method, target, version, host, fields, body }) =>
    [`${method} ${target} ${version}\r\n${host}`, ...fields.map((field) => `${field}\r\n`), '\r\n', body].join(''),
  )

describe('the fast path and the full parser', () => {
  let upstream: TestUpstream
  let gateway: TestGateway

  before(async () => {
    upstream = await startUpstream()
    gateway = await startGateway({
      yaml: yamlOf(`${photosRoute(upstream.url)}
  - { id: open, path: /open, public: true, upstream: "${upstream.url}" }`),
    })
  })
  after(async () => {
    await gateway.close()
    await upstream.close()
  })

  /** Once round through gateway and upstream: what was written before has been read by then. */
  async function round(): Promise<void> {
    await (await fetch(`${gateway.url}/open/round`)).text()
  }

  /** All that is answered to these segments, each read by itself. */
  async function answersTo(segments: readonly string[]): Promise<string> {
    // Each segment leaves at once, whether the one before it has been acknowledged or not.
    const socket = connect({ port: gateway.port, host: '127.0.0.1', noDelay: true })
    const state = { text: '', closed: false }
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      state.text += chunk.toString('latin1')
    })
    socket.once('close', () => {
      state.closed = true
    })
    await new Promise((resolve) => socket.once('connect', resolve))
    for (const segment of segments) {
      socket.write(segment, 'latin1')
      await round()
    }
    for (
      let still = 0, before = -1;
      still < 25 && !state.closed;
      still = state.text.length === before ? still + 1 : 0
    ) {
      before = state.text.length
      await round()
    }
    socket.destroy()
    return state.text
  }

  /** Without what differs from one request to the next, and what is between a reader and its connection. */
  function comparable(text: string): string {
    return text
      .replace(/^(?:date|connection|keep-alive|content-length|transfer-encoding): .*\r\n/gim, '')
      .replace(/^x-request-id: .*$/gim, 'x-request-id: #')
      .replace(/"request_id":"[^"]*"/g, '"request_id":"#"')
      .replace(/"X-Request-Id","[^"]*"/g, '"X-Request-Id","#"')
  }

  /** Where bytes are no request, an answer under way is cut off, or is out already: what was said is the same as far as it goes. */
  function assertSame(one: string, other: string, bytes: string): void {
    const [shorter = '', longer = ''] = [one, other].sort((a, b) => a.length - b.length)
    if (!/HTTP\/1\.1 4(?:00|31) /.test(longer)) assert.equal(one, other, bytes)
    assert.ok(longer.startsWith(shorter), `${bytes}\n${shorter}\n--\n${longer}`)
  }

  it('give the same for the same bytes, however they are cut, and neither sends an upstream what was a body', async (t: TestContext) => {
    const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31))
    t.diagnostic(`seed ${seed}`)
    await fc.assert(
      fc.asyncProperty(
        fc.array(REQUEST, { minLength: 1, maxLength: 3 }),
        fc.array(fc.nat(), { maxLength: 3 }),
        async (requests, cuts) => {
          const bytes = requests.join('') + LAST
          const whole = await answersTo([bytes])
          const apart = await answersTo([...requests, LAST])
          // After the first byte it can only be the full parser's.
          const points = [...new Set([0, 1, ...cuts.map((cut) => cut % bytes.length), bytes.length])].sort(
            (a, b) => a - b,
          )
          const cut = await answersTo(points.slice(1).map((point, i) => bytes.slice(points[i], point)))
          for (const other of [cut, apart]) assertSame(comparable(whole), comparable(other), JSON.stringify(bytes))
        },
      ),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 30), seed },
    )
    for (const { rawHeaders } of upstream.seen) assert.ok(rawHeaders.includes('X-Request-Id'))
  })
})
