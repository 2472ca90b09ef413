import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { askToken } from '../../support/issuer/browser-less-person.ts'
import { type BlackBox, startBlackBox, within } from '../../support/issuer/served-issuer.ts'

const AUDGATE = join(import.meta.dirname, '../../../src/cli/audgate.js')
let box: BlackBox

before(async () => {
  box = await startBlackBox()
  await box.addUser('alice', 'photos')
  await box.addApp('cli')
})
after(() => box.close())

const lines = (text: string): readonly Record<string, unknown>[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

describe('audgate audit', () => {
  it('tells what every process did, oldest first, in words or as JSON lines', async () => {
    await box.signIn('alice')
    await askToken(box.url, { grant_type: 'refresh_token', refresh_token: 'x', client_id: 'cli' })
    const events = lines(await box.done('audit', '--json')).map(({ event }) => event)
    const expected = [
      'user.added',
      'client.added',
      'login.success',
      'authorization.granted',
      'token.issued',
      'token.refused',
    ]
    assert.deepEqual(
      events.filter((event) => expected.includes(String(event))),
      expected,
    )
    const words = await box.done('audit', '--last', '2')
    assert.equal(words.trim().split('\n').length, 2)
    assert.match(words, /UTC {2}token\.refused +client=cli {2}error=invalid_grant/)
    assert.equal((await box.audgate(['audit', '--last', 'x'])).code, 2)
  })

  it('what commands do beside the server leaves a line in its log', async () => {
    await box.done('user', 'groups', 'alice', 'photos,files')
    await box.done('client', 'revoke', 'cli')
    await box.done('client', 'restore', 'cli')
    await box.done('revoke', '--user', 'alice')
    await box.done('keys', 'rotate')
    const done = ['user.changed', 'client.revoked', 'client.restored', 'authorization.ended', 'keys.rotated']
    await within(5_000, async () => {
      const told = box.log().filter(({ audit, by }) => audit === true && by === 'cli')
      const missing = done.filter((event) => told.filter((line) => line.event === event).length !== 1)
      return missing.length === 0 ? undefined : missing.join(' ')
    })
  })

  it('--follow goes on with lines as they come', async () => {
    const child = spawn(process.execPath, [AUDGATE, 'audit', '--follow', '--json', '--last', '0'], { cwd: box.folder })
    const seen: string[] = []
    child.stdout.on('data', (chunk: Buffer) => seen.push(chunk.toString()))
    try {
      await within(10_000, async () => {
        await box.done('user', 'groups', 'alice', 'photos')
        return seen.join('').includes('user.changed') ? undefined : 'nothing came'
      })
    } finally {
      child.kill('SIGTERM')
      await once(child, 'close')
    }
  })
})
