import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isBrowsers, namesHtml, type RequestKind, requestKind } from '../../../src/core/request-kind.ts'

type Fields = Readonly<Record<string, string>>

const meta = (mode: string, dest: string): Fields => ({ 'Sec-Fetch-Mode': mode, 'Sec-Fetch-Dest': dest })
const HTML: Fields = { Accept: 'text/html' }

const kindOf = (method: string, fields: Fields) => requestKind(method, Object.entries(fields).flat())

const ROWS: readonly (readonly [RequestKind, string, Fields])[] = [
  ['prefetch', 'GET', { 'Sec-Purpose': 'prefetch', ...meta('navigate', 'document') }],
  ['prefetch', 'GET', { 'Sec-Purpose': 'prefetch;prerender' }],
  ['prefetch', 'PROPFIND', { 'sec-purpose': 'x, Prefetch', Upgrade: 'websocket' }],
  ['page', 'GET', { 'Sec-Purpose': 'prefetched', ...meta('navigate', 'document') }],
  ['socket', 'GET', { Upgrade: 'websocket', ...meta('websocket', 'websocket') }],
  ['socket', 'GET', { Upgrade: 'websocket', Depth: '1', ...HTML }],
  ['drive', 'PROPFIND', {}],
  ['drive', 'MKCOL', HTML],
  ['drive', 'OPTIONS', {}],
  ['drive', 'GET', { Depth: '0' }],
  ['drive', 'GET', { Translate: 'f', ...HTML }],
  ['script', 'PROPFIND', meta('cors', 'empty')],
  ['script', 'PROPFIND', { Origin: 'https://app.example.com' }],
  ['page', 'GET', meta('navigate', 'document')],
  ['page', 'GET', HTML],
  ['script', 'HEAD', meta('navigate', 'document')],
  ['document', 'GET', { ...HTML, 'X-Requested-With': 'XMLHttpRequest' }],
  ['frame', 'GET', meta('navigate', 'iframe')],
  ['frame', 'GET', meta('navigate', 'frame')],
  ['frame', 'GET', { ...meta('no-cors', 'embed'), ...HTML }],
  ['frame', 'POST', meta('navigate', 'object')],
  ['form', 'POST', meta('navigate', 'document')],
  ['form', 'PUT', HTML],
  ['form', 'POST', { ...HTML, Origin: 'https://app.example.com' }],
  ['document', 'GET', meta('navigate', 'empty')],
  ['document', 'GET', { ...meta('same-origin', 'empty'), ...HTML }],
  ['document', 'POST', { ...meta('cors', 'empty'), ...HTML }],
  ['document', 'HEAD', HTML],
  ['script', 'GET', meta('cors', 'empty')],
  ['script', 'GET', { ...meta('cors', 'empty'), Accept: 'text/event-stream' }],
  ['script', 'GET', { 'Sec-Fetch-Site': 'same-origin' }],
  ['script', 'GET', { Origin: 'null' }],
  ['script', 'DELETE', { 'x-requested-with': 'y' }],
  ['program', 'GET', {}],
  ['program', 'GET', { Accept: 'application/json' }],
  ['program', 'HEAD', { Accept: '*/*' }],
  ['program', 'PUT', { Accept: 'text/html;q=0' }],
  ['program', 'QUERY', {}],
  ['program', 'PURGE', { Accept: '*/*' }],
  ['form', 'QUERY', HTML],
  ['drive', 'QUERY', { Depth: '1' }],
]

describe('the kind of a request', () => {
  for (const [kind, method, fields] of ROWS)
    it(`${method} with ${JSON.stringify(fields)} is a ${kind}`, () => assert.equal(kindOf(method, fields), kind))

  it('goes by the last of several fields of one name, and by every Accept', () => {
    const twice = ['Sec-Fetch-Mode', 'cors', 'Sec-Fetch-Mode', 'navigate', 'Sec-Fetch-Dest', 'document']
    assert.equal(requestKind('GET', twice), 'page')
    assert.equal(requestKind('GET', ['Accept', 'image/png', 'accept', 'text/html']), 'page')
  })

  it('is a browser’s unless it is a drive or a program: those alone are ever asked for a password', () => {
    const kinds: readonly RequestKind[] = ['prefetch', 'socket', 'page', 'frame', 'form', 'document', 'script']
    assert.ok(kinds.every(isBrowsers))
    assert.ok(!isBrowsers('drive') && !isBrowsers('program'))
  })
})

describe('Accept', () => {
  for (const [accept, named] of [
    ['text/html', true],
    ['TEXT/HTML; q=0.1', true],
    ['image/png,text/html;level=1', true],
    ['text/html;q=0', false],
    ['text/html;q=0.000', false],
    ['text/html;q=0.001', true],
    ['text/*', false],
    ['*/*', false],
    ['xtext/html', false],
    ['', false],
  ] as const)
    it(`${JSON.stringify(accept)} ${named ? 'names' : 'does not name'} HTML`, () =>
      assert.equal(namesHtml(accept), named))
})
