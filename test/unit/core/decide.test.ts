import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Decision, decide, denyIdentity } from '../../../src/core/decide.ts'
import type { TokenFault } from '../../../src/core/denial.ts'
import { challengeHeader } from '../../../src/core/denial.ts'
import { isPublic } from '../../../src/core/paths/rule-match.ts'
import type { Evidence } from '../../../src/core/token.ts'
import { NOW, protectedBy, READ, rule, sampleResource, sampleRoute, sampleToken, scopes, target } from './samples.ts'

const route = sampleRoute()
const METADATA = 'https://gate.example.com/.well-known/oauth-protected-resource/photos'

function verified(change: Parameters<typeof sampleToken>[0] = {}): Evidence {
  return { kind: 'verified', token: sampleToken(change) }
}

function decided(evidence: Evidence, method = 'GET', path = '/photos/1', on = route): Decision {
  return decide(on, method, target(path), evidence, NOW)
}

function denialOf(decision: Decision) {
  assert.equal(decision.kind, 'deny')
  if (decision.kind !== 'deny') throw new Error('forwarded')
  return decision.denial
}

function answer(decision: Decision): string {
  if (decision.kind === 'forward') return 'forward'
  return `${decision.denial.status} ${decision.denial.reason}`
}

describe('a good token', () => {
  it('with the scope that the method and path need goes through', () => {
    const decision = decided(verified())
    assert.ok(decision.kind === 'forward')
    assert.equal(decision.permit.token?.subject, 'u-alice')
    assert.equal(decision.permit.route, route)
  })
  it('without the scope gets 403 insufficient_scope with exactly what this request needs', () => {
    const denied = denialOf(decided(verified(), 'DELETE', '/photos/api/1'))
    assert.equal(denied.status, 403)
    assert.equal(denied.error, 'insufficient_scope')
    assert.deepEqual(denied.challenge, { resourceMetadata: METADATA, scope: scopes('photos:write') })
  })
  it('needs all scopes of the rule', () => {
    const strict = sampleRoute({ access: protectedBy([rule('any', ['photos:read', 'photos:write'])]) })
    assert.equal(answer(decided(verified(), 'GET', '/photos/1', strict)), '403 insufficient_scope')
  })
  it('on a path with rules for other methods only gets 405 with Allow', () => {
    const denied = denialOf(decided(verified(), 'DELETE', '/photos/other'))
    assert.equal(denied.status, 405)
    assert.equal(denied.reason, 'method_not_allowed')
    assert.deepEqual(denied.allow, ['GET', 'HEAD', 'OPTIONS', 'PROPFIND', 'REPORT', 'SEARCH'])
    assert.equal(denied.challenge, undefined)
  })
  it('on a path without any rule gets 403 path_not_allowed', () => {
    const narrow = sampleRoute({ access: protectedBy([rule('any', ['photos:read'], ['/api/**'])]) })
    assert.equal(answer(decided(verified(), 'GET', '/photos/x', narrow)), '403 path_not_allowed')
  })
  it('meets the first rule that matches', () => {
    const ordered = sampleRoute({
      access: protectedBy([rule('any', ['photos:write'], ['/admin/**']), rule('any', ['photos:read'])]),
    })
    assert.equal(answer(decided(verified(), 'GET', '/photos/admin/x', ordered)), '403 insufficient_scope')
    assert.equal(answer(decided(verified(), 'GET', '/photos/x', ordered)), 'forward')
  })
  it('meets an unknown method with the rule for writing, never with the one for reading', () => {
    const writes = verified({ scope: new Set(['photos:write']), groups: ['photo-editors'] })
    assert.equal(answer(decided(writes, 'BREW', '/photos/api/1')), 'forward')
    assert.equal(answer(decided(verified(), 'get', '/photos/api/1')), '403 insufficient_scope')
  })
})

describe('who has no good token learns 401, whatever the rules say', () => {
  for (const [method, path] of [
    ['GET', '/photos/1'],
    ['DELETE', '/photos/other'],
    ['BREW', '/photos/other'],
  ] as const) {
    it(`${method} ${path} without a token: no_token, no error code (RFC 6750 §3.1)`, () => {
      const denied = denialOf(decided({ kind: 'none' }, method, path))
      assert.equal(`${denied.status} ${denied.reason}`, '401 no_token')
      assert.equal(denied.error, undefined)
      assert.equal(denied.challenge?.resourceMetadata, METADATA)
      assert.deepEqual(denied.challenge?.scope, method === 'GET' ? ['photos:read'] : [])
    })
    it(`${method} ${path} with a token for another resource: audience_mismatch`, () => {
      const other = verified({ audience: ['https://gate.example.com/files'] })
      assert.equal(answer(decided(other, method, path)), '401 audience_mismatch')
    })
  }
  it('names the scope wherever a rule fits, also with a bad token', () => {
    const denied = denialOf(decided({ kind: 'rejected', fault: 'bad_signature', detail: 'x' }))
    assert.match(challengeHeader(denied) ?? '', /scope="photos:read"/)
  })
})

const FAULTS: readonly TokenFault[] = [
  ...(['malformed_token', 'untrusted_issuer', 'unknown_key', 'bad_signature', 'wrong_type', 'expired'] as const),
  ...(['not_yet_valid', 'missing_claim', 'not_bound', 'revoked'] as const),
]

describe('a bad token', () => {
  for (const fault of FAULTS) {
    it(`${fault} gets 401 with error="invalid_token" and resource_metadata`, () => {
      const denied = denialOf(decided({ kind: 'rejected', fault, detail: 'why' }))
      assert.equal(`${denied.status} ${denied.reason} ${denied.error}`, `401 ${fault} invalid_token`)
      assert.match(challengeHeader(denied) ?? '', /^Bearer resource_metadata="[^"]+".*error_description="why"/)
    })
  }
  it('in bad syntax gets 400 invalid_request', () => {
    const denied = denialOf(decided({ kind: 'malformed', detail: 'two' }))
    assert.equal(`${denied.status} ${denied.reason} ${denied.error}`, '400 malformed_credential invalid_request')
    assert.equal(denied.challenge?.resourceMetadata, METADATA)
  })
  it('that has expired since it was verified is refused here too', () => {
    assert.equal(answer(decided(verified({ expiresAt: NOW - 4 }))), 'forward')
    assert.equal(answer(decided(verified({ expiresAt: NOW - 5 }))), '401 expired')
    assert.equal(answer(decided(verified({ expiresAt: Number.NEGATIVE_INFINITY }))), '401 expired')
  })
  it('of an issuer that this resource does not take gets issuer_mismatch, before its audience is looked at', () => {
    const foreign = verified({ issuer: 'https://sso.example.com', embedded: false, audience: [] })
    assert.equal(answer(decided(foreign)), '401 issuer_mismatch')
  })
})

describe('identifiers are compared byte for byte', () => {
  for (const audience of [
    'https://gate.example.com/photos/',
    'https://GATE.example.com/photos',
    'https://gate.example.com:443/photos',
    'https://gate.example.com/photo',
    'https://gate.example.com/photos#',
    'https://gate.example.com/%70hotos',
    '',
  ]) {
    it(`the audience ${JSON.stringify(audience)} is another resource`, () => {
      assert.equal(answer(decided(verified({ audience: [audience] }))), '401 audience_mismatch')
    })
  }
  it('the issuer with a trailing slash is another issuer', () => {
    assert.equal(answer(decided(verified({ issuer: 'https://gate.example.com/' }))), '401 issuer_mismatch')
  })
})

describe('the audience', () => {
  it('when wrong says which was expected and which came, and names a trailing-slash difference', () => {
    const denied = denialOf(decided(verified({ audience: ['https://gate.example.com/photos/'] })))
    assert.match(
      denied.description,
      /https:\/\/gate\.example\.com\/photos\/.*expected https:\/\/gate\.example\.com\/photos;.*trailing slash/,
    )
    const other = denialOf(decided(verified({ audience: ['https://gate.example.com/files'] })))
    assert.match(other.description, /gate\.example\.com\/files.*expected.*gate\.example\.com\/photos$/)
  })
  it('of an embedded token is exactly one', () => {
    const both = ['https://gate.example.com/photos', 'https://gate.example.com/files']
    assert.equal(answer(decided(verified({ audience: both }))), '401 audience_mismatch')
    assert.equal(answer(decided(verified({ audience: [] }))), '401 audience_mismatch')
  })
  it('of a foreign token may be one of several, and one of accept_audiences', () => {
    const resource = sampleResource({ issuers: ['https://sso.example.com'], acceptAudiences: ['photo-client'] })
    const on = sampleRoute({ access: protectedBy([rule('any', ['photos:read'])], [], resource) })
    const foreign = { issuer: 'https://sso.example.com', embedded: false, groups: [] }
    const both = verified({ ...foreign, audience: ['x', 'https://gate.example.com/photos'] })
    assert.equal(answer(decided(both, 'GET', '/photos/1', on)), 'forward')
    assert.equal(
      answer(decided(verified({ ...foreign, audience: ['photo-client'] }), 'GET', '/photos/1', on)),
      'forward',
    )
    assert.equal(
      answer(decided(verified({ ...foreign, audience: ['photo-clien'] }), 'GET', '/photos/1', on)),
      '401 audience_mismatch',
    )
  })
  it('that is hostile comes out bounded and printable', () => {
    const hostile = ['"\\\r\nX: 1\u00fc', 'a'.repeat(9000), 'b', 'c', 'd']
    const denied = denialOf(
      decided(verified({ audience: hostile, embedded: false, issuer: 'https://gate.example.com' })),
    )
    assert.match(denied.description, /^[ !#-[\]-~]{1,600}$/)
    assert.match(challengeHeader(denied) ?? '', /^[ -~]+$/)
  })
})

describe('a scope counts only while it is granted', () => {
  it('so a token whose groups no longer give it is revoked', () => {
    assert.equal(answer(decided(verified({ groups: [] }))), '401 revoked')
    assert.equal(answer(decided(verified({ groups: ['friends'] }))), '401 revoked')
    const narrowed = sampleResource({ grants: [{ groups: ['photo-editors'], scopes: scopes('photos:read') }] })
    const on = sampleRoute({ access: protectedBy([rule(READ, ['photos:read'])], [], narrowed) })
    assert.equal(answer(decided(verified(), 'GET', '/photos/1', on)), '401 revoked')
    assert.equal(answer(decided(verified({ groups: ['photo-editors'] }), 'GET', '/photos/1', on)), 'forward')
  })
  it('which is not asked of services and of foreign tokens', () => {
    assert.equal(answer(decided(verified({ username: undefined, groups: [] }))), 'forward')
    assert.equal(answer(decided(verified({ embedded: false, groups: [] }))), 'forward')
  })
})

describe('unknown is closed', () => {
  it('keys or store unavailable: 503 with Retry-After', () => {
    const denied = denialOf(decided({ kind: 'unavailable', detail: 'no keys', retryAfterSeconds: 7 }))
    assert.equal(`${denied.status} ${denied.reason} ${denied.retryAfterSeconds}`, '503 verifier_unavailable 7')
    assert.equal(denied.challenge, undefined)
  })
})

describe('nothing is open by omission', () => {
  it('a protected route without rules lets nothing through', () => {
    const empty = sampleRoute({ access: protectedBy([]) })
    assert.equal(answer(decided(verified(), 'GET', '/photos/1', empty)), '403 path_not_allowed')
  })
  it('a protected route without public paths asks for a token everywhere', () => {
    for (const path of ['/photos', '/photos/', '/photos/healthz', '/photos/.well-known/x', '/photos/favicon.ico']) {
      assert.equal(answer(decided({ kind: 'none' }, 'OPTIONS', path)), '401 no_token', path)
    }
  })
})

describe('public', () => {
  const open = sampleRoute({ access: protectedBy([rule(READ, ['photos:read'])], ['/healthz', '/share/**']) })
  it('paths need no token, and the permit carries none, though one came', () => {
    for (const evidence of [{ kind: 'none' } as const, verified(), { kind: 'malformed', detail: '' } as const]) {
      const decision = decided(evidence, 'PROPFIND', '/photos/share/x', open)
      assert.ok(decision.kind === 'forward')
      assert.equal(decision.permit.token, undefined)
    }
    assert.equal(isPublic(open, 'GET', target('/photos/healthz')), 'public')
    assert.equal(isPublic(open, 'GET', target('/photos/healthz/x')), 'protected')
    assert.equal(isPublic(open, 'GET', target('/photos/x?/healthz')), 'protected')
    assert.equal(isPublic(open, 'GET', target('/photos/x;/healthz')), 'protected')
  })
  it('paths need one for methods other than those of the file: `read`, if it says nothing', () => {
    assert.equal(answer(decided({ kind: 'none' }, 'POST', '/photos/share/x', open)), '401 no_token')
    const wide = sampleRoute({
      access: { ...protectedBy([rule(READ, ['photos:read'])], ['/drop/**']), publicMethods: new Set(['PUT']) },
    })
    assert.equal(answer(decided({ kind: 'none' }, 'PUT', '/photos/drop/x', wide)), 'forward')
    assert.equal(answer(decided({ kind: 'none' }, 'GET', '/photos/drop/x', wide)), '401 no_token')
  })
  it('routes need none anywhere', () => {
    const all = sampleRoute({ access: { kind: 'public' } })
    assert.equal(isPublic(all, 'GET', target('/photos/x')), 'public')
    assert.equal(answer(decided({ kind: 'none' }, 'DELETE', '/photos/x', all)), 'forward')
  })
  for (const path of [
    '/photos/%68ealthz',
    '/photos/share%2Fx',
    '/photos/healthz;x',
    '/photos/%2Fshare/x',
    '/photos/share%252Fx',
  ]) {
    it(`${path} is 400: one reader may find it public, another not`, () => {
      assert.equal(isPublic(open, 'GET', target(path)), 'ambiguous')
      assert.equal(answer(decided({ kind: 'none' }, 'GET', path, open)), '400 ambiguous_path')
    })
  }
})

describe('letter case and a final slash', () => {
  const rules = [rule(READ, ['photos:write'], ['/api/keys', '/Users/*', '/admin/**']), rule(READ, ['photos:read'])]
  const careless = sampleRoute({ access: protectedBy(rules, ['/share/**']) })
  const strict = sampleRoute({ access: protectedBy(rules, ['/share/**']), case: 'sensitive' })
  const asked = (path: string, route = careless) =>
    answer(decided(verified({ scope: new Set(['photos:read']) }), 'GET', path, route))
  it('meet the rule of the path that servers would serve', () => {
    for (const path of [
      '/photos/api/keys',
      '/photos/api/keys/',
      '/photos/Users/1/',
      '/photos/admin/',
      '/photos/admin/x/',
    ])
      assert.equal(asked(path), '403 insufficient_scope', path)
    for (const path of ['/photos/api', '/photos/Api/', '/photos/Users/', '/photos/Users/1/2', '/photos/X/Y'])
      assert.equal(asked(path), 'forward', path)
  })
  it('are 400 where another rule, or none of the public paths, is met in another case', () => {
    const others = [
      '/photos/API/keys',
      '/photos/api/KEYS/',
      '/photos/ADMIN/users',
      '/photos/users/1',
      '/photos/%61pi/KEYS',
      '/photos/SHARE/x',
    ]
    for (const path of others) assert.equal(asked(path), '400 ambiguous_path', path)
  })
  it('are told apart where the route says `case: sensitive`, but for the slash', () => {
    assert.equal(asked('/photos/API/keys', strict), 'forward')
    assert.equal(asked('/photos/SHARE/x', strict), 'forward')
    assert.equal(asked('/photos/api/keys/', strict), '403 insufficient_scope')
  })
  it('are folded beyond ASCII, however accents are composed', () => {
    const named = sampleRoute({
      access: protectedBy([rule(READ, ['photos:write'], ['/Ämter/**']), rule(READ, ['photos:read'])]),
    })
    assert.equal(asked('/photos/%C3%84mter/1', named), '403 insufficient_scope')
    for (const path of ['/photos/%C3%A4mter/1', '/photos/A%CC%88mter/1', '/photos/%C3%84MTER'])
      assert.equal(asked(path, named), '400 ambiguous_path', path)
  })
})

describe('all readings of a path select the same rule, or 400', () => {
  const ordered = sampleRoute({
    access: protectedBy([rule('any', ['photos:write'], ['/admin/**']), rule('any', ['photos:read'])]),
  })
  for (const path of [
    '/photos/%61dmin/x',
    '/photos/admin%2Fx',
    '/photos/admin;v=1/x',
    '/photos/%2Fadmin/x',
    '/photos/%2561dmin',
    '/photos/admin%3Fx',
    '/photos/admin%23/public',
  ]) {
    it(`refuses ${path}`, () => assert.equal(answer(decided(verified(), 'GET', path, ordered)), '400 ambiguous_path'))
  }
  for (const path of [
    '/photos/a%2Fb',
    '/photos/100%25',
    '/photos/a;b.jpg',
    '/photos/what%3F.jpg',
    '/photos/%23tag',
    '/photos/%C3%BC%20x',
    '/photos/adminx%2Fy',
  ]) {
    it(`takes ${path}`, () => assert.equal(answer(decided(verified(), 'GET', path, ordered)), 'forward'))
  }
})

describe('a claim that can not be sent as a header', () => {
  const decision = decided(verified())
  assert.ok(decision.kind === 'forward')
  const { permit } = decision
  it('control bytes: 401 invalid_token with a challenge', () => {
    const denied = denyIdentity(permit, 'GET', target('/photos/1'), { fault: 'malformed_claim', detail: 'x' })
    assert.equal(`${denied.status} ${denied.error}`, '401 invalid_token')
    assert.deepEqual(denied.challenge, { resourceMetadata: METADATA, scope: ['photos:read'] })
  })
  it('more than 8 KiB: 403 without', () => {
    const denied = denyIdentity(permit, 'GET', target('/photos/1'), { fault: 'identity_too_large', detail: 'x' })
    assert.equal(`${denied.status} ${denied.error} ${denied.challenge}`, '403 undefined undefined')
  })
})

describe('a rule that asks something of the sign-in', () => {
  const asks = sampleRoute({ access: protectedBy([{ ...rule('any', ['photos:read']), acr: 'mfa', maxAge: 600 }]) })
  const acrMap = { pwd: ['pwd'], mfa: ['mfa'], phr: ['phr'] }

  it('is passed by the level or a better one, not longer ago than it says', () => {
    for (const level of ['mfa', 'phr'] as const) {
      const token = verified({ level, authTime: NOW - 600, acrMap })
      assert.equal(answer(decided(token, 'GET', '/photos/1', asks)), 'forward')
    }
    const all = [{}, { level: 'pwd', authTime: NOW }, { level: 'phr' }, { level: 'phr', authTime: NOW - 606 }] as const
    for (const lacks of all) {
      const decision = decided(verified({ ...lacks, acrMap }), 'GET', '/photos/1', asks)
      assert.equal(answer(decision), '401 insufficient_authentication')
      assert.deepEqual(denialOf(decision).challenge?.signIn, { acrValues: ['mfa'], maxAge: 600 })
    }
  })

  it('answers a DPoP client in its own scheme', () => {
    const denied = denialOf(decided(verified({ acrMap }), 'GET', '/photos/1', asks))
    assert.match(
      challengeHeader(denied, 'DPoP') ?? '',
      /^DPoP .*acr_values="mfa", max_age="600", error="insufficient_user/,
    )
  })
})
