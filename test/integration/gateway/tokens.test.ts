import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { FILES, GATE, type Gate, mounts, PHOTOS, routeOf } from '../../support/gate.ts'
import { until } from '../../support/gateway-under-test.ts'
import { type JwksServer, json, startJwksServer } from '../../support/jwks-server.ts'
import { makeKey, mintProof, mintToken } from '../../support/keys.ts'
import { freePorts } from '../../support/programs/free-ports.ts'
import { fieldOf, startUpstream, type TestUpstream } from '../../support/upstreams.ts'

const LEGACY = `https://${GATE}/legacy`

/** A resource of one issuer, and its route. */
const own = (id: string, issuer: string, upstream: string) => ({
  resource: `
  - id: https://${GATE}/${id}
    name: ${id}
    scopes: { "${id}:use": Use it }
    issuers: ["${issuer}"]
`,
  route: `
  - id: ${id}
    path: /${id}
    resource: https://${GATE}/${id}
    upstream: ${upstream}
    rules: [{ methods: [any], scopes: ["${id}:use"] }]`,
})

for (const { mount, open } of mounts) {
  describe(`tokens at the gateway, ${mount}`, () => {
    let upstream: TestUpstream
    let sso: JwksServer
    let gate: Gate
    let ssoIssuer: string
    let down: string
    const ssoKey = makeKey('RS256')

    before(async () => {
      upstream = await startUpstream()
      sso = await startJwksServer()
      ssoIssuer = `${sso.origin}/application/o/photos/`
      const metadata = json({ issuer: ssoIssuer, jwks_uri: `${sso.origin}/keys` })
      sso.on('/application/o/photos/.well-known/openid-configuration', metadata)
      sso.publish('/keys', [ssoKey])
      down = `http://127.0.0.1:${(await freePorts(1))[0]}`
      const [legacy, away] = [own('legacy', ssoIssuer, upstream.url), own('down', down, upstream.url)]
      gate = await open(`${routeOf('photos', upstream.url)}${legacy.route}${away.route}`, {
        issuers: `
  - issuer: ${ssoIssuer}
    algorithms: [RS256]
    token_type: jwt
    claims: { groups: roles, username: preferred_username, scope: scp, client: azp }
  - { issuer: "${down}", algorithms: [ES256] }`,
        resources: `${legacy.resource}    accept_audiences: [old-client-id]${away.resource}`,
      })
    })
    after(async () => {
      await gate.close()
      await upstream.close()
      await sso.close()
    })

    async function verdict(token: string, path = '/photos/a'): Promise<string> {
      const answer = await gate.ask(path, { token })
      return answer.status === 200 ? 'forward' : `${answer.status} ${JSON.parse(answer.body).reason}`
    }
    const forge = (claims: object, header: object = {}) => gate.token({ header: { ...header }, claims: { ...claims } })
    const ofSso = (claims: object = {}, header: object = { typ: 'JWT' }) => {
      const theirs = { iss: ssoIssuer, aud: LEGACY, scp: 'legacy:use', azp: 'web', preferred_username: 'alice' }
      const good = { ...theirs, client_id: undefined, scope: undefined, roles: ['a', 'b'] }
      return mintToken(ssoKey, { header: { ...header }, claims: { ...good, ...claims } })
    }

    it('keys are not fetched before the first token, then once for many of a new kid, and not again within 30 s', async () => {
      const asked = () => gate.jwks.asked.get('/jwks') ?? 0
      assert.equal(asked(), 0)
      assert.equal(await verdict(gate.token()), 'forward')
      assert.equal(asked(), 1)
      const next = makeKey('ES256')
      gate.jwks.publish('/jwks', [gate.key, next])
      const claims = { iss: gate.issuer }
      const token = mintToken(next, { claims })
      const all = await Promise.all(Array.from({ length: 10 }, () => verdict(token)))
      assert.deepEqual(new Set(all), new Set(['forward']))
      for (let i = 0; i < 5; i += 1) assert.equal(await verdict(mintToken(makeKey(), { claims })), '401 unknown_key')
      assert.equal(await verdict(gate.token()), 'forward')
      assert.equal(asked(), 2)
    })

    it('the log names the person and the client of a token that was good once, and nobody of one that never was', async () => {
      const claims = { iss: gate.issuer, sub: 'usr_late', client_id: 'late' }
      const late = { ...claims, iat: Date.now() / 1000 - 4000, exp: Date.now() / 1000 - 400 }
      assert.equal(await verdict(forge(late), '/photos/late'), '401 expired')
      assert.equal(
        await verdict(mintToken(makeKey('ES256', gate.key.kid), { claims }), '/photos/made'),
        '401 bad_signature',
      )
      const named = (path: string) =>
        gate.log().flatMap((line) => (line.path === path ? [[line.sub, line.client]] : []))
      await until(() => named('/photos/late').length + named('/photos/made').length === 2, 'the log lines')
      assert.deepEqual(
        [...named('/photos/late'), ...named('/photos/made')],
        [
          ['usr_late', 'late'],
          [undefined, undefined],
        ],
      )
    })

    it('jku, x5u, jwk and x5c are ignored, and nobody is asked', async () => {
      const mallory = makeKey('ES256')
      sso.publish('/evil', [mallory])
      const header = { jku: `${sso.origin}/evil`, x5u: `${sso.origin}/evil`, jwk: mallory.publicJwk, x5c: ['MIIB'] }
      assert.equal(await verdict(forge({}, header)), 'forward')
      assert.equal(await verdict(mintToken(mallory, { header, claims: { iss: gate.issuer } })), '401 unknown_key')
      assert.equal(sso.asked.get('/evil'), undefined)
    })

    it('scope is a string or a list, of whole scopes in their case', async () => {
      for (const scope of ['photos:read', 'x photos:read y', ['photos:read'], ['a', 'photos:read']]) {
        assert.equal(await verdict(forge({ scope })), 'forward', JSON.stringify(scope))
      }
      const lists = [['x photos:readd'], []]
      for (const scope of ['photos:rea', 'photos:READ', 'photos:read,photos:write', '', undefined, ...lists]) {
        assert.equal(await verdict(forge({ scope })), '403 insufficient_scope', JSON.stringify(scope))
      }
    })

    it('of several audiences one must be the resource’s', async () => {
      assert.equal(await verdict(forge({ aud: [FILES, PHOTOS] })), 'forward')
      for (const aud of [[FILES, 'x'], [], PHOTOS.toUpperCase(), undefined]) {
        assert.equal(await verdict(forge({ aud })), '401 audience_mismatch', JSON.stringify(aud))
      }
    })

    it('a token over 16 KiB is malformed; one of 16 KiB is not', async () => {
      const room = 16_384 - gate.token({ claims: { x: '' } }).length
      const near = gate.token({ claims: { x: 'x'.repeat(Math.floor((room * 3) / 4) - 4) } })
      assert.ok(near.length <= 16_384 && near.length > 16_370, String(near.length))
      assert.equal(await verdict(near), 'forward')
      assert.equal(await verdict(gate.token({ claims: { x: 'x'.repeat(12_300) } })), '401 malformed_token')
    })

    it('claims of another make’s issuer are read as the file maps them, and its accept_audiences count', async () => {
      assert.equal(await verdict(ofSso(), '/legacy/a'), 'forward')
      const fields = ['username', 'groups', 'client', 'scope'].map((name) =>
        fieldOf(upstream.seen.at(-1), `x-auth-${name}`),
      )
      assert.deepEqual(fields, ['alice', 'a,b', 'web', 'legacy:use'])
      assert.equal(await verdict(ofSso({ aud: 'old-client-id' }), '/legacy/a'), 'forward')
      assert.equal(await verdict(ofSso({ azp: undefined }), '/legacy/a'), '401 missing_claim')
    })

    it('ID tokens are refused under token_type jwt by nonce, at_hash and c_hash, and so are other types', async () => {
      for (const claim of ['nonce', 'at_hash', 'c_hash']) {
        assert.equal(await verdict(ofSso({ [claim]: 'x' }), '/legacy/a'), '401 wrong_type', claim)
      }
      for (const typ of ['logout+jwt', 'at+jwt']) {
        assert.equal(await verdict(ofSso({}, { typ }), '/legacy/a'), '401 wrong_type', typ)
      }
    })

    it('a token of an issuer that this resource does not take: 401 issuer_mismatch', async () => {
      assert.equal(await verdict(ofSso()), '401 issuer_mismatch')
      assert.equal(await verdict(ofSso({ aud: PHOTOS, scp: 'photos:read' })), '401 issuer_mismatch')
    })

    it('an issuer that can’t be reached is 503 with Retry-After for its own tokens, never a pass, and stops no other', async () => {
      const { heads } = upstream
      const claims = { iss: down, aud: `https://${GATE}/down`, scope: 'down:use' }
      const answer = await gate.ask('/down/a', { token: mintToken(gate.key, { claims }) })
      assert.equal(answer.status, 503)
      const { reason, request_id } = JSON.parse(answer.body)
      assert.equal(reason, 'verifier_unavailable')
      assert.equal((await gate.line(request_id)).reason, 'verifier_unavailable')
      assert.match(answer.headers.get('retry-after') ?? '', /^[1-9]\d*$/)
      assert.equal(answer.headers.get('www-authenticate'), undefined)
      assert.equal(upstream.heads, heads)
      assert.equal(await verdict(gate.token()), 'forward')
    })

    it('a token bound to a key is refused as Bearer, and passes as DPoP with its proof, once', async () => {
      const client = makeKey('ES256')
      const token = gate.token({ claims: { cnf: { jkt: client.jkt } } })
      assert.equal(await verdict(token), '401 not_bound')
      // The listener speaks plain HTTP and no trusted proxy says otherwise.
      const url = `http://${GATE}/photos/a`
      // Proofs have to be younger than the gateway's start, which was just now.
      const now = Math.floor(Date.now() / 1_000) + 1
      const proof = mintProof(client, { token, url, now })
      const ask = (dpop: string, sent = token) =>
        gate.ask('/photos/a', { lines: [`Authorization: DPoP ${sent}`, `DPoP: ${dpop}`] })
      assert.equal((await ask(proof)).status, 200)
      assert.equal(fieldOf(upstream.seen.at(-1), 'dpop'), undefined)
      assert.equal((await ask(proof)).status, 401)
      for (const options of [
        { method: 'POST' },
        { url: `${url}x` },
        { token: 'other' },
        { now: now - 4_000 },
        { claims: { jti: undefined } },
      ]) {
        const answer = await ask(mintProof(client, { token, url, now, ...options }))
        assert.equal(answer.status, 401, JSON.stringify(options))
        assert.match(answer.headers.get('www-authenticate') ?? '', /^DPoP .*algs=/)
      }
      assert.equal((await gate.ask('/photos/a', { lines: [`Authorization: DPoP ${token}`] })).status, 401)
      assert.equal((await ask(proof, gate.token())).status, 401)
    })
  })
}
