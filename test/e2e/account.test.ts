import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { addApp, connect } from '../support/issuer/account-page.ts'
import { Person } from '../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, PASSWORD, startIssuer } from '../support/issuer/issuer-under-test.ts'
import { type StartedChromium, startChromium } from '../support/programs/chromium.ts'

interface AxeFinding {
  readonly id: string
  readonly nodes: readonly { readonly html: string }[]
}

const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
/** Where pictures of the pages go, for people to look at; undefined: nowhere. */
const pictures = process.env.AUDGATE_PICTURES
const NEXT = 'a better battery of words'
const LAST = 'the third lamp over the harbour'

describe('/account in Chromium, as a person meets it', () => {
  let issuer: IssuerUnderTest
  let chromium: StartedChromium
  let page: Page
  const complaints: string[] = []

  before(async () => {
    issuer = await startIssuer()
    const places = new Map([[issuer.photos, 'https://photos.gate.example.com/originals/of-the-whole-family/']])
    await issuer.reconfigure({ appPasswordPlaces: places })
    await addApp(issuer, 'viewer', { name: 'Gallery' })
    await addApp(issuer, 'printer', { name: 'Postcard printer', thirdParty: true })
    await issuer.addPerson('alice', ['photos', 'files'], { name: 'Alice Lindgren', email: 'alice@example.com' })
    await connect(issuer, new Person(issuer.url, 'alice'), 'printer')
    await connect(issuer, new Person(issuer.url, 'alice', undefined, 'photo-cli/1.0 (Linux)'), 'viewer')
    await connect(issuer, new Person(issuer.url, 'alice'), 'viewer', { resource: issuer.files, scope: 'files:read' })
    chromium = await startChromium()
    page = await chromium.context.newPage()
    page.on('console', (message) => {
      // Chromium also reports the status of a page that says what was wrong, some time after it is shown.
      const isStatus = message.text().includes('the server responded with a status of 400')
      if (message.type() === 'error' && !isStatus) complaints.push(message.text())
    })
  })
  after(async () => {
    await issuer.close()
    await chromium.close()
  })

  const press = (name: string | RegExp) =>
    Promise.all([page.waitForEvent('framenavigated'), page.getByRole('button', { name }).first().click()])
  const heading = async () => (await page.locator('h1').textContent()) ?? ''
  const notice = async () => (await page.locator('.notice').textContent()) ?? ''
  /** Looks at the page as it stands, with every width and scheme that people have. */
  const isSound = async (name: string): Promise<void> => {
    for (const colorScheme of ['light', 'dark'] as const) {
      // A colour that is still on its way to another is no fault.
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      await page.setViewportSize({ width: 320, height: 640 })
      assert.deepEqual(await axeFindings(page), [], `${name}, ${colorScheme}`)
      assert.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), `${name} is too wide`)
      assert.deepEqual(await page.evaluate<string[]>(BROKEN_WORDS), [], `${name}: words of buttons are broken`)
      if (pictures !== undefined) await takePictures(page, `${pictures}/${name}-${colorScheme}`)
    }
    assert.deepEqual(complaints, [])
  }

  it('signs in, after a wrong password that stays on the page', async () => {
    await page.goto(`${issuer.url}/account`)
    await isSound('sign-in')
    for (const password of ['wrong horse', PASSWORD]) {
      await page.getByLabel('Username').fill('alice')
      await page.getByLabel('Password').fill(password)
      await press('Sign in')
      if (password === PASSWORD) break
      assert.equal(await page.getByLabel('Username').inputValue(), 'alice')
      await isSound('sign-in-wrong')
    }
    assert.equal(await heading(), 'Your account')
    assert.equal(page.url(), `${issuer.url}/account`)
    await isSound('account')
  })

  it('shows what one may use, signed-in browsers and events, and hands out my data', async () => {
    const elsewhere = new Person(issuer.url, 'alice', undefined, 'Mozilla/5.0 (iPhone) Version/17.0 Safari/605.1')
    await elsewhere.signIn(await elsewhere.open('/account'))
    await page.reload()
    await page.getByText('The last').click()
    assert.ok(await page.getByRole('table', { name: 'Recent events' }).isVisible())
    await isSound('account-more')
    const download = page.waitForEvent('download')
    await page.getByRole('link', { name: 'My data as JSON' }).click()
    assert.equal((await download).suggestedFilename(), 'my-data.json')
    const rows = await page.getByRole('table', { name: 'Browsers that are signed in' }).locator('tbody tr').count()
    await press(/^Sign out \(Safari on iPhone\)/)
    assert.match(await heading(), /^Sign out Safari on iPhone at 127\.0\.0\.1\?/)
    await isSound('end-browser')
    await press('Sign out')
    assert.match(await notice(), /Safari on iPhone at 127\.0\.0\.1 was signed out/)
    const left = await page.getByRole('table', { name: 'Browsers that are signed in' }).locator('tbody tr').count()
    assert.equal(left, rows - 1)
  })

  it('makes an app password, which stands out and is copied with one press', async () => {
    await page.getByText('Make one for Photo library').click()
    await page.locator('#make-0-name').fill('Drive')
    await press('Make an app password')
    assert.equal(await heading(), 'Your app password')
    const { password, size, text } = await page.evaluate<Record<string, string>>(`(() => {
      const code = document.querySelector('.once code')
      const size = (of) => parseFloat(getComputedStyle(of).fontSize)
      return { password: code.textContent, size: size(code), text: size(document.body) }
    })()`)
    assert.match(password ?? '', /^agp_[A-Za-z0-9_-]{43}$/)
    assert.ok(Number(size) > Number(text), 'the password is larger than the text around it')
    await isSound('app-password-made')
    const cut = `[...document.querySelectorAll('pre, code')].filter((each) => each.scrollWidth > each.clientWidth + 1).length`
    await page.setViewportSize({ width: 360, height: 740 })
    assert.equal(await page.evaluate(cut), 0, 'a line to type is cut off')
    await chromium.context.grantPermissions(['clipboard-read', 'clipboard-write'])
    await page.getByRole('button', { name: 'Copy the app password' }).click()
    await page.getByRole('button', { name: 'Copied the app password' }).waitFor()
    assert.equal(await page.evaluate('navigator.clipboard.readText()'), password)
    await page.getByRole('button', { name: 'Copy the line for curl' }).click()
    await page.getByRole('button', { name: 'Copied the line for curl' }).waitFor()
    assert.match(await page.evaluate('navigator.clipboard.readText()'), /^curl --user alice http/)
    await page.getByRole('link', { name: 'Back to your account' }).click()
    assert.ok(!(await page.content()).includes(String(password)), 'it is shown once')
    await isSound('app-password-listed')
  })

  it('signs out one device, asking once', async () => {
    await press(/on photo-cli/)
    assert.match(await heading(), /^Sign out Gallery on photo-cli/)
    await isSound('end-device')
    await press('Sign out')
    assert.match(await notice(), /Gallery on photo-cli.* has no access any more\. That took effect at/)
    await isSound('device-ended')
  })

  it('goes back from the question without ending anything', async () => {
    await press('Disconnect Postcard printer')
    await page.getByRole('link', { name: 'No, go back' }).click()
    assert.equal(await page.getByRole('heading', { name: 'Postcard printer' }).count(), 1)
  })

  it('disconnects an app, asking once', async () => {
    await press('Disconnect Postcard printer')
    assert.equal(await heading(), 'Disconnect Postcard printer?')
    await isSound('disconnect')
    await press('Disconnect')
    assert.match(await notice(), /Postcard printer has no access any more/)
    assert.equal(await page.getByRole('heading', { name: 'Postcard printer' }).count(), 0)
  })

  it('changes the password, after a wrong one that is said beside the field', async () => {
    for (const current of ['wrong horse', PASSWORD]) {
      await page.getByLabel('Password now').fill(current)
      await page.getByLabel('New password', { exact: true }).fill(NEXT)
      await page.getByLabel('New password, once more').fill(NEXT)
      await press('Change password')
      if (current === PASSWORD) break
      assert.match((await page.locator('#current_password-problem').textContent()) ?? '', /not your password now/)
      await isSound('password-wrong')
    }
    assert.match(await notice(), /Your password was changed/)
    await isSound('password-changed')
  })

  it('“this wasn’t me” is asked once, and a new password is asked for before anything else', async () => {
    const stranger = new Person(issuer.url, 'alice', NEXT, 'Mozilla/5.0 (Windows NT 10.0) Firefox/140.0')
    await stranger.signIn(await stranger.open('/account'))
    await page.reload()
    await press(/^This wasn’t me \(Firefox on Windows\)/)
    assert.match(await heading(), /^Wasn’t Firefox on Windows at .* you\?/)
    await isSound('not-me')
    await press('It wasn’t me')
    assert.equal(await heading(), 'Choose a new password')
    await isSound('new-password')
    await page.goto(`${issuer.url}/account`)
    assert.equal(await heading(), 'Choose a new password')
    await page.getByLabel('Password now').fill(NEXT)
    await page.getByLabel('New password', { exact: true }).fill(LAST)
    await page.getByLabel('New password, once more').fill(LAST)
    await press('Change password')
    assert.equal(await heading(), 'Your account')
    assert.doesNotMatch((await stranger.open('/account')).text, /<h1>Your account/)
  })

  it('signs out everywhere, asking once, and in again with the new password', async () => {
    await press('Sign out everywhere')
    await isSound('everywhere')
    await press('Sign out everywhere')
    assert.equal(await heading(), 'Signed out everywhere')
    await isSound('signed-out-everywhere')
    await page.getByRole('link', { name: 'Sign in again' }).click()
    await page.getByLabel('Username').fill('alice')
    await page.getByLabel('Password').fill(LAST)
    await press('Sign in')
    assert.equal(await heading(), 'Your account')
    await press('Sign out in this browser')
    assert.equal(await heading(), 'You are signed out')
    await isSound('signed-out')
  })
})

/** Buttons in which a short word takes more than one line. */
const BROKEN_WORDS = `[...document.querySelectorAll('.button')].flatMap((button) => {
  const walker = document.createTreeWalker(button, NodeFilter.SHOW_TEXT)
  const found = []
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    for (const { 0: word, index } of node.data.matchAll(/\\S{1,16}(?!\\S)/g)) {
      const range = document.createRange()
      range.setStart(node, index)
      range.setEnd(node, index + word.length)
      if (new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size > 1) found.push(word)
    }
  }
  return found
})`

/** Runs axe in the page by the debugger, which the policy against scripts does not hold. */
async function axeFindings(of: Page): Promise<string[]> {
  await of.evaluate(axeSource)
  const found: readonly AxeFinding[] = await of.evaluate('axe.run(document).then((result) => result.violations)')
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join('; ')}`)
}

async function takePictures(of: Page, path: string): Promise<void> {
  for (const width of [360, 1_280]) {
    await of.setViewportSize({ width, height: 740 })
    await of.screenshot({ path: `${path}-${width}.png`, fullPage: true })
  }
}
