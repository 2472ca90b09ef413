import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Locator, Page } from 'playwright-core'
import { type OfficeUnderTest, seriousFindings, startOffice } from '../support/issuer/office-under-test.ts'

const PATHS = [
  '/admin',
  '/admin/decisions',
  '/admin/decisions/live',
  '/admin/try',
  '/admin/access',
  '/admin/routes',
  '/admin/routes/photos',
  '/admin/people',
  '/admin/people/new',
  '/admin/groups',
  '/admin/clients',
  '/admin/clients/new',
  '/admin/clients/photos-cli',
  '/admin/clients/backup',
  '/admin/authorizations',
  '/admin/audit',
  '/admin/system',
]

let office: OfficeUnderTest
let page: Page
let origin = ''

async function expectHeading(url: string, heading: string): Promise<void> {
  for (let tries = 0; tries < 40; tries += 1) {
    await page.goto(url)
    if ((await page.textContent('h1')) === heading) return
  }
  assert.equal(await page.textContent('h1'), heading)
}

/** Goes there by the Tab key alone. */
async function reach(target: Page, wanted: Locator): Promise<void> {
  for (let presses = 0; presses < 80; presses += 1) {
    await target.keyboard.press('Tab')
    if (await wanted.and(target.locator(':focus')).count()) return
  }
  assert.fail('the Tab key does not lead there')
}

before(async () => {
  office = await startOffice()
  origin = office.origin
  for (const [id, type] of [
    ['photos-cli', 'native'],
    ['backup', 'service'],
  ] as const) {
    const added = await office.shell.run(['client', 'add', id, '--type', type, '--name', `${id} <b>on</b> a shell`])
    assert.equal(added.code, 0, added.stderr)
  }
  page = await office.chromium.context.newPage()
})

after(() => office?.close())

describe('the operator’s pages', () => {
  it('a pasted /admin/decisions?… shows the same filter after sign-in', async () => {
    await office.signIn(page, 'ada', '/admin/decisions?outcome=refused&reason=no_token')
    assert.equal(page.url(), `${origin}/admin/decisions?outcome=refused&reason=no_token`)
    assert.equal(await page.inputValue('#f-reason'), 'no_token')
  })

  for (const path of PATHS) {
    it(`${path}: axe finds nothing serious in light and dark, narrow and wide; nothing breaks the policy`, async () => {
      const broken: string[] = []
      const listen = (message: { text(): string }): void => void broken.push(message.text())
      page.on('console', listen)
      for (const colorScheme of ['light', 'dark'] as const) {
        for (const width of [320, 1280]) {
          await page.emulateMedia({ colorScheme })
          await page.setViewportSize({ width, height: 900 })
          const answer = await page.goto(`${origin}${path}`)
          assert.equal(answer?.status(), 200)
          assert.doesNotMatch((await answer?.text()) ?? '', / style=|<style|<script(?! type="module" src=)/)
          const found = await seriousFindings(page)
          assert.deepEqual(found, [], `${width} ${colorScheme}`)
          assert.equal(await page.locator('h1').count(), 1)
          assert.ok(
            await page.evaluate('document.documentElement.scrollWidth <= innerWidth'),
            `${width} scrolls sideways`,
          )
        }
      }
      page.off('console', listen)
      assert.deepEqual(broken, [])
    })
  }

  it('a script of an upstream on the same origin that fetches /account or /admin gets 403', async () => {
    await page.goto(`${origin}/admin`)
    const [status] = await Promise.all([
      page.evaluate(`fetch('/account').then(({ status }) => status)`).catch(() => 403),
    ])
    assert.equal(status, 403)
    const headers = { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', 'sec-fetch-site': 'same-origin' }
    assert.equal((await fetch(`${origin}/admin`, { headers, redirect: 'manual' })).status, 403)
  })

  it('ask once what a revocation ends, carry it out, and restore it', async () => {
    await page.goto(`${origin}/admin/clients/photos-cli`)
    await page.getByRole('button', { name: 'Revoke' }).click()
    assert.match((await page.textContent('h1')) ?? '', /Revoke this client\?/)
    await page.getByRole('button', { name: 'Revoke' }).click()
    await page.waitForURL(/done=revoked/)
    await page.getByRole('button', { name: 'Restore' }).click()
    await page.waitForURL(/done=restored/)
  })

  it('show the link of an invitation once', async () => {
    await page.goto(`${origin}/admin/people/new`)
    await page.fill('#username', 'bob')
    await page.check('input[name=groups][value=photos]')
    await page.getByRole('button', { name: 'Invite' }).click()
    assert.match((await page.textContent('.secret code')) ?? '', /\/account\/link\?link=[\w-]{43}$/)
  })

  it('take a name and a mail address away that were emptied', async () => {
    await page.goto(`${origin}/admin/people/carol`)
    for (const email of ['carol@example.com', '']) {
      await page.fill('#email', email)
      await page.fill('#name', '')
      await page.getByRole('button', { name: 'Save' }).click()
      await page.waitForURL(/done=changed/)
      assert.equal(await page.inputValue('#email'), email)
      assert.equal(await page.inputValue('#name'), '')
    }
  })

  it('say beside the question why nothing could be tried, and keep the question', async () => {
    const photos = `${origin}/photos`
    await page.goto(`${origin}/admin/try`)
    await page.fill('#f-person', 'nobody-of-that-name')
    await page.selectOption('#f-resource', photos)
    await page.getByRole('button', { name: 'Try', exact: true }).click()
    assert.match((await page.textContent('[role=alert]')) ?? '', /no such person/)
    await page.fill('#f-person', '')
    await page.fill('#f-groups', 'photos')
    await page.selectOption('#f-acr', 'mfa')
    await page.getByRole('button', { name: 'Try', exact: true }).click()
    assert.match((await page.textContent('main')) ?? '', /yes, with photos:read.*"acr": "mfa"/s)
    assert.equal(await page.inputValue('#f-resource'), photos)
  })

  it('show of a new client what to paste, and lead to a try with it', async () => {
    await page.goto(`${origin}/admin/clients/backup`)
    assert.match((await page.textContent('pre')) ?? '', /curl --user backup:SECRET .*\/oauth\/token/)
    await page.getByRole('link', { name: 'Try what it would get' }).click()
    assert.equal(await page.inputValue('#f-client'), 'backup')
  })

  it('a form without its guard changes nothing', async () => {
    const cookie = (await office.chromium.context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ')
    const answer = await fetch(`${origin}/admin/clients/photos-cli/revoke`, {
      method: 'POST',
      redirect: 'manual',
      headers: { cookie },
      body: new URLSearchParams({ decision: 'approve' }),
    })
    assert.equal(answer.status, 403)
  })

  it('say why a request was refused, by the id that the client was told', async () => {
    const refused = await fetch(`${origin}/photos/a`)
    assert.equal(refused.status, 401)
    const id = refused.headers.get('x-request-id') ?? ''
    // What was decided is handed over in batches.
    await expectHeading(`${origin}/admin/decisions/${id}`, 'Why was this refused?')
    assert.match((await page.textContent('main')) ?? '', /no_token/)
    assert.deepEqual(await seriousFindings(page), [])
  })

  it('list open links, and void one after a question', async () => {
    await page.goto(`${origin}/admin/people`)
    await page.getByRole('link', { name: 'carol' }).click()
    await page.getByRole('button', { name: 'New recovery link' }).click()
    await page.locator('.secret code').waitFor()
    await page.getByRole('link', { name: 'I have it, go on' }).click()
    const links = page.getByRole('table', { name: 'One-time links' })
    assert.match((await links.textContent()) ?? '', /recovery.*ada/)
    await links.getByRole('button', { name: 'Void' }).click()
    assert.match((await page.textContent('h1')) ?? '', /Void this link\?/)
    await page.getByRole('button', { name: 'Void' }).click()
    await page.waitForURL(/done=voided/)
    assert.equal(await links.count(), 0)
  })

  it('name the ways in that somebody has, and take no password away', async () => {
    await page.goto(`${origin}/admin/people`)
    await page.getByRole('link', { name: 'carol' }).click()
    const ways = page.getByRole('table', { name: 'Ways to sign in' })
    assert.match((await ways.textContent()) ?? '', /password/)
    assert.equal(await ways.getByRole('button', { name: 'Remove' }).count(), 0)
  })

  it('give a client a second secret, shown once, and take the first away after a question', async () => {
    await page.goto(`${origin}/admin/clients/backup`)
    await page.getByRole('button', { name: 'New secret' }).click()
    assert.match((await page.textContent('.secret code')) ?? '', /^agcs_/)
    await page.getByRole('link', { name: 'I have it, go on' }).click()
    const rows = page.getByRole('table', { name: 'Secrets' }).locator('tbody tr')
    assert.equal(await rows.count(), 2)
    await rows.first().getByRole('button', { name: 'Remove' }).click()
    await page.getByRole('button', { name: 'Remove' }).click()
    await page.waitForURL(/done=removed/)
    assert.equal(await rows.count(), 1)
  })

  it('hand out the audit as CSV and NDJSON, as its filter says, and name people in the page', async () => {
    await page.goto(`${origin}/admin/audit?event=link.made`)
    assert.match((await page.textContent('table')) ?? '', /link\.made.*carol/)
    for (const [button, name] of [
      ['NDJSON', 'audit.ndjson'],
      ['CSV', 'audit.csv'],
    ] as const) {
      const download = page.waitForEvent('download')
      await page.getByRole('link', { name: button, exact: true }).click()
      const file = await download
      assert.equal(file.suggestedFilename(), name)
      let text = ''
      for await (const chunk of await file.createReadStream()) text += chunk
      assert.match(text, /link\.made/)
      assert.doesNotMatch(text, /user\.added/)
    }
  })

  it('find decisions of a time, as typed into the fields', async () => {
    await page.goto(`${origin}/admin/decisions`)
    await page.fill('#f-since', '2001-02-03T04:05')
    await page.fill('#f-until', '2001-02-03T05:05')
    await page.getByRole('button', { name: 'Show' }).click()
    assert.match((await page.textContent('main')) ?? '', /Nothing that is kept fits this filter/)
    assert.equal(await page.inputValue('#f-since'), '2001-02-03T04:05')
  })

  it('can be used by keyboard with script off: from the overview to a client that ends', async () => {
    const browser = office.chromium.context.browser()
    assert.ok(browser !== null)
    const context = await browser.newContext({ javaScriptEnabled: false })
    await context.addCookies(await office.chromium.context.cookies())
    const still = await context.newPage()
    await still.goto(`${origin}/admin`)
    for (const name of ['Clients', 'photos-cli', 'End its tokens', 'End its tokens']) {
      const target = still.locator('a, button', { hasText: name }).last()
      await reach(still, target)
      await Promise.all([still.waitForEvent('framenavigated'), still.keyboard.press('Enter')])
    }
    assert.match(still.url(), /done=ended/)
    await context.close()
  })
})
