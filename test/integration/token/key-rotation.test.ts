import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Evidence } from '../../../src/core/token.ts'
import type { VerifierKeySource } from '../../../src/token/trusted-issuer.ts'
import type { Verifier } from '../../../src/token/verifier.ts'
import { type ForeignIssuer, startForeignIssuer } from '../../support/issuer/foreign-issuer.ts'
import { type JwksServer, startJwksServer } from '../../support/jwks-server.ts'
import { makeKey, mintToken, TEST_ISSUER, TEST_RESOURCE, type TestKey } from '../../support/keys.ts'
import { assertRejected, assertVerified, NOW, trusting, verifierOf } from '../../support/verifier-under-test.ts'

const verifiers: Verifier[] = []
after(() => {
  for (const verifier of verifiers) verifier.close()
})

function start(issuer: string, keys: VerifierKeySource): Verifier {
  const verifier = verifierOf([trusting([], { issuer, keys, algorithms: ['ES256'] })])
  verifiers.push(verifier)
  return verifier
}

async function until(what: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000
  while (!what()) {
    assert.ok(Date.now() < deadline, 'it did not come about within 5 s')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('tokens of another make’s issuer', () => {
  let foreign: ForeignIssuer
  before(async () => {
    foreign = await startForeignIssuer({
      resources: { [TEST_RESOURCE]: ['photos:read'] },
      claims: { groups: ['photos'] },
    })
  })
  after(() => foreign.close())
  const judge = async (verifier: Verifier, token: string, now = Date.now() / 1000): Promise<Evidence> =>
    verifier.verify({ scheme: 'bearer', token }, now)

  it('are good by its metadata alone, outlive its going away, and its rotation is noticed at the first new token', async () => {
    const verifier = start(foreign.issuer, { kind: 'discovery' })
    const old = await foreign.token(TEST_RESOURCE, 'photos:read')
    const token = assertVerified(await judge(verifier, old))
    assert.deepEqual(token.audience, [TEST_RESOURCE])
    assert.deepEqual([...token.scope], ['photos:read'])
    assert.deepEqual(token.groups, ['photos'])
    assert.equal(token.clientId, 'test-service')

    await foreign.switchOff()
    assertVerified(await judge(verifier, old))
    await foreign.switchOn()

    foreign.rotate({ keepOld: true })
    assertVerified(await judge(verifier, await foreign.token(TEST_RESOURCE, 'photos:read')))
    assertVerified(await judge(verifier, old))
    assert.equal(foreign.keyFetches(), 2)
  })

  it('are unavailable while it is down and was never reached, and good soon after it is up', async () => {
    const verifier = start(foreign.issuer, { kind: 'discovery' })
    const token = await foreign.token(TEST_RESOURCE, 'photos:read')
    const now = Date.now() / 1000
    await foreign.switchOff()
    const evidence = await judge(verifier, token, now)
    assert.ok(evidence.kind === 'unavailable' && evidence.retryAfterSeconds >= 1)
    await foreign.switchOn()
    assert.equal((await judge(verifier, token, now)).kind, 'unavailable')
    assertVerified(await judge(verifier, token, now + evidence.retryAfterSeconds))
  })
})

describe('keys of an issuer over time', () => {
  let server: JwksServer
  before(async () => {
    server = await startJwksServer()
  })
  after(() => server.close())
  const [one, two] = [makeKey('ES256', 'one'), makeKey('ES256', 'two')]
  const source = (path: string): VerifierKeySource => ({ kind: 'jwks_uri', uri: `${server.origin}${path}` })
  const judge = (verifier: Verifier, key: TestKey, now: number) =>
    verifier.verify({ scheme: 'bearer', token: mintToken(key, { now }) }, now)

  it('are fetched for an unknown kid, at most every 30 s, whatever comes', async () => {
    server.publish('/kid', [one])
    const verifier = start(TEST_ISSUER, source('/kid'))
    assertRejected(await judge(verifier, two, NOW), 'unknown_key')
    assert.equal(server.asked.get('/kid'), 1, 'the first fetch was made for this token')
    for (let i = 0; i < 50; i++)
      assertRejected(await judge(verifier, makeKey('ES256', `${i}`), NOW + i / 2), 'unknown_key')
    assert.equal(server.asked.get('/kid'), 2)
    server.publish('/kid', [one, two])
    assertRejected(await judge(verifier, two, NOW + 29), 'unknown_key')
    assertVerified(await judge(verifier, two, NOW + 30))
    assert.equal(server.asked.get('/kid'), 3)
  })

  it('are fetched once for many unknown kids at a time', async () => {
    server.publish('/many', [one])
    const verifier = start(TEST_ISSUER, source('/many'))
    assertVerified(await judge(verifier, one, NOW))
    await Promise.all(Array.from({ length: 20 }, (_, i) => judge(verifier, makeKey('ES256', `${i}`), NOW)))
    assert.equal(server.asked.get('/many'), 2)
  })

  it('are fetched in the background when they grow old, while requests go on without waiting', async () => {
    server.publish('/old', [one])
    const verifier = start(TEST_ISSUER, source('/old'))
    const presented = { scheme: 'bearer', token: mintToken(one, { now: NOW, claims: { exp: NOW + 5_000 } }) } as const
    assertVerified(await verifier.verify(presented, NOW))
    assert.ok(!(verifier.verify(presented, NOW + 599) instanceof Promise))
    assert.equal(server.asked.get('/old'), 1)
    server.publish('/old', [two])
    const evidence = verifier.verify(presented, NOW + 600)
    assert.ok(!(evidence instanceof Promise))
    assertVerified(evidence)
    await until(() => verifier.stats(NOW + 600).issuers[0]?.ageSeconds === 0)
    assertRejected(await judge(verifier, one, NOW + 600), 'unknown_key')
    assertVerified(await judge(verifier, two, NOW + 600))
  })

  it('are waited for when they are much too old, so that a key withdrawn in a quiet time is not used', async () => {
    server.publish('/quiet', [one])
    const verifier = start(TEST_ISSUER, source('/quiet'))
    const token = mintToken(one, { now: NOW, claims: { exp: NOW + 5_000 } })
    assertVerified(await verifier.verify({ scheme: 'bearer', token }, NOW))
    server.publish('/quiet', [two])
    assertRejected(await verifier.verify({ scheme: 'bearer', token }, NOW + 1_200), 'unknown_key')
  })

  for (const [cacheControl, seconds] of [
    ['max-age=120', 120],
    ['public, max-age="300"', 300],
    ['max-age=5', 60],
    ['no-store', 60],
    ['max-age=99999999', 86_400],
    ['max-age=', 600],
    ['private', 600],
  ] as const) {
    it(`with Cache-Control ${cacheControl} are fetched again after ${seconds} s`, async () => {
      const path = `/cc-${encodeURIComponent(cacheControl)}`
      server.publish(path, [one], { 'cache-control': cacheControl })
      const verifier = start(TEST_ISSUER, source(path))
      await judge(verifier, one, NOW)
      await judge(verifier, one, NOW + seconds - 1)
      assert.equal(server.asked.get(path), 1)
      await judge(verifier, one, NOW + seconds)
      await until(() => server.asked.get(path) === 2)
    })
  }

  it('serve for a day beyond their time when the issuer is down, without waiting, and no longer', async () => {
    server.publish('/down', [one])
    const verifier = start(TEST_ISSUER, source('/down'))
    const presented = { scheme: 'bearer', token: mintToken(one, { now: NOW, claims: { exp: NOW + 90_000 } }) } as const
    assertVerified(await verifier.verify(presented, NOW))
    server.on('/down', (_, response) => response.writeHead(503).end())
    assertVerified(await judge(verifier, one, NOW + 2_000))
    assert.equal(verifier.stats(NOW + 2_000).issuers[0]?.failures, 1)
    const evidence = verifier.verify(presented, NOW + 50_000)
    assert.ok(!(evidence instanceof Promise))
    assertVerified(evidence)
    assertVerified(await judge(verifier, one, NOW + 86_999))
    assert.equal((await judge(verifier, one, NOW + 87_000)).kind, 'unavailable')
  })

  it('also stop serving remembered tokens when their time is over', async () => {
    server.publish('/over', [one])
    const verifier = start(TEST_ISSUER, source('/over'))
    const token = mintToken(one, { now: NOW, claims: { exp: NOW + 200_000 } })
    const verify = (now: number) => verifier.verify({ scheme: 'bearer', token }, now)
    assertVerified(await verify(NOW))
    server.on('/over', (_, response) => response.writeHead(503).end())
    assertVerified(await verify(NOW + 1_300))
    assert.equal((await verify(NOW + 100_000)).kind, 'unavailable')
  })

  it('are asked for ever more rarely while they can’t be had: after 1, 2, 4 … and at most 60 s', async () => {
    server.on('/rare', (_, response) => response.writeHead(503).end())
    const verifier = start(TEST_ISSUER, source('/rare'))
    for (let second = 0; second < 300; second++) await judge(verifier, one, NOW + second)
    // 0 1 3 7 15 31 63, then every 60 s.
    assert.equal(server.asked.get('/rare'), 10)
    server.publish('/rare', [one])
    assertVerified(await judge(verifier, one, NOW + 360))
  })

  it('are unavailable when the issuer publishes none, and asked for again soon', async () => {
    server.publish('/none', [])
    const verifier = start(TEST_ISSUER, source('/none'))
    const evidence = await judge(verifier, one, NOW)
    assert.deepEqual(evidence.kind === 'unavailable' && evidence.retryAfterSeconds, 15)
    server.publish('/none', [one])
    assertVerified(await judge(verifier, one, NOW + 15))
  })

  it('are fetched before the next use when keysChanged says so, and a key that is gone is refused at once', async () => {
    server.publish('/said', [one])
    const verifier = start(TEST_ISSUER, source('/said'))
    const token = mintToken(one, { now: NOW })
    assertVerified(await verifier.verify({ scheme: 'bearer', token }, NOW))
    server.publish('/said', [two])
    verifier.keysChanged(TEST_ISSUER)
    assertRejected(await verifier.verify({ scheme: 'bearer', token }, NOW), 'unknown_key')
    assertVerified(await judge(verifier, two, NOW))
  })

  it('are waited for anew when the clock is set back: the time of a withdrawn key would be longer by as much', async () => {
    server.publish('/back', [one])
    const verifier = start(TEST_ISSUER, source('/back'))
    assertVerified(await judge(verifier, one, NOW))
    server.publish('/back', [two])
    const back = NOW - 86_400
    assertRejected(await judge(verifier, one, back), 'unknown_key')
    assertVerified(await judge(verifier, two, back))
  })

  it('are fetched again when keysChanged comes while they are being fetched', async () => {
    const { promise: asked, resolve: arrived } = Promise.withResolvers<void>()
    const { promise: held, resolve: release } = Promise.withResolvers<void>()
    server.on('/during', (_, response) => {
      arrived()
      void held.then(() => response.end(JSON.stringify({ keys: [one.publicJwk] })))
    })
    const verifier = start(TEST_ISSUER, source('/during'))
    const waiting = judge(verifier, one, NOW)
    await asked
    server.publish('/during', [two])
    verifier.keysChanged(TEST_ISSUER)
    release()
    await waiting
    assertRejected(await judge(verifier, one, NOW), 'unknown_key')
    assertVerified(await judge(verifier, two, NOW))
  })

  it('are kept over a reload that changes something else, and fetched anew when their source changes', async () => {
    server.publish('/kept', [one])
    server.publish('/moved', [one])
    const settings = trusting([one], { keys: source('/kept') })
    const verifier = start(TEST_ISSUER, source('/kept'))
    await judge(verifier, one, NOW)
    verifier.setIssuers([{ ...settings, toleranceSeconds: 30 }])
    assertVerified(await judge(verifier, one, NOW))
    assert.equal(server.asked.get('/kept'), 1)
    verifier.setIssuers([{ ...settings, keys: source('/moved') }])
    assertVerified(await judge(verifier, one, NOW))
    assert.equal(server.asked.get('/moved'), 1)
  })
})
