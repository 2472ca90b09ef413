import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { photosRoute, startGateway, type TestGateway, yamlOf } from '../../support/gateway-under-test.ts'
import { makeKey, mintToken } from '../../support/keys.ts'
import { type CommandLine, commandLine } from '../../support/programs/command-line.ts'
import { rawRequest, startUpstream, type TestUpstream } from '../../support/upstreams.ts'

const PHOTOS = 'https://gate.example.com/photos'

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

describe('explain and the gateway', () => {
  let upstream: TestUpstream
  let gateway: TestGateway
  let command: CommandLine

  before(async () => {
    upstream = await startUpstream()
    const yaml = yamlOf(photosRoute(upstream.url))
    gateway = await startGateway({ yaml })
    command = commandLine(yaml.replaceAll('$KEYS', join(gateway.folder, 'keys.json')))
  })
  after(async () => {
    command.close()
    await gateway.close()
    await upstream.close()
  })

  it('say the same of every request', async () => {
    const tokens = [
      undefined,
      gateway.token(),
      gateway.token({ claims: { scope: 'photos:write' } }),
      gateway.token({ claims: { aud: 'https://gate.example.com/photos/' } }),
      gateway.token({ now: 1_000_000 }),
      'abc',
    ]
    for (const token of tokens) {
      for (const [method, path] of [
        ['GET', '/photos/a'],
        ['DELETE', '/photos/a'],
        ['GET', '/photos//a'],
      ] as const) {
        const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`
        const live = await rawRequest(
          gateway.port,
          `${method} ${path} HTTP/1.1\r\nHost: gate.example.com\r\n${authorization}\r\n`,
        )
        const args = token === undefined ? [] : ['--token', token]
        const { verdict } = JSON.parse((await command.run(['explain', method, path, '--json', ...args])).stdout)
        if (live.status === 200) assert.equal(verdict.outcome, 'forward')
        else assert.equal(verdict.reason, JSON.parse(live.body).reason, `${method} ${path}`)
      }
    }
  })
})

describe('audgate explain of what no route of the file answers', () => {
  let command: CommandLine
  before(() => {
    const route = '{ id: a, host: a.example.com, path: /a, public: true, upstream: "http://127.0.0.1:9" }'
    command = commandLine(`public_url: https://gate.example.com\nresources: []\nroutes: [${route}]\n`)
  })
  after(() => command.close())

  const run = (method: string, path: string, scope: string) => {
    const claims = { aud: 'https://gate.example.com/admin/api', scope }
    return command.run(['explain', method, `/admin/api/v1/${path}`, '--claims', JSON.stringify(claims)])
  }

  it('a route is told by its host as requests are, without a port', async () => {
    const { stdout } = await command.run(['explain', 'GET', 'https://A.example.com:8443/b'])
    assert.match(stdout, /got: +none \(a: other path\)/)
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
