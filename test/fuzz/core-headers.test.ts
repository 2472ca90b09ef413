import assert from 'node:assert/strict'
import { describe } from 'node:test'
import fc from 'fast-check'
import { renderAnswer } from '../../src/core/answer.ts'
import { extractCredential } from '../../src/core/credential.ts'
import { challengeHeader, denial } from '../../src/core/denial.ts'
import { cgiName } from '../../src/core/headers/fields.ts'
import { createHeaderPolicy } from '../../src/core/headers/header-policy.ts'
import { encodeValue, identityHeaders } from '../../src/core/headers/identity.ts'
import { upstreamRequestHeaders } from '../../src/core/headers/request-headers.ts'
import { clientFieldLines, clientResponseHeaders } from '../../src/core/headers/response-headers.ts'
import type { Route } from '../../src/core/route.ts'
import { clientOf } from '../unit/core/clients.ts'
import { permitFor } from '../unit/core/permits.ts'
import { protectedBy, rule, sampleRoute, sampleToken, sampleUpstream } from '../unit/core/samples.ts'
import { holds } from './core-property.ts'

const open = sampleRoute({ id: 'open', path: '/open', access: { kind: 'public' }, identity: 'none' })
const photos = sampleRoute({ access: protectedBy([rule('any', ['photos:read'])]) })
const elsewhere = sampleRoute({
  id: 'files',
  path: '/files',
  headers: [{ name: 'X-Tenant', claim: 'tenant' }],
  setHeaders: [{ name: 'X-Api-Key', value: 's3cret' }],
  stripHeaders: ['X-Session'],
})
const policy = createHeaderPolicy([open, photos, elsewhere])

function sent(route: Route, rawHeaders: readonly string[], upgrade = false, trusted: readonly string[] = []): string[] {
  const headers = upstreamRequestHeaders({
    ...{ rawHeaders, method: 'GET', policy, upgrade, requestId: 'r-1', upstream: sampleUpstream() },
    permit: permitFor(route, route === open ? undefined : sampleToken()),
    client: clientOf(rawHeaders, trusted),
    via: '1.1 us',
    dav: { destination: undefined, if: undefined },
  })
  assert.ok(!('fault' in headers))
  return headers
}

function names(headers: readonly string[]): string[] {
  return headers.filter((_, i) => i % 2 === 0)
}

const PUNCTUATION = [..."!#$%&'*+-.^_`|~"]
const TCHAR = [...PUNCTUATION, ...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789']
const token = fc.string({ unit: fc.constantFrom(...TCHAR), minLength: 1, maxLength: 24 })

/** A name whose CGI form is that of `name`. */
function spelledLike(name: string): fc.Arbitrary<string> {
  const chars = [...name].map((char) =>
    /[a-z0-9]/i.test(char) ? fc.constantFrom(char.toLowerCase(), char.toUpperCase()) : fc.constantFrom(...PUNCTUATION),
  )
  return fc.tuple(...chars).map((all) => all.join(''))
}

const FAMILIES = [
  'forwarded',
  'x-real-ip',
  'x-rewrite-url',
  'x-forwarded-for',
  'x-forwarded-port',
  'x-original-url',
  'x-forwarded-x',
]
const guarded = fc.constantFrom(...policy.protectedNames, ...FAMILIES).chain(spelledLike)
const usual = fc.constantFrom(
  'Cookie',
  'Accept',
  'X-One',
  'Connection',
  'TE',
  'Upgrade',
  'Range',
  'Content-Length',
  'Authorization',
)
const value = fc.constantFrom('x', 'keep-alive', 'X-Auth-Username', 'Content-Length, Host', 'websocket', 'trailers')
const field = fc.tuple(fc.oneof(usual, token, guarded), value)
const fields = fc.array(field, { maxLength: 20 }).map((pairs) => pairs.flat())

describe('a header that is not the client\u2019s to send', () => {
  holds(
    'never arrives, in no spelling, on no route, wherever it stands and whatever Connection says',
    [guarded, fields, fields, fc.constantFrom(open, photos), fc.boolean()],
    (name, before, after, route, upgrade) => {
      const headers = sent(route, [...before, name, 'forged-value', ...after], upgrade)
      assert.ok(!headers.includes('forged-value'), name)
    },
    2000,
  )
  holds('never stands beside ours: each name of ours is there once', [fields, fc.boolean()], (raw, upgrade) => {
    const arrived = names(sent(photos, raw, upgrade)).map(cgiName)
    for (const ours of [
      'host',
      'x_auth_username',
      'x_auth_subject',
      'x_forwarded_for',
      'x_forwarded_proto',
      'x_request_id',
    ]) {
      assert.equal(arrived.filter((name) => name === ours).length, 1, ours)
    }
  })
  holds(
    'of an identity set does not come from a trusted proxy either',
    [fc.constantFrom(...policy.protectedNames).chain(spelledLike), fields],
    (name, raw) => {
      assert.ok(!sent(photos, [name, 'forged-value', ...raw], false, ['192.0.2.0/24']).includes('forged-value'), name)
    },
  )
})

// RFC 3875 §4.1, and what servers of several kinds obey.
const MOVING = [
  ...['AUTH_TYPE', 'GATEWAY_INTERFACE', 'PATH_INFO', 'PATH_TRANSLATED', 'QUERY_STRING', 'REMOTE_ADDR', 'REMOTE_HOST'],
  ...['REMOTE_IDENT', 'REMOTE_USER', 'REQUEST_METHOD', 'SCRIPT_NAME', 'SERVER_NAME', 'SERVER_PORT', 'SERVER_PROTOCOL'],
  ...['SERVER_SOFTWARE', 'REQUEST_URI', 'DOCUMENT_ROOT', 'SCRIPT_FILENAME'],
].flatMap((name) => [name, `X_${name}`, `HTTP_${name}`])
const OBEYED = [
  ...['X-Content-Type', 'X-Content-Length', 'X-Original-URL', 'X-Original-URI', 'X-Original-Method', 'X-Original-Host'],
  ...['X-Rewrite-URL', 'X-Rewrite-Anything', 'X-Override-URL', 'X-HTTP-DestinationURL', 'X-Envoy-Original-Path'],
  ...[
    'X-Ingress-Path',
    'X-Accel-Mapping',
    'X-Accel-Redirect',
    'X-Sendfile-Type',
    'X-Forwarded-Path',
    'X-Forwarded-Uri',
  ],
  ...['X-Forwarded-Method', 'X-Host', 'X-HTTP-Host-Override', 'X-HTTP-Method', 'X-HTTP-Method-Override'],
  ...['X-Method-Override', 'X-Remote-Group', 'X-WEBAUTH-ROLE', 'Impersonate-User', 'X-Auth-Request-Email', 'Proxy'],
  ...['X-Vhm-Root', 'Repoze-Vhm-Root', 'X-Traversal-Path', 'X-Request-Base', 'X-Replaced-Path', 'X-Astro-Path', 'URL'],
  ...['Base-Url', 'Http-Url', 'X-Override-Method', 'X-Request-Host', 'X-Virtual-Host', 'X-Auth-User', 'X-Auth-UserId'],
  ...['Auth-User', 'Logon-User', 'X-Iisnode-Auth_User', 'MS-ASPNETCORE-WINAUTHTOKEN', 'X-Anonymous-Consumer'],
  ...['X-Middleware-Subrequest', 'HTTP-Host', 'Http-X-Auth-Username', 'X-Forwarded-Host', 'X-Forwarded-Proto'],
]
const moving = fc.constantFrom(...MOVING, ...OBEYED).chain(spelledLike)
const ADDRESSES = [
  ...['Forwarded', 'X-Forwarded', 'X-Forwarded-Anything', 'X-Real-IP', 'Client-IP', 'True-Client-IP', 'X-Client-IP'],
  ...['CF-Connecting-IP', 'CF-Connecting-IPv6', 'X-Cluster-Client-IP', 'X-Scheme', 'Front-End-Https'],
  ...[
    'X-SSL-Client-Verify',
    'SSL-Client-Cert',
    'X-ARR-ClientCert',
    'Client-Cert',
    'Real-IP',
    'X-Forward-For',
    'X-True-IP',
    'CDN-Src-IP',
    'X-TLS-Client-Cert',
    'OIDC_CLAIM_sub',
    'Shib-Identity-Provider',
    'SM_USER',
    'iv-user',
    'X-Idp-User',
    'Fastly-Client-IP',
    'WL-Proxy-Client-IP',
  ],
]

describe('a field that moves a request to another path, host, method or person', () => {
  holds(
    'never arrives: in no spelling, on no route, from no peer',
    [moving, fields, fields, fc.constantFrom(open, photos), fc.boolean(), fc.boolean()],
    (name, before, after, route, upgrade, trusted) => {
      const raw = [...before, name, 'forged-value', ...after]
      const headers = sent(route, raw, upgrade, trusted ? ['192.0.2.0/24'] : [])
      const mine = headers.filter(
        (text, i) => text === 'forged-value' && !/^x.forwarded.(host|proto)$/i.test(headers[i - 1] ?? ''),
      )
      assert.deepEqual(mine, [], name)
      if (!trusted) assert.ok(!headers.includes('forged-value'), name)
    },
    3000,
  )
  holds(
    'comes from trusted proxies alone, under the name that it is known by, where it only says who is at the other end',
    [
      fc.constantFrom(...ADDRESSES).chain((name) => fc.tuple(fc.constant(name), spelledLike(name))),
      fields,
      fc.constantFrom(open, photos),
    ],
    ([name, spelled], raw, route) => {
      assert.ok(!sent(route, [...raw, spelled, 'forged-value']).includes('forged-value'), spelled)
      const passed = sent(route, [name, 'proxys-value', spelled, 'forged-value'], false, ['192.0.2.0/24'])
      assert.ok(passed.includes('proxys-value'), name)
      const isUsual = /^[a-z0-9-]+$/i.test(spelled) || spelled.toLowerCase() === name.toLowerCase()
      assert.ok(isUsual || !passed.includes('forged-value') || /^(oidc|sm|shib|ssl)_/i.test(spelled), spelled)
    },
  )
})

describe('Connection', () => {
  const listed = fc.array(token, { minLength: 1, maxLength: 6 })
  holds(
    'takes away every field that it names, and no other',
    [listed, listed, fc.array(fc.constantFrom(' ', '\t', ','), { maxLength: 3 })],
    (named, others, padding) => {
      const lower = new Set(named.map((name) => name.toLowerCase()))
      const raw = [...named, ...others].flatMap((name) => [name, 'v'])
      const headers = sent(photos, [...raw, 'Connection', named.join(`${padding.join('')},`)])
      const passing = names(headers).filter((_, i) => headers[i * 2 + 1] === 'v')
      const expected = others.filter((name) => !lower.has(name.toLowerCase()) && policy.dispositionOf(name) === 'pass')
      assert.deepEqual(passing, expected)
    },
  )
})

describe('an identity value', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('a', ' ', ',', '%', '2', 'C', '\u00fc') }),
  )
  holds(
    'survives every reader that trims, and tells any two texts apart',
    [text, text, fc.boolean()],
    (one, two, inList) => {
      const [a, b] = [encodeValue(one, inList), encodeValue(two, inList)]
      if (a === undefined || b === undefined) return
      assert.equal(a.trim(), a)
      assert.match(a, /^[ -~]*$/)
      assert.equal(a === b, one === two)
      assert.equal(decodeURIComponent(a), one)
    },
  )
  const groups = fc.array(
    text.filter((each) => each !== ''),
    { maxLength: 4 },
  )
  holds('tells any two lists apart', [groups, groups], (one, two) => {
    const [a, b] = [one, two].map((list) =>
      identityHeaders(sampleRoute({ identity: 'remote-user' }), sampleToken({ groups: list })),
    )
    if (a === undefined || b === undefined || 'fault' in a || 'fault' in b) return
    const sentLists = [a, b].map((headers) => headers[headers.indexOf('Remote-Groups') + 1])
    assert.equal(
      a.includes('Remote-Groups') === b.includes('Remote-Groups') &&
        (!a.includes('Remote-Groups') || sentLists[0] === sentLists[1]),
      JSON.stringify(one) === JSON.stringify(two),
    )
  })
})

describe('the credential', () => {
  const anything = fc.string({ unit: 'binary', maxLength: 40 })
  const scheme = fc.constantFrom('Bearer', 'bearer', 'DPoP', 'Basic', '')
  const gap = fc.constantFrom(' ', '  ', '\t', '', ',', '=')
  const authorization = fc.tuple(scheme, gap, anything).map((parts) => parts.join(''))
  const raw = fc.array(
    fc.tuple(fc.oneof(fc.constantFrom('Authorization', 'authorization', 'DPoP', 'Cookie'), token), authorization),
  )
  holds('is read without a crash, and only ever a b64token', [raw], (pairs) => {
    const credential = extractCredential(pairs.flat())
    if (credential.kind !== 'bearer' && credential.kind !== 'dpop') return
    assert.match(credential.token, /^[A-Za-z0-9._~+/-]+=*$/)
    const given = pairs.filter(([name]) => name.toLowerCase() === 'authorization').map(([, each]) => each)
    assert.equal(given.length, 1)
    assert.ok(given[0]?.endsWith(` ${credential.token}`))
  })
  const b64 = fc.string({ unit: fc.constantFrom(...'azAZ09-._~+/'), minLength: 1 })
  holds('gives back the token that was put in', [b64, fc.constantFrom('', '=', '==')], (body, padding) => {
    assert.deepEqual(extractCredential(['Authorization', `Bearer ${body}${padding}`]), {
      kind: 'bearer',
      token: body + padding,
    })
  })
})

describe('an answer', () => {
  const text = fc.string({ unit: 'binary', maxLength: 900 })
  holds(
    'stays one head and one body, whatever text went in',
    [text, text, fc.boolean(), fc.boolean()],
    (detail, id, page, dpop) => {
      const denied = denial('expired', detail, { challenge: { resourceMetadata: detail, scope: [] } })
      const context = { requestId: id, wantsHtml: page, isHead: false, corsHeaders: [] }
      const answer = renderAnswer(denied, context)
      for (const each of [...answer.headers, challengeHeader(denied, dpop ? 'DPoP' : 'Bearer')])
        assert.match(each ?? '', /^[ -~]*$/)
      assert.equal(answer.headers[3], String(Buffer.byteLength(answer.body)))
      assert.match(answer.body, /^[\n -~]*$/)
      if (!page) assert.equal(JSON.parse(answer.body).reason, 'expired')
      else
        assert.equal(
          answer.body.match(/</g)?.length,
          renderAnswer(denial('expired', 'x'), { ...context, requestId: 'r' }).body.match(/</g)?.length,
        )
    },
  )
})

describe('the head of an upstream\u2019s answer', () => {
  const special = ['Connection', 'Keep-Alive', 'Proxy-Connection', 'Transfer-Encoding', 'TE', 'Upgrade', 'Location']
  const plain = ['Content-Location', 'Date', 'ETag', 'Set-Cookie', 'Proxy-Authenticate', 'X-Keep']
  const ours = ['Link', 'Refresh', 'Alt-Svc', 'Clear-Site-Data', 'Service-Worker-Allowed', 'WWW-Authenticate']
  const name = fc.oneof(fc.constantFrom(...special, ...plain, ...ours).chain(spelledCase), token)
  const saying = fc.constantFrom(
    '',
    'x',
    'close',
    'Keep-Alive',
    'close, X-Keep',
    'X-Keep',
    '/a',
    'a: b',
    'max-age=0',
    'NTLM',
    '5; url=/a',
  )
  const pairs = fc.array(fc.tuple(name, saying), { maxLength: 12 })
  holds(
    'goes on as text to what it would be taken apart and put together',
    [pairs, fc.boolean()],
    (fieldPairs, onPublicHost) => {
      const lines = fieldPairs.map(([field, text]) => `${field}: ${text}\r\n`).join('')
      const passed = clientFieldLines(photos, lines, onPublicHost)
      const whole = {
        route: photos,
        client: clientOf([]),
        requestHeaders: [],
        rawHeaders: fieldPairs.flat(),
        path: '/photos/a',
        onPublicHost,
        upgrade: false,
      }
      const rewritten = clientResponseHeaders(whole)
      const rendered = rewritten
        .flatMap((text, i) => (i % 2 === 0 ? [`${text}: ${rewritten[i + 1]}\r\n`] : []))
        .join('')
      if (passed !== undefined) assert.equal(passed, rendered)
      else
        assert.match(
          lines,
          /^(content-)?location:|^connection:|^(link|refresh|set-cookie2?|service-worker-allowed):|ntlm/im,
        )
    },
  )
})

function spelledCase(name: string): fc.Arbitrary<string> {
  return fc.constantFrom(name, name.toLowerCase(), name.toUpperCase())
}
