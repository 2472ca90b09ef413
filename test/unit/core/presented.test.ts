import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { basicPassword, basicUser, holdsAppPassword, readPresented } from '../../../src/core/presented.ts'
import type { Route } from '../../../src/core/route.ts'
import { ISSUER, protectedBy } from './samples.ts'

type Terms = Pick<Route, 'credentials' | 'authorization' | 'access'>

const KEY = `agp_${'A'.repeat(43)}`
const JWS = 'aa.bb.cc'
const ALL: Terms = {
  credentials: ['token', 'app_password', 'session', 'ticket'],
  authorization: 'gateway',
  access: protectedBy([]),
}
const TOKENS: Terms = { ...ALL, credentials: ['token'] }
const THEIRS: Terms = { ...ALL, authorization: 'upstream' }

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
const read = (terms: Terms, ...fields: readonly string[]) => readPresented(terms, fields)
const sent = (value: string, terms = ALL) => read(terms, 'Authorization', value)
const own = (value: string, terms = ALL) => read(terms, 'X-Audgate-Authorization', value)

/** A JWS of an issuer; nobody has signed it. */
const tokenOf = (iss: string) => `e30.${Buffer.from(JSON.stringify({ iss })).toString('base64url')}.c2ln`

describe('what is sent on purpose', () => {
  it('is none without a field of it, and with a scheme of somebody else', () => {
    for (const fields of [[], ['Cookie', 'audgate_web=x'], ['Authorization', 'Digest x'], ['Authorization', '']])
      assert.deepEqual(read(ALL, ...fields), { kind: 'none' })
  })
  it('is a token as Bearer, as DPoP with its proof, and as a Basic password', () => {
    assert.deepEqual(sent(`Bearer ${JWS}`), { kind: 'bearer', token: JWS })
    assert.deepEqual(sent(basic(`any:${JWS}`)), { kind: 'bearer', token: JWS })
    assert.deepEqual(read(ALL, 'Authorization', `DPoP ${JWS}`, 'DPoP', 'p'), { kind: 'dpop', token: JWS, proof: 'p' })
    assert.deepEqual(sent(`DPoP ${JWS}`), { kind: 'dpop', token: JWS, proof: undefined })
  })
  it('is an app password as Bearer or Basic, whatever the user name, in either field', () => {
    for (const value of [`Bearer ${KEY}`, basic(`any:${KEY}`), basic(`:${KEY}`), `bAsIc ${basic(`ä:${KEY}`).slice(6)}`])
      for (const presented of [sent(value), own(value)])
        assert.deepEqual(presented, { kind: 'app_password', secret: KEY })
  })
  it('is a foreign password where it can be none of ours; meant for one where it begins like one', () => {
    assert.deepEqual(sent(basic('alice:correct horse')), { kind: 'foreign_password', isKey: false })
    assert.deepEqual(sent(basic('alice:')), { kind: 'foreign_password', isKey: false })
    for (const text of ['agp_', `${KEY}A`, `${KEY.slice(0, -1)}+`, 'agp_short'])
      assert.deepEqual(sent(basic(`alice:${text}`)), { kind: 'foreign_password', isKey: true })
    assert.deepEqual(sent('Bearer agp_short'), { kind: 'foreign_password', isKey: true })
  })
  it('keeps a colon of the password', () => assert.equal(basicPassword(basic('a:b:c')), 'b:c'))

  for (const value of [
    'Basic',
    'Basic ',
    'Basic !!!',
    basic('no colon'),
    'Basic dTpw extra',
    'Bearer a b',
    'Bearer',
    'DPoP  ',
  ])
    it(`${JSON.stringify(value)} is malformed`, () => assert.equal(sent(value).kind, 'malformed'))

  it('is malformed twice: two fields of a name, or one in each', () => {
    for (const fields of [
      ['Authorization', `Bearer ${JWS}`, 'authorization', `Bearer ${JWS}`],
      ['X-Audgate-Authorization', `Bearer ${JWS}`, 'x-audgate-authorization', `Bearer ${JWS}`],
      ['Authorization', `Bearer ${JWS}`, 'X-Audgate-Authorization', `Bearer ${JWS}`],
      ['Authorization', `DPoP ${JWS}`, 'DPoP', 'p', 'DPoP', 'p'],
    ])
      assert.equal(read(ALL, ...fields).kind, 'malformed')
  })
  it('is malformed in the gateway’s own field with a scheme that it does not know', () =>
    assert.equal(own('Digest x').kind, 'malformed'))
  it('another scheme in Authorization is no second credential', () => {
    const fields = ['Authorization', 'Digest x', 'X-Audgate-Authorization', `Bearer ${KEY}`]
    assert.deepEqual(read(ALL, ...fields), { kind: 'app_password', secret: KEY })
  })
})

describe('a kind that the route does not list', () => {
  it('is not accepted, whatever it is worth', () => {
    assert.deepEqual(sent(`Bearer ${KEY}`, TOKENS), { kind: 'not_accepted', what: 'app_password' })
    assert.deepEqual(sent(basic(`a:${KEY}`), TOKENS), { kind: 'not_accepted', what: 'app_password' })
    const sessions: Terms = { ...ALL, credentials: ['session'] }
    for (const scheme of ['Bearer', 'DPoP'])
      assert.deepEqual(sent(`${scheme} ${JWS}`, sessions), { kind: 'not_accepted', what: 'token' })
  })
  it('Basic is somebody else’s where no app passwords are taken', () =>
    assert.deepEqual(sent(basic('alice:correct horse'), TOKENS), { kind: 'none' }))
})

describe('where Authorization is the upstream’s own', () => {
  for (const value of [
    'MediaBrowser Token="x"',
    'Bearer opaque',
    basic('foo:bar'),
    `Bearer ${tokenOf('https://other')}`,
  ])
    it(`${value} passes, and shows nothing here`, () => assert.deepEqual(sent(value, THEIRS), { kind: 'none' }))
  for (const value of [
    `Bearer ${KEY}`,
    basic(`a:${KEY}`),
    'Bearer agp_short',
    `Bearer ${tokenOf(ISSUER)}`,
    basic(`a:${tokenOf(ISSUER)}`),
  ])
    it(`${value} is one of ours, and would be handed on`, () => assert.equal(sent(value, THEIRS).kind, 'malformed'))
  it('ours comes in the field of its own, beside theirs', () => {
    const fields = ['Authorization', 'Bearer opaque', 'X-Audgate-Authorization', `Bearer ${JWS}`]
    assert.deepEqual(read(THEIRS, ...fields), { kind: 'bearer', token: JWS })
  })
})

describe('a value that carries an app password', () => {
  for (const [value, holds] of [
    [`Bearer ${KEY}`, true],
    [`bearer  ${KEY}`, true],
    [basic('x:agp_'), true],
    ['Basic agp_', false],
    ['Digest agp_', false],
    [`Digest ${KEY}`, true],
    [`Token token="${KEY}"`, true],
    [basic(`${KEY}:x`), true],
    [basic(`${KEY}:`), true],
    [basic(KEY), true],
    [`Basic\t${basic(`a:${KEY}`).slice(6)}`, true],
    [`Basic ${Buffer.from(`ü?>:${KEY}`).toString('base64url')}`, true],
    [basic(`a:${'A'.repeat(60)}`), false],
  ] as const)
    it(`${value}: ${holds}`, () => assert.equal(holdsAppPassword(value), holds))
})

describe('the user name beside a Basic password', () => {
  const field = (user: string) => basicUser(['X-Audgate-Authorization', basic(`${user}:${KEY}`)])
  it('is read from either field, in UTF-8, and cut', () => {
    assert.equal(field('jürg'), 'jürg')
    assert.equal(basicUser(['authorization', basic(`DOMAIN\\alice:${KEY}`)]), 'DOMAIN\\alice')
    assert.equal(field('x'.repeat(100))?.length, 64)
    assert.equal(field('a\nb\u202e'), 'a?b?')
  })
  it('is none without one, and where a secret was typed in its place', () => {
    for (const user of ['', KEY, 'aa.bb.cc']) assert.equal(field(user), undefined)
    assert.equal(basicUser(['Authorization', `Bearer ${KEY}`]), undefined)
  })
})
