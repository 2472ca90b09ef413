import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { gunzipSync, gzipSync } from 'node:zlib'
import { FILES, GATE, type Gate, mounts, routeOf } from '../../support/gate.ts'
import { startGateway, type TestGateway, yamlOf } from '../../support/gateway-under-test.ts'
import { fieldOf, type RawAnswer, startUpstream, type TestUpstream } from '../../support/upstreams.ts'
import { type RealServer, startApacheDav } from '../../support/upstreams-real.ts'

const run = promisify(execFile)

/** Answers PROPFIND with hrefs, `/moved?LOCATION` with a redirect, and everything else with the request as JSON. */
function startDav(): Promise<TestUpstream> {
  return startUpstream((request, response, seen) => {
    const [path = '', query = ''] = (request.url ?? '').split('?')
    if (path.endsWith('/moved')) {
      const location = decodeURIComponent(query)
      response.writeHead(302, { Location: location, 'Content-Location': location, 'Content-Length': 0 }).end()
      return
    }
    if (request.method !== 'PROPFIND') {
      const body = JSON.stringify(seen)
      response.writeHead(200, { 'Content-Length': Buffer.byteLength(body) }).end(body)
      return
    }
    const href = (text: string) => `<D:response><D:href>${text}</D:href></D:response>`
    const hrefs = [path, '/a%20b/', `http://${request.headers.host}/c&amp;d`, 'http://other.example/x', 'rel']
    const xml = `<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">${hrefs.map(href).join('')}</D:multistatus>`
    const gzip = String(request.headers['accept-encoding'] ?? '').includes('gzip')
    const body = gzip ? gzipSync(xml) : Buffer.from(xml)
    const fields = { 'Content-Type': 'application/xml; charset=utf-8', 'Content-Length': body.length }
    response.writeHead(207, gzip ? { ...fields, 'Content-Encoding': 'gzip' } : fields)
    // In pieces that cut the names and addresses.
    for (let i = 0; i < body.length; i += 7) response.write(body.subarray(i, i + 7))
    response.end()
  })
}

for (const { mount, open } of mounts) {
  describe(`WebDAV through the gateway, ${mount}`, () => {
    let upstream: TestUpstream
    let gate: Gate

    before(async () => {
      upstream = await startDav()
      const ruled = `
  - id: ruled
    path: /ruled
    strip_path: true
    resource: ${FILES}
    upstream: ${upstream.url}
    rules:
      - { methods: [read], scopes: [files:read] }
      - { methods: [write], paths: [/locked/**], scopes: [files:write] }
      - { methods: [write], paths: [/free/**], scopes: [files:read] }`
      const strip = '    strip_path: true'
      const routes = [routeOf('dav', upstream.url, strip), routeOf('kept', upstream.url)]
      gate = await open([...routes, routeOf('based', `${upstream.url}/base`, strip), ruled].join(''))
    })
    after(async () => {
      await gate.close()
      await upstream.close()
    })

    const ask = (method: string, path: string, lines: readonly string[] = [], claims: object = {}) =>
      gate.ask(path, { method, lines, token: gate.token({ claims: { ...claims } }) })
    const move = (destination: string, path = '/dav/a', method = 'MOVE', claims: object = {}) =>
      ask(method, path, [`Destination: ${destination}`], claims)
    const reader = { aud: FILES, scope: 'files:read' }
    const arrives = (answer: RawAnswer, name: string) => {
      assert.equal(answer.status, 200, answer.text)
      return fieldOf(JSON.parse(answer.body), name)
    }
    /** That nothing went upstream, and why. */
    async function refused(asked: () => Promise<RawAnswer>, status: number, reason: RegExp): Promise<void> {
      const { heads } = upstream
      const answer = await asked()
      assert.equal(answer.status, status, answer.text)
      assert.match(JSON.parse(answer.body).reason, reason)
      assert.equal(upstream.heads, heads)
    }

    it('Destination reaches the upstream in the upstream’s own terms', async () => {
      for (const [path, destination, wanted] of [
        ['/dav/a', '/dav/b%20c', '/b%20c'],
        ['/dav/a', `http://${GATE}/dav/b`, '/b'],
        ['/dav/a', `https://${GATE}/dav/b`, '/b'],
        ['/kept/a', '/kept/b', '/kept/b'],
        ['/kept/a', `http://${GATE}/kept/b`, '/kept/b'],
        ['/based/a', '/based/b', '/base/b'],
      ] as const) {
        for (const method of ['MOVE', 'COPY']) {
          assert.equal(arrives(await move(destination, path, method), 'destination'), `${upstream.url}${wanted}`)
        }
      }
    })

    it('Destination on another host: 502 destination_elsewhere', async () => {
      for (const destination of [
        'http://other.example/dav/b',
        `http://${GATE}.evil.example/dav/b`,
        'http://user@other.example/dav/b',
        `http://${GATE}:81/dav/b`,
      ]) {
        await refused(() => move(destination), 502, /^destination_elsewhere$/)
      }
    })

    it('Destination on another route, or not allowed to this token: 403 destination_not_allowed', async () => {
      for (const destination of ['/kept/b', `http://${GATE}/nowhere`, '/davish/b']) {
        await refused(() => move(destination), 403, /^destination_not_allowed$/)
      }
      for (const destination of ['/ruled/locked/b', '/ruled/unruled/b']) {
        await refused(() => move(destination, '/ruled/free/a', 'MOVE', reader), 403, /^destination_not_allowed$/)
      }
      const free = await move('/ruled/free/b', '/ruled/free/a', 'MOVE', reader)
      assert.equal(arrives(free, 'destination'), `${upstream.url}/free/b`)
    })

    it('Destination is judged like a request’s path; two of them, or none that can be read: 400', async () => {
      const paths = ['/dav/../kept/b', '/dav/%2e%2e/b', '/dav/%252e%252e/b', '/dav//b', '/dav/a\\b', '/dav/%00']
      for (const destination of [...paths, '//other.example/dav/b', '/dav/b#f', '', 'b', `ftp://${GATE}/dav/b`]) {
        await refused(() => move(destination), 400, /^(ambiguous_path|malformed_request)$/)
      }
      const two = ['Destination: /dav/b', 'Destination: /dav/c']
      await refused(() => ask('MOVE', '/dav/a', two), 400, /^malformed_request$/)
    })

    it('the tagged lists of If are put in the upstream’s terms', async () => {
      const lists = (one: string, two: string) =>
        `<${one}> (<urn:uuid:1> ["e"]) (Not <urn:uuid:2>) <${two}> (<urn:uuid:3>)`
      const tagged = await ask('PUT', '/dav/a', [`If: ${lists(`http://${GATE}/dav/a%20b`, '/dav/c')}`])
      assert.equal(arrives(tagged, 'if'), lists(`${upstream.url}/a%20b`, `${upstream.url}/c`))
      assert.equal(arrives(await ask('PUT', '/dav/a', ['If: (<urn:uuid:1>)']), 'if'), '(<urn:uuid:1>)')
    })

    it('the hrefs of 207 answers get the prefix back as they stream, and the request asks for identity encoding', async () => {
      const answer = await ask('PROPFIND', '/dav/x', ['Depth: 1', 'Accept-Encoding: gzip, br'])
      assert.equal(answer.status, 207)
      assert.equal(answer.headers.get('content-encoding'), undefined)
      assert.equal(fieldOf(upstream.seen.at(-1), 'accept-encoding') ?? 'identity', 'identity')
      const hrefs = [...dechunked(answer).matchAll(/<D:href>([^<]*)<\/D:href>/g)].map(([, href]) => href)
      const own = `http://${GATE}/dav/c&amp;d`
      assert.deepEqual(hrefs, ['/dav/x', '/dav/a%20b/', own, 'http://other.example/x', 'rel'])
    })

    it('207 of a route that strips nothing passes as it came', async () => {
      const answer = await ask('PROPFIND', '/kept/x', ['Accept-Encoding: gzip'])
      assert.equal(answer.headers.get('content-encoding'), 'gzip')
      const text = gunzipSync(Buffer.from(answer.body, 'latin1')).toString()
      assert.match(text, /<D:href>\/kept\/x<\/D:href>/)
    })

    it('Location and Content-Location get the prefix back', async () => {
      for (const [route, location, wanted] of [
        ['dav', '/b?c#d', '/dav/b?c#d'],
        ['dav', `${upstream.url}/b`, `http://${GATE}/dav/b`],
        ['dav', 'b', 'b'],
        ['dav', '?x', '?x'],
        ['dav', 'https://other.example/b', 'https://other.example/b'],
        ['dav', '/', '/dav/'],
        ['based', '/base/b', '/based/b'],
        ['kept', '/kept/b', '/kept/b'],
      ] as const) {
        const { headers } = await ask('GET', `/${route}/moved?${encodeURIComponent(location)}`)
        assert.deepEqual([headers.get('location'), headers.get('content-location')], [wanted, wanted])
      }
    })

    it('read and write cover WebDAV’s methods', async () => {
      const reads = ['GET', 'HEAD', 'OPTIONS', 'PROPFIND', 'REPORT', 'SEARCH']
      const resources = ['PUT', 'POST', 'PATCH', 'DELETE', 'MKCOL', 'PROPPATCH', 'LOCK', 'UNLOCK']
      for (const [methods, scope, other] of [
        [reads, 'photos:read', 'photos:write'],
        [[...resources, 'ACL', 'MKCALENDAR'], 'photos:write', 'photos:read'],
      ] as const) {
        for (const method of methods) {
          const good = await ask(method, '/kept/a', [], { scope })
          assert.equal(good.status, method === 'PROPFIND' ? 207 : 200, `${method}: ${good.text}`)
          const { heads } = upstream
          assert.equal((await ask(method, '/kept/a', [], { scope: other })).status, 403, method)
          assert.equal(upstream.heads, heads)
        }
      }
    })
  })
}

/** The body of an answer that may be chunked. */
function dechunked({ headers, body }: RawAnswer): string {
  if (headers.get('transfer-encoding') !== 'chunked') return body
  let text = ''
  for (let at = 0; ; ) {
    const end = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.slice(at, end), 16)
    if (!(size > 0)) return text
    text += body.slice(end + 2, end + 2 + size)
    at = end + 4 + size
  }
}

for (const strip of [true, false]) {
  describe(`WebDAV in front of Apache, ${strip ? 'with' : 'without'} strip_path, in process`, () => {
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
      - { methods: [write], scopes: [files:write] }`
      gateway = await startGateway({ yaml: yamlOf(route) })
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
  })
}
