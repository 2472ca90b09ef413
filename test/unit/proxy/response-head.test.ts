import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseFieldLines, parseResponseHead, type ResponseHead } from '../../../src/proxy/http1/response-head.ts'

function parse(text: string, headRequest = false): ResponseHead {
  const head = parseResponseHead(text, headRequest)
  return 'fault' in head ? assert.fail(head.fault) : head
}

function faultOf(text: string): string {
  const head = parseResponseHead(text, false)
  return 'fault' in head ? head.fault : assert.fail(`took ${JSON.stringify(text)}`)
}

describe('the head of an upstream answer', () => {
  it('keeps status, reason, order, case and duplicates of the fields', () => {
    const head = parse('HTTP/1.1 299 Quite  fine\r\nb: 1\r\nA: \t x y \t\r\nB: 2\r\nempty:\r\n')
    assert.equal(head.status, 299)
    assert.equal(head.reason, 'Quite  fine')
    assert.deepEqual(head.headers, ['b', '1', 'A', 'x y', 'B', '2', 'empty', ''])
  })

  it('may have an empty reason, or none at all', () => {
    assert.equal(parse('HTTP/1.1 200 \r\n').reason, '')
    assert.equal(parse('HTTP/1.1 200\r\n').reason, '')
  })

  const malformed: readonly (readonly [string, string])[] = [
    ['garbage', 'hello\r\n'],
    ['another protocol', 'ICY 200 OK\r\n'],
    ['lower case', 'http/1.1 200 OK\r\n'],
    ['HTTP/2', 'HTTP/2.0 200 OK\r\n'],
    ['a long version', 'HTTP/1.10 200 OK\r\n'],
    ['two spaces', 'HTTP/1.1  200 OK\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n'],
    ['a status below 100', 'HTTP/1.1 099 OK\r\n'],
    ['a signed status', 'HTTP/1.1 +20 OK\r\n'],
    ['NUL in the reason', 'HTTP/1.1 200 O\0K\r\n'],
    ['a bare CR in the reason', 'HTTP/1.1 200 O\rK\r\n'],
    ['a bare LF in the reason', 'HTTP/1.1 200 O\nK: 1\r\n'],
    ['white space before the status line', ' HTTP/1.1 200 OK\r\n'],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\nA : 1\r\n'],
    ['no colon', 'HTTP/1.1 200 OK\r\nA\r\n'],
    ['an empty name', 'HTTP/1.1 200 OK\r\n: 1\r\n'],
    ['obs-fold', 'HTTP/1.1 200 OK\r\nA: 1\r\n 2\r\n'],
    ['a folded first line', 'HTTP/1.1 200 OK\r\n A: 1\r\n'],
    ['a bare LF between fields', 'HTTP/1.1 200 OK\r\nA: 1\nB: 2\r\n'],
    ['a bare CR in a value', 'HTTP/1.1 200 OK\r\nA: 1\rB: 2\r\n'],
    ['NUL in a value', 'HTTP/1.1 200 OK\r\nA: \0\r\n'],
    ['a name that is no token', 'HTTP/1.1 200 OK\r\nA(b): 1\r\n'],
    ['a name beyond ASCII', 'HTTP/1.1 200 OK\r\nÄ: 1\r\n'],
  ]
  for (const [what, text] of malformed)
    it(`is refused for ${what}`, () => assert.match(faultOf(text), /malformed|HTTP/))

  it('is refused with more than 200 fields', () => {
    assert.equal(parse(`HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(200)}`).headers.length, 400)
    assert.match(faultOf(`HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(201)}`), /more than 200/)
  })

  it('is read in linear time, whatever its length', () => {
    const started = performance.now()
    faultOf(`HTTP/1.1 200 OK\r\n${'a:'.repeat(30_000)}\0\r\n`)
    faultOf(`HTTP/1.1 200 OK\r\nA: ${' '.repeat(60_000)}\0\r\n`)
    assert.ok(performance.now() - started < 500)
  })
})

describe('RFC 9112 §6.3: the length of an answer', () => {
  it('is what Content-Length says', () => {
    const head = parse('HTTP/1.1 200 OK\r\nContent-Length: 12\r\n')
    assert.deepEqual([head.framing, head.length, head.persistent], ['length', 12, true])
  })

  it('is chunked when Transfer-Encoding says so, in any case', () => {
    assert.equal(parse('HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n').framing, 'chunked')
  })

  it('is up to the end of the connection when nothing is said', () => {
    const head = parse('HTTP/1.1 200 OK\r\n')
    assert.deepEqual([head.framing, head.persistent], ['close', false])
  })

  it('is nothing for HEAD, 1xx, 204 and 304, whatever the fields say', () => {
    assert.equal(parse('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n', true).framing, 'none')
    assert.equal(parse('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n', true).framing, 'none')
    for (const status of [103, 204, 304]) {
      assert.equal(parse(`HTTP/1.1 ${status} x\r\nContent-Length: 5\r\n`).framing, 'none')
    }
  })

  it('takes equal Content-Length fields for one, and passes one on', () => {
    assert.deepEqual(parse('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: 1\r\ncontent-length: 5\r\n').headers, [
      ...['Content-Length', '5', 'A', '1'],
    ])
    assert.deepEqual(parse('HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n').headers, ['Content-Length', '5'])
  })

  const faults: readonly (readonly [string, string])[] = [
    ['differing lengths', 'Content-Length: 5\r\nContent-Length: 6\r\n'],
    ['differing lengths in a list', 'Content-Length: 5, 6\r\n'],
    ['a signed length', 'Content-Length: +5\r\n'],
    ['a negative length', 'Content-Length: -5\r\n'],
    ['a hexadecimal length', 'Content-Length: 0x5\r\n'],
    ['an empty length', 'Content-Length:\r\n'],
    ['a length beyond exact numbers', 'Content-Length: 99999999999999999999\r\n'],
    ['a length with white space inside', 'Content-Length: 1 2\r\n'],
    ['a length beside chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'],
    ['an unknown coding', 'Transfer-Encoding: gzip\r\n'],
    ['a coding before chunked', 'Transfer-Encoding: gzip, chunked\r\n'],
    ['chunked twice', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n'],
    ['chunked, then identity', 'Transfer-Encoding: chunked, identity\r\n'],
    ['a coding that looks like chunked', 'Transfer-Encoding: xchunked\r\n'],
    ['an empty coding', 'Transfer-Encoding:\r\n'],
  ]
  for (const [what, fields] of faults) {
    it(`is a fault with ${what}`, () => assert.ok(faultOf(`HTTP/1.1 200 OK\r\n${fields}`)))
  }

  it('is a fault when HTTP/1.0 chunks', () => {
    assert.match(faultOf('HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n'), /HTTP\/1\.0/)
  })
})

describe('a connection is kept', () => {
  it('unless the answer says close, in any of its Connection fields', () => {
    const persistent = (fields: string) => parse(`HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${fields}`).persistent
    assert.equal(persistent(''), true)
    assert.equal(persistent('Connection: keep-alive\r\n'), true)
    assert.equal(persistent('Connection: X-Closed, not-close\r\n'), true)
    assert.equal(persistent('Connection: x\r\nconnection: X, Close\r\n'), false)
  })

  it('never with HTTP/1.0', () => {
    assert.equal(parse('HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n').persistent, false)
  })

  it('as long as Keep-Alive hints', () => {
    assert.equal(parse('HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5, max=100\r\n').keepAliveSeconds, 5)
    assert.equal(parse('HTTP/1.1 200 OK\r\nKeep-Alive: max=100\r\n').keepAliveSeconds, undefined)
  })
})

describe('field lines', () => {
  it('need no field at all', () => assert.deepEqual(parseFieldLines(''), []))
  it('end in CRLF', () => assert.equal(parseFieldLines('a: b'), undefined))
})
