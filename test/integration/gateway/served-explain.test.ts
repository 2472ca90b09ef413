// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what looks like templates is the notation of routes.yaml
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { FILES, GATE, PHOTOS, routeOf, type ServedGate, serveGate } from '../../support/gate.ts'
import { type CommandLine, commandLine } from '../../support/programs/command-line.ts'
import { startUpstream, type TestUpstream } from '../../support/upstreams.ts'

const EMBEDDED = `
public_url: http://localhost:8080
resources:
  - id: http://localhost:8080/photos
    name: Photos
    scopes: { photos:read: See photos }
    grants: [{ groups: [photos], scopes: [photos:read] }]
routes:
  - id: photos
    path: /photos
    resource: http://localhost:8080/photos
    upstream: http://127.0.0.1:9
    rules: [{ methods: [read], scopes: [photos:read] }]
`

describe('explain, from outside', () => {
  let upstream: TestUpstream
  let gate: ServedGate
  let commands: CommandLine

  before(async () => {
    upstream = await startUpstream()
    gate = await serveGate(
      [
        routeOf(
          'photos',
          upstream.url,
          '    strip_path: true\n    public: [/share/**]\n    headers: { X-Tenant: "claim:tenant" }',
        ),
        `
  - id: narrow
    path: /narrow
    resource: ${PHOTOS}
    upstream: ${upstream.url}/base
    identity: remote-user
    rules:
      - { methods: [GET, PUT], paths: [/a/**], scopes: [photos:read, photos:write] }
      - { methods: [DELETE], paths: ["/a/*.jpg"], scopes: [photos:write] }
    cors: { origins: ["https://app.example.com"] }`,
        `\n  - { id: open, path: /open, public: true, upstream: "${upstream.url}" }`,
      ].join(''),
    )
    commands = commandLine(EMBEDDED)
  })
  after(async () => {
    commands.close()
    await gate.close()
    await upstream.close()
  })

  const file = () => join(gate.folder, 'routes.yaml')

  it('exit 0 forward, 3 denied, 2 for bad arguments or a bad file', async () => {
    const token = gate.token()
    writeFileSync(join(commands.folder, 'token'), `${token}\n`)
    const at = ['--config', file()]
    for (const [args, code, text] of [
      [['GET', `http://${GATE}/photos/a`, '--token', token, ...at], 0, /^ {2}X-Auth-Username: alice$/m],
      [['GET', `http://${GATE}/photos/a`, '--token-file', 'token', ...at], 0, /FORWARD/],
      [['GET', `http://${GATE}/photos/a`, ...at], 3, /401 no_token/],
      [
        ['PUT', `http://${GATE}/photos/a`, '--claims', JSON.stringify({ aud: PHOTOS, scope: 'photos:read' }), ...at],
        3,
        /403 insufficient_scope/,
      ],
      [
        ['GET', `http://${GATE}/photos/a`, '--claims', JSON.stringify({ aud: FILES, scope: 'photos:read' }), ...at],
        3,
        new RegExp(`${FILES}`),
      ],
      [['GET', `http://${GATE}/open/a`, ...at], 0, /FORWARD/],
      [['GET', `http://${GATE}/nowhere`, ...at], 3, /404 no_route/],
      [['GET', `http://${GATE}/photos/a`, '--claims', '{', ...at], 2, /^$/],
      [['GET', `http://${GATE}/photos/a`, '--config', 'missing.yaml'], 2, /^$/],
      [['GET'], 2, /^$/],
    ] as const) {
      const ended = await commands.run(['explain', ...args])
      assert.equal(ended.code, code, `${args.join(' ')}: ${ended.stdout}${ended.stderr}`)
      assert.match(ended.stdout, text)
      assert.equal(ended.stderr === '', code !== 2, ended.stderr)
    }
  })

  it('needs no server and no store: a request without a token, or with a bad one, is denied', async () => {
    for (const [args, reason] of [
      [[], 'no_token'],
      [['--token', 'nonsense'], 'malformed_token'],
      [['--token', 'a b'], 'malformed_credential'],
    ] as const) {
      const ended = await commands.run(['explain', 'GET', '/photos/a', ...args])
      assert.equal(ended.code, 3, ended.stderr)
      assert.match(ended.stdout, new RegExp(reason))
    }
  })

  /** Requests around every edge of the file's rules. */
  const requests = fc.record({
    method: fc.constantFrom('GET', 'HEAD', 'PUT', 'DELETE', 'POST', 'PROPFIND', 'MOVE', 'OPTIONS'),
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
      expIn: fc.constantFrom(300, -30, -90),
    }),
    as: fc.constantFrom('token', 'claims'),
  })

  it('says what the gateway does, for whatever request', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const cases = fc.sample(requests, { seed, numRuns: 30 })
    const queue = cases.entries()
    const work = async (): Promise<void> => {
      for (const [i, { method, path, claims, as }] of queue) {
        const { expIn, ...rest } = claims
        const now = Math.floor(Date.now() / 1000)
        const all = {
          iss: gate.issuer,
          sub: 'sub-alice',
          client_id: 'cli',
          iat: now - 100,
          jti: `j${i}`,
          ...rest,
          exp: now + expIn,
        }
        const token = gate.token({ claims: all })
        const credential = as === 'token' ? ['--token', token] : ['--claims', JSON.stringify(all)]
        const told = await commands.run([
          'explain',
          method,
          `http://${GATE}${path}`,
          ...credential,
          '--json',
          '--config',
          file(),
        ])
        const live = await gate.ask(path, { method, token })
        const { verdict } = JSON.parse(told.stdout)
        const note = `seed ${seed}: ${method} ${path} ${JSON.stringify(all)}\n${told.stdout}\n${live.text}`
        assert.equal(told.code, live.status === 200 ? 0 : 3, note)
        if (live.status !== 200) {
          assert.equal(verdict.answer.status, live.status, note)
          if (method !== 'HEAD') assert.equal(verdict.reason, JSON.parse(live.body).reason, note)
          const challenge = fieldIn(verdict.answer.headers, 'www-authenticate')
          assert.equal(timeless(challenge), timeless(live.headers.get('www-authenticate')), note)
        } else if (method !== 'HEAD') {
          const { rawHeaders, url } = JSON.parse(live.body)
          assert.equal(verdict.upstream.url, `${upstream.url}${url}`, note)
          assert.deepEqual(known(verdict.upstream.headers), known(rawHeaders), note)
        }
      }
    }
    await Promise.all([work(), work()])
  })
})

describe('check and schema, from outside', () => {
  let commands: CommandLine
  before(() => {
    commands = commandLine(EMBEDDED)
  })
  after(() => commands.close())

  it('check: exit 0 when good; else every problem as FILE:LINE:COL: message, exit 2', async () => {
    assert.equal((await commands.run(['check'])).code, 0)
    assert.equal((await commands.run(['check', 'routes.yaml'])).code, 0)
    const bad = `${EMBEDDED.replace('name: Photos', 'nmae: Photos').replace('[photos:read] }]\n', '[photos:raed] }]\n    headers: { X-A: "${MISSING_ONE}" }\n')}
  - id: second
    upstream: http://127.0.0.1:9
  - id: third
    path: /oauth/x
    public: true
    upstream: http://127.0.0.1:9
`
    writeFileSync(join(commands.folder, 'bad.yaml'), bad)
    const ended = await commands.run(['check', 'bad.yaml'])
    assert.equal(ended.code, 2)
    const lines = `${ended.stdout}${ended.stderr}`.trim().split('\n')
    for (const line of lines) assert.match(line, /^bad\.yaml:\d+:\d+: \S/)
    const at = (text: string) => bad.slice(0, bad.indexOf(text)).split('\n').length
    for (const [text, word] of [
      ['nmae', /did you mean `name`/],
      ['photos:raed', /photos:raed/],
      ['${MISSING_ONE}', /MISSING_ONE/],
      ['- id: second', /resource/],
      ['/oauth/x', /oauth/],
    ] as const) {
      assert.ok(
        lines.some((line) => line.startsWith(`bad.yaml:${at(text)}:`) && word.test(line)),
        `${text} in\n${lines.join('\n')}`,
      )
    }
    assert.equal((await commands.run(['check', 'missing.yaml'])).code, 2)
    assert.equal((await commands.run(['serve', 'bad.yaml'])).code, 2)
  })

  it('schema is a JSON Schema that knows every key', async () => {
    const ended = await commands.run(['schema'])
    assert.equal(ended.code, 0)
    const schema = JSON.parse(ended.stdout)
    assert.match(schema.$schema, /json-schema\.org/)
    for (const key of [
      'public_url',
      'listen',
      'management',
      'tls',
      'trusted_proxies',
      'store',
      'access_log',
      'max_connections',
      'issuer',
      'trusted_issuers',
      'resources',
      'routes',
    ]) {
      assert.ok(key in schema.properties, key)
    }
    assert.equal(schema.additionalProperties, false)
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
