import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { type BrowserGateway, FETCH, Jar, PAGE, startBrowserGateway } from '../../../support/browser-gateway.ts'

const shared: { box: BrowserGateway } = { box: undefined as never }
before(async () => {
  shared.box = await startBrowserGateway()
})
after(() => shared.box.close())

/** Somebody whose session has ended: the cookie is well-formed and unknown. */
function stale(): Jar {
  const jar = new Jar()
  jar.set(shared.box.photos, 'audgate_web', 'A'.repeat(43))
  return jar
}

function noFlow({
  setCookies,
  location,
}: {
  readonly setCookies: readonly string[]
  readonly location: string | undefined
}) {
  assert.deepEqual(setCookies, [])
  assert.equal(location, undefined)
}

describe('the answer by kind of request', () => {
  it('`navigate`+`document` without session: 302 to the issuer, `no-store`, no fragment', async () => {
    const { box } = shared
    const answer = await new Jar().send(`${box.photos}/album?x=1`, { headers: PAGE })
    assert.equal(answer.status, 302)
    assert.equal(answer.headers['cache-control'], 'no-store')
    assert.ok(answer.location?.startsWith(`${box.publicUrl}/oauth/authorize?`))
    assert.ok(!answer.location?.includes('#'))
    assert.match(answer.setCookies[0] ?? '', /^audgate_flow=[\w-]{22}; Path=\/; Max-Age=3600; HttpOnly; SameSite=Lax$/)
  })
  it('A bare `fetch`, EventSource, `<img>`, worker script: 401 problem document with `sign_in`, no `Set-Cookie`, no `Basic`', async () => {
    const kinds = [
      FETCH,
      { ...FETCH, accept: 'text/event-stream' },
      {
        accept: 'image/avif,*/*',
        'sec-fetch-mode': 'no-cors',
        'sec-fetch-dest': 'image',
        'sec-fetch-site': 'same-origin',
      },
      { accept: '*/*', 'sec-fetch-mode': 'same-origin', 'sec-fetch-dest': 'worker', 'sec-fetch-site': 'same-origin' },
    ]
    for (const headers of kinds) {
      const answer = await stale().send(`${shared.box.photos}/a`, { headers })
      assert.equal(answer.status, 401)
      assert.equal(answer.headers['content-type'], 'application/problem+json')
      assert.match(JSON.parse(answer.text).sign_in, new RegExp(`^${shared.box.photos}/\\.audgate/sign-in\\?return_to=`))
      assert.ok(answer.challenges.every((challenge) => challenge.startsWith('Bearer ')))
      noFlow(answer)
    }
  })
  it('100 parallel background calls with an ended session create no flow, cookie or store write', async () => {
    const { box } = shared
    const jar = new Jar()
    await jar.signIn(`${box.photos}/`)
    await box.acts.revokeUserClient(box.people.alice ?? '', 'browser', 'test')
    const file = readdirSync(box.gateway.folder, { recursive: true }).find((name) => String(name).endsWith('.db'))
    const database = new DatabaseSync(join(box.gateway.folder, String(file)), { readOnly: true })
    // Another number after each write of anybody else (SQLite, PRAGMA data_version).
    const version = () => database.prepare('PRAGMA data_version').get()?.data_version
    const wrote: boolean[] = []
    for (const each of [jar, stale(), jar]) {
      const before = version()
      const answers = await Promise.all(
        Array.from({ length: 100 }, () => each.send(`${box.photos}/poll`, { headers: FETCH })),
      )
      wrote.push(version() !== before)
      for (const answer of answers) {
        assert.equal(answer.status, 401)
        noFlow(answer)
      }
    }
    database.close()
    // What the issuer writes of its own accord, as that it lives, may fall into one of them.
    assert.ok(wrote.includes(false), 'each hundred calls wrote')
    assert.ok(!box.arrived.some(({ url }) => url === '/poll'))
  })
  it('A service worker that re-fetches a navigation gets a page that leads to sign-in', async () => {
    for (const mode of ['navigate', 'same-origin']) {
      const headers = { ...PAGE, 'sec-fetch-mode': mode, 'sec-fetch-dest': 'empty', 'sec-fetch-site': 'same-origin' }
      const answer = await new Jar().send(`${shared.box.photos}/album`, { headers })
      assert.equal(answer.status, 401)
      assert.match(
        answer.text,
        /http-equiv="refresh" content="1; url=http:\/\/photos\.localhost:\d+\/\.audgate\/sign-in\?return_to=%2Falbum"/,
      )
      noFlow(answer)
    }
  })
  it('A download link with an ended session does not save a sign-in page with status 200', async () => {
    const headers = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'empty', 'sec-fetch-site': 'same-origin' }
    const answer = await stale().send(`${shared.box.photos}/a.zip`, { headers })
    assert.equal(answer.status, 401)
    noFlow(answer)
  })
  it('A prefetch gets neither cookie nor flow', async () => {
    for (const path of ['/album', '/.audgate/sign-in?return_to=/album']) {
      const answer = await new Jar().send(`${shared.box.photos}${path}`, {
        headers: { ...PAGE, 'sec-purpose': 'prefetch;prerender' },
      })
      assert.equal(answer.status, 401)
      noFlow(answer)
    }
  })
  it('A WebSocket without a session: 401 before any 101', async () => {
    const { box } = shared
    const headers = { connection: 'Upgrade', upgrade: 'websocket', origin: box.photos }
    const answer = await new Jar().send(`${box.photos}/socket`, { headers })
    assert.equal(answer.status, 401)
    assert.ok(!box.arrived.some(({ method }) => method === 'UPGRADE'))
    noFlow(answer)
  })
  it('A framed page’s link leaves the frame', async () => {
    const headers = { ...PAGE, 'sec-fetch-dest': 'iframe', 'sec-fetch-site': 'same-origin' }
    const framed = await new Jar().send(`${shared.box.photos}/inner`, { headers })
    assert.equal(framed.status, 401)
    assert.match(framed.text, /<a class="go" href="[^"]+" target="_top">/)
    assert.ok(!String(framed.headers['content-security-policy']).includes('frame-ancestors'))
    assert.ok(!/<form/.test(framed.text))
    const other = await new Jar().send(`${shared.box.photos}/a`, { method: 'POST', headers: PAGE, body: 'x' })
    assert.match(String(other.headers['content-security-policy']), /frame-ancestors 'none'/)
  })
  it('A form POST with an ended session: 401 page', async () => {
    for (const headers of [{ ...PAGE, 'sec-fetch-site': 'same-origin' }, { accept: 'text/html' }]) {
      const answer = await stale().send(`${shared.box.photos}/upload`, { method: 'POST', headers, body: 'a=1' })
      assert.equal(answer.status, 401)
      assert.match(answer.text, /was not delivered/)
      noFlow(answer)
    }
    assert.ok(!shared.box.arrived.some(({ url }) => url === '/upload'))
  })
  it('Without Sec-Fetch-*, `Accept: text/html` decides, X-Requested-With turns it into the 401', async () => {
    const ask = (headers: Record<string, string>) => new Jar().send(`${shared.box.photos}/a`, { headers })
    assert.equal((await ask({ accept: 'text/html,*/*' })).status, 302)
    assert.equal((await ask({ accept: 'text/html', 'x-requested-with': 'XMLHttpRequest' })).status, 401)
    assert.equal((await ask({ accept: 'application/json' })).status, 401)
    assert.equal((await ask({ accept: 'text/html;q=0' })).status, 401)
    assert.equal((await ask({})).status, 401)
  })
  it('A page load with a bad Bearer is refused with that reason, not redirected, not saved by a good cookie', async () => {
    const jar = new Jar()
    await jar.signIn(`${shared.box.photos}/`)
    const answer = await jar.send(`${shared.box.photos}/`, { headers: { ...PAGE, authorization: 'Bearer nonsense' } })
    assert.equal(answer.status, 401)
    assert.match(answer.text, /malformed_token/)
    assert.match(String(answer.headers['content-type']), /^text\/html/)
    noFlow(answer)
  })
  it('A drive gets `Basic` alone at its first request, a program a Bearer line and a Basic line; a browser on the same path never `Basic`', async () => {
    const { box } = shared
    const ask = (method: string, headers: Record<string, string>) =>
      new Jar().send(`${box.files}/d/`, { method, headers })
    for (const [method, headers] of [
      ['PROPFIND', { depth: '1' }],
      ['OPTIONS', {}],
      ['GET', { translate: 'f' }],
    ] as const) {
      const { status, challenges } = await ask(method, headers)
      assert.equal(status, 401)
      assert.deepEqual(challenges, ['Basic realm="File store", charset="UTF-8"'])
    }
    for (const method of ['GET', 'HEAD', 'PUT']) {
      const { challenges } = await ask(method, { accept: '*/*' })
      assert.match(challenges[0] ?? '', /^Bearer resource_metadata=/)
      assert.match(challenges[1] ?? '', /^Basic /)
    }
    for (const headers of [
      FETCH,
      PAGE,
      { origin: 'https://elsewhere.example' },
      { 'x-requested-with': 'x' },
      { accept: 'text/html' },
    ]) {
      const { challenges } = await ask('POST', headers)
      assert.ok(challenges.every((challenge) => challenge.startsWith('Bearer ')))
    }
  })
})
