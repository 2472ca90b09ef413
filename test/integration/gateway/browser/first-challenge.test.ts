import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { basic } from '../../../support/browser-gateway.ts'
import { type DavGateway, startDavGateway } from '../../../support/dav-gateway.ts'
import { startChromium } from '../../../support/programs/chromium.ts'
import { type Exchange, startTap, type Tap } from '../../../support/programs/tap.ts'

const run = promisify(execFile)
const BASIC = 'Basic realm="File store", charset="UTF-8"'

describe('davfs2, rclone, cadaver and git get `Basic` at their first request; a browser on the same path never', () => {
  let dav: DavGateway
  let tap: Tap
  let tapped: string

  before(async () => {
    dav = await startDavGateway()
    tap = await startTap(dav.port)
    tapped = `http://127.0.0.1:${tap.port}/files`
  })
  after(async () => {
    await tap.close()
    await dav.close()
  })

  /** A folder for the program's own files. */
  const homeOf = (program: string): string => {
    const home = join(dav.gateway.folder, `tapped-${program}`)
    mkdirSync(home)
    return home
  }
  /** Runs a program, however it ends, and answers what it asked. */
  const asked = async (...[file, words, options]: [string, readonly string[], object?]): Promise<Exchange[]> => {
    tap.take()
    await run(file, words, { timeout: 30_000, ...options }).catch(() => undefined)
    return [...tap.take()]
  }
  /** The first request shows nothing and is challenged; the second is the first with the app password, and is let through. */
  const isChallengedOnce = ([first, second]: Exchange[], challenges: readonly (string | RegExp)[], key: string) => {
    if (first === undefined || second === undefined) return assert.fail('there are not two requests')
    const shown = ({ fields }: Exchange) => fields.filter(([name]) => /^authorization$/i.test(name))
    const rest = ({ fields }: Exchange) => fields.filter(([name]) => !/^authorization$/i.test(name)).sort()
    assert.deepEqual([shown(first), first.status], [[], 401])
    assert.equal(first.challenges.length, challenges.length)
    for (const [index, challenge] of challenges.entries()) {
      const got: string = first.challenges[index] ?? ''
      if (typeof challenge === 'string') assert.equal(got, challenge)
      else assert.match(got, challenge)
    }
    assert.deepEqual(shown(second), [['Authorization', basic('alice', key)]])
    assert.deepEqual([second.method, second.target, rest(second)], [first.method, first.target, rest(first)])
    assert.deepEqual([second.status, second.challenges], [200, []])
  }

  it('cadaver: OPTIONS without credentials, `Basic` alone, OPTIONS with the app password', async () => {
    const home = homeOf('cadaver')
    const key = await dav.appPassword()
    writeFileSync(join(home, '.netrc'), `machine 127.0.0.1\nlogin alice\npassword ${key}\n`, { mode: 0o600 })
    writeFileSync(join(home, 'words'), 'ls\nquit\n')
    const options = { cwd: home, env: { ...process.env, HOME: home } }
    const exchanges = await asked('sh', ['-c', `cadaver ${tapped}/ < words`], options)
    assert.deepEqual([exchanges[0]?.method, exchanges[0]?.target], ['OPTIONS', '/files/'])
    isChallengedOnce(exchanges, [BASIC], key)
  })

  it('davfs2: OPTIONS without credentials, `Basic` alone, OPTIONS with the app password', async (context) => {
    if (!existsSync('/dev/fuse') || process.getuid?.() !== 0) return context.skip('davfs2 needs FUSE, and root here')
    const home = homeOf('davfs2')
    const key = await dav.appPassword()
    const place = join(home, 'mounted')
    mkdirSync(place)
    writeFileSync(join(home, 'secrets'), `${tapped}/ alice ${key}\n`, { mode: 0o600 })
    writeFileSync(join(home, 'conf'), `secrets ${join(home, 'secrets')}\nuse_locks 0\nask_auth 0\n`)
    const exchanges = await asked('mount.davfs', [`${tapped}/`, place, '-o', `conf=${join(home, 'conf')}`])
    await run('umount', [place], { timeout: 30_000 }).catch(() => undefined)
    assert.deepEqual([exchanges[0]?.method, exchanges[0]?.target], ['OPTIONS', '/files/'])
    isChallengedOnce(exchanges, [BASIC], key)
  })

  it('git: GET without credentials, `Bearer` and then `Basic`, GET with the app password', async () => {
    const home = homeOf('git')
    const key = await dav.appPassword(['files:read'])
    const bare = join(dav.apache.files, 'tapped.git')
    await run('git', ['init', '-q', '--bare', bare])
    await run('git', ['-C', bare, 'update-server-info'])
    const env = { ...process.env, GIT_TERMINAL_PROMPT: '0', HOME: home }
    const exchanges = await asked('git', ['ls-remote', `${tapped.replace('//', `//alice:${key}@`)}/tapped.git`], {
      env,
    })
    const target = '/files/tapped.git/info/refs?service=git-upload-pack'
    assert.deepEqual([exchanges[0]?.method, exchanges[0]?.target], ['GET', target])
    isChallengedOnce(exchanges, [/^Bearer resource_metadata="/, BASIC], key)
  })

  it('rclone: PROPFIND without credentials, `Basic` alone; told a password, it sends that unasked', async () => {
    const key = await dav.appPassword()
    const { stdout } = await run('rclone', ['obscure', key])
    const env = {
      ...process.env,
      RCLONE_CONFIG: join(homeOf('rclone'), 'rclone.conf'),
      RCLONE_CONFIG_GATE_TYPE: 'webdav',
      RCLONE_CONFIG_GATE_URL: tapped,
      RCLONE_CONFIG_GATE_VENDOR: 'other',
    }
    const words = ['--retries', '1', '--low-level-retries', '1', 'lsf', 'gate:']
    const [without, ...none] = await asked('rclone', words, { env })
    assert.deepEqual([without?.method, without?.target, without?.status], ['PROPFIND', '/files/', 401])
    assert.ok(without?.fields.every(([name]) => name !== 'Authorization'))
    assert.deepEqual([without?.challenges, none], [[BASIC], []])
    const told = { ...env, RCLONE_CONFIG_GATE_USER: 'alice', RCLONE_CONFIG_GATE_PASS: stdout.trim() }
    const [first] = await asked('rclone', words, { env: told })
    assert.deepEqual([first?.method, first?.target, first?.status], ['PROPFIND', '/files/', 207])
    assert.deepEqual(
      first?.fields.filter(([name]) => name === 'Authorization'),
      [['Authorization', basic('alice', key)]],
    )
  })

  it('Chromium: a page load, a frame, a picture, a form and scripts of every method read no `Basic`', async () => {
    const chromium = await startChromium()
    tap.take()
    try {
      const page = await chromium.context.newPage()
      assert.equal((await page.goto(`${tapped}/`))?.status(), 401)
      const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND', 'MKCOL', 'LOCK']
      // A page that is served without a policy of its own, so that it may load things.
      await page.route('**/blank', (route) => route.fulfill({ contentType: 'text/html', body: '<body></body>' }))
      await page.goto(`${tapped}/blank`)
      await page.evaluate(`(async () => {
        const loaded = (element) => new Promise((resolve) => {
          element.onload = element.onerror = resolve
          document.body.append(element)
        })
        for (const method of ${JSON.stringify(methods)}) await fetch('/files/', { method, headers: { Depth: '1' } })
        await loaded(Object.assign(new Image(), { src: '/files/a.png' }))
        await loaded(Object.assign(document.createElement('iframe'), { src: '/files/frame' }))
      })()`)
      await page.setContent(`<form method="post" action="${tapped}/form"><button>Send</button></form>`)
      await Promise.all([page.waitForURL(`${tapped}/form`), page.click('button')])
    } finally {
      await chromium.close()
    }
    const exchanges = tap.take()
    assert.ok(exchanges.length >= 13, `${exchanges.length} requests`)
    for (const { method, target, status, challenges } of exchanges) {
      assert.equal(status, 401, `${method} ${target}`)
      assert.deepEqual(
        challenges.filter((each) => /basic/i.test(each)),
        [],
        `${method} ${target}`,
      )
    }
  })
})
