import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseHost } from '../../../../src/core/address.ts'
import { comparable, foldCase, parseTarget } from '../../../../src/core/paths/target.ts'

function reasonOf(requestTarget: string): string {
  const parsed = parseTarget(requestTarget)
  return parsed.ok ? 'ok' : parsed.reason
}

const AMBIGUOUS = {
  'plain dot segments': ['/..', '/.', '/a/../b', '/a/./b', '/a/..', '/public/../admin'],
  'encoded dot segments': ['/%2e%2e/admin', '/a/%2E./b', '/a/.%2e', '/x/..%2fadmin', '/photos/..%2Fadmin', '/%2e'],
  'dot segments encoded again': ['/%252e%252e/admin', '/a/%25252e%25252e/b', '/a/..%252fb'],
  'dot segments before a decoded ? or #': ['/a/..%23', '/a/..%3Fb/c', '/%2e%2e%23/x'],
  'dot segments before a semicolon': ['/a/..;/b', '/a/..;x=1/b', '/a/.;/b', '/a/%2e%2e%3b/b', '/a/..%3B/b'],
  'a backslash, plain or encoded': ['/a\\b', '/x%5c..%5cadmin', '/a%5Cb', '/a%255cb', '/photos/..\\admin'],
  'an empty segment': ['//', '//admin', '//evil.example/admin', '/a//b', '/a//'],
  'control bytes, plain or encoded': [
    '/a\tb',
    '/a\u0000b',
    '/a%00',
    '/a%0d%0aX:1',
    '/a%1f',
    '/a%7f',
    '/a%250a',
    '/\u007f',
  ],
  'a broken percent escape': ['/%', '/a%2', '/a%zz', '/100%', '/%u002e%u002e/a', '/a%2%65'],
  'overlong UTF-8': ['/%c0%ae%c0%ae/admin', '/%c0%af', '/%e0%80%ae', '/%f0%80%80%ae'],
  'more layers of encoding than anybody needs': [`/${'%25'.repeat(1)}25252541`, `/%${'25'.repeat(4000)}41`],
}

const MALFORMED = {
  'absolute-form': ['http://other/admin', 'https://gate.example.com/photos'],
  'authority-form': ['gate.example.com:443'],
  'asterisk-form': ['*'],
  'nothing at all': [''],
  'a path of more than 8 KiB': [`/${'a'.repeat(8192)}`, `/${'%41'.repeat(2731)}?x`],
  'a raw fragment': ['/a#b', '/admin#/public', '/a?b#c'],
  'a raw space or bytes outside of ASCII': ['/a b', '/\u00fc', '/a?b c', '/a?\u00fc', '/a?b\tc'],
}

describe('a path that two readers could understand differently gets 400', () => {
  for (const [what, targets] of Object.entries(AMBIGUOUS)) {
    for (const each of targets) {
      it(`refuses ${what}: ${JSON.stringify(each.slice(0, 40))}`, () => {
        assert.equal(reasonOf(each), 'ambiguous_path')
      })
    }
  }
  for (const [what, targets] of Object.entries(MALFORMED)) {
    for (const each of targets) {
      it(`refuses ${what}: ${JSON.stringify(each)}`, () => assert.equal(reasonOf(each), 'malformed_request'))
    }
  }
  const plain = [
    '/',
    '/a',
    '/a/',
    '/.well-known/x',
    '/a/..b',
    '/a/b..',
    '/...',
    '/a/.b',
    '/a;x=1',
    '/100%25',
    '/a%20b',
    '/%C3%BC',
    '/%e4',
    '/a%2Fb',
    '/a%2f%2fb',
    "/~!$&'()*+,=:@-_",
  ]
  for (const each of plain) it(`takes ${each}`, () => assert.equal(reasonOf(each), 'ok'))
  it('takes a plain 100%25 and does not call what it decodes to broken', () => {
    const parsed = parseTarget('/sale/100%25')
    assert.deepEqual(parsed.ok && parsed.target.readings, ['/sale/100%25', '/sale/100%'])
  })
})

describe('a target', () => {
  it('keeps path and query as received', () => {
    const parsed = parseTarget('/a%20B%2fc;v=1?x=%2e%2e//\\&y=?')
    assert.ok(parsed.ok)
    assert.equal(parsed.target.path, '/a%20B%2fc;v=1')
    assert.equal(parsed.target.query, '?x=%2e%2e//\\&y=?')
  })
  it('has one reading when nothing in it can be read twice', () => {
    const parsed = parseTarget('/a/b.c?d')
    assert.deepEqual(parsed.ok && parsed.target.readings, ['/a/b.c'])
  })
  it('reads what can only stand encoded in one way', () => {
    const parsed = parseTarget('/my%20pictures/%C3%BC')
    assert.deepEqual(parsed.ok && parsed.target.readings, ['/my pictures/\u00c3\u00bc'])
  })
  it('is also read without parameters and with slashes merged', () => {
    const parsed = parseTarget('/admin;x=1/%2Fb')
    assert.ok(parsed.ok)
    for (const reading of ['/admin/%2Fb', '/admin;x=1//b', '/admin//b', '/admin/b', '/admin;x=1/b']) {
      assert.ok(parsed.target.readings.includes(reading), reading)
    }
  })
  it('is read in bounded time however often it is encoded', () => {
    const started = process.cpuUsage()
    for (const unit of ['25', '252541;a/%', '2541%']) parseTarget(`/%${unit.repeat(16_000).slice(0, 8_000)}`)
    assert.ok(process.cpuUsage(started).user < 300_000)
  })
})

describe('a host', () => {
  const hosts: Record<string, string | undefined> = {
    'Photos.Example.COM': 'photos.example.com',
    'photos.example.com:8443': 'photos.example.com',
    'photos.example.com:': 'photos.example.com',
    'photos.example.com.': 'photos.example.com',
    'photos.example.com.:80': 'photos.example.com',
    localhost: 'localhost',
    under_score: 'under_score',
    '127.0.0.1:1': '127.0.0.1',
    '[::1]:8080': '[::1]',
    '[2001:DB8::1]': '[2001:db8::1]',
    '': undefined,
    ':80': undefined,
    'a b': undefined,
    'user@host': undefined,
    'user:pw@host': undefined,
    'a..b': undefined,
    '.a': undefined,
    'a:b': undefined,
    'a:99999': undefined,
    'a:80:80': undefined,
    'a/b': undefined,
    'a,b': undefined,
    'a%2eb': undefined,
    '[::1': undefined,
    '[::1]x': undefined,
    '[127.0.0.1]': undefined,
    '[fe80::1%eth0]': undefined,
    '[]': undefined,
    '::1': undefined,
  }
  for (const [value, expected] of Object.entries(hosts)) {
    it(`${JSON.stringify(value)} is ${expected ?? 'no host'}`, () => assert.equal(parseHost(value), expected))
  }
})

describe('letter case', () => {
  const folded = (path: string) => foldCase(comparable(path))
  it('is ignored as Windows and macOS do, beyond ASCII and in either form of an accent', () => {
    for (const [one, other] of [
      ['/ADMIN', '/admin'],
      ['/%E2%84%AA', '/k'],
      ['/%C5%BF', '/s'],
      ['/%C4%B0', '/i'],
      ['/%C4%B1', '/i'],
      ['/%E1%BA%9E', '/%C3%9F'],
      ['/%C3%89', '/e%CC%81'],
      ['/%CE%A3', '/%CF%82'],
      ['/%CE%91%CE%A3', '/%CE%B1%CF%83'],
    ] as const)
      assert.equal(folded(one), folded(other), one)
    assert.notEqual(folded('/a'), folded('/b'))
  })
  it('is ignored beside bytes that are no UTF-8', () => assert.equal(folded('/%FF/%C5%BFecret'), folded('/%FF/secret')))
  it('adds and takes no slash', () => {
    for (const path of ['/%EF%BC%8F', '/%E2%81%84', '/%C0%AF', '/%FF', '/A/B/']) {
      const form = comparable(path)
      assert.equal(foldCase(form).split('/').length, form.split('/').length, path)
    }
  })
})
