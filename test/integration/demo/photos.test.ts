import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startPhotoServer } from '../../../src/demo/samples/photo-server.ts'
import type { SampleServer } from '../../../src/demo/samples/sample-server.ts'

let server: SampleServer

before(async () => {
  server = await startPhotoServer({ port: 0 })
})

after(() => server.close())

const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(server.url + path, { headers })

interface Listed {
  readonly id: string
  readonly url: string
  readonly thumbnail: string
  readonly by?: string
}

const listed = async (headers: Record<string, string> = {}): Promise<readonly Listed[]> => {
  const { photos } = (await (await get('/api/photos', headers)).json()) as { photos: readonly Listed[] }
  return photos
}

describe('the sample photo server', () => {
  it('lists an album whose pictures and thumbnails are PNGs of the width that was asked for', async () => {
    const photos = await listed()
    assert.ok(photos.length >= 8)
    for (const [query, width] of [
      ['', 1200],
      ['?w=320', 320],
      ['?w=300', 320],
      ['?w=99999', 1200],
      ['?w=x', 1200],
    ] as const) {
      const answer = await get(`${photos[0]?.url}${query}`)
      assert.equal(answer.headers.get('content-type'), 'image/png')
      const bytes = Buffer.from(await answer.arrayBuffer())
      assert.equal(bytes.toString('latin1', 1, 4), 'PNG')
      assert.equal(bytes.readUInt32BE(16), width, query)
    }
  })

  it('links with the prefix that the gateway names, and with none that is no plain path', async () => {
    assert.equal((await listed({ 'x-forwarded-prefix': '/photos' }))[0]?.url, '/photos/pictures/harbour')
    assert.equal((await listed({ 'x-forwarded-prefix': '//evil.example' }))[0]?.url, '/pictures/harbour')
    assert.equal((await listed({ 'x-forwarded-prefix': '/"><script>' }))[0]?.url, '/pictures/harbour')
  })

  it('answers a range, and 304 to whoever has the picture already', async () => {
    const whole = Buffer.from(await (await get('/pictures/dunes?w=160')).arrayBuffer())
    const part = await get('/pictures/dunes?w=160', { range: 'bytes=10-19' })
    assert.equal(part.status, 206)
    assert.equal(part.headers.get('content-range'), `bytes 10-19/${whole.length}`)
    assert.deepEqual(Buffer.from(await part.arrayBuffer()), whole.subarray(10, 20))
    const tail = await get('/pictures/dunes?w=160', { range: 'bytes=-5' })
    assert.deepEqual(Buffer.from(await tail.arrayBuffer()), whole.subarray(-5))
    assert.equal((await get('/pictures/dunes?w=160', { range: `bytes=${whole.length}-` })).status, 416)
    assert.equal((await get('/pictures/dunes', { 'if-none-match': part.headers.get('etag') ?? '' })).status, 200)
    assert.equal((await get('/pictures/dunes?w=160', { 'if-none-match': part.headers.get('etag') ?? '' })).status, 304)
  })

  it('takes an upload, says by whom, and deletes it', async () => {
    const picture = Buffer.from(await (await get('/pictures/firs?w=160')).arrayBuffer())
    const upload = await fetch(`${server.url}/api/photos?title=Mine`, {
      method: 'POST',
      body: picture,
      headers: { 'x-auth-username': 'alice' },
    })
    assert.equal(upload.status, 201)
    const photo = (await upload.json()) as Listed
    assert.equal(photo.by, 'alice')
    assert.deepEqual(Buffer.from(await (await get(photo.url)).arrayBuffer()), picture)
    assert.equal((await fetch(`${server.url}/api/photos/${photo.id}`, { method: 'DELETE' })).status, 204)
    assert.equal((await get(photo.url)).status, 404)
  })

  it('takes nothing but pictures, and nothing from pages of other sites', async () => {
    const post = (body: string, headers: Record<string, string>) =>
      fetch(`${server.url}/api/photos`, { method: 'POST', body, headers })
    assert.equal((await post('<script>alert(1)</script>', {})).status, 415)
    assert.equal((await post('\x89PNG\r\n\x1a\n', { 'sec-fetch-site': 'cross-site' })).status, 403)
  })

  it('shows the identity headers that it received, and no credential', async () => {
    const told = {
      'x-auth-username': 'alice',
      'x-auth-groups': 'photos,files',
      authorization: 'Bearer secret',
      accept: 'text/html',
    }
    const answer = await (await get('/whoami', told)).text()
    assert.deepEqual(JSON.parse(answer), {
      username: 'alice',
      headers: { 'x-auth-username': 'alice', 'x-auth-groups': 'photos,files' },
      authorization: 'present',
    })
    const page = await (await get('/', { ...told, 'x-auth-name': '<b>Alice' })).text()
    assert.match(page, /I was told that you are <strong>alice<\/strong>/)
    assert.doesNotMatch(page, /secret|<b>Alice/)
  })

  it('answers 404 for what is not there, and 400 for what is no path', async () => {
    assert.equal((await get('/pictures/none')).status, 404)
    assert.equal((await get('//')).status, 404)
    assert.equal((await fetch(`${server.url}/api/photos/harbour`, { method: 'PATCH' })).status, 404)
  })
})
