import assert from 'node:assert/strict'
import { createServer, get, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { authorizationAttempt } from '../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, PASSWORD, startIssuer } from '../../support/issuer/issuer-under-test.ts'
import { type StartedChromium, startChromium } from '../../support/programs/chromium.ts'

const CALLBACK = 'https://app.example.com/cb'

/** What somebody has put behind a public path of the issuer's origin: a page, and a worker for all of the origin. */
function upload(path: string, response: ServerResponse): void {
  if (path !== '/public/worker.js') {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<title>upload</title><a href="/account">look</a>')
    return
  }
  response.writeHead(200, { 'content-type': 'text/javascript', 'service-worker-allowed': '/' }).end(`
    const seen = []
    addEventListener('install', () => skipWaiting())
    addEventListener('activate', (event) => event.waitUntil((async () => {
      await registration.navigationPreload.enable()
      await clients.claim()
    })()))
    addEventListener('message', (event) => event.ports[0].postMessage(seen.join()))
    addEventListener('fetch', (event) => {
      if (event.request.mode !== 'navigate') return
      event.respondWith((async () => {
        const ahead = await event.preloadResponse
        if (ahead) seen.push(await ahead.clone().text())
        const answer = await fetch(event.request)
        seen.push(await answer.clone().text())
        return answer
      })())
    })`)
}

/** Another site, which sends whoever comes on to the address in its query: by a redirect, or by a page. */
const elsewhere = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://x')
  const to = searchParams.get('to') ?? ''
  if (pathname === '/redirect') response.writeHead(302, { location: to }).end()
  else response.writeHead(200, { 'content-type': 'text/html' }).end(`<script>location = ${JSON.stringify(to)}</script>`)
})

describe('a page of the issuer’s own origin that is not the issuer’s', () => {
  let issuer: IssuerUnderTest
  let browser: StartedChromium
  let page: Page
  let site: string
  const SECRETS = /Your account|name="code"|Allow .* to act|Sign out\?|Type the code|name="csrf"/

  before(async () => {
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve))
    site = `http://localhost:${(elsewhere.address() as AddressInfo).port}`
    issuer = await startIssuer({ upstream: upload })
    await issuer.addPerson('alice', ['photos'])
    await issuer.addClient({ id: 'app', type: 'web', redirectUris: [CALLBACK] })
    await issuer.addClient({ id: 'print', type: 'web', redirectUris: [CALLBACK], thirdParty: true })
    browser = await startChromium()
    page = await browser.context.newPage()
    await page.goto(`${issuer.url}/account`)
    await page.getByLabel('Username').fill('alice')
    await page.getByLabel('Password').fill(PASSWORD)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('heading', { name: 'Your account' }).waitFor()
    await page.goto(`${issuer.url}/public/page`)
  })
  after(async () => {
    await browser.close()
    await issuer.close()
    elsewhere.closeAllConnections()
    elsewhere.close()
  })

  const asked = (clientId: string, more: Readonly<Record<string, string>> = {}) =>
    authorizationAttempt(issuer.url, { clientId, redirectUri: CALLBACK, scope: 'photos:read', more }).url
  const pages = () => [
    `${issuer.url}/account`,
    `${issuer.url}/oauth/device`,
    `${issuer.url}/oauth/logout`,
    asked('print'),
    asked('app', { prompt: 'none', response_mode: 'form_post' }),
  ]

  it('reads none of the pages that go by cookie by a request, and each try leaves a line', async () => {
    issuer.events.length = 0
    for (const url of pages()) {
      const read: unknown = await page.evaluate(`(async () => {
        const url = ${JSON.stringify(url)}
        const fetched = await fetch(url)
        const asked = new XMLHttpRequest()
        asked.open('GET', url)
        await new Promise((done) => { asked.onloadend = done; asked.send() })
        return [fetched.status, asked.status, await fetched.text() + asked.responseText]
      })()`)
      const [fetched, asked, text] = read as [number, number, string]
      assert.deepEqual([fetched, asked], [403, 403], url)
      assert.doesNotMatch(text, SECRETS)
    }
    const told = issuer.events.filter(({ event }) => event === 'page.refused')
    assert.equal(told.length, 2 * pages().length)
    assert.deepEqual(told[0]?.detail, {
      page: '/account',
      destination: 'empty',
      mode: 'cors',
      site: 'same-origin',
      address: '127.0.0.1',
    })
  })

  it('reads none of them in a frame, nor what a form sent into a frame brings', async () => {
    for (const url of pages()) {
      const text = await page.evaluate(`(async () => {
        const frame = document.createElement('iframe')
        frame.name = 'frame'
        frame.src = ${JSON.stringify(url)}
        await new Promise((done) => { frame.onload = done; document.body.append(frame) })
        const read = () => { try { return frame.contentDocument.documentElement.outerHTML } catch { return '' } }
        const first = read()
        const form = document.createElement('form')
        form.method = 'post'
        form.target = 'frame'
        form.action = ${JSON.stringify(url.replace(/\?.*/, ''))} + '/sign-in'
        document.body.append(form)
        await new Promise((done) => { frame.onload = done; form.submit() })
        const second = read()
        frame.remove()
        form.remove()
        return first + second
      })()`)
      assert.doesNotMatch(String(text), SECRETS, url)
    }
  })

  it('reads nothing of a window that it opens on them, by whatever way that window came there', async () => {
    const ways = (url: string) => {
      const to = encodeURIComponent(url)
      return [url, `${site}/redirect?to=${to}`, `${site}/other?to=${to}`]
    }
    for (const url of pages().flatMap(ways)) {
      const opening = browser.context.waitForEvent('page')
      await page.evaluate(`window.opened = window.open(${JSON.stringify(url)})`)
      const opened = await opening
      await opened.waitForURL((at) => at.origin === issuer.url)
      await opened.waitForLoadState('load')
      const text = await page.evaluate(`(() => {
        try { return opened.document.documentElement.outerHTML } catch { return '' }
      })()`)
      assert.doesNotMatch(String(text), SECRETS, url)
      await opened.close()
    }
  })

  it('reads none of them by a service worker that was let in for all of the origin', async () => {
    await page.evaluate(`(async () => {
      await navigator.serviceWorker.register('/public/worker.js', { scope: '/' })
      await navigator.serviceWorker.ready
      while (navigator.serviceWorker.controller === null) await new Promise((done) => setTimeout(done, 10))
    })()`)
    const other = await browser.context.newPage()
    for (const url of pages()) {
      await other.goto(url)
      assert.doesNotMatch(await other.content(), SECRETS, url)
    }
    const seen = await page.evaluate(`new Promise((done) => {
      const channel = new MessageChannel()
      channel.port1.onmessage = (event) => done(event.data)
      navigator.serviceWorker.controller.postMessage('', [channel.port2])
    })`)
    assert.match(String(seen), /This page stands alone/)
    assert.doesNotMatch(String(seen), SECRETS)
  })
})

describe('requests that a browser says are no page of its own', () => {
  let issuer: IssuerUnderTest
  before(async () => {
    issuer = await startIssuer()
    await issuer.addClient({ id: 'app', type: 'spa', redirectUris: ['https://app.example.com/cb'] })
  })
  after(() => issuer.close())

  // Not `fetch`, which adds a mode of its own.
  const status = (path: string, headers: Readonly<Record<string, string>>): Promise<number> =>
    new Promise((resolve, reject) => {
      const sent = get(`${issuer.url}${path}`, { headers }, (response) => {
        response.resume()
        resolve(response.statusCode ?? 0)
      })
      sent.on('error', reject)
    })

  it('are refused wherever the answer goes by cookie, and nowhere else', async () => {
    const refused = ['/account', '/account/password', '/oauth/interaction/x', '/oauth/device', '/oauth/device/x']
    refused.push(
      '/oauth/logout',
      '/oauth/logout/confirm',
      '/oauth/authorize',
      '/oauth/authorize/x',
      '/admin',
      '/oauth/providers/x',
    )
    for (const path of refused) assert.equal(await status(path, { 'sec-fetch-dest': 'empty' }), 403, path)
    for (const path of ['/oauth/jwks', '/.well-known/openid-configuration'])
      assert.equal(await status(path, { 'sec-fetch-dest': 'empty' }), 200, path)
    assert.equal(await status('/oauth/device_authorization', { 'sec-fetch-dest': 'empty' }), 405)
  })

  it('save for a silent authorization in a frame, which answers with a redirect', async () => {
    const { url } = authorizationAttempt('', {
      clientId: 'app',
      redirectUri: 'https://app.example.com/cb',
      scope: 'photos:read',
    })
    const framed = { 'sec-fetch-dest': 'iframe' }
    assert.equal(await status(url, framed), 403)
    assert.equal(await status(`${url}&prompt=none`, framed), 303)
    assert.equal(await status(`${url}&prompt=none`, { 'sec-fetch-dest': 'object' }), 403)
    assert.equal(await status(`${url}&prompt=none`, { ...framed, 'sec-fetch-mode': 'cors' }), 403)
    assert.equal(await status('/account?prompt=none', framed), 403)
  })
})
