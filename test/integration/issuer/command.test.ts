import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { claimsOf, formWith, Person } from '../../support/issuer/browser-less-person.ts'
import { pressProvider, providerEntry, traveller } from '../../support/issuer/federated-issuer.ts'
import { startProvider } from '../../support/issuer/identity-provider.ts'
import { type IssuerUnderTest, startIssuer } from '../../support/issuer/issuer-under-test.ts'

const AUDGATE = join(import.meta.dirname, '../../../src/cli/audgate.js')
let issuer: IssuerUnderTest
let folder: string

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'audgate-token-'))
  issuer = await startIssuer()
  await issuer.addPerson('alice', ['photos', 'files'])
  await issuer.addPerson('bob', ['files'])
  for (const id of ['audgate-cli', 'photos-cli']) await issuer.addClient({ id, type: 'native' })
})
after(async () => {
  await issuer.close()
  await rm(folder, { recursive: true, force: true })
})

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `audgate token`; `approve` is called with the address that it prints. */
async function token(args: readonly string[], approve?: (address: string) => Promise<void>): Promise<Ended> {
  const env = { ...process.env, XDG_CONFIG_HOME: folder }
  const child = spawn(process.execPath, [AUDGATE, 'token', '--issuer', issuer.url, ...args], { cwd: folder, env })
  let [stdout, stderr] = ['', '']
  let approved: Promise<void> | undefined
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
    const address = /^Open (\S+)$/m.exec(stderr)?.[1]
    if (address !== undefined && approve !== undefined) approved ??= approve(address)
  })
  await once(child, 'close')
  await approved
  return { code: child.exitCode, stdout, stderr }
}

function approveAs(username: string, decision: 'approve' | 'deny' = 'approve') {
  return async (address: string): Promise<void> => {
    const person = new Person(issuer.url, username)
    const page = await person.open(address)
    const approval = await person.signIn(await person.send(page, formWith(page, 'user_code')))
    await person.decide(approval, decision)
  }
}

async function cacheFiles(): Promise<readonly string[]> {
  const tokens = join(folder, 'audgate', 'tokens')
  return (await readdir(tokens)).map((name) => join(tokens, name))
}

describe('audgate token', () => {
  it('prints where to go on stderr and the token alone on stdout; keeps it, mode 0600, and renews it', async () => {
    const args = ['--resource', issuer.photos, '--scope', 'photos:read', '--client', 'photos-cli']
    const first = await token(args, approveAs('alice'))
    assert.equal(first.code, 0, first.stderr)
    assert.match(first.stderr, /code [A-Z]{4}-[A-Z]{4}/)
    const claims = claimsOf(first.stdout.trim())
    assert.equal(claims.aud, issuer.photos)
    assert.equal(claims.client_id, 'photos-cli')
    const [file = ''] = await cacheFiles()
    assert.equal((await stat(file)).mode & 0o777, 0o600)

    const again = await token(args)
    assert.deepEqual([again.code, again.stdout, again.stderr], [0, first.stdout, ''])

    const kept = JSON.parse(await readFile(file, 'utf8'))
    await writeFile(file, JSON.stringify({ ...kept, expiresAt: 1 }))
    const renewed = await token(args)
    assert.equal(renewed.code, 0, renewed.stderr)
    assert.equal(renewed.stderr, '')
    assert.notEqual(renewed.stdout, first.stdout)

    await issuer.acts.revokeJti(String(claimsOf(renewed.stdout.trim()).jti), undefined, 'test')
    const fresh = await token(args)
    assert.notEqual(fresh.stdout, renewed.stdout, 'a revoked one is not printed again')

    await issuer.acts.endClient('photos-cli', 'test')
    const anew = await token(args, approveAs('alice'))
    assert.equal(anew.code, 0, anew.stderr)
    assert.match(anew.stderr, /^Open /)
  })

  it('says what to do when it can not be', async () => {
    const expectFailure = async (args: readonly string[], code: number, words: RegExp): Promise<void> => {
      const ended = await token(args)
      assert.equal(ended.code, code, ended.stderr)
      assert.match(ended.stderr, words)
      assert.equal(ended.stdout, '')
    }
    const scope = ['--scope', 'photos:read']
    await expectFailure(
      ['--resource', issuer.photos, ...scope, '--client', 'nobody'],
      1,
      /audgate client add nobody --type native/,
    )
    await expectFailure(['--resource', `${issuer.url}/none`, ...scope], 1, /no resource/)
    await expectFailure(['--resource', issuer.photos, '--scope', 'files:read'], 1, /photos:read photos:write/)
    await expectFailure(['--resource', 'nonsense'], 2, /must be a URL/)
    await expectFailure(['--resource', issuer.photos, ...scope, '--issuer', 'http://example.com'], 2, /https/)
    await expectFailure(['--resource', issuer.photos, ...scope, '--issuer', 'http://127.0.0.1:1'], 1, /audgate serve/)
    await expectFailure([], 2, /--resource/)
  })

  it('16 can be completed by a provider’s button, and its groups count in the token', async () => {
    const provider = await startProvider({
      kind: 'authentik',
      callback: `${issuer.url}/oauth/providers/authentik/callback`,
    })
    try {
      provider.setAccount({ sub: 'berta', username: 'berta', groups: ['photos'] })
      provider.person = 'berta'
      await issuer.reconfigure({ providers: [providerEntry(provider)] })
      const press = async (address: string): Promise<void> => {
        const who = traveller(issuer.url, provider)
        const page = await who.here.open(address)
        const signIn = await who.here.send(page, formWith(page, 'user_code'))
        await who.here.decide(await pressProvider(who, signIn), 'approve')
      }
      const ended = await token(['--resource', issuer.photos, '--scope', 'photos:read'], press)
      assert.equal(ended.code, 0, ended.stderr)
      const { username, groups, idp, scope } = claimsOf(ended.stdout.trim())
      assert.deepEqual([username, groups, idp, scope], ['berta', ['photos'], 'authentik', 'photos:read'])
    } finally {
      await issuer.reconfigure({ providers: [] })
      await provider.close()
    }
  })

  it('ends with 1 when the person may not or does not want to', async () => {
    const denied = await token(['--resource', issuer.photos, '--scope', 'photos:read'], approveAs('bob', 'deny'))
    assert.equal(denied.code, 1)
    assert.match(denied.stderr, /not allowed/)
  })
})
