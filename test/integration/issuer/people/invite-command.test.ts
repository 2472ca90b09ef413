import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, describe, it } from 'node:test'
import { type CommandLine, commandLine } from '../../../support/programs/command-line.ts'
import { freePorts } from '../../../support/programs/free-ports.ts'

describe('the first administrator', () => {
  let shell: CommandLine
  let port = 0
  before(async () => {
    ;[port = 0] = await freePorts(1)
    shell = commandLine(
      [
        `public_url: http://localhost:${port}`,
        `listen: 127.0.0.1:${port}`,
        'resources: []',
        'routes: [{ id: site, path: /site, public: true, upstream: "http://127.0.0.1:9" }]',
      ].join('\n'),
    )
  })
  after(() => shell.close())

  it('serve on an empty store warns with a command, whose link makes an administrator', async () => {
    const server = spawn(process.execPath, [`${import.meta.dirname}/../../../../src/cli/audgate.js`, 'serve'], {
      cwd: shell.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    try {
      let log = ''
      for await (const chunk of server.stdout) {
        log += chunk
        if (log.includes('"listening"')) break
      }
      assert.match(log, /audgate user invite NAME --groups admins/)
      const invited = await shell.run(['user', 'invite', 'ada', '--groups', 'admins', '--json'])
      assert.equal(invited.code, 0, invited.stderr)
      const { url } = JSON.parse(invited.stdout)
      const link = new URL(url).searchParams.get('link') ?? ''
      const body = new URLSearchParams({
        link,
        new_password: 'a long new password',
        repeat_password: 'a long new password',
      })
      const answer = await fetch(`http://127.0.0.1:${port}/account/link`, { method: 'POST', redirect: 'manual', body })
      assert.equal(answer.status, 303)
      const form = new URLSearchParams({ username: 'ada', password: 'a long new password' })
      const signedIn = await fetch(`http://127.0.0.1:${port}/account/sign-in`, {
        method: 'POST',
        redirect: 'manual',
        body: form,
      })
      assert.equal(signedIn.status, 303)
    } finally {
      server.kill('SIGTERM')
      await once(server, 'exit')
    }
  })

  it('an invitation changes nobody who is there, and nobody who can sign in is invited', async () => {
    const other = await shell.run(['user', 'invite', 'ada', '--groups', 'photos'])
    assert.deepEqual([other.code, /with other facts/.test(other.stderr)], [1, true])
    const again = await shell.run(['user', 'invite', 'ada'])
    assert.deepEqual([again.code, /user recover/.test(again.stderr)], [1, true])
    const recovered = await shell.run(['user', 'recover', 'ada', '--ttl', '10m'])
    assert.match(recovered.stdout, /\/account\/link\?link=[\w-]{43}\n$/)
    const bad = await shell.run(['user', 'recover', 'ada', '--ttl', 'soon'])
    assert.deepEqual([bad.code, /--ttl must be a duration/.test(bad.stderr)], [2, true])
    const unknown = await shell.run(['user', 'recover', 'ada', '--reset', 'everything'])
    assert.deepEqual([unknown.code, /use password/.test(unknown.stderr)], [2, true])
  })
})
