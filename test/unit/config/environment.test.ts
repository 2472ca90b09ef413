// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what looks like templates is the notation of routes.yaml
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bent, configOf, problemsOf, withRouteLines, withTopLines } from './files.ts'

const headerOf = (text: string, env: Record<string, string>) =>
  configOf(withRouteLines(`set_headers: { X-Api-Key: '${text}' }`), env).routes[0]?.setHeaders[0]?.value

describe('environment in routes.yaml', () => {
  it('${NAME} and ${NAME:-default} are filled in, any number of them in a text', () => {
    assert.equal(headerOf('a-${ONE}-${TWO:-zwei}', { ONE: '1' }), 'a-1-zwei')
  })

  it('a default is for names that are unset or empty', () => {
    assert.equal(headerOf('${ONE:-other}', { ONE: '' }), 'other')
    assert.equal(headerOf('x${ONE:-}', {}), 'x')
  })

  it('$${ is a plain ${, and what was filled in is not read again', () => {
    assert.equal(headerOf('$${ONE}', { ONE: 'never' }), '${ONE}')
    assert.equal(headerOf('${ONE}', { ONE: '${TWO}', TWO: 'never' }), '${TWO}')
  })

  it('a missing one is a problem with its line, and every other problem is shown too', () => {
    const text = withRouteLines('set_headers: { X-Api-Key: "${PHOTOS_API_KEY}" }', 'max_body: much')
    assert.deepEqual(problemsOf(text), [
      '17:31: the environment has no PHOTOS_API_KEY; set it, or write a default: ${PHOTOS_API_KEY:-default}',
      '18:15: `routes[0].max_body` must be a size such as 500MB or 10GiB, or none',
    ])
  })

  it('a ${ without a name or an end is a problem', () => {
    for (const text of ['${', '${ONE', '${}', '${1}', '${a b}']) {
      const [problem] = problemsOf(withRouteLines(`set_headers: { X-Api-Key: '${text}' }`), { ONE: '1' })
      assert.match(problem ?? '', /^17:31: write \$\{NAME\}/, text)
    }
  })

  it('names that every object has are not in the environment', () => {
    assert.match(problemsOf(bent('https://gate.example.com\n', '${constructor}\n'))[0] ?? '', /no constructor/)
  })

  it('numbers and booleans may come from the environment', () => {
    const trusted = 'trusted_issuers: [{ issuer: https://sso.example.com, algorithms: [RS256] }]'
    const text = withTopLines('max_connections: ${MOST}', 'issuer: ${ISSUER}', trusted)
    const config = configOf(text.replace('    grants:', '    issuers: [https://sso.example.com]\n    grants:'), {
      MOST: '77',
      ISSUER: 'false',
    })
    assert.equal(config.maxConnections, 77)
    assert.deepEqual(config.issuer, { kind: 'off' })
  })

  it('a quoted number that is not from the environment stays a text', () => {
    assert.match(problemsOf(withTopLines('max_connections: "77"'))[0] ?? '', /must be a whole number/)
  })

  it('a value of the environment is never shown, whatever is wrong with it', () => {
    const secret = 'hunter2-hunter2'
    const texts = [
      withTopLines('listen: ${S}'),
      withTopLines('store: ${S}'),
      withTopLines('access_log: ${S}'),
      withTopLines('trusted_issuers: [{ issuer: "${S}", algorithms: ["${S}"] }]'),
      withRouteLines('max_body: ${S}'),
      withRouteLines('cors: { origins: ["${S}"] }'),
      withRouteLines('strip_headers: ["${S} "]'),
      withRouteLines('set_headers: { X-Api-Key: "${S}\\n" }'),
      withRouteLines('public: ["${S}"]'),
      bent('methods: [read]', 'methods: ["${S}"]'),
      bent('        scopes: [photos:read]\nroutes', '        scopes: ["${S}"]\nroutes'),
      bent('    resource: https://gate.example.com/photos', '    resource: ${S}'),
      bent('upstream: http://127.0.0.1:2283', 'upstream: ${S}'),
      bent('  - id: https://gate.example.com/photos', '  - id: ${S}'),
      bent('name: Photo library', 'name: "${S}\\n"'),
    ]
    for (const text of texts) {
      const problems = problemsOf(text, { S: secret })
      assert.ok(problems.length > 0, text)
      assert.doesNotMatch(problems.join('\n'), /hunter2/, text)
    }
  })
})

describe('secrets of the environment', () => {
  it('`registration: token` needs AUDGATE_REGISTRATION_TOKEN', () => {
    const text = withTopLines('issuer: { registration: token }')
    assert.match(problemsOf(text)[0] ?? '', /^2:25: .*AUDGATE_REGISTRATION_TOKEN/)
    const { secrets } = configOf(text, { AUDGATE_REGISTRATION_TOKEN: 'long-enough-for-anyone' })
    assert.equal(secrets.registrationToken, 'long-enough-for-anyone')
  })

  it('an issuer elsewhere needs AUDGATE_FEED_TOKEN', () => {
    assert.match(
      problemsOf(withTopLines('issuer: { upstream: "http://10.0.0.5:8080" }'))[0] ?? '',
      /AUDGATE_FEED_TOKEN/,
    )
  })

  it('secrets that are short, or no header could carry, are problems that do not show them', () => {
    for (const [name, value] of [
      ['AUDGATE_SECRET', 'geheim'],
      ['AUDGATE_FEED_TOKEN', 'geheim'],
      ['AUDGATE_FEED_TOKEN', 'geheim with spaces, and long'],
      ['AUDGATE_REGISTRATION_TOKEN', 'geheim'],
    ] as const) {
      const problems = problemsOf(bent('', ''), { [name]: value }).join('\n')
      assert.match(problems, new RegExp(`^1:1: ${name}`))
      assert.doesNotMatch(problems, /geheim/)
    }
  })

  it('an empty variable is an unset one', () => {
    assert.equal(configOf(bent('', ''), { AUDGATE_SECRET: '' }).secrets.secret, undefined)
  })
})
