import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import type { Resource, ResourceIdentifier, Scope } from '../../../src/core/resource.ts'
import { matchingSecret } from '../../../src/issuer/clients/client-secrets.ts'
import { linkProblem, redirectUriProblem } from '../../../src/issuer/clients/client-uri.ts'
import { addClient, type NewClient, readAllow } from '../../../src/issuer/clients/clients.ts'
import { toProviderMetadata } from '../../../src/issuer/provider/adapter.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { Store } from '../../../src/store/store.ts'
import { aClient } from '../../contract/store-records.ts'

const PHOTOS = resource('https://gate.example.com/photos?a=b', ['photos:read', 'photos:write'])

describe('clients', () => {
  let store: Store
  beforeEach(async () => {
    store = await openSqliteStore(':memory:')
  })
  afterEach(() => store.close())
  const add = (over: Partial<NewClient> = {}) =>
    addClient(
      store,
      { id: 'cli', type: 'native', redirectUris: [], thirdParty: false, allow: [], ...over },
      [PHOTOS],
      5000,
    )
  const problem = async (over: Partial<NewClient>): Promise<string> => {
    const added = await add(over)
    return added.kind === 'invalid' ? added.problem : ''
  }

  it('web and service clients get a secret once; the store has its hash only', async () => {
    for (const over of [
      { id: 'web', type: 'web', redirectUris: ['https://app.example.com/cb'] },
      { id: 'svc', type: 'service', allow: [`${PHOTOS.identifier}=photos:read`] },
    ] as const) {
      const added = await add(over)
      assert.ok(added.kind === 'added' && added.secret !== undefined)
      assert.match(added.secret, /^agcs_[A-Za-z0-9_-]{43}$/)
      const hash = (await store.client(over.id))?.secretHash ?? ''
      assert.equal(hash.includes(added.secret.slice(5)), false)
      assert.equal(typeof matchingSecret(hash, added.secret), 'string')
      assert.equal(matchingSecret(hash, `${added.secret}x`), undefined)
      assert.equal(matchingSecret(hash, hash), undefined)
    }
  })

  it('native and spa clients get none', async () => {
    const native = await add()
    const spa = await add({ id: 'spa', type: 'spa', redirectUris: ['https://app.example.com/'] })
    assert.ok(native.kind === 'added' && native.secret === undefined)
    assert.ok(spa.kind === 'added' && spa.secret === undefined && spa.client.secretHash === undefined)
  })

  it('an id is taken once', async () => {
    await add()
    assert.deepEqual(await add(), { kind: 'exists' })
  })

  it('ids are short and plain, no URL and no person’s sub', async () => {
    for (const id of ['', 'https://x.example', 'a b', 'ä', '-a', 'x'.repeat(65), 'usr_1', 'a\n', 'a/b', 'a:b']) {
      assert.match(await problem({ id }), /client id/, id)
    }
  })

  it('spa and web clients need a redirect URI, a service has none, allow is for services', async () => {
    assert.match(await problem({ type: 'spa' }), /--redirect-uri/)
    assert.match(await problem({ type: 'web' }), /--redirect-uri/)
    const allow = [`${PHOTOS.identifier}=photos:read`]
    assert.match(await problem({ type: 'service', allow, redirectUris: ['https://x'] }), /no redirect URI/)
    assert.match(await problem({ type: 'service', allow, thirdParty: true }), /--third-party/)
    assert.match(await problem({ allow }), /service/)
  })

  it('--allow is split at the last `=` and checked against the resources', () => {
    assert.deepEqual(readAllow([`${PHOTOS.identifier}=photos:read,photos:write`], [PHOTOS]), [
      { resource: PHOTOS.identifier, scopes: ['photos:read', 'photos:write'] },
    ])
    assert.match(String(readAllow(['https://gate.example.com/photos=photos:read'], [PHOTOS])), /not in routes.yaml/)
    assert.match(String(readAllow([`${PHOTOS.identifier}=photos:admin`], [PHOTOS])), /no scope "photos:admin"/)
    assert.match(String(readAllow([`${PHOTOS.identifier}=`], [PHOTOS])), /no scope ""/)
    assert.match(String(readAllow(['photos:read'], [PHOTOS])), /RESOURCE=scope/)
  })
})

describe('redirect URIs', () => {
  const good: [Parameters<typeof redirectUriProblem>[0], string][] = [
    ['native', 'http://127.0.0.1/cb'],
    ['native', 'http://[::1]:1234/cb'],
    ['native', 'http://localhost:8080/'],
    ['native', 'https://app.example.com/cb?x=1'],
    ['native', 'com.example.app:/cb'],
    ['native', 'cursor://anysphere.cursor-mcp/oauth/callback'],
    ['native', 'vscode://vscode.github-authentication/did-authenticate'],
    ['native', 'vscode-insiders://x.y/cb'],
    ['native', 'myapp:/cb'],
    ['native', 'msal0123://auth'],
    ['native', 'org.app+beta-1:/cb'],
    ['web', 'https://app.example.com/cb'],
    ['spa', 'http://localhost:8080/demo/'],
  ]
  for (const [type, uri] of good) {
    it(`${type}: ${uri} is registered`, () => assert.equal(redirectUriProblem(type, uri), undefined))
  }

  const bad: [Parameters<typeof redirectUriProblem>[0], string][] = [
    ['native', 'http://app.example.com/cb'],
    ['native', 'http://127.0.0.1.evil.example/cb'],
    ['native', 'com.example.app:cb'],
    ['native', 'cursor://user@x/cb'],
    ['native', 'myapp://a:b@x/cb'],
    ['native', 'urn:ietf:wg:oauth:2.0:oob'],
    ['native', 'x:/cb'],
    ['web', 'https://a;b.example/cb'],
    ['web', 'https:///a.example/cb'],
    ['native', 'http:///127.0.0.1/cb'],
    ['native', 'https:////a.example/cb'],
    ['web', 'https://a,b.example/cb'],
    ['web', 'https://localhost@evil.example/'],
    ['web', 'https://@evil.example/'],
    ['web', 'https://-a-.example-/'],
    ['native', 'javascript:alert(1)'],
    ['native', 'javascript://a.b/%0aalert(1)'],
    ['native', 'data:text/html,x'],
    ['native', 'vbscript:x'],
    ['native', 'blob:https://x/y'],
    ['native', 'file:///etc/passwd'],
    ['web', 'com.example.app:/cb'],
    ['web', 'http://app.example.com/cb'],
    ['web', 'https://app.example.com/cb#f'],
    ['web', 'https://app.example.com/cb#'],
    ['web', 'https://*.example.com/cb'],
    ['web', 'https://user:pw@app.example.com/cb'],
    ['web', 'https://app.example.com\\@evil.example/'],
    ['web', 'https:app.example.com/cb'],
    ['web', '/cb'],
    ['web', ''],
    ['web', ' https://app.example.com/'],
    ['web', 'https://app.example.com/\ncb'],
    ['web', 'java\tscript:alert(1)'],
    ['spa', 'HTTP://app.example.com/'],
    ['spa', 'https://äpp.example/'],
    ['spa', `https://app.example.com/${'x'.repeat(2048)}`],
  ]
  for (const [type, uri] of bad) {
    it(`${type}: ${JSON.stringify(uri.slice(0, 60))} is never registered`, () => {
      assert.notEqual(redirectUriProblem(type, uri), undefined)
    })
  }
})

describe('schemes that act in a browser or on a desktop', () => {
  const schemes =
    'javascript data vbscript file blob about view-source filesystem ms-msdt ms-settings ms-word search-ms shell chrome edge moz-extension ' +
    'resource jar intent mailto tel sms ftp smb ssh telnet ldap jnlp itms-services ws wss JavaScript MS-MSDT web+app help'
  for (const scheme of schemes.split(' ')) {
    it(`${scheme}: is registered by nobody, neither to send people to nor as a link`, () => {
      for (const uri of [`${scheme}://x/cb`, `${scheme}:/cb`, `${scheme}:cb`]) {
        for (const type of ['native', 'web', 'spa'] as const)
          assert.notEqual(redirectUriProblem(type, uri), undefined, uri)
        assert.notEqual(linkProblem('client_uri', uri), undefined, uri)
      }
    })
  }
})

describe('redirect URIs of any kind', () => {
  const parts = [
    'http:',
    'https:',
    '//',
    '127.0.0.1',
    'a.b',
    'javascript:',
    'com.x:',
    '/',
    '\\',
    '@',
    '#',
    '\t',
    ':80',
    '?',
  ]
  const texts = fc.oneof(
    fc.string(),
    fc.webUrl(),
    fc.array(fc.constantFrom(...parts)).map((some) => some.join('')),
  )
  it('are judged without throwing, and lead to https, loopback or a scheme of an app’s own', () => {
    fc.assert(
      fc.property(fc.constantFrom('native', 'web', 'spa'), texts, (type, uri) => {
        if (redirectUriProblem(type, uri) !== undefined) return true
        const { protocol, hostname, username } = new URL(uri)
        const loopback = protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]'].includes(hostname)
        return (
          username === '' &&
          (protocol === 'https:' ||
            loopback ||
            (type === 'native' && /^[a-z][a-z0-9+.-]+:$/.test(protocol) && !/^(javascript|data|file):/.test(protocol)))
        )
      }),
      { numRuns: 2000 },
    )
  })
})

describe('client metadata', () => {
  const uri = 'http://127.0.0.1/cb'
  const device = 'urn:ietf:params:oauth:grant-type:device_code'
  const cases = [
    [aClient(), ['refresh_token', device], 'none', 'native'],
    [aClient({ redirectUris: [uri] }), ['authorization_code', 'refresh_token', device], 'none', 'native'],
    [aClient({ type: 'spa', redirectUris: [uri] }), ['authorization_code', 'refresh_token'], 'none', 'web'],
    [
      aClient({ type: 'web', redirectUris: [uri], secretHash: 'h' }),
      ['authorization_code', 'refresh_token'],
      'client_secret_basic',
      'web',
    ],
    [aClient({ type: 'service', secretHash: 'h' }), ['client_credentials'], 'client_secret_basic', 'web'],
  ] as const
  for (const [client, grants, method, application] of cases) {
    it(`a ${client.type} client with ${client.redirectUris.length} redirect URIs may use ${grants.join(' ')}`, () => {
      const metadata = toProviderMetadata(client)
      assert.deepEqual(metadata.grant_types, grants)
      assert.equal(metadata.token_endpoint_auth_method, method)
      assert.equal(metadata.application_type, application)
      assert.deepEqual(metadata.response_types, client.redirectUris.length > 0 ? ['code'] : [])
      assert.equal(metadata.client_secret, client.secretHash)
    })
  }

  it('what a self-registered client sent cannot take the place of its id, secret or redirect URIs', () => {
    const metadata = toProviderMetadata(
      aClient({
        type: 'web',
        origin: 'registration',
        redirectUris: [uri],
        metadata: { client_id: 'other', client_secret: 'x', redirect_uris: ['https://evil'], client_uri: 'https://c' },
        secretHash: 'h',
      }),
    )
    assert.deepEqual(
      [metadata.client_id, metadata.client_secret, metadata.redirect_uris, metadata.client_uri],
      ['photo-cli', 'h', [uri], 'https://c'],
    )
    assert.equal(metadata.application_type, 'native')
  })
})

function resource(identifier: string, scopes: readonly string[]): Resource {
  return {
    identifier: identifier as ResourceIdentifier,
    name: identifier,
    scopes: new Map(scopes.map((scope) => [scope as Scope, scope])),
    grants: [],
    issuers: [],
    acceptAudiences: [],
    claims: [],
    sessionScopes: undefined,
    metadataUrl: '',
  }
}
