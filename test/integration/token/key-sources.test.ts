import assert from 'node:assert/strict'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { MockAgent } from 'undici'
import type { Evidence } from '../../../src/core/token.ts'
import type { KeyEvent } from '../../../src/token/key-set.ts'
import { discoveredKeys, keysOf } from '../../../src/token/key-source.ts'
import type { VerifierIssuer, VerifierKeySource } from '../../../src/token/trusted-issuer.ts'
import type { Verifier } from '../../../src/token/verifier.ts'
import { type JwksServer, json, startJwksServer } from '../../support/jwks-server.ts'
import { makeKey, mintToken, type TestKey } from '../../support/keys.ts'
import { assertRejected, assertVerified, NOW, trusting, verifierOf } from '../../support/verifier-under-test.ts'

const key = makeKey()
let server: JwksServer
let events: KeyEvent[]
const verifiers: Verifier[] = []

before(async () => {
  server = await startJwksServer()
})
beforeEach(() => {
  events = []
})
after(async () => {
  for (const verifier of verifiers) verifier.close()
  await server.close()
})

function start(...issuers: VerifierIssuer[]): Verifier {
  const verifier = verifierOf(issuers, { onKeyEvent: (event) => void events.push(event) })
  verifiers.push(verifier)
  return verifier
}

const issuerAt = (issuer: string, keys: VerifierKeySource): VerifierIssuer => trusting([key], { issuer, keys })
const verify = async (verifier: Verifier, issuer: string, by: TestKey = key, now = NOW): Promise<Evidence> =>
  verifier.verify({ scheme: 'bearer', token: mintToken(by, { now, claims: { iss: issuer } }) }, now)

/** The keys can't be had: refused as unavailable, and the log is told why. */
async function assertUnavailable(verifier: Verifier, issuer: string, why: RegExp): Promise<void> {
  const evidence = await verify(verifier, issuer)
  assert.equal(evidence.kind, 'unavailable', JSON.stringify(evidence))
  const failed = events.find((event) => event.kind === 'failed')
  assert.match(failed?.kind === 'failed' ? failed.detail : '', why)
}

describe('keys by the issuer’s metadata', () => {
  it('are found behind the issuer’s path (OpenID Connect Discovery §4)', async () => {
    for (const issuer of [`${server.origin}/oidc`, `${server.origin}/slash/`, server.origin]) {
      const base = issuer.replace(/\/$/, '')
      server.on(
        new URL(`${base}/.well-known/openid-configuration`).pathname,
        json({ issuer, jwks_uri: `${server.origin}/keys` }),
      )
      server.publish('/keys', [key])
      assertVerified(await verify(start(issuerAt(issuer, { kind: 'discovery' })), issuer))
    }
  })

  it('are found before the issuer’s path (RFC 8414 §3.1)', async () => {
    const issuer = `${server.origin}/tenant/one`
    server.on('/.well-known/oauth-authorization-server/tenant/one', json({ issuer, jwks_uri: `${server.origin}/keys` }))
    server.publish('/keys', [key])
    assertVerified(await verify(start(issuerAt(issuer, { kind: 'discovery' })), issuer))
  })

  const broken: readonly (readonly [string, (issuer: string) => unknown, RegExp])[] = [
    ['names another issuer', () => ({ issuer: 'https://other.example', jwks_uri: '' }), /names another issuer/],
    [
      'differs from the issuer in a slash',
      (issuer) => ({ issuer: `${issuer}/`, jwks_uri: `${server.origin}/keys` }),
      /another issuer/,
    ],
    ['has no jwks_uri', (issuer) => ({ issuer }), /no jwks_uri/],
    ['has a jwks_uri that is no string', (issuer) => ({ issuer, jwks_uri: [1] }), /no jwks_uri/],
    ['has a jwks_uri that is no URL', (issuer) => ({ issuer, jwks_uri: 'keys' }), /no URL/],
    [
      'has a jwks_uri in plain http elsewhere',
      (issuer) => ({ issuer, jwks_uri: 'http://192.0.2.1/keys' }),
      /neither https nor/,
    ],
    ['has a jwks_uri that is a file', (issuer) => ({ issuer, jwks_uri: 'file:///etc/passwd' }), /neither https nor/],
    ['is a list', () => [], /another issuer/],
  ]
  for (const [index, [what, document, why]] of broken.entries()) {
    it(`are not taken when it ${what}`, async () => {
      const issuer = `${server.origin}/broken${index}`
      server.publish('/keys', [key])
      server.on(`/broken${index}/.well-known/openid-configuration`, json(document(issuer)))
      await assertUnavailable(start(issuerAt(issuer, { kind: 'discovery' })), issuer, why)
    })
  }
})

describe('keys by metadata from elsewhere', () => {
  it('are not asked for in plain http', async () => {
    const issuer = 'http://192.0.2.1'
    await assertUnavailable(start(issuerAt(issuer, { kind: 'discovery' })), issuer, /neither https nor/)
  })

  it('are not asked for on this machine', async () => {
    const elsewhere = new MockAgent()
    elsewhere.disableNetConnect()
    const issuer = 'https://sso.example.com'
    const metadata = { issuer, jwks_uri: `${server.origin}/keys` }
    const pool = elsewhere.get(issuer)
    pool.intercept({ path: '/.well-known/openid-configuration' }).reply(200, metadata)
    pool.intercept({ path: '/.well-known/oauth-authorization-server' }).reply(404, '')
    const { load } = discoveredKeys(issuer, elsewhere, false)
    await assert.rejects(load(new AbortController().signal), /points to this machine.*answers 404/)
    await elsewhere.close()
  })

  it('are asked for in plain http where the file says insecure_http, but still not on this machine', async () => {
    const elsewhere = new MockAgent()
    elsewhere.disableNetConnect()
    const issuer = 'http://sso.internal'
    const pool = elsewhere.get(issuer)
    const metadata = (jwksUri: string) =>
      pool.intercept({ path: '/.well-known/openid-configuration' }).reply(200, { issuer, jwks_uri: jwksUri })
    const load = () => discoveredKeys(issuer, elsewhere, true).load(new AbortController().signal)
    metadata(`${issuer}/keys`)
    pool.intercept({ path: '/keys' }).reply(200, { keys: [key.publicJwk] })
    assert.equal((await load()).kind, 'keys')
    metadata('http://127.0.0.1:1/keys')
    pool.intercept({ path: '/.well-known/oauth-authorization-server' }).reply(404, '')
    await assert.rejects(load(), /points to this machine/)
    await elsewhere.close()
  })
})

describe('keys at a jwks_uri', () => {
  it('are not fetched before the first token of that issuer, then once for many at a time', async () => {
    server.publish('/lazy', [key])
    const issuer = 'https://lazy.example'
    const verifier = start(issuerAt(issuer, { kind: 'jwks_uri', uri: `${server.origin}/lazy` }))
    assertRejected(await verify(verifier, 'https://stranger.example'), 'untrusted_issuer')
    assert.equal(server.asked.get('/lazy'), undefined)
    const all = await Promise.all(Array.from({ length: 20 }, () => verify(verifier, issuer)))
    for (const evidence of all) assertVerified(evidence)
    assert.equal(server.asked.get('/lazy'), 1)
  })

  it('are fetched for one verification when twenty requests bring the same new token', async () => {
    server.publish('/same', [key])
    const issuer = 'https://same.example'
    const verifier = start(issuerAt(issuer, { kind: 'jwks_uri', uri: `${server.origin}/same` }))
    const token = mintToken(key, { now: NOW, claims: { iss: issuer } })
    const all = await Promise.all(Array.from({ length: 20 }, () => verifier.verify({ scheme: 'bearer', token }, NOW)))
    for (const evidence of all) assert.equal(evidence, all[0])
    assertVerified(all[0] ?? assert.fail())
  })

  it('are used though other members of the set are of no use', async () => {
    const odd = [null, 7, 'x', [], {}, { kty: 'oct', k: 'AAAA', kid: key.kid }, { kty: 'new', kid: 'n' }]
    server.on('/odd', json({ keys: [...odd, key.publicJwk], more: true }))
    const issuer = 'https://odd.example'
    assertVerified(await verify(start(issuerAt(issuer, { kind: 'jwks_uri', uri: `${server.origin}/odd` })), issuer))
  })

  const codings = { gzip: gzipSync, 'x-gzip': gzipSync, deflate: deflateSync, br: brotliCompressSync }
  for (const [coding, encode] of Object.entries(codings)) {
    it(`are read though the server encodes them as ${coding}, which nobody asked for (RFC 9110 §8.4)`, async () => {
      const text = `\ufeff${JSON.stringify({ keys: [key.publicJwk] })}`
      server.on('/coded', (request, response) => {
        assert.equal(request.headers['accept-encoding'], 'identity')
        response.writeHead(200, { 'content-encoding': coding.toUpperCase() }).end(encode(text))
      })
      const issuer = 'https://coded.example'
      assertVerified(await verify(start(issuerAt(issuer, { kind: 'jwks_uri', uri: `${server.origin}/coded` })), issuer))
    })
  }

  it('of a set are looked at up to the hundredth', () => {
    assert.equal(keysOf(JSON.stringify({ keys: Array.from({ length: 1_000 }, () => ({})) }), 'x').length, 100)
  })

  const mebibyte = 'x'.repeat(1024 * 1024)
  const answers: Readonly<Record<string, readonly [Parameters<JwksServer['on']>[1], RegExp]>> = {
    'an error': [(_, response) => response.writeHead(500).end('{"keys":[]}'), /answers 500/],
    'a redirect, wherever it leads': [
      (_, response) => response.writeHead(302, { location: `${server.origin}/keys` }).end(),
      /answers 302/,
    ],
    'no JSON': [(_, response) => response.end('<html>'), /not JSON/],
    'JSON that is no object': [json('x'), /list named keys/],
    'no list of keys': [json({ keys: {} }), /list named keys/],
    'more than 1 MiB': [json({ keys: [], pad: mebibyte }), /more than 1 MiB/],
    'more than 1 MiB of unknown length': [
      (_, response) => {
        response.write('{"pad":"')
        response.end(`${mebibyte}"}`)
      },
      /more than 1 MiB/,
    ],
    'small, and large when decoded': [
      (_, response) =>
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(`{"keys":[],"pad":"${mebibyte}"}`)),
      /more than 1 MiB/,
    ],
    'encoded wrongly': [
      (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('{"keys":[]}'),
      /broken Content-Encoding/,
    ],
    'encoded in some other way': [
      (_, response) => response.writeHead(200, { 'content-encoding': 'zstd-x' }).end('{"keys":[]}'),
      /encoded as zstd-x/,
    ],
    'a broken connection': [(request) => request.socket.destroy(), /breaks the connection/],
    'half an answer': [
      (request, response) => {
        response.writeHead(200, { 'content-length': 100 })
        response.write('{"keys"', () => request.socket.destroy())
      },
      /breaks the connection/,
    ],
  }
  for (const [what, [handler, why]] of Object.entries(answers)) {
    it(`are not had, and say so, when the answer is ${what}`, async () => {
      server.publish('/keys', [key])
      server.on('/bad', handler)
      const issuer = 'https://bad.example'
      await assertUnavailable(start(issuerAt(issuer, { kind: 'jwks_uri', uri: `${server.origin}/bad` })), issuer, why)
    })
  }

  it('are not had when nobody listens, or the name has no address', async () => {
    for (const [uri, why] of [
      ['http://127.0.0.1:1/keys', /refuses connections/],
      ['https://nobody.invalid/keys', /no address/],
    ] as const) {
      events = []
      await assertUnavailable(
        start(issuerAt('https://down.example', { kind: 'jwks_uri', uri })),
        'https://down.example',
        why,
      )
    }
  })

  it('are not asked for in plain http elsewhere than on this machine, but from the audgate that is followed', async () => {
    const uri = 'http://192.0.2.1/keys'
    await assertUnavailable(
      start(issuerAt('https://x.example', { kind: 'jwks_uri', uri })),
      'https://x.example',
      /neither https/,
    )
    server.publish('/oauth/jwks', [key])
    const upstream: VerifierKeySource = { kind: 'upstream', uris: [`${server.origin}/oauth/jwks`] }
    assertVerified(await verify(start(issuerAt('https://gate.example', upstream)), 'https://gate.example'))
  })

  it('of one issuer fail without harm to the other', async () => {
    server.publish('/well', [key])
    const verifier = start(
      issuerAt('https://ill.example', { kind: 'jwks_uri', uri: 'http://127.0.0.1:1/' }),
      issuerAt('https://well.example', { kind: 'jwks_uri', uri: `${server.origin}/well` }),
    )
    const [ill, well] = await Promise.all([
      verify(verifier, 'https://ill.example'),
      verify(verifier, 'https://well.example'),
    ])
    assert.equal(ill.kind, 'unavailable')
    assertVerified(well)
  })

  it('that trickle in are given up after 5 s', async () => {
    const trickles: NodeJS.Timeout[] = []
    server.on('/slow', (_, response) => {
      response.writeHead(200)
      trickles.push(setInterval(() => response.write(' '), 200))
    })
    const uri = `${server.origin}/slow`
    await assertUnavailable(
      start(issuerAt('https://slow.example', { kind: 'jwks_uri', uri })),
      'https://slow.example',
      /within 5 s/,
    )
    for (const trickle of trickles) clearInterval(trickle)
  })

  it('that hang are given up when their issuer is trusted no more, and the request is answered', async () => {
    const { promise: asked, resolve: arrived } = Promise.withResolvers<void>()
    const { promise: left, resolve: gone } = Promise.withResolvers<void>()
    server.on('/dropped', (_, response) => {
      response.on('close', gone)
      arrived()
    })
    const issuer = 'https://dropped.example'
    const verifier = start(issuerAt(issuer, { kind: 'jwks_uri', uri: `${server.origin}/dropped` }))
    const waiting = verify(verifier, issuer)
    await asked
    const began = performance.now()
    verifier.setIssuers([])
    await left
    assert.ok(performance.now() - began < 2_500, 'it was waited for until its time was up')
    assertRejected(await waiting, 'untrusted_issuer')
  })

  it('that hang are given up when the verifier closes, and the request is answered', async () => {
    const { promise: asked, resolve: arrived } = Promise.withResolvers<void>()
    server.on('/hang', () => arrived())
    const verifier = start(issuerAt('https://hang.example', { kind: 'jwks_uri', uri: `${server.origin}/hang` }))
    const waiting = verify(verifier, 'https://hang.example')
    await asked
    verifier.close()
    assert.equal((await waiting).kind, 'unavailable')
  })
})

describe('keys in a file', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'audgate-keys-'))
  })
  after(() => rm(folder, { recursive: true }))
  const write = (path: string, keys: readonly TestKey[]): Promise<void> =>
    writeFile(path, JSON.stringify({ keys: keys.map(({ publicJwk }) => publicJwk) }))

  it('are read again when it changes, by being written to or replaced', async () => {
    const path = join(folder, 'jwks.json')
    const issuer = 'https://file.example'
    await write(path, [key])
    const verifier = start(issuerAt(issuer, { kind: 'jwks_file', path }))
    assertVerified(await verify(verifier, issuer))
    const [second, third] = [makeKey(), makeKey()]
    await write(path, [second, key])
    assertVerified(await verify(verifier, issuer, second, NOW + 5))
    await write(`${path}.new`, [third])
    await rename(`${path}.new`, path)
    assertVerified(await verify(verifier, issuer, third, NOW + 10))
    assertRejected(await verify(verifier, issuer, second, NOW + 10), 'unknown_key')
  })

  it('that is missing or broken: unavailable, and good when it is mended', async () => {
    const path = join(folder, 'late.json')
    const issuer = 'https://late.example'
    const verifier = start(issuerAt(issuer, { kind: 'jwks_file', path }))
    await assertUnavailable(verifier, issuer, /late\.json cannot be read \(ENOENT\)/)
    events = []
    await writeFile(path, 'not json')
    assert.equal((await verify(verifier, issuer, key, NOW + 5)).kind, 'unavailable')
    await writeFile(path, `{"keys":[],"pad":"${'x'.repeat(1024 * 1024)}"}`)
    events = []
    assert.equal((await verify(verifier, issuer, key, NOW + 8)).kind, 'unavailable')
    assert.match(JSON.stringify(events), /larger than 1 MiB/)
    await write(path, [key])
    assertVerified(await verify(verifier, issuer, key, NOW + 10))
    await rm(path)
    assertVerified(await verify(verifier, issuer, key, NOW + 15))
  })
})
