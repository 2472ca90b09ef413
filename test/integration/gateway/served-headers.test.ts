// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what looks like templates is the notation of routes.yaml
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { type Blackbox, blackbox, routeOf } from '../../support/blackbox.ts'
import {
  fieldOf,
  fieldsOf,
  listenOnLoopback,
  startUpstream,
  stopServer,
  type TestUpstream,
} from '../../support/upstreams.ts'

const API_KEY = 'upstream-secret-1234567890'

describe('what the upstream sees, from outside', () => {
  let upstream: TestUpstream
  let gate: Blackbox
  let behind: Blackbox

  const routes = (): string =>
    [
      routeOf(
        'photos',
        upstream.url,
        '    headers: { X-Tenant: "claim:tenant", X-Fixed: fixed, X-Level: "claim:level", X-List: "claim:list" }\n    strip_headers: [X-Client-Key]\n    public: [/share/**]',
      ),
      ...['remote-user', 'x-forwarded-user', 'x-webauth', 'none'].map((set) =>
        routeOf(`as-${set}`, upstream.url, `    identity: ${set}`),
      ),
      routeOf('stripped', upstream.url, '    strip_path: true'),
      routeOf(
        'keyed',
        upstream.url,
        '    strip_headers: [X-Api-Key]\n    set_headers: { X-Api-Key: "${UPSTREAM_KEY}", X-Mode: "${MODE:-quiet}" }',
      ),
      `\n  - { id: host-kept, path: /host-kept, public: true, upstream: "${upstream.url}", preserve_host: true }`,
      `\n  - { id: hosted, host: app.example.com, public: true, upstream: "${upstream.url}", set_headers: { X-Where: hosted } }`,
    ].join('')

  before(async () => {
    upstream = await startUpstream()
    const env = { UPSTREAM_KEY: API_KEY }
    ;[gate, behind] = await Promise.all([
      blackbox(routes(), { env }),
      blackbox(routes(), { env, settings: 'trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]' }),
    ])
  })
  after(async () => {
    await gate.close()
    await behind.close()
    await upstream.close()
  })

  async function seen(path: string, claims: object = {}, lines: readonly string[] = [], at = gate) {
    const answer = await at.ask(path, { token: at.token({ claims: { ...claims } }), lines })
    assert.equal(answer.status, 200, answer.text)
    const { rawHeaders } = JSON.parse(answer.body) as { rawHeaders: string[] }
    return (name: string) => {
      const values = fieldsOf(rawHeaders, name)
      return values.length > 1 ? values : values[0]
    }
  }
  const WHO = {
    sub: 's-1',
    username: 'alice',
    groups: ['a', 'b'],
    email: 'a@example.com',
    name: 'Alice A',
    client_id: 'cli',
  }

  it('identity: each set has its header names and claims', async () => {
    const auth = await seen('/photos/a', WHO)
    assert.deepEqual(
      ['Username', 'Subject', 'Groups', 'Email', 'Name', 'Client', 'Issuer', 'Scope'].map((name) =>
        auth(`X-Auth-${name}`),
      ),
      ['alice', 's-1', 'a,b', 'a@example.com', 'Alice A', 'cli', gate.issuer, 'photos:read photos:write'],
    )
    const remote = await seen('/as-remote-user/a', WHO)
    assert.deepEqual(
      ['User', 'Groups', 'Email', 'Name'].map((name) => remote(`Remote-${name}`)),
      ['alice', 'a,b', 'a@example.com', 'Alice A'],
    )
    const forwarded = await seen('/as-x-forwarded-user/a', WHO)
    assert.deepEqual(
      ['User', 'Preferred-Username', 'Groups', 'Email'].map((name) => forwarded(`X-Forwarded-${name}`)),
      ['alice', 'alice', 'a,b', 'a@example.com'],
    )
    const webauth = await seen('/as-x-webauth/a', WHO)
    assert.deepEqual(
      ['USER', 'GROUPS', 'EMAIL', 'NAME'].map((name) => webauth(`X-WEBAUTH-${name}`)),
      ['alice', 'a,b', 'a@example.com', 'Alice A'],
    )
    assert.equal(webauth('x-auth-username'), undefined)
    const none = await seen('/as-none/a', WHO)
    for (const name of ['x-auth-username', 'remote-user', 'x-forwarded-user', 'x-webauth-user'])
      assert.equal(none(name), undefined)
  })

  it('username, else sub', async () => {
    assert.equal((await seen('/photos/a', { ...WHO, username: undefined }))('x-auth-username'), 's-1')
    assert.equal((await seen('/as-remote-user/a', { ...WHO, username: '' }))('remote-user'), 's-1')
    assert.equal((await seen('/as-remote-user/a', { ...WHO, username: 7 }))('remote-user'), 's-1')
  })

  it('an absent, empty or wrongly typed claim sends no header', async () => {
    for (const [claims, name] of [
      [{ email: undefined }, 'x-auth-email'],
      [{ email: '' }, 'x-auth-email'],
      [{ email: 3 }, 'x-auth-email'],
      [{ email: ['a@b'] }, 'x-auth-email'],
      [{ name: { a: 1 } }, 'x-auth-name'],
      [{ groups: [] }, 'x-auth-groups'],
      [{ groups: 7 }, 'x-auth-groups'],
      [{ groups: undefined }, 'x-auth-groups'],
      [{ tenant: undefined }, 'x-tenant'],
      [{ tenant: { a: 1 } }, 'x-tenant'],
    ] as const) {
      const field = await seen('/photos/a', { ...WHO, ...claims }, ['X-Tenant: theirs', 'X-Auth-Email: theirs'])
      assert.equal(field(name), undefined, JSON.stringify(claims))
    }
  })

  it('%, non-ASCII bytes and, within list members, commas are percent-encoded, those bytes only', async () => {
    const odd = { ...WHO, username: 'Łukasz 100%,"x"', groups: ['a,b', 'c%d', 'é'], name: 'a, b;c=d', tenant: '50%é' }
    const field = await seen('/photos/a', odd)
    assert.equal(field('x-auth-username'), '%C5%81ukasz 100%25,"x"')
    assert.equal(field('x-auth-groups'), 'a%2Cb,c%25d,%C3%A9')
    assert.equal(field('x-auth-name'), 'a, b;c=d')
    assert.equal(field('x-tenant'), '50%25%C3%A9')
  })

  it('a claim with control bytes: 401 malformed_claim; more than 8 KiB: 403 identity_too_large', async () => {
    for (const claims of [
      { username: 'a\r\nX-Evil: 1' },
      { email: 'a\0' },
      { groups: ['a', 'b\x7f'] },
      { tenant: 'a\tb' },
      { sub: 'a\n' },
    ]) {
      const answer = await gate.ask('/photos/a', { token: gate.token({ claims: { ...WHO, ...claims } }) })
      assert.equal(answer.status, 401, JSON.stringify(claims))
      assert.equal(JSON.parse(answer.body).reason, 'malformed_claim')
      assert.match(answer.headers.get('www-authenticate') ?? '', /error="invalid_token"/)
    }
    const large = await gate.ask('/photos/a', {
      token: gate.token({ claims: { ...WHO, groups: Array.from({ length: 100 }, () => 'é'.repeat(20)) } }),
    })
    assert.equal(large.status, 403, large.text)
    assert.equal(JSON.parse(large.body).reason, 'identity_too_large')
    assert.equal(large.headers.get('www-authenticate'), undefined)
  })

  it('headers: a claim or a fixed text', async () => {
    const field = await seen('/photos/a', { ...WHO, tenant: 'acme', level: 5, list: ['x', 'y,z'] })
    assert.equal(field('x-tenant'), 'acme')
    assert.equal(field('x-fixed'), 'fixed')
    assert.equal(field('x-list'), 'x,y%2Cz')
  })

  it('set_headers come from the environment, in place of the client’s', async () => {
    const field = await seen('/keyed/a', WHO, ['X-Api-Key: mine', 'x_api_key: mine', 'X-Mode: loud'])
    assert.equal(field('x-api-key'), API_KEY)
    assert.equal(field('x-mode'), 'quiet')
    assert.equal(field('x_api_key'), undefined)
  })

  it('no header of any set, nor of any route, ever comes from the client, on any route, public ones included', async () => {
    const names = [
      ...[
        'X-Auth-Username',
        'x_auth_username',
        'X.Auth.Username',
        'X-Auth-Subject',
        'X_AUTH-GROUPS',
        'X-Auth-Email',
        'X-Auth-Name',
        'X-Auth-Client',
        'X-Auth-Issuer',
        'X-Auth-Scope',
      ],
      ...['Remote-User', 'REMOTE_USER', 'remote.groups', 'Remote-Email', 'Remote-Name'],
      ...['X-Forwarded-User', 'X-Forwarded-Preferred-Username', 'x_forwarded_groups', 'X-Forwarded-Email'],
      ...['X-WEBAUTH-USER', 'x-webauth-groups', 'X_WebAuth_Email', 'X~WEBAUTH~NAME'],
      ...['X-Tenant', 'X_Tenant', 'X-Fixed', 'X-Level', 'X-Api-Key', 'X!Api!Key', 'X-Mode', 'X-Client-Key', 'X-Where'],
    ]
    const lines = names.map((name) => `${name}: forged`)
    for (const path of ['/photos/share/a', '/as-none/a', '/host-kept/a', '/photos/a', '/keyed/a']) {
      const answer = await gate.ask(path, { lines, token: gate.token() })
      assert.equal(answer.status, 200, answer.text)
      assert.ok(!answer.body.includes('forged'), `${path}: ${answer.body}`)
      const trusted = await behind.ask(path, { lines, token: behind.token() })
      assert.ok(!trusted.body.includes('forged'), `${path} behind a proxy: ${trusted.body}`)
    }
  })

  it('on public paths Bearer and DPoP are dropped, other schemes pass', async () => {
    for (const [value, passes] of [
      ['Bearer x', false],
      ['bearer x', false],
      ['DPoP x', false],
      ['Basic YTpi', true],
      ['Digest a', true],
    ] as const) {
      await gate.ask('/photos/share/a', { lines: [`Authorization: ${value}`, 'DPoP: x'] })
      assert.equal(fieldOf(upstream.seen.at(-1), 'authorization'), passes ? value : undefined, value)
      assert.equal(fieldOf(upstream.seen.at(-1), 'x-auth-username'), undefined)
    }
  })

  it('X-Forwarded-For, -Host and -Proto are made from the socket; the families are dropped from others', async () => {
    const lines = [
      'X-Forwarded-For: 1.2.3.4',
      'X-Forwarded-Host: app.example.com',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Port: 1',
      'X-Forwarded-Prefix: /x',
      'X-Forwarded-Foo: x',
      'X_Forwarded_Server: x',
      'Forwarded: for=1.2.3.4',
      'X-Real-IP: 1.2.3.4',
      'X-Original-URL: /admin',
      'X-Original-Foo: x',
      'X-Rewrite-URL: /admin',
      'X-Request-Id: theirs',
    ]
    const field = await seen('/photos/a', {}, lines)
    assert.equal(field('x-forwarded-for'), '127.0.0.1')
    assert.equal(field('x-forwarded-host'), 'gate.example.com')
    assert.equal(field('x-forwarded-proto'), 'http')
    for (const name of [
      'x-forwarded-port',
      'x-forwarded-prefix',
      'x-forwarded-foo',
      'x_forwarded_server',
      'forwarded',
      'x-real-ip',
      'x-original-url',
      'x-original-foo',
      'x-rewrite-url',
    ]) {
      assert.equal(field(name), undefined, name)
    }
    assert.notEqual(field('x-request-id'), 'theirs')
    assert.match(String(field('x-request-id')), /^[\w-]{8,}$/)
    assert.equal(field('host'), `127.0.0.1:${upstream.port}`)
  })

  it('behind trusted_proxies they are continued, and X-Forwarded-Host and -Proto choose the route', async () => {
    const lines = [
      'X-Forwarded-For: 203.0.113.9, 10.1.1.1',
      'X-Forwarded-Host: gate.example.com',
      'X-Forwarded-Proto: https',
      'X-Request-Id: req-from-proxy.1',
    ]
    const field = await seen('/photos/a', {}, ['Host: internal:8080', ...lines], behind)
    assert.equal(field('x-forwarded-for'), '203.0.113.9, 10.1.1.1, 127.0.0.1')
    assert.equal(field('x-forwarded-host'), 'gate.example.com')
    assert.equal(field('x-forwarded-proto'), 'https')
    assert.equal(field('x-request-id'), 'req-from-proxy.1')
    const hosted = await behind.ask('/any/thing', { lines: ['Host: internal', 'X-Forwarded-Host: app.example.com'] })
    assert.match(hosted.body, /"X-Where","hosted"/)
    assert.equal(
      (await gate.ask('/any/thing', { lines: ['Host: internal', 'X-Forwarded-Host: app.example.com'] })).status,
      404,
    )
    assert.equal((await behind.line('req-from-proxy.1')).address, '203.0.113.9')
  })

  it('X-Forwarded-Prefix stands with strip_path', async () => {
    assert.equal((await seen('/stripped/a'))('x-forwarded-prefix'), '/stripped')
    assert.equal((await seen('/photos/a', {}, ['X-Forwarded-Prefix: /evil']))('x-forwarded-prefix'), undefined)
  })

  it('preserve_host: the client’s Host', async () => {
    const answer = await gate.ask('/host-kept/a', { lines: ['Host: Gate.example.com:81'] })
    assert.match(answer.body, /"Host","Gate.example.com:81"/)
  })

  it('hop-by-hop fields and what any Connection field names go, but never Host or framing; ours are added last', async () => {
    const lines = [
      'Connection: close, X-Hop, X-Auth-Username, Host, Content-Length',
      'Connection: X-Forwarded-For',
      'X-Hop: 1',
      'Keep-Alive: timeout=5',
      'TE: gzip',
      'Proxy-Authorization: Basic x',
      'Proxy-Connection: close',
      'X-Stays: yes',
    ]
    const answer = await gate.ask('/photos/a', { method: 'PUT', lines, token: gate.token(), body: 'hello' })
    const echoed = JSON.parse(answer.body)
    assert.equal(echoed.bodyBytes, 5)
    const field = (name: string) => fieldOf(echoed, name)
    for (const name of ['x-hop', 'keep-alive', 'te', 'proxy-authorization', 'proxy-connection'])
      assert.equal(field(name), undefined, name)
    assert.equal(field('x-auth-username'), 'alice')
    assert.equal(field('x-forwarded-for'), '127.0.0.1')
    assert.equal(field('x-stays'), 'yes')
    assert.equal(field('content-length'), '5')
  })

  it('the answer’s status, reason, order, case and duplicates pass as they came', async (t) => {
    const server = createServer((_request, response) => {
      response.sendDate = false
      response.writeHead(299, 'Quite Fine', [
        'X-B',
        '1',
        'X-A',
        '2',
        'x-b',
        '3',
        'Set-Cookie',
        'a=1',
        'Set-Cookie',
        'b=2',
        'ETag',
        '"e"',
        'Content-Length',
        '0',
        'Connection',
        'close, X-Gone',
        'X-Gone',
        '1',
      ])
      response.end()
    })
    const port = await listenOnLoopback(server)
    t.after(() => stopServer(server))
    const other = await blackbox(`\n  - { id: a, public: true, upstream: "http://127.0.0.1:${port}" }`)
    t.after(() => other.close())
    const answer = await other.ask('/x')
    const lines = answer.head.split('\r\n')
    assert.equal(lines[0], 'HTTP/1.1 299 Quite Fine')
    assert.deepEqual(lines.slice(1, 8), [
      'X-B: 1',
      'X-A: 2',
      'x-b: 3',
      'Set-Cookie: a=1',
      'Set-Cookie: b=2',
      'ETag: "e"',
      'Content-Length: 0',
    ])
    assert.ok(!/X-Gone/.test(answer.head), answer.head)
  })
})
