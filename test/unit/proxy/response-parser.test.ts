import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { read } from './reading.ts'

const OK = 'HTTP/1.1 200 OK\r\n'
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`

describe('reading an answer', () => {
  it('takes as many bytes as Content-Length says; more of them spoil the connection', () => {
    assert.deepEqual(read(`${OK}Content-Length: 5\r\n\r\nhello`), { body: 'hello', ended: true, excess: false })
    assert.deepEqual(read(`${OK}Content-Length: 5\r\n\r\nhello!`), { body: 'hello', ended: true, excess: true })
    assert.deepEqual(read(`${OK}Content-Length: 5\r\n\r\nhell`), { body: 'hell', ended: false })
  })

  it('takes no body from 204, 304 and answers to HEAD', () => {
    assert.deepEqual(read('HTTP/1.1 204 x\r\nContent-Length: 2\r\n\r\nhi'), { body: '', ended: true, excess: true })
    assert.deepEqual(read('HTTP/1.1 304 x\r\nContent-Length: 2\r\n\r\n'), { body: '', ended: true, excess: false })
    assert.deepEqual(read(`${CHUNKED}`, { head: true }), { body: '', ended: true, excess: false })
  })

  it('takes a second answer for excess', () => {
    const answer = `${OK}Content-Length: 2\r\n\r\nhi`
    assert.deepEqual(read(answer + answer), { body: 'hi', ended: true, excess: true })
  })

  it('reads to the end of the connection when no length is given', () => {
    assert.deepEqual(read(`${OK}\r\nabc`, { end: true }), { body: 'abc', ended: true, excess: false })
  })

  it('does not take an end in the middle for an end', () => {
    for (const text of [
      '',
      'HTTP/1.1 2',
      `${OK}Content-Length: 2\r\n\r\nh`,
      `${CHUNKED}1\r\nx\r\n`,
      `${CHUNKED}0\r\n`,
    ]) {
      assert.equal(read(text, { end: true }).ended, false, text)
    }
  })

  it('passes 1xx on, swallows 100, and goes on to the answer', () => {
    const early = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'
    assert.deepEqual(read(`HTTP/1.1 100 Continue\r\n\r\n${early}${OK}Content-Length: 0\r\n\r\n`), {
      ...{ body: '', ended: true, excess: false, informed: [103] },
    })
  })

  it('bears 16 informational answers and no more', () => {
    assert.equal(read('HTTP/1.1 102 x\r\n\r\n'.repeat(16)).fault, undefined)
    assert.match(read('HTTP/1.1 102 x\r\n\r\n'.repeat(17)).fault ?? '', /informational/)
    assert.match(read('HTTP/1.1 100 x\r\n\r\n'.repeat(17)).fault ?? '', /informational/)
  })

  it('switches protocols only when asked', () => {
    const upgrade = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nraw'
    assert.match(read(upgrade).fault ?? '', /unasked/)
    assert.deepEqual(read(upgrade, { upgrade: true }), { body: 'raw', ended: false, upgraded: true })
  })

  it('bounds the header at 64 KiB, whole or in pieces', () => {
    const large = `${OK}A: ${'x'.repeat(65_000)}\r\n\r\n`
    assert.equal(read(large, { end: true }).ended, true)
    const tooLarge = `${OK}A: ${'x'.repeat(66_000)}\r\n\r\n`
    assert.match(read(tooLarge).fault ?? '', /larger than 65536/)
    assert.match(read(tooLarge, { cuts: [65_000] }).fault ?? '', /larger than 65536/)
    assert.match(read(tooLarge, { step: 100 }).fault ?? '', /larger than 65536/)
    assert.match(read(`${OK}A: ${'x'.repeat(70_000)}`, { step: 1 }).fault ?? '', /larger than 65536/)
  })

  it('says at once that garbage is no answer, without waiting for its end', () => {
    for (const text of [
      'garbage',
      '\r\n',
      '\0',
      'HTTQ',
      'HTTP/2',
      'SSH-2.0-OpenSSH\r\n',
      `${OK}A: 1\nB: 2`,
      'HTTP/1.1 200 OK\n',
    ]) {
      assert.notEqual(read(text, { step: 1 }).fault, undefined, text)
    }
  })
})

describe('RFC 9112 §7.1: chunks', () => {
  const body = (text: string, step?: number) => read(CHUNKED + text, step === undefined ? {} : { step })

  it('are put together again, extensions ignored, trailers kept', () => {
    assert.deepEqual(body('5;a=b;c="d e"\r\nhello\r\nA\r\n, world!!!\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n'), {
      ...{ body: 'hello, world!!!', ended: true, excess: false, trailers: ['X-Sum', '1', 'x-sum', '2'] },
    })
  })

  it('may have white space after their sizes, as old servers pad them', () => {
    assert.deepEqual(body('2 \r\nhe\r\n3 \t;a\r\nllo\r\n0  \r\n\r\n'), { body: 'hello', ended: true, excess: false })
  })

  it('may be followed by bytes that are not theirs', () => {
    assert.deepEqual(body('1\r\nx\r\n0\r\n\r\nHTTP/1.1'), { body: 'x', ended: true, excess: true })
  })

  const broken: readonly (readonly [string, string])[] = [
    ['no size', '\r\n'],
    ['a size that is no number', 'xyz\r\n'],
    ['a negative size', '-1\r\n'],
    ['a size with 0x', '0x5\r\nhello\r\n'],
    ['white space before the size', ' 5\r\nhello\r\n'],
    ['white space within the size', '5 5\r\nhello\r\n'],
    ['a bare LF after white space after the size', '5 \nhello\r\n'],
    ['much white space after the size', `5${' '.repeat(17_000)}\r\nhello\r\n`],
    ['a size beyond exact numbers', 'FFFFFFFFFFFFFFFF\r\n'],
    ['endless zeros before the size', `${'0'.repeat(20)}5\r\nhello\r\n`],
    ['a bare LF after the size', '5\nhello\r\n'],
    ['a bare CR after the size', '5\rhello\r\n'],
    ['a bare LF after the data', '5\r\nhello\n0\r\n\r\n'],
    ['more data than the size', '5\r\nhello!\r\n0\r\n\r\n'],
    ['a bare LF in an extension', '5;a\nb\r\nhello\r\n'],
    ['NUL in an extension', '5;a\0b\r\nhello\r\n'],
    ['a long extension', `5;${'a'.repeat(17_000)}\r\nhello\r\n`],
    ['many extensions', `1;${'a'.repeat(100)}\r\nx\r\n`.repeat(200)],
    ['a malformed trailer', '0\r\nA : 1\r\n\r\n'],
    ['a bare LF in the trailers', '0\r\nA: 1\n\r\n'],
    ['a bare LF at the end', '0\r\n\n'],
    ['large trailers', `0\r\nA: ${'x'.repeat(17_000)}\r\n\r\n`],
    ['many trailers', `0\r\n${'a: b\r\n'.repeat(101)}\r\n`],
  ]
  for (const [what, text] of broken) {
    it(`are broken by ${what}`, () => {
      assert.match(body(text).fault ?? '', /chunked framing/)
      assert.match(body(text, 1).fault ?? '', /chunked framing/)
    })
  }
})
