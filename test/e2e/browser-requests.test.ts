import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { ALICE, type Arrived, type BrowserGateway, startBrowserGateway } from '../support/browser-gateway.ts'
import { until } from '../support/gateway-under-test.ts'
import { type StartedChromium, startChromium } from '../support/programs/chromium.ts'

function answer({ url }: Arrived) {
  const [path = ''] = url.split('?')
  if (path === '/a.zip') return { headers: { 'content-type': 'application/zip' }, body: 'PK' }
  if (path === '/inner') return { headers: { 'content-type': 'text/html' }, body: '<title>inner</title><p>inside</p>' }
  const body = '<title>app</title><a id=file download href="/a.zip">Download</a>'
  return { headers: { 'content-type': 'text/html' }, body }
}

interface Heard {
  readonly status: number
  readonly redirected: boolean
  readonly type: string
  readonly problem: { readonly sign_in: string }
  readonly others: readonly string[]
}

/** What a page does in the background; answers what it hears. */
const BACKGROUND = `(async () => {
  const response = await fetch('/bare')
  const failed = (target) => new Promise((resolve) => { target.onerror = () => resolve('failed') })
  const image = new Image()
  const all = [failed(image), failed(new EventSource('/events')), failed(new Worker('/worker.js'))]
  image.src = '/image.png'
  const { status, redirected, headers } = response
  const type = headers.get('content-type')
  return { status, redirected, type, problem: await response.json(), others: await Promise.all(all) }
})()`

/** Pages of somebody else: on the photos' host at another port, which is the same site, and on localhost, which is another. */
async function startElsewhere() {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<title>elsewhere</title>')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = () => new Promise((resolve) => server.close(resolve).closeAllConnections())
  return { sameSite: `http://photos.localhost:${port}/`, crossSite: `http://localhost:${port}/`, close }
}

describe('what Chromium makes of the answers', () => {
  let box: BrowserGateway
  let elsewhere: Awaited<ReturnType<typeof startElsewhere>>
  let chromium: StartedChromium
  let page: Page

  before(async () => {
    box = await startBrowserGateway({ answer })
    elsewhere = await startElsewhere()
    chromium = await startChromium()
    page = await chromium.context.newPage()
  })
  after(async () => {
    await chromium.close()
    await elsewhere.close()
    await box.close()
  })
  beforeEach(async () => {
    await chromium.context.clearCookies()
    await page.goto(`${box.photos}/app`)
    await signIn()
    await page.waitForURL(`${box.photos}/app`)
  })

  async function signIn(): Promise<void> {
    await page.getByLabel('Username').fill(ALICE.username)
    await page.getByLabel('Password').fill(ALICE.password)
    await page.getByRole('button', { name: 'Sign in' }).click()
  }
  /** Everything of this browser's ends; the page stays as it is. */
  const end = () => chromium.context.clearCookies()
  /** What the gateway logged of a path since the test began to ask for it. */
  const logged = (path: string) => box.gateway.requests().filter((line) => String(line.path).startsWith(path))
  const answered = async (path: string) => {
    await until(() => logged(path).length > 0, `a request for ${path}`, 15_000)
    return logged(path).map(({ status, reason }) => [status, reason])
  }
  /** Whether a socket that the page opens is let through. */
  const opensSocket = (url: string) =>
    page.evaluate<boolean>(`new Promise((resolve) => {
      const socket = new WebSocket(${JSON.stringify(url.replace('http:', 'ws:'))})
      socket.onopen = () => resolve(true)
      socket.onerror = () => resolve(false)
    })`)

  it('A bare `fetch`, EventSource, `<img>`, worker script: 401 problem document with `sign_in`, no `Set-Cookie`, no `Basic`', async () => {
    await end()
    const heard: Heard = await page.evaluate(BACKGROUND)
    assert.deepEqual([heard.status, heard.redirected, heard.type], [401, false, 'application/problem+json'])
    assert.equal(heard.problem.sign_in, `${box.photos}/.audgate/sign-in?return_to=%2Fapp`)
    assert.deepEqual(heard.others, ['failed', 'failed', 'failed'])
    for (const path of ['/bare', '/events', '/image.png', '/worker.js'])
      assert.deepEqual(await answered(path), [[401, 'no_token']], path)
    assert.deepEqual(await chromium.context.cookies(box.photos), [])
  })

  it('A download link with an ended session does not save a sign-in page with status 200', async () => {
    const [good] = await Promise.all([page.waitForEvent('download'), page.locator('#file').click()])
    assert.equal(await good.failure(), null)
    const before = logged('/a.zip').length
    await end()
    const saved: string[] = []
    const note = async (download: { failure(): Promise<string | null> }) => {
      saved.push((await download.failure()) ?? 'saved')
    }
    page.on('download', note)
    await page.locator('#file').click()
    await until(() => logged('/a.zip').length > before, 'the download is asked for', 15_000)
    await page.waitForFunction(`document.title === 'app'`)
    page.off('download', note)
    assert.equal(logged('/a.zip').at(-1)?.status, 401)
    assert.ok(!saved.includes('saved'))
    assert.equal(page.url(), `${box.photos}/app`)
  })

  it('A prefetch gets neither cookie nor flow', async () => {
    await end()
    await page.evaluate(
      `document.head.append(Object.assign(document.createElement('link'), { rel: 'prefetch', href: '/ahead' }))`,
    )
    assert.deepEqual(await answered('/ahead'), [[401, 'no_token']])
    assert.deepEqual(await chromium.context.cookies(box.photos), [])
  })

  it('A WebSocket without a session: 401 before any 101', async () => {
    assert.equal(await opensSocket(`${box.photos}/live`), true)
    const upgrades = () => box.arrived.filter(({ method }) => method === 'UPGRADE').length
    const before = upgrades()
    await end()
    assert.equal(await opensSocket(`${box.photos}/dead`), false)
    assert.deepEqual(await answered('/dead'), [[401, 'no_token']])
    assert.equal(upgrades(), before)
  })

  it('A framed page’s link leaves the frame', async () => {
    await end()
    await page.evaluate(`document.body.append(Object.assign(document.createElement('iframe'), { src: '/inner' }))`)
    const inner = page.frameLocator('iframe')
    await inner.getByText('This part of the page is for people who are signed in').waitFor()
    await inner.getByRole('link', { name: 'Sign in' }).click()
    await signIn()
    // What was framed is no place to come back to.
    await page.waitForURL((url) => url.origin === box.photos)
    assert.equal(page.url(), `${box.photos}/app`)
  })

  it('POST, PUT, DELETE, PROPFIND and a WebSocket with the cookie from `cross-site` or `same-site` → 403, upstream untouched', async () => {
    const statuses: Record<string, unknown> = {}
    for (const [name, url] of [
      ['same', elsewhere.sameSite],
      ['cross', elsewhere.crossSite],
    ] as const) {
      await page.goto(url)
      const at = `${box.photos}/forged-${name}`
      await page.evaluate(`(async () => {
        const ask = (method, mode) =>
          fetch('${at}-' + method, { method, mode, credentials: 'include' }).then(() => 'answered', () => 'failed')
        await ask('POST', 'no-cors')
        for (const method of ['PUT', 'DELETE', 'PROPFIND']) await ask(method, 'cors')
      })()`)
      assert.equal(await opensSocket(`${at}-socket`), false)
      await page.setContent(`<form method="post" action="${at}-form"><button>Win a prize</button></form>`)
      await Promise.all([page.waitForURL(`${at}-form`), page.getByRole('button').click()])
      statuses[name] = await Promise.all(['POST', 'socket', 'form'].map((what) => answered(`/forged-${name}-${what}`)))
      // Of others the browser asks first, without a cookie, and that is refused.
      for (const method of ['PUT', 'DELETE', 'PROPFIND'])
        assert.deepEqual(
          logged(`/forged-${name}-${method}`).map((line) => [line.method, line.status]),
          [['OPTIONS', 401]],
        )
    }
    const [forged, unknown] = [[[403, 'cross_origin_request']], [[401, 'no_token']]]
    // A browser keeps the cookie back where the site is another.
    assert.deepEqual(statuses, { same: [forged, forged, forged], cross: [unknown, unknown, unknown] })
    assert.ok(!box.arrived.some(({ url }) => url.startsWith('/forged')))
  })

  it('A link from a mail opens at once', async () => {
    await page.goto(elsewhere.crossSite)
    await page.setContent(`<a href="${box.photos}/app?from=mail">Look</a>`)
    await page.getByRole('link').click()
    await page.waitForURL(`${box.photos}/app?from=mail`)
    assert.equal(await page.title(), 'app')
    const last = box.gateway
      .requests()
      .filter(({ path }) => path === '/app')
      .at(-1)
    assert.deepEqual([last?.status, last?.credential], [200, 'session'])
  })
})
