import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { claimAt } from '../../../src/core/claim-path.ts'
import type { VerifierIssuer } from '../../../src/token/trusted-issuer.ts'
import type { MissingClaim } from '../../../src/token/verifier.ts'
import { makeKey, mintToken } from '../../support/keys.ts'
import { assertRejected, assertVerified, bearer, NOW, trusting, verifierOf } from '../../support/verifier-under-test.ts'

const key = makeKey('ES256', 'k')
const NAMES = { groups: 'groups', username: 'username', scope: 'scope', client: 'client_id' }
const mint = (claims: Record<string, unknown>, typ?: string): string =>
  mintToken(key, { claims, header: { typ }, now: NOW })
const mapping = (claims: Partial<VerifierIssuer['claims']>) => trusting([key], { claims: { ...NAMES, ...claims } })

describe('token_type', () => {
  const types = (...tokenTypes: VerifierIssuer['tokenTypes']) => verifierOf([trusting([key], { tokenTypes })])

  it('none takes tokens without any typ, and no others', async () => {
    assertVerified(await bearer(types('none'), mint({})))
    for (const typ of ['', 'none', 'JWT', 'at+jwt']) {
      assertRejected(await bearer(types('none'), mint({}, typ)), 'wrong_type', /has no typ/)
    }
  })

  it('as a list takes each of its kinds, and no other', async () => {
    const verifier = types('at+jwt', 'none')
    assertVerified(await bearer(verifier, mint({})))
    assertVerified(await bearer(verifier, mint({}, 'application/at+JWT')))
    assertRejected(await bearer(verifier, mint({}, 'JWT')), 'wrong_type', /has at\+jwt or no typ/)
  })

  it('tells ID tokens by their claims wherever typ can not', async () => {
    for (const mark of ['nonce', 'at_hash', 'c_hash']) {
      assertRejected(await bearer(types('none'), mint({ [mark]: 'x' })), 'wrong_type')
      assertRejected(await bearer(types('at+jwt', 'jwt'), mint({ [mark]: 'x' }, 'JWT')), 'wrong_type')
      assertVerified(await bearer(types('at+jwt', 'jwt'), mint({ [mark]: 'x' }, 'at+jwt')))
    }
  })
})

describe('a claim that is mapped by a path', () => {
  const groupsOf = async (path: string, claims: Record<string, unknown>) =>
    assertVerified(await bearer(verifierOf([mapping({ groups: path })]), mint(claims, 'at+jwt'))).groups

  it('is found through objects', async () => {
    assert.deepEqual(await groupsOf('realm_access.roles', { realm_access: { roles: ['a', 'b'] } }), ['a', 'b'])
    assert.deepEqual(await groupsOf('a.b.c', { a: { b: { c: 'one' } } }), ['one'])
  })

  it('is found by its whole name first, and behind names with dots of their own', async () => {
    assert.deepEqual(await groupsOf('a.b', { 'a.b': ['whole'], a: { b: ['path'] } }), ['whole'])
    assert.deepEqual(await groupsOf('https://x.example/roles.list', { 'https://x.example/roles': { list: ['a'] } }), [
      'a',
    ])
    assert.deepEqual(
      await groupsOf('urn:zitadel:iam:org:project:roles', { 'urn:zitadel:iam:org:project:roles': {} }),
      [],
    )
  })

  it('is what an object names, for issuers that write a member for each group', async () => {
    assert.deepEqual(await groupsOf('roles', { roles: { editor: { '1': 'x.example' }, admin: {} } }), [
      'editor',
      'admin',
    ])
  })

  it('is never what objects and texts have by nature', () => {
    for (const path of [
      'constructor.name',
      '__proto__.x',
      'a.length',
      'a.constructor',
      'l.0',
      'l.length',
      '.',
      'a.',
      '.a',
    ]) {
      assert.equal(claimAt({ a: 'text', l: ['x'] }, path), undefined, path)
    }
  })

  it('may be the client, the user name and the scopes', async () => {
    const issuer = mapping({ client: 'app.id', username: 'user.name', scope: 'app.scopes' })
    const claims = { app: { id: 'spa', scopes: ['x', 'y'] }, user: { name: 'bob' }, client_id: undefined }
    const token = assertVerified(await bearer(verifierOf([issuer]), mint(claims, 'at+jwt')))
    assert.deepEqual([token.clientId, token.username, [...token.scope]], ['spa', 'bob', ['x', 'y']])
    assertRejected(await bearer(verifierOf([issuer]), mint({ app: 'spa' }, 'at+jwt')), 'missing_claim', /app\.id/)
  })
})

describe('a mapped claim that was never seen', () => {
  it('is told once for each issuer and claim, and not when a token had it first', async () => {
    const told: MissingClaim[] = []
    const issuer = mapping({ groups: 'realm_access.roles' })
    const verifier = verifierOf([issuer], { onMissingClaim: (missing) => told.push(missing) })
    for (let i = 0; i < 3; i++) assertVerified(await bearer(verifier, mint({}, 'at+jwt')))
    assert.deepEqual(told, [{ issuer: issuer.issuer, what: 'groups', claim: 'realm_access.roles' }])
    assertVerified(await bearer(verifier, mint({ username: undefined }, 'at+jwt')))
    assert.equal(told.length, 1)
  })

  it('is told again when the mapping is another', async () => {
    const told: string[] = []
    const verifier = verifierOf([mapping({ groups: 'a' })], { onMissingClaim: ({ claim }) => told.push(claim) })
    assertVerified(await bearer(verifier, mint({}, 'at+jwt')))
    verifier.setIssuers([mapping({ groups: 'b' })])
    assertVerified(await bearer(verifier, mint({}, 'at+jwt')))
    assert.deepEqual(told, ['a', 'b'])
  })
})
