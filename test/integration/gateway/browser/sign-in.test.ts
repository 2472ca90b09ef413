import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { lookupKey } from '../../../../src/store/sealed-payload.ts'
import { ALICE, BOB, type BrowserGateway, Jar, PAGE, startBrowserGateway } from '../../../support/browser-gateway.ts'
import { formWith } from '../../../support/issuer/browser-less-person.ts'

const shared: { box: BrowserGateway } = { box: undefined as never }
before(async () => {
  shared.box = await startBrowserGateway()
})
after(() => shared.box.close())

/** The callback's URL for a browser that is signed in at the issuer already. */
async function silentCallback(jar: Jar, url: string, alter = (location: string) => location): Promise<string> {
  let next = alter((await jar.send(url, { headers: PAGE })).location ?? '')
  for (let hop = 0; hop < 5; hop += 1) {
    if (next.includes('/.audgate/callback')) return next
    next = new URL((await jar.send(next, { headers: PAGE })).location ?? '', next).href
  }
  throw new Error('no callback')
}

async function signedInAtIssuer(): Promise<Jar> {
  const jar = new Jar()
  await jar.signIn(`${shared.box.files}/first`)
  jar.cookies.delete('photos.localhost')
  return jar
}

describe('signing in', () => {
  it('Twenty tabs restored at once all end on their own address after one password; the host then holds two cookies of ours and one record', async () => {
    const { box } = shared
    const jar = new Jar()
    const urls = Array.from({ length: 20 }, (_, i) => `${box.photos}/tab/${i}?n=${i}`)
    const pages = await Promise.all(urls.map((url) => jar.open(url)))
    assert.ok(pages.every(({ text }) => /name="password"/.test(text)))
    const [first] = pages
    if (first === undefined) return assert.fail()
    const ends = [await jar.type(first), ...(await Promise.all(pages.slice(1).map(({ url }) => jar.open(url))))]
    assert.deepEqual(ends.map(({ url }) => url).sort(), urls.sort())
    assert.ok(ends.every(({ status }) => status === 200))
    assert.deepEqual([...(jar.cookies.get('photos.localhost') ?? new Map()).keys()].sort(), [
      'audgate_flow',
      'audgate_web',
    ])
    const records = await box.store.browserSessions({ sub: box.people.alice ?? '' })
    assert.equal(records.filter(({ origin }) => origin === box.photos).length, 1)
    const standing = (await box.store.authorizations({ clientId: 'browser' })).filter(({ ended }) => !ended)
    assert.equal(standing.length, 1)
  })
  it('Tab A’s callback does not break tab B’s', async () => {
    const { box } = shared
    const jar = await signedInAtIssuer()
    const [a, b] = [await silentCallback(jar, `${box.photos}/a`), await silentCallback(jar, `${box.photos}/b`)]
    assert.equal((await jar.open(a)).url, `${box.photos}/a`)
    assert.equal((await jar.open(b)).url, `${box.photos}/b`)
  })
  it('Another browser’s `state`, a changed one, a foreign `iss`, a wrong nonce, a replayed code: no session', async () => {
    const { box } = shared
    const fresh = async (alter?: (location: string) => string) => {
      const jar = await signedInAtIssuer()
      return { jar, callback: new URL(await silentCallback(jar, `${box.photos}/x`, alter)) }
    }
    const without = async (jar: Jar, url: URL) => {
      const answer = await jar.send(url.href, { headers: PAGE })
      assert.ok(!answer.setCookies.some((cookie) => cookie.startsWith('audgate_web=')), url.href)
      return answer
    }
    const other = await fresh()
    assert.equal((await without(new Jar(), other.callback)).status, 302)
    const changed = await fresh()
    const state = changed.callback.searchParams.get('state') ?? ''
    changed.callback.searchParams.set('state', `${state.slice(0, -2)}AA`)
    assert.equal((await without(changed.jar, changed.callback)).status, 400)
    const foreign = await fresh()
    foreign.callback.searchParams.set('iss', 'https://elsewhere.example')
    assert.equal((await without(foreign.jar, foreign.callback)).status, 400)
    const nonce = await fresh((location) => location.replace(/nonce=[^&]+/, 'nonce=another'))
    await without(nonce.jar, nonce.callback)
    const replayed = await fresh()
    await replayed.jar.open(replayed.callback.href)
    const again = await without(replayed.jar, replayed.callback)
    assert.equal(again.location, `${box.photos}/x`)
    replayed.jar.cookies.get('photos.localhost')?.delete('audgate_web')
    await without(replayed.jar, replayed.callback)
  })
  it('late answers to tabs that began before there was a cookie change the flow cookie twice: the sign-in still ends', async () => {
    const { box } = shared
    const jar = await signedInAtIssuer()
    let next = await jar.send(`${box.photos}/late`, { headers: PAGE })
    for (let late = 0; late < 2; late += 1) {
      while (!next.location?.startsWith(`${box.photos}/.audgate/callback`)) {
        next = await jar.send(new URL(next.location ?? '', next.url).href, { headers: PAGE })
      }
      jar.set(box.photos, 'audgate_flow', randomBytes(16).toString('base64url'))
      next = await jar.send(next.location, { headers: PAGE })
      assert.equal(next.status, 302, next.text)
    }
    assert.equal((await jar.open(next.location ?? '')).url, `${box.photos}/late`)
  })
  it('`return_to` of another host, scheme, `//host`, `/\\host`, or with controls never becomes a `Location`', async () => {
    const { box } = shared
    const jar = await signedInAtIssuer()
    const bad = [
      'https://evil.example/',
      '//evil.example/',
      '/\\evil.example',
      '/\t/evil.example',
      '/a\r\nX: y',
      'javascript:alert(1)',
      '/%5cevil',
      '\\\\evil',
      '/.audgate/sign-out',
      '',
    ]
    for (const target of bad) {
      const end = await jar.open(`${box.photos}/.audgate/sign-in?return_to=${encodeURIComponent(target)}`)
      assert.equal(end.url, `${box.photos}/`, target)
    }
    const good = await jar.open(`${box.photos}/.audgate/sign-in?return_to=${encodeURIComponent('/a/b?c=d')}`)
    assert.equal(good.url, `${box.photos}/a/b?c=d`)
  })
  it('The id after sign-in is new', async () => {
    const { box } = shared
    const jar = await signedInAtIssuer()
    jar.set(box.photos, 'audgate_web', 'planted'.padEnd(43, 'x'))
    await jar.open(`${box.photos}/`)
    const first = jar.cookie(box.photos, 'audgate_web')
    assert.ok(first !== undefined && !first.startsWith('planted'))
    await jar.open(`${box.photos}/.audgate/sign-in?return_to=/`)
    assert.notEqual(jar.cookie(box.photos, 'audgate_web'), first)
  })
  it('A person without the group sees why and is not sent round', async () => {
    const jar = new Jar()
    const { box } = shared
    const host = new URL(box.photos).host
    const asked = await jar.open(`${box.photos}/`)
    assert.match(asked.text, new RegExp(`to open <strong>Photo library</strong> at <bdi class="name">${host}</bdi>`))
    const page = await jar.type(asked, BOB)
    assert.equal(page.status, 200)
    assert.ok(new URL(page.url).origin === box.publicUrl)
    // The group that would do, and the place that the person knows; no app asked.
    assert.match(page.text, /people in the group <strong class="group">photos<\/strong>/)
    assert.match(page.text, new RegExp(`Your account may not open <bdi class="name">${host}</bdi>`))
    assert.doesNotMatch(asked.text + page.text, /Web browser/)
    const { action, fields } = formWith(page, 'csrf')
    const body = new URLSearchParams({ ...Object.fromEntries(fields), decision: 'deny' }).toString()
    const own = { 'content-type': 'application/x-www-form-urlencoded', origin: box.publicUrl }
    const end = await jar.open(new URL(action, page.url).href, { method: 'POST', headers: own, body })
    assert.deepEqual([end.status, end.location, new URL(end.url).origin], [403, undefined, box.photos])
    assert.match(end.text, /may not have any of what was asked for/)
    assert.equal(jar.cookie(box.photos, 'audgate_web'), undefined)
  })
  it('A token refused within 60 s shows a 403 page; at most two redirects in the whole run', async () => {
    const { box } = shared
    const sub = box.people.alice ?? ''
    const jar = await signedInAtIssuer()
    await jar.open(`${box.photos}/`)
    await box.acts.changeGroups(sub, ['files'], 'test')
    try {
      const page = await jar.send(`${box.photos}/`, { headers: PAGE })
      assert.equal(page.status, 403)
      assert.match(page.text, /revoked/)
      const call = await jar.send(`${box.photos}/`, {
        headers: { accept: '*/*', 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'same-origin' },
      })
      assert.equal(call.status, 401)
      assert.equal(page.location ?? call.location, undefined)
    } finally {
      await box.acts.changeGroups(sub, ['photos', 'files'], 'test')
    }
  })
  it('Signing in as somebody else ends the first person’s session on that host', async () => {
    const { box } = shared
    const jar = new Jar()
    await jar.signIn(`${box.files}/`)
    const id = jar.cookie(box.files, 'audgate_web') ?? ''
    jar.cookies.delete('localhost')
    await jar.signIn(`${box.files}/.audgate/sign-in?return_to=/`, BOB)
    assert.equal(JSON.parse((await jar.send(`${box.files}/`)).text).headers['x-auth-username'], 'bob')
    const old = new Jar()
    old.set(box.files, 'audgate_web', id)
    assert.equal((await old.send(`${box.files}/`)).status, 401)
    assert.equal(await box.store.browserSession(lookupKey(id), 0), undefined)
  })
})

describe('audience', () => {
  it('The photos cookie at the files host opens nothing, also under the right name', async () => {
    const { box } = shared
    const jar = new Jar()
    await jar.signIn(`${box.photos}/`)
    const id = jar.cookie(box.photos, 'audgate_web') ?? ''
    jar.cookies.delete('files.localhost')
    jar.set(box.files, 'audgate_web', id)
    const answer = await jar.send(`${box.files}/`)
    assert.equal(answer.status, 401)
  })
  it('One password opens photos and then files; both show in `/account`; ending one leaves the other', async () => {
    const { box } = shared
    const jar = new Jar()
    await jar.signIn(`${box.photos}/`, ALICE)
    const files = await jar.open(`${box.files}/list`)
    assert.equal(files.url, `${box.files}/list`)
    assert.equal(files.status, 200)
    const account = await jar.open(`${box.publicUrl}/account`)
    assert.match(account.text, /photos\.localhost/)
    assert.match(account.text, /files\.localhost/)
    const photos = await box.store.browserSession(lookupKey(jar.cookie(box.photos, 'audgate_web') ?? ''), 0)
    await box.acts.revokeAuthorization(photos?.resources[0]?.gid ?? '', 'test')
    const ended = await jar.send(`${box.photos}/`)
    assert.equal(ended.status, 401)
    assert.match(ended.text, /revoked/)
    assert.equal((await jar.send(`${box.files}/`)).status, 200)
  })
  it('`photos:read` only: 403 on a write, page or problem by kind', async () => {
    const box = await startBrowserGateway({ photosResource: 'session_scopes: ["photos:read"],' })
    try {
      const jar = new Jar()
      await jar.signIn(`${box.photos}/`)
      const own = { origin: box.photos, 'sec-fetch-site': 'same-origin' }
      // A form's answer, also that of a browser without Sec-Fetch-*, and one that a service worker asked for.
      for (const headers of [
        { ...PAGE, ...own },
        { accept: 'text/html', origin: box.photos },
        { ...own, 'sec-fetch-mode': 'same-origin', 'sec-fetch-dest': 'empty', accept: 'text/html' },
      ]) {
        const form = await jar.send(`${box.photos}/a`, { method: 'POST', headers, body: 'x' })
        assert.equal(form.status, 403)
        assert.match(String(form.headers['content-type']), /^text\/html/)
      }
      const script = await jar.send(`${box.photos}/a`, {
        method: 'PUT',
        headers: { ...own, 'sec-fetch-mode': 'cors', accept: '*/*' },
        body: 'x',
      })
      assert.equal(script.status, 403)
      assert.equal(script.headers['content-type'], 'application/problem+json')
      assert.deepEqual(JSON.parse((await jar.send(`${box.photos}/.audgate/session`)).text).scopes, ['photos:read'])
    } finally {
      await box.close()
    }
  })
  it('`/.audgate/session` never shows a token nor moves the idle end', async () => {
    const { box } = shared
    const jar = new Jar()
    await jar.signIn(`${box.photos}/`)
    const before = JSON.parse((await jar.send(`${box.photos}/.audgate/session`)).text)
    assert.equal(before.active, true)
    assert.equal(before.username, 'alice')
    const answer = await jar.send(`${box.photos}/.audgate/session`)
    assert.ok(!/eyJ/.test(answer.text))
    assert.deepEqual(JSON.parse(answer.text), before)
    assert.deepEqual(answer.setCookies, [])
    const nobody = await new Jar().send(`${box.photos}/.audgate/session`)
    assert.equal(nobody.status, 200)
    assert.equal(JSON.parse(nobody.text).active, false)
  })
})
