import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { BrowserContext, Locator, Page } from 'playwright-core'
import { type OfficeUnderTest, startOffice } from '../support/issuer/office-under-test.ts'

describe('the operator’s tasks by keyboard alone, in a browser that runs no script', () => {
  let office: OfficeUnderTest
  let context: BrowserContext
  let page: Page
  before(async () => {
    office = await startOffice()
    const first = await office.chromium.context.newPage()
    await office.signIn(first, 'ada', '/admin')
    const browser = office.chromium.context.browser()
    assert.ok(browser !== null)
    context = await browser.newContext({ javaScriptEnabled: false })
    await context.addCookies(await office.chromium.context.cookies())
    page = await context.newPage()
  })
  after(async () => {
    await context?.close()
    await office?.close()
  })

  /** Goes there by the Tab key alone. */
  const reach = async (wanted: Locator): Promise<void> => {
    for (let presses = 0; presses < 80; presses += 1) {
      await page.keyboard.press('Tab')
      if (await wanted.and(page.locator(':focus')).count()) return
    }
    assert.fail('the Tab key does not lead there')
  }
  const type = async (id: string, text: string): Promise<void> => {
    await reach(page.locator(`#${id}`))
    await page.keyboard.type(text)
  }
  const press = async (name: string): Promise<void> => {
    await reach(page.getByRole('button', { name, exact: true }))
    await Promise.all([page.waitForEvent('framenavigated'), page.keyboard.press('Enter')])
  }
  const open = (path: string) => page.goto(`${office.origin}${path}`)
  const main = async () => (await page.textContent('main')) ?? ''

  it('somebody is invited, with groups and a link to send', async () => {
    await open('/admin/people/new')
    await type('username', 'kim')
    await reach(page.locator('input[name=groups][value=photos]'))
    await page.keyboard.press('Space')
    await press('Invite')
    assert.match((await page.textContent('.secret code')) ?? '', /\/account\/link\?link=/)
  })
  it('a client is added, and what to paste is shown', async () => {
    await open('/admin/clients/new')
    await type('id', 'by-keyboard')
    await type('name', 'By keyboard')
    await type('redirect_uris', 'http://127.0.0.1/callback')
    await press('Add client')
    assert.match(await main(), /audgate token .*--client by-keyboard/)
  })
  it('why a request was refused is found by its id', async () => {
    const refused = await fetch(`${office.origin}/photos/a`)
    const id = refused.headers.get('x-request-id') ?? ''
    for (let tries = 0; tries < 40; tries += 1) {
      await open('/admin')
      await type('search', id)
      await Promise.all([page.waitForEvent('framenavigated'), page.keyboard.press('Enter')])
      if ((await page.textContent('h1')) === 'Why was this refused?') break
    }
    assert.match(await main(), /no_token/)
  })
  it('access is tried before anybody asks', async () => {
    await open('/admin/try')
    await type('f-person', 'carol')
    await reach(page.locator('#f-resource'))
    await page.keyboard.press('ArrowDown')
    await press('Try')
    assert.match(await main(), /yes, with photos:read/)
  })
  it('a file is checked before it is put in place', async () => {
    await open('/admin/system')
    await type('text', 'route: []')
    await press('Check')
    assert.equal(await page.textContent('h1'), 'The file has problems')
  })
  it('what changed is found by what happened', async () => {
    await open('/admin/audit')
    await type('f-event', 'client.added')
    await press('Show')
    assert.match(await main(), /client\.added.*by-keyboard/)
  })
  it('who lost a phone is signed out, and who leaves is disabled, each after one question', async () => {
    for (const [button, done] of [
      ['Sign out everywhere', 'signed_out'],
      ['Disable', 'disabled'],
    ] as const) {
      await open('/admin/people/carol')
      await press(button)
      await press(button)
      assert.match(page.url(), new RegExp(`done=${done}`))
    }
  })
})
