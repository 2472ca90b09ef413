import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readRequestFraming } from '../../../src/core/headers/framing.ts'
import { renderRequestHead } from '../../../src/proxy/http1/request-head.ts'

describe('the head of a request to the upstream', () => {
  const headers = ['Host', 'a', 'Content-Length', '0062', 'x', '', 'transfer-encoding', 'gzip']

  it('has the fields in their order and the framing alone that was understood, whatever the fields say', () => {
    const line = 'PUT /a?b HTTP/1.1\r\nHost: a\r\nx: \r\n'
    assert.equal(renderRequestHead('PUT', '/a?b', headers, 62), `${line}Content-Length: 62\r\n\r\n`)
    assert.equal(renderRequestHead('PUT', '/a?b', headers, 0), `${line}Content-Length: 0\r\n\r\n`)
    assert.equal(renderRequestHead('PUT', '/a?b', headers, 'chunked'), `${line}Transfer-Encoding: chunked\r\n\r\n`)
    assert.equal(renderRequestHead('PUT', '/a?b', headers, 'none'), `${line}\r\n`)
  })

  it('is not made where the framing is in doubt', () => {
    assert.equal(renderRequestHead('PUT', '/', ['Host', 'a'], { fault: 'two lengths' }), undefined)
  })

  it('is not made of anything that would end a line early, or become such a byte in latin1', () => {
    for (const bad of ['a\r\nb: c', 'a\nb', 'a\rb', '\0', '\x7f', 'a\u010ab', 'a\u010d\u010ab', '\u{1f4a9}']) {
      assert.equal(renderRequestHead('GET', '/', ['A', bad], 'none'), undefined, JSON.stringify(bad))
      assert.equal(renderRequestHead('GET', '/', [bad, 'a'], 'none'), undefined, JSON.stringify(bad))
      assert.equal(renderRequestHead('GET', `/${bad}`, [], 'none'), undefined, JSON.stringify(bad))
      assert.equal(renderRequestHead(`GET${bad}`, '/', [], 'none'), undefined, JSON.stringify(bad))
    }
    assert.equal(renderRequestHead('GET', '/a b', [], 'none'), undefined)
    assert.equal(renderRequestHead('GET', '', [], 'none'), undefined)
    assert.equal(renderRequestHead('GET', '/', ['', 'a'], 'none'), undefined)
  })
})

describe('the framing of a request', () => {
  const framingOf = (...headers: string[]) => readRequestFraming(headers, '1.1')

  it('is chunked, a length, or nothing', () => {
    assert.equal(framingOf('Host', 'a', 'transfer-encoding', 'Chunked'), 'chunked')
    assert.equal(framingOf('Content-length', '12'), 12)
    assert.equal(framingOf('Content-length', '0'), 0)
    assert.equal(framingOf('Content-length', '999999999999999'), 999_999_999_999_999)
    assert.equal(framingOf('Host', 'a'), 'none')
  })

  it('is refused where a length is not spelled as its number is', () => {
    const spellings = [
      '0062',
      '00',
      '+62',
      '-0',
      '62.0',
      '6e1',
      '0x3e',
      '6_2',
      ' 62',
      '62 ',
      '6 2',
      '62,62',
      '62, 62',
      '',
      '٦٢',
    ]
    for (const length of [...spellings, '9007199254740993', '1000000000000000', '18446744073709551617'])
      assert.equal(typeof framingOf('Content-Length', length), 'object', JSON.stringify(length))
  })

  it('is refused where it is said twice, in two ways, or in a way that not all know', () => {
    assert.equal(typeof framingOf('Content-Length', '5', 'content-length', '5'), 'object')
    assert.equal(typeof framingOf('Transfer-Encoding', 'chunked', 'transfer-encoding', 'chunked'), 'object')
    assert.equal(typeof framingOf('Transfer-Encoding', 'chunked', 'Content-Length', '5'), 'object')
    for (const coding of ['gzip, chunked', 'chunked, chunked', 'identity', '', 'xchunked', 'chunked;a=b', '"chunked"'])
      assert.equal(typeof framingOf('Transfer-Encoding', coding), 'object', coding)
    assert.equal(typeof readRequestFraming(['Transfer-Encoding', 'chunked'], '1.0'), 'object')
  })
})
