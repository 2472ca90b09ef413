import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import type { TokenFault } from '../../src/core/denial.ts'
import { encodePart, makeKey, mintToken, signJws, TEST_ISSUER } from '../support/keys.ts'
import { assertRejected, assertVerified, bearer, NOW, trusting, verifierOf } from '../support/verifier-under-test.ts'

const key = makeKey('ES256', 'current')
const other = makeKey('ES256', 'current')
const verifier = verifierOf([trusting([key])])
const embedded = verifierOf([trusting([key], { embedded: true, toleranceSeconds: 5 })])
const jwtIssuer = verifierOf([trusting([key], { tokenTypes: ['jwt'] })])
const mint = (claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}): string =>
  mintToken(key, { claims, header, now: NOW })

describe('RFC 9068 §4: validating JWT access tokens', () => {
  it('takes a token with everything right, and says what it holds', async () => {
    const token = assertVerified(await bearer(verifier, mint({ scope: 'photos:read photos:write', aud: ['a', 'b'] })))
    assert.equal(token.issuer, TEST_ISSUER)
    assert.equal(token.embedded, false)
    assert.equal(token.subject, 'sub-alice')
    assert.equal(token.clientId, 'cli')
    assert.deepEqual(token.audience, ['a', 'b'])
    assert.deepEqual([...token.scope], ['photos:read', 'photos:write'])
    assert.equal(token.expiresAt, NOW + 300)
    assert.equal(token.issuedAt, NOW)
    assert.equal(token.username, 'alice')
    assert.deepEqual(token.groups, ['photos'])
  })

  for (const alg of ['ES256', 'ES384', 'ES512', 'RS256', 'RS512', 'PS256', 'PS384', 'EdDSA', 'Ed25519']) {
    it(`takes a token signed with ${alg} when the issuer's list has it`, async () => {
      const signer = makeKey(alg)
      assertVerified(await bearer(verifierOf([trusting([signer])]), mintToken(signer, { now: NOW })))
    })
  }

  for (const typ of ['at+jwt', 'application/at+jwt', 'AT+JWT', 'Application/At+Jwt']) {
    it(`takes typ ${typ}`, async () => void assertVerified(await bearer(verifier, mint({}, { typ }))))
  }

  for (const typ of [
    undefined,
    'JWT',
    'jwt',
    'id+jwt',
    'dpop+jwt',
    'logout+jwt',
    'oauth-authz-req+jwt',
    '',
    'at+jwt ',
  ]) {
    it(`refuses typ ${typ}: other tokens of the issuer are no access tokens`, async () => {
      assertRejected(await bearer(verifier, mint({}, { typ })), 'wrong_type')
    })
  }

  it('takes what token_type says, and then nothing else', async () => {
    assertVerified(await bearer(jwtIssuer, mint({}, { typ: 'JWT' })))
    assertVerified(await bearer(jwtIssuer, mint({}, { typ: 'jwt' })))
    assertRejected(await bearer(jwtIssuer, mint()), 'wrong_type')
    assertRejected(await bearer(jwtIssuer, mint({}, { typ: undefined })), 'wrong_type')
  })

  for (const mark of ['nonce', 'at_hash', 'c_hash', 'events']) {
    it(`refuses, under token_type jwt, what ${mark} shows to be another kind of token`, async () => {
      assertRejected(await bearer(jwtIssuer, mint({ [mark]: 'x' }, { typ: 'JWT' })), 'wrong_type', /no access token/)
      assertVerified(await bearer(verifier, mint({ [mark]: 'x' })))
    })
  }

  it('refuses an issuer that is not trusted, and one that differs in a slash or in case', async () => {
    for (const iss of [
      'https://evil.example',
      `${TEST_ISSUER}/`,
      TEST_ISSUER.toUpperCase(),
      ` ${TEST_ISSUER}`,
      `${TEST_ISSUER}#`,
    ]) {
      assertRejected(await bearer(verifier, mint({ iss })), 'untrusted_issuer')
    }
    for (const iss of [undefined, 1, [TEST_ISSUER]])
      assertRejected(await bearer(verifier, mint({ iss })), 'missing_claim')
  })

  it('refuses a signature by another key, over other claims, cut short, made longer, and none', async () => {
    const good = mint()
    const [head, body, signature = ''] = good.split('.')
    const tail = Buffer.from(signature, 'base64url')
    const bad = [
      mintToken(other, { now: NOW }),
      `${head}.${encodePart(JSON.stringify({ iss: TEST_ISSUER, sub: 'x' }))}.${signature}`,
      `${head}.${body}.${tail.subarray(0, 63).toString('base64url')}`,
      `${head}.${body}.${Buffer.concat([tail, tail]).toString('base64url')}`,
      `${head}.${body}.${Buffer.alloc(64).toString('base64url')}`,
    ]
    for (const token of bad) assertRejected(await bearer(verifier, token), 'bad_signature')
    assertRejected(await bearer(verifier, `${head}.${body}.`), 'malformed_token')
  })
})

describe('RFC 8725 §3.1: algorithms come from the issuer’s list', () => {
  const rsa = makeKey('RS256', 'rsa')
  const both = verifierOf([trusting([key, rsa])])

  for (const alg of [
    'none',
    'None',
    'HS256',
    'HS384',
    'HS512',
    'RS256',
    'EdDSA',
    'ES384',
    'NONE',
    'es256',
    'constructor',
    '',
  ]) {
    it(`refuses alg ${alg || 'of no letters'} where only ES256 is listed`, async () => {
      assertRejected(await bearer(verifier, mint({}, { alg })), 'bad_signature')
    })
  }

  it('refuses HMAC even when somebody lists it, with the public key in every spelling as the secret', async () => {
    const careless = verifierOf([trusting([rsa], { algorithms: ['RS256', 'HS256', 'none'] })])
    const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' })
    const der = rsa.publicKey.export({ type: 'spki', format: 'der' })
    for (const secret of [pem, der, JSON.stringify(rsa.publicJwk), String(rsa.publicJwk.n)]) {
      const input = mintToken(rsa, { now: NOW, header: { alg: 'HS256' } })
        .split('.')
        .slice(0, 2)
        .join('.')
      const forged = `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
      assertRejected(await bearer(careless, forged), 'unknown_key')
    }
    assertRejected(await bearer(careless, mintToken(rsa, { now: NOW, header: { alg: 'none' } })), 'unknown_key')
  })

  it('refuses an algorithm that is listed but not of the key’s kind', async () => {
    assertRejected(await bearer(both, mintToken(key, { now: NOW, header: { alg: 'RS256' } })), 'unknown_key')
    assertRejected(await bearer(both, mintToken(rsa, { now: NOW, header: { alg: 'ES256' } })), 'unknown_key')
  })

  it('refuses an algorithm of the key’s kind other than the one that the key is for', async () => {
    const ps = verifierOf([trusting([rsa], { algorithms: ['RS256', 'PS256'] })])
    assertRejected(await bearer(ps, mintToken({ ...rsa, alg: 'PS256' }, { now: NOW })), 'unknown_key')
  })
})

describe('RFC 9068 §2.2: claims', () => {
  const matrix: readonly (readonly [string, unknown, TokenFault])[] = [
    ...['sub', 'client_id'].flatMap((claim) =>
      [undefined, null, '', 7, true, {}, ['x']].map((value) => [claim, value, 'missing_claim'] as const),
    ),
    ...['exp', 'iat'].flatMap((claim) =>
      [undefined, null, '', String(NOW + 100), true, {}, [NOW]].map(
        (value) => [claim, value, 'missing_claim'] as const,
      ),
    ),
    ...[null, '', `${NOW}`, {}].map((value) => ['nbf', value, 'missing_claim'] as const),
    ...[null, 7, true, {}, [7], ['a', null], [['a']]].map((value) => ['aud', value, 'missing_claim'] as const),
    ...[null, 7, true, {}, [7], ['a', null]].map((value) => ['scope', value, 'missing_claim'] as const),
    ...[null, 7, 'jkt', ['jkt']].map((value) => ['cnf', value, 'missing_claim'] as const),
    ['exp', 0, 'expired'],
    ['exp', -1, 'expired'],
    ['exp', NOW - 60, 'expired'],
    ['iat', NOW + 61, 'not_yet_valid'],
    ['nbf', NOW + 61, 'not_yet_valid'],
  ]
  for (const [claim, value, fault] of matrix) {
    it(`refuses ${claim} ${JSON.stringify(value)} as ${fault}`, async () => {
      assertRejected(await bearer(verifier, mint({ [claim]: value })), fault)
    })
  }

  for (const number of ['1e400', '-1e400']) {
    it(`refuses exp ${number}, which reads as no finite number`, async () => {
      const claims = `{"iss":"${TEST_ISSUER}","sub":"s","client_id":"c","iat":${NOW},"exp":${number}}`
      const token = signJws(key, JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: key.kid }), claims)
      assertRejected(await bearer(verifier, token), 'missing_claim', /exp/)
    })
  }

  for (const value of [undefined, null, '', 7, {}, ['j']]) {
    it(`refuses jti ${JSON.stringify(value)} of the embedded issuer, whose tokens are revoked by it`, async () => {
      assertRejected(await bearer(embedded, mint({ jti: value })), 'missing_claim', /jti/)
      assert.equal(assertVerified(await bearer(verifier, mint({ jti: value }))).jti, undefined)
    })
  }

  it('allows 60 s between the clocks of foreign issuers and ours, 5 s for the embedded one', async () => {
    for (const [subject, tolerance] of [
      [verifier, 60],
      [embedded, 5],
    ] as const) {
      assertVerified(await bearer(subject, mint({ exp: NOW - tolerance + 1 })))
      assertRejected(await bearer(subject, mint({ exp: NOW - tolerance })), 'expired', new RegExp(`${tolerance} s ago`))
      assertVerified(await bearer(subject, mint({ iat: NOW + tolerance })))
      assertRejected(await bearer(subject, mint({ iat: NOW + tolerance + 1 })), 'not_yet_valid')
      assertVerified(await bearer(subject, mint({ nbf: NOW + tolerance })))
      assertRejected(await bearer(subject, mint({ nbf: NOW + tolerance + 1 })), 'not_yet_valid')
    }
  })

  it('reads scope as a string or a list, and no scope as none', async () => {
    const scopes = async (scope: unknown): Promise<string[]> => [
      ...assertVerified(await bearer(verifier, mint({ scope }))).scope,
    ]
    assert.deepEqual(await scopes('a  b '), ['a', 'b'])
    assert.deepEqual(await scopes(['a', 'b']), ['a', 'b'])
    for (const member of ['b c', '', 'b"', 'b\\', 'b\n', 'ü', '\u00a0'])
      assert.deepEqual(await scopes(['a', member]), ['a'])
    assert.deepEqual(await scopes(undefined), [])
    for (const text of ['a\tb', 'a\u00a0b', 'a"']) assert.deepEqual(await scopes(text), [])
  })

  it('leaves out a username and groups of the wrong type, and never splits a group’s name', async () => {
    const read = async (claims: Record<string, unknown>) => assertVerified(await bearer(verifier, mint(claims)))
    for (const username of [undefined, null, '', 7, ['alice'], {}]) {
      assert.equal((await read({ username })).username, undefined)
    }
    for (const groups of [undefined, null, '', 7, {}, ['a', 7], [['a']]])
      assert.deepEqual((await read({ groups })).groups, [])
    assert.deepEqual((await read({ groups: 'photos, editors' })).groups, ['photos, editors'])
    assert.deepEqual((await read({ groups: ['a', '', 'b'] })).groups, ['a', 'b'])
  })

  it('reads the claims that the issuer’s settings name, and no others in their place', async () => {
    const claims = { groups: 'roles', username: 'preferred_username', scope: 'scp', client: 'azp' }
    const mapped = verifierOf([trusting([key], { claims })])
    const token = assertVerified(
      await bearer(mapped, mint({ azp: 'app', preferred_username: 'al', scp: ['x'], roles: ['r'], gid: 'not ours' })),
    )
    assert.deepEqual(
      [token.clientId, token.username, [...token.scope], token.groups, token.gid],
      ['app', 'al', ['x'], ['r'], undefined],
    )
    assertRejected(await bearer(mapped, mint()), 'missing_claim', /azp/)
  })

  it('takes an inherited name for no claim', async () => {
    const claims = { groups: 'constructor', username: 'toString', scope: 'valueOf', client: 'constructor' }
    assertRejected(await bearer(verifierOf([trusting([key], { claims })]), mint()), 'missing_claim', /constructor/)
  })
})
