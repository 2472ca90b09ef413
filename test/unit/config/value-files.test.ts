// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what looks like templates is the notation of routes.yaml
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { SECRET_VARIABLES } from '../../../src/config/check/secrets.ts'
import { decodeConfig } from '../../../src/config/load.ts'
import { bent, configOf, GOOD, withRouteLines } from './files.ts'

const SECRET = 'a-secret-of-some-length'
let folder: string
const beside = (name: string): string => join(folder, name)

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'audgate-values-'))
  mkdirSync(beside('folder'))
  for (const [name, text] of Object.entries({
    plain: SECRET,
    unix: `${SECRET}\n`,
    dos: `${SECRET}\r\n`,
    two: `${SECRET}\n\n`,
    empty: '\n',
    short: 'geheim\n',
    large: 'x'.repeat(64 * 1024 + 1),
    reference: '${HOME}',
  }))
    writeFileSync(beside(name), text)
  writeFileSync(beside('binary'), Buffer.from([0xff, 0xfe]))
})
after(() => rmSync(folder, { recursive: true }))

const problemsIn = (text: string, env: Record<string, string> = {}): string[] => {
  const result = decodeConfig(text, beside('routes.yaml'), env)
  return result.ok ? [] : result.problems.map(({ line, column, message }) => `${line}:${column}: ${message}`)
}
const header = (text: string) => withRouteLines(`set_headers: { X-Api-Key: '${text}' }`)
const headerOf = (text: string): string | undefined =>
  configOf(header(text), {}, beside('routes.yaml')).routes[0]?.setHeaders[0]?.value

describe('${file:PATH} in routes.yaml', () => {
  it('is the file’s text without its last line end, beside routes.yaml or by an absolute path', () => {
    for (const name of ['plain', 'unix', 'dos']) assert.equal(headerOf(`\${file:${name}}`), SECRET)
    assert.equal(headerOf(`Key \${file:${beside('plain')}}!`), `Key ${SECRET}!`)
    assert.equal(headerOf('${file:folder/../plain}'), SECRET)
  })

  it('is not read again for references, and of several line ends only the last is not the value’s', () => {
    assert.equal(headerOf('${file:reference}'), '${HOME}')
    assert.match(problemsIn(header('${file:two}'))[0] ?? '', /^17:31: .*line break/)
  })

  it('that can not be read is a problem with its line that says why, and shows nothing of the file', () => {
    for (const [name, why] of [
      ['nothing', /the file `nothing` does not exist/],
      ['folder', /is no regular file/],
      ['/dev/zero', /is no regular file/],
      ['large', /is larger than 64 KiB/],
      ['binary', /is not UTF-8/],
      ['plain/x', /can't be read \(ENOTDIR\)/],
    ] as const) {
      const [problem = ''] = problemsIn(header(`\${file:${name}}`))
      assert.match(problem, /^17:31: the file/)
      assert.match(problem, why)
    }
    assert.match(problemsIn(header('${file:}'))[0] ?? '', /^17:31: write \$\{NAME\}/)
    const problems = problemsIn(bent('http://127.0.0.1:2283', "'${file:plain}'"))
    assert.ok(problems.length > 0 && !problems.join().includes(SECRET))
  })

  it('names files that are watched, each once', () => {
    const text = header('${file:plain}${file:plain}${file:unix}')
    assert.deepEqual(configOf(text, {}, beside('routes.yaml')).files, [beside('plain'), beside('unix')])
    assert.deepEqual(configOf(GOOD).files, [])
  })
})

describe('NAME_FILE', () => {
  it('names a file for each secret of the environment, whose last line end is none of it', () => {
    for (const [name, key] of [
      ['AUDGATE_SECRET', 'secret'],
      ['AUDGATE_REGISTRATION_TOKEN', 'registrationToken'],
      ['AUDGATE_FEED_TOKEN', 'feedToken'],
      ['AUDGATE_STORE_PASSWORD', 'storePassword'],
      ['AUDGATE_KEY_FILE', 'keyFile'],
    ] as const) {
      assert.ok(SECRET_VARIABLES.includes(name) && SECRET_VARIABLES.includes(`${name}_FILE`))
      for (const file of ['plain', 'unix', 'dos'])
        assert.equal(configOf(GOOD, { [`${name}_FILE`]: beside(file), [name]: '' }).secrets[key], SECRET)
    }
  })

  it('beside NAME, unreadable or empty is a problem that shows no value', () => {
    const asked = GOOD.replace('resources:', 'issuer: { registration: token }\nresources:')
    const name = 'AUDGATE_REGISTRATION_TOKEN'
    for (const [env, why] of [
      [{ [name]: 'geheim', [`${name}_FILE`]: beside('plain') }, /_FILE are both set/],
      [{ [`${name}_FILE`]: beside('nothing') }, /_FILE names in the environment does not exist/],
      [{ [`${name}_FILE`]: beside('folder') }, /no regular file/],
      [{ [`${name}_FILE`]: beside('empty') }, /is empty/],
      [{ [`${name}_FILE`]: beside('short') }, /too short/],
    ] as const) {
      const problems = problemsIn(asked, env).join('\n')
      assert.match(problems, why)
      assert.doesNotMatch(problems, /geheim|a-secret|needs AUDGATE/)
    }
  })
})
