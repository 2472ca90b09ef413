import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { BrowserContext, Locator, Page } from 'playwright-core'
import { type OfficeUnderTest, startOffice } from '../support/issuer/office-under-test.ts'

/** Long enough for a page or two after a sign-in, short enough to wait for its end. */
const FRESH_SECONDS = 12
const PASSWORD = 'a long password of ada'

describe('the first administrator, by keyboard and with script off', () => {
  let office: OfficeUnderTest
  let context: BrowserContext
  let page: Page

  before(async () => {
    office = await startOffice()
    const browser = office.chromium.context.browser()
    assert.ok(browser !== null)
    context = await browser.newContext({ javaScriptEnabled: false })
    page = await context.newPage()
  })
  after(async () => {
    await context?.close()
    await office?.close()
  })

  /** Goes there by the Tab key alone. */
  async function reach(wanted: Locator): Promise<void> {
    await wanted.first().waitFor()
    for (let presses = 0; presses < 120; presses += 1) {
      await page.keyboard.press('Tab')
      if (await wanted.and(page.locator(':focus')).count()) return
    }
    assert.fail(`the Tab key does not lead to ${wanted} of ${page.url()}`)
  }
  async function press(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      const exact = { name, exact: true }
      await reach(page.getByRole('link', exact).or(page.getByRole('button', exact)))
      await enter()
    }
  }
  async function enter(): Promise<void> {
    await Promise.all([page.waitForEvent('framenavigated'), page.keyboard.press('Enter')])
    await page.waitForLoadState()
  }
  async function type(selector: string, text: string): Promise<void> {
    await reach(page.locator(selector))
    await page.keyboard.press('Control+A')
    await page.keyboard.type(text)
  }
  const said = async () => (await page.textContent('main')) ?? ''

  it('comes by the command’s link, sets a password, signs in, and /admin opens', async () => {
    const invited = await office.shell.run(['user', 'invite', 'eve', '--groups', 'admins', '--json'])
    await page.goto(JSON.parse(invited.stdout).url)
    await type('input[name=new_password]', PASSWORD)
    await type('input[name=repeat_password]', PASSWORD)
    await enter()
    await page.goto(`${office.origin}/admin`)
    await type('input[name=username]', 'eve')
    await type('input[name=password]', PASSWORD)
    await enter()
    await page.waitForURL(`${office.origin}/admin`)
    assert.equal(await page.textContent('h1'), 'Overview')
  })

  it('finds refusals by reason, and what is unused', async () => {
    await press('Decisions')
    await type('#f-reason', 'no_token')
    await press('Show')
    assert.match(page.url(), /reason=no_token/)
    await press('Authorizations')
    assert.match(await said(), /Show/)
  })

  it('adds a client, gives it a second secret and takes the first away', async () => {
    await press('Clients', 'New client')
    await type('#id', 'calendar')
    await type('#name', 'The calendar')
    await reach(page.locator('#type'))
    await page.keyboard.type('service')
    await press('Add client')
    assert.match((await page.textContent('.secret')) ?? '', /agcs_/)
    await page.goto(`${office.origin}/admin/clients/calendar`)
    await press('New secret', 'I have it, go on', 'Remove', 'Remove')
    assert.match(page.url(), /done=removed/)
  })
})

describe('a destructive form that met step-up', () => {
  let office: OfficeUnderTest
  before(async () => {
    office = await startOffice(`admin: { fresh: ${FRESH_SECONDS}s }`)
    await office.invite('eve', 'admins')
    const added = await office.shell.run(['client', 'add', 'old', '--type', 'native'])
    assert.equal(added.code, 0, added.stderr)
    await office.shell.run(['client', 'revoke', 'old'])
  })
  after(() => office?.close())

  it('is carried out once, after the second confirmation, by the same person', async () => {
    const { chromium, origin } = office
    const page = await chromium.context.newPage()
    await office.signIn(page, 'ada', '/admin/clients/old')
    const staleAt = Date.now() + (FRESH_SECONDS + 1) * 1_000
    const elsewhere = await chromium.context.browser()?.newContext()
    assert.ok(elsewhere !== undefined)
    const eve = await elsewhere.newPage()
    await office.signIn(eve, 'eve', '/admin')
    while (Date.now() < staleAt) await page.waitForTimeout(200)
    await page.getByRole('button', { name: 'Delete' }).click()
    await page.getByRole('button', { name: 'Delete' }).click()
    await page.fill('input[name=username]', 'ada')
    await page.fill('input[name=password]', PASSWORD)
    await page.click('button[type=submit]')
    await page.waitForURL(/\/admin\/again\//)
    assert.equal(await page.textContent('h1'), 'Go on?')
    assert.equal((await eve.goto(page.url()))?.status(), 410, 'it is ada’s')
    const second = await chromium.context.newPage()
    await second.goto(page.url())
    await page.getByRole('button', { name: 'Go on' }).click()
    await page.waitForURL(/done=deleted/)
    await second.getByRole('button', { name: 'Go on' }).click()
    assert.equal(await second.textContent('h1'), 'This has waited too long')
    await page.goto(`${origin}/admin/audit?event=client.deleted`)
    assert.equal(await page.locator('main tbody tr').count(), 1)
    await elsewhere.close()
  })
})
