import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { startGateway, type TestGateway, yamlOf } from '../../support/gateway-under-test.ts'
import { rawRequest } from '../../support/upstreams.ts'
import { type RealServer, startApacheDav } from '../../support/upstreams-real.ts'

const run = promisify(execFile)

for (const strip of [true, false]) {
  describe(`WebDAV in front of Apache, ${strip ? 'with' : 'without'} strip_path`, () => {
    let apache: RealServer
    let gateway: TestGateway
    let token: string

    before(async () => {
      apache = await startApacheDav(strip ? '/' : '/files')
      const route = `
  - id: files
    path: /files
    strip_path: ${strip}
    resource: https://gate.example.com/files
    upstream: ${apache.url}
    rules:
      - { methods: [read], scopes: [files:read] }
      - { methods: [write], paths: ["/closed/**"], scopes: [files:never] }
      - { methods: [write], scopes: [files:write] }`
      gateway = await startGateway({
        yaml: yamlOf(route).replace(
          'files:write: Change files',
          'files:write: Change files, files:never: Nobody has it',
        ),
      })
      token = gateway.token({ claims: { aud: 'https://gate.example.com/files', scope: 'files:read files:write' } })
    })
    after(async () => {
      await gateway.close()
      await apache.close()
    })

    function dav(method: string, path: string, headers: Record<string, string> = {}, body?: string) {
      return fetch(`${gateway.url}${path}`, {
        method,
        headers: { Authorization: `Bearer ${token}`, ...headers },
        ...(body === undefined ? {} : { body }),
      })
    }

    async function rclone(...args: string[]): Promise<string> {
      const env = {
        ...process.env,
        RCLONE_CONFIG: join(gateway.folder, 'rclone.conf'),
        RCLONE_CONFIG_GATE_TYPE: 'webdav',
        RCLONE_CONFIG_GATE_URL: `${gateway.url}/files`,
        RCLONE_CONFIG_GATE_VENDOR: 'other',
        RCLONE_CONFIG_GATE_BEARER_TOKEN: token,
      }
      const { stdout } = await run('rclone', ['--retries', '1', ...args], { env, timeout: 30_000 })
      return stdout
    }

    it('rclone copies a tree up, lists it, moves in it and copies it down again', async () => {
      const local = join(gateway.folder, 'tree')
      mkdirSync(join(local, 'sub dir'), { recursive: true })
      writeFileSync(join(local, 'a b & ä.txt'), 'one')
      writeFileSync(join(local, 'sub dir', '100%.bin'), Buffer.alloc(300_000, 7))
      await rclone('copy', local, 'gate:album')
      assert.deepEqual((await rclone('lsf', '-R', 'gate:album')).trim().split('\n').sort(), [
        'a b & ä.txt',
        'sub dir/',
        'sub dir/100%.bin',
      ])
      await rclone('moveto', 'gate:album/a b & ä.txt', 'gate:album/moved.txt')
      await rclone('copyto', 'gate:album/moved.txt', 'gate:album/copied.txt')
      const back = join(gateway.folder, 'back')
      await rclone('copy', 'gate:album', back)
      assert.equal(readFileSync(join(back, 'moved.txt'), 'utf8'), 'one')
      assert.equal(readFileSync(join(back, 'copied.txt'), 'utf8'), 'one')
      assert.equal(readFileSync(join(back, 'sub dir', '100%.bin')).length, 300_000)
      await rclone('purge', 'gate:album')
      assert.ok(!existsSync(join(apache.files, 'album')))
    })

    it('the hrefs of a 207 are the client’s paths', async () => {
      await dav('PUT', '/files/x%20y.txt', {}, 'x')
      const answer = await dav('PROPFIND', '/files/', { Depth: '1' })
      assert.equal(answer.status, 207)
      const hrefs = [...(await answer.text()).matchAll(/<D:href>([^<]*)<\/D:href>/g)].map(([, href]) => href)
      assert.ok(hrefs.includes('/files/') && hrefs.includes('/files/x%20y.txt'), hrefs.join(' '))
      assert.ok(hrefs.every((href) => href?.startsWith('/files/')))
    })

    it('Destination as a path or a URL of the host that the client used; Location comes back in the client’s terms', async () => {
      await dav('PUT', '/files/one.txt', {}, 'x')
      const copied = await dav('COPY', '/files/one.txt', { Destination: `${gateway.url}/files/two.txt` })
      assert.equal(copied.status, 201)
      assert.match(copied.headers.get('location') ?? '/files/', /\/files\//)
      assert.equal((await dav('MOVE', '/files/two.txt', { Destination: '/files/three.txt' })).status, 201)
      assert.ok(existsSync(join(apache.files, 'three.txt')))
    })

    it('LOCK, a tagged If and UNLOCK work together', async () => {
      await dav('PUT', '/files/locked.txt', {}, 'x')
      const body =
        '<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>'
      const locked = await dav('LOCK', '/files/locked.txt', { 'Content-Type': 'application/xml' }, body)
      assert.equal(locked.status, 200)
      const lock = locked.headers.get('lock-token') ?? ''
      assert.equal((await dav('PUT', '/files/locked.txt', {}, 'y')).status, 423)
      const tagged = `<${gateway.url}/files/locked.txt> (${lock})`
      assert.equal((await dav('PUT', '/files/locked.txt', { If: tagged }, 'z')).status, 204)
      assert.equal((await dav('UNLOCK', '/files/locked.txt', { 'Lock-Token': lock })).status, 204)
      assert.equal(readFileSync(join(apache.files, 'locked.txt'), 'utf8'), 'z')
    })

    it('a Destination that the token may not write is refused, and nothing happens', async () => {
      await dav('PUT', '/files/mine.txt', {}, 'x')
      const answer = await dav('MOVE', '/files/mine.txt', { Destination: '/files/closed/theirs.txt' })
      assert.equal(answer.status, 403)
      assert.ok(existsSync(join(apache.files, 'mine.txt')))
    })

    it('a reader may not write: 403 insufficient_scope for MKCOL', async () => {
      const reader = gateway.token({ claims: { aud: 'https://gate.example.com/files', scope: 'files:read' } })
      const answer = await rawRequest(
        gateway.port,
        `MKCOL /files/new HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${reader}\r\n\r\n`,
      )
      assert.equal(answer.status, 403)
      assert.ok(!existsSync(join(apache.files, 'new')))
    })
  })
}
