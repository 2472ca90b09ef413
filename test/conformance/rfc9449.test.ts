import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import type { Evidence } from '../../src/core/token.ts'
import type { VerifierOptions } from '../../src/token/verifier.ts'
import { makeKey, mintProof, mintToken, type ProofOptions } from '../support/keys.ts'
import {
  assertRejected,
  assertVerified,
  bearer,
  NOW,
  revokedWhere,
  trusting,
  verifierOf,
} from '../support/verifier-under-test.ts'

const issuerKey = makeKey('ES256', 'issuer')
const clientKey = makeKey('ES256')
const URL_OF_REQUEST = 'https://gate.example.com/photos/a%20b?size=small'
const token = mintToken(issuerKey, { now: NOW, claims: { cnf: { jkt: clientKey.jkt } } })
const plain = mintToken(issuerKey, { now: NOW })

const fresh = (over: Partial<VerifierOptions> = {}) => verifierOf([trusting([issuerKey])], over)
const proofOf = (options: ProofOptions = {}, key = clientKey): string =>
  mintProof(key, { now: NOW, method: 'GET', url: URL_OF_REQUEST, token, ...options })

/** What becomes of the bound token with this proof. */
async function judge(proof: string | undefined, verifier = fresh(), now = NOW, bound = token): Promise<Evidence> {
  const request = { scheme: 'dpop', method: 'GET', url: URL_OF_REQUEST } as const
  return verifier.verify({ ...request, token: bound, proof }, now)
}

describe('RFC 9449 §7.1: presenting a token', () => {
  it('takes a bound token with its proof', async () => {
    assert.equal(assertVerified(await judge(proofOf())).jkt, clientKey.jkt)
  })

  it('refuses a bound token as Bearer', async () =>
    assertRejected(await bearer(fresh(), token), 'not_bound', /as DPoP/))

  it('refuses a plain token as DPoP', async () => {
    assertRejected(await judge(proofOf({ token: plain }), fresh(), NOW, plain), 'not_bound', /as Bearer/)
  })

  it('refuses a bound token without proof', async () =>
    assertRejected(await judge(undefined), 'not_bound', /no DPoP field/))

  it('refuses a token bound in another way, or in a further one that nobody checks, under either scheme', async () => {
    for (const cnf of [{}, { 'x5t#S256': 'x' }, { jkt: 7 }, { jkt: '' }, { jkt: clientKey.jkt, 'x5t#S256': 'x' }]) {
      const bound = mintToken(issuerKey, { now: NOW, claims: { cnf } })
      assertRejected(await bearer(fresh(), bound), 'not_bound')
      assertRejected(await judge(proofOf({ token: bound }), fresh(), NOW, bound), 'not_bound', /another way/)
    }
  })

  it('judges the token before its proof', async () => {
    const expired = mintToken(issuerKey, { now: NOW - 9_000, claims: { cnf: { jkt: clientKey.jkt } } })
    assertRejected(await judge(proofOf({ token: expired }), fresh(), NOW, expired), 'expired')
    assertRejected(await judge(proofOf(), fresh({ revocations: revokedWhere(() => true) })), 'revoked')
  })
})

describe('RFC 9449 §4.3: checking a proof', () => {
  for (const alg of ['ES256', 'ES384', 'ES512', 'RS256', 'PS256', 'EdDSA', 'Ed25519']) {
    it(`takes one signed with ${alg}`, async () => {
      const key = makeKey(alg)
      const bound = mintToken(issuerKey, { now: NOW, claims: { cnf: { jkt: key.jkt } } })
      assertVerified(await judge(proofOf({ token: bound }, key), fresh(), NOW, bound))
    })
  }

  const { d } = clientKey.privateKey.export({ format: 'jwk' })
  const { kid, alg, use, ...jwk } = clientKey.publicJwk
  const spoiled: readonly (readonly [string, ProofOptions, RegExp])[] = [
    ['typ is JWT', { header: { typ: 'JWT' } }, /typ/],
    ['typ is at+jwt', { header: { typ: 'at+jwt' } }, /typ/],
    ['typ is missing', { header: { typ: undefined } }, /typ/],
    ['alg is none', { header: { alg: 'none' } }, /alg/],
    ['alg is symmetric', { header: { alg: 'HS256' } }, /alg/],
    ['alg is not of the key’s kind', { header: { alg: 'RS256' } }, /fit/],
    ['jwk is missing', { header: { jwk: undefined } }, /no key/],
    ['jwk is no object', { header: { jwk: [jwk] } }, /no key/],
    ['jwk holds the private key', { header: { jwk: { ...jwk, d } } }, /private/],
    ['jwk is symmetric', { header: { jwk: { kty: 'oct', k: 'AAAA' } } }, /private/],
    ['jwk is another key', { header: { jwk: makeKey().publicJwk } }, /another key/],
    ['it has a crit', { header: { crit: ['exp'] } }, /extension/],
    ['htm is another method', { claims: { htm: 'POST' } }, /htm/],
    ['htm is in another case', { claims: { htm: 'get' } }, /htm/],
    ['htm is missing', { claims: { htm: undefined } }, /htm/],
    ['htu is missing', { claims: { htu: undefined } }, /htu/],
    ['htu is no string', { claims: { htu: [URL_OF_REQUEST] } }, /htu/],
    ['htu is no URL', { claims: { htu: '/photos/a%20b' } }, /htu/],
    ['htu is on another host', { url: 'https://evil.example/photos/a%20b' }, /htu/],
    ['htu is on another port', { url: 'https://gate.example.com:8443/photos/a%20b' }, /htu/],
    ['htu is of another scheme', { url: 'http://gate.example.com/photos/a%20b' }, /htu/],
    ['htu is another path', { url: 'https://gate.example.com/photos/a%20b/' }, /htu/],
    ['htu differs in case', { url: 'https://gate.example.com/Photos/a%20b' }, /htu/],
    ['htu holds a slash where the request holds %2F', { url: 'https://gate.example.com/photos%2Fa%20b' }, /htu/],
    ['htu has backslashes', { url: 'https:\\\\gate.example.com\\photos\\a%20b' }, /htu/],
    ['htu has white space within', { url: 'https://gate.exam\tple.com/photos/a%20b' }, /htu/],
    ['htu has white space around', { url: ' https://gate.example.com/photos/a%20b' }, /htu/],
    ['htu names a user', { url: 'https://x@gate.example.com/photos/a%20b' }, /htu/],
    ['iat is 61 s old', { now: NOW - 61 }, /iat/],
    ['iat is 61 s ahead', { now: NOW + 61 }, /iat/],
    ['iat is missing', { claims: { iat: undefined } }, /iat/],
    ['iat is a string', { claims: { iat: `${NOW}` } }, /iat/],
    ['jti is missing', { claims: { jti: undefined } }, /jti/],
    ['jti is empty', { claims: { jti: '' } }, /jti/],
    ['jti is no string', { claims: { jti: 7 } }, /jti/],
    ['ath is missing', { claims: { ath: undefined } }, /ath/],
    ['ath is of another token', { token: plain }, /ath/],
  ]
  for (const [what, options, detail] of spoiled) {
    it(`refuses one whose ${what}`, async () => assertRejected(await judge(proofOf(options)), 'not_bound', detail))
  }

  it('refuses one that is signed by another key than it shows', async () => {
    const thief = { ...makeKey('ES256'), publicJwk: clientKey.publicJwk }
    assertRejected(await judge(proofOf({}, thief)), 'not_bound', /signature/)
  })

  it('refuses one by another key that was bound by nobody', async () => {
    assertRejected(await judge(proofOf({}, makeKey())), 'not_bound', /another key/)
  })

  for (const proof of ['', 'x', 'a.b.c', 'x'.repeat(10_000), plain]) {
    it(`refuses ${proof.slice(0, 10) || 'nothing'}… as one`, async () =>
      assertRejected(await judge(proof), 'not_bound'))
  }

  it('compares htu without query and fragment, in one spelling of host, port and escapes', async () => {
    const same = [
      'https://gate.example.com/photos/a%20b',
      'HTTPS://GATE.example.com:443/photos/a%20b?other=query#fragment',
      'https://gate.example.com/%70hotos/a%20b',
      'https://gate.example.com/photos/./a%20b',
    ]
    const verifier = fresh()
    for (const url of same) assertVerified(await judge(proofOf({ url }), verifier))
  })

  it('takes an iat up to a minute off either way', async () => {
    for (const now of [NOW - 60, NOW + 60]) assertVerified(await judge(proofOf({ now })))
  })
})

describe('RFC 9449 §11.1: a proof is used once', () => {
  it('refuses the same proof again for as long as it would be fresh', async () => {
    const verifier = fresh()
    const proof = proofOf({ now: NOW + 60 })
    assertVerified(await judge(proof, verifier))
    for (const now of [NOW, NOW + 1, NOW + 60, NOW + 120]) {
      assertRejected(await judge(proof, verifier, now), 'not_bound', /used before/)
    }
    assertRejected(await judge(proof, verifier, NOW + 121), 'not_bound', /iat/)
  })

  it('refuses the same jti in another proof by the same key, and takes it by another key', async () => {
    const verifier = fresh()
    const claims = { jti: 'one' }
    assertVerified(await judge(proofOf({ claims }), verifier))
    assertRejected(await judge(proofOf({ claims, now: NOW + 5 }), verifier), 'not_bound', /used before/)
    const key = makeKey()
    const bound = mintToken(issuerKey, { now: NOW, claims: { cnf: { jkt: key.jkt } } })
    assertVerified(await judge(proofOf({ claims, token: bound }, key), verifier, NOW, bound))
  })

  it('does not use up the jti of a proof that is refused for something else', async () => {
    const verifier = fresh()
    const claims = { jti: 'one' }
    const thief = { ...makeKey('ES256'), publicJwk: clientKey.publicJwk }
    assertRejected(await judge(proofOf({ claims }, thief), verifier), 'not_bound', /signature/)
    assertVerified(await judge(proofOf({ claims }), verifier))
  })

  it('is unavailable, never a pass, when no more proofs can be remembered', async () => {
    const verifier = fresh({ proofEntries: 2 })
    assertVerified(await judge(proofOf(), verifier))
    assertVerified(await judge(proofOf(), verifier))
    assert.equal((await judge(proofOf(), verifier)).kind, 'unavailable')
    const later = NOW + 100
    assertVerified(await judge(proofOf({ now: later }), verifier, later))
  })

  it('can be told by somebody else for several processes, at once or later', async () => {
    const used = new Set<string>()
    const useJti = (key: string, expiresAt: number): boolean => {
      assert.ok(key.length <= 32 && expiresAt === NOW + 60)
      return !used.has(key) && Boolean(used.add(key))
    }
    const [one, two] = [fresh({ useJti }), fresh({ useJti: async (key, expiresAt) => useJti(key, expiresAt) })]
    const proof = proofOf()
    const request = { scheme: 'dpop', token, proof, method: 'GET', url: URL_OF_REQUEST } as const
    assertVerified(await judge(proof, one))
    assertRejected(await two.verify(request, NOW), 'not_bound', /used before/)
    assertVerified(await two.verify({ ...request, proof: proofOf() }, NOW))
  })

  it('is asked of the token once more when it was revoked while somebody else told', async () => {
    const state: { revoked: boolean; tell: (first: boolean) => void } = { revoked: false, tell: () => assert.fail() }
    const verifier = fresh({
      revocations: revokedWhere(() => state.revoked),
      useJti: () =>
        new Promise((resolve) => {
          state.tell = resolve
        }),
    })
    const request = { scheme: 'dpop', token, method: 'GET', url: URL_OF_REQUEST } as const
    const first = verifier.verify({ ...request, proof: proofOf() }, NOW)
    await new Promise((resolve) => setImmediate(resolve))
    state.tell(true)
    assertVerified(await first)
    const second = verifier.verify({ ...request, proof: proofOf() }, NOW)
    state.revoked = true
    state.tell(true)
    assertRejected(await second, 'revoked')
  })

  it('is unavailable when whoever should tell fails', async () => {
    const verifier = fresh({ useJti: () => Promise.reject(new Error('gone')) })
    const evidence = await verifier.verify(
      { scheme: 'dpop', token, proof: proofOf(), method: 'GET', url: URL_OF_REQUEST },
      NOW,
    )
    assert.equal(evidence.kind, 'unavailable')
  })
})

describe('RFC 9449 §4.2: ath', () => {
  it('is the base64url SHA-256 of the token', async () => {
    const ath = createHash('sha256').update(token).digest('base64url')
    assertVerified(await judge(proofOf({ claims: { ath } })))
  })
})
