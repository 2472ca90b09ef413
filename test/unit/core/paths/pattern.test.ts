import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { matchesPattern, parsePattern } from '../../../../src/core/paths/pattern.ts'
import { pattern } from '../samples.ts'

const CASES: readonly [string, readonly string[], readonly string[]][] = [
  ['/api/**', ['/api', '/api/', '/api/a', '/api/a/b'], ['/', '/apis', '/ap', '/x/api']],
  ['/api', ['/api', '/api/'], ['/api/a', '/apix', '/Api']],
  ['/api/', ['/api/', '/api'], ['/api/a']],
  ['/a/*', ['/a/b', '/a/b/'], ['/a', '/a/', '/a/b/c']],
  ['/**', ['/', '/a', '/a/b/'], []],
  ['/', ['/'], ['/a']],
  ['/*', ['/a', '/', '/a/'], ['/a/b']],
  ['/*.jpg', ['/a.jpg', '/.jpg', '/a.jpg.jpg'], ['/a.jpeg', '/a/b.jpg', '/jpg']],
  ['/a*b*c', ['/abc', '/axbxc', '/abbcc', '/abcbc'], ['/ab', '/acb', '/abcx']],
  ['/a*a', ['/aa', '/aba'], ['/a']],
  ['/**/thumb', ['/thumb', '/a/thumb', '/a/b/thumb'], ['/thumb/a', '/athumb']],
  ['/**/a/**/b', ['/a/b', '/x/a/y/b', '/a/a/b/b'], ['/b/a', '/a', '/a/bx']],
  ['/share/**/*.png', ['/share/a.png', '/share/x/y/a.png'], ['/share', '/share/x/', '/share/a.png/x']],
  ['/my files/**', ['/my files/x'], ['/my%20files/x']],
  ['/my%20files/**', ['/my files/x'], []],
]

describe('a path pattern', () => {
  for (const [text, matching, others] of CASES) {
    it(`${text} matches ${matching.join(' ')}, not ${others.join(' ')}`, () => {
      for (const path of matching) assert.ok(matchesPattern(pattern(text), path), path)
      for (const path of others) assert.ok(!matchesPattern(pattern(text), path), path)
    })
  }
  for (const text of [
    '',
    'api',
    '/a//b',
    '/../a',
    '/./a',
    '/a\\b',
    '/a?b',
    '/a#b',
    '/a;b',
    '/%61',
    '/100%',
    '/a%2Fb',
    '/a**',
    '/a\u0000',
    '/***',
  ]) {
    it(`${JSON.stringify(text)} is none: no request could match it in all its readings`, () => {
      assert.equal(parsePattern(text), undefined)
    })
  }
  it('takes time linear in the path, whatever stars it has', () => {
    const hard = pattern(`${'/**/a'.repeat(10)}/**/*a*a*a*a*a*b`)
    const started = process.hrtime.bigint()
    assert.ok(!matchesPattern(hard, `${'/a'.repeat(4000)}/${'a'.repeat(8000)}`))
    assert.ok(process.hrtime.bigint() - started < 2_000_000_000n)
  })
})
