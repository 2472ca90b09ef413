import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { formWith, post } from '../../support/issuer/browser-less-person.ts'
import { type BlackBox, callUrl, PASSWORD, Person, startBlackBox, within } from '../../support/issuer/served-issuer.ts'

const AUDGATE = join(import.meta.dirname, '../../../src/cli/audgate.js')

describe('commands beside a running server', () => {
  let box: BlackBox
  before(async () => {
    box = await startBlackBox()
    await box.addUser('alice', 'photos')
    await box.addApp('cli')
  })
  after(() => box.close())

  it('what is added can be used at once', async () => {
    assert.equal((await box.call((await box.signIn('alice')).access)).status, 200)
  })

  it('boot warns of what the file should not mean and of a missing administrator, and says nothing on stderr', () => {
    assert.equal(box.output().stderr, '')
    const loud = box.log().filter(({ level }) => level === 'warn' || level === 'error')
    assert.deepEqual(new Set(loud.map(({ event }) => event)), new Set(['admin.nobody', 'config.warning']))
  })

  it('exit 1 for what is unknown, 2 for bad arguments, with one line on stderr that says what to do', async () => {
    const cases: readonly (readonly [number, readonly string[]])[] = [
      [1, ['user', 'disable', 'nobody']],
      [1, ['user', 'groups', 'nobody', 'a']],
      [1, ['client', 'revoke', 'nobody']],
      [1, ['client', 'restore', 'nobody']],
      [1, ['revoke', '--user', 'nobody']],
      [1, ['revoke', '--user', 'alice', '--client', 'nobody']],
      [1, ['client', 'add', 'cli', '--type', 'native']],
      [2, ['revoke']],
      [2, ['revoke', '--jti', 'a', '--client', 'cli']],
      [2, ['client', 'add', 'x', '--type', 'service', '--allow', 'nonsense']],
      [2, ['client', 'add', 'x', '--type', 'native', '--redirect-uri', 'javascript:alert(1)']],
      [2, ['user', 'list', '--config', 'missing.yaml']],
    ]
    for (const [code, args] of cases) {
      const ended = await box.audgate(args)
      assert.deepEqual([ended.code, ended.stdout], [code, ''], `${args.join(' ')}: ${ended.stderr}`)
      assert.match(ended.stderr, /^[^\n]{10,}\n$/, args.join(' '))
    }
  })

  it('--json prints data, and nothing secret', async () => {
    for (const args of [
      ['user', 'list'],
      ['client', 'list'],
      ['keys', 'list'],
    ]) {
      const printed = await box.done(...args, '--json')
      assert.ok(Array.isArray(JSON.parse(printed)))
      assert.doesNotMatch(printed, /argon2|secretHash|"d":/)
    }
  })

  it('a native client without redirect URI can use the device flow only', async () => {
    await box.done('client', 'add', 'tv', '--type', 'native')
    const refused = await callUrl(
      `${box.url}/oauth/authorize?client_id=tv&response_type=code&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2F`,
      {},
    )
    assert.equal(refused.status, 400)
    const begun = await post(`${box.url}/oauth/device_authorization`, { client_id: 'tv', scope: 'photos:read' })
    assert.equal(begun.status, 200)
  })

  it('a service client may be allowed nothing, and then gets nothing', async () => {
    const secret = await box.addSecretClient('idle', 'service')
    const form = {
      grant_type: 'client_credentials',
      client_id: 'idle',
      client_secret: secret,
      resource: box.photos,
      scope: 'photos:read',
    }
    const { status, body } = await post(`${box.url}/oauth/token`, form)
    assert.deepEqual([status, body.error], [400, 'invalid_target'])
  })

  it('a store that another process holds delays an answer, and is 503 with Retry-After at the worst', async () => {
    const { access, refresh } = await box.signIn('alice')
    const database = new DatabaseSync(join(box.folder, 'data/audgate.db'))
    database.exec('BEGIN EXCLUSIVE')
    try {
      assert.equal((await box.call(access)).status, 200, 'a decision asks no store')
      const answer = await box.refresh(refresh)
      assert.equal(answer.status, 503, JSON.stringify(answer.body))
      assert.ok(Number(answer.headers.get('retry-after')) > 0)
    } finally {
      database.exec('ROLLBACK')
      database.close()
    }
    assert.equal((await box.refresh(refresh)).status, 200, 'nothing was lost')
  })

  it('secrets of the store are for its owner alone', () => {
    for (const name of readdirSync(join(box.folder, 'data'))) {
      assert.equal(statSync(join(box.folder, 'data', name)).mode & 0o077, 0, name)
    }
  })

  it("a folder that can't be written to is one line and a failure", async () => {
    writeFileSync(join(box.folder, 'plain'), '')
    const yaml = `public_url: http://localhost:1\nlisten: 127.0.0.1:0\nstore: sqlite:./plain/audgate.db\nresources: []\nroutes: []\n`
    writeFileSync(join(box.folder, 'unfit.yaml'), yaml)
    for (const args of [
      ['serve', 'unfit.yaml'],
      ['user', 'add', 'x', '--config', 'unfit.yaml', '--password-stdin'],
    ]) {
      const ended = await box.audgate(args, `${PASSWORD}\n`)
      assert.ok(ended.code === 1 || ended.code === 2, `${args.join(' ')}: ${ended.code}`)
      assert.match(ended.stderr, /^[^\n]*plain[^\n]*\n$/)
    }
  })

  it('`keys rotate` publishes the new key at once and refuses no token', async () => {
    const { access, refresh } = await box.signIn('alice')
    const { kid } = JSON.parse(await box.done('keys', 'rotate', '--json'))
    await within(5_000, async () => {
      const { body } = await callUrl(`${box.url}/oauth/jwks`, {})
      return JSON.stringify(body).includes(kid) ? undefined : 'not published'
    })
    assert.equal((await box.call(access)).status, 200)
    const next = await box.refresh(refresh)
    assert.equal((await box.call(next.body.access_token)).status, 200)
    await box.restart()
    assert.equal((await box.call(access)).status, 200)
    assert.equal((await box.call(next.body.access_token)).status, 200)
  })
})

describe('`audgate token`', () => {
  let box: BlackBox
  const env = () => ({ XDG_CONFIG_HOME: join(box.folder, 'config'), HOME: box.folder })
  before(async () => {
    box = await startBlackBox()
    mkdirSync(join(box.folder, 'config'))
    await box.addUser('alice', 'photos')
    await box.done('client', 'add', 'terminal', '--type', 'native')
  })
  after(() => box.close())

  /** Starts the command and approves what it asks for. */
  async function approved(args: readonly string[]): Promise<string> {
    const child: ChildProcess = spawn(process.execPath, [AUDGATE, 'token', ...args], {
      cwd: box.folder,
      env: { ...process.env, ...env() },
    })
    let [stdout, stderr] = ['', '']
    child.stdout?.on('data', (chunk) => {
      stdout += chunk
    })
    child.stderr?.on('data', (chunk) => {
      stderr += chunk
    })
    const closed = once(child, 'close')
    await within(10_000, async () => (/[A-Z]{4}-[A-Z]{4}/.test(stderr) ? undefined : `no code: ${stderr}`))
    const [code = ''] = /[A-Z]{4}-[A-Z]{4}/.exec(stderr) ?? []
    const person = new Person(box.url, 'alice')
    let page = await person.open(`${box.url}/oauth/device`)
    page = await person.send(page, formWith(page, 'user_code'), { user_code: code })
    page = await person.signIn(page)
    await person.decide(page, 'approve')
    await closed
    assert.equal(child.exitCode, 0, stderr)
    return stdout
  }

  it('signs the person in by the device flow, prints a token, keeps it at mode 0600 and prints it again', async () => {
    const args = ['--resource', box.photos, '--scope', 'photos:read', '--client', 'terminal']
    const stdout = await approved(args)
    assert.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/, 'the token alone, for $(…)')
    assert.equal((await box.call(stdout.trim())).status, 200)
    const kept = readdirSync(join(box.folder, 'config'), { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    )
    assert.ok(kept.length > 0)
    for (const { parentPath, name } of kept) assert.equal(statSync(join(parentPath, name)).mode & 0o777, 0o600)
    const again = await box.audgate(['token', ...args], '', env())
    assert.deepEqual([again.code, again.stdout], [0, stdout])
  })

  it('says what to do when nothing comes of it', async () => {
    const unknown = await box.audgate(
      ['token', '--resource', 'https://unknown.example.com', '--client', 'terminal'],
      '',
      env(),
    )
    assert.deepEqual([unknown.code, unknown.stdout], [1, ''])
    assert.match(unknown.stderr, /unknown\.example\.com|resource/)
    const nobody = await box.audgate(['token', '--resource', box.photos, '--client', 'nobody'], '', env())
    assert.deepEqual([nobody.code, nobody.stdout], [1, ''])
    assert.match(nobody.stderr, /client add/)
    const away = await box.audgate(
      ['token', '--resource', box.photos, '--issuer', 'http://127.0.0.1:1', '--client', 'terminal'],
      '',
      env(),
    )
    assert.equal(away.code, 1)
    assert.match(away.stderr, /^[^\n]*127\.0\.0\.1:1[^\n]*\n$/)
  })
})

for (const alg of ['RS256', 'EdDSA']) {
  it(`signing_alg ${alg}: tokens are signed by it and good at the gateway`, async () => {
    const box = await startBlackBox({ issuer: `  signing_alg: ${alg}` })
    try {
      await box.addUser('alice', 'photos')
      await box.addApp('cli')
      const { access, answer } = await box.signIn('alice', { scope: 'openid photos:read' })
      for (const token of [access, String(answer.body.id_token)]) {
        assert.equal(JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).alg, alg)
      }
      assert.equal((await box.call(access)).status, 200)
      const { body } = await callUrl(`${box.url}/.well-known/openid-configuration`, {})
      assert.deepEqual(body.id_token_signing_alg_values_supported, [alg])
    } finally {
      await box.close()
    }
  })
}
