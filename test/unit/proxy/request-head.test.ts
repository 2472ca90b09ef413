import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { renderRequestHead, requestFraming } from '../../../src/proxy/http1/request-head.ts'

describe('the head of a request to the upstream', () => {
  it('has the fields in their order and the framing that the client chose', () => {
    const headers = ['Host', 'a', 'Content-Length', '5', 'x', '']
    assert.equal(
      renderRequestHead('PUT', '/a?b', headers, 5),
      'PUT /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nx: \r\n\r\n',
    )
    assert.equal(
      renderRequestHead('PUT', '/a?b', headers, 'chunked'),
      'PUT /a?b HTTP/1.1\r\nHost: a\r\nx: \r\nTransfer-Encoding: chunked\r\n\r\n',
    )
  })

  it('has no Content-Length but the one that frames the body', () => {
    const head = renderRequestHead('GET', '/', ['Content-Length', '7', 'content-length', '5'], 5)
    assert.equal(head, 'GET / HTTP/1.1\r\ncontent-length: 5\r\n\r\n')
  })

  it('is not made of anything that would end a line early, or become such a byte in latin1', () => {
    for (const bad of ['a\r\nb: c', 'a\nb', 'a\rb', '\0', '\x7f', 'a\u010ab', 'a\u010d\u010ab', '\u{1f4a9}']) {
      assert.equal(renderRequestHead('GET', '/', ['A', bad], 0), undefined, JSON.stringify(bad))
      assert.equal(renderRequestHead('GET', '/', [bad, 'a'], 0), undefined, JSON.stringify(bad))
      assert.equal(renderRequestHead('GET', `/${bad}`, [], 0), undefined, JSON.stringify(bad))
      assert.equal(renderRequestHead(`GET${bad}`, '/', [], 0), undefined, JSON.stringify(bad))
    }
    assert.equal(renderRequestHead('GET', '/a b', [], 0), undefined)
    assert.equal(renderRequestHead('GET', '', [], 0), undefined)
    assert.equal(renderRequestHead('GET', '/', ['', 'a'], 0), undefined)
  })
})

describe('the framing of a request', () => {
  it('is chunked, a length, or nothing', () => {
    assert.equal(requestFraming(['Host', 'a', 'transfer-encoding', 'chunked']), 'chunked')
    assert.equal(requestFraming(['Content-length', '12']), 12)
    assert.equal(requestFraming(['Host', 'a']), 0)
  })
})
