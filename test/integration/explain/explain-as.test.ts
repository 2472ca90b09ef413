import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { CLIENT_KINDS, fieldsOf, isClientKind } from '../../../src/explain/client-kinds.ts'
import { type BrowserGateway, browserYaml, startBrowserGateway } from '../../support/browser-gateway.ts'
import { type CommandLine, commandLine } from '../../support/programs/command-line.ts'
import { rawRequest } from '../../support/upstreams.ts'

const PHOTOS = 'http://photos.localhost:8080'
const SECRET = { AUDGATE_SECRET: 'a secret for tests that is long enough' }

function valuesOf(headers: readonly string[], wanted: string): readonly string[] {
  return headers.filter((_, i) => i % 2 === 1 && headers[i - 1]?.toLowerCase() === wanted)
}

describe('audgate explain --as', () => {
  let command: CommandLine

  before(() => {
    command = commandLine(browserYaml(8_080, 'http://127.0.0.1:9000', { photos: 'sign_out_paths: [/logout]' }), SECRET)
  })
  after(() => command.close())

  const verdictOf = async (method: string, ...more: string[]) => {
    const { stdout, stderr } = await command.run(['explain', method, `${PHOTOS}/a`, '--json', ...more])
    assert.notEqual(stdout, '', stderr)
    return JSON.parse(stdout).verdict
  }

  it('a page load is sent to the issuer, and nothing else is', async () => {
    const verdict = await verdictOf('GET', '--as', 'page')
    assert.deepEqual([verdict.answer.status, verdict.reason, verdict.row], [302, 'sign_in_required', 'page'])
    assert.match(valuesOf(verdict.answer.headers, 'location').join(), /^http:\/\/localhost:8080\/authorize\?/)
  })

  for (const [kind, method, row, type, challenges] of [
    ['frame', 'GET', 'frame', /^text\/html/, 'Bearer'],
    ['form', 'POST', 'form', /^text\/html/, 'Bearer'],
    ['download', 'GET', 'document', /^text\/html/, 'Bearer'],
    ['fetch', 'GET', 'script', /^application\/problem\+json/, 'Bearer'],
    ['fetch', 'PUT', 'script', /^application\/problem\+json/, 'Bearer'],
    ['image', 'GET', 'script', /^application\/problem\+json/, 'Bearer'],
    ['socket', 'GET', 'socket', /^application\/problem\+json/, 'Bearer'],
    ['drive', 'PROPFIND', 'drive', /^application\/problem\+json/, 'Basic'],
    ['drive', 'GET', 'drive', /^application\/problem\+json/, 'Basic'],
    ['program', 'GET', 'program', /^application\/problem\+json/, 'Bearer Basic'],
  ] as const)
    it(`${method} as ${kind}: 401 by the row ${row}`, async () => {
      const verdict = await verdictOf(method, '--as', kind)
      assert.deepEqual([verdict.answer.status, verdict.reason, verdict.row], [401, 'no_token', row])
      assert.match(valuesOf(verdict.answer.headers, 'content-type').join(), type)
      const schemes = valuesOf(verdict.answer.headers, 'www-authenticate').map((field) => field.split(' ')[0])
      assert.equal(schemes.join(' '), challenges)
      assert.deepEqual(valuesOf(verdict.answer.headers, 'location'), [])
      assert.equal(
        /"sign_in":"http:\/\/photos\.localhost:8080\/\.audgate\/sign-in/.test(verdict.answer.body),
        row === 'script',
      )
    })

  it('a credential that was sent is answered for what it is, and another refusal for every kind alike', async () => {
    const bad = await verdictOf('GET', '--as', 'page', '--token', 'abc')
    assert.deepEqual([bad.answer.status, bad.row], [401, 'sent'])
    const weak = await verdictOf(
      'GET',
      '--as',
      'page',
      '--claims',
      '{"aud":"http://localhost:8080/photos","scope":"x"}',
    )
    assert.deepEqual([weak.answer.status, weak.row], [403, 'alike'])
  })

  it('people read the row in words; without a kind there is none', async () => {
    const { stdout, code } = await command.run(['explain', 'GET', `${PHOTOS}/a`, '--as', 'page'])
    assert.equal(code, 3)
    assert.match(stdout, /NO {3}credential\n[\s\S]*DENIED {3}302 sign_in_required\nRow: {5}page \(a page load: /)
    assert.doesNotMatch((await command.run(['explain', 'GET', `${PHOTOS}/a`])).stdout, /Row:/)
  })

  for (const [state, kind, status, reason, row] of [
    ['expired', 'page', 302, 'session_expired', 'page'],
    ['elsewhere', 'page', 302, 'no_session_for_resource', 'page'],
    ['young', 'page', 403, 'revoked', 'refused'],
    ['young', 'fetch', 401, 'revoked', 'script'],
    ['revoked', 'form', 401, 'revoked', 'form'],
    ['expired', 'fetch', 401, 'session_expired', 'script'],
  ] as const)
    it(`a session that is ${state}, as ${kind}: ${status} ${reason} by the row ${row}`, async () => {
      const method = kind === 'form' ? 'POST' : 'GET'
      const verdict = await verdictOf(method, '--as', kind, '--session', state)
      assert.deepEqual([verdict.answer.status, verdict.reason, verdict.row], [status, reason, row])
    })

  it('a good session opens what its token gives, for its own pages and for links alone', async () => {
    assert.equal((await verdictOf('PUT', '--as', 'fetch', '--session', 'good')).outcome, 'forward')
    const read = ['--session', 'good', '--claims', '{"scope":"photos:read"}']
    const write = await verdictOf('PUT', '--as', 'fetch', ...read)
    assert.deepEqual([write.answer.status, write.reason], [403, 'insufficient_scope'])
    for (const site of ['same-site', 'cross-site']) {
      const forged = await verdictOf('POST', '--as', 'form', '--session', 'good', '--from', site)
      assert.deepEqual([forged.answer.status, forged.reason], [403, 'cross_origin_request'], site)
      const link = await verdictOf('GET', '--as', 'page', '--session', 'good', '--from', site)
      assert.equal(link.outcome, 'forward', site)
    }
  })

  it('the server’s own sign-out link, and what the gateway answers for browsers, are told', async () => {
    const { stdout } = await command.run(['explain', 'GET', `${PHOTOS}/logout`, '--as', 'page'])
    assert.match(stdout, /one of sign_out_paths[\s\S]*RESERVED the gateway answers in place of the server/)
    const session = await command.run(['explain', 'GET', `${PHOTOS}/.audgate/session`, '--json'])
    assert.deepEqual(JSON.parse(session.stdout).verdict, { outcome: 'reserved', by: 'browser' })
  })

  it('a session without a kind, beside a token, or of no such state: exit 2 and what to say', async () => {
    for (const [words, told] of [
      [['--session', 'good'], /say --as, too/],
      [['--as', 'page', '--session', 'good', '--token', 'x'], /decides alone/],
      [['--as', 'page', '--session', 'toString'], /good, expired, revoked, elsewhere, young/],
      [['--as', 'page', '--from', 'mail'], /same-origin, same-site, cross-site/],
    ] as const) {
      const { code, stderr } = await command.run(['explain', 'GET', `${PHOTOS}/a`, ...words])
      assert.equal(code, 2)
      assert.match(stderr, told)
    }
  })

  it('no such kind: exit 2 and which there are', async () => {
    const { code, stderr } = await command.run(['explain', 'GET', `${PHOTOS}/a`, '--as', 'toString'])
    assert.equal(code, 2)
    assert.match(stderr, /--as toString is no kind of client: say one of page, frame, .*program/)
  })
})

describe('explain --as and the gateway', () => {
  let browsers: BrowserGateway
  let command: CommandLine

  before(async () => {
    browsers = await startBrowserGateway()
    command = commandLine(browserYaml(browsers.port, 'http://127.0.0.1:9000'), SECRET)
  })
  after(async () => {
    command.close()
    await browsers.close()
  })

  for (const kind of CLIENT_KINDS)
    it(`say the same of what is sent as ${kind}`, async () => {
      assert.ok(isClientKind(kind))
      const method = kind === 'form' ? 'POST' : 'GET'
      const fields = fieldsOf(kind, method, browsers.photos)
      const lines = fields.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${fields[i + 1]}\r\n`] : []))
      const host = new URL(browsers.photos).host
      const head = `${method} /a HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 0\r\n${lines.join('')}\r\n`
      const live = await rawRequest(browsers.port, head)
      const said = await command.run(['explain', method, `${browsers.photos}/a`, '--json', '--as', kind])
      const { answer } = JSON.parse(said.stdout).verdict
      assert.equal(live.status, answer.status)
      for (const name of ['content-type', 'www-authenticate'])
        assert.deepEqual(live.headers.get(name), valuesOf(answer.headers, name).at(-1))
    })
})
