import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadConfig } from '../../../src/config/load.ts'
import { bent, GOOD, problemsOf, withRouteLines } from './files.ts'

describe('Problems', () => {
  it('nine lines of aliases that mean a billion values are refused in time', () => {
    const levels = 'abcdefghi'.split('')
    const lines = levels.map(
      (name, at) => `${name}: &${name} [${Array(9).fill(at === 0 ? 'x' : `*${levels[at - 1]}`)}]`,
    )
    const before = process.cpuUsage()
    assert.match(problemsOf(lines.join('\n')).join('\n'), /too many/)
    assert.ok(process.cpuUsage(before).user < 5_000_000)
  })

  it('all of them are shown at once, in order of lines, each once', () => {
    const text = withRouteLines('strip-path: true', 'max_body: much')
      .replace('public_url: https', 'public_url: http')
      .replace('scopes: [photos:read]\nroutes', 'scopes: [photos:reed]\nroutes')
    const places = problemsOf(text).map((problem) => problem.split(':', 1)[0])
    assert.deepEqual(places, ['1', '8', '17', '18'])
  })

  it('a mistake in one key of a route hides nothing that its other keys get wrong', () => {
    const text = bent('[read]\n        scopes: [photos:read]', '[read]\n        scopes: [files:read]').concat(
      '    zebra: 1\n',
    )
    assert.deepEqual(
      problemsOf(text).map((problem) => problem.split(':', 1)[0]),
      ['16', '17'],
    )
  })

  it('a path that a shorter one contains, or another host has, is no conflict', () => {
    const more = (id: string, place: string) =>
      `  - id: ${id}\n    ${place}\n    public: true\n    upstream: http://b\n`
    const text = GOOD.concat(
      more('a', 'path: /photos/inner'),
      more('b', 'host: b.example.com\n    path: /photos'),
      more('c', 'host: b.example.com\n    path: /oauth'),
      more('d', 'path: /'),
      more('e', 'path: /accounts'),
    )
    assert.deepEqual(problemsOf(text), [])
  })

  it('http is accepted for localhost, 127.0.0.0/8 and [::1]', () => {
    for (const host of ['localhost:8080', '127.0.0.1', '127.9.9.9:1', '[::1]:8080']) {
      assert.deepEqual(problemsOf(GOOD.replaceAll('https://gate.example.com', `http://${host}`)), [], host)
    }
    for (const host of ['localhost.example.com', '127.0.0.1.example.com', '128.0.0.1', '[::2]', '0.0.0.0']) {
      assert.notDeepEqual(problemsOf(GOOD.replaceAll('https://gate.example.com', `http://${host}`)), [], host)
    }
  })

  it('a resource without grants is good: no line, no token', () => {
    assert.deepEqual(problemsOf(bent('    grants:\n      - groups: [photos]\n        scopes: [photos:read]\n', '')), [])
  })

  it('a file that is not there, or is no file, is a problem at 1:1', () => {
    for (const file of ['no/such/routes.yaml', 'src']) {
      const result = loadConfig(file, {})
      assert.ok(!result.ok)
      assert.deepEqual(
        result.problems.map(({ line, column }) => [line, column]),
        [[1, 1]],
      )
    }
  })
})
