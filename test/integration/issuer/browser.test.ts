import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { authorizationAttempt } from '../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, PASSWORD, startIssuer } from '../../support/issuer/issuer-under-test.ts'
import { type StartedChromium, startChromium } from '../../support/programs/chromium.ts'

/**
 * An app that leads on from its callback to another origin of its own, as apps do. `/pop-up` tells its opener what came; `/start`
 * opens the address in its query in a window.
 */
function createApp(homeOrigin: () => string): Server {
  return createServer((request, response) => {
    const { pathname, search, searchParams } = new URL(request.url ?? '', 'http://x')
    if (pathname === '/cb') response.writeHead(302, { location: `${homeOrigin()}/home${search}` }).end()
    else response.writeHead(200, { 'content-type': 'text/html' })
    if (pathname === '/pop-up') response.end("<script>opener.postMessage(location.search, '*')</script>")
    else if (pathname === '/start') {
      response.end(`<button>Sign in</button><script>
        onmessage = (event) => { document.title = event.data }
        document.querySelector('button').onclick = () => open(${JSON.stringify(searchParams.get('open'))})
      </script>`)
    } else if (pathname !== '/cb') response.end('<title>app</title>')
  })
}

const PRIVATE = 'com.example.app:/cb'
let issuer: IssuerUnderTest
let home: string
let callback: string
let sixth: string
let popUp: string
const app = createApp(() => home)
const homeServer = createApp(() => home)
const appOnSix = createApp(() => home)

async function listen(server: Server, host: string): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  return (server.address() as AddressInfo).port
}

before(async () => {
  home = `http://127.0.0.1:${await listen(homeServer, '127.0.0.1')}`
  callback = `http://localhost:${await listen(app, '127.0.0.1')}/cb`
  popUp = callback.replace(/cb$/, 'pop-up')
  sixth = `http://[::1]:${await listen(appOnSix, '::1')}/cb`
  issuer = await startIssuer()
  await issuer.addPerson('alice', ['photos'])
  await issuer.addPerson('bob', [])
  const more = { postLogoutRedirectUris: [callback] }
  await issuer.addClient({ id: 'app', type: 'web', redirectUris: [callback, popUp], thirdParty: true, ...more })
  await issuer.addClient({ id: 'cli', type: 'native', redirectUris: [PRIVATE, sixth], thirdParty: true })
})
after(async () => {
  await issuer.close()
  for (const server of [app, homeServer, appOnSix]) {
    server.closeAllConnections()
    server.close()
  }
})

interface Way {
  readonly clientId: string
  readonly redirectUri: string
  readonly more?: Readonly<Record<string, string>>
}

const asked = ({ clientId, redirectUri, more }: Way) =>
  authorizationAttempt(issuer.url, { clientId, redirectUri, scope: 'photos:read', more }).url

async function signIn(page: Page, username: string): Promise<void> {
  await page.getByLabel('Username').fill(username)
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

const press = (page: Page, name: RegExp | string) => page.getByRole('button', { name }).click()

/** A tab of nobody's, and what its console complains of. */
async function open({ context }: StartedChromium): Promise<{ page: Page; complaints: readonly string[] }> {
  await context.clearCookies()
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    if (/Content.Security.Policy/i.test(message.text())) complaints.push(message.text())
  })
  return { page, complaints }
}

/** Comes to the app's home on another origin, with an answer. */
async function arrives(page: Page, complaints: readonly string[]): Promise<URLSearchParams> {
  await page.waitForURL(/\/home(\?|$)/)
  assert.deepEqual(complaints, [])
  return new URL(page.url()).searchParams
}

for (const javaScript of [false, true]) {
  describe(`Chromium ${javaScript ? 'with' : 'without'} scripts goes on past the callback`, () => {
    let browser: StartedChromium
    before(async () => {
      browser = await startChromium({ javaScript })
    })
    after(() => browser.close())

    for (const [what, way] of [
      ['that leads on to another origin', (): Way => ({ clientId: 'app', redirectUri: callback })],
      ['on the IPv6 loopback address, which no policy can name', (): Way => ({ clientId: 'cli', redirectUri: sixth })],
    ] as const) {
      it(`${what}, after sign-in and consent, when nothing has to be asked, and when the person says no`, async () => {
        const { page, complaints } = await open(browser)
        await page.goto(asked({ ...way(), more: { prompt: 'consent' } }))
        await signIn(page, 'alice')
        await press(page, 'Allow what is ticked')
        assert.notEqual((await arrives(page, complaints)).get('code'), null)
        await page.goto(asked({ ...way(), more: { prompt: 'login' } }))
        await signIn(page, 'alice')
        assert.notEqual((await arrives(page, complaints)).get('code'), null)
        await page.goto(asked({ ...way(), more: { prompt: 'consent' } }))
        await press(page, 'Don’t allow')
        assert.equal((await arrives(page, complaints)).get('error'), 'access_denied')
        await page.close()
      })
    }

    it('when the answer is posted', async () => {
      const { page, complaints } = await open(browser)
      await page.goto(
        asked({ clientId: 'app', redirectUri: callback, more: { response_mode: 'form_post', prompt: 'consent' } }),
      )
      await signIn(page, 'alice')
      await press(page, 'Allow what is ticked')
      if (!javaScript) await press(page, 'Continue')
      await arrives(page, complaints)
      await page.close()
    })

    // What is left goes by no script either way.
    if (javaScript) return

    it('from the page that says no', async () => {
      const { page, complaints } = await open(browser)
      await page.goto(asked({ clientId: 'app', redirectUri: callback }))
      await signIn(page, 'bob')
      await press(page, /Go back/)
      assert.equal((await arrives(page, complaints)).get('error'), 'access_denied')
      await page.close()
    })

    it('after signing out', async () => {
      const { page, complaints } = await open(browser)
      await page.goto(`${issuer.url}/account`)
      await signIn(page, 'alice')
      await page.getByRole('heading', { name: 'Your account' }).waitFor()
      const query = new URLSearchParams({ client_id: 'app', post_logout_redirect_uri: callback, state: 'kept' })
      await page.goto(`${issuer.url}/oauth/logout?${query}`)
      await press(page, 'Sign out')
      assert.equal((await arrives(page, complaints)).get('state'), 'kept')
      await page.close()
    })

    it('that is an app’s own scheme, as far as the system lets it', async () => {
      const { page, complaints } = await open(browser)
      const led = page.waitForResponse((response) => (response.headers().location ?? '').startsWith(PRIVATE))
      await page.goto(asked({ clientId: 'cli', redirectUri: PRIVATE, more: { prompt: 'consent' } }))
      await signIn(page, 'alice')
      await press(page, 'Allow what is ticked')
      assert.match((await led).headers().location ?? '', /^com\.example\.app:\/cb\?code=/)
      assert.deepEqual(complaints, [])
      await page.close()
    })
  })
}

describe('a sign-in window of an app', () => {
  let browser: StartedChromium
  before(async () => {
    browser = await startChromium()
  })
  after(() => browser.close())

  it('keeps its opener through sign-in, consent and a wrong password, to the callback', async () => {
    const { page } = await open(browser)
    const url = asked({ clientId: 'app', redirectUri: popUp, more: { prompt: 'consent' } })
    await page.goto(`${new URL(popUp).origin}/start?open=${encodeURIComponent(url)}`)
    const opening = browser.context.waitForEvent('page')
    await press(page, 'Sign in')
    const opened = await opening
    await opened.getByLabel('Username').fill('alice')
    await opened.getByLabel('Password').fill('not this one')
    await press(opened, 'Sign in')
    await opened.getByRole('alert').waitFor()
    await signIn(opened, 'alice')
    await press(opened, 'Allow what is ticked')
    await page.waitForFunction('document.title.includes("code=")')
  })
})
