import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { authorizationAttempt } from '../support/issuer/browser-less-person.ts'
import { providerEntry } from '../support/issuer/federated-issuer.ts'
import { startProvider, type TestProvider } from '../support/issuer/identity-provider.ts'
import { type IssuerUnderTest, startIssuer } from '../support/issuer/issuer-under-test.ts'
import { type StartedChromium, startChromium } from '../support/programs/chromium.ts'

let gate: IssuerUnderTest
let provider: TestProvider
let browser: StartedChromium
let app: Server
let redirectUri = ''

before(async () => {
  gate = await startIssuer()
  provider = await startProvider({ kind: 'authentik', callback: `${gate.url}/oauth/providers/authentik/callback` })
  provider.setAccount({ sub: 'alice', username: 'alice', groups: ['photos'] })
  provider.person = 'alice'
  browser = await startChromium()
  app = createServer((_request, response) => response.end('<title>The app</title>'))
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  redirectUri = `http://127.0.0.1:${(app.address() as AddressInfo).port}/cb`
  await gate.addClient({ id: 'cli', type: 'native', redirectUris: [redirectUri] })
})
after(async () => {
  await browser.close()
  app.closeAllConnections()
  app.close()
  await gate.close()
  await provider.close()
})

describe('a browser at a provider', () => {
  it('15 From client to P and back without one click when P has a session, in Chromium too (no CSP violation)', async () => {
    await gate.reconfigure({ password: 'off', providers: [providerEntry(provider)] })
    const page = await browser.context.newPage()
    const said: string[] = []
    page.on('console', (message) => said.push(message.text()))
    const { url } = authorizationAttempt(gate.url, {
      clientId: 'cli',
      redirectUri,
      scope: 'photos:read',
      resource: gate.photos,
    })
    await page.goto(url)
    await page.waitForURL(/\/cb\?/)
    assert.notEqual(new URL(page.url()).searchParams.get('code'), null)
    assert.deepEqual(said, [])
    await page.close()
  })

  it('the button leads there and back, and a sign-out at the account page shows the button again', async () => {
    await gate.reconfigure({ password: 'on' })
    const page = await browser.context.newPage()
    const said: string[] = []
    page.on('console', (message) => said.push(message.text()))
    await browser.context.clearCookies()
    await page.goto(`${gate.url}/account`)
    await page.getByRole('link', { name: 'Sign in with authentik' }).click()
    await page.getByRole('heading', { name: 'Your account' }).waitFor()
    await page.getByRole('button', { name: 'Sign out in this browser' }).click()
    await page.getByRole('link', { name: 'Sign in again' }).click()
    await page.getByRole('link', { name: 'Sign in with authentik' }).waitFor()
    assert.deepEqual(said, [])
    await page.close()
  })

  it('a device is connected by the provider though a form came before (no CSP violation)', async () => {
    await gate.reconfigure({ password: 'off' })
    await browser.context.clearCookies()
    const response = await fetch(`${gate.url}/oauth/device_authorization`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: 'cli', scope: 'photos:read', resource: gate.photos }),
    })
    const { user_code: code } = JSON.parse(await response.text())
    const page = await browser.context.newPage()
    const said: string[] = []
    page.on('console', (message) => said.push(message.text()))
    await page.goto(`${gate.url}/oauth/device`)
    await page.locator('input[name=user_code]').fill(code)
    await page.keyboard.press('Enter')
    await page.locator('button[value=approve]').click()
    await page
      .getByText(/connected/i)
      .first()
      .waitFor()
    assert.deepEqual(said, [])
    await page.close()
  })
})
