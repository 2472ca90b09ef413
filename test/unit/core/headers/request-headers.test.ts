import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { cgiName } from '../../../../src/core/headers/fields.ts'
import { createHeaderPolicy } from '../../../../src/core/headers/header-policy.ts'
import {
  hasPassed,
  tunnelProtocol,
  type UpstreamHeadersInput,
  upstreamRequestHeaders,
} from '../../../../src/core/headers/request-headers.ts'
import { clientOf } from '../clients.ts'
import { permitFor } from '../permits.ts'
import { ISSUER, protectedBy, READ, rule, sampleRoute, sampleToken, sampleUpstream } from '../samples.ts'

const elsewhere = sampleRoute({
  id: 'files',
  path: '/files',
  identity: 'remote-user',
  headers: [{ name: 'X-Tenant', claim: 'tenant' }],
  setHeaders: [{ name: 'X-Api-Key', value: 's3cret' }],
  stripHeaders: ['X-Session-Key'],
})
const photos = sampleRoute({ access: protectedBy([rule(READ, ['photos:read'])], ['/share/**']) })
const policy = createHeaderPolicy([photos, elsewhere])

function sent(
  rawHeaders: readonly string[],
  change: Partial<UpstreamHeadersInput> = {},
  trusted: string[] = [],
): string[] {
  const result = upstreamRequestHeaders({
    rawHeaders,
    method: 'GET',
    permit: permitFor(photos, sampleToken()),
    policy,
    client: clientOf(rawHeaders, trusted),
    upstream: sampleUpstream(),
    requestId: 'r-1',
    upgrade: false,
    via: '1.1 us',
    dav: { destination: undefined, if: undefined },
    ...change,
  })
  if ('fault' in result) throw new Error(result.fault)
  return result
}

/** Values of a name in CGI form, as the upstream would see it. */
function seen(headers: readonly string[], name: string): string[] {
  return headers.filter((_, i) => i % 2 === 1 && cgiName(headers[i - 1] ?? '') === cgiName(name))
}

const onPublic = { permit: permitFor(photos, undefined, '/photos/share/x') }

describe('strip, then add', () => {
  it('hop-by-hop fields go', () => {
    const headers = sent([
      'Connection',
      'close',
      'Keep-Alive',
      'x',
      'Proxy-Connection',
      'x',
      'Proxy-Authorization',
      'x',
      'Transfer-Encoding',
      'chunked',
      'Trailer',
      'x',
      'Upgrade',
      'websocket',
      'TE',
      'gzip',
      'Expect',
      '100-continue',
      'HTTP2-Settings',
      'x',
      'Proxy',
      'http://evil',
    ])
    for (const name of [
      'Connection',
      'Keep-Alive',
      'Proxy-Connection',
      'Proxy-Authorization',
      'Transfer-Encoding',
      'Trailer',
      'Upgrade',
      'TE',
      'Expect',
      'HTTP2-Settings',
      'Proxy',
    ]) {
      assert.deepEqual(seen(headers, name), [], name)
    }
  })
  it('what any Connection field names goes, in any case', () => {
    const headers = sent([
      'X-One',
      '1',
      'Connection',
      'x-ONE, keep-alive',
      'X-Two',
      '2',
      'connection',
      'X-Two,,',
      'X-Three',
      '3',
    ])
    assert.deepEqual([seen(headers, 'X-One'), seen(headers, 'X-Two'), seen(headers, 'X-Three')], [[], [], ['3']])
  })
  it('but Connection never takes away Host or what we add', () => {
    const headers = sent(['Connection', 'Host, X-Auth-Username, X-Forwarded-For, Authorization, X-Request-Id'])
    assert.deepEqual(seen(headers, 'Host'), ['127.0.0.1:2283'])
    assert.deepEqual(seen(headers, 'X-Auth-Username'), ['alice'])
    assert.deepEqual(seen(headers, 'X-Forwarded-For'), ['192.0.2.7'])
    assert.deepEqual(seen(headers, 'X-Request-Id'), ['r-1'])
    assert.deepEqual(seen(headers, 'Authorization'), [])
  })
  it('TE: trailers stays, alone', () => {
    assert.deepEqual(seen(sent(['TE', 'gzip, trailers;q=1', 'Connection', 'TE']), 'TE'), ['trailers'])
  })
  it('other fields keep order, case and duplicates', () => {
    const raw = ['Cookie', 'a', 'X-A', '1', 'x-a', '2', 'X-B', '', 'cookie', 'b']
    assert.deepEqual(sent(raw).slice(2, 2 + raw.length), raw)
  })
})

describe('names are compared in CGI form', () => {
  for (const name of [
    'X-Auth-Username',
    'x_auth_username',
    'X.Auth.Username',
    "X'Auth~Username",
    'X!AUTH|USERNAME',
    'X-Auth_Username',
  ]) {
    it(`${name} from the client never arrives`, () => {
      assert.deepEqual(seen(sent([name, 'root']), 'X-Auth-Username'), ['alice'])
    })
  }
  it('no header of any set, and none that another route sets, adds or strips', () => {
    for (const name of [
      'Remote-User',
      'remote_groups',
      'X-WEBAUTH-USER',
      'X.Forwarded.User',
      'X_Tenant',
      'x-api-key',
      'X-Session-Key',
      'X-Auth-Groups',
    ]) {
      const values = seen(sent([name, 'evil'], {}, ['192.0.2.0/24']), name)
      assert.ok(!values.includes('evil'), name)
    }
  })
  it('no framing field arrives, in whatever spelling: the forwarder writes what was understood', () => {
    const headers = sent(['Content_Length', '7', 'Content-Length', '5', 'Transfer_Encoding', 'chunked'])
    assert.deepEqual(seen(headers, 'Content-Length'), [])
    assert.deepEqual(seen(headers, 'Content_Length'), [])
    assert.deepEqual(seen(headers, 'Transfer-Encoding'), [])
  })
})

describe('public routes strip too', () => {
  it('every identity header', () => {
    const headers = sent(['X-Auth-Username', 'root', 'Remote_User', 'root', 'X-Api-Key', 'x'], onPublic)
    assert.deepEqual(
      [seen(headers, 'X-Auth-Username'), seen(headers, 'Remote-User'), seen(headers, 'X-Api-Key')],
      [[], [], []],
    )
  })
})

describe("the caller's token stops here", () => {
  it('on protected paths every Authorization does', () => {
    for (const value of ['Bearer x', 'DPoP x', 'Basic x'])
      assert.deepEqual(seen(sent(['Authorization', value]), 'Authorization'), [])
  })
  it('on public paths Bearer and DPoP do, other schemes pass', () => {
    for (const value of ['Bearer x', 'bearer', 'DPoP x', 'Bearer,x', 'Bearer\tx']) {
      assert.deepEqual(seen(sent(['Authorization', value], onPublic), 'Authorization'), [], value)
    }
    assert.deepEqual(seen(sent(['Authorization', 'Basic x'], onPublic), 'Authorization'), ['Basic x'])
  })
  it('on public paths a token or an app password of ours stops, whatever scheme it comes under and whoever the field is', () => {
    const claims = Buffer.from(JSON.stringify({ iss: ISSUER })).toString('base64url')
    const others = Buffer.from(JSON.stringify({ iss: 'https://other.example' })).toString('base64url')
    const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
    const own = [basic(`any:e30.${claims}.c2ln`), basic(`agp_${'A'.repeat(43)}:`), `Token agp_${'A'.repeat(43)}`]
    const route = sampleRoute({ access: photos.access, authorization: 'upstream' })
    const theirs = { permit: permitFor(route, undefined, '/photos/share/x') }
    for (const value of own)
      assert.deepEqual(seen(sent(['Authorization', value], onPublic), 'Authorization'), [], value)
    for (const value of [...own, `Bearer e30.${claims}.c2ln`, `DPoP e30.${claims}.c2ln`])
      assert.deepEqual(seen(sent(['Authorization', value], theirs), 'Authorization'), [], value)
    const foreign = basic(`any:e30.${others}.c2ln`)
    assert.deepEqual(seen(sent(['Authorization', foreign], onPublic), 'Authorization'), [foreign])
    const opaque = 'Bearer upstreams.own.token'
    assert.deepEqual(seen(sent(['Authorization', opaque], theirs), 'Authorization'), [opaque])
  })
  it('a ticket stops in every field that tells the address of a page', () => {
    for (const name of ['Referer', 'Ping-From', 'ping-to', 'HX-Current-URL'])
      assert.deepEqual(seen(sent([name, 'http://h/a?audgate%5Fticket=x&b']), name), ['http://h/a?b'])
  })
  it('and so does a DPoP proof', () => assert.deepEqual(seen(sent(['DPoP', 'p'], onPublic), 'DPoP'), []))
})

describe('forwarding headers', () => {
  const forged = [
    'Forwarded',
    'for=1.1.1.1',
    'X-Forwarded-For',
    '1.1.1.1',
    'X-Forwarded-Host',
    'evil',
    'X.Forwarded.Proto',
    'http',
    'X-Forwarded-Port',
    '1',
    'X_Forwarded_Prefix',
    '/evil',
    'X-Real-IP',
    '1.1.1.1',
    'X-Original-URL',
    '/admin',
    'X-Original-Host',
    'evil',
    'X-Rewrite-URL',
    '/admin',
    'X-Forwarded-Anything',
    'x',
    'X-Request-Id',
    'theirs',
  ]
  it('are made from the socket; those of others are dropped, whole families', () => {
    const headers = sent(forged)
    assert.deepEqual(
      headers.filter((text) => text.includes('evil') || text.includes('1.1.1.1') || text === 'theirs'),
      [],
    )
    for (const name of [
      'Forwarded',
      'X-Forwarded-Port',
      'X-Real-IP',
      'X-Original-URL',
      'X-Original-Host',
      'X-Rewrite-URL',
      'X-Forwarded-Anything',
    ]) {
      assert.deepEqual(seen(headers, name), [], name)
    }
    assert.deepEqual(seen(headers, 'X-Forwarded-For'), ['192.0.2.7'])
    assert.deepEqual(seen(headers, 'X-Forwarded-Host'), ['gate.example.com:8443'])
    assert.deepEqual(seen(headers, 'X-Forwarded-Proto'), ['https'])
    assert.deepEqual(seen(headers, 'X-Forwarded-Prefix'), ['/photos'])
    assert.deepEqual(seen(headers, 'X-Request-Id'), ['r-1'])
  })
  it('pass from a trusted proxy under the name that it gives them, not under one that its own client may have spelled', () => {
    const fields = ['X-Real-IP', '1.1.1.1', 'X_Real_IP', 'forged', 'x.real.ip', 'forged', 'OIDC_CLAIM_sub', 'alice']
    const headers = sent(fields, {}, ['192.0.2.0/24'])
    assert.deepEqual(seen(headers, 'X-Real-IP'), ['1.1.1.1'])
    assert.deepEqual(seen(headers, 'OIDC_CLAIM_sub'), ['alice'])
  })
  it('are continued behind a trusted proxy', () => {
    const headers = sent(
      [
        'X-Forwarded-For',
        '203.0.113.9',
        'X-Forwarded-Host',
        'www.example.com',
        'X-Forwarded-Proto',
        'http',
        'X-Forwarded-Prefix',
        '/outer/',
        'X-Real-IP',
        '203.0.113.9',
      ],
      {},
      ['192.0.2.0/24'],
    )
    assert.deepEqual(seen(headers, 'X-Forwarded-For'), ['203.0.113.9, 192.0.2.7'])
    assert.deepEqual(seen(headers, 'X-Forwarded-Host'), ['www.example.com'])
    assert.deepEqual(seen(headers, 'X-Forwarded-Proto'), ['http'])
    assert.deepEqual(seen(headers, 'X-Forwarded-Prefix'), ['/outer/photos'])
    assert.deepEqual(seen(headers, 'X-Real-IP'), ['203.0.113.9'])
  })
  it('leave what only looks like one of them', () => {
    const others = [
      'Content-Type',
      'Remote',
      'X-Content-Type-Options',
      'X-Requested-With',
      'Range',
      'X-Auth-Token',
      'X-Api-Version',
      'Depth',
      'X-Client-Info',
      'Server-Timing',
      'X-Plex-Token',
    ]
    for (const name of others) assert.equal(policy.dispositionOf(name), 'pass', name)
    assert.equal(policy.dispositionOf('Content_Type'), 'hop')
  })
  it('that move a request to another path never pass, not even from a trusted proxy', () => {
    const headers = sent(['X-Original-URL', '/admin', 'x_rewrite_url', '/admin'], {}, ['192.0.2.0/24'])
    assert.deepEqual(
      headers.filter((text) => text === '/admin'),
      [],
    )
  })
  it('have no prefix where the path is not stripped', () => {
    const whole = sampleRoute({ stripPath: false })
    assert.deepEqual(seen(sent([], { permit: permitFor(whole, sampleToken()) }), 'X-Forwarded-Prefix'), [])
  })
})

describe('what a route adds', () => {
  it('stands once: set_headers over headers over the identity set over ours', () => {
    const route = sampleRoute({
      headers: [
        { name: 'X-Auth-Username', claim: 'email' },
        { name: 'X-Kind', text: 'photo' },
      ],
      setHeaders: [
        { name: 'X_Auth_Groups', value: 'fixed' },
        { name: 'X-Forwarded-Proto', value: 'https!' },
      ],
    })
    const permit = permitFor(route, sampleToken({ claims: { email: 'a@example.com' } }))
    const headers = sent([], { permit, policy: createHeaderPolicy([route]) })
    assert.deepEqual(seen(headers, 'X-Auth-Username'), ['a@example.com'])
    assert.deepEqual(seen(headers, 'X-Auth-Groups'), ['fixed'])
    assert.deepEqual(seen(headers, 'X-Forwarded-Proto'), ['https!'])
    assert.deepEqual(seen(headers, 'X-Kind'), ['photo'])
  })
  it('fixed texts go to public paths too, claims do not', () => {
    const route = sampleRoute({
      access: { kind: 'public' },
      headers: [
        { name: 'X-Tenant', claim: 'tenant' },
        { name: 'X-Kind', text: 'photo' },
      ],
      setHeaders: [{ name: 'X-Api-Key', value: 'k' }],
    })
    const headers = sent(['X-Tenant', 'evil'], {
      permit: permitFor(route, undefined),
      policy: createHeaderPolicy([route]),
    })
    assert.deepEqual(
      [seen(headers, 'X-Tenant'), seen(headers, 'X-Kind'), seen(headers, 'X-Api-Key')],
      [[], ['photo'], ['k']],
    )
  })
  it('the token of one person is never remembered for another', () => {
    for (const username of ['alice', 'bob', 'alice']) {
      const permit = permitFor(photos, sampleToken({ username }))
      assert.deepEqual(seen(sent([], { permit }), 'X-Auth-Username'), [username])
    }
  })
  it('Host is the upstream\u2019s, or the client\u2019s with preserve_host', () => {
    const route = sampleRoute({ preserveHost: true })
    assert.deepEqual(seen(sent(['Host', 'x']), 'Host'), ['127.0.0.1:2283'])
    assert.deepEqual(seen(sent(['Host', 'x'], { permit: permitFor(route, sampleToken()) }), 'Host'), [
      'gate.example.com:8443',
    ])
  })
})

describe('Via', () => {
  it('tells the upstream whom a request has passed, us last, and comes from a route’s own header where it has one', () => {
    assert.deepEqual(seen(sent(['Via', '1.0 a, 1.1 b (x)']), 'Via'), ['1.0 a, 1.1 b (x)', '1.1 us'])
    assert.deepEqual(seen(sent(['Via', '1.0 a', 'Connection', 'Via']), 'Via'), ['1.1 us'])
    const own = permitFor(sampleRoute({ setHeaders: [{ name: 'Via', value: '1.1 own' }] }), sampleToken())
    assert.deepEqual(seen(sent([], { permit: own }), 'Via'), ['1.1 own'])
  })
  it('that names us is told, however it is spelled', () => {
    for (const value of ['1.1 us', '1.0 a,1.1\tUS', 'HTTP/1.1 us (comment)', ', , 1.1 us'])
      assert.ok(hasPassed(['vIA', value], 'us'), value)
    for (const value of ['1.1 us2', '1.1 them (us)', 'us', '1.1 us.example'])
      assert.ok(!hasPassed(['Via', value], 'us'), value)
    assert.ok(hasPassed(['Via', '1.1 a', 'Via', '1.1 us'], 'us'))
  })
})

describe('an upgrade', () => {
  it('keeps Upgrade and says so in Connection', () => {
    const headers = sent(['Connection', 'keep-alive, Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Key', 'k'], {
      upgrade: true,
    })
    assert.deepEqual(
      [seen(headers, 'Upgrade'), seen(headers, 'Connection'), seen(headers, 'Sec-WebSocket-Key')],
      [['websocket'], ['Upgrade'], ['k']],
    )
  })
  it('is tunnelled only to protocols that carry no further HTTP requests', () => {
    assert.equal(tunnelProtocol(['upgrade', 'websocket']), 'websocket')
    for (const value of [
      'h2c',
      'H2C',
      'h2c-14',
      'HTTP/2.0',
      'TLS/1.2',
      'SPDY/3.1',
      'ICAP/1.0',
      'websocket, h2c',
      'h2',
      '',
    ]) {
      assert.equal(tunnelProtocol(['Upgrade', value]), undefined, value)
    }
    assert.equal(tunnelProtocol(['Upgrade', 'websocket', 'Upgrade', 'h2c']), undefined)
    assert.equal(tunnelProtocol([]), undefined)
  })
})

describe('a request that may be answered with hrefs', () => {
  it('asks for identity encoding where the path is stripped', () => {
    assert.deepEqual(seen(sent(['Accept-Encoding', 'gzip'], { method: 'PROPFIND' }), 'Accept-Encoding'), ['identity'])
    assert.deepEqual(seen(sent(['Accept-Encoding', 'gzip']), 'Accept-Encoding'), ['gzip'])
    const whole = { permit: permitFor(sampleRoute({ stripPath: false }), sampleToken()), method: 'PROPFIND' }
    assert.deepEqual(seen(sent(['Accept-Encoding', 'gzip'], whole), 'Accept-Encoding'), ['gzip'])
  })
})

describe('memory has a bound', () => {
  it('names beyond count are judged alike', () => {
    for (let i = 0; i < 5000; i++) assert.equal(policy.dispositionOf(`X-Random-${i}`), 'pass')
    assert.equal(policy.dispositionOf('X_AUTH.USERNAME'), 'protected')
  })
})

describe('a login of the connection', () => {
  it('never passes, for the connection to the upstream is not the client\u2019s own', () => {
    for (const value of ['NTLM TlRMTVNT', 'negotiate YII=', 'Negotiate', 'Kerberos x'])
      assert.deepEqual(seen(sent(['Authorization', value], onPublic), 'Authorization'), [], value)
  })
})
