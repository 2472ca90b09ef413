import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { compactVerify, createLocalJWKSet, decodeJwt, errors } from 'jose'
import type { Evidence } from '../../src/core/token.ts'
import { encodePart, makeKey, mintProof, mintToken, signJws, TEST_ISSUER } from '../support/keys.ts'
import { bearer, NOW, trusting, verifierOf } from '../support/verifier-under-test.ts'

const key = makeKey('ES256', 'k')
const client = makeKey()
const good = mintToken(key, { now: NOW })
const bound = mintToken(key, { now: NOW, claims: { cnf: { jkt: client.jkt } } })
const jwks = createLocalJWKSet({ keys: [key.publicJwk] })
const fresh = () => verifierOf([trusting([key])])

const OPTIONS = { numRuns: 400, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: false }
const b64token = fc.string({ unit: fc.constantFrom(...'ABCabc019-._~+/=') })

function assertRefused(evidence: Evidence): void {
  assert.equal(evidence.kind, 'rejected', JSON.stringify(evidence))
}

/** One edit anywhere: a character replaced, removed, inserted, or two pieces swapped. */
const edits = fc.record({
  at: fc.nat(good.length - 1),
  other: fc.nat(good.length - 1),
  character: fc.constantFrom(...'ABCabcXYZ019-_.=+/ \u00e9'),
  kind: fc.constantFrom('replace', 'remove', 'insert', 'cut', 'double'),
})

function edited(
  token: string,
  { at, other, character, kind }: typeof edits extends fc.Arbitrary<infer T> ? T : never,
): string {
  switch (kind) {
    case 'replace':
      return `${token.slice(0, at)}${character}${token.slice(at + 1)}`
    case 'remove':
      return `${token.slice(0, at)}${token.slice(at + 1)}`
    case 'insert':
      return `${token.slice(0, at)}${character}${token.slice(at)}`
    case 'cut':
      return token.slice(Math.min(at, other), Math.max(at, other))
    default:
      return `${token.slice(0, at)}${token.slice(Math.min(at, other))}`
  }
}

describe('whatever comes as a token', () => {
  it('is refused when nobody signed it, and never makes the verifier throw', async () => {
    const verifier = fresh()
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), b64token), async (token) => {
        assertRefused(await bearer(verifier, token))
      }),
      OPTIONS,
    )
  })

  it('is refused when it is a good token with anything changed', async () => {
    const verifier = fresh()
    await fc.assert(
      fc.asyncProperty(edits, async (edit) => {
        const token = edited(good, edit)
        fc.pre(token !== good)
        assertRefused(await bearer(verifier, token))
      }),
      { ...OPTIONS, numRuns: 1_000 },
    )
  })

  it('is refused when header and payload are any JSON that no key of the issuer signed', async () => {
    const verifier = fresh()
    const stranger = makeKey('ES256', 'k')
    await fc.assert(
      fc.asyncProperty(fc.json(), fc.json(), async (header, payload) => {
        assertRefused(await bearer(verifier, signJws(stranger, header, payload)))
        assertRefused(await bearer(verifier, `${encodePart(header)}.${encodePart(payload)}.${good.split('.')[2]}`))
      }),
      OPTIONS,
    )
  })

  it('of any types in any claim, signed by the issuer, is answered; what is verified has the types that it promises', async () => {
    const verifier = fresh()
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom('photos:read', NOW, NOW + 300, ['a'], { jkt: client.jkt }),
      fc.array(fc.string()),
    )
    const names = ['sub', 'aud', 'exp', 'iat', 'nbf', 'jti', 'gid', 'client_id', 'scope', 'username', 'groups', 'cnf']
    const claims = fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 3 })
    await fc.assert(
      fc.asyncProperty(claims, async (over) => {
        const evidence = await bearer(verifier, mintToken(key, { now: NOW, claims: over }))
        if (evidence.kind !== 'verified') return assertRefused(evidence)
        const { token } = evidence
        assert.ok(Number.isFinite(token.expiresAt) && token.expiresAt > NOW - 60 && token.issuedAt <= NOW + 60)
        for (const text of [token.subject, token.clientId]) assert.ok(typeof text === 'string' && text !== '')
        for (const text of [token.username, token.jti, token.jkt])
          assert.ok(text === undefined || typeof text === 'string')
        for (const list of [token.audience, [...token.scope], token.groups]) {
          assert.ok(list.every((item) => typeof item === 'string'))
        }
        return undefined
      }),
      { ...OPTIONS, numRuns: 800 },
    )
  })

  it('and is verified here is verified by another library too, with the same claims', async () => {
    const verifier = fresh()
    const headers = fc.record(
      {
        typ: fc.constantFrom('at+jwt', 'application/at+jwt', 'JWT'),
        kid: fc.constantFrom('k', 'x', ''),
        alg: fc.constantFrom('ES256', 'ES384', 'none', 'HS256'),
        crit: fc.constantFrom(['exp'], []),
        jku: fc.webUrl(),
      },
      { requiredKeys: [] },
    )
    const claims = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 3 })
    await fc.assert(
      fc.asyncProperty(headers, claims, async (header, over) => {
        const token = mintToken(key, { now: NOW, header, claims: { ...over, iss: TEST_ISSUER } })
        const evidence = await bearer(verifier, token)
        const theirs = await compactVerify(token, jwks).catch((error: unknown) => error)
        if (evidence.kind !== 'verified') return
        assert.ok(!(theirs instanceof errors.JOSEError), String(theirs))
        assert.deepEqual({ ...evidence.token.claims }, decodeJwt(token))
      }),
      OPTIONS,
    )
  })
})

describe('whatever comes as a proof', () => {
  const proof = mintProof(client, { now: NOW, token: bound })
  const judge = (text: string, method = 'GET', url = 'https://gate.example.com/photos'): Promise<Evidence> =>
    Promise.resolve(fresh().verify({ scheme: 'dpop', token: bound, proof: text, method, url }, NOW))

  it('is refused unless it is the one for this request', async () => {
    assert.equal((await judge(proof)).kind, 'verified')
    await fc.assert(
      fc.asyncProperty(edits, fc.oneof(fc.string(), b64token), async (edit, text) => {
        assertRefused(await judge(text))
        const changed = edited(proof, edit)
        if (changed !== proof) assertRefused(await judge(changed))
      }),
      OPTIONS,
    )
  })

  it('with any claims and keys, signed by the right key or not, is answered', async () => {
    const anything = fc.dictionary(
      fc.constantFrom('htm', 'htu', 'iat', 'jti', 'ath', 'exp', 'typ', 'alg', 'jwk', 'crit'),
      fc.jsonValue({ maxDepth: 2 }),
    )
    await fc.assert(
      fc.asyncProperty(anything, anything, async (claims, header) => {
        const { kind } = await judge(mintProof(client, { now: NOW, token: bound, claims, header }))
        assert.ok(kind === 'verified' || kind === 'rejected')
      }),
      OPTIONS,
    )
  })

  it('at any URL is answered', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.webUrl(), fc.string()), async (url) => {
        const { kind } = await judge(mintProof(client, { now: NOW, token: bound, url }), 'GET', url)
        assert.ok(kind === 'verified' || kind === 'rejected')
      }),
      OPTIONS,
    )
  })
})
