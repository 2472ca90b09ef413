import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { addPeople, FETCH, Jar, PAGE } from '../../../support/browser-gateway.ts'
import { startGateway, type TestGateway } from '../../../support/gateway-under-test.ts'
import { freePorts } from '../../../support/programs/free-ports.ts'

interface Echo {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

/** Says what it was asked; below `/base/go/` it leads on to where the query says. */
async function startEcho(): Promise<Server> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://upstream')
    const to = searchParams.get('to')
    if (pathname.startsWith('/base/go/') && to !== null)
      response.writeHead(302, { location: to, 'content-location': to })
    response.end(JSON.stringify({ url: request.url, headers: request.headers }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

describe('sessions and tickets below a path that is taken off, and on ports', () => {
  let upstream: Server
  let gateway: TestGateway
  let at: string
  let port: number
  const jar = new Jar()
  const read = (text: string): Echo => JSON.parse(text)

  before(async () => {
    upstream = await startEcho()
    const [free = 0] = await freePorts(1)
    port = free
    const to = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
    at = `http://apps.localhost:${port}`
    gateway = await startGateway({
      yaml: `
public_url: http://localhost:${port}
listen: 127.0.0.1:${port}
resources:
  - { id: "http://localhost:${port}/photos", name: Photo library, scopes: { "photos:read": See }, grants: [{ groups: [photos], scopes: ["photos:read"] }] }
routes:
  - id: site
    host: apps.localhost
    path: /
    upstream: ${to}
    public: true
  - id: photos
    host: apps.localhost
    path: /photos
    strip_path: true
    resource: http://localhost:${port}/photos
    upstream: ${to}/base
    credentials: [session, token, app_password, ticket]
    sign_out_paths: [/logout]
    rules:
      - { methods: [read], scopes: ["photos:read"] }
`,
    })
    if (gateway.server.store !== undefined) await addPeople(gateway.server.store)
  })
  after(async () => {
    await gateway.close()
    upstream.closeAllConnections()
    await new Promise((resolve) => upstream.close(resolve))
  })

  it('a sign-in comes back to the address that the browser asked for, and the upstream sees it without the path', async () => {
    const end = await jar.signIn(`${at}/photos/album/5?sort=new`)
    assert.deepEqual([end.status, end.url], [200, `${at}/photos/album/5?sort=new`])
    const { url, headers } = read(end.text)
    assert.deepEqual([url, headers['x-auth-username']], ['/base/album/5?sort=new', 'alice'])
    assert.ok(!('cookie' in headers))
  })

  it('a target that no session opens becomes the first place of the host that one does', async () => {
    for (const target of ['/', '/elsewhere', '/photosx', '/photos/../elsewhere', '/.audgate/session']) {
      const end = await jar.open(`${at}/.audgate/sign-in?return_to=${encodeURIComponent(target)}`)
      assert.equal(end.url, `${at}/photos`, target)
    }
    const end = await jar.open(`${at}/.audgate/sign-in?return_to=${encodeURIComponent('/photos/b%20c?x=1')}`)
    assert.equal(end.url, `${at}/photos/b%20c?x=1`)
  })

  it('a script reads where to sign in for the page that it belongs to, in the browser’s terms', async () => {
    const headers = { ...FETCH, referer: `${at}/photos/album/5` }
    const answer = await new Jar().send(`${at}/photos/api/list`, { headers })
    const signIn = new URL(JSON.parse(answer.text).sign_in)
    assert.equal(signIn.origin, at)
    assert.equal(signIn.searchParams.get('return_to'), '/photos/album/5')
  })

  it('own endpoints lie at the host’s root alone: below a path the upstream’s are its own', async () => {
    const { active } = JSON.parse((await jar.send(`${at}/.audgate/session`)).text)
    assert.equal(active, true)
    const below = await jar.send(`${at}/photos/.audgate/session`, { headers: FETCH })
    assert.equal(read(below.text).url, '/base/.audgate/session')
  })

  it('the cookie is cut from requests to the public route of the host, too', async () => {
    const { text } = await jar.send(`${at}/elsewhere`, {
      headers: { cookie: `a=1; audgate_web=${'x'.repeat(43)}; b=2` },
    })
    assert.equal(read(text).headers.cookie, 'a=1; b=2')
  })

  it('a ticket is for the path that the browser sees; references get the path and the ticket back, and lead nowhere else', async () => {
    const make = async (wanted: object) => {
      const headers = { ...FETCH, origin: at }
      const made = await jar.send(`${at}/.audgate/tickets`, { method: 'POST', headers, body: JSON.stringify(wanted) })
      assert.equal(made.status, 200, made.text)
      return JSON.parse(made.text)
    }
    const stranger = new Jar()
    const file = await make({ path: '/photos/v/film.mp4' })
    for (const url of [file.query_url, file.path_url])
      assert.equal(read((await stranger.send(url)).text).url, '/base/v/film.mp4')
    const unstripped = file.query_url.replace('/photos/v/', '/v/')
    assert.equal(read((await stranger.send(unstripped)).text).headers['x-auth-username'], undefined)
    const { url: folder } = await make({ folder: '/photos/go/' })
    const prefix = new URL(folder).pathname
    const [ticket] = prefix.split('/photos/')
    for (const [to, location] of [
      ['/base/go/next', `${prefix}next`],
      ['/base/go/next?a=1#b', `${prefix}next?a=1#b`],
      ['/base/other', `${ticket}/photos/other`],
      ['next', 'next'],
      ['https://elsewhere.example/base/go/x', 'https://elsewhere.example/base/go/x'],
      ['//elsewhere.example/base/go/x', '//elsewhere.example/base/go/x'],
    ] as const) {
      const answer = await stranger.send(`${folder}x?to=${encodeURIComponent(to)}`)
      assert.equal(answer.location, location, to)
      assert.equal(answer.headers['content-location'], location, to)
    }
    assert.equal((await stranger.send(`${at}${ticket}/photos/other`)).status, 403)
    assert.equal((await stranger.send(`${at}${ticket}/photos/gox/a`)).status, 403)
    const refused = await jar.send(`${at}/.audgate/tickets`, {
      method: 'POST',
      headers: { ...FETCH, origin: at },
      body: '{"path":"/elsewhere"}',
    })
    assert.equal(refused.status, 400)
  })

  it('a host’s origin has the port of `public_url`, whatever port a request names', async () => {
    for (const host of ['apps.localhost', `apps.localhost:${port === 81 ? 82 : 81}`]) {
      const other = new Jar()
      const { location = '', status } = await other.send(`${at}/photos/a`, { headers: { ...PAGE, host } })
      assert.equal(status, 302)
      assert.equal(new URL(location).searchParams.get('redirect_uri'), `${at}/.audgate/callback`)
      const posted = (origin: string) =>
        jar.send(`${at}/.audgate/sign-out`, { method: 'POST', headers: { host, origin } })
      assert.equal((await posted(`http://${host}`)).status, 403)
    }
    assert.equal((await jar.send(`${at}/photos/a`, { headers: FETCH })).status, 200)
  })

  it('a sign-out path is the browser’s, not the upstream’s, and ends the session there', async () => {
    const asked = await jar.send(`${at}/photos/logout`, { headers: PAGE })
    assert.match(asked.text, /<form method="post" action="\/\.audgate\/sign-out">/)
    const headers = { 'sec-fetch-site': 'same-origin', origin: at }
    assert.equal((await jar.send(`${at}/.audgate/sign-out`, { method: 'POST', headers })).status, 200)
    assert.equal((await jar.send(`${at}/photos/a`, { headers: FETCH })).status, 401)
  })
})
