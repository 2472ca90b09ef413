import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { makeAppPassword } from '../../src/issuer/people/app-passwords.ts'
import { lookupKey } from '../../src/store/sealed-payload.ts'
import {
  ALICE,
  BOB,
  type BrowserGateway,
  basic,
  FETCH,
  Jar,
  PAGE,
  startBrowserGateway,
} from '../support/browser-gateway.ts'
import { until } from '../support/gateway-under-test.ts'

const shared: { box: BrowserGateway } = { box: undefined as never }
before(async () => {
  shared.box = await startBrowserGateway()
})
after(() => shared.box.close())

const TERMS = { max: 31_536_000, unused: 15_552_000 }

async function appPassword(id: 'photos' | 'files', scopes: readonly string[], box = shared.box, life?: number) {
  const { config } = box.gateway.server
  const resource = config.resources.find(({ identifier }) => identifier.endsWith(`/${id}`))
  const user = await box.store.userBySub(box.people.alice ?? '')
  if (resource === undefined || user === undefined) return assert.fail('no resource or user')
  const asked = { user, resource, scopes, name: 'drive', life }
  const made = await makeAppPassword(box.store, asked, TERMS, Math.floor(Date.now() / 1000))
  return made.kind === 'made' ? made : assert.fail(made.problem)
}

const plain = new Jar()
const get = (url: string, headers: Record<string, string>, method = 'GET') => plain.send(url, { method, headers })

describe('app passwords', () => {
  it('Basic, Bearer and X-Audgate-Authorization open the same; another resource is audience_mismatch; the person’s own password is refused with no hash computed', async () => {
    const { box } = shared
    const { password } = await appPassword('files', ['files:read', 'files:write'])
    for (const headers of [
      { authorization: basic('any', password) },
      { authorization: `Bearer ${password}` },
      { 'x-audgate-authorization': `Bearer ${password}` },
      { 'x-audgate-authorization': basic('', password) },
    ]) {
      const answer = await get(`${box.files}/a`, headers)
      assert.equal(answer.status, 200)
      const { headers: upstream } = JSON.parse(answer.text)
      assert.equal(upstream['x-auth-username'], 'alice')
      assert.equal(upstream.authorization, undefined)
      assert.equal(upstream['x-audgate-authorization'], undefined)
    }
    const other = await get(`${box.photos}/a`, { authorization: basic('any', password) })
    assert.equal(other.status, 401)
    assert.equal(JSON.parse(other.text).reason, 'audience_mismatch')
    const own = await get(`${box.files}/a`, { authorization: basic(ALICE.username, ALICE.password) })
    assert.equal(own.status, 401)
    assert.equal(JSON.parse(own.text).reason, 'bad_app_password')
    const both = await get(`${box.files}/a`, {
      authorization: basic('a', password),
      'x-audgate-authorization': `Bearer ${password}`,
    })
    assert.equal(both.status, 400)
  })
  it('files:read does PROPFIND and GET, 403 on PUT', async () => {
    const { box } = shared
    const { password } = await appPassword('files', ['files:read'])
    const headers = { authorization: basic('any', password) }
    assert.equal((await get(`${box.files}/d`, headers, 'PROPFIND')).status, 200)
    assert.equal((await get(`${box.files}/d`, headers)).status, 200)
    assert.equal((await get(`${box.files}/d`, headers, 'PUT')).status, 403)
  })
  it('its value is in no log line, store file or upstream request', async () => {
    const { box } = shared
    const { password } = await appPassword('files', ['files:read'])
    await get(`${box.files}/a`, { authorization: basic('x', password) })
    await get(`${box.files}/public/a`, {
      authorization: basic('x', password),
      'x-audgate-authorization': `Bearer ${password}`,
    })
    const seen = JSON.stringify([
      box.gateway.log,
      box.arrived,
      await box.store.appPasswords({}),
      await box.store.audits(1_000),
    ])
    assert.ok(!seen.includes(password))
    assert.ok(!seen.includes(Buffer.from(`x:${password}`).toString('base64')))
  })
  it('revoked, expired, or a group lost: refused or narrowed within 50 ms', async () => {
    const { box } = shared
    const { password, record } = await appPassword('files', ['files:read', 'files:write'])
    const ask = async () => (await get(`${box.files}/a`, { authorization: basic('x', password) })).status
    assert.equal(await ask(), 200)
    await box.acts.changeGroups(box.people.alice ?? '', ['photos'], 'test')
    assert.equal(await ask(), 401)
    await box.acts.changeGroups(box.people.alice ?? '', ['photos', 'files'], 'test')
    assert.equal(await ask(), 200)
    await box.acts.revokeAppPassword(record.id, 'test')
    assert.equal(await ask(), 401)
  })
  it('authorization: upstream: the app’s field arrives byte for byte, its 401 comes back untouched, one of ours there is 400', async () => {
    const box = await startBrowserGateway({
      photos: 'authorization: upstream',
      answer: ({ url }) =>
        url === '/no' ? { status: 401, headers: { 'www-authenticate': 'MediaBrowser x="1"' }, body: 'no' } : undefined,
    })
    try {
      const { password } = await appPassword('photos', ['photos:read'], box)
      const ours = { 'x-audgate-authorization': `Bearer ${password}` }
      for (const field of [
        'MediaBrowser Token="a, b"',
        'bearer  odd',
        'Bearer upstreams.own.token',
        'Basic Zm9vOmJhcg==',
      ]) {
        const answer = await get(`${box.photos}/a`, { ...ours, authorization: field })
        assert.equal(JSON.parse(answer.text).headers?.authorization, field)
      }
      const refused = await get(`${box.photos}/no`, { ...ours, authorization: 'x y' })
      assert.equal(refused.status, 401)
      assert.deepEqual(refused.challenges, ['MediaBrowser x="1"'])
      assert.equal(refused.text, 'no')
      assert.equal((await get(`${box.photos}/a`, { ...ours, authorization: basic('x', password) })).status, 400)
      assert.equal((await get(`${box.photos}/a`, { authorization: 'MediaBrowser Token="a"' })).status, 401)
    } finally {
      await box.close()
    }
  })
  it('a thousand wrong keys from one address end in 429 there; a good key is answered at once', async () => {
    const { box } = shared
    const { password } = await appPassword('files', ['files:read'])
    const wrong = (i: number) =>
      get(`${box.files}/a`, { authorization: basic('x', `agp_${String(i).padStart(43, 'A')}`) })
    const statuses: number[] = []
    for (let i = 0; i < 1_000; i += 50) {
      const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => wrong(i + n)))
      statuses.push(...answers.map(({ status }) => status))
    }
    // Those that were revoked above are as unknown as these.
    const refused = statuses.filter((status) => status === 401).length
    assert.ok(refused > 5 && refused <= 10)
    assert.equal(statuses.filter((status) => status === 429).length, 1_000 - refused)
    assert.ok(Number((await wrong(0)).headers['retry-after']) > 0)
    assert.equal((await get(`${box.files}/a`, { authorization: basic('x', password) })).status, 200)
  })
})

interface Ticket {
  readonly url: string
  readonly query_url: string
  readonly path_url: string
}

async function ticket(wanted: Readonly<Record<string, string>>, secret: string, box = shared.box): Promise<Ticket> {
  const answer = await plain.send(`${box.photos}/.audgate/tickets`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
    body: JSON.stringify(wanted),
  })
  assert.equal(answer.status, 200, answer.text)
  return JSON.parse(answer.text)
}

describe('tickets', () => {
  it('opens GET, HEAD and Range on its path with any further query, and nothing else', async () => {
    const { password } = await appPassword('photos', ['photos:read', 'photos:write'])
    const { query_url: url, path_url: path } = await ticket({ path: '/v/film.mp4' }, password)
    assert.equal((await get(url, {})).status, 200)
    assert.equal((await get(url, {}, 'HEAD')).status, 200)
    assert.equal((await get(`${url}&t=3`, { range: 'bytes=0-1' })).status, 200)
    assert.equal((await get(path, { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' })).status, 200)
    assert.equal((await get(url, {}, 'PUT')).status, 403)
    assert.equal((await get(url.replace('film', 'other'), {})).status, 403)
    assert.equal((await get(path.replace('/v/film', '/v/%252e%252e/film'), {})).status, 400)
    assert.notEqual((await get(url.replace('photos.localhost', 'files.localhost'), {})).status, 200)
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
  it('a playlist with relative segments plays through the folder form; /a/ does not open /ab/', async () => {
    const { password } = await appPassword('photos', ['photos:read'])
    const { url } = await ticket({ folder: '/a/', life: '2h' }, password)
    for (const name of ['list.m3u8', 'seg/1.ts', 'seg/2.ts']) {
      const answer = await get(new URL(name, url).href, {})
      assert.equal(answer.status, 200)
      assert.equal(JSON.parse(answer.text).url, `/a/${name}`)
    }
    assert.equal((await get(url.replace(/\/a\/$/, '/ab/x'), {})).status, 403)
    assert.equal((await get(url.replace(/\/a\/$/, '/x'), {})).status, 403)
  })
  it('the upstream and the log see no ticket', async () => {
    const { box } = shared
    const { password } = await appPassword('photos', ['photos:read'])
    const { query_url: query, path_url: path } = await ticket({ path: '/seen' }, password)
    const value = new URL(query).searchParams.get('audgate_ticket') ?? ''
    await get(`${query}&more=1`, { referer: path })
    await get(path, { referer: query })
    await get(`${box.photos}/.audgate/t/${value}`, {})
    assert.ok(value.length > 40)
    assert.ok(!JSON.stringify(box.arrived).includes(value))
    assert.ok(!JSON.stringify(box.gateway.log).includes(value))
    assert.equal(box.arrived.findLast(({ url }) => url.includes('more'))?.url, '/seen?more=1')
  })
  it('answers carry private and no-referrer, and references lead on below a folder’s ticket', async () => {
    const box = await startBrowserGateway({
      answer: ({ url }) =>
        url.startsWith('/r/')
          ? { status: 302, headers: { location: '/r/next', 'cache-control': 'public, max-age=60, s-maxage=9' } }
          : undefined,
    })
    try {
      const { password } = await appPassword('photos', ['photos:read'], box)
      const { url } = await ticket({ folder: '/r/' }, password, box)
      const answer = await get(`${url}x`, {})
      assert.equal(answer.headers['cache-control'], 'private, max-age=60')
      assert.equal(answer.headers['referrer-policy'], 'no-referrer')
      assert.equal(answer.location, `${new URL(url).pathname}next`)
    } finally {
      await box.close()
    }
  })
  it('revoking its parent ends it; a session makes one from its own pages alone', async () => {
    const { box } = shared
    const { password, record } = await appPassword('photos', ['photos:read'])
    const { url } = await ticket({ path: '/x' }, password)
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

describe('whose request it is', () => {
  it('unsafe methods and sockets with the cookie from elsewhere are 403, the upstream untouched; with a Bearer as ever', async () => {
    const { box } = shared
    const jar = new Jar()
    await jar.signIn(`${box.photos}/`)
    const before = box.arrived.length
    for (const site of ['cross-site', 'same-site']) {
      for (const method of ['POST', 'PUT', 'DELETE', 'PROPFIND']) {
        const answer = await jar.send(`${box.photos}/a`, { method, headers: { 'sec-fetch-site': site } })
        assert.equal(answer.status, 403)
        assert.match(answer.text, /cross_origin_request/)
      }
      const socket = {
        'sec-fetch-site': site,
        connection: 'Upgrade',
        upgrade: 'websocket',
        origin: 'https://x.example',
      }
      assert.equal((await jar.send(`${box.photos}/s`, { headers: socket })).status, 403)
    }
    assert.equal(box.arrived.length, before)
    const { password } = await appPassword('photos', ['photos:read', 'photos:write'])
    const bearer = { authorization: `Bearer ${password}`, 'sec-fetch-site': 'cross-site' }
    assert.equal((await get(`${box.photos}/a`, bearer, 'POST')).status, 200)
  })
  it('without Sec-Fetch-Site: an Origin with another scheme or port, or null, is 403; none at all is no browser', async () => {
    const { box } = shared
    const jar = new Jar()
    await jar.signIn(`${box.photos}/`)
    for (const origin of [box.photos.replace('http:', 'https:'), box.photos.replace(/\d+$/, '1'), 'null']) {
      assert.equal((await jar.send(`${box.photos}/a`, { method: 'POST', headers: { origin } })).status, 403)
    }
    assert.equal((await jar.send(`${box.photos}/a`, { method: 'POST', headers: { origin: box.photos } })).status, 200)
    assert.equal((await jar.send(`${box.photos}/a`, { method: 'POST' })).status, 200)
  })
  it('a link from a mail opens at once', async () => {
    const { box } = shared
    const jar = new Jar()
    await jar.signIn(`${box.photos}/`)
    for (const dest of ['document', 'empty']) {
      const headers = { ...PAGE, 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': dest }
      assert.equal((await jar.send(`${box.photos}/a`, { headers })).status, 200)
    }
  })
  it('a preflight is never answered on the strength of a cookie', async () => {
    const box = await startBrowserGateway({
      photos: 'cors: { origins: ["https://app.example.com"], credentials: true }',
    })
    try {
      const jar = new Jar()
      await jar.signIn(`${box.photos}/`)
      const ask = { origin: 'https://app.example.com', 'access-control-request-method': 'PUT' }
      const [with_, without] = [
        await jar.send(`${box.photos}/a`, { method: 'OPTIONS', headers: ask }),
        await plain.send(`${box.photos}/a`, { method: 'OPTIONS', headers: ask }),
      ]
      assert.equal(with_.status, 204)
      assert.equal(without.status, 204)
      assert.equal(with_.headers['access-control-allow-credentials'], 'true')
      const other = { ...ask, origin: 'https://evil.example' }
      assert.equal((await jar.send(`${box.photos}/a`, { method: 'OPTIONS', headers: other })).status, 403)
      const listed = { origin: 'https://app.example.com', 'sec-fetch-site': 'same-site' }
      assert.equal((await jar.send(`${box.photos}/a`, { method: 'PUT', headers: listed })).status, 200)
    } finally {
      await box.close()
    }
  })
})

/** After a leap of the clock: what is revoked has to be read anew before anybody's token counts. */
async function caughtUp(box: BrowserGateway, jar: Jar): Promise<void> {
  const probe = async () => (await jar.send(`${box.files}/a`, { headers: FETCH })).status !== 503
  await until(probe, 'the revocations are read again')
}

describe('the end of sessions', () => {
  it('idle and last end fall to the minute, also over a restart of what is kept', async () => {
    const clock = { ms: Date.now() }
    const box = await startBrowserGateway({
      now: () => clock.ms,
      settings: 'sessions: { idle: 1h, max: 3h }',
      issuer: ', refresh_token_ttl: 30d',
    })
    try {
      const jar = new Jar()
      await jar.signIn(`${box.photos}/`)
      const started = clock.ms
      const other = new Jar()
      await other.signIn(`${box.files}/`, BOB)
      const at = async (minutes: number) => {
        clock.ms = started + minutes * 60_000
        await caughtUp(box, other)
        return (await jar.send(`${box.photos}/a`, { headers: FETCH })).status
      }
      assert.equal(await at(59), 200)
      assert.equal(await at(117), 200)
      assert.equal(await at(175), 200)
      assert.equal(await at(179.5), 200)
      assert.equal(await at(180.5), 401)
      await jar.signIn(`${box.photos}/`)
      const again = clock.ms
      clock.ms = again + 61 * 60_000
      await caughtUp(box, other)
      assert.equal((await jar.send(`${box.photos}/a`, { headers: FETCH })).status, 401)
    } finally {
      await box.close()
    }
  })
  it('two hundred parallel requests at an access token’s end: one renewal, 200 answers', async () => {
    const clock = { ms: Date.now() }
    const box = await startBrowserGateway({ now: () => clock.ms })
    try {
      const jar = new Jar()
      await jar.signIn(`${box.photos}/`)
      const other = new Jar()
      await other.signIn(`${box.files}/`, BOB)
      clock.ms += 301_000
      await caughtUp(box, other)
      const issued = () => box.gateway.log.filter(({ event }) => event === 'token.issued').length
      const before = issued()
      const answers = await Promise.all(
        Array.from({ length: 200 }, () => jar.send(`${box.photos}/a`, { headers: FETCH })),
      )
      assert.ok(answers.every(({ status }) => status === 200))
      assert.equal(issued() - before, 1)
    } finally {
      await box.close()
    }
  })
  it('revoking what browsers have of alice refuses hers, ends nobody else’s, and leaves her app passwords', async () => {
    const { box } = shared
    const jar = new Jar()
    await jar.signIn(`${box.photos}/`)
    const { password } = await appPassword('photos', ['photos:read'])
    await box.acts.revokeUserClient(box.people.alice ?? '', 'browser', 'test')
    const answer = await jar.send(`${box.photos}/a`, { headers: FETCH })
    assert.equal(answer.status, 401)
    assert.equal(JSON.parse(answer.text).reason, 'revoked')
    assert.equal((await get(`${box.photos}/a`, { authorization: basic('x', password) })).status, 200)
  })
  it('sign-out on photos signs files out too; a GET, or a POST from elsewhere, ends nothing', async () => {
    const { box } = shared
    const jar = new Jar()
    await jar.signIn(`${box.photos}/`)
    await jar.signIn(`${box.files}/`)
    assert.match(
      (await jar.send(`${box.photos}/.audgate/sign-out`)).text,
      /<form method="post" action="\/\.audgate\/sign-out">/,
    )
    const post = (headers: Record<string, string>) =>
      jar.send(`${box.photos}/.audgate/sign-out`, { method: 'POST', headers })
    assert.equal((await post({ 'sec-fetch-site': 'cross-site' })).status, 403)
    assert.equal((await jar.send(`${box.files}/a`, { headers: FETCH })).status, 200)
    const kept = jar.cookie(box.photos, 'audgate_web') ?? ''
    const done = await post({ 'sec-fetch-site': 'same-origin', origin: box.photos })
    assert.equal(done.status, 200)
    assert.match(done.setCookies[0] ?? '', /^audgate_web=; Path=\/; Max-Age=0/)
    assert.equal((await jar.send(`${box.files}/a`, { headers: FETCH })).status, 401)
    jar.set(box.photos, 'audgate_web', kept)
    assert.equal((await jar.send(`${box.photos}/a`, { headers: FETCH })).status, 401)
    assert.match((await jar.open(`${box.photos}/`)).text, /name="password"/)
  })
  it('ordinary answers set no cookie of ours, so that one begun before sign-out brings nothing back', async () => {
    const { box } = shared
    const jar = new Jar()
    await jar.signIn(`${box.photos}/`)
    const answers = await Promise.all(Array.from({ length: 5 }, () => jar.send(`${box.photos}/a`, { headers: PAGE })))
    assert.ok(answers.every(({ status, setCookies }) => status === 200 && setCookies.length === 0))
  })
  it('signing out at the issuer, or changing nothing but the browser’s session, ends what was opened under it', async () => {
    const { box } = shared
    const jar = new Jar()
    await jar.signIn(`${box.photos}/`)
    const session = await box.store.browserSession(lookupKey(jar.cookie(box.photos, 'audgate_web') ?? ''), 0)
    assert.match(session?.issuerSession ?? '', /^[\w-]{43}$/)
    await box.acts.signOutBrowser(box.people.alice ?? '', session?.issuerSession ?? '', 'test')
    assert.equal((await jar.send(`${box.photos}/a`, { headers: FETCH })).status, 401)
  })
})
