import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { photosRoute, startGateway, type TestGateway, yamlOf } from '../../support/gateway-under-test.ts'
import { fieldsOf, rawRequest, type Seen, startUpstream, type TestUpstream } from '../../support/upstreams.ts'

describe('what the upstream sees', () => {
  let upstream: TestUpstream
  let gateway: TestGateway
  let trusting: TestGateway

  before(async () => {
    upstream = await startUpstream()
    const more = `    public: [/share/**]
    headers: { X-Tenant: "claim:tenant", X-Fixed: yes-it-is }
    strip_headers: [X-Api-Token]
    set_headers: { X-Api-Key: "\${PHOTOS_API_KEY}" }`
    const routes = `${photosRoute(upstream.url, more)}
  - { id: open, path: /open, public: true, upstream: "${upstream.url}", preserve_host: true }
  - { id: remote, path: /remote, resource: "https://gate.example.com/photos", upstream: "${upstream.url}", identity: remote-user, rules: [{ methods: [any], scopes: [photos:read] }] }`
    const env = { PHOTOS_API_KEY: 'the-key' }
    gateway = await startGateway({ yaml: yamlOf(routes), env })
    trusting = await startGateway({ yaml: yamlOf(routes, 'trusted_proxies: [127.0.0.1]'), env })
  })
  after(async () => {
    await gateway.close()
    await trusting.close()
    await upstream.close()
  })

  async function seen(path: string, fields: string, token?: string, at = gateway): Promise<Seen> {
    const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`
    const answer = await rawRequest(
      at.port,
      `GET ${path} HTTP/1.1\r\nHost: gate.example.com\r\n${authorization}${fields}\r\n`,
    )
    assert.equal(answer.status, 200, answer.text)
    return JSON.parse(answer.body)
  }

  const valuesOf = (request: Seen, name: string) => fieldsOf(request.rawHeaders, name)

  const SPELLINGS = [
    'X-Auth-Username',
    'x_auth_username',
    'X.Auth.Username',
    'X-Auth_Username',
    'X~AUTH!username',
    "X'Auth*Username",
  ]

  it('law: names are compared in CGI form', async () => {
    const fields = SPELLINGS.map((name) => `${name}: mallory\r\n`).join('')
    const request = await seen('/photos/a', fields, gateway.token())
    const names = request.rawHeaders.filter((name, i) => i % 2 === 0 && /^x.auth.username$/i.test(name))
    assert.deepEqual(names, ['X-Auth-Username'])
    assert.deepEqual(valuesOf(request, 'X-Auth-Username'), ['alice'])
  })

  it('RFC 9110 §7.6.3: Via says that a request has passed us, and one that has is told so: 508 loop', async () => {
    const [via = ''] = valuesOf(await seen('/open/a', ''), 'Via')
    assert.match(via, /^1\.1 audgate-[0-9a-f]{12}$/)
    for (const path of ['/open/a', '/photos/a', '/.well-known/oauth-protected-resource/photos', '/nowhere']) {
      const answer = await rawRequest(
        gateway.port,
        `POST ${path} HTTP/1.1\r\nHost: gate.example.com\r\nVia: 1.0 other, ${via}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
      )
      assert.equal(answer.status, 508, path)
      assert.equal(JSON.parse(answer.body).reason, 'loop')
    }
  })

  it('a route that leads to the gateway itself ends at its second pass', async () => {
    const routes = (port: number) =>
      yamlOf(`  - { id: self, path: /, public: true, upstream: "http://127.0.0.1:${port}" }`)
    const looping = await startGateway({ yaml: routes(9) })
    await looping.server.reload(looping.decode(routes(looping.port)))
    const answer = await fetch(`${looping.url}/a`, { headers: { connection: 'close' } })
    await answer.text()
    await looping.close()
    assert.deepEqual([answer.status, looping.requests().length], [508, 2])
  })

  it('law: public routes strip too', async () => {
    const fields = [
      ...SPELLINGS,
      'Remote-User',
      'X-WEBAUTH-USER',
      'X_Forwarded_User',
      'X-Tenant',
      'X-Api-Key',
      'X.Api.Key',
      'X-Api-Token',
    ]
    for (const path of ['/open/a', '/photos/share/a']) {
      const request = await seen(path, fields.map((name) => `${name}: mallory\r\n`).join(''))
      assert.ok(!request.rawHeaders.includes('mallory'), `${path}: ${request.rawHeaders}`)
    }
  })

  it('no header of any set comes from the client, whichever set the route uses', async () => {
    const request = await seen(
      '/remote/a',
      'X-Auth-Groups: admin\r\nX-Forwarded-Groups: admin\r\nRemote-Email: a\r\n',
      gateway.token(),
    )
    assert.deepEqual(valuesOf(request, 'Remote-User'), ['alice'])
    assert.deepEqual(valuesOf(request, 'X-Auth-Groups'), [])
    assert.deepEqual(valuesOf(request, 'X-Forwarded-Groups'), [])
    assert.deepEqual(valuesOf(request, 'Remote-Email'), [])
  })

  it('an absent claim sends no header, and the client’s does not take its place', async () => {
    const request = await seen(
      '/photos/a',
      'X-Auth-Groups: admin\r\nX-Tenant: other\r\n',
      gateway.token({ claims: { groups: undefined } }),
    )
    assert.deepEqual(valuesOf(request, 'X-Auth-Groups'), [])
    assert.deepEqual(valuesOf(request, 'X-Tenant'), [])
  })

  it('law: strip, then add; Connection can’t take our headers away', async () => {
    const fields =
      'Connection: keep-alive, X-Auth-Username, X-Api-Key, X-Forwarded-For, X-Mine\r\nConnection: X-Forwarded-Proto, Host\r\nX-Mine: 1\r\nKeep-Alive: 1\r\n'
    const request = await seen('/photos/a', fields, gateway.token({ claims: { tenant: 'blue' } }))
    assert.deepEqual(valuesOf(request, 'X-Auth-Username'), ['alice'])
    assert.deepEqual(valuesOf(request, 'X-Api-Key'), ['the-key'])
    assert.deepEqual(valuesOf(request, 'X-Tenant'), ['blue'])
    assert.deepEqual(valuesOf(request, 'X-Forwarded-For'), ['127.0.0.1'])
    assert.deepEqual(valuesOf(request, 'X-Forwarded-Proto'), ['http'])
    assert.deepEqual(valuesOf(request, 'X-Mine'), [])
    assert.deepEqual(valuesOf(request, 'Keep-Alive'), [])
    assert.equal(valuesOf(request, 'Host').length, 1)
  })

  it('law: the caller’s token stops here', async () => {
    const token = gateway.token()
    const request = await seen('/photos/a', '', token)
    assert.ok(!JSON.stringify(request).includes(token))
    const onPublic = await seen('/open/a', '', token)
    assert.deepEqual(valuesOf(onPublic, 'Authorization'), [])
    const basic = await seen('/open/a', 'Authorization: Basic YTpi\r\n')
    assert.deepEqual(valuesOf(basic, 'Authorization'), ['Basic YTpi'])
  })

  it('a token in the query is no credential, and the query stays out of the log', async () => {
    const token = gateway.token()
    const answer = await rawRequest(gateway.port, `GET /photos/a?access_token=${token} HTTP/1.1\r\nHost: a\r\n\r\n`)
    assert.equal(answer.status, 401)
    assert.ok(!JSON.stringify(gateway.log).includes(token))
  })

  it('forwarding headers of an untrusted peer are dropped, the whole families', async () => {
    const names = [
      'Forwarded',
      'X-Forwarded-For',
      'X_Forwarded_For',
      'X-Forwarded-Host',
      'X-Forwarded-Port',
      'X-Forwarded-Prefix',
      'X.Forwarded.Proto',
      'X-Real-IP',
      'X-Original-URL',
      'X-Original-Foo',
      'X-Rewrite-URL',
      'X-Request-Id',
    ]
    const request = await seen('/open/a', names.map((name) => `${name}: spoofed\r\n`).join(''))
    assert.ok(!request.rawHeaders.includes('spoofed'), request.rawHeaders.join(' '))
    assert.deepEqual(valuesOf(request, 'X-Forwarded-Host'), ['gate.example.com'])
    assert.equal(valuesOf(request, 'X-Request-Id').length, 1)
  })

  it('what moves a request elsewhere never arrives, from a trusted proxy neither, in no trailer', async () => {
    const names = [
      'SCRIPT_NAME',
      'Path-Info',
      'X-Script-Name',
      'X-HTTP-Method-Override',
      'X.Method.Override',
      'X-Rewrite-URL',
    ]
    const fields = names.map((name) => `${name}: moved\r\n`).join('')
    const chunked = `Transfer-Encoding: chunked\r\nTrailer: ${names.join(', ')}\r\n\r\n2\r\nhi\r\n0\r\n${fields}`
    for (const at of [gateway, trusting]) {
      for (const path of ['/open/a', '/photos/share/a']) {
        const request = await seen(path, `${fields}${chunked}`, undefined, at)
        assert.ok(!request.rawHeaders.includes('moved'), `${path}: ${request.rawHeaders}`)
        assert.deepEqual(request.rawTrailers, [])
      }
    }
  })

  it('behind a trusted proxy they are continued', async () => {
    const fields =
      'X-Forwarded-For: 192.0.2.1, 10.9.9.9\r\nX-Forwarded-Host: www.example.com\r\nX-Forwarded-Proto: https\r\nX-Request-Id: from-proxy\r\n'
    const request = await seen('/open/a', fields, undefined, trusting)
    assert.deepEqual(valuesOf(request, 'X-Forwarded-For'), ['192.0.2.1, 10.9.9.9, 127.0.0.1'])
    assert.deepEqual(valuesOf(request, 'X-Forwarded-Host'), ['www.example.com'])
    assert.deepEqual(valuesOf(request, 'X-Forwarded-Proto'), ['https'])
    assert.deepEqual(valuesOf(request, 'X-Request-Id'), ['from-proxy'])
    assert.deepEqual(valuesOf(request, 'Host'), ['www.example.com'])
    assert.equal(trusting.requests().at(-1)?.request_id, 'from-proxy')
    assert.equal(trusting.requests().at(-1)?.address, '10.9.9.9')
  })

  it('Host is the upstream’s, or the client’s with preserve_host', async () => {
    assert.deepEqual(valuesOf(await seen('/photos/share/a', ''), 'Host'), [`127.0.0.1:${upstream.port}`])
    assert.deepEqual(valuesOf(await seen('/open/a', ''), 'Host'), ['gate.example.com'])
  })

  it('values that no header can carry as they are come percent-encoded, and no two look alike', async () => {
    const claims = { username: 'ä,%', groups: ['a,b', 'c'], name: 'Ada Lovelace' }
    const request = await seen('/photos/a', '', gateway.token({ claims }))
    assert.deepEqual(valuesOf(request, 'X-Auth-Username'), ['%C3%A4,%25'])
    assert.deepEqual(valuesOf(request, 'X-Auth-Groups'), ['a%2Cb,c'])
    assert.deepEqual(valuesOf(request, 'X-Auth-Name'), ['Ada Lovelace'])
  })

  it('an Upgrade that is no tunnel’s goes as an ordinary request, without the field', async () => {
    const request = await seen(
      '/open/a',
      'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n',
    )
    assert.deepEqual(valuesOf(request, 'Upgrade'), [])
    assert.deepEqual(valuesOf(request, 'HTTP2-Settings'), [])
  })
})
