import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type How, type Reading, read } from '../unit/proxy/reading.ts'

const OK = 'HTTP/1.1 200 OK\r\n'

/** Pieces that answers are made of, and that break them. */
const fragment = fc.constantFrom(
  ...[OK, 'HTTP/1.1 204 No Content\r\n', 'HTTP/1.1 103 Early Hints\r\n', 'HTTP/1.0 200 OK\r\n', 'HTTP/1.1 101 x\r\n'],
  ...['Content-Length: 3\r\n', 'Content-Length: 0\r\n', 'Transfer-Encoding: chunked\r\n', 'Connection: close\r\n'],
  ...[
    'A: b\r\n',
    'A : b\r\n',
    ' folded\r\n',
    '\r\n',
    '\n',
    '\r',
    '\0',
    ':',
    'abc',
    '3\r\nabc\r\n',
    '0\r\n\r\n',
    '0\r\n',
  ],
  ...['a;x=y\r\n0123456789\r\n', 'ffffffffffffff\r\n', 'X-Sum: 1\r\n', '\r\n\r\n', ' ', '5', '-1\r\n', '\xff'],
)
const hostile = fc.oneof(
  fc.array(fragment, { maxLength: 14 }).map((parts) => parts.join('')),
  fc.array(fragment, { maxLength: 8 }).map((parts) => `${OK}Transfer-Encoding: chunked\r\n\r\n${parts.join('')}`),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
)

const how = fc.record({ head: fc.boolean(), upgrade: fc.boolean(), end: fc.boolean() })

/** What must not depend on where the bytes were cut: a fault is found sooner or later in other words, and excess by who owns the connection. */
function essence({ body, ended, informed, trailers, upgraded, fault }: Reading) {
  return { body: fault === undefined ? body : '', ended, informed, trailers, upgraded, fault: fault !== undefined }
}

describe('a hostile upstream', () => {
  it('gets the same reading wherever its bytes are cut', () => {
    fc.assert(
      fc.property(hostile, how, fc.array(fc.nat(400), { maxLength: 6 }), (text, options: How, cuts) => {
        const whole = essence(read(text, options))
        const within = cuts.filter((cut) => cut <= text.length)
        assert.deepEqual(essence(read(text, { ...options, cuts: within })), whole)
        assert.deepEqual(essence(read(text, { ...options, step: 1 })), whole)
      }),
      { numRuns: 5_000 },
    )
  })

  it('gets the same reading of a good answer, cut at every byte in turn', () => {
    const early = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'
    const text = `${early}${OK}Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n`
    const whole = read(text)
    assert.equal(whole.ended, true)
    for (let cut = 0; cut <= text.length; cut++) assert.deepEqual(read(text, { cuts: [cut] }), whole, `cut at ${cut}`)
  })

  it('never gets more of a body through than it framed', () => {
    fc.assert(
      fc.property(fc.nat(20), fc.string({ maxLength: 40 }), fc.integer({ min: 1, max: 9 }), (length, body, step) => {
        const bytes = Buffer.from(body).toString('latin1')
        const reading = read(`${OK}Content-Length: ${length}\r\n\r\n${bytes}`, { step })
        assert.equal(reading.body, bytes.slice(0, length))
        assert.equal(reading.ended, bytes.length >= length)
      }),
      { numRuns: 500 },
    )
  })

  it('gets any body through in chunks of any size, byte for byte', () => {
    const chunked = (bodies: readonly string[]) =>
      bodies.map((each) => `${each.length.toString(16)}\r\n${each}\r\n`).join('')
    const chunk = fc.uint8Array({ minLength: 1, maxLength: 30 }).map((bytes) => Buffer.from(bytes).toString('latin1'))
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 12 }), fc.integer({ min: 1, max: 50 }), (bodies, step) => {
        const reading = read(`${OK}Transfer-Encoding: chunked\r\n\r\n${chunked(bodies)}0\r\n\r\n`, { step })
        assert.deepEqual([reading.body, reading.ended, reading.fault], [bodies.join(''), true, undefined])
      }),
      { numRuns: 1_000 },
    )
  })
})
