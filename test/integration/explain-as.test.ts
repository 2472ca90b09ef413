import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { CLIENT_KINDS, fieldsOf, isClientKind } from '../../src/explain/client-kinds.ts'
import { type BrowserGateway, browserYaml, startBrowserGateway } from '../support/browser-gateway.ts'
import { type CommandLine, commandLine } from '../support/command-line.ts'
import { rawRequest } from '../support/upstreams.ts'

const PHOTOS = 'http://photos.localhost:8080'
const SECRET = { AUDGATE_SECRET: 'a secret for tests that is long enough' }

function valuesOf(headers: readonly string[], wanted: string): readonly string[] {
  return headers.filter((_, i) => i % 2 === 1 && headers[i - 1]?.toLowerCase() === wanted)
}

describe('audgate explain --as', () => {
  let command: CommandLine

  before(() => {
    command = commandLine(browserYaml(8_080, 'http://127.0.0.1:9000'), SECRET)
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
