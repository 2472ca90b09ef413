import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { type DemoFolder, type DemoProcess, demoFolder, passwordIn, startDemo } from '../support/demo-under-test.ts'
import { type StartedChromium, startChromium } from '../support/programs/chromium.ts'

describe('the first five minutes in a browser', () => {
  let folder: DemoFolder
  let demo: DemoProcess
  let text: string
  let chromium: StartedChromium
  let page: Page
  /** What the browser complains of: scripts that fail, policies that block. */
  const complaints: string[] = []

  before(async () => {
    folder = await demoFolder()
    demo = startDemo(folder)
    text = await demo.ready()
    chromium = await startChromium()
    page = await chromium.context.newPage()
    watch(page)
  })
  after(async () => {
    await chromium.close()
    await demo.interrupt()
    folder.remove()
  })

  function watch(watched: Page): void {
    watched.on('pageerror', (error) => complaints.push(error.message))
    watched.on('console', (said) => {
      // A refusal that is part of the story is said on the console, too.
      if (said.type() === 'error' && !/status of 40[13]/.test(said.text())) complaints.push(said.text())
    })
  }

  function press(name: string | RegExp, on: Page = page): Promise<void> {
    return on.getByRole('button', { name }).first().click()
  }

  async function signInAs(username: string, on: Page = page): Promise<void> {
    await on.getByLabel('Username').fill(username)
    await on.getByLabel('Password').fill(passwordIn(text, username))
    await press('Sign in', on)
  }

  async function said(selector: string, on: Page = page): Promise<string> {
    await on.locator(selector).first().waitFor()
    return (await on.locator(selector).first().textContent()) ?? ''
  }

  it('alice follows the start page to the gallery, signs in and sees the photos', async () => {
    await page.goto(folder.url)
    await page.getByRole('link', { name: 'Open the gallery' }).first().click()
    await page.waitForURL(`${folder.url}/demo/`)
    await press('Sign in for the photos')
    await signInAs('alice')
    await page.locator('#album img').nth(7).waitFor()
    const drawn = await page
      .locator('#album img')
      .evaluateAll((images) => images.map((image) => (image as unknown as { naturalWidth: number }).naturalWidth))
    assert.equal(
      drawn.every((width) => width > 0),
      true,
      `a picture was not drawn: ${drawn}`,
    )
    assert.match(await said('#permission'), /Made for\S+\/photos.*alice/)
  })

  it('the photo server was told that she is alice, and got no token', async () => {
    await press('Ask the photos who I am')
    assert.match(await said('#answer .done'), /whoami → 200/)
    const answer = await said('#answer')
    assert.match(answer, /"x-auth-username": "alice"/)
    assert.match(answer, /"authorization": "absent"/)
  })

  it('the files refuse the token of the photos, and say why', async () => {
    await press('Ask the files with the same token')
    assert.match(await said('#answer .problem'), /GET \/files\/ → 401, audience_mismatch/)
    assert.match(await said('#answer'), /is for \S+\/photos; expected \S+\/files/)
  })

  it('bob is refused at sign-in, with the group that would do, and the gallery hears it', async () => {
    const other = await startChromium()
    try {
      const his = await other.context.newPage()
      watch(his)
      await his.goto(`${folder.url}/demo/`)
      await press('Sign in for the photos', his)
      await signInAs('bob', his)
      assert.match(
        await said('main', his),
        /Photo library.*It is for people in the group photos, and you are not in it/s,
      )
      await press(/^Go back to/, his)
      assert.match(await said('#message', his), /^access_denied/)
      assert.equal(new URL(his.url()).pathname, '/demo/')
    } finally {
      await other.close()
    }
  })

  it('alice allows the print shop part of what it asks', async () => {
    await page.goto(`${folder.url}/demo/print-shop/`)
    await press('Sign in for the photos')
    assert.match(await said('h1'), /Print shop/)
    await page.getByRole('checkbox', { name: /photos:write/ }).uncheck()
    await press('Allow what is ticked')
    await page.locator('#album img').first().waitFor()
    assert.match(await said('#permission'), /Mayphotos:readYou are/)
  })

  it('alice takes it back under her account, and the very next request is refused', async () => {
    await press('Ask once a second')
    await page.locator('.tick.ok').first().waitFor()
    const account = await chromium.context.newPage()
    watch(account)
    await account.goto(`${folder.url}/account`)
    assert.equal(await account.getByRole('heading', { name: /Gallery/ }).count(), 1)
    await press('Disconnect Print shop', account)
    await press('Disconnect', account)
    await account.getByText('has no access any more').first().waitFor()
    await page.locator('.tick.refused').first().waitFor()
    assert.match(await said('#watch-said'), /refused at .*: revoked/)
    await account.close()
  })

  it('the print shop has to ask anew; the gallery, which was not disconnected, has not', async () => {
    await page.goto(`${folder.url}/demo/print-shop/`)
    await press('Sign in for the photos')
    await page.getByRole('button', { name: 'Allow what is ticked' }).waitFor()
    await page.goto(`${folder.url}/demo/`)
    await press('Sign in for the photos')
    await page.locator('#album img').first().waitFor()
  })

  it('no page of it made the browser complain', () => {
    assert.deepEqual(complaints, [])
  })
})
