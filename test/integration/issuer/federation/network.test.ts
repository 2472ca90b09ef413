import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { type Finding, probeProvider } from '../../../../src/issuer/federation/provider/probe.ts'
import { authorizationAttempt, claimsOf, formsOf, Person, redeem } from '../../../support/issuer/browser-less-person.ts'
import { providerEntry, providerLinksOf } from '../../../support/issuer/federated-issuer.ts'
import { startProvider, type TestProvider } from '../../../support/issuer/identity-provider.ts'
import { startIssuer } from '../../../support/issuer/issuer-under-test.ts'
import { freePorts } from '../../../support/programs/free-ports.ts'

const NAME = 'sso.example.test'

let folder = ''

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'audgate-federation-'))
})
after(() => rmSync(folder, { recursive: true, force: true }))

function certificateFor(name: string): { readonly cert: string; readonly key: string } {
  const [cert, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const args = ['req', '-x509', ...curve, '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
  execFileSync('openssl', [...args, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  return { cert, key }
}

/** A provider whose name leads nowhere, behind a certificate for `name`; probed at its true address. */
async function probed(name: string): Promise<{
  readonly findings: readonly Finding[]
  readonly provider: TestProvider
  readonly names: ReadonlySet<string | false>
}> {
  const { cert, key } = certificateFor(name)
  const held: { server: Server | undefined } = { server: undefined }
  const names = new Set<string | false>()
  const provider = await startProvider({
    kind: 'authentik',
    callback: 'https://gate.example.com/oauth/providers/authentik/callback',
    origin: `https://${NAME}`,
    listen: (handler) => {
      held.server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, handler)
      held.server.on('secureConnection', (socket: TLSSocket & { servername?: string | false }) =>
        names.add(socket.servername ?? false),
      )
      return held.server as never
    },
  })
  assert.ok(held.server !== undefined)
  const { port } = held.server.address() as AddressInfo
  try {
    const entry = providerEntry(provider, `connect: { address: "127.0.0.1:${port}", ca: "${cert}" }`)
    const findings = await probeProvider(entry, 'https://gate.example.com/oauth/providers/authentik/callback')
    return { findings, provider, names }
  } finally {
    await provider.close()
  }
}

describe('the way to a provider', () => {
  it('8 With `connect.address` every call goes there with the issuer’s name in SNI and Host', async () => {
    const { findings, provider, names } = await probed(NAME)
    assert.deepEqual(
      findings.filter(({ good }) => !good),
      [],
    )
    assert.deepEqual([...names], [NAME])
    const paths = new Set(provider.requests.map(({ path }) => path.replace('/application/o/gate', '')))
    assert.deepEqual([...paths].sort(), ['/.well-known/openid-configuration', '/jwks', '/me', '/token'])
    assert.ok(
      provider.requests.every(({ headers }) => headers['x-forwarded-host'] === undefined && headers.host === NAME),
    )
  })

  it('8 A certificate for another name is silence', async () => {
    const { findings, provider } = await probed('other.example.test')
    assert.equal(findings.length, 1)
    assert.match(findings[0]?.detail ?? '', /can't be reached \(ERR_TLS_CERT_ALTNAME_INVALID\)/)
    assert.equal(provider.requests.length, 0)
  })

  it('an authority that is not the file’s is silence, and says what to do; another file under its name counts when routes.yaml is read again', async () => {
    const [right, wrong] = [certificateFor(NAME), certificateFor('other.example.test')]
    const file = join(folder, 'home-ca.pem')
    const held: { server: Server | undefined } = { server: undefined }
    const provider = await startProvider({
      kind: 'authentik',
      callback: '*',
      origin: `https://${NAME}`,
      listen: (handler) => {
        held.server = createServer({ cert: readFileSync(right.cert), key: readFileSync(right.key) }, handler)
        return held.server as never
      },
    })
    try {
      assert.ok(held.server !== undefined)
      const { port } = held.server.address() as AddressInfo
      const read = () => providerEntry(provider, `connect: { address: "127.0.0.1:${port}", ca: "${file}" }`)
      copyFileSync(wrong.cert, file)
      const before = read()
      const [finding] = await probeProvider(before, 'https://gate.example.com/callback')
      assert.match(finding?.detail ?? '', /an authority that is not known here; `connect\.ca` names it/)
      copyFileSync(right.cert, file)
      const after = read()
      assert.notDeepEqual(after, before)
      assert.ok((await probeProvider(after, 'https://gate.example.com/callback')).every(({ good }) => good))
    } finally {
      await provider.close()
    }
  })

  it('endpoints that are http, but for this machine, are refused', async () => {
    const { readMetadata } = await import('../../../../src/issuer/federation/provider/provider-metadata.ts')
    const issuer = 'https://id.example.com'
    const entry = providerEntry({ issuer, clientId: 'gate', clientSecret: 'x' })
    const good = {
      issuer,
      authorization_endpoint: `${issuer}/a`,
      token_endpoint: 'https://other.example.com/t',
      jwks_uri: `${issuer}/k`,
    }
    assert.equal(readMetadata(entry, JSON.stringify(good)).server.issuer, issuer)
    for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri', 'userinfo_endpoint']) {
      const bad = { ...good, [name]: 'http://10.0.0.5/x' }
      assert.throws(
        () => readMetadata(entry, JSON.stringify(bad)),
        new RegExp(`${name} in its metadata must be an https URL`),
      )
    }
  })
})

/** A provider that others wrote (PyPI oidc-provider-mock, on Authlib); these tests are left out where it isn't installed. */
const MODULE = 'oidc_provider_mock'
const installed = (() => {
  try {
    execFileSync('python3', ['-W', 'ignore', '-c', `import ${MODULE}`], { stdio: 'ignore', timeout: 20_000 })
    return true
  } catch {
    return false
  }
})()

describe('a provider that others wrote', { skip: !installed && `python3 has no module ${MODULE}` }, () => {
  it('signs a person in, with groups, and answers a refresh', async () => {
    const [port = 0] = await freePorts(1)
    const issuer = `http://127.0.0.1:${port}`
    const person = { sub: 'alice', preferred_username: 'alice-there', groups: ['photos'] }
    const child = spawn(
      'python3',
      ['-W', 'ignore', '-m', MODULE, '-p', String(port), '--user-claims', JSON.stringify(person)],
      { stdio: 'ignore' },
    )
    const gate = await startIssuer()
    try {
      const app = { clientId: 'cli', redirectUri: 'http://127.0.0.1:7001/cb' }
      await gate.addClient({ id: 'cli', type: 'native', redirectUris: [app.redirectUri] })
      await gate.reconfigure({ providers: [providerEntry({ issuer, clientId: 'gate', clientSecret: 'any' })] })
      for (const deadline = Date.now() + 20_000; Date.now() < deadline; ) {
        if ((await fetch(`${issuer}/jwks`).catch(() => undefined))?.ok === true) break
      }
      const [here, there] = [new Person(gate.url, ''), new Person(issuer, '')]
      const attempt = authorizationAttempt(gate.url, { ...app, scope: 'photos:read', resource: gate.photos })
      const [button] = providerLinksOf(await here.open(attempt.url))
      const login = await there.open((await here.open(button?.url ?? '')).url)
      const [form] = formsOf(login)
      assert.ok(form !== undefined, login.text)
      const back = await there.send(login, { ...form, action: login.url }, { sub: 'alice' })
      const done = await here.open(back.url)
      const { body } = await redeem(
        gate.url,
        { ...attempt, code: new URL(done.url).searchParams.get('code') ?? '' },
        app,
      )
      const claims = claimsOf(body.access_token)
      assert.deepEqual([claims.username, claims.groups, claims.idp], ['alice-there', ['photos'], 'generic'])
    } finally {
      child.kill()
      await gate.close()
    }
  })
})
