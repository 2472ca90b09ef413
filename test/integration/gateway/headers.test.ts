// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what looks like templates is the notation of routes.yaml
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { GATE, type Gate, mounts, openInner, requestText, routeOf } from '../../support/gate.ts'
import {
  fieldOf,
  fieldsOf,
  listenOnLoopback,
  type RawAnswer,
  type Seen,
  startUpstream,
  stopServer,
  type TestUpstream,
} from '../../support/upstreams.ts'

const API_KEY = 'upstream-secret-1234567890'
/** Who comes from here is a trusted proxy; from 127.0.0.1, a stranger. */
const PROXY = '::1'
const SPELLINGS = ['X-Auth-Username', 'x_auth_username', 'X.Auth.Username', 'X~AUTH!username', "X'Auth*Username"]
const WHO = {
  sub: 's-1',
  username: 'alice',
  groups: ['a', 'b'],
  email: 'a@example.com',
  name: 'Alice A',
  client_id: 'cli',
}

function routesTo(upstream: string, answering: number): string {
  const tenant =
    '    headers: { X-Tenant: "claim:tenant", X-Fixed: fixed, X-Level: "claim:level", X-List: "claim:list" }'
  const key = '    set_headers: { X-Api-Key: "${UPSTREAM_KEY}", X-Mode: "${MODE:-quiet}" }'
  return [
    routeOf('photos', upstream, `${tenant}\n    strip_headers: [X-Client-Key]\n    public: [/share/**]`),
    ...['remote-user', 'x-forwarded-user', 'x-webauth', 'none'].map((set) =>
      routeOf(`as-${set}`, upstream, `    identity: ${set}`),
    ),
    routeOf('stripped', upstream, '    strip_path: true'),
    routeOf('keyed', upstream, `    strip_headers: [X-Api-Key]\n${key}`),
    `\n  - { id: open, path: /open, public: true, upstream: "${upstream}", preserve_host: true }`,
    `\n  - { id: hosted, host: app.example.com, public: true, upstream: "${upstream}", set_headers: { X-Where: hosted } }`,
    `\n  - { id: answering, path: /answering, public: true, upstream: "http://127.0.0.1:${answering}" }`,
  ].join('')
}

for (const { mount, open } of mounts) {
  describe(`what the upstream sees, ${mount}`, () => {
    let upstream: TestUpstream
    let answering: Server
    let gate: Gate

    before(async () => {
      upstream = await startUpstream()
      answering = createServer((_request, response) => {
        response.sendDate = false
        const fields = ['X-B: 1', 'X-A: 2', 'x-b: 3', 'Set-Cookie: a=1', 'Set-Cookie: b=2', 'ETag: "e"']
        const more = ['Content-Length: 0', 'Connection: close, X-Gone', 'X-Gone: 1']
        response.writeHead(
          299,
          'Quite Fine',
          [...fields, ...more].flatMap((line) => line.split(': ')),
        )
        response.end()
      })
      const settings = `listen: localhost:0\ntrusted_proxies: ["${PROXY}", 10.0.0.0/8]`
      const env = { UPSTREAM_KEY: API_KEY }
      gate = await open(routesTo(upstream.url, await listenOnLoopback(answering)), { env, settings })
    })
    after(async () => {
      await gate.close()
      await upstream.close()
      await stopServer(answering)
    })

    const asked = (
      path: string,
      lines: readonly string[],
      token = gate.token(),
      peer?: typeof PROXY,
    ): Promise<RawAnswer> => gate.send(requestText(path, { lines, token }), peer)
    const seenOf = (answer: RawAnswer): Seen => {
      assert.equal(answer.status, 200, answer.text)
      return JSON.parse(answer.body)
    }
    async function seen(path: string, claims: object = {}, lines: readonly string[] = [], peer?: typeof PROXY) {
      const request = seenOf(await asked(path, lines, gate.token({ claims: { ...claims } }), peer))
      return (name: string) => fieldOf(request, name)
    }

    it('identity: each set has its header names and claims', async () => {
      for (const [path, prefix, names, values] of [
        [
          '/photos/a',
          'X-Auth-',
          ['Username', 'Subject', 'Groups', 'Email', 'Name', 'Client', 'Issuer', 'Scope'],
          ['alice', 's-1', 'a,b', 'a@example.com', 'Alice A', 'cli', gate.issuer, 'photos:read photos:write'],
        ],
        [
          '/as-remote-user/a',
          'Remote-',
          ['User', 'Groups', 'Email', 'Name'],
          ['alice', 'a,b', 'a@example.com', 'Alice A'],
        ],
        [
          '/as-x-forwarded-user/a',
          'X-Forwarded-',
          ['User', 'Preferred-Username', 'Groups', 'Email'],
          ['alice', 'alice', 'a,b', 'a@example.com'],
        ],
        [
          '/as-x-webauth/a',
          'X-WEBAUTH-',
          ['USER', 'GROUPS', 'EMAIL', 'NAME'],
          ['alice', 'a,b', 'a@example.com', 'Alice A'],
        ],
      ] as const) {
        const field = await seen(path, WHO)
        assert.deepEqual(
          names.map((name) => field(`${prefix}${name}`)),
          values,
        )
      }
      for (const [path, ours] of [
        ['/as-x-webauth/a', 'x-webauth-user'],
        ['/as-none/a', ''],
      ] as const) {
        const field = await seen(path, WHO)
        for (const name of ['x-auth-username', 'remote-user', 'x-forwarded-user', 'x-webauth-user']) {
          if (name !== ours) assert.equal(field(name), undefined, `${path}: ${name}`)
        }
      }
    })

    it('username, else sub', async () => {
      assert.equal((await seen('/photos/a', { ...WHO, username: undefined }))('x-auth-username'), 's-1')
      assert.equal((await seen('/as-remote-user/a', { ...WHO, username: '' }))('remote-user'), 's-1')
      assert.equal((await seen('/as-remote-user/a', { ...WHO, username: 7 }))('remote-user'), 's-1')
    })

    it('an absent, empty or wrongly typed claim sends no header, and the client’s does not take its place', async () => {
      for (const [claims, name] of [
        [{ email: undefined }, 'X-Auth-Email'],
        [{ email: '' }, 'X-Auth-Email'],
        [{ email: 3 }, 'X-Auth-Email'],
        [{ email: ['a@b'] }, 'X-Auth-Email'],
        [{ name: { a: 1 } }, 'X-Auth-Name'],
        [{ groups: [] }, 'X-Auth-Groups'],
        [{ groups: 7 }, 'X-Auth-Groups'],
        [{ groups: undefined }, 'X-Auth-Groups'],
        [{ tenant: undefined }, 'X-Tenant'],
        [{ tenant: { a: 1 } }, 'X-Tenant'],
      ] as const) {
        const field = await seen('/photos/a', { ...WHO, ...claims }, [`${name}: theirs`])
        assert.equal(field(name), undefined, JSON.stringify(claims))
      }
    })

    it('%, non-ASCII bytes and, within list members, commas are percent-encoded, those bytes only', async () => {
      const odd = { username: 'Łukasz 100%,"x"', groups: ['a,b', 'c%d', 'é'], name: 'a, b;c=d', tenant: '50%é' }
      const field = await seen('/photos/a', { ...WHO, ...odd })
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
        const answer = await asked('/photos/a', [], gate.token({ claims: { ...WHO, ...claims } }))
        assert.equal(answer.status, 401, JSON.stringify(claims))
        assert.equal(JSON.parse(answer.body).reason, 'malformed_claim')
        assert.match(answer.headers.get('www-authenticate') ?? '', /error="invalid_token"/)
      }
      const groups = Array.from({ length: 100 }, () => 'é'.repeat(20))
      for (const claims of [{ groups }, { username: 'ü'.repeat(2000) }]) {
        const large = await asked('/photos/a', [], gate.token({ claims: { ...WHO, ...claims } }))
        assert.equal(large.status, 403, large.text)
        assert.equal(JSON.parse(large.body).reason, 'identity_too_large')
        assert.equal(large.headers.get('www-authenticate'), undefined)
      }
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

    it('no header of any set, nor of any route, ever comes from the client: on any route, in any name of CGI form', async () => {
      const names = [
        ...[...SPELLINGS, 'X-Auth-Subject', 'X_AUTH-GROUPS', 'X-Auth-Email', 'X-Auth-Name', 'X-Auth-Client'],
        ...['X-Auth_Username', 'X-Auth-Groups', 'X-Auth-Issuer', 'X-Auth-Scope'],
        ...['Remote-User', 'REMOTE_USER', 'remote.groups', 'Remote-Email', 'Remote-Name'],
        ...['X-Forwarded-User', 'X_Forwarded_User', 'X-Forwarded-Preferred-Username', 'x_forwarded_groups'],
        ...['X-Forwarded-Groups', 'X-Forwarded-Email'],
        ...['X-WEBAUTH-USER', 'x-webauth-groups', 'X_WebAuth_Email', 'X~WEBAUTH~NAME'],
        ...['X-Tenant', 'X_Tenant', 'X-Fixed', 'X-Level', 'X-Api-Key', 'X.Api.Key', 'X!Api!Key', 'X-Mode'],
        ...['X-Client-Key', 'X-Where'],
      ]
      const lines = names.map((name) => `${name}: forged`)
      for (const path of ['/photos/share/a', '/as-none/a', '/as-remote-user/a', '/open/a', '/photos/a', '/keyed/a']) {
        for (const peer of [undefined, PROXY] as const) {
          const request = seenOf(await asked(path, lines, gate.token(), peer))
          assert.ok(!JSON.stringify(request).includes('forged'), `${path} from ${peer}: ${request.rawHeaders}`)
          const usernames = request.rawHeaders.filter((name, i) => i % 2 === 0 && /^x.auth.username$/i.test(name))
          assert.deepEqual(usernames, /photos.a|keyed/.test(path) ? ['X-Auth-Username'] : [], path)
        }
      }
    })

    it('the caller’s token stops here; on public paths other schemes pass', async () => {
      const token = gate.token()
      for (const path of ['/photos/a', '/photos/share/a', '/open/a']) {
        assert.ok(!JSON.stringify(seenOf(await asked(path, [], token))).includes(token), path)
      }
      for (const path of ['/photos/share/a', '/open/a']) {
        for (const [value, passes] of [
          ['Bearer x', false],
          ['bearer x', false],
          ['DPoP x', false],
          ['Basic YTpi', true],
          ['Digest a', true],
        ] as const) {
          const request = seenOf(await gate.ask(path, { lines: [`Authorization: ${value}`, 'DPoP: x'] }))
          assert.deepEqual(fieldsOf(request.rawHeaders, 'authorization'), passes ? [value] : [], value)
          assert.deepEqual(fieldsOf(request.rawHeaders, 'x-auth-username'), [])
        }
      }
    })

    it('X-Forwarded-For, -Host and -Proto are made from the socket; the families are dropped from others', async () => {
      const names = [
        ...['Forwarded', 'X-Forwarded-For', 'X_Forwarded_For', 'X-Forwarded-Host', 'X-Forwarded-Proto'],
        ...['X.Forwarded.Proto', 'X-Forwarded-Port', 'X-Forwarded-Prefix', 'X-Forwarded-Foo', 'X_Forwarded_Server'],
        ...['X-Real-IP', 'X-Original-URL', 'X-Original-Foo', 'X-Rewrite-URL', 'X-Request-Id'],
      ]
      for (const path of ['/photos/a', '/open/a']) {
        const request = seenOf(
          await asked(
            path,
            names.map((name) => `${name}: spoofed`),
          ),
        )
        assert.ok(!request.rawHeaders.includes('spoofed'), request.rawHeaders.join(' '))
        assert.equal(fieldOf(request, 'x-forwarded-for'), '127.0.0.1')
        assert.equal(fieldOf(request, 'x-forwarded-host'), GATE)
        assert.equal(fieldOf(request, 'x-forwarded-proto'), 'http')
        assert.match(String(fieldOf(request, 'x-request-id')), /^[\w-]{8,}$/)
      }
      const hosted = ['Host: internal', 'X-Forwarded-Host: app.example.com']
      assert.equal((await gate.ask('/any/thing', { lines: hosted })).status, 404, 'they choose no route either')
    })

    it('behind trusted_proxies they are continued, and X-Forwarded-Host and -Proto choose the route', async () => {
      const lines = (chain: string, host: string, id: string) => [
        ...['Host: internal:8080', `X-Forwarded-For: ${chain}`, `X-Forwarded-Host: ${host}`],
        ...['X-Forwarded-Proto: https', `X-Request-Id: ${id}`],
      ]
      for (const [chain, address] of [
        ['203.0.113.9, 10.1.1.1', '203.0.113.9'],
        ['192.0.2.1, 198.51.100.7', '198.51.100.7'],
      ] as const) {
        const id = `req-from-proxy.${address}`
        const field = await seen('/photos/a', {}, lines(chain, GATE, id), PROXY)
        assert.equal(field('x-forwarded-for'), `${chain}, ${PROXY}`)
        assert.equal(field('x-forwarded-host'), GATE)
        assert.equal(field('x-forwarded-proto'), 'https')
        assert.equal(field('x-request-id'), id)
        assert.equal((await gate.line(id)).address, address)
      }
      const hosted = await asked('/any/thing', lines('192.0.2.1', 'app.example.com', 'b'), gate.token(), PROXY)
      assert.match(hosted.body, /"X-Where","hosted"/)
      const kept = await seen('/open/a', {}, lines('192.0.2.1', 'www.example.com', 'c'), PROXY)
      assert.deepEqual([kept('host'), kept('x-forwarded-host')], ['www.example.com', 'www.example.com'])
    })

    it('what moves a request elsewhere never arrives, from a trusted proxy neither, in no trailer', async () => {
      const names = [
        ...['SCRIPT_NAME', 'Path-Info', 'X-Script-Name', 'X-HTTP-Method-Override', 'X.Method.Override'],
        'X-Rewrite-URL',
      ]
      const fields = names.map((name) => `${name}: moved\r\n`).join('')
      const framing = `Transfer-Encoding: chunked\r\nTrailer: ${names.join(', ')}`
      for (const peer of [undefined, PROXY]) {
        for (const path of ['/open/a', '/photos/share/a']) {
          const head = `GET ${path} HTTP/1.1\r\nHost: ${GATE}\r\n${fields}${framing}\r\n\r\n`
          const request = seenOf(await gate.send(`${head}2\r\nhi\r\n0\r\n${fields}\r\n`, peer))
          assert.ok(!request.rawHeaders.includes('moved'), `${path}: ${request.rawHeaders}`)
          assert.deepEqual(request.rawTrailers, [])
        }
      }
    })

    it('X-Forwarded-Prefix stands with strip_path', async () => {
      assert.equal((await seen('/stripped/a'))('x-forwarded-prefix'), '/stripped')
      assert.equal((await seen('/photos/a', {}, ['X-Forwarded-Prefix: /evil']))('x-forwarded-prefix'), undefined)
    })

    it('Host is the upstream’s, or the client’s with preserve_host', async () => {
      for (const path of ['/photos/a', '/photos/share/a']) {
        assert.equal((await seen(path))('host'), `127.0.0.1:${upstream.port}`)
      }
      for (const host of ['gate.example.com', 'Gate.example.com:81']) {
        assert.equal((await seen('/open/a', {}, [`Host: ${host}`]))('host'), host)
      }
    })

    it('hop-by-hop fields and what any Connection field names go, but never Host or framing; ours are added last', async () => {
      const lines = [
        'Connection: close, X-Hop, X-Auth-Username, X-Api-Key, Host, Content-Length',
        'Connection: X-Forwarded-For, X-Forwarded-Proto, X-Tenant',
        ...['X-Hop: 1', 'Keep-Alive: timeout=5', 'TE: gzip', 'Proxy-Authorization: Basic x'],
        ...['Proxy-Connection: close', 'X-Stays: yes'],
      ]
      for (const [path, name, value] of [
        ['/photos/a', 'x-tenant', 'blue'],
        ['/keyed/a', 'x-api-key', API_KEY],
      ] as const) {
        const token = gate.token({ claims: { tenant: 'blue' } })
        const request = seenOf(await gate.ask(path, { method: 'PUT', lines, token, body: 'hello' }))
        assert.equal(request.bodyBytes, 5)
        for (const gone of ['x-hop', 'keep-alive', 'te', 'proxy-authorization', 'proxy-connection']) {
          assert.equal(fieldOf(request, gone), undefined, gone)
        }
        for (const [ours, wanted] of [
          ['x-auth-username', 'alice'],
          ['x-forwarded-for', '127.0.0.1'],
          ['x-forwarded-proto', 'http'],
          ['x-stays', 'yes'],
          ['content-length', '5'],
          ['host', `127.0.0.1:${upstream.port}`],
          [name, value],
        ] as const) {
          assert.equal(fieldOf(request, ours), wanted)
        }
      }
    })

    it('an Upgrade that is no tunnel’s goes as an ordinary request, without the field', async () => {
      const h2c = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__']
      for (const path of ['/open/a', '/photos/a']) {
        const field = await seen(path, {}, h2c)
        assert.deepEqual([field('upgrade'), field('http2-settings')], [undefined, undefined])
      }
    })

    it('RFC 9110 §7.6.3: Via says that a request has passed us, and one that has is told so: 508 loop', async () => {
      const via = String((await seen('/open/a'))('via'))
      assert.match(via, /^1\.1 audgate-[0-9a-f]{12}$/)
      for (const path of ['/open/a', '/photos/a', '/.well-known/oauth-protected-resource/photos', '/nowhere']) {
        const lines = [`Via: 1.0 other, ${via}`, 'Connection: close']
        const answer = await gate.ask(path, { method: 'POST', lines, body: '' })
        assert.equal(answer.status, 508, path)
        assert.equal(JSON.parse(answer.body).reason, 'loop')
      }
    })

    it('the answer’s status, reason, order, case and duplicates pass as they came', async () => {
      const { head } = await gate.ask('/answering/x')
      assert.deepEqual(head.split('\r\n').slice(0, 8), [
        'HTTP/1.1 299 Quite Fine',
        ...['X-B: 1', 'X-A: 2', 'x-b: 3', 'Set-Cookie: a=1', 'Set-Cookie: b=2', 'ETag: "e"', 'Content-Length: 0'],
      ])
      assert.ok(!/X-Gone/.test(head), head)
    })
  })
}

it('a route that leads to the gateway itself ends at its second pass, in process', async () => {
  const routes = (port: number) => `  - { id: self, path: /, public: true, upstream: "http://127.0.0.1:${port}" }`
  const looping = await openInner(routes(9))
  const { gateway } = looping
  await gateway.server.reload(gateway.decode(looping.yaml(routes(looping.port))))
  const answer = await looping.ask('/a', { lines: ['Connection: close'] })
  await looping.close()
  assert.deepEqual([answer.status, gateway.requests().length], [508, 2])
})
