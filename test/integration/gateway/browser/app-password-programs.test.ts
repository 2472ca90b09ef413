import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { type DavGateway, startDavGateway } from '../../../support/dav-gateway.ts'
import type { TestGateway } from '../../../support/gateway-under-test.ts'
import type { RealServer } from '../../../support/upstreams-real.ts'

const run = promisify(execFile)

describe('real programs with an app password, before Apache mod_dav', () => {
  let dav: DavGateway
  let apache: RealServer
  let gateway: TestGateway
  let url: string

  before(async () => {
    dav = await startDavGateway()
    ;({ apache, gateway } = dav)
    url = `http://127.0.0.1:${dav.port}/files`
  })
  after(() => dav.close())

  it('rclone lists, puts, gets, moves and deletes', async () => {
    const { stdout } = await run('rclone', ['obscure', await dav.appPassword()])
    const env = {
      ...process.env,
      RCLONE_CONFIG: join(gateway.folder, 'rclone.conf'),
      RCLONE_CONFIG_GATE_TYPE: 'webdav',
      RCLONE_CONFIG_GATE_URL: url,
      RCLONE_CONFIG_GATE_VENDOR: 'other',
      RCLONE_CONFIG_GATE_USER: 'alice',
      RCLONE_CONFIG_GATE_PASS: stdout.trim(),
    }
    const rclone = async (...words: string[]) =>
      (await run('rclone', ['--retries', '1', ...words], { env, timeout: 30_000 })).stdout
    const local = join(gateway.folder, 'tree')
    mkdirSync(local)
    writeFileSync(join(local, 'a b & ä.txt'), 'one')
    await rclone('copy', local, 'gate:album')
    await rclone('moveto', 'gate:album/a b & ä.txt', 'gate:album/moved.txt')
    assert.equal(await rclone('lsf', 'gate:album'), 'moved.txt\n')
    assert.equal(await rclone('cat', 'gate:album/moved.txt'), 'one')
    await rclone('purge', 'gate:album')
    assert.ok(!existsSync(join(apache.files, 'album')))
  })

  it('curl -u lists, puts and gets', async () => {
    const password = await dav.appPassword()
    const curl = async (...words: string[]) =>
      (await run('curl', ['-sS', '-w', '%{http_code}', '-u', `any:${password}`, ...words])).stdout
    const file = join(gateway.folder, 'up.txt')
    writeFileSync(file, 'by curl ')
    assert.match(await curl('-T', file, `${url}/up.txt`), /201$/)
    assert.match(await curl(`${url}/up.txt`), /^by curl 200$/)
    assert.match(await curl('-X', 'PROPFIND', '-H', 'Depth: 1', `${url}/`), /<D:href>\/files\/up\.txt<[\s\S]*207$/)
  })

  it('cadaver signs in by .netrc, puts, moves and deletes', async () => {
    const home = join(gateway.folder, 'home')
    mkdirSync(home)
    const netrc = `machine 127.0.0.1\nlogin alice\npassword ${await dav.appPassword()}\n`
    writeFileSync(join(home, '.netrc'), netrc, { mode: 0o600 })
    writeFileSync(join(home, 'c.txt'), 'by cadaver')
    writeFileSync(
      join(home, 'words'),
      `${['lcd .', 'mkcol cad', 'put c.txt cad/c.txt', 'move cad/c.txt cad/d.txt', 'ls cad', 'quit'].join('\n')}\n`,
    )
    const { stdout } = await run('sh', ['-c', `cadaver ${url}/ < words`], {
      cwd: home,
      env: { ...process.env, HOME: home },
      timeout: 30_000,
    })
    assert.equal(readFileSync(join(apache.files, 'cad', 'd.txt'), 'utf8'), 'by cadaver', stdout)
  })

  it('litmus passes basic, copymove, props and locks', async () => {
    mkdirSync(join(apache.files, 'lit'), { mode: 0o777 })
    const options = {
      cwd: gateway.folder,
      env: { ...process.env, TESTS: 'basic copymove props locks' },
      timeout: 60_000,
    }
    const { stdout } = await run('litmus', ['-k', `${url}/`, 'alice', await dav.appPassword()], options).catch(
      ({ stdout }: { stdout: string }) => ({ stdout }),
    )
    const failed = stdout.split('\n').filter((line) => /FAIL/.test(line))
    assert.deepEqual(failed, [], stdout)
    assert.match(stdout, /summary for `locks'/)
  })

  it('davfs2 mounts, after the 401 that it waits for, writes and reads', async (context) => {
    if (!existsSync('/dev/fuse') || process.getuid?.() !== 0) return context.skip('davfs2 needs FUSE, and root here')
    const place = join(gateway.folder, 'mounted')
    mkdirSync(place)
    const secrets = join(gateway.folder, 'secrets')
    writeFileSync(secrets, `${url}/ alice ${await dav.appPassword()}\n`, { mode: 0o600 })
    const conf = join(gateway.folder, 'davfs2.conf')
    writeFileSync(conf, `secrets ${secrets}\nuse_locks 0\ndelay_upload 0\nask_auth 0\n`)
    await run('mount.davfs', [`${url}/`, place, '-o', `conf=${conf}`], { timeout: 30_000 })
    try {
      writeFileSync(join(place, 'by-davfs.txt'), 'by davfs2')
    } finally {
      await run('umount', [place], { timeout: 30_000 })
    }
    assert.equal(readFileSync(join(apache.files, 'by-davfs.txt'), 'utf8'), 'by davfs2')
  })

  it('git over Basic: asks without credentials, gets 401 with a Basic challenge, sends them and is let through', async () => {
    const bare = join(apache.files, 'repo.git')
    const work = join(gateway.folder, 'work')
    const git = (...words: string[]) =>
      run('git', words, { env: { ...process.env, GIT_TERMINAL_PROMPT: '0', HOME: gateway.folder }, timeout: 30_000 })
    await git('init', '-q', work)
    await git(
      '-C',
      work,
      '-c',
      'user.name=a',
      '-c',
      'user.email=a@example.com',
      'commit',
      '-q',
      '--allow-empty',
      '-m',
      'one',
    )
    await git('clone', '-q', '--bare', work, bare)
    await git('-C', bare, 'update-server-info')
    const withKey = url.replace('//', `//alice:${await dav.appPassword(['files:read'])}@`)
    const { stdout } = await git('ls-remote', `${withKey}/repo.git`)
    assert.match(stdout, /HEAD/)
    const copy = join(gateway.folder, 'copy')
    await git('clone', '-q', `${withKey}/repo.git`, copy)
    assert.equal((await git('-C', copy, 'log', '--format=%s')).stdout, 'one\n')
    await assert.rejects(git('ls-remote', `${url}/repo.git`), /could not read Username|Authentication failed/)
  })
})
