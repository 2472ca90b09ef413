import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodeValue, IDENTITY_SETS, identityHeaders } from '../../../../src/core/headers/identity.ts'
import type { IdentitySet, Route } from '../../../../src/core/route.ts'
import { sampleRoute, sampleToken } from '../samples.ts'

function pairs(change: Partial<Route>, token?: ReturnType<typeof sampleToken>): Record<string, string> {
  const headers = identityHeaders(sampleRoute(change), token)
  assert.ok(Array.isArray(headers))
  return Object.fromEntries(headers.flatMap((name, i) => (i % 2 === 0 ? [[name, headers[i + 1] ?? '']] : [])))
}

function faultOf(change: Parameters<typeof sampleToken>[0], route: Partial<Route> = {}): string | undefined {
  const headers = identityHeaders(sampleRoute(route), sampleToken(change))
  return 'fault' in headers ? headers.fault : undefined
}

const full = sampleToken({
  groups: ['photos', 'a,b', '100%'],
  scope: new Set(['photos:read', 'photos:write']),
  claims: { email: 'alice@example.com', name: 'Alice, of J\u00fcrgen' },
})

describe('the identity set', () => {
  const expected: Record<IdentitySet, Record<string, string>> = {
    'x-auth': {
      'X-Auth-Username': 'alice',
      'X-Auth-Subject': 'u-alice',
      'X-Auth-Groups': 'photos,a%2Cb,100%25',
      'X-Auth-Email': 'alice@example.com',
      'X-Auth-Name': 'Alice, of J%C3%BCrgen',
      'X-Auth-Client': 'cli',
      'X-Auth-Issuer': 'https://gate.example.com',
      'X-Auth-Scope': 'photos:read photos:write',
    },
    'remote-user': {
      'Remote-User': 'alice',
      'Remote-Groups': 'photos,a%2Cb,100%25',
      'Remote-Email': 'alice@example.com',
      'Remote-Name': 'Alice, of J%C3%BCrgen',
    },
    'x-forwarded-user': {
      'X-Forwarded-User': 'alice',
      'X-Forwarded-Preferred-Username': 'alice',
      'X-Forwarded-Groups': 'photos,a%2Cb,100%25',
      'X-Forwarded-Email': 'alice@example.com',
    },
    'x-webauth': {
      'X-WEBAUTH-USER': 'alice',
      'X-WEBAUTH-GROUPS': 'photos,a%2Cb,100%25',
      'X-WEBAUTH-EMAIL': 'alice@example.com',
      'X-WEBAUTH-NAME': 'Alice, of J%C3%BCrgen',
    },
    none: {},
  }
  for (const set of Object.keys(IDENTITY_SETS) as IdentitySet[]) {
    it(`${set} sends its headers`, () => assert.deepEqual(pairs({ identity: set }, full), expected[set]))
  }
  it('names no client where a user name stands: a service called alice is not the user alice', () => {
    const service = sampleToken({ username: undefined, subject: 'alice', clientId: 'alice', groups: [] })
    const named = { 'X-Auth-Subject': 'alice', 'X-Auth-Client': 'alice' }
    const { 'X-Auth-Issuer': _issuer, 'X-Auth-Scope': _scope, ...others } = pairs({}, service)
    assert.deepEqual(others, named)
    for (const identity of ['remote-user', 'x-forwarded-user', 'x-webauth'] as const)
      assert.deepEqual(pairs({ identity }, service), {})
    const claim = { headers: [{ name: 'Remote-User', claim: 'client_id' }], identity: 'remote-user' } as const
    assert.deepEqual(pairs(claim, sampleToken({ ...service, claims: { client_id: 'alice' } })), {
      'Remote-User': 'alice',
    })
  })
  it('falls back to sub where there is no username', () => {
    assert.equal(pairs({}, sampleToken({ username: undefined }))['X-Auth-Username'], 'u-alice')
  })
  it('sends no header for an absent, empty or wrongly typed claim', () => {
    for (const claims of [{}, { email: '', name: '' }, { email: 1, name: ['x'] }, { email: null, name: {} }]) {
      const headers = pairs({}, sampleToken({ groups: [], claims }))
      for (const name of ['X-Auth-Email', 'X-Auth-Name', 'X-Auth-Groups']) assert.ok(!(name in headers), name)
    }
    assert.ok(!('X-Auth-Groups' in pairs({}, sampleToken({ groups: ['', ''] }))))
  })
  it('sends nothing without a token', () => assert.deepEqual(pairs({}), {}))
})

describe('further headers', () => {
  const headers = [{ name: 'X-Tenant', claim: 'tenant' }]
  const tenant = (value: unknown) =>
    pairs({ headers, identity: 'none' }, sampleToken({ claims: { tenant: value } }))['X-Tenant']
  it('carry a text, a number, a truth value or a list of texts', () => {
    assert.equal(tenant('a, b'), 'a, b')
    assert.equal(tenant(7), '7')
    assert.equal(tenant(false), 'false')
    assert.equal(tenant(['a', 'b,c']), 'a,b%2Cc')
  })
  it('carry nothing else', () => {
    for (const value of [undefined, null, {}, [1], [['a']], ['a', null], '', []]) assert.equal(tenant(value), undefined)
  })
  it('never come from what every object inherits', () => {
    const odd = [
      { name: 'X-Odd', claim: 'toString' },
      { name: 'X-Odder', claim: '__proto__' },
    ]
    assert.deepEqual(pairs({ headers: odd, identity: 'none' }, sampleToken()), {})
  })
})

describe('values', () => {
  it('encode %, non-ASCII bytes and, in list members, commas: those bytes only', () => {
    const printable = Array.from({ length: 95 }, (_, i) => String.fromCharCode(0x20 + i))
      .join('')
      .trim()
    assert.equal(encodeValue(printable, false), printable.replace('%', '%25'))
    assert.equal(encodeValue(printable, true), printable.replace('%', '%25').replace(',', '%2C'))
    assert.equal(encodeValue('\u00fc\u{1f600}\u0085', false), '%C3%BC%F0%9F%98%80%C2%85')
  })
  it('keep the spaces at their ends, which every parser would trim', () => {
    assert.equal(encodeValue(' a b ', false), '%20a b%20')
    assert.equal(encodeValue('  ', false), '%20%20')
  })
  for (const [what, text] of [
    ['CR LF', 'a\r\nX-Admin: 1'],
    ['NUL', '\u0000'],
    ['DEL', 'a\u007f'],
    ['tab', 'a\tb'],
    ['an unpaired surrogate', '\ud800'],
  ] as const) {
    it(`with ${what} are malformed_claim`, () => {
      assert.equal(encodeValue(text, false), undefined)
      assert.equal(faultOf({ username: text }), 'malformed_claim')
      assert.equal(faultOf({ groups: ['x', text] }), 'malformed_claim')
      assert.equal(faultOf({ claims: { t: [text] } }, { headers: [{ name: 'X-T', claim: 't' }] }), 'malformed_claim')
    })
  }
  it('that are not sent are not judged', () =>
    assert.equal(faultOf({ username: '\n' }, { identity: 'none' }), undefined))
  it('of more than 8 KiB in all are identity_too_large', () => {
    const left = 8192 - 'alicealice'.length
    const exact = {
      subject: 'alice',
      username: 'alice',
      clientId: '',
      issuer: '',
      scope: new Set<string>(),
      groups: [],
    }
    assert.equal(faultOf({ ...exact, claims: { name: 'x'.repeat(left) } }), undefined)
    assert.equal(faultOf({ ...exact, claims: { name: 'x'.repeat(left + 1) } }), 'identity_too_large')
    assert.equal(faultOf({ ...exact, claims: { name: '\u00fc'.repeat(left / 4) } }), 'identity_too_large')
  })
})
