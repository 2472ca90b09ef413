import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { startFileServer } from '../../../src/demo/samples/file-server.ts'
import type { SampleServer } from '../../../src/demo/samples/sample-server.ts'

const run = promisify(execFile)
let server: SampleServer
let folder: string

before(async () => {
  server = await startFileServer({ port: 0 })
  folder = await mkdtemp(join(tmpdir(), 'audgate-demo-'))
})

after(async () => {
  await server.close()
  await rm(folder, { recursive: true, force: true })
})

const dav = (method: string, path: string, headers: Record<string, string> = {}, body?: string): Promise<Response> =>
  fetch(server.url + path, { method, headers, ...(body === undefined ? {} : { body }) })
const status = async (...call: Parameters<typeof dav>): Promise<number> => (await dav(...call)).status

describe('the sample file server, by rclone', () => {
  const rclone = async (...words: string[]): Promise<string> => {
    const { stdout } = await run('rclone', [
      '--config',
      '/dev/null',
      '--webdav-url',
      server.url,
      '--retries',
      '1',
      ...words,
    ])
    return stdout
  }

  it('lists, copies there and back, moves and deletes', async () => {
    assert.match(await rclone('lsf', '-R', ':webdav:'), /Recipes\/Plum cake\.md/)
    const text = 'ä'.repeat(1000)
    await writeFile(join(folder, 'a file %41.txt'), text)
    await rclone('copy', join(folder, 'a file %41.txt'), ':webdav:New folder')
    await rclone('moveto', ':webdav:New folder/a file %41.txt', ':webdav:Moved/b.txt')
    await rclone('copyto', ':webdav:Moved/b.txt', ':webdav:Moved/c.txt')
    assert.deepEqual((await rclone('lsf', '--format', 'sp', ':webdav:Moved')).trim().split('\n').sort(), [
      '2000;b.txt',
      '2000;c.txt',
    ])
    await rclone('copyto', ':webdav:Moved/c.txt', join(folder, 'back.txt'))
    assert.equal(await readFile(join(folder, 'back.txt'), 'utf8'), text)
    await rclone('purge', ':webdav:Moved')
    assert.doesNotMatch(await rclone('lsf', ':webdav:'), /Moved/)
  })

  it('reads a part of a file', async () => {
    assert.equal(await rclone('cat', '--offset', '6', '--count', '5', ':webdav:Welcome.txt'), 'files')
  })
})

describe('the sample file server', () => {
  it('says that it speaks WebDAV, classes 1 and 2', async () => {
    const answer = await dav('OPTIONS', '/')
    assert.equal(answer.headers.get('dav'), '1, 2')
    assert.match(answer.headers.get('allow') ?? '', /PROPFIND/)
  })

  it('answers the properties that were asked for, and 404 for those it has not', async () => {
    const body =
      '<?xml version="1.0"?><x:propfind xmlns:x="DAV:" xmlns:o="http://owncloud.org/ns"><x:prop><x:getcontentlength/><o:permissions/></x:prop></x:propfind>'
    const xml = await (await dav('PROPFIND', '/Recipes/Bread.md', { depth: '0' }, body)).text()
    assert.match(xml, /<D:getcontentlength>\d+<\/D:getcontentlength><\/D:prop><D:status>HTTP\/1.1 200 OK/)
    assert.match(xml, /<permissions xmlns="http:\/\/owncloud.org\/ns"><\/permissions><\/D:prop><D:status>HTTP\/1.1 404/)
    assert.doesNotMatch(xml, /getetag/)
    assert.equal(await status('PROPFIND', '/', { depth: 'infinity' }), 403)
    assert.equal(await status('PROPFIND', '/', { depth: '0' }, '<other/>'), 400)
  })

  it('keeps the properties that a client sets', async () => {
    const body =
      '<D:propertyupdate xmlns:D="DAV:" xmlns:z="urn:z"><D:set><D:prop><z:colour>a &amp; b</z:colour></D:prop></D:set></D:propertyupdate>'
    assert.match(await (await dav('PROPPATCH', '/Welcome.txt', {}, body)).text(), /200 OK/)
    assert.match(
      await (await dav('PROPFIND', '/Welcome.txt', { depth: '0' })).text(),
      /<colour xmlns="urn:z">a &amp; b<\/colour>/,
    )
    const own =
      '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:getetag>x</D:getetag></D:prop></D:set></D:propertyupdate>'
    assert.match(await (await dav('PROPPATCH', '/Welcome.txt', {}, own)).text(), /403 Forbidden/)
  })

  it('makes folders once, and files in folders that are there', async () => {
    assert.equal(await status('MKCOL', '/made'), 201)
    assert.equal(await status('MKCOL', '/made'), 405)
    assert.equal(await status('MKCOL', '/none/made'), 409)
    assert.equal(await status('PUT', '/none/file', {}, 'x'), 409)
    assert.equal(await status('PUT', '/made/file', {}, 'x'), 201)
    assert.equal(await status('PUT', '/made/file', {}, 'y'), 204)
    assert.equal(await status('PUT', '/made', {}, 'y'), 405)
    assert.equal(await status('PUT', '/made/file', { 'if-none-match': '*' }, 'z'), 412)
  })

  it('copies and moves by path or by a URL of its own, never over what the client wants kept', async () => {
    assert.equal(await status('PUT', '/one', {}, 'one'), 201)
    assert.equal(await status('COPY', '/one', { destination: '/two' }), 201)
    assert.equal(await status('COPY', '/one', { destination: `${server.url}/two`, overwrite: 'F' }), 412)
    assert.equal(await status('MOVE', '/one', { destination: `${server.url}/two` }), 204)
    assert.equal(await status('GET', '/one'), 404)
    assert.equal(await status('MOVE', '/two', { destination: 'http://elsewhere.example/two' }), 502)
    assert.equal(await status('MOVE', '/two', {}), 400)
    assert.equal(await status('COPY', '/Recipes', { destination: '/Recipes/inside' }), 403)
  })

  it('keeps what is locked from those who do not name the lock', async () => {
    const body =
      '<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype><D:owner>me</D:owner></D:lockinfo>'
    const locked = await dav('LOCK', '/draft.txt', { depth: '0' }, body)
    assert.equal(locked.status, 201)
    const token = locked.headers.get('lock-token') ?? ''
    assert.match(await locked.text(), /<D:owner>me<\/D:owner>/)
    assert.equal(await status('LOCK', '/draft.txt', { depth: '0' }, body), 423)
    assert.equal(await status('PUT', '/draft.txt', {}, 'x'), 423)
    assert.equal(await status('DELETE', '/draft.txt'), 423)
    assert.equal(await status('PUT', '/draft.txt', { if: `(${token})` }, 'x'), 204)
    assert.equal(await status('LOCK', '/draft.txt', { if: `(${token})` }), 200)
    assert.equal(await status('UNLOCK', '/draft.txt', { 'lock-token': token }), 204)
    assert.equal(await status('PUT', '/draft.txt', {}, 'y'), 204)
  })

  it('refuses names that two readers could understand differently', async () => {
    for (const path of ['/a%2Fb', '/%00', '/a%zz', '/x//y']) assert.equal(await status('GET', path), 400, path)
  })

  it('shows a folder as a page to browsers, with the identity that it was told, and as JSON to programs', async () => {
    const page = await (
      await dav('GET', '/', { accept: 'text/html', 'x-forwarded-prefix': '/files', 'x-auth-username': 'bob' })
    ).text()
    assert.match(page, /href="\/files\/Recipes\/"/)
    assert.match(page, /I was told that you are <strong>bob<\/strong>\. No token reached me\./)
    const { entries } = (await (await dav('GET', '/')).json()) as { entries: readonly { name: string }[] }
    assert.ok(entries.some(({ name }) => name === 'Welcome.txt'))
  })
})
