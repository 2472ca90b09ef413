import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createPasswords } from '../../../src/issuer/people/passwords.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { Store } from '../../../src/store/store.ts'
import { type CommandLine, commandLine, type Ended } from '../../support/programs/command-line.ts'

const ROUTES = `
public_url: http://localhost:8080
resources:
  - id: http://localhost:8080/photos
    name: Photo library
    scopes: { "photos:read": See photos, "photos:write": Change photos }
    grants: [{ groups: [photos], scopes: ["photos:read", "photos:write"] }]
routes:
  - id: photos
    path: /photos
    resource: http://localhost:8080/photos
    upstream: http://127.0.0.1:9081
    rules: [{ methods: [read], scopes: ["photos:read"] }]
`
const PASSWORD = 'correct horse battery'

describe('commands that keep users, clients and keys', () => {
  let shell: CommandLine
  let store: Store
  const run = (...args: string[]): Promise<Ended> => shell.run(args)
  const good = async (...args: string[]): Promise<string> => {
    const ended = await run(...args)
    assert.equal(ended.code, 0, ended.stderr)
    assert.equal(ended.stderr, '')
    return ended.stdout
  }
  const bad = async (code: number, message: RegExp, args: readonly string[], input?: string): Promise<void> => {
    const ended = await shell.run(args, input)
    assert.deepEqual([ended.code, ended.stdout], [code, ''], ended.stderr)
    assert.match(ended.stderr, message)
    assert.doesNotMatch(ended.stderr, /\n\s+at /, 'no stack')
  }

  before(async () => {
    shell = commandLine(ROUTES)
    await bad(1, /not there: .*audgate serve/, ['user', 'list'])
    const added = await shell.run(
      [
        'user',
        'add',
        'alice',
        '--groups',
        'photos, files',
        '--email',
        'a@example.com',
        '--name',
        'Alice',
        '--password-stdin',
      ],
      `${PASSWORD}\n`,
    )
    assert.deepEqual([added.code, added.stderr], [0, ''])
    // As a running server would: the commands below work beside it.
    store = await openSqliteStore(join(shell.folder, 'data/audgate.db'))
  })
  after(async () => {
    await store.close()
    shell.close()
  })

  describe('user', () => {
    it('add keeps the person with a hash of the password from stdin, without its line end', async () => {
      const alice = await store.userByName('alice')
      assert.deepEqual(
        [alice?.groups, alice?.email, alice?.displayName],
        [['photos', 'files'], 'a@example.com', 'Alice'],
      )
      assert.equal(await createPasswords().verify(alice?.passwordHash, PASSWORD), 'right')
    })

    it('add needs a terminal or --password-stdin', () => bad(2, /--password-stdin/, ['user', 'add', 'carol'], PASSWORD))

    it('add refuses a short password, several lines, and a name or group that is unfit', async () => {
      await bad(2, /at least 15/, ['user', 'add', 'carol', '--password-stdin'], 'short\n')
      await bad(2, /more than one line/, ['user', 'add', 'carol', '--password-stdin'], `${PASSWORD}\n${PASSWORD}\n`)
      await bad(2, /more than a password/, ['user', 'add', 'carol', '--password-stdin'], 'x'.repeat(10_000))
      await bad(2, /invisible/, ['user', 'add', 'ca\u202erol', '--password-stdin'], PASSWORD)
      await bad(2, /mail address/, ['user', 'add', 'carol', '--email', 'carol', '--password-stdin'], PASSWORD)
      assert.equal(await store.userByName('carol'), undefined)
    })

    it('add refuses a name that is taken, in any case', () =>
      bad(1, /there already/, ['user', 'add', 'ALICE', '--password-stdin'], PASSWORD))

    it('add --json prints the person without the hash', async () => {
      const ended = await shell.run(['user', 'add', 'bob', '--json', '--password-stdin'], PASSWORD)
      const printed = JSON.parse(ended.stdout)
      assert.deepEqual([printed.username, printed.groups, 'passwordHash' in printed], ['bob', [], false])
    })

    it('list shows people, for eyes and for programs', async () => {
      assert.match(await good('user', 'list'), /^NAME +STATE +GROUPS.*\nalice +active +photos,files/)
      const users = JSON.parse(await good('user', 'list', '--json'))
      assert.equal(users[0].username, 'alice')
      assert.equal(JSON.stringify(users).includes('argon2'), false)
    })

    it('groups sets the groups, and ends tokens that carry a removed one', async () => {
      assert.match(await good('user', 'groups', 'alice', 'photos'), /in photos now. Tokens that carry files have ended/)
      const alice = await store.userByName('alice')
      assert.deepEqual(alice?.groups, ['photos'])
      const entries = await store.revocations(0, 0)
      assert.deepEqual([entries.at(-1)?.kind, entries.at(-1)?.key], ['sub_group', `${alice?.sub} files`])
      assert.match(await good('user', 'groups', 'alice', ''), /in no group now/)
    })

    it('passwd sets the password and ends sessions and tokens', async () => {
      const ended = await shell.run(['user', 'passwd', 'alice', '--password-stdin'], 'another kitchen giraffe')
      assert.equal(ended.code, 0, ended.stderr)
      const alice = await store.userByName('alice')
      assert.equal(await createPasswords().verify(alice?.passwordHash, 'another kitchen giraffe'), 'right')
      assert.equal((await store.revocations(0, 0)).at(-1)?.kind, 'sub')
    })

    it('disable and enable', async () => {
      await good('user', 'disable', 'bob')
      assert.equal((await store.userByName('bob'))?.disabled, true)
      assert.match(await good('user', 'list'), /bob +disabled/)
      await good('user', 'enable', 'bob')
      assert.equal((await store.userByName('bob'))?.disabled, false)
    })

    it('the last administrator who can sign in is disabled or demoted by force only', async () => {
      for (const name of ['ada', 'abe'])
        await shell.run(['user', 'add', name, '--groups', 'admins', '--password-stdin'], PASSWORD)
      await good('user', 'disable', 'abe')
      await bad(1, /last_admin.*--force/, ['user', 'disable', 'ada'])
      await bad(1, /last_admin.*--force/, ['user', 'groups', 'ada', 'photos'])
      assert.deepEqual((await store.userByName('ada'))?.groups, ['admins'])
      await good('user', 'groups', 'ada', 'admins,photos')
      await good('user', 'disable', 'ada', '--force')
      assert.equal((await store.userByName('ada'))?.disabled, true)
    })

    it('an unknown user is a failure that says what to do', async () => {
      await bad(1, /no user "nobody": `audgate user list`/, ['user', 'disable', 'nobody'])
      await bad(1, /no user "nobody"/, ['user', 'groups', 'nobody', 'a'])
      await bad(1, /no user "nobody"/, ['user', 'passwd', 'nobody', '--password-stdin'], PASSWORD)
    })

    it('asks a terminal twice, without showing the password', { skip: withoutScript() }, async () => {
      const command = `${process.execPath} ${join(import.meta.dirname, '../../../src/cli/audgate.js')} user add dave`
      const terminal = spawn('script', ['-qec', command, '/dev/null'], { cwd: shell.folder })
      let shown = ''
      let questions = 0
      terminal.stdout.on('data', (chunk: Buffer) => {
        shown += chunk.toString()
        if (shown.split(/New password: |Once more: /).length - 1 <= questions) return
        questions += 1
        terminal.stdin.write('secret-kitchen-wordd\u007f\r')
      })
      const [code] = await once(terminal, 'close')
      assert.equal(code, 0, shown)
      assert.match(shown, /^New password: \s+Once more: \s+Added user dave, in no group\.\s+$/)
      const dave = await store.userByName('dave')
      assert.equal(await createPasswords().verify(dave?.passwordHash, 'secret-kitchen-word'), 'right')
    })
  })

  describe('client', () => {
    it('add prints a web client’s secret once', async () => {
      const args = ['client', 'add', 'web-app', '--type', 'web', '--redirect-uri', 'https://app.example.com/cb']
      const printed = JSON.parse(await good(...args, '--json'))
      assert.deepEqual(Object.keys(printed), ['id', 'client_secret'])
      assert.match(printed.client_secret, /^agcs_/)
      assert.equal((await good('client', 'list', '--json')).includes(printed.client_secret), false)
      await bad(1, /there already/, args)
    })

    it('add takes several redirect URIs and --third-party', async () => {
      const uris = ['https://a.example.com/cb', 'https://b.example.com/cb']
      const flags = uris.flatMap((uri) => ['--redirect-uri', uri])
      await good('client', 'add', 'gallery', '--type', 'spa', '--third-party', '--name', 'Gallery', ...flags)
      const client = await store.client('gallery')
      assert.deepEqual([client?.redirectUris, client?.thirdParty, client?.name], [uris, true, 'Gallery'])
    })

    it('add checks --allow against routes.yaml', async () => {
      const args = ['client', 'add', 'job', '--type', 'service', '--allow']
      await bad(2, /no scope "photos:admin"; it has: photos:read, photos:write/, [
        ...args,
        'http://localhost:8080/photos=photos:admin',
      ])
      await bad(2, /is not in routes.yaml/, [...args, 'http://localhost:8080/files=photos:read'])
      await good(...args, 'http://localhost:8080/photos=photos:read,photos:write')
      assert.deepEqual((await store.client('job'))?.allow, [
        { resource: 'http://localhost:8080/photos', scopes: ['photos:read', 'photos:write'] },
      ])
    })

    it('add refuses what is unfit', async () => {
      await bad(2, /native, spa, web, service/, ['client', 'add', 'x', '--type', 'other'])
      await bad(2, /--type/, ['client', 'add', 'x'])
      await bad(2, /must use https/, [
        'client',
        'add',
        'x',
        '--type',
        'native',
        '--redirect-uri',
        'javascript:alert(1)',
      ])
      await bad(2, /needs --redirect-uri/, ['client', 'add', 'x', '--type', 'spa'])
    })

    it('revoke blocks and ends; restore takes the block back', async () => {
      await good('client', 'add', 'cli', '--type', 'native')
      await good('client', 'revoke', 'cli')
      assert.equal((await store.client('cli'))?.revoked, true)
      assert.equal((await store.revocations(0, 0)).at(-1)?.key, 'cli')
      assert.match(await good('client', 'list'), /cli +native +revoked/)
      await good('client', 'restore', 'cli')
      assert.equal((await store.client('cli'))?.revoked, false)
      await bad(1, /no client "nope": `audgate client list`/, ['client', 'revoke', 'nope'])
    })
  })

  describe('revoke', () => {
    it('ends what is out of a client, a user, a user at a client, or one token', async () => {
      const { sub } = (await store.userByName('alice')) ?? {}
      await good('client', 'add', 'phone', '--type', 'native')
      for (const [args, kind, key] of [
        [['--client', 'phone'], 'client', 'phone'],
        [['--user', 'Alice'], 'sub', sub],
        [['--user', 'alice', '--client', 'phone'], 'sub_client', `${sub} phone`],
        [['--jti', 'some-jti'], 'jti', 'some-jti'],
      ] as const) {
        await good('revoke', ...args)
        const entry = (await store.revocations(0, 0)).at(-1)
        assert.deepEqual([entry?.kind, entry?.key], [kind, key])
      }
      assert.equal((await store.client('phone'))?.revoked, false)
    })

    it('says what it needs', async () => {
      await bad(2, /--client ID, --user NAME/, ['revoke'])
      await bad(2, /--client ID, --user NAME/, ['revoke', '--jti', 'j', '--user', 'alice'])
      await bad(1, /no user/, ['revoke', '--user', 'nobody'])
      await bad(1, /no client/, ['revoke', '--client', 'nope'])
      await bad(1, /no client/, ['revoke', '--client', 'nope', '--user', 'alice'])
    })
  })

  describe('keys', () => {
    it('rotate publishes a key that signs later; list shows it', async () => {
      assert.match(
        await good('keys', 'rotate'),
        /is published and begins to sign at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/,
      )
      assert.match(await good('keys', 'list'), /ES256 +pending +.* signs from /)
      const [key] = JSON.parse(await good('keys', 'list', '--json'))
      assert.deepEqual([key.state, key.alg, 'sealedPrivateJwk' in key], ['pending', 'ES256', false])
    })
  })

  it('every command says what it takes', async () => {
    const commands = ['user', 'user add', 'user list', 'user groups', 'user passwd', 'user disable', 'user enable']
    commands.push(
      'client',
      'client add',
      'client list',
      'client revoke',
      'client restore',
      'revoke',
      'keys',
      'keys rotate',
    )
    const printed = await Promise.all(commands.map((command) => good(...command.split(' '), '--help')))
    for (const [index, text] of printed.entries()) assert.match(text, new RegExp(`Usage: audgate ${commands[index]}`))
  })
})

describe('commands on a file that cannot serve them', () => {
  it('a gateway on its own has no accounts: they are kept where its issuer runs', async () => {
    const shell = commandLine(`${ROUTES}issuer: { upstream: http://127.0.0.1:8181 }\n`, {
      AUDGATE_FEED_TOKEN: 'a-token-of-some-length',
    })
    const ended = await shell.run(['user', 'list'])
    assert.equal(ended.code, 2)
    assert.match(ended.stderr, /follows another audgate .* run this command there/)
    shell.close()
  })

  it('a bad file is shown with its problems', async () => {
    const shell = commandLine('routes: 5\n')
    const ended = await shell.run(['client', 'list'])
    assert.equal(ended.code, 2)
    assert.match(ended.stderr, /routes\.yaml:1:\d+: /)
    shell.close()
  })

  it('a store that cannot be opened is said to be so', async () => {
    const shell = commandLine(`${ROUTES}store: sqlite:./routes.yaml\n`)
    const ended = await shell.run(['user', 'list'])
    assert.equal(ended.code, 1)
    assert.match(ended.stderr, /not a database of audgate: name another file/)
    shell.close()
  })
})

function withoutScript(): string | false {
  try {
    execFileSync('script', ['--version'], { stdio: 'ignore' })
    return false
  } catch {
    return 'there is no script(1) to make a terminal'
  }
}
