import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  isOwnCookieName,
  ownCookieName,
  setsOwnCookie,
  withoutDoubledOwnCookies,
  withoutOwnCookies,
} from '../../../../src/core/headers/own-cookies.ts'

describe('a Cookie field on its way upstream', () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['audgate_session=s', undefined],
    ['__Host-audgate_session=s; __Secure-audgate_device=d', undefined],
    ['a=1; audgate_session=s; b=2', 'a=1; b=2'],
    ['audgate_session=s;b=2', 'b=2'],
    ['a=1;audgate_session.sig=s;', 'a=1;'],
    ['AUDGATE_Session=s; a=1', 'a=1'],
    ['a=1; audgate_session', 'a=1'],
    ['a="x; __HOST-audgate_session=s; b=y"', 'a="x; b=y"'],
    ['a=1, audgate_session=s; b=2', 'b=2'],
    ['a=1 "audgate_session"=s; b=2', 'b=2'],
    ['$Version=1; audgate_session="s"; $Path="/"', '$Version=1; $Path="/"'],
    ['=audgate_session=s; a=1', 'a=1'],
    ['%61udgate_session=s; a=1', 'a=1'],
    ['..Host-audgate_session=s; audgate.session=s; a=1', 'a=1'],
    ['\u00a0audgate_session=s; a=1', 'a=1'],
  ]
  for (const [value, left] of cases) {
    it(`${value} becomes ${left}`, () => assert.equal(withoutOwnCookies(value), left))
  }
  it('stays byte for byte where it names none of the gateway\u2019s own', () => {
    const others = [
      'a=1;b=2 ; c="x;y"  ;;d=%20%3B',
      'theme=audgate_session; my_audgate_x=1; audgateish=1; audgate=1; x_audgate_session=1',
      'j={"a": 1, "b": 2}; __Host-session=1',
      ' odd = spaced ',
      '',
    ]
    for (const value of others) assert.equal(withoutOwnCookies(value), value)
  })
})

describe('the largest Cookie field', () => {
  it('is read in one pass', () => {
    const started = process.cpuUsage()
    for (const char of [',', '"', ' ', '=', ';', '%']) withoutOwnCookies(`audgate${char.repeat(32_000)}`)
    assert.ok(process.cpuUsage(started).user < 500_000)
  })
})

describe('a Set-Cookie field of an upstream', () => {
  it('sets none of the gateway\u2019s own, nameless, joined or spelled otherwise', () => {
    const planted = [
      'audgate_session=x; Path=/',
      '__host-audgate_session=x; Secure; Path=/',
      ' __Secure-audgate_device = x',
      '=audgate_session=x',
      'audgate_session',
      'a=b, audgate_session=x; Path=/',
      'a=b; Path=/, audgate_session=x',
      '%61udgate_session=x',
    ]
    for (const value of planted) assert.equal(setsOwnCookie(value), true, value)
  })
  it('is the upstream\u2019s own otherwise', () => {
    const own = [
      'a=audgate_session; Path=/',
      'a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
      'session=1; Path=/audgate_x',
    ]
    for (const value of own) assert.equal(setsOwnCookie(value), false, value)
  })
})

describe('a cookie of the gateway\u2019s own', () => {
  it('counts only where its name is there once', () => {
    const [plain, host] = [ownCookieName('session', 'plain'), ownCookieName('session', 'host')]
    assert.equal(withoutDoubledOwnCookies(`${plain}=a; x=1; ${plain}=b; ${host}=c`), `x=1; ${host}=c`)
    assert.equal(withoutDoubledOwnCookies(`x=1; x=2; ${plain}=a`), `x=1; x=2; ${plain}=a`)
  })
  it('has a name that every other part takes for one', () => {
    for (const hold of ['plain', 'secure', 'host'] as const)
      assert.ok(isOwnCookieName(ownCookieName('interaction', hold)))
  })
})
