import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { METHODS } from 'node:http'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { isReadMethod } from '../../../src/core/route.ts'
import { FILES, GATE, type Gate, openInner, PHOTOS, routeOf } from '../../support/gate.ts'
import { photosRoute, yamlOf } from '../../support/gateway-under-test.ts'
import { makeKey, mintToken } from '../../support/keys.ts'
import { type CommandLine, commandLine } from '../../support/programs/command-line.ts'
import { startUpstream, type TestUpstream } from '../../support/upstreams.ts'

describe('audgate explain', () => {
  const key = makeKey()
  let command: CommandLine

  before(() => {
    const route = photosRoute(
      'http://127.0.0.1:9000/base',
      '    strip_path: true\n    public: [/open/**]\n    cors: { origins: [https://app.example.com] }',
    )
    command = commandLine(yamlOf(route).replaceAll('$KEYS', 'keys.json'))
    writeFileSync(join(command.folder, 'keys.json'), JSON.stringify({ keys: [key.publicJwk] }))
  })
  after(() => command.close())

  const run = (...args: string[]) => command.run(['explain', ...args])

  it('a good token: each check with what it expected and got, the headers that the upstream would see, exit 0', async () => {
    const { code, stdout, stderr } = await run('GET', '/photos/a?b', '--token', mintToken(key))
    assert.equal(code, 0, stderr)
    assert.match(
      stdout,
      /ok {3}audience\n +expected: https:\/\/gate\.example\.com\/photos\n +got: +https:\/\/gate\.example\.com\/photos/,
    )
    assert.match(stdout, /ok {3}scope\n +expected: photos:read/)
    assert.match(stdout, /FORWARD {2}GET http:\/\/127\.0\.0\.1:9000\/base\/a\?b/)
    assert.match(stdout, /X-Auth-Username: alice/)
    assert.doesNotMatch(stdout, /eyJ/)
  })

  it('a method that HTTP parsers don’t know comes to no route, as at the gateway: 400 malformed_request', async () => {
    for (const method of ['FOO', 'get', 'CONNECT']) {
      const { code, stdout } = await run(method, '/photos/open/a')
      assert.equal(code, 3)
      assert.match(stdout, /DENIED {3}400 malformed_request/, method)
      assert.doesNotMatch(stdout, /route/)
    }
    assert.equal((await run('PURGE', '/photos/a', '--token', mintToken(key))).code, 3)
    const read = METHODS.filter((method) => method !== 'CONNECT')
    assert.deepEqual(
      read.filter((method) => !isReadMethod(method)),
      [],
      'what the parser reads is known to be read',
    )
  })

  it('a token from a file, which no list of processes shows', async () => {
    writeFileSync(join(command.folder, 'token'), `${mintToken(key)}\n`)
    assert.equal((await run('GET', '/photos/a', '--token-file', 'token')).code, 0)
    const stdin = await command.run(['explain', 'GET', '/photos/a', '--token-file', '-'], mintToken(key))
    assert.equal(stdin.code, 0)
  })

  it('a wrong audience: which was expected, which came, and the answer that the client would get, exit 3', async () => {
    const token = mintToken(key, { claims: { aud: 'https://gate.example.com/files' } })
    const { code, stdout } = await run('GET', `${PHOTOS}/a`, '--token', token)
    assert.equal(code, 3)
    assert.match(
      stdout,
      /NO {3}audience\n +expected: https:\/\/gate\.example\.com\/photos\n +got: +https:\/\/gate\.example\.com\/files/,
    )
    assert.match(stdout, /DENIED {3}401 audience_mismatch/)
    assert.match(stdout, /WWW-Authenticate: Bearer resource_metadata=/)
    assert.doesNotMatch(stdout, /scope\n +expected/)
  })

  it('--claims asks what if a valid token said this', async () => {
    const claims = (aud: string, scope: string) => JSON.stringify({ aud, scope, username: 'eve' })
    assert.equal((await run('GET', '/photos/a', '--claims', claims(PHOTOS, 'photos:read'))).code, 0)
    assert.equal((await run('PUT', '/photos/a', '--claims', claims(PHOTOS, 'photos:read'))).code, 3)
    assert.equal((await run('GET', '/photos/a', '--claims', claims('https://else.example.com', 'photos:read'))).code, 3)
    const expired = JSON.stringify({ aud: PHOTOS, scope: 'photos:read', exp: 1 })
    assert.match((await run('GET', '/photos/a', '--claims', expired)).stdout, /DENIED {3}401 expired/)
  })

  it('--json prints the same as data', async () => {
    const { stdout, code } = await run('PUT', '/photos/a', '--token', mintToken(key), '--json')
    const { route, checks, verdict } = JSON.parse(stdout)
    assert.equal(code, 3)
    assert.equal(route, 'photos')
    assert.deepEqual(checks.at(-1), { name: 'scope', expected: 'photos:write', got: 'photos:read', good: false })
    assert.equal(verdict.reason, 'insufficient_scope')
    assert.equal(verdict.answer.status, 403)
  })

  it('no route, an ambiguous path, a public path, a reserved path', async () => {
    assert.match((await run('GET', '/nowhere')).stdout, /DENIED {3}404 no_route/)
    assert.match((await run('GET', '/photos/%2e%2e/x')).stdout, /DENIED {3}400 ambiguous_path/)
    const open = await run('GET', '/photos/open/a')
    assert.equal(open.code, 0)
    assert.match(open.stdout, /a public path: no token needed/)
    assert.match((await run('GET', '/.well-known/oauth-protected-resource')).stdout, /RESERVED/)
  })

  it('bad arguments: exit 2 and what to do', async () => {
    for (const args of [
      ['GET'],
      ['GET', 'nonsense'],
      ['G T', '/photos'],
      ['GET', '/photos', '--claims', '{'],
      ['GET', '/photos', '--token', 'a', '--claims', '{}'],
      ['GET', '/photos', '--token-file', 'missing'],
      ['GET', '/photos', '--config', 'missing.yaml'],
    ]) {
      const { code, stderr } = await run(...args)
      assert.equal(code, 2, `${args}: ${stderr}`)
      assert.notEqual(stderr, '')
    }
  })
})

/** What is sent to the gateway, and told the command. */
type Credential = 'token' | 'claims' | 'nothing' | 'nonsense'

describe('explain and the gateway', () => {
  let upstream: TestUpstream
  let gate: Gate
  let command: CommandLine

  before(async () => {
    upstream = await startUpstream()
    const more = '    strip_path: true\n    public: [/share/**]\n    headers: { X-Tenant: "claim:tenant" }'
    gate = await openInner(`${routeOf('photos', upstream.url, more)}
  - id: narrow
    path: /narrow
    resource: ${PHOTOS}
    upstream: ${upstream.url}/base
    identity: remote-user
    rules:
      - { methods: [GET, PUT], paths: [/a/**], scopes: [photos:read, photos:write] }
      - { methods: [DELETE], paths: ["/a/*.jpg"], scopes: [photos:write] }
    cors: { origins: ["https://app.example.com"] }
  - { id: open, path: /open, public: true, upstream: "${upstream.url}" }`)
    command = commandLine('')
  })
  after(async () => {
    command.close()
    await gate.close()
    await upstream.close()
  })

  /** Requests around every edge of the file's rules. */
  const requests = fc.record({
    method: fc.constantFrom<string>('GET', 'HEAD', 'PUT', 'DELETE', 'POST', 'PROPFIND', 'MOVE', 'OPTIONS'),
    path: fc.oneof(
      fc.constantFrom(
        '/photos',
        '/photos/',
        '/photosx',
        '/open/a',
        '/narrow',
        '/nowhere',
        '/photos/%2e%2e/a',
        '/photos//a',
        '/photos/sha%72e/x',
      ),
      fc
        .tuple(
          fc.constantFrom('/photos', '/narrow', '/narrow/a', '/photos/share'),
          fc.constantFrom('/b', '/c.jpg', '/a%20b', '/%2F', '/x;y', '?q=1', '/%41'),
        )
        .map((parts) => parts.join('')),
    ),
    claims: fc.record({
      aud: fc.constantFrom<unknown>(PHOTOS, FILES, [FILES, PHOTOS], `${PHOTOS}/`, []),
      scope: fc.constantFrom<unknown>(
        'photos:read photos:write',
        'photos:read',
        'photos:write',
        ['photos:read', 'photos:write'],
        '',
      ),
      username: fc.constantFrom<unknown>('alice', 'Łukasz, 100%', '', undefined, 'a\nb', 7),
      groups: fc.constantFrom<unknown>(['a', 'b,c'], [], 'one', undefined),
      tenant: fc.constantFrom<unknown>('acme', undefined, 5, 'x'.repeat(200)),
      expIn: fc.constantFrom<number>(300, -30, -90),
    }),
    as: fc.constantFrom<Credential>('token', 'claims', 'token', 'claims', 'nothing', 'nonsense'),
  })

  type Case = typeof requests extends fc.Arbitrary<infer Value> ? Value : never

  const good: Case['claims'] = {
    aud: PHOTOS,
    scope: 'photos:read',
    username: 'alice',
    groups: [],
    tenant: 'a',
    expIn: 300,
  }
  const always: readonly Case[] = [
    ...(['nothing', 'nonsense', 'token'] as const).flatMap((as) =>
      ['GET', 'DELETE'].map((method) => ({ method, path: '/photos/a', claims: good, as })),
    ),
    { method: 'GET', path: '/photos//a', claims: good, as: 'token' },
    { method: 'GET', path: '/photos/a', claims: { ...good, aud: `${PHOTOS}/` }, as: 'token' },
    { method: 'GET', path: '/photos/a', claims: { ...good, expIn: -90 }, as: 'token' },
  ]

  async function agree({ method, path, claims, as }: Case, note: string): Promise<void> {
    const { expIn, ...rest } = claims
    const now = Math.floor(Date.now() / 1000)
    const who = { iss: gate.issuer, sub: 'sub-alice', client_id: 'cli', iat: now - 100, jti: 'j' }
    const all = { ...who, ...rest, exp: now + expIn }
    const token = gate.token({ claims: all })
    const { told, sent } = {
      token: { told: ['--token', token], sent: { token } },
      claims: { told: ['--claims', JSON.stringify(all)], sent: { token } },
      nothing: { told: [], sent: {} },
      nonsense: { told: ['--token', 'abc'], sent: { token: 'abc' } },
    }[as]
    const where = ['--config', join(gate.folder, 'routes.yaml')]
    const { code, stdout } = await command.run([
      'explain',
      method,
      `http://${GATE}${path}`,
      ...told,
      '--json',
      ...where,
    ])
    const live = await gate.ask(path, { method, ...sent })
    const { verdict } = JSON.parse(stdout)
    const context = `${note}: ${method} ${path} ${as} ${JSON.stringify(all)}\n${stdout}\n${live.text}`
    assert.equal(code, live.status === 200 ? 0 : 3, context)
    if (live.status !== 200) {
      assert.equal(verdict.answer.status, live.status, context)
      if (method !== 'HEAD') assert.equal(verdict.reason, JSON.parse(live.body).reason, context)
      const challenge = fieldIn(verdict.answer.headers, 'www-authenticate')
      assert.equal(timeless(challenge), timeless(live.headers.get('www-authenticate')), context)
    } else if (method !== 'HEAD') {
      const { rawHeaders, url } = JSON.parse(live.body)
      assert.equal(verdict.upstream.url, `${upstream.url}${url}`, context)
      assert.deepEqual(known(verdict.upstream.headers), known(rawHeaders), context)
    }
  }

  it('say the same of every request', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const queue = [...always, ...fc.sample(requests, { seed, numRuns: 30 })].values()
    const work = async (): Promise<void> => {
      for (const each of queue) await agree(each, `seed ${seed}`)
    }
    await Promise.all([work(), work()])
  })
})

describe('audgate explain of what no route of the file answers', () => {
  let command: CommandLine
  before(() => {
    const route = '{ id: a, host: a.example.com, path: /a, public: true, upstream: "http://127.0.0.1:9" }'
    const own =
      '{ id: b, path: /b, resource: "https://gate.example.com/b", upstream: "http://127.0.0.1:9", rules: [{ methods: [any], scopes: [b] }] }'
    const resource = '{ id: "https://gate.example.com/b", name: B, scopes: { b: See it } }'
    command = commandLine(
      `public_url: https://gate.example.com\nresources: [${resource}]\nroutes: [${route}, ${own}]\n`,
    )
  })
  after(() => command.close())

  const run = (method: string, path: string, scope: string) => {
    const claims = { aud: 'https://gate.example.com/admin/api', scope }
    return command.run(['explain', method, `/admin/api/v1/${path}`, '--claims', JSON.stringify(claims)])
  }

  it('needs no server and no store: a request without a token, or with a bad one, is denied', async () => {
    for (const [token, reason] of [
      [[], 'no_token'],
      [['--token', 'nonsense'], 'malformed_token'],
      [['--token', 'a b'], 'malformed_credential'],
    ] as const) {
      const { code, stdout, stderr } = await command.run(['explain', 'GET', '/b', ...token])
      assert.equal(code, 3, stderr)
      assert.match(stdout, new RegExp(reason))
    }
  })

  it('a route is told by its host as requests are, without a port', async () => {
    const { stdout } = await command.run(['explain', 'GET', 'https://A.example.com:8443/c'])
    assert.match(stdout, /got: +none \(a: other path/)
  })

  it('what a token permits at the operator’s API is answered here, with every check said', async () => {
    const { code, stdout, stderr } = await run('GET', 'overview', 'admin:read')
    assert.equal(code, 0, stderr)
    assert.match(stdout, /ok {3}scope\n +expected: admin:read\n +got: +admin:read/)
    assert.match(stdout, /RESERVED permitted; the operator’s API answers it here/)
  })

  it('a scope that is missing there is refused like anywhere', async () => {
    const { code, stdout } = await run('POST', 'people', 'admin:read')
    assert.equal(code, 3)
    assert.match(stdout, /DENIED {3}403 insufficient_scope/)
  })
})

function fieldIn(headers: readonly string[], name: string): string | undefined {
  const at = headers.findIndex((each, i) => i % 2 === 0 && each.toLowerCase() === name)
  return at === -1 ? undefined : headers[at + 1]
}

/** Seconds pass between the two answers. */
function timeless(text: string | undefined): string | undefined {
  return text?.replace(/\d+ s ago/, 'a while ago')
}

/** Header pairs but for those that a request makes anew, and framing. */
function known(headers: readonly string[]): string[] {
  const pairs = headers.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${headers[i + 1]}`] : []))
  return pairs.filter((pair) => !/^(x-request-id|connection|content-length|transfer-encoding):/i.test(pair)).sort()
}
