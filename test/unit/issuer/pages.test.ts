import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { pageHeaders } from '../../../src/issuer/http/response.ts'
import { answerAsset, MARK_PATH, STYLESHEET_PATH } from '../../../src/issuer/pages/assets.ts'
import { attributes, href, html, htmlText } from '../../../src/issuer/pages/html.ts'
import { leadOnPage } from '../../../src/issuer/pages/message.ts'
import { returnPlace } from '../../../src/issuer/pages/parties.ts'
import { ago, clientName, plainWords } from '../../../src/issuer/pages/words.ts'
import { pageSamples } from '../../support/issuer/page-samples.ts'

describe('a button of every page', () => {
  it('belongs to a form of that page', () => {
    for (const [name, page] of Object.entries(pageSamples))
      for (const [, id = ''] of page.matchAll(/ form="([^"]*)"/g))
        assert.match(page, new RegExp(`<form id="${id}"`), `${name}: ${id}`)
  })
})

describe('html', () => {
  it('escapes every string, in text and in attribute values', () => {
    const evil = `"><script>alert('x')</script>&\``
    const piece = htmlText(html`<p title="${evil}">${evil}</p>`)
    assert.equal(piece.match(/[<>]/g)?.join(''), '<><>')
    assert.equal(piece.match(/"/g)?.length, 2)
  })

  it('puts pieces in as they are, and nothing for undefined and false', () => {
    assert.equal(
      htmlText(html`<p>${html`<b>${'&'}</b>`}${undefined}${false}${[html`1`, html`2`]}</p>`),
      '<p><b>&#38;</b>12</p>',
    )
  })

  it('refuses a string in a tag, a piece in an attribute value, and attributes in text', () => {
    assert.throws(() => html`<p ${'onclick=x'}>`)
    assert.throws(() => html`<p title=${'x'}>`)
    assert.throws(() => html`<p title='${'x'}'>`)
    assert.throws(() => html`<p title="${html`"`}">`)
    assert.throws(() => html`<p>${attributes({ title: 'x' })}</p>`)
  })

  it('refuses attributes that run something or are none', () => {
    assert.throws(() => attributes({ onclick: 'x' }))
    assert.throws(() => attributes({ 'a b': 'x' }))
    assert.equal(
      htmlText(html`<p ${attributes({ hidden: true, title: '"', lang: undefined })}>`),
      '<p hidden title="&#34;">',
    )
  })

  it('links to own paths and http(s) only', () => {
    assert.equal(href('/account'), '/account')
    assert.equal(href('https://app.example.com/bye'), 'https://app.example.com/bye')
    for (const url of [
      'javascript:alert(1)',
      '//evil.example',
      '/\\evil.example',
      'data:text/html,x',
      ' javascript:x',
      '',
    ])
      assert.equal(href(url), undefined, url)
  })
})

describe('plain words', () => {
  it('lets no control, bidirectional or invisible character through', () => {
    assert.equal(plainWords('Gal\u202elery\u2066\u200b\ufeff\u0000\u{e0041}\u3164\n  app', 64), 'Gallery app')
  })

  it('keeps other scripts, joined emoji and marks', () => {
    for (const name of ['Fotoğraf', 'صور', '写真館', '👩‍👩‍👧 Family', 'e\u0301te\u0301'])
      assert.equal(plainWords(name, 64), name)
  })

  it('bounds the length with an ellipsis and stacks no more than three marks', () => {
    assert.equal(plainWords('x'.repeat(100), 10), `${'x'.repeat(9)}…`)
    assert.equal(plainWords(`a${'\u0301'.repeat(40)}`, 10), `a${'\u0301'.repeat(3)}`)
  })

  it('gives a nameless app words of our own', () => {
    for (const name of ['', '  ', '\u200d\u200d', '\u3164']) assert.equal(clientName(name), 'An app without a name')
  })

  it('is one readable line within its bound, whatever comes in', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.integer({ min: 2, max: 80 }), (text, max) => {
        const words = plainWords(text, max)
        assert.ok([...new Intl.Segmenter('en').segment(words)].length <= max)
        assert.doesNotMatch(words, /[\p{Cc}\p{Cs}\p{Co}\u202a-\u202e\u2066-\u2069\u200b\u2028]/u)
      }),
    )
  })
})

describe('where a client sends people back', () => {
  it('is a host, or an app on this device', () => {
    assert.equal(returnPlace('https://app.example.com/cb?x=1'), 'app.example.com')
    assert.equal(returnPlace('http://127.0.0.1:4711/cb'), 'an app on this device (127.0.0.1:4711)')
    assert.equal(returnPlace('com.example.app:/cb'), 'an app on this device (com.example.app)')
  })

  it('shows look-alike hosts in their ASCII form', () => {
    assert.equal(returnPlace('https://аpple.com/'), 'xn--pple-43d.com')
  })
})

describe('times', () => {
  it('are said as people say them, with the exact moment beside', () => {
    const now = 1_772_452_984
    const said = (at: number) => htmlText(ago(at, now)).replace(/<[^>]*>/g, '')
    assert.equal(said(now - 3), 'just now')
    assert.equal(said(now + 60), 'just now')
    assert.equal(said(now - 59), '59 seconds ago')
    assert.equal(said(now - 60), '1 minute ago')
    assert.equal(said(now - 7200), '2 hours ago')
    assert.equal(said(now - 29 * 86_400), '29 days ago')
    assert.equal(said(now - 40 * 86_400), '21 January 2026')
    assert.match(htmlText(ago(now, now)), /datetime="2026-03-02T12:03:04.000Z"/)
  })
})

describe('a page that leads on', () => {
  it('does so by itself and by a link, to a scheme of the client’s own too', () => {
    const page = leadOnPage({ site: 'gate.example.com', url: 'com.example.app:/cb?a=1&b="2', name: '<Gallery>' })
    assert.match(page, /<meta http-equiv="refresh" content="0; url=com\.example\.app:\/cb\?a=1&#38;b=&#34;2">/)
    assert.match(page, /href="com\.example\.app:\/cb\?a=1&#38;b=&#34;2"/)
    assert.match(page, /&#60;Gallery&#62;/)
  })

  it('never leads to what acts in the browser', () => {
    for (const url of ['javascript:alert(1)', 'JavaScript:x', 'data:text/html,x', 'file:///etc/passwd', 'blob:x', '::'])
      assert.match(leadOnPage({ site: 'gate.example.com', url, name: 'x' }), /content="0; url=\/"/, url)
  })
})

describe('page headers', () => {
  it('allow no script, no framing and nothing from elsewhere', () => {
    const csp = pageHeaders()['content-security-policy'] ?? ''
    for (const part of ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"])
      assert.ok(csp.split('; ').includes(part), part)
    assert.doesNotMatch(csp, /unsafe|script-src|\*/)
  })

  it('cut a page off from the window that opened its own, save where that is a client at work', () => {
    assert.equal(pageHeaders()['cross-origin-opener-policy'], 'same-origin')
    assert.equal(pageHeaders({ keepsOpener: true })['cross-origin-opener-policy'], undefined)
  })
})

describe('assets', () => {
  it('are kept for a year under the address that carries their hash, and asked for again under the plain one', () => {
    assert.match(STYLESHEET_PATH, /^\/oauth\/assets\/audgate\.[A-Za-z0-9]{8,}\.css$/)
    assert.match(MARK_PATH, /^\/oauth\/assets\/mark\.[A-Za-z0-9]{8,}\.svg$/)
    assert.match(answerAsset(STYLESHEET_PATH, undefined)?.headers['cache-control'] ?? '', /immutable/)
    const plain = answerAsset('/oauth/assets/audgate.css', undefined)
    assert.equal(plain?.headers['cache-control'], 'public, no-cache')
    assert.equal(answerAsset('/oauth/assets/audgate.css', plain?.headers.etag)?.status, 304)
  })

  it('are nothing else', () => {
    for (const path of [
      '/oauth/assets/',
      '/oauth/assets/tokens.css',
      '/oauth/assets/../assets.ts',
      '/oauth/assets/audgate.0.css',
    ])
      assert.equal(answerAsset(path, undefined), undefined, path)
  })
})
