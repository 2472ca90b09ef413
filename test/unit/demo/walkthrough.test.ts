import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { backupRequest, walkthrough } from '../../../src/demo/walkthrough.ts'
import { shippedPlan } from './demo-files.ts'

const people = [
  { username: 'alice', groups: ['photos', 'files'], password: 'abcd-efgh-ijkm' },
  { username: 'bob', groups: ['files'], password: undefined },
] as const

describe('the walk-through', () => {
  const plan = shippedPlan('/srv/gate')
  const text = walkthrough({ plan, people, folder: 'data', file: undefined })
  const commands = text.split('\n').filter((line) => line.includes('  # → '))

  it('says how to sign in', () => {
    assert.match(text, /^ +alice \/ abcd-efgh-ijkm {2}\(in photos, files\)$/m)
    assert.match(text, /^ +bob {3}\/ the password that was set \(`npx audgate user passwd bob` sets another\)/m)
  })

  it('is short', () => {
    assert.ok(text.split('\n').length <= 26, `${text.split('\n').length} lines`)
  })

  it('has each command on a line of its own, with the answer to expect behind `# →`', () => {
    assert.equal(commands.length, 10)
    for (const command of commands) assert.match(command, /^(TOKEN=|BACKUP=|XDG_|curl |npx audgate ).*\S {2}# → \S/)
  })

  it('uses npx audgate and curl alone, with the addresses of the file', () => {
    const moved = walkthrough({
      plan: shippedPlan('/srv/gate', ':8080', ':8181'),
      people,
      folder: 'data',
      file: undefined,
    })
    assert.equal(moved, text.replaceAll(':8080', ':8181'))
  })

  it('names the file where it is not ./routes.yaml, quoted for the shell', () => {
    const other = walkthrough({ plan, people, folder: "/srv/al's gate", file: "al's $HOME.yaml" })
    assert.match(other, /npx audgate revoke --client photos-cli --config 'al'\\''s \$HOME\.yaml'/)
    assert.match(other, /-o '\/srv\/al'\\''s gate\/photo\.png'/)
  })

  it('puts no secret of a client into a command', () => {
    assert.equal(text.includes('agcs_'), false)
    assert.match(backupRequest(plan, 'agcs_x'), /^user = "photo-backup:agcs_x"$/m)
  })
})
