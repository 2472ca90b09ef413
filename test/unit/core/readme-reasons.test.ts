import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { ANSWERS } from '../../../src/core/denial.ts'

const README = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')
const [, section = ''] = /### Troubleshooting by reason\n([\s\S]*?)\n## /.exec(README) ?? []
const rows = [...section.matchAll(/^\| (?<reasons>`[^|]*) \| (?<means>[^|]+) \| (?<remedy>[^|]+) \|$/gm)]

describe('the table of reasons in README.md', () => {
  for (const reason of Object.keys(ANSWERS)) {
    it(`says of ${reason} what it means and what to do`, () => {
      const naming = rows.filter(({ groups }) => groups?.reasons?.includes(`\`${reason}\``))
      assert.equal(naming.length, 1)
    })
  }

  it('has no reason that nobody gives', () => {
    const named = rows.flatMap(({ groups }) => [...(groups?.reasons ?? '').matchAll(/`([a-z_]+)`/g)])
    assert.deepEqual(
      named.map(([, name = '']) => name).filter((name) => !Object.hasOwn(ANSWERS, name)),
      [],
    )
  })
})
