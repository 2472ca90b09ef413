import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeConfig } from '../../../src/config/load.ts'

interface Place {
  readonly publicUrl?: string
  readonly settings?: string
  /** Lines of the photos route, from line 12 on; its `credentials` stand in line 13. */
  readonly host?: string
  readonly credentials?: string
  readonly more?: string
  readonly other?: string
}

function fileWith({
  publicUrl = 'https://gate.example.com',
  settings = '',
  host = 'host: photos.example.com',
  credentials = '[session, token]',
  more = '',
  other = 'host: files.example.com',
}: Place): string {
  return `public_url: ${publicUrl}
resources:
  - { id: "https://gate.example.com/photos", name: Photos, scopes: { p: See }, grants: [{ groups: [g], scopes: [p] }] }
  - { id: "https://gate.example.com/files", name: Files, scopes: { f: See }, grants: [{ groups: [g], scopes: [f] }] }
routes:
  - id: files
    ${other}
    path: /files
    resource: https://gate.example.com/files
    upstream: http://10.0.0.2
    rules: [{ methods: [any], scopes: [f] }]
  - id: photos
    credentials: ${credentials}
    ${host}
    resource: https://gate.example.com/photos
    upstream: http://10.0.0.1
    rules: [{ methods: [any], scopes: [p] }]
    ${more}
${settings}
`
}

function problemsOf(place: Place): string[] {
  const result = decodeConfig(fileWith(place), 'routes.yaml', {})
  return result.ok ? [] : result.problems.map(({ line, message }) => `${line}: ${message}`)
}

const REFUSED: readonly (readonly [string, Place, RegExp])[] = [
  ['a session on a route without a host', { host: '' }, /^13: `session` needs a `host`/],
  ['a session on the host of public_url', { host: 'host: gate.example.com' }, /^13: .*host of `public_url`/],
  ['a session beside another resource', { other: 'host: photos.example.com' }, /^13: .*line 6.*another resource/],
  ['a session beside a resource on every host', { other: 'strip_path: true' }, /^13: .*line 6.*another resource/],
  ['a session over http beyond loopback', { publicUrl: 'http://localhost:8080' }, /^14: .*loopback/],
  ['a session without an issuer', { settings: 'issuer: false' }, /^13: `session` needs the embedded issuer/],
  ['an app password without an issuer', { credentials: '[app_password]', settings: 'issuer: false' }, /^13: `app_pas/],
  ['a ticket without an issuer', { credentials: '[token, ticket]', settings: 'issuer: false' }, /^13: `ticket` needs/],
  ['sign-out paths without a session', { credentials: '[token]', more: 'sign_out_paths: [/bye]' }, /^18: `sign_out_pa/],
  ['a kind twice', { credentials: '[token, token]' }, /^13: .*twice/],
  ['a kind that there is not', { credentials: '[cookie]' }, /^13: .*must be one of: token, session, app_password, tic/],
  ['no kind at all', { credentials: '[]' }, /^13: .*at least one/],
  [
    'two owners of Authorization',
    { more: 'authorization: upstream\n    set_headers: { Authorization: Basic x }' },
    /^19: with `authorization: upstream`/,
  ],
]

describe('`check` refuses, naming key and line,', () => {
  for (const [what, place, wanted] of REFUSED) {
    it(what, () => {
      const problems = problemsOf(place)
      assert.ok(
        problems.some((problem) => wanted.test(problem)),
        problems.join('\n'),
      )
    })
  }
  it('a session scope that the resource lacks', () => {
    const text = fileWith({}).replace('name: Photos,', 'name: Photos, session_scopes: [x],')
    const result = decodeConfig(text, 'routes.yaml', {})
    assert.match(result.ok ? '' : (result.problems[0]?.message ?? ''), /the resource has no scope `x`; it has p/)
  })
})

describe('`check` takes', () => {
  it('a session on a host of the resource’s own', () => assert.deepEqual(problemsOf({}), []))
  it('a session over http at a name below localhost', () => {
    const place = { publicUrl: 'http://localhost:8080', host: 'host: photos.localhost' }
    assert.deepEqual(problemsOf(place), [])
  })
  it('a shared origin where the operator says so, and still no session on every host', () => {
    const settings = 'sessions: { shared_origin: true }'
    assert.deepEqual(problemsOf({ settings, host: 'host: gate.example.com' }), [])
    assert.deepEqual(problemsOf({ settings, other: 'host: photos.example.com' }), [])
    assert.match(problemsOf({ settings, host: '' }).join(), /needs a `host`/)
  })
  it('defaults: tokens only, 3 d idle and 30 d at most, app passwords of a year, tickets of an hour', () => {
    const result = decodeConfig(fileWith({ credentials: '[token]' }), 'routes.yaml', {})
    if (!result.ok) return assert.fail(JSON.stringify(result.problems))
    const { sessions, appPasswords, tickets, routes } = result.config
    assert.deepEqual(sessions, { idleSeconds: 259_200, maxSeconds: 2_592_000, sharedOrigin: false })
    assert.deepEqual(appPasswords, { maxSeconds: 31_536_000, unusedSeconds: 15_552_000 })
    assert.deepEqual(tickets, { defaultSeconds: 3_600, maxSeconds: 86_400 })
    assert.deepEqual(routes[0]?.credentials, ['token'])
    assert.equal(routes[0]?.authorization, 'gateway')
  })
})
