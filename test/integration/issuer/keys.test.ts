import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { createSigningKeys } from '../../../src/issuer/keys/signing-keys.ts'
import { Person, redeem } from '../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../../support/issuer/issuer-under-test.ts'

const redirectUri = 'http://127.0.0.1:7001/cb'
const masterKey = randomBytes(32)
let issuer: IssuerUnderTest
let clock = 0

before(async () => {
  issuer = await startIssuer({ now: () => Date.now() + clock, masterKey })
  await issuer.addPerson('alice', ['photos'])
  await issuer.addClient({ id: 'cli', type: 'native', redirectUris: [redirectUri] })
})
after(() => issuer.close())

async function token(): Promise<string> {
  const options = { clientId: 'cli', redirectUri, scope: 'openid photos:read' }
  const { body, status } = await redeem(issuer.url, await new Person(issuer.url, 'alice').authorize(options), options)
  assert.equal(status, 200, JSON.stringify(body))
  return body.access_token ?? ''
}

async function kids(): Promise<readonly string[]> {
  const { keys } = (await (await fetch(`${issuer.url}/oauth/jwks`)).json()) as { keys: { kid: string }[] }
  return keys.map(({ kid }) => kid)
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 5000
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, 'in time')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

describe('keys', () => {
  for (const alg of ['RS256', 'EdDSA', 'ES256'] as const) {
    it(`sign with ${alg} from the next token on, when routes.yaml says so; older tokens verify still`, async () => {
      const before = await token()
      await issuer.reconfigure({ signingAlg: alg })
      const after = await token()
      assert.equal(decodeProtectedHeader(after).alg, alg)
      const keys = createRemoteJWKSet(new URL(`${issuer.url}/oauth/jwks`))
      for (const each of [before, after]) await jwtVerify(each, keys, { issuer: issuer.url, typ: 'at+jwt' })
      const published = issuer.issuer().publicKeys()
      assert.ok(published.some(({ kid }) => kid === decodeProtectedHeader(after).kid))
      assert.ok(published.every((key) => !('d' in key)))
    })
  }

  it('are published before they sign, and the listener hears of it', async () => {
    const before = decodeProtectedHeader(await token()).kid
    let heard = 0
    issuer.issuer().onKeysChanged(() => {
      heard += 1
    })
    const now = () => Date.now() + clock
    const elsewhere = createSigningKeys({ store: issuer.store, masterKey, now, alg: 'ES256', tokenSeconds: 600 })
    const made = await elsewhere.rotate()
    await until(async () => (await kids()).includes(made.kid))
    assert.ok(heard > 0)
    assert.equal(decodeProtectedHeader(await token()).kid, before, 'not signing yet')
    clock += 120_000
    await issuer.restart()
    assert.equal(decodeProtectedHeader(await token()).kid, made.kid)
    assert.ok((await kids()).includes(String(before)), 'the old one verifies still')
    clock += 3_600_000
    await issuer.restart()
    assert.equal((await kids()).includes(String(before)), false)
    clock = 0
  })
})

describe('the library', () => {
  it('says nothing at start or during a request, neither on stdout nor on stderr', async () => {
    const script = `
      const { startIssuer } = await import('./test/support/issuer/issuer-under-test.ts')
      const { Person, redeem } = await import('./test/support/issuer/browser-less-person.ts')
      const settings = { registration: 'open', clientMetadataDocuments: true }
      const issuer = await startIssuer({ settings })
      await issuer.addPerson('alice', ['photos'])
      await issuer.addClient({ id: 'cli', type: 'native', redirectUris: ['http://127.0.0.1/cb'] })
      const options = { clientId: 'cli', redirectUri: 'http://127.0.0.1:1/cb', scope: 'photos:read' }
      const { status } = await redeem(issuer.url, await new Person(issuer.url, 'alice').authorize(options), options)
      await fetch(issuer.url + '/oauth/token', { method: 'POST', body: 'x=%', headers: { 'content-type': 'text/plain' } })
      await issuer.close()
      process.exitCode = status === 200 ? 0 : 1`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      cwd: join(import.meta.dirname, '../../..'),
    })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        said += chunk.toString()
      })
    }
    await once(child, 'close')
    assert.equal(said, '')
    assert.equal(child.exitCode, 0)
  })
})
