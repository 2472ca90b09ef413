import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type BrowserGateway, FETCH, Jar, startBrowserGateway } from '../../../support/browser-gateway.ts'
import { appPassword, get, ticketBy } from '../../../support/issuer/app-password.ts'
import { rawRequest } from '../../../support/upstreams.ts'

const shared: { box: BrowserGateway } = { box: undefined as never }
before(async () => {
  shared.box = await startBrowserGateway()
})
after(() => shared.box.close())

describe('tickets', () => {
  it('A ticket opens GET, HEAD, Range on its path with any further query, and nothing else: not PUT, the sibling, `%2e%2e`, another host', async () => {
    const { password } = await appPassword(shared.box, 'photos', ['photos:read', 'photos:write'])
    const { query_url: url, path_url: path } = await ticketBy(shared.box, { path: '/v/film.mp4' }, password)
    assert.equal((await get(url, {})).status, 200)
    assert.equal((await get(url, {}, 'HEAD')).status, 200)
    assert.equal((await get(`${url}&t=3`, { range: 'bytes=0-1' })).status, 200)
    const { url: seen, headers: fields } = shared.box.arrived.at(-1) ?? assert.fail()
    assert.deepEqual([seen, fields.range], ['/v/film.mp4?t=3', 'bytes=0-1'])
    assert.equal((await get(path, { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' })).status, 200)
    assert.equal((await get(url, {}, 'PUT')).status, 403)
    assert.equal((await get(url.replace('film', 'other'), {})).status, 403)
    assert.equal((await get(path.replace('/v/film', '/v/%252e%252e/film'), {})).status, 400)
    const { host, search } = new URL(url)
    for (const dotted of ['/v/%2e%2e/v/film.mp4', '/v/%2E%2e/film.mp4', '/v/..%2fv/film.mp4']) {
      const { text } = await rawRequest(shared.box.port, `GET ${dotted}${search} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
      assert.match(text, /^HTTP\/1\.1 400 [\s\S]*ambiguous_path/, dotted)
    }
    const elsewhere = await get(url.replace('photos.localhost', 'files.localhost'), {})
    assert.deepEqual([elsewhere.status, JSON.parse(elsewhere.text).reason], [403, 'ticket_mismatch'])
    assert.equal(
      (
        await get(
          url.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
          {},
        )
      ).status,
      401,
    )
    assert.equal((await get(`${url}&audgate_ticket=x`, {})).status, 400)
  })
  it('An HLS playlist with relative segments is read through the folder form; `/a/` does not open `/ab/`', async () => {
    const { password } = await appPassword(shared.box, 'photos', ['photos:read'])
    const { url } = await ticketBy(shared.box, { folder: '/a/', life: '2h' }, password)
    for (const name of ['list.m3u8', 'seg/1.ts', 'seg/2.ts']) {
      const answer = await get(new URL(name, url).href, {})
      assert.equal(answer.status, 200)
      assert.equal(JSON.parse(answer.text).url, `/a/${name}`)
    }
    assert.equal((await get(url.replace(/\/a\/$/, '/ab/x'), {})).status, 403)
    assert.equal((await get(url.replace(/\/a\/$/, '/x'), {})).status, 403)
  })
  it('The upstream and the log see no ticket', async () => {
    const { box } = shared
    const { password } = await appPassword(shared.box, 'photos', ['photos:read'])
    const { query_url: query, path_url: path } = await ticketBy(shared.box, { path: '/seen' }, password)
    const value = new URL(query).searchParams.get('audgate_ticket') ?? ''
    await get(`${query}&more=1`, { referer: path })
    await get(path, { referer: query })
    await get(`${box.photos}/.audgate/t/${value}`, {})
    assert.ok(value.length > 40)
    assert.ok(!JSON.stringify(box.arrived).includes(value))
    assert.ok(!JSON.stringify(box.gateway.log).includes(value))
    assert.equal(box.arrived.findLast(({ url }) => url.includes('more'))?.url, '/seen?more=1')
  })
  it('The upstream and the log see no ticket whose name or prefix is spelled otherwise, and a good cookie saves no bad one', async () => {
    const { box } = shared
    const { password } = await appPassword(box, 'photos', ['photos:read'])
    const { query_url: query } = await ticketBy(box, { path: '/seen' }, password)
    const value = new URL(query).searchParams.get('audgate_ticket') ?? ''
    const at = (parameter: string) => `${box.photos}/seen?${parameter}`
    const jar = new Jar()
    await jar.signIn(`${box.photos}/`)
    for (const name of ['audgate%5Fticket', 'audgate%5fticket', '%61udgate_ticket']) {
      assert.equal((await get(at(`${name}=${value}`), {})).status, 200, name)
      assert.equal((await jar.send(at(`${name}=x`), {})).status, 401, name)
      assert.equal((await get(at(`${name}=${value}&audgate_ticket=${value}`), {})).status, 400, name)
    }
    for (const name of [
      'Audgate_Ticket',
      'audgate%255Fticket',
      'audgate.ticket',
      '+audgate_ticket',
      'a=1;audgate_ticket',
    ]) {
      await jar.send(at(`${name}=${value}`), { headers: { referer: at(`${name}=${value}`) } })
      await get(`${box.photos}/public/x?${name}=${value}`, { 'hx-current-url': at(`${name}=${value}`) })
    }
    const inPath = `${box.photos}/%2eaudgate/t/${value}/seen`
    assert.equal((await get(inPath, {})).status, 400)
    await jar.send(`${box.photos}/seen?from=${encodeURIComponent(query)}`, { headers: { referer: inPath } })
    assert.ok(box.arrived.length > 10)
    assert.ok(!JSON.stringify(box.arrived).includes(value))
    assert.ok(!JSON.stringify(box.gateway.log).includes(value))
  })
  it('is made for a path as people write it, and opens it however a player escapes it', async () => {
    const { box } = shared
    const { password } = await appPassword(box, 'photos', ['photos:read'])
    for (const wanted of [{ path: '/Filme/Über uns.mp4' }, { folder: '/Filme' }]) {
      const { path_url: at } = await ticketBy(box, wanted, password)
      const url = 'folder' in wanted ? `${at}%C3%9Cber%20uns.mp4` : at
      assert.match(url, /\/Filme\/%C3%9Cber%20uns\.mp4$/)
      assert.equal((await get(url, {})).status, 200)
      const lowered = url.replaceAll('%C3%9C', '%c3%9c')
      assert.equal((await get(lowered, {})).status, 200)
      assert.equal(box.arrived.at(-1)?.url, '/Filme/%c3%9cber%20uns.mp4')
      assert.equal((await get(url.replace('%C3%9C', 'U'), {})).status, 'folder' in wanted ? 200 : 403)
    }
  })
  it('is made for what is passed on alone, and a script with an ended session learns where to sign in', async () => {
    const box = await startBrowserGateway({ photos: 'sign_out_paths: [/logout]' })
    try {
      const { password } = await appPassword(box, 'photos', ['photos:read'])
      for (const wanted of [
        { path: '/.audgate/session' },
        { folder: '/.audgate' },
        { path: '/.audgate/t/x/a' },
        { path: '/logout' },
      ])
        await assert.rejects(ticketBy(box, wanted, password), /no route takes tickets at this path/)
      const headers = { ...FETCH, referer: `${box.photos}/album` }
      const nobody = await new Jar().send(`${box.photos}/.audgate/tickets`, {
        method: 'POST',
        headers,
        body: '{"path":"/a"}',
      })
      assert.equal(nobody.status, 401)
      assert.equal(JSON.parse(nobody.text).sign_in, `${box.photos}/.audgate/sign-in?return_to=%2Falbum`)
    } finally {
      await box.close()
    }
  })
  it('what is public says by its answer no more of the ticket than what is not', async () => {
    const { box } = shared
    const { password } = await appPassword(box, 'photos', ['photos:read'])
    const { path_url: path, query_url: query } = await ticketBy(box, { folder: '/' }, password)
    for (const url of [`${path}public/x`, query.replace('/?', '/public/x?')]) {
      const { status, headers } = await get(url, {})
      assert.deepEqual([status, headers['referrer-policy'], headers['cache-control']], [200, 'no-referrer', 'private'])
    }
  })
  it('Answers carry `private`, and references lead on below a folder’s ticket', async () => {
    const box = await startBrowserGateway({
      answer: ({ url }) =>
        url.startsWith('/r/')
          ? { status: 302, headers: { location: '/r/next', 'cache-control': 'public, max-age=60, s-maxage=9' } }
          : undefined,
    })
    try {
      const { password } = await appPassword(box, 'photos', ['photos:read'])
      const { url } = await ticketBy(box, { folder: '/r/' }, password)
      const answer = await get(`${url}x`, {})
      assert.equal(answer.headers['cache-control'], 'private, max-age=60')
      assert.equal(answer.headers['referrer-policy'], 'no-referrer')
      assert.equal(answer.location, `${new URL(url).pathname}next`)
    } finally {
      await box.close()
    }
  })
  it('Revoking its parent ends it; a session makes one from its own pages alone', async () => {
    const { box } = shared
    const { password, record } = await appPassword(shared.box, 'photos', ['photos:read'])
    const { url } = await ticketBy(shared.box, { path: '/x' }, password)
    assert.equal((await get(url, {})).status, 200)
    await box.acts.revokeAppPassword(record.id, 'test')
    const ended = await get(url, {})
    assert.equal(ended.status, 401)
    assert.equal(JSON.parse(ended.text).reason, 'revoked')
    const jar = new Jar()
    await jar.signIn(`${box.photos}/`)
    const make = (headers: Record<string, string>) =>
      jar.send(`${box.photos}/.audgate/tickets`, { method: 'POST', headers, body: '{"path":"/x","life":"20h"}' })
    assert.equal((await make({ 'sec-fetch-site': 'cross-site' })).status, 403)
    const made = await make({ ...FETCH, origin: box.photos })
    assert.equal(made.status, 200, made.text)
    assert.equal((await get(JSON.parse(made.text).url, {})).status, 200)
  })
})
