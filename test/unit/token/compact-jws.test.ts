import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodePart, makeKey, mintToken, signJws, TEST_ISSUER } from '../../support/keys.ts'
import { assertRejected, assertVerified, bearer, NOW, trusting, verifierOf } from '../../support/verifier-under-test.ts'

const key = makeKey('ES256', 'k')
const verifier = verifierOf([trusting([key])])
const HEADER = '{"alg":"ES256","typ":"at+jwt","kid":"k"}'
const CLAIMS = `"iss":"${TEST_ISSUER}","sub":"s","client_id":"c","iat":${NOW},"exp":${NOW + 60}`
const PAYLOAD = `{${CLAIMS}}`

/** Signed by the issuer's own key, so that nothing but the form can be what is refused. */
const judge = (header: string, payload: string) => bearer(verifier, signJws(key, header, payload))
const judgeHeader = (members: string) => judge(`{"alg":"ES256","typ":"at+jwt","kid":"k"${members}}`, PAYLOAD)
const judgePayload = (members: string) => judge(HEADER, `{${CLAIMS}${members}}`)

describe('the form of a token', () => {
  it('takes the plain form that the other tests spoil', async () => {
    assertVerified(await judge(HEADER, PAYLOAD))
    assertVerified(await judgePayload(',"a":[{"b":{}},[],"x\\"y","\\\\","\\u00e9"],"c":{"b":1,"a":2}'))
  })

  it('is malformed over 16 KiB, and not under', async () => {
    const padded = (length: number) => judgePayload(`,"pad":"${'x'.repeat(length)}"`)
    assertVerified(await padded(11_900))
    assertRejected(await padded(12_200), 'malformed_token', /16384 bytes/)
    assertRejected(await bearer(verifier, 'x'.repeat(1_000_000)), 'malformed_token')
  })

  it('is three parts in base64url', async () => {
    const good = mintToken(key, { now: NOW })
    const [head, body, tail] = good.split('.')
    const bad = [
      '',
      '.',
      '..',
      'x',
      'a.b',
      `${head}.${body}`,
      `${good}.`,
      `${good}.x`,
      `.${body}.${tail}`,
      `${head}..${tail}`,
    ]
    bad.push(`${head}.${body}.${tail}=`, `${head} .${body}.${tail}`, `${head}.${body}.é`, `${head}+/.${body}.${tail}`)
    for (const token of bad) assertRejected(await bearer(verifier, token), 'malformed_token')
    assertRejected(await bearer(verifier, 'a.b.c.d.e'), 'malformed_token', /encrypted/)
  })

  it('has one spelling: other last characters of the same bytes are refused', async () => {
    const [head, body, tail = ''] = mintToken(key, { now: NOW }).split('.')
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const sameBytes = [...alphabet].filter((letter) => {
      const spelled = `${tail.slice(0, -1)}${letter}`
      return spelled !== tail && Buffer.from(spelled, 'base64url').equals(Buffer.from(tail, 'base64url'))
    })
    assert.equal(sameBytes.length, 15)
    for (const letter of sameBytes) {
      assertRejected(
        await bearer(verifier, `${head}.${body}.${tail.slice(0, -1)}${letter}`),
        'malformed_token',
        /base64url/,
      )
    }
  })

  for (const text of [
    '',
    'null',
    '7',
    '"x"',
    '[]',
    '[{}]',
    'true',
    '{',
    '{}x',
    "{'a':1}",
    '{"a":1,}',
    '\ufeff{}',
    '{"a":NaN}',
  ]) {
    it(`is refused when header or payload is ${JSON.stringify(text)}`, async () => {
      assertRejected(await judge(text, PAYLOAD), 'malformed_token')
      assertRejected(await judge(HEADER, text), 'malformed_token')
    })
  }

  it('says what the last of two members with one name says, in whatever spelling (RFC 7519 §4)', async () => {
    for (const name of ['sub', 's\\u0075b']) {
      assert.equal(assertVerified(await judgePayload(`,"${name}":"mallory"`)).subject, 'mallory')
    }
    assertRejected(await judgeHeader(',"alg":"none"'), 'bad_signature')
    assertRejected(await judgeHeader(',"crit":["x"],"crit":[]'), 'malformed_token', /crit/)
  })

  it('may have members named as objects have by nature, which are no more than that', async () => {
    for (const name of ['__proto__', '\\u005f_proto__', 'constructor', 'toString']) {
      const token = assertVerified(await judgePayload(`,"${name}":{"polluted":true,"username":"root"}`))
      assert.equal(token.username, undefined)
      assertVerified(await judgeHeader(`,"a":{"${name}":1}`))
    }
    assertRejected(await judge(`{"__proto__":${HEADER}}`, PAYLOAD), 'malformed_token', /without alg/)
    assertRejected(await judge(HEADER, `{"__proto__":${PAYLOAD}}`), 'missing_claim')
    assert.equal(Object.hasOwn(Object.prototype, 'polluted'), false)
  })

  it('is refused with bytes that are no UTF-8; half of a surrogate pair is a claim that no header can carry', async () => {
    const bytes = Buffer.concat([Buffer.from(`{${CLAIMS},"x":"`), Buffer.from([0xff]), Buffer.from('"}')])
    assertRejected(
      await bearer(verifier, signJws(key, HEADER, PAYLOAD).replace(encodePart(PAYLOAD), encodePart(bytes))),
      'malformed_token',
    )
    assert.equal(assertVerified(await judgePayload(',"username":"\\ud800"')).username, '\ud800')
  })

  it('may be nested as deep as it is long', async () => {
    for (const nested of [`${'['.repeat(5_000)}${']'.repeat(5_000)}`, `${'{"a":'.repeat(1_500)}1${'}'.repeat(1_500)}`])
      assert.equal((await judgePayload(`,"a":${nested}`)).kind, 'verified')
  })

  for (const members of [
    ',"crit":["exp"]',
    ',"crit":["b64"],"b64":false',
    ',"crit":["b64"],"b64":true',
    ',"crit":[]',
    ',"crit":null',
    ',"b64":false',
  ]) {
    it(`is refused with the header members ${members.slice(1)}: no extension is understood`, async () => {
      assertRejected(await judgeHeader(members), 'malformed_token', /extension/)
    })
  }

  for (const header of [
    '{"typ":"at+jwt"}',
    '{"alg":7}',
    '{"alg":"ES256","typ":7}',
    '{"alg":"ES256","typ":null,"kid":"k"}',
    '{"alg":"ES256","typ":"at+jwt","kid":7}',
  ]) {
    it(`is refused with the header ${header}`, async () =>
      assertRejected(await judge(header, PAYLOAD), 'malformed_token'))
  }

  it('never finds its key by jku, x5u, jwk or x5c', async () => {
    const mine = makeKey('ES256', 'mine')
    const header = { jku: 'http://127.0.0.1:1/', x5u: 'http://127.0.0.1:1/', jwk: mine.publicJwk, x5c: ['AAAA'] }
    assertVerified(await bearer(verifier, mintToken(key, { now: NOW, header })))
    assertRejected(await bearer(verifier, mintToken(mine, { now: NOW, header })), 'unknown_key')
    assertRejected(
      await bearer(verifier, mintToken(mine, { now: NOW, header: { ...header, kid: 'k' } })),
      'bad_signature',
    )
    assertRejected(
      await bearer(verifier, mintToken(mine, { now: NOW, header: { ...header, kid: undefined } })),
      'bad_signature',
    )
  })

  it('is never repeated in what is said about it, but for its issuer, type, algorithm and key', async () => {
    const secret = 'SECRETSECRET'
    const claims = { sub: secret, jti: secret, username: secret, client_id: 7 }
    const evidence = await bearer(verifier, mintToken(key, { now: NOW, claims }))
    assertRejected(evidence, 'missing_claim')
    assert.doesNotMatch(JSON.stringify(evidence), new RegExp(secret))
  })
})
