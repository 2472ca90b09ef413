import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Secret, TOTP } from 'otpauth'
import type { Page } from 'playwright-core'
import { authorizationAttempt, claimsOf, redeem } from '../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, PASSWORD, startIssuer } from '../support/issuer/issuer-under-test.ts'
import { addAuthenticator, type VirtualAuthenticator } from '../support/issuer/virtual-authenticator.ts'
import { type StartedChromium, startChromium } from '../support/programs/chromium.ts'

describe('Passkeys in Chromium', () => {
  let box: IssuerUnderTest
  let chromium: StartedChromium
  let page: Page
  let redirectUri = ''
  let device: VirtualAuthenticator
  const complaints: string[] = []

  before(async () => {
    box = await startIssuer({ host: 'localhost', upstream: (_path, response) => void response.end('back at the app') })
    redirectUri = `${box.url}/public/cb`
    await box.addClient({ id: 'app', type: 'native', redirectUris: [redirectUri] })
    await box.addPerson('alice', ['photos'])
    chromium = await startChromium()
    page = await chromium.context.newPage()
    page.on('console', (message) => {
      if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(String(error)))
    device = await addAuthenticator(page)
  })
  after(async () => {
    await box.close()
    await chromium.close()
  })

  const press = (name: string | RegExp) =>
    Promise.all([page.waitForEvent('framenavigated'), page.getByRole('button', { name }).first().click()])
  const signInByPassword = async () => {
    await page.goto(`${box.url}/account`)
    await page.getByLabel('Username').fill('alice')
    await page.getByLabel('Password').fill(PASSWORD)
    await press('Sign in')
  }
  const authorize = async (more: Record<string, string> = {}) => {
    const { url, ...attempt } = authorizationAttempt(box.url, {
      clientId: 'app',
      redirectUri,
      scope: 'photos:read',
      more,
    })
    await page.goto(url)
    await page.waitForURL(`${redirectUri}**`)
    const code = new URL(page.url()).searchParams.get('code') ?? ''
    const { body } = await redeem(box.url, { ...attempt, code }, { clientId: 'app', redirectUri })
    return claimsOf(body.access_token)
  }

  it('a person enrols a passkey, signs out, signs in by autofill without a name, and gets a token with acr=phr', async () => {
    await signInByPassword()
    await press('Add a passkey')
    await page.getByLabel('Name it').fill('Laptop')
    await press('Make the passkey')
    await page.getByRole('heading', { name: 'Your recovery codes' }).waitFor()
    await page.goto(`${box.url}/account`)
    await page.getByRole('heading', { name: 'Laptop' }).waitFor()
    await press('Sign out in this browser')
    const { acr, amr, auth_time: at } = await authorize()
    assert.deepEqual([acr, amr], ['phr', ['pop', 'user', 'mfa']])
    assert.equal(typeof at, 'number')
    assert.deepEqual(complaints, [])
    assert.ok(device.id !== '')
  })

  it('whoever lacks the passkey that a client asks for makes it on the way, and arrives', async () => {
    await box.addPerson('bob', ['photos'])
    const { url, ...attempt } = authorizationAttempt(box.url, {
      clientId: 'app',
      redirectUri,
      scope: 'photos:read',
      more: { acr_values: 'phr', prompt: 'login' },
    })
    await device.session.send('WebAuthn.clearCredentials', { authenticatorId: device.id })
    await page.goto(url)
    await page.getByLabel('Username').fill('bob')
    await page.getByLabel('Password').fill(PASSWORD)
    await press('Sign in')
    await page.getByRole('heading', { name: 'A stronger sign-in is needed' }).waitFor()
    assert.equal(await page.getByRole('button', { name: 'Add an authenticator app' }).count(), 0)
    assert.equal(await page.getByText('runs no scripts here').isVisible(), false)
    await press('Make a passkey')
    await page.getByRole('heading', { name: 'Your recovery codes' }).waitFor()
    await page.getByRole('link', { name: 'I have kept them' }).click()
    await page.waitForURL(`${redirectUri}**`)
    const code = new URL(page.url()).searchParams.get('code') ?? ''
    const { body } = await redeem(box.url, { ...attempt, code }, { clientId: 'app', redirectUri })
    assert.equal(claimsOf(body.access_token).acr, 'phr')
    assert.deepEqual(complaints, [])
  })

  it('without script no page shows a button for a passkey, and password, app and code do', async () => {
    const plain = await startChromium({ javaScript: false })
    try {
      await box.addPerson('carol', ['photos'])
      const tab = await plain.context.newPage()
      const go = (name: string) =>
        Promise.all([tab.waitForEvent('framenavigated'), tab.getByRole('button', { name }).first().click()])
      const signIn = async () => {
        await tab.getByLabel('Username').fill('carol')
        await tab.getByLabel('Password').fill(PASSWORD)
        await go('Sign in')
      }
      await tab.goto(`${box.url}/account`)
      assert.equal(await tab.getByRole('button', { name: /passkey/i }).count(), 0)
      await signIn()
      await go('Add a passkey')
      await tab.getByText('runs no scripts here').waitFor()
      assert.equal(await tab.getByRole('button', { name: 'Make the passkey' }).count(), 0)
      await tab.goto(`${box.url}/account`)
      await go('Add an authenticator app')
      const secret = ((await tab.locator('code.secret').textContent()) ?? '').replaceAll(' ', '')
      const totp = new TOTP({ secret: Secret.fromBase32(secret) })
      await tab.getByLabel('The code that the app shows now').fill(totp.generate())
      await go('Add it')
      await tab.getByRole('heading', { name: 'Your recovery codes' }).waitFor()
      await tab.goto(`${box.url}/account`)
      await go('Sign out in this browser')
      await tab.goto(authorizationAttempt(box.url, { clientId: 'app', redirectUri, scope: 'photos:read' }).url)
      await signIn()
      // Codes are used once: that of the next half minute is good already.
      await tab.getByLabel('Code').fill(totp.generate({ timestamp: Date.now() + 30_000 }))
      await go('Go on')
      await tab.waitForURL(`${redirectUri}**`)
    } finally {
      await plain.close()
    }
  })
})
