import assert from 'node:assert/strict'
import { BlockList } from 'node:net'
import { describe } from 'node:test'
import fc from 'fast-check'
import { parseAuthority } from '../../src/core/address.ts'
import { decide } from '../../src/core/decide.ts'
import { isTrustedPeer, parseTrustedPeers } from '../../src/core/headers/forwarded.ts'
import { clientReference } from '../../src/core/paths/client-reference.ts'
import { judgeDestination } from '../../src/core/paths/dav.ts'
import { createHrefRewriter } from '../../src/core/paths/href-rewriter.ts'
import { matchesPattern } from '../../src/core/paths/pattern.ts'
import { createRouter } from '../../src/core/paths/router.ts'
import { parseTarget } from '../../src/core/paths/target.ts'
import { upstreamTarget } from '../../src/core/paths/upstream-target.ts'
import { clientOf } from '../unit/core/clients.ts'
import { permitFor } from '../unit/core/permits.ts'
import {
  NOW,
  pattern,
  protectedBy,
  RESERVED,
  rule,
  sampleRoute,
  sampleToken,
  sampleUpstream,
} from '../unit/core/samples.ts'
import { holds } from './core-property.ts'

const admin = sampleRoute({ id: 'admin', path: '/photos/admin' })
const photos = sampleRoute({
  access: protectedBy([rule('any', ['photos:write'], ['/locked/**']), rule('any', ['photos:read'])], ['/share/**']),
})
const router = createRouter([photos, admin, sampleRoute({ id: 'root', path: '/' })], RESERVED)

const PIECES = [
  'photos',
  'admin',
  'locked',
  'share',
  '..',
  '.',
  '/',
  '/',
  '/',
  '%2f',
  '%2F',
  '%2e',
  '%2E',
  '%25',
  '%252e',
  '%5c',
  '\\',
  ';',
  ';x=1',
  '%3b',
  '%3f',
  '%23',
  'a',
  '%61',
  '%C3%BC',
  ...['Photos', 'ADMIN', 'Locked', 'sHare', '%C5%BFhare', '%2541dmin', 'loc%E2%84%AAed', 'adm%C4%B0n', '%ff'],
  '%20',
  '%',
  '%00',
  '%c0%ae',
  '100%25',
  '~',
  '?',
  '#',
  ' ',
]
const path = fc.array(fc.constantFrom(...PIECES), { maxLength: 10 }).map((pieces) => `/${pieces.join('')}`)
const anything = fc.oneof(
  path,
  path.map((each) => `/photos${each}`),
  fc.string({ unit: 'binary' }),
)

/** What a lenient server might serve: decoded `times`, parameters dropped, backslashes turned, slashes merged, dots resolved. */
function served(raw: string, times: number): string {
  let text = raw
  for (let i = 0; i < times; i++) {
    text = text.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
  }
  const out: string[] = []
  for (const segment of text
    .split(/[?#]/, 1)
    .join()
    .replaceAll('\\', '/')
    .split('/')
    .map((each) => each.split(';')[0] ?? '')) {
    if (segment === '..') out.pop()
    else if (segment !== '.' && segment !== '') out.push(segment)
  }
  return `/${out.join('/')}`
}

/** {@link served} by one that ignores letter case, beyond ASCII too. */
function servedCaseless(raw: string, times: number): string {
  const text = Buffer.from(served(raw, times), 'latin1').toString('utf8')
  return text.toLowerCase().toUpperCase().toLowerCase().replaceAll('i\u0307', 'i')
}

describe('what is matched is what is forwarded', () => {
  holds(
    'byte for byte: path and query together are the target, and the upstream gets its tail',
    [anything],
    (requestTarget) => {
      const parsed = parseTarget(requestTarget)
      if (!parsed.ok) return
      assert.equal(parsed.target.path + parsed.target.query, requestTarget)
      const selection = router.select('a.example', parsed.target)
      if (selection.kind !== 'route') return
      const forwarded = upstreamTarget(selection.route, sampleUpstream(), parsed.target)
      assert.ok(forwarded.startsWith('/'))
      assert.ok(requestTarget.endsWith(forwarded) || forwarded === `/${parsed.target.query}`)
    },
    3000,
  )
  holds(
    'for every reader: whoever decodes, merges, drops or resolves finds the same route, rule and publicness',
    [path.map((each) => `/photos${each}`), fc.integer({ min: 0, max: 4 })],
    (requestTarget, times) => {
      const parsed = parseTarget(requestTarget)
      if (!parsed.ok) return
      const selection = router.select('a.example', parsed.target)
      if (selection.kind !== 'route' || selection.route !== photos) return
      const token = sampleToken()
      const decision = decide(photos, 'GET', parsed.target, { kind: 'verified', token }, NOW)
      if (decision.kind !== 'forward') return
      const found = served(parsed.target.path, times)
      assert.ok(/^\/photos(\/|$)/.test(found), found)
      assert.ok(!/^\/photos\/(admin|locked)(\/|$)/.test(found), found)
      assert.equal(decision.permit.token === undefined, /^\/photos\/share(\/|$)/.test(found), found)
    },
    5000,
  )
  holds(
    'for every reader that ignores letter case as well, whichever route is taken',
    [fc.constantFrom('', '/photos', '/Photos', '/%70hotos', '/PHOTOS'), path, fc.integer({ min: 0, max: 4 })],
    (start, rest, times) => {
      const parsed = parseTarget(`${start}${rest}`)
      if (!parsed.ok) return
      const selection = router.select('a.example', parsed.target)
      if (selection.kind !== 'route') return
      const found = servedCaseless(parsed.target.path, times)
      const [, first = '', second = ''] = found.split('/')
      const meant = first !== 'photos' ? 'root' : second === 'admin' ? 'admin' : 'photos'
      assert.equal(selection.route.id, meant, found)
      if (selection.route !== photos) return
      const decision = decide(photos, 'GET', parsed.target, { kind: 'verified', token: sampleToken() }, NOW)
      if (decision.kind !== 'forward') return
      assert.notEqual(second, 'locked', found)
      assert.equal(decision.permit.token === undefined, second === 'share', found)
    },
    5000,
  )
  holds('for a Destination too', [path], (reference) => {
    const locked = { ...photos, stripPath: true }
    const input = {
      method: 'MOVE',
      permit: permitFor(photos, sampleToken(), '/photos/1', 'MOVE'),
      client: clientOf(),
      router,
    }
    const fields = {
      rawHeaders: ['Destination', `/photos${reference}`],
      publicHost: 'x',
      upstream: sampleUpstream(),
      now: NOW,
    }
    const judged = judgeDestination({ ...input, ...fields })
    if (judged.kind === 'deny') return
    const found = served(
      (judged.dav.destination ?? '').replace('http://127.0.0.1:2283', locked.path).split('?')[0] ?? '',
      3,
    )
    assert.ok(!/^\/photos\/(admin|locked)(\/|$)/.test(found), found)
  })
})

describe('a pattern', () => {
  const segment = fc.constantFrom('a', 'b', 'ab', '*', 'a*', '*b', '**', 'a*b*')
  const text = fc.array(segment, { minLength: 1, maxLength: 5 }).map((each) => `/${each.join('/')}`)
  const subject = fc
    .array(fc.constantFrom('a', 'b', 'ab', 'aab', ''), { minLength: 1, maxLength: 6 })
    .map((each) => `/${each.join('/')}`)
  holds(
    'matches what a regular expression of the same meaning matches',
    [text, subject],
    (glob, each) => {
      const source = glob
        .slice(1)
        .split('/')
        .map((part) => (part === '**' ? '(?:/[^/]*)*' : `/${part.replaceAll('*', '[^/]*')}`))
      assert.equal(
        matchesPattern(pattern(glob), each),
        new RegExp(`^${source.join('')}$`).test(each.replace(/(?<=.)\/$/, '')),
        `${glob} ${each}`,
      )
    },
    3000,
  )
})

describe('addresses', () => {
  const v4 = fc.ipV4()
  const v6 = fc.ipV6()
  holds(
    'lie in a block as they do in Node\u2019s own list',
    [v4, v4, fc.integer({ min: 0, max: 32 })],
    (base, address, bits) => {
      const list = new BlockList()
      list.addSubnet(base, bits, 'ipv4')
      assert.equal(isTrustedPeer(address, parseTrustedPeers([`${base}/${bits}`])), list.check(address, 'ipv4'))
    },
  )
  holds('of IPv6 too', [v6, v6, fc.integer({ min: 0, max: 128 })], (base, address, bits) => {
    if (/^::ffff:/i.test(base) || /^::ffff:/i.test(address)) return
    const list = new BlockList()
    list.addSubnet(base, bits, 'ipv6')
    assert.equal(isTrustedPeer(address, parseTrustedPeers([`${base}/${bits}`])), list.check(address, 'ipv6'))
    assert.ok(isTrustedPeer(base, parseTrustedPeers([`${base}/${bits}`])))
  })
  holds('are read without a crash', [fc.string(), fc.string()], (base, address) => {
    isTrustedPeer(address, parseTrustedPeers([base]))
  })
})

describe('a host', () => {
  holds(
    'that is taken is the one that a URL parser finds',
    [fc.oneof(fc.domain(), fc.string({ maxLength: 20 })), fc.constantFrom('', ':80', ':', ':x', '.')],
    (name, end) => {
      const authority = parseAuthority(name + end)
      if (authority === undefined || /^[\d.x]+$/i.test(authority.host) || /(^|\.)(0x)?[\da-f]+$/.test(authority.host))
        return
      const url = URL.parse(`http://${name}${end}/`)
      if (url === null) return
      assert.equal(authority.host, url.hostname.replace(/\.$/, ''))
    },
  )
})

describe('references of the upstream', () => {
  const pieces = fc.array(
    fc.constantFrom(
      '<D:href>',
      '</D:href>',
      '<href a="',
      '">',
      '/',
      'a',
      '<!--',
      '-->',
      '<![CDATA[',
      ']]>',
      '<?',
      '?>',
      '<',
      '>',
      '&amp;',
      "'",
      '"',
      '\u00fc',
      'http://127.0.0.1:2283',
      ' ',
      '<x/>',
    ),
    { maxLength: 40 },
  )
  holds(
    'come out the same wherever a body is cut',
    [pieces, fc.array(fc.nat({ max: 300 }), { maxLength: 6 })],
    (parts, cuts) => {
      const body = Buffer.from(parts.join(''))
      const whole = createHrefRewriter(sampleRoute(), clientOf())
      const expected = Buffer.concat([whole.push(body), whole.end()])
      const cut = createHrefRewriter(sampleRoute(), clientOf())
      const at = [0, ...cuts.map((each) => Math.min(each, body.length)).sort((a, b) => a - b), body.length]
      const chunks = at.slice(1).map((end, i) => cut.push(body.subarray(at[i], end)))
      assert.deepEqual(Buffer.concat([...chunks, cut.end()]), expected)
    },
    2000,
  )
  holds('outside of hrefs stay as they are', [pieces], (parts) => {
    const body = Buffer.from(parts.filter((part) => !part.includes('href')).join(''))
    const rewriter = createHrefRewriter(sampleRoute(), clientOf())
    assert.deepEqual(Buffer.concat([rewriter.push(body), rewriter.end()]), body)
  })
  holds(
    'never lead to another host than they did, or than ours',
    [fc.oneof(fc.webUrl(), fc.string(), path)],
    (reference) => {
      const answered = clientReference(sampleRoute(), clientOf(), reference)
      if (answered === reference) return
      assert.ok(answered.startsWith('/photos') || answered.startsWith('https://gate.example.com:8443/photos'), answered)
    },
  )

  const referencePiece = fc.constantFrom(
    ...['/', '/', '\\', '.', '..', '%2e', '?', '#', ':', '@', ' ', '\t', '\n', 'app', 'a', 'http:', 'https:'],
    'evil.example',
    '127.0.0.1:2283',
  )
  const upstreamsSite = 'http://127.0.0.1:2283'
  const base = { upstreams: [sampleUpstream({ basePath: '/app' })] }
  for (const [what, change] of [
    ['a prefix', {}],
    ['a base path', { ...base, path: '/' }],
    ['both', base],
    ['neither', { path: '/' }],
  ] as const)
    holds(
      `stay on the site where the upstream's own would have: with ${what}`,
      [fc.array(referencePiece, { maxLength: 8 })],
      (parts) => {
        const reference = parts.join('')
        if (URL.parse(reference, `${upstreamsSite}/app/x`)?.origin !== upstreamsSite) return
        const answered = clientReference(sampleRoute(change), clientOf(), reference)
        if (answered === reference && answered.includes('127.0.0.1')) return
        assert.equal(
          URL.parse(answered, 'https://gate.example.com:8443/photos/x')?.origin,
          'https://gate.example.com:8443',
          answered,
        )
      },
      3000,
    )
})
