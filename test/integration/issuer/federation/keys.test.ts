import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, describe, it } from 'node:test'
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { createProviderCalls } from '../../../../src/issuer/federation/provider/provider-calls.ts'
import { orFault } from '../../../../src/issuer/federation/provider/provider-fault.ts'
import { createProviderKeys, type ProviderKeys } from '../../../../src/issuer/federation/provider/provider-keys.ts'
import { providerEntry } from '../../../support/issuer/federated-issuer.ts'

const HOUR = 3_600_000
const TENANT = '8d1a2f5c-0000-4000-8000-0123456789ab'
const OTHER = '8d1a2f5c-0000-4000-8000-00000000000b'

interface Key {
  readonly jwk: JWK
  readonly sign: (claims?: Record<string, unknown>, kid?: string) => Promise<string>
}

/** What `jwks_uri` answers: keys, or a status. */
const there: { answer: readonly JWK[] | number; fetched: number } = { answer: [], fetched: 0 }
const server = createServer((_request, response) => {
  there.fetched += 1
  if (typeof there.answer === 'number') return response.writeHead(there.answer).end()
  return response.end(JSON.stringify({ keys: there.answer }))
})
let url = ''
let nowMs = 0
let keys: ProviderKeys

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
after(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})
beforeEach(() => {
  nowMs = 1_000_000_000
  there.fetched = 0
  const calls = createProviderCalls(
    providerEntry({ issuer: url, clientId: 'gate', clientSecret: 'x' }),
    () => undefined,
  )
  keys = createProviderKeys(calls, () => nowMs)
})

async function keyOf(kid: string, more: Record<string, unknown> = {}): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), kid, alg: 'ES256', ...more }
  const sign = (claims = {}, named = kid) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: named }).sign(privateKey as CryptoKey)
  return { jwk, sign }
}

async function verdict(jws: string, issuer = url): Promise<string> {
  const server = { issuer, jwks_uri: `${url}/keys` }
  const heard = await orFault(async () => {
    await keys.verify(jws, { server, algorithms: ['ES256'] })
    return {}
  })
  return 'detail' in heard ? heard.detail : 'good'
}

describe('a provider’s keys', () => {
  it('a new key under the old `kid` is taken at its first token, and a new `kid` is', async () => {
    const [old, next, third] = [await keyOf('one'), await keyOf('one'), await keyOf('two')]
    there.answer = [old.jwk]
    assert.equal(await verdict(await old.sign()), 'good')
    there.answer = [next.jwk]
    nowMs += 30_000
    assert.equal(await verdict(await next.sign()), 'good')
    there.answer = [next.jwk, third.jwk]
    nowMs += 30_000
    assert.equal(await verdict(await third.sign()), 'good')
    assert.equal(await verdict(await old.sign()), 'bad_signature')
    assert.equal(there.fetched, 3)
  })

  it('whatever is sent costs one fetch in 30 s', async () => {
    const [known, strange] = [await keyOf('one'), await keyOf('one')]
    there.answer = [known.jwk]
    for (let second = 0; second < 90; second += 1) {
      assert.equal(
        (await verdict(await strange.sign({}, second % 2 === 0 ? 'one' : `made-up-${second}`))) === 'good',
        false,
      )
      nowMs += 1_000
    }
    assert.equal(there.fetched, 3)
    assert.equal(await verdict(await known.sign()), 'good')
  })

  it('the last known keys serve for 24 h of silence, and not for one token longer', async () => {
    const known = await keyOf('one')
    const token = await known.sign()
    there.answer = [known.jwk]
    assert.equal(await verdict(token), 'good')
    there.answer = 503
    nowMs += 24 * HOUR
    assert.equal(await verdict(token), 'good')
    nowMs += 31_000
    for (let second = 0; second < 40; second += 1) {
      assert.notEqual(await verdict(token), 'good', `${second} s later`)
      nowMs += 1_000
    }
    there.answer = [known.jwk]
    nowMs += 30_000
    assert.equal(await verdict(token), 'good')
  })

  it('where the metadata stand for every tenant, a key that is for one issuer signs for no other', async () => {
    const template = `${url}/{tenantid}/v2.0`
    const [own, all, unsaid] = [
      await keyOf('own', { issuer: `${url}/${TENANT}/v2.0` }),
      await keyOf('all', { issuer: template }),
      await keyOf('unsaid'),
    ]
    there.answer = [own.jwk, all.jwk, unsaid.jwk, (await keyOf('odd', { issuer: 5 })).jwk]
    const issOf = (tenant: string) => ({ iss: `${url}/${tenant}/v2.0` })
    assert.equal(await verdict(await own.sign(issOf(TENANT)), template), 'good')
    assert.equal(await verdict(await own.sign(issOf(OTHER)), template), 'unknown_key')
    assert.equal(await verdict(await own.sign({}), template), 'unknown_key')
    for (const tenant of [TENANT, OTHER]) {
      assert.equal(await verdict(await all.sign(issOf(tenant)), template), 'good')
      assert.equal(await verdict(await unsaid.sign(issOf(tenant)), template), 'good')
    }
    assert.equal(
      await verdict(await all.sign({ iss: `https://login.example.com/${TENANT}/v2.0` }), template),
      'unknown_key',
    )
    // Elsewhere the member is nobody’s business.
    assert.equal(await verdict(await own.sign(issOf(OTHER))), 'good')
  })
})
