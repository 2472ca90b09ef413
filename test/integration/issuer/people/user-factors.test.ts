import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openSqliteStore } from '../../../../src/store/sqlite.ts'
import { commandLine } from '../../../support/programs/command-line.ts'

describe('audgate user factors', () => {
  it('lists an authenticator with the recovery codes that are left, and removes it', async () => {
    const command = commandLine('public_url: http://localhost:8080\nstore: sqlite:./audgate.db\n')
    try {
      const added = await command.run(['user', 'add', 'alice', '--password-stdin'], 'correct horse battery staple')
      assert.equal(added.code, 0, added.stderr)
      const store = await openSqliteStore(join(command.folder, 'audgate.db'), {})
      const sub = (await store.userByName('alice'))?.sub ?? ''
      await store.addAuthenticator({ sub, sealed: 'x', lastStep: 1, createdAt: 1_700_000_000 }, ['a', 'b'])
      const { stdout } = await command.run(['user', 'factors', 'alice', '--json'])
      assert.deepEqual(JSON.parse(stdout), {
        factors: [{ id: 'authenticator', kind: 'authenticator', added_at: 1_700_000_000 }],
        recovery_codes: 2,
      })
      const removed = await command.run(['user', 'factors', 'alice', '--remove', 'authenticator'])
      assert.equal(removed.code, 0, removed.stderr)
      assert.deepEqual([await store.authenticator(sub), await store.recoveryCodes(sub)], [undefined, 0])
      const again = await command.run(['user', 'factors', 'alice', '--remove', 'authenticator'])
      assert.deepEqual([again.code, /has no factor/.test(again.stderr)], [1, true])
      await store.close()
    } finally {
      command.close()
    }
  })
})
