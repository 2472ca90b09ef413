import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { hasMethod } from '../../../src/core/route.ts'
import { bent, configOf, GOOD, problemsOf, withRouteLines, withTopLines } from './files.ts'

const FULL = `public_url: https://gate.example.com
listen: 0.0.0.0:8080
management: 127.0.0.1:9090
tls: { cert: tls/cert.pem, key: tls/key.pem }
trusted_proxies: [10.0.0.0/8, 192.168.0.1, "::ffff:172.16.0.0/108", "fd00::/8"]
store: sqlite:./data/audgate.db
access_log: all
max_connections: 500
workers: 2
issuer:
  signing_alg: ES256
  access_token_ttl: 5m
  refresh_token_ttl: 30d
  refresh_token_max: 180d
  registration: off
  client_metadata_documents: off
trusted_issuers:
  - issuer: https://sso.example.com/application/o/photos/
    jwks_uri: https://sso.example.com/application/o/photos/jwks/
    algorithms: [RS256]
    token_type: jwt
    claims: { groups: groups, username: preferred_username, scope: scope, client: azp }
  - issuer: http://127.0.0.1:9000
    jwks_file: keys.json
    algorithms: [ES256, EdDSA]
  - issuer: https://other.example.com
    algorithms: [PS512]
resources:
  - id: https://gate.example.com/photos
    name: Photo library
    scopes:
      photos:read: See photos and albums
      photos:write: Add, change and delete photos
    grants:
      - groups: [photos]
        scopes: [photos:read]
      - groups: [photo-editors]
        scopes: [photos:read, photos:write]
    issuers: [embedded, https://other.example.com]
    accept_audiences: [old-client-id]
    claims: [email, name]
routes:
  - id: photos
    host: Photos.Example.com
    path: /photos/
    strip_path: true
    resource: https://gate.example.com/photos
    upstream: http://127.0.0.1:2283
    rules:
      - methods: [read]
        scopes: [photos:read]
      - methods: [write]
        paths: [/api/**]
        scopes: [photos:write]
    public: [/healthz, /share/**]
    identity: x-auth
    headers: { X-Tenant: claim:tenant, X-Via: audgate }
    strip_headers: [X-Api-Key]
    set_headers: { X-Api-Key: "\${PHOTOS_API_KEY}" }
    cors: { origins: [https://app.example.com] }
    timeouts: { connect: 5s, response_headers: 60s, idle: 5m }
    max_body: 10GiB
    encoded_slash: opaque
    upgrades: [WebSocket, x-notes/2]
  - id: open
    path: /open
    public: true
    upstream: [https://a.example.com/base/, "http://[::1]:9000"]
    preserve_host: true
    identity: none
`

describe('routes.yaml as a whole', () => {
  it('every key of the product page is read into what the gateway works with', () => {
    const config = configOf(FULL, { PHOTOS_API_KEY: 'k3y' })
    assert.deepEqual(config.listen, { host: '0.0.0.0', port: 8080 })
    assert.deepEqual(config.management, { host: '127.0.0.1', port: 9090 })
    assert.deepEqual(config.tls, { cert: '/etc/audgate/tls/cert.pem', key: '/etc/audgate/tls/key.pem' })
    assert.deepEqual(config.routes[0]?.upgrades, ['websocket', 'x-notes/2'])
    assert.deepEqual(config.trustedProxies, ['10.0.0.0/8', '192.168.0.1/32', '172.16.0.0/12', 'fd00::/8'])
    assert.deepEqual(config.store, { kind: 'sqlite', path: '/etc/audgate/data/audgate.db' })
    assert.equal(config.maxConnections, 500)
    assert.equal(config.workers, 2)
    assert.deepEqual(config.trustedIssuers[0], {
      issuer: 'https://sso.example.com/application/o/photos/',
      keys: { kind: 'jwks_uri', uri: 'https://sso.example.com/application/o/photos/jwks/', insecureHttp: false },
      algorithms: ['RS256'],
      tokenTypes: ['jwt'],
      claims: { groups: 'groups', username: 'preferred_username', scope: 'scope', client: 'azp' },
    })
    assert.deepEqual(config.trustedIssuers[1]?.keys, { kind: 'jwks_file', path: '/etc/audgate/keys.json' })
    assert.deepEqual(config.trustedIssuers[2]?.keys, { kind: 'discovery', insecureHttp: false })
    assert.deepEqual(config.trustedIssuers[2]?.tokenTypes, ['at+jwt'])
  })

  it('routes that differ in letter case only are good where both say case: sensitive', () => {
    const more =
      '    case: sensitive\n  - id: b\n    path: /PHOTOS\n    case: sensitive\n    public: true\n    upstream: http://b\n'
    assert.deepEqual(
      configOf(`${GOOD}${more}`).routes.map((route) => route.case),
      ['sensitive', 'sensitive'],
    )
  })

  it('a trusted issuer may sign several types, put claims deeper, and publish keys over http inside a network', () => {
    const claims = 'claims: { groups: realm_access.roles }'
    const issuer = `{ issuer: "http://sso.internal", algorithms: [RS256], token_type: [jwt, none], insecure_http: true, ${claims} }`
    const [trusted] = configOf(withTopLines(`trusted_issuers: [${issuer}]`)).trustedIssuers
    assert.deepEqual(trusted?.keys, { kind: 'discovery', insecureHttp: true })
    assert.deepEqual(trusted?.tokenTypes, ['jwt', 'none'])
    assert.equal(trusted?.claims.groups, 'realm_access.roles')
  })

  it('a resource keeps its scopes in file order, and `embedded` becomes the issuer identifier', () => {
    const [resource] = configOf(FULL, { PHOTOS_API_KEY: 'k3y' }).resources
    assert.deepEqual(
      [...(resource?.scopes ?? [])],
      [
        ['photos:read', 'See photos and albums'],
        ['photos:write', 'Add, change and delete photos'],
      ],
    )
    assert.deepEqual(resource?.issuers, ['https://gate.example.com', 'https://other.example.com'])
    assert.deepEqual(resource?.acceptAudiences, ['old-client-id'])
    assert.equal(resource?.metadataUrl, 'https://gate.example.com/.well-known/oauth-protected-resource/photos')
  })

  it('a route is read with its upstreams, headers, limits and patterns', () => {
    const [photos, open] = configOf(FULL, { PHOTOS_API_KEY: 'k3y' }).routes
    assert.equal(photos?.host, 'photos.example.com')
    assert.equal(photos?.path, '/photos')
    assert.deepEqual(photos?.headers, [
      { name: 'X-Tenant', claim: 'tenant' },
      { name: 'X-Via', text: 'audgate' },
    ])
    assert.deepEqual(photos?.setHeaders, [{ name: 'X-Api-Key', value: 'k3y' }])
    assert.equal(photos?.maxBody, 10 * 2 ** 30)
    assert.deepEqual(photos?.timeouts, { connectMs: 5000, responseHeadersMs: 60_000, idleMs: 300_000 })
    assert.ok(photos?.access.kind === 'protected')
    assert.deepEqual(
      photos.access.publicPaths.map(({ text }) => text),
      ['/healthz', '/share/**'],
    )
    assert.deepEqual(open?.access, { kind: 'public' })
    assert.deepEqual(open?.upstreams, [
      { protocol: 'https:', hostname: 'a.example.com', port: 443, authority: 'a.example.com', basePath: '/base' },
      { protocol: 'http:', hostname: '::1', port: 9000, authority: '[::1]:9000', basePath: '' },
    ])
    assert.equal(open?.preserveHost, true)
  })

  it('a route holds the very resource that the issuer works with, so the two cannot drift apart', () => {
    const config = configOf(GOOD)
    const access = config.routes[0]?.access
    assert.ok(access?.kind === 'protected')
    assert.equal(access.resource, config.resources[0])
  })

  it('what the file leaves out has the defaults of the product page', () => {
    const config = configOf(GOOD)
    assert.deepEqual(config.listen, { host: 'localhost', port: 8080 })
    assert.equal(config.management, undefined)
    assert.equal(config.tls, undefined)
    assert.deepEqual(config.trustedProxies, [])
    assert.deepEqual(config.store, { kind: 'sqlite', path: '/etc/audgate/data/audgate.db' })
    assert.equal(config.accessLog, 'all')
    assert.equal(config.maxConnections, 10_000)
    assert.equal(config.workers, 1)
    assert.deepEqual(config.admin?.groups, ['admins'])
    assert.deepEqual(
      [config.admin?.freshSeconds, config.admin?.keepRefusalsSeconds, config.mail],
      [600, 604_800, undefined],
    )
    assert.deepEqual(config.issuer, {
      kind: 'embedded',
      signingAlg: 'ES256',
      accessTokenTtlSeconds: 300,
      refreshTokenTtlSeconds: 30 * 86_400,
      refreshTokenMaxSeconds: 180 * 86_400,
      registration: 'off',
      clientMetadataDocuments: false,
      password: 'on',
      passwordMin: 15,
      authenticator: true,
      passkeys: true,
      secondFactor: 'optional',
      rememberBrowserSeconds: 0,
      providers: [],
      links: { inviteSeconds: 259_200, recoverSeconds: 3_600 },
    })
    const [route] = config.routes
    assert.equal(route?.host, undefined)
    assert.equal(route?.stripPath, false)
    assert.equal(route?.identity, 'x-auth')
    assert.equal(route?.maxBody, undefined)
    assert.equal(route?.encodedSlash, 'opaque')
    assert.deepEqual(route?.upgrades, ['websocket'])
    assert.equal(route?.cors, undefined)
    assert.deepEqual(route?.timeouts, { connectMs: 5000, responseHeadersMs: 60_000, idleMs: 300_000 })
    assert.equal(configOf(bent('    path: /photos\n', '')).routes[0]?.path, '/')
  })

  it('a config is frozen to the ground', () => {
    const config = configOf(FULL, { PHOTOS_API_KEY: 'k3y' })
    const held = [config, config.issuer, config.routes, config.routes[0], config.routes[0]?.timeouts, config.secrets]
    for (const value of [...held, config.resources[0]?.grants[0]?.scopes]) assert.ok(Object.isFrozen(value))
  })

  it('`read` is GET HEAD OPTIONS PROPFIND REPORT SEARCH, `write` every other method, GET implies HEAD', () => {
    const methodsOf = (words: string) => {
      const access = configOf(bent('methods: [read]', `methods: [${words}]`)).routes[0]?.access
      assert.ok(access?.kind === 'protected' && access.rules[0] !== undefined)
      const { methods } = access.rules[0]
      const asked = ['GET', 'HEAD', 'OPTIONS', 'PROPFIND', 'REPORT', 'SEARCH', 'POST', 'MOVE', 'MKCOL', 'X-OWN']
      return asked.filter((method) => hasMethod(methods, method)).join(' ')
    }
    assert.equal(methodsOf('read'), 'GET HEAD OPTIONS PROPFIND REPORT SEARCH')
    assert.equal(methodsOf('write'), 'POST MOVE MKCOL X-OWN')
    assert.equal(methodsOf('GET'), 'GET HEAD')
    assert.equal(methodsOf('write, GET'), 'GET HEAD POST MOVE MKCOL X-OWN')
    assert.equal(methodsOf('read, write'), methodsOf('any'))
    assert.equal(methodsOf('HEAD, POST'), 'HEAD POST')
  })

  it('the metadata address goes between host and path of the id, without a lone slash, with its query', () => {
    const metadataOf = (id: string) => {
      const text = GOOD.replaceAll('https://gate.example.com/photos', id)
      return configOf(text).resources[0]?.metadataUrl
    }
    const base = '/.well-known/oauth-protected-resource'
    assert.equal(metadataOf('https://photos.example.com'), `https://photos.example.com${base}`)
    assert.equal(metadataOf('https://photos.example.com/'), `https://photos.example.com${base}`)
    assert.equal(metadataOf('https://photos.example.com/a/b/?t=1'), `https://photos.example.com${base}/a/b/?t=1`)
  })

  it('the issuer may be off, or on another audgate', () => {
    const elsewhere = configOf(withTopLines('issuer: { upstream: "http://10.0.0.5:8080/" }'), {
      AUDGATE_FEED_TOKEN: 'a-long-enough-feed-token',
    })
    assert.deepEqual(elsewhere.issuer, {
      kind: 'upstream',
      upstreams: ['http://10.0.0.5:8080'],
    })
    assert.deepEqual(elsewhere.resources[0]?.issuers, ['https://gate.example.com'])
    const off = withTopLines(
      'issuer: false',
      'trusted_issuers: [{ issuer: https://sso.example.com, algorithms: [RS256] }]',
    ).replace('    grants:', '    issuers: [https://sso.example.com]\n    grants:')
    assert.deepEqual(configOf(off).issuer, { kind: 'off' })
    assert.deepEqual(configOf(off).resources[0]?.issuers, ['https://sso.example.com'])
  })

  it('the shipped routes.yaml is good', () => {
    assert.deepEqual(problemsOf(readFileSync('routes.yaml', 'utf8')), [])
  })

  it('`management: off` is what a file without the key says', () => {
    assert.equal(configOf(withTopLines('management: off')).management, undefined)
  })

  it('a rule without any scope asks for a token of the resource alone', () => {
    const text = bent('- methods: [read]\n        scopes: [photos:read]', '- methods: [read]\n        scopes: []')
    const access = configOf(text).routes[0]?.access
    assert.ok(access?.kind === 'protected')
    assert.deepEqual(access.rules[0]?.scopes, [])
  })

  it('`:8080` listens on every address, and an IPv6 address stands in brackets', () => {
    assert.deepEqual(configOf(withTopLines('listen: :8080')).listen, { host: '', port: 8080 })
    assert.deepEqual(configOf(withTopLines('listen: "[::1]:0"')).listen, { host: '::1', port: 0 })
  })

  it('sizes are bytes in powers of ten or two, or none', () => {
    const sizeOf = (text: string) => configOf(withRouteLines(`max_body: ${text}`)).routes[0]?.maxBody
    assert.deepEqual(['500MB', '1.5KiB', '1048576', '0', 'none'].map(sizeOf), [5e8, 1536, 1048576, 0, undefined])
  })

  it('`workers: auto` is a whole number, at least one', () => {
    assert.ok(configOf(withTopLines('workers: auto')).workers >= 1)
  })
})
