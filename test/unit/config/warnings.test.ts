import assert from 'node:assert/strict'
import { METHODS as PARSED } from 'node:http'
import { describe, it } from 'node:test'
import { bent, configOf, GOOD, problemsOf, withTopLines } from './files.ts'

const warningsOf = (text: string): string[] =>
  configOf(text, { AUDGATE_FEED_TOKEN: 'long-enough-for-anyone' }).warnings.map(
    ({ line, column, message }) => `${line}:${column}: ${message}`,
  )
const APART = bent('    path: /photos\n', '    host: photos.example.com\n')

describe('What check warns of', () => {
  it('nothing, where the route has a host of its own', () => assert.deepEqual(warningsOf(APART), []))

  it('a route on the origin of public_url, where people sign in', () => {
    for (const text of [GOOD, GOOD.replace('path: /photos', 'host: GATE.example.com.')])
      assert.match(warningsOf(text).join('\n'), /^10:5: .*shares the origin of `public_url` \(line 1\)/)
    const following = withTopLines('issuer: { upstream: "http://10.0.0.5:8080" }')
    assert.match(warningsOf(following).join('\n'), /shares the origin/)
    const alone = GOOD.replace('    grants:', '    issuers: [https://sso.example.com]\n    grants:').replace(
      'resources:',
      'issuer: false\ntrusted_issuers: [{ issuer: https://sso.example.com, algorithms: [RS256] }]\nresources:',
    )
    assert.deepEqual(warningsOf(alone), [])
  })

  it('mail in clear, but not mail with TLS', () => {
    const mail = (smtp: string) => `mail: { smtp: "${smtp}", from: "Gate <gate@example.com>" }\n`
    assert.match(
      warningsOf(mail('smtp://mail:25?tls=off') + APART).join('\n'),
      /^1:15: `\?tls=off`: whoever can listen/,
    )
    for (const smtp of ['smtps://u:p@mail.example.com:465', 'smtp://u:p@mail.example.com'])
      assert.deepEqual(warningsOf(mail(smtp) + APART), warningsOf(APART))
  })

  it('what is said of the operator’s page and of mail where there is no issuer, or another audgate holds it', () => {
    const lines = [
      'admin:',
      ...['groups: [boss]', 'readers: [r]', 'require: mfa', 'fresh: 1m', 'session: 1h', 'keep_refusals: 0'].map(
        (line) => `  ${line}`,
      ),
      '  from: [10.0.0.0/8]',
      'mail: { smtp: "smtps://mail.example.com", from: gate@example.com }',
    ].join('\n')
    const saidOf = (issuer: string): string[] =>
      warningsOf(`${lines}\n${issuer}\n${APART}`).filter((warning) => warning.includes('does nothing'))
    assert.deepEqual(saidOf('issuer: { password: on }'), [])
    const ofIssuer = ['groups', 'readers', 'require', 'fresh', 'session', 'keep_refusals']
    const followed = saidOf('issuer: { upstream: "http://10.0.0.5:8080" }')
    assert.deepEqual(
      followed.map((warning) => /^(\d+):\d+: `([\w.]+)`/.exec(warning)?.slice(1, 3)),
      [...ofIssuer.map((key, index) => [String(index + 2), `admin.${key}`]), ['9', 'mail']],
    )
    assert.match(followed[0] ?? '', /say it at the audgate that holds the issuer/)
    assert.deepEqual(
      warningsOf(`issuer: { upstream: "http://10.0.0.5:8080" }\n${APART}`).filter((each) => /admin|mail/.test(each)),
      [],
    )
  })

  it('set_headers beside public, in each of its forms', () => {
    const set = 'set_headers: { X-Api-Key: secret-key }'
    const open = APART.replace('    resource: https://gate.example.com/photos\n', '').replace(/ {4}rules:[\s\S]*$/, '')
    for (const text of [
      `${APART}    public: [/a]\n    ${set}\n`,
      `${APART}    public: { paths: [/a] }\n    ${set}\n`,
      `${open}    public: true\n    ${set}\n`,
    ]) {
      const [warning = '', ...others] = warningsOf(text)
      assert.match(warning, /^\d+:5: `set_headers` .*`public` \(line \d+\)/)
      assert.deepEqual([others, warning.includes('secret-key')], [[], false])
    }
    assert.deepEqual(warningsOf(`${APART}    public: []\n    ${set}\n`), [])
  })

  it('keys over plain http, and servers whose certificate is not looked at', () => {
    const trusted = '[{ issuer: "http://sso.internal", algorithms: [RS256], insecure_http: true }]'
    const text = APART.replace('resources:', `trusted_issuers: ${trusted}\nresources:`)
    assert.match(warningsOf(text).join('\n'), /^2:\d+: `insecure_http: true`/)
    const unverified = `${APART.replace('http://127', 'https://127')}    upstream_tls: { verify: false }\n`
    assert.match(warningsOf(unverified).join('\n'), /^17:\d+: `upstream_tls.verify: false`/)
  })

  it('rules whose paths differ in letter case only, where the route ignores it', () => {
    const more = '      - methods: [write]\n        paths: [/Keys/**, /keys/**]\n        scopes: [photos:write]\n'
    const text = `${APART}${more}    public: { paths: [/keys/**, /other] }\n`
    assert.match(
      warningsOf(text).join('\n'),
      /^18:17: `\/Keys\/\*\*` differs from the path in line 20 in letter case only/,
    )
    assert.deepEqual(warningsOf(`${text}    case: sensitive\n`), [])
    assert.deepEqual(warningsOf(`${APART}${more}    public: [/keys2/**]\n`), [])
  })
})

describe('An upstream that is the gateway itself', () => {
  const problem = (listen: string, upstream: string, ...more: string[]): string =>
    problemsOf(withTopLines(`listen: ${listen}`, ...more).replace('http://127.0.0.1:2283', upstream)).join('\n')

  it('is a problem, however its address is written', () => {
    for (const [listen, upstream] of [
      ['localhost:8080', 'http://localhost:8080'],
      ['localhost:8080', 'http://127.0.0.1:8080/base'],
      ['localhost:8080', 'https://[::1]:8080'],
      ['127.0.0.1:8080', 'http://LOCALHOST:08080'],
      ['"[::1]:8080"', 'http://localhost:8080'],
      ['0.0.0.0:8080', 'http://127.0.0.2:8080'],
      ['":8080"', 'http://localhost:8080'],
      ['":80"', 'http://localhost'],
      ['10.0.0.7:8080', 'http://10.0.0.7:8080'],
      ['127.0.0.1:8080', 'http://2130706433:8080'],
      ['127.0.0.1:8080', 'http://0.0.0.0:8080'],
      ['unix:/run/gate.sock', 'unix:/run/gate.sock'],
    ] as const)
      assert.match(problem(listen, upstream), /^14:15: is this gateway itself \(`listen`\)/, `${listen} ${upstream}`)
    assert.match(problem('localhost:8080', '[http://a.example.com, "http://localhost:8080"]'), /^14:38: /)
    assert.match(problem('localhost:1', 'https://gate.example.com'), /`public_url`/)
    assert.match(problem('localhost:1', 'http://127.0.0.1:9090', 'management: 127.0.0.1:9090'), /`management`/)
    for (const followed of ['"http://localhost:1"', '["http://10.0.0.5", "http://localhost:1"]']) {
      const issuer = `issuer: { upstream: ${followed} }`
      assert.match(problem('localhost:1', 'http://127.0.0.1:2283', issuer), /^3:\d+: is this gateway itself/m)
    }
  })

  it('is none where another address or port is meant', () => {
    for (const [listen, upstream] of [
      ['localhost:8080', 'http://localhost:8081'],
      ['127.0.0.1:8080', 'http://127.0.0.2:8080'],
      ['10.0.0.7:8080', 'http://10.0.0.8:8080'],
      ['0.0.0.0:8080', 'http://10.0.0.8:8080'],
      ['localhost:8080', 'http://photos:8080'],
      ['unix:/run/gate.sock', 'unix:/run/photos.sock'],
      ['localhost:0', 'http://localhost:80'],
    ] as const)
      assert.equal(problem(listen, upstream), '', `${listen} ${upstream}`)
  })
})

describe('A method of a rule', () => {
  const problem = (method: string) => problemsOf(bent('methods: [read]', `methods: ["${method}"]`)).join('\n')

  it('is one that HTTP parsers know, and none that no request here can have', () => {
    for (const method of PARSED) assert.equal(problem(method) === '', method !== 'CONNECT', method)
    for (const method of ['FOO', 'CHECKIN', 'VERSION-CONTROL', 'get', 'purge', 'PROPFINDS', ''])
      assert.match(problem(method), /^15:19: /, method)
    assert.match(problem('PROPFINDS'), /did you mean PROPFIND\?/)
    assert.match(problem('purge'), /in capitals: PURGE/)
  })
})

describe('A mail server', () => {
  it('that can’t be reached as written is a problem that repeats neither its password nor its name', () => {
    for (const smtp of [
      'https://u:hunter2@mail.hunter2.com',
      'smtps://u:hunter2@mail.hunter2.com/path',
      'smtps://u:hunter2%@mail',
      'smtps://u:hunter2@mail?tls=off',
      'smtp://u:hunter2@mail?tls=off',
      'smtp://hunter2?ignoreTLS=true',
      'smtp://u:hunter2@',
    ]) {
      const problems = problemsOf(`mail: { smtp: "${smtp}", from: gate@example.com }\n${APART}`).join('\n')
      assert.match(problems, /^1:15: /, smtp)
      assert.doesNotMatch(problems, /hunter2/)
    }
  })
})

describe('An upstream with a password', () => {
  it('is a problem that does not repeat it', () => {
    for (const upstream of [
      'http://u:hunter2@a.example.com',
      'http://hunter2@a',
      '"unix:/run/hunter2\\0"',
      'hunter2',
    ]) {
      const problems = problemsOf(bent('http://127.0.0.1:2283', upstream)).join('\n')
      assert.match(problems, /^13:15: /, upstream)
      assert.doesNotMatch(problems, /hunter2/)
    }
  })
})
