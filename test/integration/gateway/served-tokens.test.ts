import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { FILES, PHOTOS, routeOf, type ServedGate, serveGate } from '../../support/gate.ts'
import { until } from '../../support/gateway-under-test.ts'
import { type JwksServer, json, startJwksServer } from '../../support/jwks-server.ts'
import { encodePart, makeKey, mintProof, mintToken, signJws, type TestKey } from '../../support/keys.ts'
import { freePorts } from '../../support/programs/free-ports.ts'
import { fieldOf, startUpstream, type TestUpstream } from '../../support/upstreams.ts'

const now = () => Math.floor(Date.now() / 1000)

describe('tokens at the gateway, from outside', () => {
  let upstream: TestUpstream
  let sso: JwksServer
  let gate: ServedGate
  let ssoIssuer: string
  let down: string
  const ssoKey = makeKey('RS256')

  before(async () => {
    upstream = await startUpstream()
    sso = await startJwksServer()
    const [dead] = await freePorts(1)
    ssoIssuer = `${sso.origin}/application/o/photos/`
    sso.on(
      '/application/o/photos/.well-known/openid-configuration',
      json({ issuer: ssoIssuer, jwks_uri: `${sso.origin}/keys` }),
    )
    sso.publish('/keys', [ssoKey])
    const route = (id: string) => `
  - id: ${id}
    path: /${id}
    resource: https://gate.example.com/${id}
    upstream: ${upstream.url}
    rules: [{ methods: [any], scopes: ["${id}:use"] }]`
    const resource = (id: string, issuer: string, more = '') => `
  - id: https://gate.example.com/${id}
    name: ${id}
    scopes: { "${id}:use": Use it }
    issuers: ["${issuer}"]
${more}`
    gate = await serveGate(`${routeOf('photos', upstream.url)}${route('legacy')}${route('down')}`, {
      issuers: `
  - issuer: ${ssoIssuer}
    algorithms: [RS256]
    token_type: jwt
    claims: { groups: roles, username: preferred_username, scope: scp, client: azp }
  - { issuer: "http://127.0.0.1:${dead}", algorithms: [ES256] }`,
      resources:
        resource('legacy', ssoIssuer, '    accept_audiences: [old-client-id]') +
        resource('down', `http://127.0.0.1:${dead}`),
    })
    down = `http://127.0.0.1:${dead}`
  })
  after(async () => {
    await gate.close()
    await upstream.close()
    await sso.close()
  })

  async function verdict(token: string, path = '/photos/a', lines: readonly string[] = []): Promise<string> {
    const answer = await gate.ask(path, { token, lines })
    if (answer.status === 200) return 'forward'
    return `${answer.status} ${JSON.parse(answer.body).reason}`
  }
  const forge = (header: object, claims: object = {}) => gate.token({ header: { ...header }, claims: { ...claims } })

  it('typ is at+jwt or application/at+jwt, in any case', async () => {
    for (const typ of ['at+jwt', 'application/at+jwt', 'AT+JWT', 'Application/At+Jwt']) {
      assert.equal(await verdict(forge({ typ })), 'forward', typ)
    }
    for (const typ of ['JWT', 'jwt', undefined, 'dpop+jwt', 'logout+jwt', '', 3, null, 'at+jwt ']) {
      assert.match(await verdict(forge({ typ })), /^401 (wrong_type|malformed_token)$/, String(typ))
    }
  })

  it('alg is from the issuer’s list and of the key’s kind, never none or HMAC', async () => {
    const { kid } = gate.key
    const claims = JSON.stringify({
      iss: gate.issuer,
      aud: PHOTOS,
      sub: 'a',
      client_id: 'b',
      exp: now() + 60,
      iat: now(),
      scope: 'photos:read',
    })
    const none = `${encodePart(JSON.stringify({ alg: 'none', typ: 'at+jwt', kid }))}.${encodePart(claims)}.`
    assert.match(await verdict(none), /^40[01] /)
    const input = `${encodePart(JSON.stringify({ alg: 'HS256', typ: 'at+jwt', kid }))}.${encodePart(claims)}`
    const secret = JSON.stringify(gate.key.publicJwk)
    assert.match(await verdict(`${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`), /^401 /)
    for (const alg of ['RS256', 'EdDSA', 'ES384', 'None', 'NONE', 'es256', '', 1]) {
      assert.match(await verdict(forge({ alg })), /^401 /, String(alg))
    }
  })

  it('the key is found by kid in that issuer’s own set', async () => {
    const stranger = makeKey('ES256', gate.key.kid)
    const claims = { iss: gate.issuer, scope: 'photos:read' }
    assert.equal(await verdict(mintToken(stranger, { claims })), '401 bad_signature')
    assert.equal(await verdict(mintToken(ssoKey, { claims })), '401 bad_signature')
  })

  it('iss is exact', async () => {
    for (const iss of [`${gate.issuer}/`, gate.issuer.toUpperCase(), 'https://elsewhere.example', `${gate.issuer}#`]) {
      assert.equal(await verdict(forge({}, { iss })), '401 untrusted_issuer', iss)
    }
  })

  it('exp, iat, sub and client_id are present and of the right type', async () => {
    for (const name of ['exp', 'iat', 'sub', 'client_id', 'iss', 'aud']) {
      const value = await verdict(forge({}, { [name]: undefined }))
      assert.match(value, /^401 (missing_claim|untrusted_issuer|audience_mismatch)$/, name)
    }
    for (const claims of [
      { exp: String(now() + 60) },
      { iat: '1' },
      { sub: 7 },
      { sub: '' },
      { client_id: ['cli'] },
      { exp: null },
      { exp: true },
      { aud: 3 },
      { aud: [PHOTOS, 3] },
      { nbf: 'x' },
      { scope: 4 },
      { scope: [4] },
    ]) {
      assert.match(await verdict(forge({}, claims)), /^401 /, JSON.stringify(claims))
    }
  })

  it('scope is a string or a list', async () => {
    for (const scope of ['photos:read', 'x photos:read y', ['photos:read'], ['a', 'photos:read']]) {
      assert.equal(await verdict(forge({}, { scope })), 'forward', JSON.stringify(scope))
    }
    for (const scope of [
      'photos:rea',
      'photos:READ',
      'photos:read,photos:write',
      ['x photos:readd'],
      [],
      '',
      undefined,
    ]) {
      assert.equal(await verdict(forge({}, { scope })), '403 insufficient_scope', JSON.stringify(scope))
    }
  })

  it('of several audiences one must be the resource’s', async () => {
    assert.equal(await verdict(forge({}, { aud: [FILES, PHOTOS] })), 'forward')
    assert.equal(await verdict(forge({}, { aud: [FILES, 'x'] })), '401 audience_mismatch')
    assert.equal(await verdict(forge({}, { aud: [] })), '401 audience_mismatch')
    assert.equal(await verdict(forge({}, { aud: PHOTOS.toUpperCase() })), '401 audience_mismatch')
  })

  it('60 s of clock tolerance', async () => {
    assert.equal(await verdict(forge({}, { exp: now() - 50 })), 'forward')
    assert.equal(await verdict(forge({}, { exp: now() - 62 })), '401 expired')
    assert.equal(await verdict(forge({}, { nbf: now() + 50 })), 'forward')
    assert.equal(await verdict(forge({}, { nbf: now() + 70 })), '401 not_yet_valid')
    assert.equal(await verdict(forge({}, { iat: now() + 50 })), 'forward')
    assert.equal(await verdict(forge({}, { iat: now() + 70 })), '401 not_yet_valid')
  })

  it('what a signature check found is remembered; exp is judged anew', async () => {
    const token = gate.token({ claims: { exp: now() - 59 } })
    assert.equal(await verdict(token), 'forward')
    for (const deadline = Date.now() + 5_000; (await verdict(token)) === 'forward'; ) assert.ok(Date.now() < deadline)
    assert.equal(await verdict(token), '401 expired')
  })

  it('jku, x5u, jwk and x5c are ignored; an unknown crit refuses', async () => {
    const mallory = makeKey('ES256')
    sso.publish('/evil', [mallory])
    const header = { jku: `${sso.origin}/evil`, x5u: `${sso.origin}/evil`, jwk: mallory.publicJwk, x5c: ['MIIB'] }
    assert.equal(await verdict(forge(header)), 'forward')
    const claims = { iss: gate.issuer, scope: 'photos:read' }
    assert.match(await verdict(mintToken(mallory, { header, claims })), /^401 (unknown_key|bad_signature)/)
    assert.equal(sso.asked.get('/evil'), undefined)
    assert.match(await verdict(forge({ crit: ['exp'], exp: 1 })), /^401 /)
    assert.match(await verdict(forge({ crit: [] })), /^401 /)
    assert.match(await verdict(forge({ crit: ['b64'], b64: true })), /^401 /)
  })

  it('a token over 16 KiB is malformed; one of 16 KiB is not', async () => {
    const room = 16_384 - gate.token({ claims: { x: '' } }).length
    const near = gate.token({ claims: { x: 'x'.repeat(Math.floor((room * 3) / 4) - 4) } })
    assert.ok(near.length <= 16_384 && near.length > 16_370, String(near.length))
    assert.equal(await verdict(near), 'forward')
    assert.match(await verdict(gate.token({ claims: { x: 'x'.repeat(12_300) } })), /^40[01] malformed_/)
  })

  it('what is no JWS is 401 malformed_token', async () => {
    for (const token of [
      'a',
      'a.b',
      'a.b.c',
      'a.b.c.d.e',
      '..',
      signJws(gate.key, '{', '{}'),
      signJws(gate.key, '[]', '{}'),
      signJws(gate.key, JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: gate.key.kid }), '"x"'),
      `${gate.token()}=`,
    ]) {
      assert.match(await verdict(token), /^40[01] malformed_/, token)
    }
    const [head = '', claims = '', signature = ''] = gate.token().split('.')
    const twice = encodePart(`{"alg":"ES256","alg":"ES256","typ":"at+jwt","kid":"${gate.key.kid}"}`)
    assert.match(await verdict(`${twice}.${claims}.${signature}`), /^401 /)
    assert.match(await verdict(`${head}.${claims}.${signature.slice(0, -2)}`), /^401 /)
    assert.match(await verdict(`${head}.${claims}.`), /^40[01] /)
  })

  const of = (claims: object, header: object = { typ: 'JWT' }) => {
    const good = {
      iss: ssoIssuer,
      aud: 'https://gate.example.com/legacy',
      scp: 'legacy:use',
      azp: 'web',
      client_id: undefined,
      scope: undefined,
      preferred_username: 'alice',
      roles: ['a', 'b'],
    }
    return mintToken(ssoKey, { header: { ...header }, claims: { ...good, ...claims } })
  }

  it('a token of an issuer that this resource does not take: 401 issuer_mismatch', async () => {
    assert.equal(await verdict(of({}), '/photos/a'), '401 issuer_mismatch')
    assert.equal(await verdict(of({ aud: PHOTOS, scp: 'photos:read' }), '/photos/a'), '401 issuer_mismatch')
  })

  it('ID tokens are refused under token_type jwt by nonce, at_hash and c_hash', async () => {
    assert.equal(await verdict(of({}), '/legacy/a'), 'forward')
    assert.equal(fieldOf(upstream.seen.at(-1), 'x-auth-username'), 'alice')
    assert.equal(fieldOf(upstream.seen.at(-1), 'x-auth-groups'), 'a,b')
    assert.equal(fieldOf(upstream.seen.at(-1), 'x-auth-client'), 'web')
    assert.equal(fieldOf(upstream.seen.at(-1), 'x-auth-scope'), 'legacy:use')
    assert.equal(await verdict(of({ aud: 'old-client-id' }), '/legacy/a'), 'forward')
    for (const claim of ['nonce', 'at_hash', 'c_hash']) {
      assert.equal(await verdict(of({ [claim]: 'x' }), '/legacy/a'), '401 wrong_type', claim)
    }
    assert.equal(await verdict(of({ azp: undefined }), '/legacy/a'), '401 missing_claim')
    assert.equal(await verdict(of({}, { typ: 'logout+jwt' }), '/legacy/a'), '401 wrong_type')
    assert.equal(await verdict(of({}, { typ: 'at+jwt' }), '/legacy/a'), '401 wrong_type')
  })

  it('an issuer that can’t be reached is 503 with Retry-After for its own tokens, and stops no other', async () => {
    const token = mintToken(gate.key, {
      claims: { iss: down, aud: 'https://gate.example.com/down', scope: 'down:use' },
    })
    const { heads } = upstream
    const answer = await gate.ask('/down/a', { token })
    assert.equal(answer.status, 503)
    const { reason, request_id } = JSON.parse(answer.body)
    assert.equal(reason, 'verifier_unavailable')
    assert.equal((await gate.line(request_id)).reason, 'verifier_unavailable')
    assert.match(answer.headers.get('retry-after') ?? '', /^[1-9]\d*$/)
    assert.equal(upstream.heads, heads)
    assert.equal(answer.headers.get('www-authenticate'), undefined)
    assert.equal(await verdict(gate.token()), 'forward')
  })

  it('an unknown kid fetches once, at most every 30 s', async () => {
    const before = gate.jwks.asked.get('/jwks') ?? 0
    const next = makeKey('ES256')
    gate.jwks.publish('/jwks', [gate.key, next])
    const claims = { iss: gate.issuer, scope: 'photos:read' }
    for (let i = 0; i < 5; i += 1) await verdict(mintToken(makeKey(), { claims }))
    const asked = (gate.jwks.asked.get('/jwks') ?? 0) - before
    assert.ok(asked <= 1, `${asked} fetches`)
    assert.equal(await verdict(gate.token()), 'forward')
  })

  it('a token bound to a key is refused as Bearer, and passes as DPoP with its proof, once', async () => {
    const client = makeKey('ES256')
    const token = gate.token({ claims: { cnf: { jkt: client.jkt } } })
    assert.equal(await verdict(token), '401 not_bound')
    const url = 'https://gate.example.com/photos/a'
    const proof = mintProof(client, { token, url: `http://gate.example.com/photos/a` })
    const lines = [`Authorization: DPoP ${token}`]
    const ask = (dpop: string) => gate.ask('/photos/a', { lines: [...lines, `DPoP: ${dpop}`] })
    // The listener speaks plain HTTP and no trusted proxy says otherwise.
    assert.equal((await ask(proof)).status, 200)
    assert.equal((await ask(proof)).status, 401)
    for (const options of [
      { method: 'POST' },
      { url: `${url}x` },
      { token: 'other' },
      { now: now() - 4_000 },
      { claims: { jti: undefined } },
    ]) {
      const answer = await ask(mintProof(client, { token, url: 'http://gate.example.com/photos/a', ...options }))
      assert.equal(answer.status, 401, JSON.stringify(options))
      assert.match(answer.headers.get('www-authenticate') ?? '', /^DPoP .*algs=/)
    }
    assert.equal((await gate.ask('/photos/a', { lines })).status, 401)
    assert.equal(
      (await gate.ask('/photos/a', { lines: [`Authorization: DPoP ${gate.token()}`, `DPoP: ${proof}`] })).status,
      401,
    )
  })

  it('the client’s token is not forwarded', async () => {
    await verdict(gate.token())
    assert.equal(fieldOf(upstream.seen.at(-1), 'authorization'), undefined)
    assert.equal(fieldOf(upstream.seen.at(-1), 'dpop'), undefined)
  })
})

describe('keys of foreign issuers, from outside', () => {
  it('come from the issuer’s metadata in either place, or from a file that is read again', async (t) => {
    const upstream = await startUpstream()
    t.after(() => upstream.close())
    const sso = await startJwksServer()
    t.after(() => sso.close())
    const folder = mkdtempSync(join(tmpdir(), 'audgate-keys-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const [first, second, third] = [makeKey(), makeKey(), makeKey()]
    const tenant = `${sso.origin}/tenant`
    const filed = 'https://file.example.com'
    const wrong = `${sso.origin}/wrong`
    // RFC 8414 puts the well-known part before the path.
    sso.on('/.well-known/oauth-authorization-server/tenant', json({ issuer: tenant, jwks_uri: `${sso.origin}/keys` }))
    sso.on('/wrong/.well-known/openid-configuration', json({ issuer: tenant, jwks_uri: `${sso.origin}/keys` }))
    sso.publish('/keys', [first])
    const publish = (key: TestKey) =>
      writeFileSync(join(folder, 'jwks.json'), JSON.stringify({ keys: [key.publicJwk] }))
    publish(second)
    const gate = await serveGate(routeOf('photos', upstream.url), {
      issuers: `
  - { issuer: "${tenant}", algorithms: [ES256] }
  - { issuer: "${wrong}", algorithms: [ES256] }
  - { issuer: "${filed}", jwks_file: "${folder}/jwks.json", algorithms: [ES256] }`,
      trusted: [tenant, wrong, filed],
    })
    t.after(() => gate.close())
    const status = async (key: TestKey, iss: string) =>
      (await gate.ask('/photos/a', { token: mintToken(key, { claims: { iss } }) })).status
    assert.equal(await status(first, tenant), 200)
    assert.equal(await status(first, wrong), 503)
    assert.equal(await status(second, filed), 200)
    assert.equal(await status(second, tenant), 401)
    publish(third)
    await until(async () => (await status(third, filed)) === 200, 'the new key')
    assert.equal(await status(second, filed), 401)
  })

  it('are fetched lazily, and a new kid is found by one fetch', async (t) => {
    const upstream = await startUpstream()
    t.after(() => upstream.close())
    const gate = await serveGate(routeOf('photos', upstream.url))
    t.after(() => gate.close())
    assert.equal(gate.jwks.asked.get('/jwks') ?? 0, 0)
    assert.equal((await gate.ask('/photos/a', { token: gate.token() })).status, 200)
    const next = makeKey('ES256')
    gate.jwks.publish('/jwks', [next])
    const token = mintToken(next, { claims: { iss: gate.issuer } })
    const all = await Promise.all(Array.from({ length: 10 }, () => gate.ask('/photos/a', { token })))
    assert.deepEqual(
      all.map(({ status }) => status),
      Array(10).fill(200),
    )
    assert.equal(gate.jwks.asked.get('/jwks'), 2)
  })
})
