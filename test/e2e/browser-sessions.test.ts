import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { ALICE, type Arrived, type BrowserGateway, startBrowserGateway } from '../support/browser-gateway.ts'
import { until } from '../support/gateway-under-test.ts'
import { type StartedChromium, startChromium } from '../support/programs/chromium.ts'

const WORKER = `self.addEventListener('install', () => self.skipWaiting())
self.addEventListener('activate', (event) => event.waitUntil(clients.claim()))
self.addEventListener('fetch', (event) => event.respondWith(fetch(event.request)))`
const TEXTS: Readonly<Record<string, readonly [type: string, text: string]>> = {
  '/worker.js': ['text/javascript', WORKER],
  '/worker': ['text/html', '<title>worker</title><script>navigator.serviceWorker.register("/worker.js")</script>'],
  '/app': ['text/html', '<title>app</title><p id=at></p><script>at.textContent = location.hash</script>'],
  '/form': [
    'text/html',
    '<title>form</title><form method=post action=/send><input name=note><button>Send</button></form>',
  ],
  '/send': ['text/html', '<title>sent</title>'],
}

function answer({ url }: Arrived) {
  const [type, body] = TEXTS[url.split('?')[0] ?? ''] ?? ['text/html', '<title>other</title>']
  return { headers: { 'content-type': type }, body }
}

describe('sessions in Chromium', () => {
  let box: BrowserGateway
  let chromium: StartedChromium
  let page: Page

  before(async () => {
    box = await startBrowserGateway({ answer })
    chromium = await startChromium()
    page = await chromium.context.newPage()
  })
  after(async () => {
    await chromium.close()
    await box.close()
  })

  async function signIn(at: Page = page): Promise<void> {
    await at.getByLabel('Username').fill(ALICE.username)
    await at.getByLabel('Password').fill(ALICE.password)
    await at.getByRole('button', { name: 'Sign in' }).click()
  }
  /** The gateway's sessions end, and the browser's at the issuer. */
  async function end(): Promise<void> {
    await chromium.context.clearCookies()
  }

  it('`#/album/5` survives', async () => {
    await page.goto(`${box.photos}/app?x=1#/album/5`)
    await signIn()
    await page.waitForURL(`${box.photos}/app?x=1#/album/5`)
    assert.equal(await page.locator('#at').textContent(), '#/album/5')
    await end()
  })

  it('A form POST with an ended session: 401 page; after sign-in in another tab a reload delivers the same body once', async () => {
    await page.goto(`${box.photos}/form`)
    await signIn()
    await page.waitForURL(`${box.photos}/form`)
    await end()
    await page.getByRole('textbox').fill('kept')
    await page.getByRole('button', { name: 'Send' }).click()
    await page.getByText('Nothing was sent').first().waitFor()
    assert.ok(!box.arrived.some(({ url }) => url === '/send'))
    const [tab] = await Promise.all([
      chromium.context.waitForEvent('page'),
      page.getByRole('link', { name: 'Sign in in another tab' }).click(),
    ])
    await signIn(tab)
    await tab.waitForURL((url) => url.hostname === 'photos.localhost')
    await page.reload()
    await until(() => box.arrived.some(({ url }) => url === '/send'), 'the form')
    const sent = box.arrived.filter(({ url }) => url === '/send')
    assert.deepEqual(
      sent.map(({ method, body }) => [method, body]),
      [['POST', 'note=kept']],
    )
    await tab.close()
  })

  it('A service worker that re-fetches a navigation gets a page that leads to sign-in, and then to the page', async () => {
    await page.goto(`${box.photos}/worker`)
    await page.waitForFunction('navigator.serviceWorker.controller !== null')
    await end()
    await page.goto(`${box.photos}/app#/behind`)
    await page.getByLabel('Username').waitFor()
    await signIn()
    await page.waitForURL((url) => url.hostname === 'photos.localhost' && url.pathname === '/app')
    assert.equal(await page.title(), 'app')
  })

  it('Twenty tabs restored at once all end on their own address after one password; the host then holds two cookies of ours', {
    timeout: 90_000,
  }, async () => {
    await end()
    const urls = Array.from({ length: 20 }, (_, i) => `${box.photos}/app?tab=${i}`)
    const tabs = await Promise.all(urls.map(() => chromium.context.newPage()))
    await Promise.all(tabs.map((tab, i) => tab.goto(urls[i] ?? '')))
    const [first, ...others] = tabs
    if (first === undefined) return assert.fail()
    await Promise.all(tabs.map((tab) => tab.getByLabel('Password').waitFor()))
    await signIn(first)
    await first.waitForURL(urls[0] ?? '')
    await Promise.all(others.map((tab) => tab.reload()))
    const astray = () => tabs.map((tab) => tab.url()).filter((url, i) => url !== urls[i])
    await until(() => astray().length === 0, 'every tab on its own address', 45_000).catch(() => undefined)
    assert.deepEqual(astray(), [])
    await Promise.all(tabs.map((tab) => tab.waitForLoadState()))
    for (const tab of tabs) assert.equal(await tab.title(), 'app')
    const names = (await chromium.context.cookies(box.photos)).map(({ name }) => name).sort()
    assert.deepEqual(names, ['audgate_flow', 'audgate_web'])
    await Promise.all(tabs.map((tab) => tab.close()))
  })
})
