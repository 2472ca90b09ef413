import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { startGateway, type TestGateway, yamlOf } from '../../../support/gateway-under-test.ts'
import { rawRequest, startUpstream, type TestUpstream } from '../../../support/upstreams.ts'
import { type RealServer, startHaproxyBefore, startNginxBefore } from '../../../support/upstreams-real.ts'

/** Who reads what the gateway sends on, each before a server of its own that tells what came. */
const READERS = ['node', 'nginx', 'haproxy'] as const
type Reader = (typeof READERS)[number]

const ends: TestUpstream[] = []
const real: RealServer[] = []
let gateway: TestGateway

before(async () => {
  for (const _ of READERS) ends.push(await startUpstream())
  const [node, nginx, haproxy] = ends.map(({ port }) => port)
  real.push(await startNginxBefore(nginx ?? 0), await startHaproxyBefore(haproxy ?? 0))
  const ports = [node, ...real.map(({ port }) => port)]
  const routes = READERS.map(
    (id, i) => `\n  - { id: ${id}, host: ${id}.test, path: /, public: true, upstream: "http://127.0.0.1:${ports[i]}" }`,
  )
  gateway = await startGateway({ yaml: yamlOf(routes.join('')) })
})
after(async () => {
  await gateway.close()
  for (const each of [...real, ...ends]) await each.close()
})

// Written by each reader for itself, or made anew for each request.
const OWN = /^(host|connection|content-length|transfer-encoding|x-request-id|x-forwarded-.*|via|te)$/

/** What a reader understood: all but the fields that are its own. */
async function understood(reader: Reader, request: string) {
  const end = ends[READERS.indexOf(reader)]
  const before = end?.seen.length ?? 0
  const { status, text } = await rawRequest(gateway.port, request.replaceAll('HOST', `${reader}.test`))
  const seen = end?.seen.slice(before) ?? []
  const requests = seen.map(({ method, url, rawHeaders, bodyBytes, bodyHash }) => {
    const fields = rawHeaders.flatMap((name, i) =>
      i % 2 === 0 && !OWN.test(name.toLowerCase()) ? [`${name.toLowerCase()}: ${rawHeaders[i + 1]}`] : [],
    )
    return { method, url, bodyBytes, bodyHash, fields: fields.sort() }
  })
  return { status, requests, text }
}

const name = fc
  .string({ unit: fc.constantFrom(...'abzXZ09!#$%&*+-.^_|~'), minLength: 3, maxLength: 12 })
  .map((text) => `x-${text}`)
const value = fc
  .string({ unit: fc.constantFrom(...' \tabc:,;="\\/\u00ff\u0080~'), maxLength: 20 })
  .map((text) => text.trim())
const path = fc.string({ unit: fc.constantFrom(...'abcXY019/-._~!$&()*+,;=:@'), maxLength: 16 })
const query = fc.string({ unit: fc.constantFrom(...'abc/?=&%20\'"<>[]{}|`^:;'), maxLength: 12 })
const method = fc.constantFrom(
  'GET',
  'POST',
  'PUT',
  'DELETE',
  'PATCH',
  'OPTIONS',
  'PROPFIND',
  'REPORT',
  'MKCOL',
  'LOCK',
  'SEARCH',
)
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'
const body = fc.oneof(
  fc.constant(undefined),
  fc.constant(''),
  fc.constant(SMUGGLED),
  fc.string({ unit: 'binary-ascii', maxLength: 200 }),
)

const framed = fc.tuple(body, fc.boolean(), fc.integer({ min: 1, max: 50 })).map(([text, chunked, size]) => {
  if (text === undefined) return { head: '', rest: '', text: '' }
  if (!chunked) return { head: `Content-Length: ${text.length}\r\n`, rest: text, text }
  const chunks = text.match(new RegExp(`[\\s\\S]{1,${size}}`, 'g')) ?? []
  const rest = `${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')}0\r\nX-Trailer: 1\r\n\r\n`
  return { head: 'Transfer-Encoding: chunked\r\n', rest, text }
})

/** Offers of other protocols. A tunnel is made for who sends no body, so that only who sends one offers what the routes let through. */
const offer = fc.constantFrom(undefined, undefined, 'h2c', 'websocket')

/** Mostly plain, so that one abuse at a time is seen to the end. */
const mostly = (plain: string, ...odd: readonly string[]) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(plain) }, { weight: 2, arbitrary: fc.constantFrom(...odd) })

const oddMethod = mostly('POST', 'GET', 'PUT', 'get', 'PURGE', 'M-SEARCH', 'FOO', 'TRACE', 'PRI', 'G@T', 'UNSUBSCRIBE')
const oddTarget = mostly(
  '/a',
  'http://HOST/a',
  'http://HOST:80/a',
  'http://x/a',
  'HTTP://HOST/a',
  '*',
  'a',
  '/a#b',
  '/a b',
  'HOST:80',
)
const oddLines = mostly(
  '',
  'X-A: 1\r\n 2\r\n',
  'X-A: 1\nX-B: 2\r\n',
  'X-A: 1\rX-B: 2\r\n',
  'X-A : 1\r\n',
  ' X-A: 1\r\n',
  'X-A\r\n',
  ': 1\r\n',
  'X-A: \x00\r\n',
  'Host: HOST\r\n',
  'Expect: 100-continue\r\n',
  'Expect: tea\r\n',
  'Connection: Content-Length\r\n',
  'Connection: Transfer-Encoding, Host\r\n',
  'Connection: no-upgrade\r\nUpgrade: h2c\r\n',
  ...['h2c', 'websocket', 'h2c, websocket', ''].map((protocol) => `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`),
)

const lengths = [
  ...['5', '5 ', '05', '+5', '-5', '5, 5', '5,5', '0x5', '5.0', '5e0', '', ' ', '9007199254740993', '\t5'].map(
    (length) => `Content-Length: ${length}\r\n`,
  ),
  ...['5', '6', '05'].map((second) => `Content-Length: 5\r\nContent-Length: ${second}\r\n`),
  ...['content_length', 'Content-Length ', 'Content\u00adLength'].map((field) => `${field}: 5\r\n`),
].map((head) => ({ head, rest: 'hello' }))

const codings = [
  ...['chunked', 'Chunked', ' chunked', 'chunked ', '\tchunked', '\x0bchunked', '"chunked"', 'xchunked', 'chunked;q=1'],
  ...[
    'chunked, chunked',
    'gzip, chunked',
    'chunked, identity',
    'identity',
    'identity, chunked',
    ', chunked',
    'chunked,',
  ],
].map((coding) => `Transfer-Encoding: ${coding}\r\n`)
const coded = [
  ...codings,
  'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n',
  'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n',
  'Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n',
  'Transfer_Encoding: chunked\r\n',
  'Transfer-Encoding : chunked\r\n',
  'Transfer-Encoding:\r\n chunked\r\n',
].map((head) => ({ head, rest: '5\r\nhello\r\n0\r\n\r\n' }))

const chunks = [
  ...[
    '5;a=b\r\nhello',
    '5;a="b;c"\r\nhello',
    '5 ;a\r\nhello',
    '5;\r\nhello',
    '5 \r\nhello',
    '05\r\nhello',
    '5\nhello',
    '+5\r\nhello',
  ],
  ...[
    '0x5\r\nhello',
    '5;a\nb\r\nhello',
    '5;a\rb\r\nhello',

    '-5\r\nhello',
    '\r\n5\r\nhello',
    '5\r\nhelloX',
  ],
].map((chunk) => ({ head: 'Transfer-Encoding: chunked\r\n', rest: `${chunk}\r\n0\r\n\r\n` }))
const ends0 = [
  '0\n\n',
  '0\r\nX-T: 1\r\n\r\n',
  '0;a\r\n\r\n',
  '000\r\n\r\n',
  '0\r\nContent-Length: 5\r\n\r\n',
  '0\r\nX-T\r\n\r\n',
].map((end) => ({ head: 'Transfer-Encoding: chunked\r\n', rest: `5\r\nhello\r\n${end}` }))
const oddFraming = fc.oneof(
  fc.constant({ head: 'Content-Length: 5\r\n', rest: 'hello' }),
  fc.constantFrom(...lengths),
  fc.constantFrom(...coded),
  fc.constantFrom(...chunks, ...ends0),
)

describe('what the gateway sends on', () => {
  it('is read alike by node, nginx and HAProxy: as many requests, with the same method, path, fields and body', async () => {
    const told = { forwarded: 0 }
    await fc.assert(
      fc.asyncProperty(
        method,
        path,
        query,
        fc.array(fc.tuple(name, value), { maxLength: 5 }),
        framed,
        offer,
        async (verb, tail, asked, fields, sent, protocol) => {
          const target = `/${tail}${asked === '' ? '' : `?${asked}`}`
          const lines = fields.map(([field, text]) => `${field}: ${text}\r\n`).join('')
          const offers = protocol === 'h2c' || (protocol !== undefined && sent.text !== '')
          const offered = offers ? `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n` : ''
          const request = `${verb} ${target} HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n${offered}${lines}${sent.head}\r\n${sent.rest}`
          const [node, ...others] = await Promise.all(READERS.map((reader) => understood(reader, request)))
          if (node?.status === 400) return
          told.forwarded += 1
          assert.equal(node?.requests.length, 1, request)
          const [one] = node?.requests ?? []
          assert.deepEqual([one?.method, one?.url, one?.bodyBytes], [verb, target, sent.text.length])
          assert.equal(one?.bodyHash, createHash('sha256').update(sent.text, 'latin1').digest('hex'))
          for (const other of others) assert.deepEqual(other.requests, node?.requests, other.text)
        },
      ),
      { numRuns: 100 },
    )
    assert.ok(told.forwarded > 40, `${told.forwarded} went on`)
  })

  it('is one request or none, and the same to all three, however a client abuses the grammar', async () => {
    const told = { forwarded: 0, refused: 0 }
    await fc.assert(
      fc.asyncProperty(oddMethod, oddTarget, oddLines, oddFraming, async (verb, target, lines, sent) => {
        const request = `${verb} ${target} HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n${lines}${sent.head}\r\n${sent.rest}${SMUGGLED}`
        const [node, ...others] = await Promise.all(READERS.map((reader) => understood(reader, request)))
        const seen = node?.requests ?? []
        assert.ok(seen.length <= 1 && !seen.some(({ url }) => url === '/smuggled'), request)
        if (seen.length === 0) told.refused += 1
        else told.forwarded += 1
        // What the gateway lets through HAProxy or nginx may refuse for themselves, by a status of their own.
        for (const other of others) if (other.requests.length > 0) assert.deepEqual(other.requests, seen, request)
      }),
      { numRuns: 400 },
    )
    assert.ok(told.forwarded > 20 && told.refused > 20, JSON.stringify(told))
  })
})
