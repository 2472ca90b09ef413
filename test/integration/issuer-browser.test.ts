import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { authorizationAttempt, redeem } from '../support/browser-less-person.ts'
import { type StartedChromium, startChromium } from '../support/chromium.ts'
import { type IssuerUnderTest, PASSWORD, startIssuer } from '../support/issuer-under-test.ts'

/** An app on another origin, which leads on to a page of its own after the redirect, as apps do. */
const app = createServer((request, response) => {
  if (request.url?.startsWith('/cb') === true) response.writeHead(302, { location: `/home${request.url.slice(3)}` })
  else response.writeHead(200, { 'content-type': 'text/html' })
  response.end('<title>app</title>')
})
let redirectUri: string
let issuer: IssuerUnderTest
let browser: StartedChromium

before(async () => {
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  redirectUri = `http://localhost:${(app.address() as AddressInfo).port}/cb`
  issuer = await startIssuer()
  await issuer.addPerson('alice', ['photos'])
  await issuer.addPerson('bob', [])
  await issuer.addClient({ id: 'app', type: 'web', redirectUris: [redirectUri], thirdParty: true })
  browser = await startChromium({ javaScript: false })
})
after(async () => {
  await browser.close()
  await issuer.close()
  app.closeAllConnections()
  app.close()
})

async function open(page: Page, username: string): Promise<ReturnType<typeof authorizationAttempt>> {
  const attempt = authorizationAttempt(issuer.url, { clientId: 'app', redirectUri, scope: 'photos:read' })
  await page.goto(attempt.url)
  await page.getByLabel('Username').fill(username)
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in' }).click()
  return attempt
}

describe('a real browser without scripts', () => {
  it('signs in, consents and arrives at an app of another origin, which the CSP of our pages lets it', async () => {
    const page = await browser.context.newPage()
    const attempt = await open(page, 'alice')
    await page.getByRole('button', { name: 'Allow what is ticked' }).click()
    await page.waitForURL(/\/home\?/)
    const code = new URL(page.url()).searchParams.get('code') ?? ''
    const { status } = await redeem(issuer.url, { code, verifier: attempt.verifier }, { clientId: 'app', redirectUri })
    assert.equal(status, 401, 'the secret is missing, and the code is there')
    assert.notEqual(code, '')
    await page.goto(attempt.url)
    await page.waitForURL(/\/home\?/)
  })

  it('goes back to the app from the page that says no', async () => {
    await browser.context.clearCookies()
    const page = await browser.context.newPage()
    await open(page, 'bob')
    await page.getByRole('button', { name: /Go back/ }).click()
    await page.waitForURL(/\/home\?/)
    assert.equal(new URL(page.url()).searchParams.get('error'), 'access_denied')
  })
})
