import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { GATE, type Gate, mounts, PHOTOS, routeOf } from '../../support/gate.ts'
import { type RawAnswer, startUpstream, type TestUpstream } from '../../support/upstreams.ts'

const AMBIGUOUS = [
  ...['/photos/share/../secret', '/photos/share/./x', '/photos/share/..', '/photos/share/.', '/../whole'],
  ...['/photos/share/%2e%2e/secret', '/photos/share/.%2e/secret', '/whole/%2E/a'],
  ...['/photos/share/%252e%252e/secret', '/photos/share/%25252e%25252e/secret'],
  ...['/photos/share/..;/secret', '/photos/share/..;x=1/secret', '/whole/%2e%2e;/a', '/whole/.;/a'],
  ...['/photos/share/%2e%2e%3b/secret', '/photos/share\\..\\secret', '/photos/share/%5c..%5csecret', '/whole\\a'],
  ...['/photos/share/..%2fsecret', '/photos/share/..%5csecret', '/whole/a%5Cb', '/whole/a%5cb', '/whole/a%255cb'],
  ...['/photos//share/x', '//photos/share/x', '//evil.example.com/photos', '//whole', '/whole//a', '/whole/a//'],
  ...['/photos/share/%00', '/photos/share/%0d%0aX-A:%20b', '/photos/share/%7f', '/whole/%1F'],
  ...['/photos/share/%', '/photos/share/%2', '/photos/share/%zz', '/photos/share/%c0%ae%c0%ae/secret'],
  ...['/photos%2fdeep/x', '/photos/%64eep%2fx', '/whole%2Fdeep/a', '/whole/%2e%2e%2fphotos', '/whole/%64eep/a'],
  ...['/%77hole/a', '/.well-known%2foauth-protected-resource', '/closed/a%2fb', '/closed/a%2Fb', '/closed/a%252fb'],
]

const SAME_BYTES = [
  ...['/whole/%7Euser', '/whole/~user', '/whole/a%20b', '/whole/%41', '/whole/%C3%A9', '/whole/100%25'],
  ...['/whole/%2F', '/whole/a%2Fb', '/whole/a%2fb?q=%2e%2e/..&//', '/whole/a?x=../../etc&y=%2e%2e//'],
  ...["/whole/a;b=c,d!$&'()*+=:@~", "/whole/a:b@c!$&'()*+,=", '/whole/?', '/whole/', '/whole/a/'],
  ...['/whole/...', '/whole/.hidden', '/photos/share/%41', '/closed/a?x=%2F'],
]

function routesTo(upstream: string): string {
  const open = (id: string, more: string, target = '') =>
    `\n  - { id: ${id}, public: true, upstream: "${upstream}${target}", ${more} }`
  return [
    routeOf('photos', upstream, '    public: [/healthz, /share/**]'),
    routeOf('stripped', upstream, '    strip_path: true'),
    open('deep', 'path: /photos/deep'),
    open('whole', 'path: /whole'),
    open('whole-deep', 'path: /whole/deep'),
    open('based', 'path: /based', '/base/'),
    open('based-strip', 'path: /based-strip, strip_path: true', '/base'),
    open('closed', 'path: /closed, encoded_slash: reject'),
    open('hosted', 'host: photos.example.com', '/hosted'),
    open('hosted-deep', 'host: photos.example.com, path: /deep'),
    open('assets-elsewhere', 'host: photos.example.com, path: /assets'),
    open('echo', 'path: /echo, set_headers: { X-Route: echo }'),
  ].join('')
}

for (const { mount, open } of mounts) {
  describe(`paths and hosts, ${mount}`, () => {
    let upstream: TestUpstream
    let gate: Gate

    before(async () => {
      upstream = await startUpstream()
      gate = await open(routesTo(upstream.url))
    })
    after(async () => {
      await gate.close()
      await upstream.close()
    })

    const get = (path: string, host = GATE, more: readonly string[] = []) =>
      gate.ask(path, { lines: [`Host: ${host}`, ...more] })
    const verdictOf = ({ status, body }: RawAnswer) =>
      status === 200 ? 'forward' : `${status} ${JSON.parse(body).reason}`
    /** The target that the upstream sees. */
    async function urlOf(path: string, host = GATE, token?: string): Promise<string> {
      const sent = token === undefined ? {} : { token }
      const answer = await gate.ask(path, { lines: [`Host: ${host}`], ...sent })
      assert.equal(answer.status, 200, `${path}: ${answer.text}`)
      return JSON.parse(answer.body).url
    }

    it('a ticket before a path goes to no upstream, though no route takes one, and leads to nothing reserved', async () => {
      const ticket = 'Ab_-0'.repeat(12)
      const below = (path: string) => `/.audgate/t/${ticket}${path}`
      assert.equal(await urlOf(below('/whole/x?y=1')), '/whole/x?y=1')
      const { heads } = upstream
      const refused = await gate.ask(below('/photos/x'), { token: gate.token() })
      assert.equal(verdictOf(refused), '401 credential_not_accepted')
      assert.equal(verdictOf(await get(below('/.well-known/oauth-protected-resource/photos'))), '404 no_route')
      assert.equal(verdictOf(await get(below('/photos/../whole/x'))), '400 ambiguous_path')
      assert.equal(upstream.heads, heads)
      assert.ok(!JSON.stringify(gate.log()).includes(ticket))
      assert.equal(await urlOf('/.audgate/t/v2/x', 'photos.example.com'), '/hosted/.audgate/t/v2/x')
    })

    it('a path that two readers could understand differently: 400, and nothing is sent upstream', async () => {
      const { heads } = upstream
      for (const path of AMBIGUOUS) {
        assert.match(verdictOf(await get(path)), /^400 (ambiguous_path|malformed_request)$/, path)
      }
      assert.equal(upstream.heads, heads)
    })

    it('a path that percent-decoding leads to a public pattern or to a reserved path is ambiguous', async () => {
      const { heads } = upstream
      const reserved = ['/%6fauth/token', '/oauth%2Ftoken', '/.well-known%2fx', '/%61dmin']
      for (const path of ['/photos/%73hare/a', '/photos/share%2fa', ...reserved]) {
        assert.match(verdictOf(await get(path)), /^400 ambiguous_path$|^404 no_route$/, path)
      }
      assert.equal(upstream.heads, heads)
    })

    it('the path that is matched is the path that is forwarded, byte for byte', async () => {
      for (const path of SAME_BYTES) assert.equal(await urlOf(path), path)
    })

    it('a path is matched by whole segments, in its case', async () => {
      for (const path of ['/whole', '/whole/', '/whole?x=/../y']) assert.equal(await urlOf(path), path)
      for (const path of ['/wholesome', '/wholE', '/whole.', '/', '/Whole/a', '/photosx']) {
        assert.equal(verdictOf(await get(path)), '404 no_route', path)
      }
    })

    it('the longest path wins', async () => {
      assert.equal((await get('/photos/deep/x')).status, 200)
      assert.equal((await get('/photos/dee/x')).status, 401)
    })

    it('a public pattern never matches the query', async () => {
      assert.equal((await get('/photos/secret?x=/photos/share/y')).status, 401)
    })

    it('encoded_slash: reject makes an encoded slash ambiguous, which is an ordinary character otherwise', async () => {
      assert.equal(verdictOf(await get('/whole/a%2Fb')), 'forward')
      for (const path of ['/closed/a%2Fb', '/closed/a%2fb']) {
        assert.equal(verdictOf(await get(path)), '400 ambiguous_path', path)
      }
    })

    it('a route that names the host comes before one that names none; port, case and a final dot don’t matter', async () => {
      for (const host of ['', '.', ':8443'].map((end) => `photos.example.com${end}`)) {
        assert.equal(await urlOf('/whole/deep/a', host), '/hosted/whole/deep/a')
        assert.equal(await urlOf('/photos/share/x', host.toUpperCase()), '/hosted/photos/share/x')
      }
      assert.equal(await urlOf('/deep/x', 'photos.example.com'), '/deep/x')
      assert.match((await get('/echo', 'other.example.com')).body, /"X-Route","echo"/)
    })

    it('X-Forwarded-Host of an untrusted peer chooses no route', async () => {
      assert.equal((await get('/photos/x', GATE, ['X-Forwarded-Host: photos.example.com'])).status, 401)
    })

    it('reserved paths are no route’s on hosts that no route names; a host that one names has them for itself, but for resource metadata', async () => {
      for (const path of ['/oauth/token', '/account', '/assets/x']) assert.equal((await get(path)).status, 404, path)
      assert.equal(await urlOf('/account', 'photos.example.com'), '/hosted/account')
      assert.equal(await urlOf('/oauth/token', 'photos.example.com'), '/hosted/oauth/token')
      assert.equal(await urlOf('/assets/x', 'photos.example.com'), '/assets/x')
      const metadata = await get('/.well-known/oauth-protected-resource/photos', 'photos.example.com')
      assert.equal(metadata.status, 200)
      assert.equal(JSON.parse(metadata.body).resource, PHOTOS)
      assert.equal(metadata.headers.get('access-control-allow-origin'), '*')
    })

    it('strip_path takes the route’s path off, / when nothing remains, and keeps the rest byte for byte', async () => {
      for (const [path, seen] of [
        ['/stripped', '/'],
        ['/stripped/', '/'],
        ['/stripped/a%20b?c=%2F', '/a%20b?c=%2F'],
        ['/stripped?x', '/?x'],
        ['/stripped/stripped', '/stripped'],
        ['/stripped/?x', '/?x'],
      ] as const) {
        assert.equal(await urlOf(path, GATE, gate.token()), seen, path)
      }
    })

    it('an upstream with a path has it put before', async () => {
      for (const [path, seen] of [
        ['/based/a', '/base/based/a'],
        ['/based-strip/a?b', '/base/a?b'],
        ['/based-strip', '/base/'],
        ['/based-strip/', '/base/'],
      ] as const) {
        assert.equal(await urlOf(path), seen, path)
      }
    })
  })
}
