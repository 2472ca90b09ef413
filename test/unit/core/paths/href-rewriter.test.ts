import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createHrefRewriter } from '../../../../src/core/paths/href-rewriter.ts'
import { mayAnswerHrefs, rewritesBody } from '../../../../src/core/paths/upstream-target.ts'
import type { Route } from '../../../../src/core/route.ts'
import { clientOf } from '../clients.ts'
import { sampleRoute, sampleUpstream } from '../samples.ts'

function rewritten(body: string | Uint8Array, change: Partial<Route> = {}): string {
  const rewriter = createHrefRewriter(sampleRoute(change), clientOf())
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  return Buffer.concat([rewriter.push(bytes), rewriter.end()]).toString()
}

describe('hrefs of a 207 answer', () => {
  const cases: readonly [string, string][] = [
    ['<D:href>/a/b%20c</D:href>', '<D:href>/photos/a/b%20c</D:href>'],
    ['<href>/</href>', '<href>/photos/</href>'],
    [
      '<lp1:href xml:lang="a>b" x=\'</D:href>\' >\n  /a\n</lp1:href >',
      '<lp1:href xml:lang="a>b" x=\'</D:href>\' >\n  /photos/a\n</lp1:href >',
    ],
    [
      '<D:href>http://127.0.0.1:2283/a?x=1&amp;y=2</D:href>',
      '<D:href>https://gate.example.com:8443/photos/a?x=1&amp;y=2</D:href>',
    ],
    ['<D:href>https://elsewhere.example/a</D:href>', '<D:href>https://elsewhere.example/a</D:href>'],
    ['<D:href>relative</D:href>', '<D:href>relative</D:href>'],
    ['<D:href/><D:x>/a</D:x>', '<D:href/><D:x>/a</D:x>'],
    ['<D:href />/a<b/>', '<D:href />/a<b/>'],
    ['<D:href></D:href>', '<D:href></D:href>'],
    ['<D:hrefs>/a</D:hrefs><xhref>/a</xhref><HREF>/a</HREF>', '<D:hrefs>/a</D:hrefs><xhref>/a</xhref><HREF>/a</HREF>'],
    ['<a href="/a">/a</a>', '<a href="/a">/a</a>'],
    ['<!-- <D:href>/a</D:href> --><D:href>/b</D:href>', '<!-- <D:href>/a</D:href> --><D:href>/photos/b</D:href>'],
    ['<![CDATA[<D:href>/a</D:href>]]><D:href>/b</D:href>', '<![CDATA[<D:href>/a</D:href>]]><D:href>/photos/b</D:href>'],
    [
      '<?xml version="1.0"?><?pi <D:href>/a ?><D:href>/b</D:href>',
      '<?xml version="1.0"?><?pi <D:href>/a ?><D:href>/photos/b</D:href>',
    ],
    ['<D:href><![CDATA[/a]]></D:href>', '<D:href><![CDATA[/a]]></D:href>'],
    ['<D:href>/\u00fc\u{1f600}</D:href>\u00fc', '<D:href>/photos/\u00fc\u{1f600}</D:href>\u00fc'],
    ['<!---><D:href>/a</D:href>--><D:href>/b</D:href>', '<!---><D:href>/a</D:href>--><D:href>/photos/b</D:href>'],
    ['<D:href>/unfinished', '<D:href>/unfinished'],
    ['no xml at all & <', 'no xml at all & <'],
    ['', ''],
  ]
  for (const [body, expected] of cases)
    it(`${JSON.stringify(body)} becomes ${JSON.stringify(expected)}`, () => assert.equal(rewritten(body), expected))

  it('come out the same wherever the body is cut', () => {
    const body = Buffer.from(
      cases
        .map(([text]) => text)
        .slice(0, 16)
        .join('\n'),
    )
    const whole = rewritten(body)
    for (let at = 0; at <= body.length; at++) {
      const rewriter = createHrefRewriter(sampleRoute(), clientOf())
      const parts = [rewriter.push(body.subarray(0, at)), rewriter.push(body.subarray(at)), rewriter.end()]
      assert.equal(Buffer.concat(parts).toString(), whole, `cut at ${at}`)
    }
  })
  it('come out the same byte by byte', () => {
    const body = Buffer.from(
      cases
        .map(([text]) => text)
        .slice(0, 16)
        .join('\n'),
    )
    const rewriter = createHrefRewriter(sampleRoute(), clientOf())
    const parts = [...body].map((byte) => Uint8Array.of(byte)).map((chunk) => Buffer.from(rewriter.push(chunk)))
    assert.equal(Buffer.concat([...parts, rewriter.end()]).toString(), rewritten(body))
  })
  it('stay well-formed when the prefix has an ampersand', () => {
    assert.equal(rewritten('<D:href>/a</D:href>', { path: '/a&b' }), '<D:href>/a&amp;b/a</D:href>')
  })
  it('lose the upstream\u2019s base path', () => {
    const upstreams = [sampleUpstream({ basePath: '/dav' })]
    assert.equal(rewritten('<D:href>/dav/a</D:href>', { upstreams }), '<D:href>/photos/a</D:href>')
  })
  it('pass untouched in UTF-16', () => {
    for (const bytes of [
      Buffer.from('\ufeff<D:href>/a</D:href>', 'utf16le'),
      Buffer.from('<D:href>/a</D:href>', 'utf16le'),
    ]) {
      const rewriter = createHrefRewriter(sampleRoute(), clientOf())
      assert.deepEqual(
        Buffer.concat([rewriter.push(bytes.subarray(0, 1)), rewriter.push(bytes.subarray(1)), rewriter.end()]),
        bytes,
      )
    }
  })
  it('that never end are not held: memory has a bound', () => {
    const rewriter = createHrefRewriter(sampleRoute(), clientOf())
    const chunk = Buffer.alloc(65_536, '/')
    let out = rewriter.push(Buffer.from('<D:href>')).length
    for (let i = 0; i < 20; i++) out += rewriter.push(chunk).length
    assert.ok(out > 20 * 65_536 - 16_384)
    assert.equal(out + rewriter.end().length, 8 + 20 * 65_536)
  })
})

describe('a body is rewritten', () => {
  const xml = ['Content-Type', 'application/xml; charset="utf-8"']
  const rewrites = (method: string, status: number, raw: readonly string[] = xml, change = {}) =>
    rewritesBody(sampleRoute(change), method, status, raw)
  it('when it is the XML of a 207 on a stripped path', () => {
    assert.ok(rewrites('PROPFIND', 207))
    assert.ok(rewrites('PROPFIND', 207, ['content-type', 'text/xml']))
  })
  it('when it is the XML of a lock or of an error, which hold hrefs too (RFC 4918 §14.10, §16)', () => {
    for (const [method, status] of [
      ['LOCK', 200],
      ['LOCK', 201],
      ['LOCK', 423],
      ['DELETE', 423],
      ['PUT', 423],
      ['MKCOL', 507],
    ] as const)
      assert.ok(rewrites(method, status), `${method} ${status}`)
    for (const [method, status] of [
      ['ACL', 403],
      ['POST', 403],
      ['GET', 403],
    ] as const)
      assert.ok(rewrites(method, status), `${method} ${status}`)
  })
  it('and not otherwise', () => {
    for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS']) assert.ok(!rewrites(method, 200), method)
    assert.ok(!rewrites('PROPFIND', 207, xml, { stripPath: false }))
    assert.ok(!rewrites('PROPFIND', 207, xml, { path: '/' }))
    assert.ok(!rewrites('PROPFIND', 207, [...xml, 'Content-Encoding', 'gzip']))
    assert.ok(!rewrites('PROPFIND', 207, ['Content-Type', 'application/json']))
    assert.ok(!rewrites('PROPFIND', 207, ['Content-Type', 'text/xml; charset=utf-16']))
  })
  it('may follow any method but the plain ones', () => {
    for (const method of ['PROPFIND', 'PROPPATCH', 'REPORT', 'SEARCH', 'LOCK', 'COPY', 'MOVE', 'DELETE', 'MKCOL']) {
      assert.ok(mayAnswerHrefs(sampleRoute(), method), method)
    }
    for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS']) assert.ok(!mayAnswerHrefs(sampleRoute(), method), method)
  })
})
