import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { startGateway, type TestGateway, yamlOf } from '../support/gateway-under-test.ts'
import { rawRequest, startUpstream, type TestUpstream } from '../support/upstreams.ts'
import { type RealServer, startHaproxyBefore, startNginxBefore } from '../support/upstreams-real.ts'

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
  const { status, text } = await rawRequest(gateway.port, request.replace('HOST', `${reader}.test`))
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
        async (verb, tail, asked, fields, sent) => {
          const target = `/${tail}${asked === '' ? '' : `?${asked}`}`
          const lines = fields.map(([field, text]) => `${field}: ${text}\r\n`).join('')
          const request = `${verb} ${target} HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n${lines}${sent.head}\r\n${sent.rest}`
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
})
